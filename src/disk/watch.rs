//! Watches the local drive: kernel events become "this folder is dirty", nothing more (`docs/sync.md` §7).
//!
//! An event never says what changed: the folder is read again and compared. So it does no harm when events are
//! merged, doubled or late; only losing one would, and every way to lose one ends in [`WatchMessage::Rescan`] or in the
//! watcher's end, which the loop answers with a full scan.
//!
//! Three threads: `icloudds-mounts` waits for what is mounted inside the drive; the one of `notify` sorts the kernel's events and never waits; `icloudds-watch` follows new folders,
//! collects what is dirty, and hands it over whenever the loop has room for it. Both sleep while nothing happens.

mod message;
mod mounts;
mod pending;
mod sort;
mod worker;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use notify::{ErrorKind, INotifyWatcher, RecursiveMode, Watcher as _};

use crate::config;
use crate::engine::ports::OpenCalls;

use mounts::MountWatch;
use pending::Pending;
use sort::{Raw, sort};
use worker::{Inputs, Worker};

pub use message::{WatchMessage, Written};
pub use mounts::unwatchable_below;

/// Room between the two threads. When it is full, the event is dropped, a second channel says so, and a full scan follows.
const RAW_ROOM: usize = 8192;

/// Room towards the loop. While it is full, what is dirty is merged on this side of it, so nothing is lost.
const OUT_ROOM: usize = 16;

/// How long whoever drops a watcher waits for its thread: the loop may be it, and waits for no disk that hangs.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// How many watches to suggest where the limit was reached.
const SUGGESTED_WATCHES: u64 = 524_288;

/// Why watching could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The system allows no more watches.
    #[error("the limit of inotify watches (fs.inotify.max_user_watches) is reached")]
    Limit,
    /// The system allows no more watchers.
    #[error("the limit of inotify instances (fs.inotify.max_user_instances) is reached")]
    Instances,
    /// The drive's folder cannot be watched.
    #[error("cannot watch {root}: {source}")]
    Root {
        /// The folder.
        root: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Threads or events could not be set up.
    #[error("cannot start watching: {0}")]
    Start(#[source] io::Error),
}

/// A running watcher. Dropping it ends the watch and joins its thread, unless that hangs in a look at the disk: it ends once the disk answers
/// then, and nobody hears of what it saw.
#[derive(Debug)]
pub struct Watcher {
    root: PathBuf,
    identity: (u64, u64),
    /// Never sent on: closing it is the signal. `None` only while dropping.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// Never sent on: closed when the thread is about to end.
    ended: Receiver<Infallible>,
    mounts: Option<MountWatch>,
    written: Arc<Written>,
}

impl Watcher {
    /// Watches `root` and every folder below it, except `.icloudds`; symbolic links are not followed. Messages come
    /// through the returned channel; after the three that end the watch it is closed. Each look at a folder is noted in `calls`.
    ///
    /// # Errors
    ///
    /// [`WatchError`] when the root itself cannot be watched.
    pub fn start(root: &Path, calls: Arc<OpenCalls>) -> Result<(Self, Receiver<WatchMessage>), WatchError> {
        let (raw_in, raw) = bounded(RAW_ROOM);
        // Room for one: however many events were dropped, they lead to one full scan.
        let (missed_in, missed) = bounded(1);
        let handler = Handler { root: root.to_owned(), raw: raw_in, missed: missed_in };
        let options = notify::Config::default().with_follow_symlinks(false);
        let mut watcher = INotifyWatcher::new(move |event| handler.handle(event), options)
            .map_err(|error| starting(error, root))?;
        watcher.watch(root, RecursiveMode::NonRecursive).map_err(|error| starting(error, root))?;
        let identity = std::fs::metadata(root)
            .map(|found| identity(&found))
            .map_err(|source| WatchError::Root { root: root.to_owned(), source })?;

        let (out, messages) = bounded(OUT_ROOM);
        let (stop, stopped) = bounded(0);
        let (alive, ended) = bounded(0);
        let worker = Worker {
            root: root.to_owned(),
            // Each folder by itself: a recursive watch of the crate's would give up at the first folder that
            // vanishes while it is walking, and would watch `.icloudds` too.
            add: Box::new(move |folder| watcher.watch(folder, RecursiveMode::NonRecursive)),
            pending: Pending::default(),
            calls,
        };
        let written = Arc::clone(&worker.pending.written);
        let (mount_watch, mounts) = MountWatch::start(root);
        let thread = std::thread::Builder::new()
            .name("icloudds-watch".to_owned())
            .spawn(move || {
                worker.run(&Inputs { raw, missed, mounts, stop: stopped }, &out);
                drop(alive);
            })
            .map_err(WatchError::Start)?;
        let watcher = Self {
            root: root.to_owned(),
            identity,
            stop: Some(stop),
            thread: Some(thread),
            ended,
            mounts: mount_watch,
            written,
        };
        Ok((watcher, messages))
    }

    /// The files that were closed after writing.
    pub fn written(&self) -> Arc<Written> {
        Arc::clone(&self.written)
    }

    /// Whether the drive's path still leads to the folder that is watched: one `stat`. Events do not tell when a file
    /// system is mounted over it or taken away from under it, so the loop asks once in a while.
    pub fn sees_the_root(&self) -> bool {
        std::fs::metadata(&self.root).is_ok_and(|found| identity(&found) == self.identity)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.mounts.take());
        let is_over = self.ended.recv_timeout(END_PATIENCE) == Err(RecvTimeoutError::Disconnected);
        if is_over && let Some(thread) = self.thread.take() {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

fn identity(folder: &Metadata) -> (u64, u64) {
    (folder.dev(), folder.ino())
}

fn starting(error: notify::Error, root: &Path) -> WatchError {
    let source = match error.kind {
        ErrorKind::MaxFilesWatch => return WatchError::Limit,
        ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        // EMFILE is 24 on every Linux.
        ErrorKind::Io(error) if error.raw_os_error() == Some(24) => return WatchError::Instances,
        ErrorKind::Io(error) => error,
        other => io::Error::other(notify::Error::new(other)),
    };
    WatchError::Root { root: root.to_owned(), source }
}

/// The end of the kernel's events on the thread of `notify`.
struct Handler {
    root: PathBuf,
    raw: Sender<Raw>,
    missed: Sender<()>,
}

impl Handler {
    /// Passes an event on if it matters. Never waits: the kernel's own queue would run over meanwhile.
    fn handle(&self, event: notify::Result<notify::Event>) {
        let Some(raw) = sort(&self.root, event) else { return };
        if let Err(TrySendError::Full(_)) = self.raw.try_send(raw) {
            // When this has no room either, the worker is about to hear of it anyway.
            let _ = self.missed.try_send(());
        }
    }
}

/// How local changes are noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watching {
    /// By events.
    Events,
    /// By a scan every `poll_period`; the text completes "polled because …".
    Poll {
        /// Why.
        because: String,
    },
    /// By full passes only.
    Off,
}

/// Decides by `sync.watch` and, for `auto`, by what `probe` says of the drive's file system: `None` where events can be
/// relied on, else the reason why not.
pub fn decide(setting: config::Watch, probe: impl FnOnce() -> io::Result<Option<&'static str>>) -> Watching {
    match setting {
        config::Watch::Off => Watching::Off,
        config::Watch::Poll => Watching::Poll { because: "sync.watch is \"poll\"".to_owned() },
        config::Watch::Auto => match probe() {
            Ok(None) => Watching::Events,
            Ok(Some(reason)) => Watching::Poll { because: reason.to_owned() },
            Err(error) => {
                Watching::Poll { because: format!("its file system cannot be told ({})", error.kind()) }
            }
        },
    }
}

/// The sentence to say once when the limit of watches is reached.
pub fn limit_sentence(poll_period: Duration) -> String {
    let current = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches").ok();
    let current = current.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    format!(
        "the system's limit of watched folders is reached; local changes are looked for every {} s instead until it is \
         raised with `sysctl fs.inotify.max_user_watches={}` and the program is started again",
        poll_period.as_secs(),
        SUGGESTED_WATCHES.max(current.saturating_mul(2)),
    )
}
