//! The base as it will be once all pending is stored: what every part of the executor reads, and nobody changes through it.

use std::collections::HashMap;

use crate::model::name::Name;
use crate::model::state::{Calibration, left_before};
use crate::model::{Agreed, BaseEntry, Change, Identity, ItemId, LocalStamp, Node, RelPath, State};

/// More folders than lie above any item.
const DEEPEST: usize = crate::model::path::DEEPEST;
/// So many folders above an item are looked at; a base that is deeper is none that we wrote.
pub(super) const MOST_ABOVE: usize = 200;

/// What pending changes say of base items: folder and entry, or `None` for those that go.
pub(super) type Overlay = HashMap<ItemId, Option<(ItemId, BaseEntry)>>;

/// The stored state under what is pending.
#[derive(Clone, Copy)]
pub(super) struct PendingBase<'a> {
    /// The state as it is stored: without what is pending.
    pub(super) state: &'a State,
    overlay: &'a Overlay,
    calibration: Calibration,
}

impl<'a> PendingBase<'a> {
    pub(super) fn new(state: &'a State, overlay: &'a Overlay, calibration: Calibration) -> Self {
        Self { state, overlay, calibration }
    }

    /// What is known of signatures, with what is pending.
    pub(super) fn calibration(&self) -> Calibration {
        self.calibration
    }

    /// The item's folder and what is known of it.
    pub(super) fn entry(&self, id: &ItemId) -> Option<(ItemId, BaseEntry)> {
        if let Some(pending) = self.overlay.get(id) {
            return pending.clone();
        }
        let base = &self.state.base;
        let node = base.by_id(id)?;
        let parent = base.parent(node)?;
        Some((base.get(parent).remote.id.clone(), base.get(node).to_entry()))
    }

    /// Whether an item can be put into that folder.
    pub(super) fn has_folder(&self, folder: &ItemId) -> bool {
        match self.overlay.get(folder) {
            Some(pending) => pending.is_some(),
            None => self.state.base.by_id(folder).is_some(),
        }
    }

    /// The item, other than `but`, that has a local path.
    pub(super) fn at_path(&self, parent: &ItemId, name: &str, but: Option<&ItemId>) -> Option<BaseEntry> {
        let base = &self.state.base;
        let stored = base
            .by_id(parent)
            .and_then(|folder| base.child(folder, name))
            .map(|node| base.get(node))
            .filter(|entry| !self.overlay.contains_key(&entry.remote.id));
        let pending = self.overlay.values().flatten();
        let pending = pending
            .filter(|(folder, entry)| folder == parent && &*entry.local_name == name)
            .map(|(_, entry)| entry)
            .find(|entry| but != Some(&entry.id));
        let stored = stored.filter(|entry| but != Some(&entry.remote.id)).map(Agreed::to_entry);
        stored.or_else(|| pending.cloned())
    }

    /// The item that has a local path, and the folder that it is in.
    pub(super) fn at_local_path(&self, path: &RelPath) -> Option<(ItemId, BaseEntry)> {
        let mut found = None;
        let mut at = self.state.base.get(Node::ROOT).remote.id.clone();
        for part in path.parts() {
            let entry = self.at_path(&at, part, None)?;
            let id = entry.id.clone();
            found = Some((std::mem::replace(&mut at, id), entry));
        }
        found
    }

    /// What a folder holds.
    pub(super) fn held_by(&self, folder: &ItemId) -> Vec<BaseEntry> {
        let base = &self.state.base;
        let stored = base.by_id(folder).map_or(&[][..], |node| base.children(node));
        let stored = stored.iter().map(|child| base.get(*child));
        let pending = self.overlay.values().flatten();
        stored
            .filter(|entry| !self.overlay.contains_key(&entry.remote.id))
            .map(Agreed::to_entry)
            .chain(pending.filter(|(parent, _)| parent == folder).map(|(_, entry)| entry.clone()))
            .collect()
    }

    /// All items with such a stamp, each with the folder that it is in.
    pub(super) fn all(&self, is_it: &dyn Fn(&LocalStamp) -> bool) -> Vec<(ItemId, BaseEntry)> {
        let base = &self.state.base;
        let stored =
            base.walk(Node::ROOT).skip(1).filter_map(|node| Some((base.parent(node)?, base.get(node))));
        let stored = stored
            .filter(|(_, entry)| is_it(&entry.local.stamp) && !self.overlay.contains_key(&entry.remote.id));
        let stored = stored.map(|(folder, entry)| (base.get(folder).remote.id.clone(), entry.to_entry()));
        let pending = self.overlay.values().flatten().filter(|(_, entry)| is_it(&entry.stamp)).cloned();
        // What goes with its folder is forgotten as well.
        stored.chain(pending).filter(|(folder, _)| !self.is_forgotten(folder)).collect()
    }

    /// Whether `id` is that folder or lies within it.
    pub(super) fn is_within(&self, id: &ItemId, folder: &ItemId) -> bool {
        let above = |id: &ItemId| self.entry(id).map(|(parent, _)| parent);
        std::iter::successors(Some(id.clone()), above).take(DEEPEST).any(|at| at == *folder)
    }

    /// The folder within `id` that holds `parent`, or is that, and the folder that `id` is in: it has left `id` before `id` can come into
    /// `parent`.
    pub(super) fn left_before(&self, parent: &ItemId, id: &ItemId) -> Option<(ItemId, BaseEntry)> {
        let above = |id: &ItemId| self.entry(id).map(|(folder, _)| folder);
        let (_, inner) = self.entry(&left_before(parent, id, above)?)?;
        self.entry(id).map(|(beside, _)| (beside, inner))
    }

    /// Whether an item, or a folder above it, is out of the base.
    pub(super) fn is_forgotten(&self, id: &ItemId) -> bool {
        let mut at = Some(id.clone());
        // While folders change places what is pending may go round in a circle.
        for _ in 0..DEEPEST {
            let Some(id) = at else { break };
            at = match self.overlay.get(&id) {
                Some(None) => return true,
                Some(Some((parent, _))) => Some(parent.clone()),
                None => {
                    let base = &self.state.base;
                    let Some(node) = base.by_id(&id) else { return true };
                    base.parent(node).map(|folder| base.get(folder).remote.id.clone())
                }
            };
        }
        false
    }

    /// The local path of a name in a folder.
    pub(super) fn path_in(&self, folder: &ItemId, name: &str) -> Option<RelPath> {
        let base = &self.state.base;
        let mut names = vec![Name::from(name)];
        let mut at = folder.clone();
        // While folders change places what is pending may go round in a circle.
        for _ in 0..DEEPEST {
            if base.get(Node::ROOT).remote.id == at {
                let mut names = names.iter().rev();
                return names.try_fold(RelPath::root(), |path, name| path.join(name).ok());
            }
            let (parent, entry) = self.entry(&at)?;
            names.push(entry.local_name);
            at = parent;
        }
        None
    }

    /// A folder on iCloud and those above it, without the top.
    pub(super) fn folders_of(&self, folder: &ItemId) -> Vec<ItemId> {
        let top = &self.state.base.get(Node::ROOT).remote.id;
        let is_top = |id: &ItemId| id == top || *id == ItemId::drive_root() || id.is_doc("documents");
        let above = |id: &ItemId| self.entry(id).map(|(parent, _)| parent);
        let chain = std::iter::successors(Some(folder.clone()), above);
        chain.take(MOST_ABOVE).filter(|id| !is_top(id)).collect()
    }

    /// What takes an item and all below it out of the base, where it is there.
    pub(super) fn removal(&self, id: &ItemId) -> Vec<Change> {
        self.entry(id).map(|_| Change::Remove(id.clone())).into_iter().collect()
    }

    /// The path of an item as it is stored.
    pub(super) fn stored_path(&self, id: &ItemId) -> Option<RelPath> {
        let base = &self.state.base;
        base.by_id(id).map(|node| base.path(node))
    }

    /// What says that no item but `owner` is the file here of that identity, before we move that: where a person moved another
    /// item's file over this one's, the other item must not be found again at the new place.
    pub(super) fn cleared(&self, identity: Identity, owner: &ItemId) -> Vec<Change> {
        if identity == Identity::default() {
            return Vec::new();
        }
        let base = &self.state.base;
        let others = base.walk(Node::ROOT).skip(1).map(|node| base.get(node));
        let others =
            others.filter(|entry| entry.local.stamp.identity == identity && entry.remote.id != *owner);
        let mut changes = Vec::new();
        for other in others {
            // One that goes with its folder needs no more to be said of it.
            if let Some((parent, mut entry)) = self.entry(&other.remote.id)
                && !self.is_forgotten(&parent)
            {
                entry.stamp.identity = Identity::default();
                changes.push(Change::Put { parent, entry: Box::new(entry) });
            }
        }
        changes
    }
}

/// The base and the time at one moment.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The base, with what is pending.
    pub(super) base: PendingBase<'a>,
    /// The seconds that the state has lived through.
    pub(super) now: i64,
    /// Whether what is to be settled was left open so lately that who deleted the file may not have seen what came of it.
    pub(super) is_recent: bool,
}
