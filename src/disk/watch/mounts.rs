//! What is mounted inside the drive: no event of a folder tells that.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, bounded, never};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::disk::mount_list::{LIST, below};

/// Tells when a file system is mounted inside the drive, or taken away. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct MountWatch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl MountWatch {
    /// Begins to watch, where the system has the list; else nothing is ever told, and the next scan finds it.
    pub(super) fn start(root: &Path) -> (Option<Self>, Receiver<()>) {
        match Self::try_start(root) {
            Ok((watch, changes)) => (Some(watch), changes),
            Err(error) => {
                log::debug!("mounts inside the drive are not watched: {error}");
                (None, never())
            }
        }
    }

    fn try_start(root: &Path) -> io::Result<(Self, Receiver<()>)> {
        let mut list = File::open(LIST)?;
        // The list names paths as they are, without links.
        let root = root.canonicalize()?;
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        // Room for one: however many changes there were, they lead to one full scan.
        let (out, changes) = bounded(1);
        let mut known = below(&root, &read(&mut list)?);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("icloudds-mounts".to_owned()).spawn(move || {
            while wait(&list, &stopped) {
                // What cannot be read now is read at the next change.
                let Ok(text) = read(&mut list) else { continue };
                let now = below(&root, &text);
                if now != known {
                    known = now;
                    // Full: it has been told, and nobody looked yet.
                    let _ = out.try_send(());
                }
            }
        })?;
        Ok((Self { stop, thread: Some(thread) }, changes))
    }
}

impl Drop for MountWatch {
    fn drop(&mut self) {
        // An eventfd takes 8 bytes at any time; a failure would leave the thread to the end of the process.
        if rustix::io::write(&*self.stop, &1u64.to_ne_bytes()).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

/// Waits for the list to change; `false` when it is time to end.
fn wait(list: &File, stop: &OwnedFd) -> bool {
    loop {
        let mut fds = [PollFd::new(list, PollFlags::PRI), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) if !fds[1].revents().is_empty() => return false,
            Ok(_) => return true,
        }
    }
}

fn read(list: &mut File) -> io::Result<String> {
    list.rewind()?;
    let mut bytes = Vec::new();
    list.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file system mounted inside `root` of whose changes the kernel does not tell, with the reason; the text completes "… because".
pub fn unwatchable_below(root: &Path) -> Option<String> {
    let text = read(&mut File::open(LIST).ok()?).ok()?;
    let mounts = below(&root.canonicalize().ok()?, &text);
    mounts.into_iter().find(|mount| is_told_by_others(&mount.kind)).map(|mount| {
        format!("{} is mounted as {}, which does not tell of every change", mount.at.display(), mount.kind)
    })
}

/// By the kinds that `watchability` tells by number.
fn is_told_by_others(kind: &str) -> bool {
    const KINDS: [&str; 19] = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "overlay", "virtiofs", "prl_fs", "ceph", "gfs2",
        "gpfs", "ocfs2", "afs", "lustre", "orangefs", "vboxsf", "vmhgfs", "fuseblk",
    ];
    KINDS.contains(&kind) || kind == "fuse" || kind.starts_with("fuse.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_others_change_are_polled() {
        for kind in ["nfs4", "cifs", "fuse.mergerfs", "fuse", "9p"] {
            assert!(is_told_by_others(kind), "{kind}");
        }
        for kind in ["ext4", "btrfs", "xfs", "tmpfs", "vfat"] {
            assert!(!is_told_by_others(kind), "{kind}");
        }
    }

    #[test]
    fn the_watch_ends_when_it_is_dropped() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let (watch, changes) = MountWatch::start(temp.path());
        assert!(watch.is_some() && changes.is_empty());
        drop(watch);
        assert!(changes.recv().is_err());
    }
}
