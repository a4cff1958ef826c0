//! The operation that carries a task out, as the world is when its turn comes.

use std::collections::HashSet;

use super::items::{Change, Fate, Item, Key};
use super::kept_folders::{kept_place, kept_stamp};
use super::order::Emitter;
use super::paths::{MOST_STEPS, shown_path};
use super::tasks::Kind;
use super::{ConflictPolicy, Mode};
use crate::engine::conflict::conflict_name;
use crate::engine::operation::{
    Action, After, Conflict, LocalSeen, Parent, Reason, RemoteSeen, Replacement, UploadTarget,
};
use crate::engine::recognise::LocalFate;
use crate::model::name::Name;
use crate::model::name::{key as name_key, name_below_temporary, temporary_name};
use crate::model::{Etag, ItemId, Node, Presence, RelPath, Side};

impl Emitter<'_, '_> {
    /// Where an item hangs here at this point of the plan; operations that brought it there go into `after`.
    fn place_here(&self, key: Key, after: &mut After) -> Option<(Key, Name)> {
        if let Some((parent, name, operation)) = self.moved.get(&key) {
            after.push(*operation);
            return Some((*parent, name.clone()));
        }
        let base = key.in_base().map(|node| self.world.recognition.of_base[node]);
        let node = match (self.items.all.get(&key), base) {
            // What is in the folder that a volume leaves behind has its path through that.
            (Some(Item { local: None, .. }), Some(LocalFate::Unmounted(node))) => node,
            (Some(item), _) => item.local?,
            (None, Some(LocalFate::There { node, .. })) => node,
            // It left the scope, and what it was is made again elsewhere.
            (None, None) => key.in_local()?,
            _ => return None,
        };
        Some((self.items.local_parent(self.world, node), self.world.local.tree.name(node).into()))
    }

    /// The path of an item here at this point of the plan. `None` only if places led round in a ring, which the steps
    /// before rule out: nothing is done then, rather than a path made without end.
    fn path_here(&self, key: Key, after: &mut After) -> Option<RelPath> {
        let mut names = Vec::new();
        let mut at = key;
        while at != Key::ROOT {
            if names.len() > MOST_STEPS {
                return None;
            }
            let Some((parent, name)) = self.place_here(at, after) else { break };
            names.push(name);
            at = parent;
        }
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        Some(RelPath::of_checked(&names))
    }

    fn seen_here(&self, item: &Item, key: Key, after: &mut After) -> Option<LocalSeen> {
        let mut seen = self.world.local_seen(item.local?, self.path_here(key, after)?);
        // A file that was compared with the base and found the same has the base's signature.
        if let (Some(node), Change::Same | Change::Touched, None) = (item.base, item.here, seen.signature) {
            seen.signature = self.world.base.get(node).signature;
        }
        Some(seen)
    }

    fn seen_there(&self, item: &Item) -> Option<RemoteSeen> {
        let known = item.base.map(|node| self.world.base.get(node));
        Some(self.world.remote_seen(item.remote?, known))
    }

    fn parent_there(&self, folder: Key) -> Option<Parent> {
        if let Some(&index) = self.made.get(&folder) {
            return Some(Parent::Made(index));
        }
        let id = match (self.items.all.get(&folder), folder) {
            (Some(item), _) => self.world.remote.tree.get(item.remote?).id.clone(),
            (None, Key::Base(node)) => self.world.base.get(node).remote.id.clone(),
            _ => return None,
        };
        Some(Parent::Known(id))
    }

    /// The folder as the base knows it when the operation's turn comes.
    fn parent_in_base(&self, folder: Key) -> Option<Parent> {
        match (self.made.get(&folder), folder) {
            (Some(&index), _) => Some(Parent::Made(index)),
            (None, Key::Base(node)) if !self.items.all.get(&folder).is_some_and(|item| item.succeeded) => {
                Some(Parent::Known(self.world.base.get(node).remote.id.clone()))
            }
            _ => self.parent_there(folder),
        }
    }

    /// The operation of a task, its path and its reason.
    pub fn action(
        &mut self,
        key: Key,
        kind: Kind,
        aside: Option<Key>,
        after: &mut After,
    ) -> Option<(Action, RelPath, Reason)> {
        let item = &self.items.all[&key];
        let place = item.place.as_ref();
        let base_id = || item.base.map(|node| self.world.base.get(node).remote.id.clone());
        let shown = || shown_path(self.world, item);
        let there = self.seen_there(item);
        match kind {
            Kind::TrashRemote => return self.trash_remote(item, there?, after),
            Kind::Forget => return Some((Action::Forget { id: base_id()? }, shown(), item.reason)),
            Kind::KeepLocalOnly | Kind::KeepRemoteOnly => {
                let local = kind == Kind::KeepLocalOnly;
                let presence = if local { Presence::LocalOnly } else { Presence::RemoteOnly };
                let place = kept_place(self.world, self.items, item, presence);
                let place = place.and_then(|(folder, name)| Some((self.parent_in_base(folder)?, name)));
                let stamp = kept_stamp(self.world, item, presence).map(Box::new);
                let action = Action::Keep { id: base_id()?, presence, place, stamp };
                return Some((action, shown(), Reason::HoldsForeign));
            }
            Kind::KnowVolume => {
                let stamp = item.local.map(|node| Box::new(self.world.local.tree.get(node).stamp));
                let action = Action::Keep { id: base_id()?, presence: Presence::Both, place: None, stamp };
                return Some((action, shown(), Reason::Touched));
            }
            _ => {}
        }
        let here = item.local.filter(|_| item.here.is_there() || kind == Kind::TrashLocal);
        let here = here.and_then(|_| self.seen_here(item, key, after));
        if kind == Kind::TrashLocal {
            let local = here?;
            let path = local.path.clone();
            return Some((
                Action::TrashLocal { id: base_id(), local, folder: item.folder },
                path,
                item.reason,
            ));
        }
        let place = place?;
        let end = self.path_here(place.parent, after)?.join(&place.local_name).ok()?;
        Some(match kind {
            Kind::MakeLocal => (Action::MakeLocalFolder { remote: there? }, end, item.reason),
            Kind::MoveLocal => {
                let local = here?;
                let path = match aside {
                    Some(folder) => {
                        let name = self.temporary_name(folder, local.path.name())?;
                        self.path_here(folder, after)?.join(&name).ok()?
                    }
                    None => end,
                };
                // Where the item on iCloud has yet to move too, the base learns the place from that operation.
                let moves_there =
                    self.tasks.all[self.tasks.of(key)].iter().any(|task| task.kind == Kind::MoveRemote);
                // A temporary name in its own folder is learnt too: what it left may be forgotten before its own turn.
                let is_home = aside.is_none_or(|folder| folder == place.parent);
                let known = item.base.is_some() && item.there.is_there() && !moves_there && is_home;
                (
                    Action::MoveLocal { remote: there.filter(|_| known), local: local.into() },
                    path,
                    move_reason(item),
                )
            }
            Kind::MakeRemote => {
                let (parent, name) = (self.parent_there(place.parent)?, place.remote_name.clone());
                (Action::MakeRemoteFolder { local: here?, parent, name }, end, item.reason)
            }
            Kind::MoveRemote => {
                let remote = there?;
                let (parent, name) = match aside {
                    Some(folder) => {
                        (self.parent_there(folder)?, self.temporary_name(folder, &remote.name)?.into())
                    }
                    None => (self.parent_there(place.parent)?, place.remote_name.clone()),
                };
                let local = here.filter(|_| aside.is_none()).map(Box::new);
                let temporary = aside.is_some();
                let remote = Box::new(remote);
                (Action::MoveRemote { remote, local, parent, name, temporary }, end, move_reason(item))
            }
            Kind::Agree => (Action::Agree { remote: there?, local: here?.into() }, end, item.reason),
            Kind::Download => {
                (Action::Download { remote: there?, over: here.map(Box::new) }, end, item.reason)
            }
            Kind::Upload => {
                let target = match there.filter(|_| item.there.is_there()) {
                    Some(remote) => {
                        let way = match item.replaces_unseen {
                            Some(_) => Replacement::Trash,
                            None => self.world.policy.replacement,
                        };
                        UploadTarget::Over { remote: remote.into(), way }
                    }
                    None => UploadTarget::New {
                        parent: self.parent_there(place.parent)?,
                        name: place.remote_name.clone(),
                    },
                };
                (Action::Upload { local: here?, target }, end, item.replaces_unseen.unwrap_or(item.reason))
            }
            Kind::Reconcile => self.reconcile(item, here?, there?)?,
            Kind::TrashLocal
            | Kind::TrashRemote
            | Kind::KeepLocalOnly
            | Kind::KeepRemoteOnly
            | Kind::KnowVolume
            | Kind::Forget => return None,
        })
    }

    fn trash_remote(
        &self,
        item: &Item,
        remote: RemoteSeen,
        after: &mut After,
    ) -> Option<(Action, RelPath, Reason)> {
        let base = self.world.base;
        let node = item.base?;
        let path = base.path(node);
        let absent = match item.here {
            Change::Deleted => self.place_of_absent(node, after),
            _ => None,
        };
        let reason = match item.reason {
            Reason::Deleted(Side::Local) if self.holds_moved_over(node) => Reason::MovedOver,
            other => other,
        };
        Some((
            Action::TrashRemote { remote: remote.into(), subtree: self.subtree(item), absent },
            path,
            reason,
        ))
    }

    /// Whether an item, or one below it, was moved over another one here.
    fn holds_moved_over(&self, item: Node) -> bool {
        let is_below = |node: &Node| {
            let above = std::iter::successors(Some(*node), |node| self.world.base.parent(*node));
            above.into_iter().any(|node| node == item)
        };
        self.world.recognition.moved_over.iter().any(is_below)
    }

    /// Whether something stands under that name here, as the disk compares names.
    fn is_held_here(&self, folder: Node, name: &str) -> bool {
        let tree = &self.world.local.tree;
        let wanted = name_key(name, true);
        tree.child(folder, name).is_some()
            || self.world.policy.local_folds_case
                && tree.children(folder).iter().any(|child| name_key(tree.name(*child), true) == wanted)
    }

    /// Where the deleted item `node` of the base would be here, in its folder as that stands when the operation's turn
    /// comes. `None` where another item has the place, or gets it from this plan: that one is no sign of life.
    fn place_of_absent(&self, node: Node, after: &mut After) -> Option<RelPath> {
        let base = self.world.base;
        let agreed = |node: Node| {
            let entry = base.get(node);
            Some((Key::Base(base.parent(node)?), entry.local_name.clone()))
        };
        let (mut at, name) = agreed(node)?;
        let mut names = vec![name];
        let mut is_below_gone = true;
        loop {
            let standing = match at {
                Key::ROOT => None,
                _ => self.place_here(at, after).or_else(|| {
                    let place = self.items.all.get(&at)?.place.as_ref()?;
                    Some((place.parent, place.local_name.clone()))
                }),
            };
            if is_below_gone && (at == Key::ROOT || standing.is_some()) {
                is_below_gone = false;
                let name = names.last()?;
                let here = self.items.sides(self.world, at).0;
                let is_held = here.is_some_and(|folder| self.is_held_here(folder, name));
                if is_held || self.is_given(&(at, name_key(name, true))) {
                    return None;
                }
            }
            if at == Key::ROOT {
                break;
            }
            if names.len() > MOST_STEPS {
                return None;
            }
            let (parent, name) = match (standing, at) {
                (Some(standing), _) => standing,
                (None, Key::Base(node)) => agreed(node)?,
                (None, _) => return None,
            };
            names.push(name);
            at = parent;
        }
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        Some(RelPath::of_checked(&names))
    }

    /// Every item below a folder that goes to iCloud's trash, as seen. What leaves the folder first is not among them,
    /// with all that it holds.
    fn subtree(&self, item: &Item) -> Vec<(ItemId, Etag)> {
        let tree = &self.world.remote.tree;
        let leaves = |node: Node| {
            let item = self.items.all.get(&self.items.key_of_remote(self.world, node));
            item.is_some_and(|item| item.fate == Fate::Keep && item.there.is_there())
        };
        let children = |node: Node| tree.children(node).iter().copied().rev().filter(|node| !leaves(*node));
        let mut stack: Vec<Node> =
            item.remote.filter(|_| item.folder).into_iter().flat_map(children).collect();
        let mut below = Vec::new();
        while let Some(node) = stack.pop() {
            below.push((tree.get(node).id.clone(), tree.get(node).etag.clone()));
            stack.extend(children(node));
        }
        below
    }

    fn reconcile(
        &mut self,
        item: &Item,
        local: LocalSeen,
        remote: RemoteSeen,
    ) -> Option<(Action, RelPath, Reason)> {
        let policy = self.world.policy;
        let path = local.path.clone();
        let package = remote.package;
        let comparable = !package && remote.size.is_none_or(|size| size == local.stamp.size);
        if comparable && remote.signature.is_some() && remote.signature == local.signature {
            return Some((Action::Agree { remote, local: local.into() }, path, Reason::Same));
        }
        let newer = match (policy.conflict, remote.mtime, local.stamp.mtime.whole_seconds()) {
            (ConflictPolicy::Newest, Some(there), here) if !package && there.0 > here => Some(Side::Remote),
            (ConflictPolicy::Newest, Some(there), here) if !package && there.0 < here => Some(Side::Local),
            _ => None,
        };
        let conflict = match (policy.mode, newer) {
            (Mode::TwoWay | Mode::DownloadOnly, Some(Side::Remote)) => Conflict::TakeRemote,
            (Mode::TwoWay | Mode::UploadOnly, Some(Side::Local)) => Conflict::TakeLocal,
            (Mode::UploadOnly, _) => {
                Conflict::KeepBothThere { name: self.copy_name(item, &remote.name)?.into() }
            }
            (Mode::TwoWay | Mode::DownloadOnly, _) => {
                let copy = path.parent()?.join(&self.copy_name(item, path.name())?).ok()?;
                // In download-only it is an addition here like any other: it goes up where the mode changes.
                Conflict::KeepBoth { copy, local_only: package }
            }
        };
        let reason = if package { item.reason } else { Reason::Conflict };
        let (remote, local) = (Box::new(remote), Box::new(local));
        let action = match comparable {
            true => Action::Compare { remote, local, otherwise: conflict },
            false => Action::Settle { remote, local, conflict },
        };
        Some((action, path, reason))
    }

    /// A free name, on both sides, for the conflict copy of the item called `name`.
    fn copy_name(&mut self, item: &Item, name: &str) -> Option<String> {
        let mark = self.world.policy.conflict_mark;
        // A temporary name is no person's, and is not to go on in one that stays.
        let agreed = item.base.map(|node| &*self.world.base.get(node).remote.name);
        let name = name_below_temporary(name, agreed);
        let names = (1..).map(|nth| conflict_name(name, mark, nth));
        self.first_free(item.place.as_ref()?.parent, names)
    }

    /// A free temporary name, on both sides: an interrupted plan may have left some behind.
    fn temporary_name(&mut self, folder: Key, name: &str) -> Option<String> {
        let name =
            self.first_free(folder, (self.operations.len()..).map(|number| temporary_name(name, number)))?;
        self.names.get_mut(&folder)?.insert(name_key(&name, true));
        Some(name)
    }

    fn first_free(&mut self, folder: Key, mut names: impl Iterator<Item = String>) -> Option<String> {
        if !self.names.contains_key(&folder) {
            let taken = self.names_in(folder);
            self.names.insert(folder, taken);
        }
        let is_taken = |name: &str| {
            let key = name_key(name, true);
            self.names[&folder].contains(&key) || self.is_given(&(folder, key))
        };
        names.find(|name| !is_taken(name))
    }

    /// The names that a folder holds on either side.
    fn names_in(&self, folder: Key) -> HashSet<Name> {
        let (here, there) = self.items.sides(self.world, folder);
        let (local, remote) = (&self.world.local.tree, &self.world.remote.tree);
        let here = here.into_iter().flat_map(|node| local.children(node)).map(|child| local.name(*child));
        let there = there.into_iter().flat_map(|node| remote.children(node)).map(|child| remote.name(*child));
        here.chain(there).map(|name| name_key(name, true)).collect()
    }
}

fn move_reason(item: &Item) -> Reason {
    match (item.moved_here, item.moved_there) {
        _ if item.reason == Reason::NameClaimed || item.reason == Reason::MovedOnBoth => item.reason,
        (true, true) if item.moved == Some(Side::Remote) => Reason::MovedOnBoth,
        (true, true) | (true, false) => Reason::Moved(Side::Local),
        (false, true) => Reason::Moved(Side::Remote),
        (false, false) => item.reason,
    }
}
