//! What the status learns of passes, in a daemon and in a run that ends.

use std::time::Instant;

use rustix::io::Errno;

use super::AppError;
use super::wording::effect_text;
use crate::disk::OpenError;
use crate::engine::execute::{EffectKind, Event};
use crate::engine::operation::{Action, NoteKind, Operation};
use crate::engine::pass::{Engine, PassError, Report};
use crate::engine::ports::{DiskError, NO_SPACE, StoreError};
use crate::engine::view::LocalView;
use crate::exit::ExitCode;
use crate::model::{LocalKind, Node, Side, State};
use crate::status::{Counts, DaemonState, Looked, Pending, Progress, SideCounts, Tracker};
use crate::store;

/// Takes what happened in a pass, at `now` (Unix seconds); how far it is only with the moment of that.
pub fn follow(tracker: &mut Tracker, event: &Event, now: i64, progress_at: Option<Instant>) {
    match event {
        Event::Done(effect) => {
            let pending = &mut tracker.pending;
            let left = match effect.kind {
                EffectKind::Upload => Some(&mut pending.uploads),
                EffectKind::Download => Some(&mut pending.downloads),
                EffectKind::Move | EffectKind::Rename => Some(&mut pending.moves),
                EffectKind::Delete => Some(&mut pending.deletes),
                EffectKind::MakeFolder => Some(&mut pending.folders),
                EffectKind::Conflict => Some(&mut pending.other),
                EffectKind::Adopt | EffectKind::Forget | EffectKind::Keep => None,
            };
            if let Some(left) = left {
                *left = left.saturating_sub(1);
            }
            let totals = &mut tracker.totals;
            match (effect.kind, effect.side) {
                (EffectKind::Upload, _) => {
                    totals.uploads += 1;
                    totals.bytes += effect.bytes;
                }
                (EffectKind::Download, _) => {
                    totals.downloads += 1;
                    totals.bytes += effect.bytes;
                }
                (EffectKind::Move | EffectKind::Rename, Some(Side::Local)) => totals.moved_local += 1,
                (EffectKind::Move | EffectKind::Rename, _) => totals.moved_remote += 1,
                (EffectKind::Delete, Some(Side::Local)) => totals.deleted_local += 1,
                (EffectKind::Delete, _) => totals.deleted_remote += 1,
                (EffectKind::MakeFolder, Some(Side::Local)) => totals.folders_local += 1,
                (EffectKind::MakeFolder, _) => totals.folders_remote += 1,
                (EffectKind::Conflict | EffectKind::Adopt | EffectKind::Forget | EffectKind::Keep, _) => {}
            }
            if effect.kind == EffectKind::Conflict {
                tracker.conflict(&effect.path, effect.other.as_ref(), now);
            }
            if !matches!(effect.kind, EffectKind::Adopt | EffectKind::Forget | EffectKind::Keep) {
                tracker.activity(effect_text(effect), now);
            }
        }
        Event::SetAside { path, reason, .. } => tracker.activity(format!("set aside {path}: {reason}"), now),
        Event::Progress(progress) => {
            if let Some(at) = progress_at {
                let progress = Progress {
                    items_done: progress.items_done,
                    items_total: progress.items_total,
                    bytes_done: progress.bytes_done,
                    bytes_total: progress.bytes_total,
                    ..Progress::default()
                };
                tracker.progress(progress, at);
            }
        }
        _ => {}
    }
}

/// Takes what a pass left alone, and why.
pub fn left_alone(tracker: &mut Tracker, report: &Report) {
    let told = |kind: fn(&NoteKind) -> Option<&str>| {
        report.notes.iter().filter_map(move |note| kind(&note.kind).map(|why| (&note.path, why)))
    };
    tracker.set_skipped(told(NoteKind::skipped));
    tracker.set_unfit(told(NoteKind::set_aside));
    tracker.set_unsettled(told(NoteKind::unsettled).chain(report.planned_again()));
}

/// What a failure of the folder, its disk or the store is: full; a scan that waits, where this machine or program is out of
/// something; or, as when it is mounted read-only, not permitted or broken, a folder that cannot be used as it is.
pub fn state_here(error: &AppError) -> DaemonState {
    match error {
        AppError::Pass(PassError::Full(_) | PassError::Store(StoreError::Full(_)))
        | AppError::Store(StoreError::Full(_))
        | AppError::State(store::OpenError::Full { .. })
        | AppError::Disk(DiskError::Full { .. }) => DaemonState::DiskFull,
        _ if is_shortage(error) => DaemonState::Scanning,
        _ => DaemonState::WrongFolder,
    }
}

/// Whether open files or memory ran out, which says nothing of the folder and passes.
fn is_shortage(error: &AppError) -> bool {
    let source = match error {
        AppError::Pass(PassError::Short(_)) => return true,
        AppError::Disk(error) => return error.is_shortage(),
        AppError::Drive(OpenError::Io { source, .. }) | AppError::Io { source, .. } => source,
        _ => return false,
    };
    matches!(Errno::from_io_error(source), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// The state in which a run leaves things that failed so.
pub fn state_after(error: &AppError) -> DaemonState {
    match error.exit_code() {
        ExitCode::SecondFactor | ExitCode::CodeNotSent | ExitCode::TwoStepCode | ExitCode::TwoFactorCode => {
            DaemonState::NeedsCode
        }
        ExitCode::Missing | ExitCode::SignIn => DaemonState::NeedsPassword,
        ExitCode::Service => DaemonState::Offline,
        _ => state_here(error),
    }
}

/// What each side holds, as last seen, and which were.
pub fn counts(engine: &Engine) -> (Counts, Looked) {
    let local = engine.local_view().map(counts_here).unwrap_or_default();
    let mut counts = Counts { local, ..Counts::default() };
    if let Some(view) = engine.remote_view() {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.remote, entry.is_folder(), entry.size.get().unwrap_or(0));
        }
    }
    (counts, Looked { local: engine.local_view().is_some(), remote: engine.remote_view().is_some() })
}

/// What this side holds.
pub fn counts_here(view: &LocalView) -> SideCounts {
    let mut counts = SideCounts::default();
    for node in view.tree.walk(Node::ROOT).skip(1) {
        let entry = view.tree.get(node);
        match entry.kind {
            LocalKind::Special => {}
            kind => count(&mut counts, kind == LocalKind::Folder, entry.stamp.size),
        }
    }
    counts
}

/// Operations by kind.
pub fn pending(operations: &[Operation]) -> Pending {
    let mut pending = Pending::default();
    for operation in operations {
        let count = match &operation.action {
            Action::Upload { .. } => &mut pending.uploads,
            Action::Download { .. } => &mut pending.downloads,
            Action::MoveLocal { .. } | Action::MoveRemote { .. } => &mut pending.moves,
            Action::TrashLocal { .. } | Action::TrashRemote { .. } => &mut pending.deletes,
            Action::MakeLocalFolder { .. } | Action::MakeRemoteFolder { .. } => &mut pending.folders,
            Action::Compare { .. } | Action::Settle { .. } => &mut pending.other,
            // Only the base learns of these.
            Action::Agree { .. } | Action::Forget { .. } | Action::Keep { .. } => continue,
        };
        *count += 1;
    }
    pending
}

fn count(side: &mut SideCounts, folder: bool, size: u64) {
    if folder {
        side.folders += 1;
    } else {
        side.files += 1;
        side.bytes += size;
    }
}

/// Whether items wait for room on the disk.
pub fn lacks_room(state: &State) -> bool {
    state.set_aside.values().any(|item| item.reason.contains(NO_SPACE))
}
