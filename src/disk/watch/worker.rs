//! The thread that follows new folders and hands over what is dirty.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam::channel::{Receiver, Select, Sender, TryRecvError};

use super::message::WatchMessage;
use super::pending::Pending;
use super::sort::Raw;
use crate::engine::ports::OpenCalls;
use crate::model::RelPath;
use crate::model::name::PRIVATE_FOLDER;

const EVENTS_ENDED: &str = "the kernel's events ended";

/// Adds the watch of one folder.
pub(super) type Add = Box<dyn FnMut(&Path) -> notify::Result<()> + Send>;

/// Why the thread ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The watcher was dropped, or nobody listens.
    Stopped,
    /// To be told.
    Tell(WatchMessage),
}

/// Whether what is found while folders are added may have come before their watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A scan follows anyway.
    AtStart,
    /// It may, so each of them is dirty.
    Later,
}

/// What the thread listens to.
pub(super) struct Inputs {
    /// Events, sorted.
    pub(super) raw: Receiver<Raw>,
    /// Events were dropped because `raw` was full.
    pub(super) missed: Receiver<()>,
    /// A file system was mounted inside the drive, or taken away.
    pub(super) mounts: Receiver<()>,
    /// Closed when the thread is to end.
    pub(super) stop: Receiver<Infallible>,
}

/// The thread's own.
pub(super) struct Worker {
    pub(super) root: PathBuf,
    pub(super) add: Add,
    pub(super) pending: Pending,
    /// Where looks at folders are noted.
    pub(super) calls: Arc<OpenCalls>,
}

impl Worker {
    /// Runs until the watch ends or `stop` is closed.
    pub(super) fn run(mut self, inputs: &Inputs, out: &Sender<WatchMessage>) {
        let root = self.root.clone();
        let result = self.adopt(&root, Found::AtStart, &inputs.stop).and_then(|()| {
            self.pending.event(WatchMessage::Ready);
            self.serve(inputs, out)
        });
        let Err(End::Tell(last)) = result else { return };
        // What was dirty before the end is covered by the full scan that follows it.
        crossbeam::channel::select! {
            send(out, last) -> _ => {}
            recv(inputs.stop) -> _ => {}
        }
    }

    fn serve(&mut self, inputs: &Inputs, out: &Sender<WatchMessage>) -> Result<(), End> {
        let Inputs { raw, missed, mounts, stop } = inputs;
        loop {
            let mut select = Select::new();
            let from_kernel = select.recv(raw);
            let dropped = select.recv(missed);
            let from_owner = select.recv(stop);
            let mounted = select.recv(mounts);
            if !self.pending.is_empty() {
                select.send(out);
            }
            let ready = select.select();
            match ready.index() {
                index if index == from_kernel => {
                    let event = ready.recv(raw);
                    let event =
                        event.map_err(|_| End::Tell(WatchMessage::Failed(EVENTS_ENDED.to_owned())))?;
                    self.take(event, stop)?;
                }
                index if index == dropped => {
                    // Closed together with `raw`, which says how to end.
                    if ready.recv(missed).is_ok() {
                        self.pending.rescan("events came faster than they could be taken");
                    } else if raw.is_empty() {
                        return Err(End::Tell(WatchMessage::Failed(EVENTS_ENDED.to_owned())));
                    }
                }
                index if index == from_owner => {
                    // Nothing can be sent on it, so it is closed.
                    let _ = ready.recv(stop);
                    return Err(End::Stopped);
                }
                index if index == mounted => {
                    if ready.recv(mounts).is_err() {
                        return Err(End::Stopped);
                    }
                    let root = self.root.clone();
                    self.adopt(&root, Found::AtStart, stop)?;
                    self.pending.rescan("a file system was mounted in the drive, or taken away");
                }
                _ => {
                    let message = self.pending.next().expect("a send is offered only when something waits");
                    ready.send(out, message).map_err(|_| End::Stopped)?;
                }
            }
        }
    }

    pub(super) fn take(&mut self, event: Raw, stop: &Receiver<Infallible>) -> Result<(), End> {
        match event {
            Raw::Touched(path) => self.dirty_around(&path),
            Raw::Written(path) => {
                if let Some(file) = self.relative(&path) {
                    self.pending.written.add(file);
                }
                self.dirty_around(&path);
            }
            Raw::Appeared(path) => {
                self.dirty_around(&path);
                self.adopt_if_folder(&path, stop)?;
            }
            Raw::Attributes(path) => {
                self.dirty_around(&path);
                // A folder that could not be read before may be watched now.
                self.adopt_if_folder(&path, stop)?;
            }
            Raw::Overflow => self.pending.rescan("the kernel's queue of events ran over"),
            Raw::RootGone => return Err(End::Tell(WatchMessage::RootGone)),
            Raw::Limit => return Err(End::Tell(WatchMessage::Limit)),
            Raw::Failed(why) => return Err(End::Tell(WatchMessage::Failed(why))),
        }
        Ok(())
    }

    /// Marks the folder that holds `path`; for the root, itself.
    fn dirty_around(&mut self, path: &Path) {
        let folder = if path == self.root { Some(path) } else { path.parent() };
        if let Some(folder) = folder.and_then(|folder| self.relative(folder)) {
            self.pending.dirty(folder);
        }
    }

    /// The path below the root; `None` for what no [`RelPath`] can hold, which takes no part either.
    fn relative(&self, path: &Path) -> Option<RelPath> {
        let below = path.strip_prefix(&self.root).ok()?;
        RelPath::parse(below.to_str()?).ok()
    }

    fn adopt_if_folder(&mut self, path: &Path, stop: &Receiver<Infallible>) -> Result<(), End> {
        // Not followed: a link to a folder is no folder.
        if path != self.root && std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            self.adopt(path, Found::Later, stop)?;
        }
        Ok(())
    }

    /// Watches `top` and every folder below it, each before it is read, so that what comes into it in between is seen
    /// one way or the other.
    fn adopt(&mut self, top: &Path, found: Found, stop: &Receiver<Infallible>) -> Result<(), End> {
        let mut waiting = vec![top.to_owned()];
        while let Some(folder) = waiting.pop() {
            if matches!(stop.try_recv(), Err(TryRecvError::Disconnected)) {
                return Err(End::Stopped);
            }
            let Some(relative) = self.relative(&folder) else { continue };
            if relative.name() == PRIVATE_FOLDER {
                continue;
            }
            let calls = Arc::clone(&self.calls);
            let _noted = calls.begins("watch", &relative);
            if !self.watch(&folder)? {
                continue;
            }
            if found == Found::Later {
                self.pending.dirty(relative);
            }
            // What cannot be read is reported by the scan; what vanished is told by the folder that held it.
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            waiting.extend(folders.map(|entry| entry.path()));
        }
        Ok(())
    }

    /// Adds one watch; `false` when the folder is gone or may not be read.
    fn watch(&mut self, folder: &Path) -> Result<bool, End> {
        let Err(error) = (self.add)(folder) else { return Ok(true) };
        match &error.kind {
            notify::ErrorKind::MaxFilesWatch => Err(End::Tell(WatchMessage::Limit)),
            notify::ErrorKind::PathNotFound => Ok(false),
            notify::ErrorKind::Io(cause) => match cause.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
                io::ErrorKind::PermissionDenied => {
                    log::debug!("a folder that may not be read is not watched: {}", folder.display());
                    Ok(false)
                }
                _ => Err(End::Tell(WatchMessage::Failed(error.to_string()))),
            },
            _ => Err(End::Tell(WatchMessage::Failed(error.to_string()))),
        }
    }
}
