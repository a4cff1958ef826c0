//! What the loop tells: status, states, counts; and what it does once a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::jobs;
use super::main_loop::{Lent, Loop, Running};
use crate::app::trash::Kept;
use crate::engine::execute::{EffectKind, Event};
use crate::engine::operation::{Action, Operation};
use crate::engine::pass::{Engine, Phase};
use crate::engine::ports::Clock as _;
use crate::engine::view::LocalView;
use crate::model::{LocalKind, Node, Side, State};
use crate::status::{Counts, Pending, Progress, SideCounts, StatusDocument};

impl Loop {
    pub(super) fn begin_to_stop(&mut self) {
        if self.stopping.is_none() {
            log::info!("stopping");
            self.stopping = Some(Instant::now());
            self.systemd.stopping();
            self.stop.stop();
        }
    }

    /// The state files are written by a job, as soon as the engine is at home.
    pub(super) fn dump(&mut self) {
        let document = self.document();
        self.status_file.offer(&document, Instant::now(), true);
        self.dump_due = true;
        if self.engine.is_none() {
            log::info!("the state files are written when the running pass is over");
        }
    }

    /// What a running daemon does once a day.
    pub(super) fn housekeeping(&mut self, now: Instant) {
        self.housekeeping_at = now + Duration::from_secs(24 * 60 * 60);
        let (Some(here), service) = (self.here.clone(), Arc::clone(&self.service)) else { return };
        let trash = self.config().trash;
        let Some((state, now)) = self.stored().map(|state| (Kept::of(state), self.clock.reading())) else {
            return;
        };
        let started = jobs::errand("icloudds-housekeeping", move || {
            if let Err(error) = state.prune(&here.disk, &trash, now) {
                log::warn!("{error}");
            }
            crate::app::open::keep_trust(&service);
        });
        if let Err(error) = started {
            log::warn!("cannot start a thread: {error}");
        }
    }

    pub(super) fn track(&mut self, event: &Event) {
        let now = self.clock.now().whole_seconds();
        match event {
            Event::Done(effect) => {
                let pending = &mut self.tracker.pending;
                let left = match effect.kind {
                    EffectKind::Upload => Some(&mut pending.uploads),
                    EffectKind::Download => Some(&mut pending.downloads),
                    EffectKind::Move | EffectKind::Rename => Some(&mut pending.moves),
                    EffectKind::Delete => Some(&mut pending.deletes),
                    EffectKind::MakeFolder => Some(&mut pending.folders),
                    EffectKind::Conflict => Some(&mut pending.other),
                    EffectKind::Adopt | EffectKind::Forget => None,
                };
                if let Some(left) = left {
                    *left = left.saturating_sub(1);
                }
                let totals = &mut self.tracker.totals;
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
                    (EffectKind::Conflict | EffectKind::Adopt | EffectKind::Forget, _) => {}
                }
                if effect.kind == EffectKind::Conflict {
                    self.tracker.conflict(&effect.path, effect.other.as_ref(), now);
                }
                if !matches!(effect.kind, EffectKind::Adopt | EffectKind::Forget) {
                    self.tracker.activity(crate::app::report::effect_text(effect), now);
                }
            }
            Event::SetAside { path, reason, .. } => {
                self.tracker.activity(format!("set aside {path}: {reason}"), now)
            }
            // A pass that only compares has nothing to show.
            Event::Progress(progress) if self.phase == Some(Phase::Working) => self.tracker.progress(
                Progress {
                    items_done: progress.items_done,
                    items_total: progress.items_total,
                    bytes_done: progress.bytes_done,
                    bytes_total: progress.bytes_total,
                    ..Progress::default()
                },
                Instant::now(),
            ),
            _ => {}
        }
    }

    /// Tells the state where it is another one now.
    pub(super) fn show_state(&mut self) {
        let state = self.current_state();
        if self.tracker.set_state(state, self.clock.now().whole_seconds()) {
            self.systemd.status(state.sentence());
            log::info!("{state}: {}", state.sentence());
        }
    }

    /// What is stored; while the engine is lent to a job, what was stored when it left.
    pub(super) fn stored(&self) -> Option<&State> {
        match (&self.engine, &self.lent) {
            (Some(engine), _) => Some(&engine.state),
            (None, lent) => lent.as_ref().map(|lent| &lent.state),
        }
    }

    /// Whether deletions wait for a person.
    pub(super) fn holds_deletions(&self) -> bool {
        self.stored().is_some_and(|state| !state.guard.held.is_empty())
    }

    /// The status.
    pub(super) fn document(&self) -> StatusDocument {
        match self.stored() {
            Some(stored) => self.tracker.document(stored, &self.zone),
            None => self.tracker.document(&State::empty(), &self.zone),
        }
    }

    /// Tells the state and has the status file written, where either changed.
    pub(super) fn tell_status(&mut self) {
        self.show_state();
        let document = self.document();
        self.status_file.offer(&document, Instant::now(), false);
    }

    /// Takes the engine for a job, and remembers what can be told of its state meanwhile. The base is shared: the job's
    /// first change of it, if any, works on a copy.
    pub(super) fn lend(&mut self, to: Running) -> Option<Engine> {
        let engine = self.engine.take()?;
        let state = &engine.state;
        self.lent = Some(Lent {
            state: State {
                owner: state.owner.clone(),
                base: Arc::clone(&state.base),
                set_aside: state.set_aside.clone(),
                local_only: state.local_only.clone(),
                guard: state.guard.clone(),
                last_sync: state.last_sync,
                time: state.time.clone(),
                ..State::empty()
            },
            // A pass changes the view of iCloud with what it does there, and no walk begins beside it.
            walk: if to == Running::Pass { engine.walk().anew() } else { engine.walk() },
        });
        Some(engine)
    }
}

/// Operations by kind.
pub(super) fn pending(operations: &[Operation]) -> Pending {
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

/// What each side holds, as last seen.
pub(super) fn counts(engine: &Engine) -> Counts {
    let local = engine.local.as_ref().map(counts_here).unwrap_or_default();
    let mut counts = Counts { local, ..Counts::default() };
    if let Some(view) = &engine.remote {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.remote, entry.is_folder(), entry.size.unwrap_or(0));
        }
    }
    counts
}

/// What this side holds.
pub(super) fn counts_here(view: &LocalView) -> SideCounts {
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

fn count(side: &mut SideCounts, folder: bool, size: u64) {
    if folder {
        side.folders += 1;
    } else {
        side.files += 1;
        side.bytes += size;
    }
}
