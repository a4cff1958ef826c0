//! How much a pass plans: what was touched since the plan before, however the two sides were looked at, and everything only where
//! nothing is known of an earlier plan, or it was made under other terms.

use icloudds::engine::pass::{LocalLook, Look, RemoteLook, Settings};
use icloudds::engine::plan::{Extent, Mode};
use icloudds::model::RelPath;
use icloudds::model::filter::Filter;

use crate::passes::{Bench, settings};

const FOLDERS: usize = 12;
const FILES_EACH: usize = 25;

/// So few items are looked at after one change: it, its folder, and what those touched that came before.
const FEW: usize = 8;

/// Some hundreds of files on both sides, and an engine that has nothing to do.
fn settled() -> Bench {
    let mut bench = Bench::new(1);
    for folder in 0..FOLDERS {
        assert!(bench.world.disk.mkdir(&format!("folder {folder}")));
        for file in 0..FILES_EACH {
            let path = path(folder, file);
            assert!(bench.world.disk.write(&path, path.as_bytes()));
        }
    }
    bench.wait(100);
    bench.settle();
    // What was just written is looked at once more when its stamp counts.
    bench.settle();
    bench
}

fn path(folder: usize, file: usize) -> String {
    // Too long for a name that takes no room of its own.
    format!("folder {folder}/a file with a long name, number {file}")
}

/// The looks of the daemon: at everything, and at what the watcher told, with a walk or without.
fn looks(folder: &str) -> [Look; 3] {
    let local = LocalLook::Folders(vec![RelPath::parse(folder).expect("a path")]);
    [
        Look::whole(),
        Look { local: local.clone(), remote: RemoteLook::Whole },
        Look { local: LocalLook::Whole, remote: RemoteLook::Nothing },
    ]
}

fn assert_few(extent: Extent, what: &str) {
    assert!(matches!(extent, Extent::Touched(items) if items <= FEW), "{what}: {extent:?}");
}

/// A change, the pass that carries it out, and the passes after it.
fn changed(bench: &mut Bench, look: &Look, what: &str, change: impl FnOnce(&Bench) -> bool) {
    assert!(change(bench), "{what}");
    bench.wait(100);
    let report = bench.pass_by(look, &settings());
    assert!(report.planned > 0, "{what}: it was seen");
    assert_few(report.extent, what);
    for after in ["right after", "the next one"] {
        let report = bench.pass_by(look, &settings());
        assert_few(report.extent, &format!("{what}, {after}"));
    }
    assert!(bench.pass_by(look, &settings()).rests(), "{what}");
    bench.world.assert_equal_sides();
}

#[test]
fn after_one_change_here_only_that_is_planned_whatever_was_looked_at() {
    let mut bench = settled();
    for (round, look) in looks("folder 7").iter().enumerate() {
        changed(&mut bench, look, "a new file", |bench| {
            bench.world.disk.write(&format!("folder 7/new {round}"), b"new")
        });
        changed(&mut bench, look, "an edit", |bench| {
            bench.world.disk.write(&path(7, 7), format!("edited {round}").as_bytes())
        });
        changed(&mut bench, look, "a rename", |bench| {
            bench.world.disk.mv(&path(7, 20 + round), &format!("folder 7/renamed {round}"))
        });
        changed(&mut bench, look, "a deletion", |bench| bench.world.disk.delete(&path(7, 10 + round)));
    }
}

#[test]
fn after_one_change_on_icloud_only_that_is_planned() {
    let mut bench = settled();
    let look = Look::whole();
    changed(&mut bench, &look, "a new file", |bench| {
        bench.world.drive.create("folder 9/new", b"new").is_some()
    });
    changed(&mut bench, &look, "an edit", |bench| bench.world.drive.edit(&path(9, 9), b"edited"));
    changed(&mut bench, &look, "a rename", |bench| bench.world.drive.person_rename(&path(9, 10), "renamed"));
    changed(&mut bench, &look, "a deletion", |bench| bench.world.drive.person_trash(&path(9, 11)));
}

#[test]
fn of_a_folder_that_was_renamed_only_what_it_holds_is_planned() {
    let mut bench = settled();
    assert!(bench.world.disk.mv("folder 3", "renamed here"));
    assert!(bench.world.drive.person_rename("folder 4", "renamed there"));
    bench.wait(100);
    for _ in 0..4 {
        let extent = bench.pass().extent;
        let is_part = matches!(extent, Extent::Touched(items) if items <= 2 * FILES_EACH + FEW);
        assert!(is_part, "{extent:?}");
    }
    bench.world.assert_equal_sides();
}

#[test]
fn a_look_that_finds_nothing_new_plans_nothing() {
    let mut bench = settled();
    for look in looks("folder 1") {
        let report = bench.pass_by(&look, &settings());
        assert_eq!((report.extent, report.rests()), (Extent::Touched(0), true));
    }
}

#[test]
fn after_a_start_and_under_other_terms_everything_is_planned() {
    let mut bench = settled();
    bench.restart();
    assert_eq!(bench.pass().extent, Extent::Whole, "nothing is known of an earlier plan");
    assert_few(bench.pass().extent, "the second pass");
    let ignoring = Filter::compile(&[r".*\.tmp".to_owned()], &[]).expect("a filter");
    let others = [
        ("another filter", Settings { filter: ignoring, ..settings() }),
        ("another mode", Settings { mode: Mode::DownloadOnly, ..settings() }),
        ("another limit", Settings { max_file_size: Some(1 << 20), ..settings() }),
    ];
    for (what, other) in &others {
        assert_eq!(bench.pass_by(&Look::whole(), other).extent, Extent::Whole, "{what}");
        assert_few(bench.pass_by(&Look::whole(), other).extent, what);
    }
}
