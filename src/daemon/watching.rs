//! How the loop notices local changes.

use super::main_loop::Loop;
use crate::disk::watch::{self, WatchMessage, Watcher, Watching};
use crate::disk::{Watch, watchability};
use crate::model::RelPath;
use crossbeam::channel::never;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Loop {
    pub(super) fn start_watching(&mut self) {
        let config = self.config();
        let root = config.sync.directory.clone();
        self.watching = watch::decide(config.sync.watch, || {
            Ok(match watchability(&root)? {
                Watch::Native => None,
                Watch::PollBecause(reason) => Some(reason),
            })
        });
        if self.watching == Watching::Events {
            match Watcher::start(&root) {
                Ok((watcher, messages)) => {
                    self.watcher = Some(watcher);
                    self.watch_ready = false;
                    self.watch = messages;
                }
                Err(error) => self.watching = Watching::Poll { because: error.to_string() },
            }
        }
        self.tell_watching();
    }

    pub(super) fn tell_watching(&mut self) {
        let poll = self.config().sync.poll_period;
        let (told, line) = match &self.watching {
            Watching::Events => ("events".to_owned(), "watching by events".to_owned()),
            Watching::Poll { because } => {
                (format!("poll: {because}"), format!("scanning every {} s because {because}", poll.as_secs()))
            }
            Watching::Off => ("off".to_owned(), "not watching, scanning with each refresh".to_owned()),
        };
        let mut polls = matches!(self.watching, Watching::Poll { .. });
        if self.watching == Watching::Events
            && let Some(because) = watch::unwatchable_below(&self.config().sync.directory)
        {
            polls = true;
            let line = format!("scanning every {} s too, because {because}", poll.as_secs());
            if self.told.insert(line.clone()) {
                log::info!("{line}");
            }
        }
        self.schedule.poll_at = polls.then(|| Instant::now() + poll);
        self.tracker.facts.watch = told;
        if self.told.insert(line.clone()) {
            log::info!("{line}");
        }
    }

    pub(super) fn watched(&mut self, message: Option<WatchMessage>) {
        let now = Instant::now();
        self.change_counter.fetch_add(1, Ordering::AcqRel);
        match message {
            Some(WatchMessage::Ready) => self.watch_ready = true,
            Some(WatchMessage::Dirty(folders)) => {
                for folder in folders {
                    self.debounce.record(folder, now);
                }
            }
            Some(WatchMessage::Rescan(why)) => {
                log::debug!("everything is scanned again: {why}");
                self.debounce.record_subtree(RelPath::root(), now);
                // A file system that tells nothing may have been mounted, or taken away.
                self.tell_watching();
            }
            Some(WatchMessage::Limit) => {
                log::warn!("{}", watch::limit_sentence(self.config().sync.poll_period));
                self.stop_watching(Watching::Poll {
                    because: "the limit of inotify watches is reached".to_owned(),
                });
            }
            Some(WatchMessage::RootGone) => {
                self.watcher = None;
                self.watch = never();
                self.watching = Watching::Off;
                self.tracker.facts.watch = "off until the folder is back".to_owned();
                self.watch_again = true;
                // The next look finds out, and waits for the folder to come back.
                self.schedule.here.over();
                self.scan_due = true;
            }
            Some(WatchMessage::Failed(why)) => {
                log::warn!("watching ended: {why}");
                self.stop_watching(Watching::Poll { because: why });
            }
            None => self.watch = never(),
        }
    }

    pub(super) fn stop_watching(&mut self, instead: Watching) {
        self.watcher = None;
        self.watch = never();
        self.watching = instead;
        self.scan_due = true;
        self.tell_watching();
    }
}
