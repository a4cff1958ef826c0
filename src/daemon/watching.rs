//! How the loop notices local changes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, never};

use super::facts::WatchIs;
use crate::config;
use crate::disk::watch::{self, WatchMessage, Watcher, Watching, Written};
use crate::disk::{Watch, watchability};
use crate::engine::ports::OpenCalls;

/// What is told of the watch.
pub(super) struct WatchTold {
    /// For the status.
    pub word: String,
    /// Lines for the log, each said once.
    pub lines: Vec<String>,
    /// Whether the folder is scanned now and then, because not all of it can be watched.
    pub polls: bool,
}

/// The watch over the local root.
pub(super) struct LocalWatch {
    watcher: Option<Watcher>,
    messages: Receiver<WatchMessage>,
    watching: Watching,
    /// Every folder is watched: a scan that begins now misses nothing.
    is_ready: bool,
    /// It ended because the root moved; it begins anew once a pass finds the right folder in its place.
    begins_again: bool,
    /// Counts what the watcher told.
    change_counter: Arc<AtomicU64>,
}

impl LocalWatch {
    /// Nothing is watched.
    pub fn off() -> Self {
        Self {
            watcher: None,
            messages: never(),
            watching: Watching::Off,
            is_ready: false,
            begins_again: false,
            change_counter: Arc::default(),
        }
    }

    /// Watches `root` as `setting` wants it, and notes looks at it in `calls`.
    pub fn start(&mut self, root: &Path, setting: config::Watch, calls: &Arc<OpenCalls>) {
        self.watching = watch::decide(setting, || {
            Ok(match watchability(root)? {
                Watch::Native => None,
                Watch::PollBecause(reason) => Some(reason),
            })
        });
        if self.watching == Watching::Events {
            match Watcher::start(root, Arc::clone(calls)) {
                Ok((watcher, messages)) => {
                    self.watcher = Some(watcher);
                    self.is_ready = false;
                    self.messages = messages;
                }
                Err(error) => self.watching = Watching::Poll { because: error.to_string() },
            }
        }
    }

    /// Ends it; `instead` is how changes are noticed from now on.
    pub fn stop(&mut self, instead: Watching) {
        self.let_go();
        self.watching = instead;
    }

    /// The folder that is watched is not the right one any more.
    pub fn root_gone(&mut self) {
        self.stop(Watching::Off);
        self.begins_again = true;
    }

    /// Ends it until the local root is opened anew.
    pub fn forget(&mut self) {
        self.let_go();
        self.begins_again = false;
    }

    /// Ends the watcher, whatever is said of how changes are noticed.
    fn let_go(&mut self) {
        self.watcher = None;
        self.messages = never();
    }

    /// The watcher told something: what a look that is under way sees may be of two moments.
    pub fn counts_change(&self) {
        self.change_counter.fetch_add(1, Ordering::AcqRel);
    }

    /// Every folder is watched now.
    pub fn is_complete(&mut self) {
        self.is_ready = true;
    }

    /// No more messages come.
    pub fn is_silent(&mut self) {
        self.messages = never();
    }

    /// Whether it has to begin anew, which is asked once.
    pub fn takes_new_beginning(&mut self) -> bool {
        std::mem::take(&mut self.begins_again)
    }

    /// Where messages come from.
    pub fn messages(&self) -> &Receiver<WatchMessage> {
        &self.messages
    }

    /// Counts what the watcher told; while it stands still during a look, the look is of one moment.
    pub fn change_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.change_counter)
    }

    /// The files that the watcher saw closed after writing.
    pub fn written(&self) -> Option<Arc<Written>> {
        self.watcher.as_ref().map(Watcher::written)
    }

    /// Whether there is a watcher.
    pub fn has_watcher(&self) -> bool {
        self.watcher.is_some()
    }

    /// Whether a watcher looks at another folder than the root's path leads to: events do not tell when a volume is mounted over the
    /// folder, or taken away from under it.
    pub fn misses_the_root(&self) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| !watcher.sees_the_root())
    }

    /// How far it is.
    pub fn state(&self) -> WatchIs {
        match (&self.watcher, &self.watching) {
            (Some(_), _) if !self.is_ready => WatchIs::Starting,
            (_, Watching::Off) => WatchIs::Off,
            (_, Watching::Poll { .. }) => WatchIs::Polling,
            (_, Watching::Events) => WatchIs::Ready,
        }
    }

    /// What is told of it; `poll_period` is that of the configuration.
    pub fn told(&self, root: &Path, poll_period: Duration) -> WatchTold {
        let poll = poll_period.as_secs();
        let (word, line) = match &self.watching {
            Watching::Events => ("events".to_owned(), "watching by events".to_owned()),
            Watching::Poll { because } => {
                (format!("poll: {because}"), format!("scanning every {poll} s because {because}"))
            }
            Watching::Off => ("off".to_owned(), "not watching, scanning with each refresh".to_owned()),
        };
        let mut lines = Vec::new();
        let mut polls = matches!(self.watching, Watching::Poll { .. });
        if self.watching == Watching::Events
            && let Some(because) = watch::unwatchable_below(root)
        {
            polls = true;
            lines.push(format!("scanning every {poll} s too, because {because}"));
        }
        lines.push(line);
        WatchTold { word, lines, polls }
    }
}
