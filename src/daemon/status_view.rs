//! What the loop tells: status, states, counts; and what it does once a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::jobs;
use super::main_loop::{Loop, Running, Snapshot};
use crate::app::told;
use crate::app::trash::Kept;
use crate::engine::execute::Event;
use crate::engine::operation::{Action, Operation};
use crate::engine::pass::{Engine, Phase};
use crate::engine::ports::Clock as _;
use crate::model::State;
use crate::status::{DaemonState, Pending, StatusDocument};

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
        // A pass that only compares has nothing to show.
        let shows = self.phase == Some(Phase::Working);
        told::follow(&mut self.tracker, event, now, shows.then(Instant::now));
    }

    /// Tells the state where it is another one now.
    pub(super) fn show_state(&mut self) {
        let state = self.current_state();
        if self.tracker.set_state(state, self.clock.now().whole_seconds()) {
            self.systemd.status(state.sentence());
            // That it stops was told when it began to.
            if state != DaemonState::Stopping {
                log::info!("{}", state.line());
            }
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

    /// Whether items wait for room on the disk.
    pub(super) fn lacks_room(&self) -> bool {
        self.stored().is_some_and(told::lacks_room)
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
        self.lent = Some(Snapshot {
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
