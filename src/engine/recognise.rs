//! Finds each item of the base on the disk again: at its place, moved, edited or deleted
//! (`docs/sync.md` §3).
//!
//! Pure. A file whose content has to be compared before anybody can say is listed in
//! [`Recognition::unsigned`]; once its signature is in the tree, recognising again decides. That goes by what differs
//! between the trees then and now, see `again`.

mod again;
mod backup;
mod holders;
mod mounted;
mod rest;
mod unmounted;

use std::collections::HashMap;

use crate::model::{
    Agreed, BaseTree, FolderState, Identity, LocalEntry, LocalKind, LocalStamp, LocalTree, Node, NodeMap,
    Presence,
};
pub use again::{Changes, Recognised};
pub use backup::is_backup_of;
pub use mounted::is_mounted_since;
use rest::Places;
pub use rest::{Rest, most_loose};

/// What became of an item of the base here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalFate {
    /// It is there, perhaps at another place.
    There {
        /// Where.
        node: Node,
        /// What became of its content; folders are `Same`.
        content: Content,
    },
    /// It is gone, and its folder was read without error on the file system it was on.
    Deleted,
    /// It was agreed to be absent here ([`Presence::RemoteOnly`]).
    Agreed,
    /// What is never synced (a link, socket, device or FIFO) has its name, or that of a folder above it: nobody can say
    /// whether it was deleted, as long as that stays so.
    Held,
    /// Nothing has its path, nor that of a folder above it, in a folder that was read whole, but the volume it was on is not there
    /// either: nobody can say whether it was deleted, unless iCloud has lost it too.
    Missing,
    /// A mount point without its volume, or with another one: nothing in the folder at its path is what the base knows there.
    Unmounted(Node),
    /// Nobody can say.
    Unknown,
}

/// What became of the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The agreed one.
    Same,
    /// The agreed one, with another stamp.
    Touched,
    /// Another one.
    Edited,
    /// It must be read before anybody can say.
    Unread,
    /// Empty with its old time: the trace of a power cut, no edit.
    PowerCut,
}

/// The base, found on the disk.
#[derive(Clone, Debug)]
pub struct Recognition {
    /// For each node of the base.
    pub of_base: NodeMap<LocalFate>,
    /// For each local node, the node of the base that it is; `None`: new, or not to be synced.
    pub of_local: NodeMap<Option<Node>>,
    /// Local files whose content must be read first.
    pub unsigned: Vec<Node>,
    /// Items whose file was moved over another item's, and counts as that one's since then.
    pub moved_over: Vec<Node>,
    /// What recognising again starts from; `None` where everything is recognised anew.
    pub rest: Option<Rest>,
}

/// Finds each item of `base` in `local`.
pub fn recognise(base: &BaseTree, local: &LocalTree) -> Recognition {
    let mut finder = Finder {
        base,
        local,
        at: NodeMap::new(base, None),
        of_local: NodeMap::new(local, None),
        is_complete: true,
        moved_over: Vec::new(),
        loose: None,
        log: None,
    };
    finder.claim(Node::ROOT, Node::ROOT);
    finder.match_in_place(Node::ROOT, Node::ROOT);
    let mut loose = finder.look_over();
    if base.walk(Node::ROOT).any(|item| finder.is_sought(item)) {
        finder.match_moved(base.walk(Node::ROOT), local.walk(Node::ROOT));
        finder.match_replaced(base.walk(Node::ROOT));
        // What is nowhere in an incomplete look may be where nobody could look: then nothing was moved over it.
        while finder.is_complete && finder.match_moved_over(base.walk(Node::ROOT)) {
            // Who lost its find to the item it was moved over may have been written anew at its old place.
            finder.match_replaced(base.walk(Node::ROOT));
        }
    }
    let mut of_base = NodeMap::new(base, LocalFate::Unknown);
    let mut unsigned = Vec::new();
    for item in base.walk(Node::ROOT) {
        of_base[item] = finder.fate(item, &of_base, &mut unsigned);
    }
    loose = loose.filter(|_| unsigned.len() <= most_loose(base));
    let Finder { at, of_local, moved_over, .. } = finder;
    let rest = loose.map(|loose| Rest::new(local, at, loose));
    Recognition { of_base, of_local, unsigned, moved_over, rest }
}

struct Finder<'a> {
    base: &'a BaseTree,
    local: &'a LocalTree,
    at: NodeMap<Option<Node>>,
    of_local: NodeMap<Option<Node>>,
    /// Whether every folder could be read.
    is_complete: bool,
    /// Who gave its find up to the item that it was moved over.
    moved_over: Vec<Node>,
    /// While rule 1 is followed again: what it does not find.
    loose: Option<Places>,
    /// While recognising again: the items and the local nodes of which something was said.
    log: Option<Places>,
}

impl Finder<'_> {
    fn claim(&mut self, item: Node, node: Node) {
        self.at[item] = Some(node);
        self.of_local[node] = Some(item);
        if let Some(loose) = &mut self.loose {
            loose.base.remove(&item);
            loose.local.remove(&node);
        }
        self.say(item, node);
    }

    fn is_sought(&self, item: Node) -> bool {
        self.at[item].is_none() && self.base.get(item).presence != Presence::RemoteOnly
    }

    /// Rule 1: its path holds its identity. Goes down from a folder that is found.
    fn match_in_place(&mut self, folder: Node, at: Node) {
        let mut folders = vec![(folder, at)];
        while let Some((folder, at)) = folders.pop() {
            for (item, node) in self.of_one_name(folder, at) {
                let is_free = self.is_sought(item) && self.of_local[node].is_none();
                if is_free && self.is_at_its_place(item, node) {
                    self.claim(item, node);
                    if self.base.get(item).folder {
                        folders.push((item, node));
                    }
                }
            }
        }
    }

    /// Items of a folder of the base, each with what bears its name in the folder `at`.
    fn of_one_name(&self, folder: Node, at: Node) -> Vec<(Node, Node)> {
        // Both sides are in the order of their names, and most items are at their place.
        let mut there = self.local.children(at).iter().copied().peekable();
        let mut found = Vec::with_capacity(self.base.children(folder).len().min(there.len()));
        for &item in self.base.children(folder) {
            let name = &*self.base.get(item).local_name;
            while there.next_if(|node| self.local.name(*node) < name).is_some() {}
            found.extend(
                there.peek().filter(|node| self.local.name(**node) == name).map(|node| (item, *node)),
            );
        }
        found
    }

    fn is_at_its_place(&self, item: Node, node: Node) -> bool {
        self.is_same_item(item, node) || self.is_nameless(item, node)
    }

    /// Rule 2: its identity is found elsewhere, and not as the backup of what stands at its path. Folders first, from the top, so that what they
    /// hold is found in them.
    fn match_moved(&mut self, items: impl Iterator<Item = Node>, nodes: impl Iterator<Item = Node>) {
        let mut by_inode: HashMap<u64, Vec<Node>> = HashMap::new();
        for node in nodes {
            if self.of_local[node].is_none() && self.local.get(node).kind != LocalKind::Special {
                by_inode.entry(self.local.get(node).stamp.identity.inode).or_default().push(node);
            }
        }
        if by_inode.is_empty() {
            return;
        }
        let open = self.last_holders_first(items, &by_inode);
        let mut of_inode = None;
        for &item in &open {
            if !self.is_sought(item) {
                continue;
            }
            let entry = self.base.get(item);
            let inode = entry.local.stamp.identity.inode;
            let candidates = by_inode.get(&inode).into_iter().flatten().copied();
            let mut found = candidates.filter(|node| self.of_local[*node].is_none());
            let written = self.written_beside_backup(item, found.clone(), || {
                of_inode.get_or_insert_with(|| self.by_inode(&open))
            });
            let found = written.or_else(|| found.find(|&node| self.is_same_item(item, node)));
            if let Some(node) = found {
                // Who had the file before `item` did does not get what it left, either.
                if let Some(nodes) = by_inode.get_mut(&inode).filter(|_| written.is_some()) {
                    nodes.retain(|&node| !self.is_backup(item, node));
                }
                self.claim(item, node);
                if entry.folder {
                    self.match_in_place(item, node);
                }
            }
        }
    }

    /// Rule 3: its path holds something unknown of the same kind.
    fn match_replaced(&mut self, items: impl Iterator<Item = Node>) {
        let base = self.base;
        for item in items {
            if !self.is_sought(item) {
                continue;
            }
            let Some(at) = base.parent(item).and_then(|folder| self.at[folder]) else { continue };
            let entry = base.get(item);
            let Some(node) = self.local.child(at, &entry.local_name) else { continue };
            if self.of_local[node].is_none() && is_kind(entry, self.local.get(node)) {
                self.claim(item, node);
            }
        }
    }

    /// Rule 4: its path holds another item's identity, and its own is nowhere: `mv new a` over an existing `a`.
    /// Who gives its find up is sought again, so chains of such moves take several rounds; says whether it found any.
    fn match_moved_over(&mut self, items: impl Iterator<Item = Node>) -> bool {
        let base = self.base;
        let mut found = false;
        for item in items {
            if !self.is_sought(item) || base.get(item).folder {
                continue;
            }
            let Some(at) = base.parent(item).and_then(|folder| self.at[folder]) else { continue };
            let Some(node) = self.local.child(at, &base.get(item).local_name) else { continue };
            let Some(mover) = self.of_local[node] else { continue };
            if base.get(mover).folder || self.local.get(node).kind != LocalKind::File {
                continue;
            }
            // Two items of one path would take it from each other for ever: who is at home stays.
            let home = base.parent(mover).and_then(|folder| self.at[folder]);
            if home == Some(at) && base.get(mover).local_name == base.get(item).local_name {
                continue;
            }
            self.at[mover] = None;
            self.moved_over.push(mover);
            self.claim(item, node);
            found = true;
        }
        found
    }

    /// Whether `node` has the identity of `item`.
    fn is_same_item(&self, item: Node, node: Node) -> bool {
        let (entry, found) = (self.base.get(item), self.local.get(node));
        if !is_kind(entry, found) || entry.local.stamp.identity.inode != found.stamp.identity.inode {
            return false;
        }
        if entry.local.stamp.identity == Identity::default() {
            return self.is_alike(item, node);
        }
        match (entry.local.stamp.identity.birth.get(), found.stamp.identity.birth.get()) {
            (Some(then), Some(now)) => then == now,
            _ if entry.folder => self.base.children(item).iter().any(|&child| {
                let known = self.base.get(child);
                self.local
                    .child(node, &known.local_name)
                    .is_some_and(|node| is_kind(known, self.local.get(node)))
            }),
            _ => is_alike_file(entry, found),
        }
    }

    /// Whether neither has an identity, and both are of one kind: then the place decides, as long as it is held.
    fn is_nameless(&self, item: Node, node: Node) -> bool {
        let (entry, found) = (self.base.get(item), self.local.get(node));
        let (then, now) = (entry.local.stamp.identity, found.stamp.identity);
        then == Identity::default() && now == then && is_kind(entry, found)
    }

    /// Whether it was found elsewhere than at its place.
    fn is_elsewhere(&self, item: Node, node: Node) -> bool {
        let at = self.base.parent(item).and_then(|folder| self.at[folder]);
        at != self.local.parent(node) || self.local.name(node) != &*self.base.get(item).local_name
    }

    /// The same where neither has an identity: a file by size, time and content, a folder by what it holds.
    fn is_alike(&self, item: Node, node: Node) -> bool {
        let (entry, found) = (self.base.get(item), self.local.get(node));
        if !entry.folder {
            return is_alike_file(entry, found);
        }
        // Nothing can be moved to where a volume is mounted, and what is on one that is away is nowhere to be seen.
        if found.stamp.is_mount && !entry.local.stamp.is_mount || self.is_on_a_volume_that_is_away(item) {
            return false;
        }
        let children = self.base.children(item);
        let alike = children.iter().filter(|child| {
            let known = self.base.get(**child);
            self.local.child(node, &known.local_name).is_some_and(|there| {
                let there = self.local.get(there);
                is_kind(known, there) && (known.folder || has_equal_stamp(known, there))
            })
        });
        // One file of a common name proves nothing.
        !children.is_empty() && alike.count() * 2 >= children.len()
    }

    /// What became of an item; those above it come first.
    fn fate(&mut self, item: Node, of_base: &NodeMap<LocalFate>, unsigned: &mut Vec<Node>) -> LocalFate {
        let entry = self.base.get(item);
        let Some(node) = self.at[item] else {
            if entry.presence != Presence::RemoteOnly {
                return self.absence(item, of_base);
            }
            // A folder made here again at the agreed place is the same folder on both sides again.
            if let Some(node) = self.remade(item) {
                self.claim(item, node);
                return LocalFate::There { node, content: Content::Same };
            }
            // Where its folder is not read nobody can say whether it was.
            let folder = self.base.parent(item).and_then(|folder| self.at[folder]);
            let is_read = folder.is_none_or(|folder| self.local.get(folder).state == FolderState::Complete);
            return if is_read { LocalFate::Agreed } else { LocalFate::Unknown };
        };
        if self.is_volume_missing(item, node) {
            return LocalFate::Unmounted(node);
        }
        let found = self.local.get(node);
        // Without a time of birth an inode number tells little, since it is given away again with the next file: restored files get those of
        // one another. Only its content tells that it is what was moved.
        let is_blind = (entry.local.stamp.identity.birth.get().is_none()
            || found.stamp.identity.birth.get().is_none())
            && self.is_elsewhere(item, node)
            && entry.signature.is_some()
            && found.signature.get().is_none();
        let content = match entry.folder {
            true => Content::Same,
            false if is_blind => Content::Unread,
            false => content(entry, found),
        };
        if content == Content::Unread {
            unsigned.push(node);
        }
        LocalFate::There { node, content }
    }

    /// Whether a mount point of the base shows something else now, with nothing in it of what the base knows there: its volume
    /// is not mounted, or another one is. Of one in which nothing is known any more, nothing can be missing.
    fn is_volume_missing(&self, item: Node, node: Node) -> bool {
        let (then, now) = (&self.base.get(item).local.stamp, &self.local.get(node).stamp);
        // A state from before volumes within volumes were told apart knows only those in the drive itself.
        let is_outermost = || {
            let folder = self.base.parent(item);
            !then.on_root_fs && folder.is_some_and(|folder| self.base.get(folder).local.stamp.on_root_fs)
        };
        let is_mount_point = self.base.get(item).folder && (then.is_mount || is_outermost());
        let is_another = (then.identity, then.on_root_fs) != (now.identity, now.on_root_fs);
        // Such a state says of no item that a volume begins there: that one does now is no news.
        is_mount_point
            && (is_another || then.is_mount && !now.is_mount)
            && !(now.is_mount && self.base.children(item).is_empty())
            && !self
                .base
                .children(item)
                .iter()
                .any(|child| self.at[*child].is_some_and(|found| self.local.parent(found) == Some(node)))
    }

    fn remade(&self, item: Node) -> Option<Node> {
        let at = self.at[self.base.parent(item)?]?;
        let node = self.local.child(at, &self.base.get(item).local_name)?;
        (self.of_local[node].is_none() && is_kind(self.base.get(item), self.local.get(node))).then_some(node)
    }

    /// Whether another item of the base stands at the place of `item`, in the folder `at`: somebody moved it there, and may
    /// have moved `item` away before.
    fn has_given_way(&self, item: Node, at: Node) -> bool {
        let there = self.local.child(at, &self.base.get(item).local_name);
        there.is_some_and(|there| self.of_local[there].is_some_and(|other| other != item))
    }

    /// Whether not finding `item` means that it was deleted (promise P2).
    fn absence(&self, item: Node, of_base: &NodeMap<LocalFate>) -> LocalFate {
        let Some(folder) = self.base.parent(item) else { return LocalFate::Unknown };
        let (entry, above) = (self.base.get(item), self.base.get(folder));
        match of_base[folder] {
            fate @ (LocalFate::Deleted | LocalFate::Held | LocalFate::Missing | LocalFate::Unknown) => fate,
            LocalFate::Agreed => LocalFate::Deleted,
            // It may be on the volume.
            LocalFate::Unmounted(_) => LocalFate::Missing,
            LocalFate::There { node, .. } => {
                let found = self.local.get(node);
                let is_still_there = mounted::is_on_the_same_volume(&above.local.stamp, &found.stamp);
                // A mount point that is missing altogether differs from its folder: nobody can say where its volume is.
                let on_it =
                    entry.local.stamp.on_root_fs == found.stamp.on_root_fs && !entry.local.stamp.is_mount;
                let same_volume = is_still_there && on_it;
                let held = self
                    .local
                    .child(node, &entry.local_name)
                    .is_some_and(|there| self.local.get(there).kind == LocalKind::Special);
                if held {
                    LocalFate::Held
                } else if !self.is_complete && self.has_given_way(item, node) {
                    LocalFate::Unknown
                } else if found.state == FolderState::Complete && same_volume {
                    LocalFate::Deleted
                } else if found.state == FolderState::Complete
                    && (found.stamp.on_root_fs || is_still_there && entry.local.stamp.is_mount)
                    && self.local.child(node, &entry.local_name).is_none()
                {
                    LocalFate::Missing
                } else {
                    LocalFate::Unknown
                }
            }
        }
    }
}

fn has_equal_stamp(entry: &Agreed, found: &LocalEntry) -> bool {
    (entry.local.stamp.size, entry.local.stamp.mtime) == (found.stamp.size, found.stamp.mtime)
}

/// Whether a file can be the item for all that is known of it. Once it was read its content decides.
fn is_alike_file(entry: &Agreed, found: &LocalEntry) -> bool {
    let differs = entry.signature.is_some()
        && found.signature.get().is_some_and(|found| entry.signature != Some(found));
    has_equal_stamp(entry, found) && !differs
}

fn is_kind(entry: &Agreed, found: &LocalEntry) -> bool {
    found.kind == if entry.folder { LocalKind::Folder } else { LocalKind::File }
}

/// What became of the content of a file that is there.
fn content(entry: &Agreed, found: &LocalEntry) -> Content {
    let (then, now) = (&entry.local.stamp, &found.stamp);
    if now.size == 0 && then.size > 0 && now.mtime == then.mtime {
        return Content::PowerCut;
    }
    if now.size != then.size {
        return Content::Edited;
    }
    if is_unchanged(then, now) && !entry.racy {
        // What was read although the stamp is the agreed one tells more than that.
        return match (entry.signature, found.signature.get()) {
            (Some(then), Some(now)) if then != now && !found.racy => Content::Edited,
            _ => Content::Same,
        };
    }
    match (entry.signature, found.signature.get()) {
        (Some(then), Some(now)) if then == now => Content::Touched,
        (Some(_), None) => Content::Unread,
        _ => Content::Edited,
    }
}

/// Equal size, mtime, ctime and identity.
fn is_unchanged(then: &LocalStamp, now: &LocalStamp) -> bool {
    (then.size, then.mtime, then.ctime, then.identity) == (now.size, now.mtime, now.ctime, now.identity)
}

#[cfg(test)]
mod tests;
