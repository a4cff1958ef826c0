//! What a history's twists turn in the world, and what its owner configured.

use icloudds::engine::execute::Packages;
use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::Replacement;
use icloudds::engine::pass::Settings;
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::model::filter::Filter;

use super::history::{History, Twist};
use crate::sim::World;
use crate::sim::disk::Coarse;
use crate::sim::drive::switches::{CommitTwice, EtagUp, NameStorage, PutBack, Signatures, Taken, Times};

/// The settings of a history.
pub fn settings(history: &History) -> Settings {
    let ignore = if history.odd { vec![r"(.*/)?own\.ign".to_owned()] } else { Vec::new() };
    Settings {
        mode: match (history.has(Twist::DownloadOnly), history.has(Twist::UploadOnly)) {
            (true, _) => Mode::DownloadOnly,
            (_, true) => Mode::UploadOnly,
            _ => Mode::TwoWay,
        },
        conflict: match history.has(Twist::Newest) {
            true => ConflictPolicy::Newest,
            false => ConflictPolicy::KeepBoth,
        },
        replacement: match history.has(Twist::TrashWay) {
            true => Replacement::Trash,
            false => Replacement::InPlace,
        },
        packages: if history.has(Twist::SkipPackages) { Packages::Skip } else { Packages::Zip },
        max_file_size: None,
        filter: Filter::compile(&ignore, &[]).expect("the expression compiles"),
        app_libraries: Vec::new(),
        root_is_library: false,
        remote_delete_permanent: history.has(Twist::Permanent),
        workers: 1,
        parallel_writes: side_by_side(history),
        guard: match history.has(Twist::SmallGuard) {
            true => GuardLimits { max_deletes: 2, max_delete_percent: 0 },
            false => GuardLimits { max_deletes: 0, max_delete_percent: 0 },
        },
    }
}

/// How many commits may overlap.
fn side_by_side(history: &History) -> usize {
    let widths = history.twists.iter().filter_map(|twist| match twist {
        Twist::SideBySide(most) => Some(*most),
        _ => None,
    });
    widths.max().unwrap_or(1)
}

/// Turns the switch that a twist stands for.
pub fn turn(world: &World, twist: Twist) {
    world.drive.switch(|drive| match twist {
        Twist::EtagAtOnce => drive.etag_up = EtagUp::AtOnce,
        Twist::EtagNever => drive.etag_up = EtagUp::Never,
        Twist::EtagAlways => drive.etag_up = EtagUp::Always,
        Twist::EtagLapses(each) => drive.etag_up = EtagUp::Lapses(each),
        Twist::EtagParent => drive.etag_up = EtagUp::Parent,
        Twist::NoCounts => drive.counts = false,
        Twist::NeverGone => drive.gone = false,
        Twist::Late(seconds) => drive.visible_after = seconds,
        Twist::NoCasMove => drive.cas_move = false,
        Twist::CasRename => drive.cas_rename = true,
        Twist::CasSubtree => drive.cas_subtree = true,
        Twist::TakenError => drive.taken = Taken::Error,
        Twist::TakenExisting => drive.taken = Taken::Existing,
        Twist::AsSent => drive.names = NameStorage::AsSent,
        Twist::StoresNfc => drive.names = NameStorage::Nfc,
        Twist::RemoteFoldsCase => drive.names = NameStorage::FoldsCase,
        Twist::PutBackNewName => drive.put_back = PutBack::NewName,
        Twist::PutBackNewId => drive.put_back = PutBack::NewId,
        Twist::PutBackBoth => drive.put_back = PutBack::Both,
        Twist::PutBackSilent => drive.put_back = PutBack::Silent,
        Twist::OtherFormula => drive.signatures = Signatures::OtherFormula,
        Twist::OtherForm => drive.signatures = Signatures::OtherForm,
        Twist::NoSignatures => drive.signatures = Signatures::Absent,
        Twist::LookUpSigns => drive.look_up_signs = true,
        Twist::ZeroUntold => drive.zero_size_untold = true,
        Twist::NoRanges => drive.ranges = false,
        Twist::CommitTaken => drive.commit_twice = CommitTwice::Taken,
        Twist::CommitDuplicate => drive.commit_twice = CommitTwice::Duplicate,
        Twist::TimesCeil => drive.times = Times::Ceil,
        Twist::TimesNow => drive.times = Times::Now,
        Twist::NotInPlace => drive.in_place = false,
        Twist::PackagesVary => drive.packages_vary = true,
        Twist::IntoTrashed => drive.into_trashed = true,
        Twist::Quota => drive.quota = Some(250),
        Twist::BodyLags(seconds) => drive.body_lag = seconds,
        Twist::TrashLate(seconds) => drive.trash_after = seconds,
        Twist::SlowLists(seconds) => drive.slow_lists = seconds,
        Twist::TakesOverlaps => drive.takes_overlaps = true,
        Twist::SizesUntold => drive.sizes_untold = true,
        _ => {}
    });
    world.disk.switch(|disk| match twist {
        Twist::NoBirths => disk.births = false,
        Twist::NoIdentities => disk.identities = false,
        Twist::ReuseInodes => disk.reuse_inodes = true,
        Twist::LocalFoldsCase => disk.folds_case = true,
        Twist::LazyPersons => disk.persons_sync = false,
        Twist::LosesContents => (disk.persons_sync, disk.loses_contents) = (false, true),
        Twist::LateTimes => disk.late_times = true,
        Twist::CoarseTimes => disk.coarse = Coarse { root: true, volumes: true },
        Twist::CoarseVolumes => disk.coarse.volumes = true,
        Twist::ServersClock(ahead) => disk.ahead = ahead,
        Twist::FineTimes => disk.fine_times = true,
        Twist::SmallDisk => disk.capacity = Some(400),
        _ => {}
    });
}
