//! A second look at the folders here, where a first one may have missed a move (`docs/sync.md` §3, P2).
//!
//! A scan reads one folder after the other. What is moved meanwhile from a folder that it has yet to read to one that it
//! has read is seen nowhere, and the other way round twice. Neither is a fact: before a deletion, or a second item, is
//! concluded from it, every folder that has changed since it was read is read again.

use std::collections::HashSet;

use super::local::{Scan, is_racy};
use crate::engine::ports::{Clock, Disk, DiskError};
use crate::engine::recognise::{LocalFate, Recognition};
use crate::engine::view::LocalView;
use crate::model::name::Name;
use crate::model::{
    BaseTree, FolderState, Identity, LocalEntry, LocalKind, LocalTree, Node, Presence, RelPath,
};

/// So many second looks are taken in a row. What is missing from all of them is missing: a drive in which something
/// changes all the time must not keep its deletions waiting for ever.
pub const MOST_LOOKS: usize = 3;

/// Whether a scan shows what a move during it would show: an identity of the base nowhere, or an identity at two places
/// of which one is new. (Hard links have one identity too, and look like that until both are in the base.)
pub fn may_have_missed_a_move(base: &BaseTree, local: &LocalTree, recognition: &Recognition) -> bool {
    let is_missed = |item: Node| {
        let entry = base.get(item);
        let has_identity = entry.local.stamp.identity != Identity::default();
        entry.presence != Presence::RemoteOnly
            && match recognition.of_base[item] {
                LocalFate::Deleted => true,
                LocalFate::There { node, .. } => {
                    has_identity && is_another(entry.local.stamp.identity, local.get(node).stamp.identity)
                }
                LocalFate::Agreed | LocalFate::Held | LocalFate::Missing | LocalFate::Unknown => false,
                LocalFate::Unmounted(_) => false,
            }
    };
    let is_missed = match &recognition.rest {
        // What rule 1 has found is where it was, with its identity.
        Some(rest) => rest.loose().base.iter().copied().any(is_missed),
        None => base.walk(Node::ROOT).skip(1).any(is_missed),
    };
    is_missed || shows_something_twice(local, recognition)
}

fn is_another(then: Identity, now: Identity) -> bool {
    then.inode != now.inode || then.birth.get().zip(now.birth.get()).is_some_and(|(then, now)| then != now)
}

fn shows_something_twice(local: &LocalTree, recognition: &Recognition) -> bool {
    let key = |entry: &LocalEntry| (entry.stamp.identity, entry.stamp.on_root_fs);
    // Where inode numbers say nothing no item has an identity, and none is seen twice by it.
    let is_item = |node: &Node| {
        let entry = local.get(*node);
        entry.kind != LocalKind::Special && entry.stamp.identity != Identity::default()
    };
    let is_new = |node: &Node| recognition.of_local[*node].is_none();
    let mut new = HashSet::new();
    let mut is_first = |node: Node| new.insert(key(local.get(node)));
    let all_differ = match &recognition.rest {
        Some(rest) => rest.loose().local.iter().copied().filter(is_item).filter(is_new).all(&mut is_first),
        None => local.walk(Node::ROOT).filter(is_item).filter(is_new).all(&mut is_first),
    };
    if !all_differ || new.is_empty() {
        return !all_differ;
    }
    let stands_elsewhere = |node: Node| !is_new(&node) && new.contains(&key(local.get(node)));
    match &recognition.rest {
        Some(rest) => {
            rest.with_inodes(local, new.iter().map(|(identity, _)| identity.inode)).any(stands_elsewhere)
        }
        None => local.walk(Node::ROOT).any(stands_elsewhere),
    }
}

/// Reads every folder again that has changed since it was read, that could not be read, or that was read so soon after a
/// change that another one may have left its stamp as it is; and what is new below them. Says whether anything has
/// changed: if not, what the view lacks is not there.
///
/// # Errors
///
/// When the root is not the right one, before or after, or cannot be read. The view is not to be used then.
pub fn recheck(
    disk: &dyn Disk,
    clock: &dyn Clock,
    view: &mut LocalView,
    may_skip: &dyn Fn(&RelPath) -> bool,
) -> Result<bool, DiskError> {
    disk.check_root()?;
    let mut scan = Scan { disk, clock, may_skip, view };
    let mut changed = false;
    let mut folders = vec![(Node::ROOT, RelPath::root())];
    while let Some((node, path)) = folders.pop() {
        changed |= scan.recheck_folder(node, &path)?;
        let tree = &scan.view.tree;
        let inside = tree.children(node).iter().copied().filter(|child| {
            let entry = tree.get(*child);
            entry.kind == LocalKind::Folder && entry.state != FolderState::Unread
        });
        folders.extend(inside.filter_map(|child| Some((child, path.join(tree.name(child)).ok()?))));
    }
    disk.check_root()?;
    Ok(changed)
}

impl Scan<'_> {
    /// Reads one folder of the view again if it may hold something else than the view says. Whether it does, or is
    /// another folder.
    fn recheck_folder(&mut self, node: Node, path: &RelPath) -> Result<bool, DiskError> {
        let known = self.view.tree.get(node);
        let (stamp, doubtful) = (known.stamp, known.racy || known.state != FolderState::Complete);
        let before = self.now();
        let found = match self.disk.look(path) {
            Ok(Some(found)) if found.kind == LocalKind::Folder && found.stamp.identity == stamp.identity => {
                found
            }
            // The folder that holds it has changed since it was read. Until that is read again nobody knows where this one is.
            Ok(_) | Err(DiskError::Folder { .. }) => {
                let gone = DiskError::Folder { path: path.clone() };
                if path.is_root() {
                    return Err(gone);
                }
                self.fail(node, path.clone(), &gone);
                return Ok(true);
            }
            Err(error @ DiskError::WrongRoot(_)) => return Err(error),
            Err(error) if path.is_root() => return Err(error),
            Err(error) => {
                self.fail(node, path.clone(), &error);
                return Ok(false);
            }
        };
        let is_as_read = (found.stamp.mtime, found.stamp.ctime) == (stamp.mtime, stamp.ctime);
        if is_as_read && !doubtful {
            return Ok(false);
        }
        let held = self.held(node);
        match self.read(path) {
            // A volume was mounted there in between, or taken away.
            Ok((reading, _)) if !path.is_root() && !reading.is_of(&found.stamp) => {
                self.fail(node, path.clone(), &DiskError::Folder { path: path.clone() });
                return Ok(true);
            }
            Ok((reading, times)) => {
                let racy = found.racy || is_racy(&found.stamp, (before, times.1));
                let entry = self.view.tree.get_mut(node);
                (entry.stamp, entry.racy) = (found.stamp, racy);
                let new = self.fill(node, path, reading, times);
                self.descend(new);
            }
            Err(error @ DiskError::WrongRoot(_)) => return Err(error),
            Err(error) if path.is_root() => return Err(error),
            Err(error) => self.fail(node, path.clone(), &error),
        }
        Ok(!is_as_read || held != self.held(node))
    }

    /// What a folder of the view holds, by name and identity.
    fn held(&self, node: Node) -> Vec<(Name, Identity)> {
        let tree = &self.view.tree;
        let entry = |child: &Node| (tree.name(*child).into(), tree.get(*child).stamp.identity);
        let mut held: Vec<(Name, Identity)> = tree.children(node).iter().map(entry).collect();
        held.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        held
    }
}
