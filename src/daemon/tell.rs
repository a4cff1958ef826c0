//! What the loop tells: status, states, counts; and what it does once a day.

use super::dumps::Dumps;
use super::jobs::{self};
use super::main_loop::Loop;
use crate::engine::execute::{EffectKind, Event};
use crate::engine::pass::Engine;
use crate::engine::ports::Clock as _;
use crate::model::{LocalKind, Node, RelPath, Side, State};
use crate::status::{Counts, DaemonState, Progress, SideCounts, StatusDocument};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Loop {
    pub(super) fn begin_to_stop(&mut self) {
        if self.stopping.is_none() {
            log::info!("stopping");
            self.stopping = Some(Instant::now());
            self.set_state(DaemonState::Stopping);
            self.systemd.stopping();
            self.stop.stop();
        }
    }

    pub(super) fn dump(&mut self) {
        let dumps = self.dumps.clone().unwrap_or_else(|| Dumps::beside_state(self.config()));
        self.write_status();
        if let Some(engine) = &self.engine {
            dumps.all(engine);
        } else {
            self.dump_due = true;
            log::info!("the state files are written when the running pass is over");
        }
    }

    /// What a running daemon does once a day.
    pub(super) fn housekeeping(&mut self, now: Instant) {
        self.housekeeping_at = now + Duration::from_secs(24 * 60 * 60);
        let (Some(edges), service) = (self.edges.clone(), Arc::clone(&self.service)) else { return };
        let trash = self.config().trash;
        let protected: BTreeSet<RelPath> = self.engine.as_ref().map_or_else(BTreeSet::new, |engine| {
            let held = engine.state.guard.held.iter().filter_map(|held| RelPath::parse(&held.path).ok());
            engine.state.set_aside.keys().cloned().chain(held).collect()
        });
        let started = jobs::errand("icloudds-housekeeping", move || {
            let keep_days =
                trash.keep.map_or(0, |keep| u32::try_from(keep.as_secs() / 86_400).unwrap_or(u32::MAX));
            let now = jiff::Timestamp::now();
            let keep = |item: &crate::disk::TrashItem| protected.contains(&item.path);
            match edges.disk.prune(now, keep_days, trash.max_size.unwrap_or(0), &keep) {
                Ok(pruned) if pruned.files > 0 => {
                    log::info!(files = pruned.files, bytes = pruned.bytes; "removed old versions from the local trash");
                }
                Ok(_) => {}
                Err(error) => log::warn!("{error}"),
            }
            match service.account().prolong_trust() {
                Ok(true) => log::debug!("the trust of this machine was prolonged"),
                Ok(false) => {}
                Err(error) => log::debug!("the trust of this machine could not be prolonged: {error}"),
            }
        });
        if let Err(error) = started {
            log::warn!("cannot start a thread: {error}");
        }
    }

    pub(super) fn track(&mut self, event: &Event) {
        let now = self.clock.now().whole_seconds();
        match event {
            Event::Done(effect) => {
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
            Event::Progress(progress) => self.tracker.progress(
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

    pub(super) fn set_state(&mut self, state: DaemonState) {
        if !self.tracker.set_state(state, self.clock.now().whole_seconds()) {
            return;
        }
        self.systemd.status(state.sentence());
        // A look that finds nothing to do is no news: only what follows from it is.
        let looking = matches!(state, DaemonState::Scanning | DaemonState::Listing);
        if looking || self.announced == Some(state) {
            log::debug!("{state}: {}", state.sentence());
        } else {
            self.announced = Some(state);
            log::info!("{state}: {}", state.sentence());
        }
    }

    /// The status; while the engine is lent to a job, with what was stored when it left.
    pub(super) fn document(&self) -> StatusDocument {
        let empty;
        let stored = match (&self.engine, &self.lent) {
            (Some(engine), _) => &engine.state,
            (None, Some(lent)) => lent,
            (None, None) => {
                empty = State::empty();
                &empty
            }
        };
        self.tracker.document(stored, &self.zone)
    }

    pub(super) fn tell_status(&mut self) {
        let document = self.document();
        if let Err(error) = self.status_file.offer(&document, Instant::now())
            && self.told.insert("status".to_owned())
        {
            log::warn!("cannot write the status file: {error}");
        }
    }

    pub(super) fn write_status(&mut self) {
        let document = self.document();
        if let Err(error) = self.status_file.write(&document, Instant::now()) {
            log::warn!("cannot write the status file: {error}");
        }
    }

    /// Takes the engine for a job, and remembers what the status tells of its state meanwhile.
    pub(super) fn lend(&mut self) -> Option<Engine> {
        let engine = self.engine.take()?;
        let state = &engine.state;
        self.lent = Some(State {
            set_aside: state.set_aside.clone(),
            guard: state.guard.clone(),
            last_sync: state.last_sync,
            ..State::empty()
        });
        Some(engine)
    }
}

/// What each side holds, as last seen.
pub(super) fn counts(engine: &Engine) -> Counts {
    let mut counts = Counts::default();
    if let Some(view) = &engine.local {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.local, entry.kind == LocalKind::Folder, entry.stamp.size);
        }
    }
    if let Some(view) = &engine.remote {
        for node in view.tree.walk(Node::ROOT).skip(1) {
            let entry = view.tree.get(node);
            count(&mut counts.remote, entry.is_folder(), entry.size.unwrap_or(0));
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
