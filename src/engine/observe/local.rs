//! Scans the local drive into a tree (`docs/sync.md` §2 Local, §3).

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::ports::{Clock, Disk, DiskError, FolderReading};
use crate::engine::view::LocalView;
use crate::model::name::PRIVATE_FOLDER;
use crate::model::{
    FolderState, LocalEntry, LocalKind, LocalStamp, LocalTree, Node, Rare, RelPath, SeenAt, Signature, Tree,
};

/// Scans the whole drive. `may_skip` tells folders that are ignored with all they can hold: those stay unread.
///
/// A folder that cannot be read is `Incomplete` and in `failed`; the rest is scanned all the same.
///
/// # Errors
///
/// When the root is not the right one, before or after, or cannot be read.
pub fn observe_local(
    disk: &dyn Disk,
    clock: &dyn Clock,
    may_skip: &dyn Fn(&RelPath) -> bool,
) -> Result<LocalView, DiskError> {
    let mounts = disk.mounts();
    disk.check_root()?;
    let root = RelPath::root();
    let entry = disk.look(&root)?.ok_or_else(|| DiskError::Folder { path: root.clone() })?;
    let mut view = LocalView {
        tree: Tree::new(entry),
        unnameable: Vec::new(),
        failed: Vec::new(),
        unread: Vec::new(),
        too_deep: Vec::new(),
        mounts,
    };
    let mut scan = Scan { disk, clock, may_skip, view: &mut view };
    let (reading, times) = scan.read(&root)?;
    let folders = scan.fill(Node::ROOT, &root, reading, times);
    scan.descend(folders);
    disk.check_root()?;
    Ok(view)
}

/// Reads some folders again, and what is new below them, into a view that was scanned before. Of a file whose stamp is
/// unchanged, and was not racy, the signature stays.
///
/// A folder that is not there any more, or not known yet, is looked for from its nearest known ancestor.
///
/// # Errors
///
/// As [`observe_local`].
pub fn rescan(
    disk: &dyn Disk,
    clock: &dyn Clock,
    view: &mut LocalView,
    folders: &[RelPath],
    may_skip: &dyn Fn(&RelPath) -> bool,
) -> Result<(), DiskError> {
    disk.check_root()?;
    let mut scan = Scan { disk, clock, may_skip, view };
    let mut waiting: BTreeSet<RelPath> =
        folders.iter().map(|folder| scan.nearest_known(folder.clone())).collect();
    while let Some(folder) = waiting.pop_first() {
        // An earlier one may have removed or replaced it.
        let known = scan.nearest_known(folder.clone());
        if known != folder {
            waiting.insert(known);
            continue;
        }
        let Some(node) = scan.view.tree.find(&folder) else { continue };
        if folder.is_too_deep() || !folder.is_root() && may_skip(&folder) {
            continue;
        }
        match scan.read(&folder) {
            // Another folder, or another volume, is there now. What it does not hold is not missing, and only the folder
            // above shows what it is.
            Ok((reading, _)) if !folder.is_root() && !scan.is_the_one(node, &folder, &reading) => {
                waiting.insert(folder.parent().unwrap_or_default());
            }
            Ok((reading, times)) => {
                let new = scan.fill(node, &folder, reading, times);
                scan.descend(new);
            }
            Err(error) if folder.is_root() => return Err(error),
            Err(error @ DiskError::WrongRoot(_)) => return Err(error),
            // It is no folder any more, so the one that holds it has changed.
            Err(DiskError::Folder { .. }) if scan.is_no_folder(&folder) => {
                scan.forget(node);
                waiting.insert(folder.parent().unwrap_or_default());
            }
            Err(error) => scan.fail(node, folder, &error),
        }
    }
    disk.check_root()
}

/// Before and after a folder was read.
pub(super) type Times = (SeenAt, SeenAt);

pub(super) struct Scan<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) clock: &'a dyn Clock,
    pub(super) may_skip: &'a dyn Fn(&RelPath) -> bool,
    pub(super) view: &'a mut LocalView,
}

pub(super) fn is_racy(stamp: &LocalStamp, (before, after): Times) -> bool {
    stamp.is_racy(&before)
        || stamp.is_racy(&after)
        // The clock may have been set meanwhile.
        || before.spans(&after, stamp.mtime)
        || before.spans(&after, stamp.ctime)
}

impl Scan<'_> {
    pub(super) fn read(&self, folder: &RelPath) -> Result<(FolderReading, Times), DiskError> {
        let before = self.now();
        let reading = self.disk.read_folder(folder)?;
        Ok((reading, (before, self.now())))
    }

    pub(super) fn now(&self) -> SeenAt {
        SeenAt::now(self.clock, self.disk.skews())
    }

    /// The folder itself when the tree has it as one, else the nearest folder above it that it has.
    fn nearest_known(&self, mut folder: RelPath) -> RelPath {
        loop {
            let known = self.view.tree.find(&folder);
            match folder.parent() {
                Some(parent)
                    if known.is_none_or(|node| self.view.tree.get(node).kind != LocalKind::Folder) =>
                {
                    folder = parent;
                }
                _ => return folder,
            }
        }
    }

    /// Whether a second look confirms that no folder has this path now.
    fn is_no_folder(&self, folder: &RelPath) -> bool {
        match self.disk.look(folder) {
            Ok(found) => found.is_none_or(|entry| entry.kind != LocalKind::Folder),
            Err(DiskError::Folder { .. }) => true,
            Err(_) => false,
        }
    }

    /// Whether the folder at this path was, when it was read, and is still the one that the tree has there, on the same volume.
    fn is_the_one(&self, node: Node, folder: &RelPath, reading: &FolderReading) -> bool {
        let known = &self.view.tree.get(node).stamp;
        let found = self.disk.look(folder);
        reading.is_of(known)
            && found.is_ok_and(|found| {
                found.is_some_and(|found| {
                    found.kind == LocalKind::Folder
                        && found.stamp.identity == known.identity
                        && (found.stamp.on_root_fs, found.stamp.is_mount)
                            == (known.on_root_fs, known.is_mount)
                })
            })
    }

    /// Takes a reading of a folder into the tree. Says which folders in it are to be read.
    pub(super) fn fill(
        &mut self,
        folder: Node,
        path: &RelPath,
        reading: FolderReading,
        times: Times,
    ) -> Vec<(Node, RelPath)> {
        // A child that could not be looked at, or read, is looked at again now.
        self.view.failed.retain(|(at, _)| at != path && at.parent().as_ref() != Some(path));
        self.view.unnameable.retain(|(at, _)| at != path);
        let own = self.view.tree.get_mut(folder);
        own.state = if reading.unseen.is_empty() { FolderState::Complete } else { FolderState::Incomplete };
        own.holds_unnameable = !reading.unnameable.is_empty();
        self.view.unnameable.extend(reading.unnameable.into_iter().map(|name| (path.clone(), name)));
        let unseen = reading.unseen.into_iter();
        self.view.failed.extend(unseen.filter_map(|(name, why)| Some((path.join(&name).ok()?, why))));

        let tree = &self.view.tree;
        let gone: Vec<Node> = tree
            .children(folder)
            .iter()
            .copied()
            .filter(|child| {
                reading.entries.binary_search_by(|(name, _)| (**name).cmp(tree.name(*child))).is_err()
            })
            .collect();
        for node in gone {
            self.forget(node);
        }
        let mut folders = Vec::new();
        for (name, entry) in reading.entries {
            // A name that no path can hold never comes from a disk; ours is never shown.
            let Ok(inner) = path.join(&name) else { continue };
            if &*name == PRIVATE_FOLDER {
                continue;
            }
            if let Some(node) = self.take(folder, &name, entry, times)
                && !(self.may_skip)(&inner)
            {
                folders.push((node, inner));
            }
        }
        folders
    }

    /// Takes one item into the tree; says where when it is a folder that has to be read.
    fn take(&mut self, folder: Node, name: &str, mut entry: LocalEntry, times: Times) -> Option<Node> {
        entry.racy |= is_racy(&entry.stamp, times);
        if let Some(node) = self.view.tree.child(folder, name) {
            let old = self.view.tree.get(node);
            let same_item = old.kind == entry.kind && old.stamp.identity == entry.stamp.identity;
            if entry.kind == LocalKind::Folder {
                let volume = |stamp: &LocalStamp| (stamp.on_root_fs, stamp.is_mount);
                if same_item && volume(&old.stamp) == volume(&entry.stamp) {
                    entry.state = old.state;
                    entry.holds_unnameable = old.holds_unnameable;
                    // Its times stay those from before it was read: by them a second look knows whether it has changed since.
                    (entry.stamp.mtime, entry.stamp.ctime) = (old.stamp.mtime, old.stamp.ctime);
                    entry.racy = old.racy;
                    let unknown = entry.state != FolderState::Complete;
                    *self.view.tree.get_mut(node) = entry;
                    return unknown.then_some(node);
                }
                self.forget(node);
            } else if same_item {
                if old.stamp == entry.stamp && !old.racy {
                    entry.signature = old.signature.clone();
                }
                *self.view.tree.get_mut(node) = entry;
                return None;
            } else {
                self.forget(node);
            }
        }
        let is_folder = entry.kind == LocalKind::Folder;
        let node = self.view.tree.insert(folder, name, entry);
        is_folder.then_some(node)
    }

    /// Reads these folders and all below them.
    pub(super) fn descend(&mut self, mut folders: Vec<(Node, RelPath)>) {
        while let Some((node, path)) = folders.pop() {
            if path.is_too_deep() {
                self.view.tree.get_mut(node).state = FolderState::Incomplete;
                self.view.too_deep.retain(|at| *at != path);
                self.view.too_deep.push(path);
                continue;
            }
            match self.read(&path) {
                // A volume was mounted there since its folder was read, or taken away: what it lacks is not missing.
                Ok((reading, _)) if !reading.is_of(&self.view.tree.get(node).stamp) => {
                    self.fail(node, path.clone(), &DiskError::Folder { path });
                }
                Ok((reading, times)) => folders.extend(self.fill(node, &path, reading, times)),
                // Removed since its folder was read: the second look says so.
                Err(DiskError::Folder { .. }) if matches!(self.disk.look(&path), Ok(None)) => {
                    self.forget(node);
                }
                Err(error) => self.fail(node, path, &error),
            }
        }
    }

    /// Nothing is known of what the folder holds now; that something is missing proves nothing.
    pub(super) fn fail(&mut self, node: Node, path: RelPath, error: &DiskError) {
        for child in self.view.tree.children(node).to_vec() {
            self.forget(child);
        }
        self.view.tree.get_mut(node).state = FolderState::Incomplete;
        self.view.failed.retain(|(at, _)| *at != path);
        self.view.failed.push((path, format!("cannot read this folder: {error}")));
    }

    /// Takes an item with all below it out of the view.
    fn forget(&mut self, node: Node) {
        let path = self.view.tree.path(node);
        self.view.tree.remove(node);
        self.view.failed.retain(|(at, _)| !at.is_within(&path));
        self.view.too_deep.retain(|at| !at.is_within(&path));
        self.view.unnameable.retain(|(at, _)| !at.is_within(&path));
    }
}

/// Forgets the signatures of files that were read so soon after a change that another one could have left the stamp as it
/// is, where enough time has passed since: what is read now is right for as long as the stamp stays. Looks at these nodes, or
/// at all.
pub fn doubt(tree: &mut LocalTree, now: SeenAt, among: Option<&[Node]>) {
    let is_settled = |node: &Node| {
        let entry = tree.get(*node);
        may_be_doubted(entry) && !is_racy(&entry.stamp, (now, now))
    };
    let settled: Vec<Node> = match among {
        Some(nodes) => nodes.iter().copied().filter(is_settled).collect(),
        None => tree.walk(Node::ROOT).filter(is_settled).collect(),
    };
    for node in settled {
        tree.get_mut(node).signature = Rare::NONE;
    }
}

/// Whether a file was read so soon after a change that its signature has to be doubted later.
pub fn may_be_doubted(entry: &LocalEntry) -> bool {
    entry.racy && entry.signature.get().is_some()
}

/// Reads files and enters the signatures of their contents, `workers` at a time, and whether their stamps can be trusted
/// alone now. A file that changes meanwhile, or is no file any more, stays without one. Says which could not be read for
/// another reason.
pub fn signatures(
    disk: &dyn Disk,
    clock: &dyn Clock,
    tree: &mut LocalTree,
    wanted: &[Node],
    workers: usize,
) -> Vec<(Node, DiskError)> {
    let jobs: Vec<(Node, RelPath, LocalStamp)> = wanted
        .iter()
        .copied()
        .filter(|node| tree.get(*node).kind == LocalKind::File)
        .map(|node| (node, tree.path(node), tree.get(node).stamp))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((node, path, stamp)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let read_at = SeenAt::now(clock, disk.skews());
            let result = signature(disk, path, stamp);
            done.push((*node, result.map(|signature| (signature, is_racy(stamp, (read_at, read_at))))));
        }
        done
    };
    let results = std::thread::scope(|scope| {
        let others = crate::engine::threads::helpers(scope, workers.min(jobs.len()).saturating_sub(1), work);
        let mut results = work();
        for other in others {
            results.extend(other.join().expect("reading a file does not panic"));
        }
        results
    });
    let mut failed = Vec::new();
    for (node, result) in results {
        match result {
            Ok((signature, racy)) => {
                let entry = tree.get_mut(node);
                (entry.signature, entry.racy) = (Some(signature).into(), racy);
            }
            Err(DiskError::Changed { .. } | DiskError::Folder { .. }) => {
                tree.get_mut(node).signature = Rare::NONE;
            }
            Err(error) => failed.push((node, error)),
        }
    }
    failed.sort_unstable_by_key(|(node, _)| *node);
    failed
}

/// The signature of the planned content of one file.
///
/// # Errors
///
/// [`DiskError::Changed`] when it is, or becomes, another one.
pub fn signature(disk: &dyn Disk, path: &RelPath, stamp: &LocalStamp) -> Result<Signature, DiskError> {
    let mut source = disk.open(path, stamp)?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return source.finish(),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(DiskError::Io { what: "read", path: path.clone(), source }),
        }
    }
}
