//! Recognising again: what was found before, and what differs between the trees then and now, say what is found now.
//!
//! Rule 1 goes by a folder and what it holds on both sides, so only folders are gone through again of which something is
//! another. The rules after it look at what rule 1 leaves over, which is kept: it is nearly nothing. What they found is taken
//! back each time. Where that does not hold (volumes, items without an identity, a folder that could not be read, one
//! file moved over another) everything is recognised anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rest::{Places, Rest, most_loose, part_of};
use super::{Finder, LocalFate, Recognition, recognise};
use crate::model::{
    Agreed, BaseTree, Difference, FolderState, Identity, LocalEntry, LocalKind, LocalTree, Node, Presence,
};

/// What differs from the time when something was last planned.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Of the base.
    pub base: Vec<Difference>,
    /// Of the local tree.
    pub local: Vec<Difference>,
    /// Items and local nodes that may be known as something else.
    pub said: Places,
}

/// The base, found on the disk, and the trees that this was said of.
#[derive(Clone, Debug)]
pub struct Recognised {
    base: Arc<BaseTree>,
    local: Option<LocalTree>,
    recognition: Recognition,
    changes: Option<Changes>,
}

impl Recognised {
    /// Recognises everything.
    pub fn first(base: &Arc<BaseTree>, local: &LocalTree) -> Self {
        let recognition = recognise(base, local);
        // Who has to begin anew next time needs no copy.
        let copy = recognition.rest.as_ref().map(|_| local.clone());
        Self { base: Arc::clone(base), local: copy, recognition, changes: None }
    }

    /// Recognises the same, or later states of it, by what differs from the state before.
    #[must_use]
    pub fn again(self, base: &Arc<BaseTree>, local: &LocalTree) -> Self {
        self.by_changes(base, local).unwrap_or_else(|| Self::first(base, local))
    }

    fn by_changes(self, base: &Arc<BaseTree>, local: &LocalTree) -> Option<Self> {
        let most = most_loose(base);
        let changed_base = base.differences(&self.base, most)?;
        let changed_local = local.differences(self.local.as_ref()?, most)?;
        let (recognition, said) = self.recognition.again(base, local, &changed_base, &changed_local)?;
        let changes = self.changes.map(|mut changes| {
            changes.base.extend(changed_base);
            changes.local.extend(changed_local);
            changes.said.base.extend(said.base);
            changes.said.local.extend(said.local);
            changes
        });
        Some(Self { base: Arc::clone(base), local: Some(local.clone()), recognition, changes })
    }

    /// The base, found on the disk.
    pub fn recognition(&self) -> &Recognition {
        &self.recognition
    }

    /// The local tree that this was said of, where recognising goes on from it.
    pub fn local(&self) -> Option<&LocalTree> {
        self.local.as_ref()
    }

    /// What differs since [`Recognised::planned`]; `None` when everything was recognised anew since then.
    pub fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    /// From here on changes are counted.
    #[must_use]
    pub fn planned(self) -> Self {
        Self { changes: Some(Changes::default()), ..self }
    }
}

fn is_plain_here(node: Node, entry: &LocalEntry) -> bool {
    entry.stamp.on_root_fs && (node == Node::ROOT || entry.stamp.identity != Identity::default())
}

fn is_plain_in_base(item: Node, entry: &Agreed) -> bool {
    let is_known =
        entry.local.stamp.identity != Identity::default() || entry.presence == Presence::RemoteOnly;
    entry.local.stamp.on_root_fs && (item == Node::ROOT || is_known)
}

fn is_unread(entry: &LocalEntry) -> bool {
    entry.kind == LocalKind::Folder && entry.state == FolderState::Incomplete
}

impl Recognition {
    fn again(
        self,
        base: &BaseTree,
        local: &LocalTree,
        changed_base: &[Difference],
        changed_local: &[Difference],
    ) -> Option<(Self, Places)> {
        let Self { mut of_base, mut of_local, unsigned, rest, .. } = self;
        let Rest { mut at, loose, mut inodes } = rest?;
        let here = || changed_local.iter().map(|change| change.node).filter(|node| local.contains(*node));
        let known = || changed_base.iter().map(|change| change.node).filter(|node| base.contains(*node));
        if here().any(|node| is_unread(local.get(node)) || !is_plain_here(node, local.get(node)))
            || known().any(|item| !is_plain_in_base(item, base.get(item)))
        {
            return None;
        }
        of_base.grow(base, LocalFate::Unknown);
        at.grow(base, None);
        of_local.grow(local, None);
        inodes.grow(local, 0);
        here().for_each(|node| inodes[node] = part_of(local.get(node).stamp.identity.inode));
        let unread: Vec<Node> = unsigned.iter().filter_map(|node| of_local[*node]).collect();
        let (loose, log) = (Some(loose), Some(Places::default()));
        let moved_over = Vec::new();
        let mut finder = Finder { base, local, at, of_local, is_complete: true, moved_over, loose, log };
        finder.take_back();
        finder.follow(changed_base, changed_local);
        let loose = finder.loose.take()?;
        let most = most_loose(base);
        if loose.base.len().max(loose.local.len()) > most {
            return None;
        }
        let sought = loose.base.iter().copied().filter(|item| finder.is_sought(*item));
        let sought = base.in_walk_order(sought);
        if !sought.is_empty() {
            let free = local.in_walk_order(loose.local.iter().copied());
            finder.match_moved(sought.iter().copied(), free.into_iter());
            finder.match_replaced(sought.iter().copied());
            if finder.match_moved_over(sought.iter().copied()) {
                return None;
            }
        }
        let mut items: BTreeSet<Node> = finder.log.as_ref().map(|log| log.base.clone()).unwrap_or_default();
        items.extend(loose.base.iter().copied().chain(known()).chain(unread));
        items.extend(here().filter_map(|node| finder.of_local[node]));
        items.retain(|item| base.contains(*item));
        if items.len() > most {
            return None;
        }
        let mut unsigned = Vec::new();
        for &item in &base.in_walk_order(items.iter().copied()) {
            of_base[item] = finder.fate(item, &of_base, &mut unsigned);
        }
        let Finder { at, of_local, moved_over, log, .. } = finder;
        let mut said = log.unwrap_or_default();
        said.base.extend(items);
        let rest = Some(Rest { at, loose, inodes });
        Some((Self { of_base, of_local, unsigned, moved_over, rest }, said))
    }
}

impl Finder<'_> {
    /// What rule 1 left over, once it has gone through everything; `None` where that is too much, or not enough to recognise
    /// anything by it again. Notes too whether every folder could be read.
    pub(super) fn look_over(&mut self) -> Option<Places> {
        let most = most_loose(self.base);
        let mut loose = Places::default();
        let mut is_plain = true;
        for node in self.local.walk(Node::ROOT) {
            let entry = self.local.get(node);
            self.is_complete &= !is_unread(entry);
            is_plain &= is_plain_here(node, entry);
            if self.of_local[node].is_none() && loose.local.len() <= most {
                loose.local.insert(node);
            }
        }
        for item in self.base.walk(Node::ROOT) {
            is_plain &= is_plain_in_base(item, self.base.get(item));
            if self.at[item].is_none() && loose.base.len() <= most {
                loose.base.insert(item);
            }
        }
        let is_little = loose.base.len().max(loose.local.len()) <= most;
        (self.is_complete && is_plain && is_little).then_some(loose)
    }

    pub(super) fn say(&mut self, item: Node, node: Node) {
        if let Some(log) = &mut self.log {
            log.base.insert(item);
            log.local.insert(node);
        }
    }

    /// Takes back what the rules after the first one have found.
    fn take_back(&mut self) {
        let loose: Vec<Node> = self.loose.iter().flat_map(|loose| &loose.base).copied().collect();
        for item in loose {
            if let Some(node) = self.at[item].take() {
                self.of_local[node] = None;
                self.say(item, node);
            }
        }
    }

    /// Takes back what rule 1 has found for one item.
    fn release(&mut self, item: Node) {
        if let Some(node) = self.at[item].take() {
            self.of_local[node] = None;
            self.say(item, node);
            if let Some(loose) = self.loose.as_mut().filter(|_| self.local.contains(node)) {
                loose.local.insert(node);
            }
        }
        if let Some(loose) = self.loose.as_mut().filter(|_| self.base.contains(item)) {
            loose.base.insert(item);
        }
    }

    /// The same for an item and all below it.
    fn release_all(&mut self, item: Node) {
        let base = self.base;
        if base.contains(item) {
            base.walk(item).for_each(|item| self.release(item));
        } else {
            self.release(item);
        }
    }

    /// Follows rule 1 again where something differs.
    fn follow(&mut self, changed_base: &[Difference], changed_local: &[Difference]) {
        let (base, local) = (self.base, self.local);
        let mut folders = BTreeSet::new();
        for change in changed_local.iter().filter(|change| change.moved) {
            let node = change.node;
            if let Some(item) = self.of_local[node] {
                self.release_all(item);
                folders.extend(
                    Some(item).filter(|item| base.contains(*item)).and_then(|item| base.parent(item)),
                );
            }
            if let Some(loose) = &mut self.loose {
                if local.contains(node) {
                    loose.local.insert(node)
                } else {
                    loose.local.remove(&node)
                };
            }
        }
        for change in changed_base.iter().filter(|change| change.moved) {
            self.release_all(change.node);
            if let Some(loose) = self.loose.as_mut().filter(|_| !base.contains(change.node)) {
                loose.base.remove(&change.node);
            }
        }
        for item in changed_base.iter().map(|change| change.node).filter(|item| base.contains(*item)) {
            folders.insert(item);
            if let Some(folder) = base.parent(item) {
                folders.insert(folder);
                folders.extend(base.parent(folder).filter(|_| self.goes_by_contents(folder)));
            }
        }
        for node in changed_local.iter().map(|change| change.node).filter(|node| local.contains(*node)) {
            folders.extend(self.of_local[node]);
            let Some(folder) = local.parent(node) else { continue };
            let known = self.of_local[folder];
            folders.extend(known);
            if known.is_none_or(|known| self.goes_by_contents(known)) {
                folders.extend(local.parent(folder).and_then(|above| self.of_local[above]));
            }
        }
        for folder in folders {
            if let Some(at) = self.at[folder].filter(|_| base.contains(folder)) {
                self.match_again(folder, at);
            }
        }
    }

    /// Whether what a folder holds may have a say in where it is found: there are no birth times, or it was not found.
    fn goes_by_contents(&self, folder: Node) -> bool {
        let has_birth = |identity: Identity| identity.birth.get().is_some();
        self.at[folder].is_none_or(|node| !has_birth(self.local.get(node).stamp.identity))
            || !has_birth(self.base.get(folder).local.stamp.identity)
    }

    /// Rule 1 for what a folder holds, with all below what is found at another place than before, or was not found.
    fn match_again(&mut self, folder: Node, at: Node) {
        let base = self.base;
        let mut wanted = Vec::new();
        let mut taken = None;
        for (item, node) in self.of_one_name(folder, at) {
            let is_there = base.get(item).presence != Presence::RemoteOnly
                && taken != Some(node)
                && self.is_at_its_place(item, node);
            if is_there {
                taken = Some(node);
                wanted.push((item, node));
            }
        }
        let mut found = wanted.iter().copied().peekable();
        for &item in base.children(folder) {
            let node = found.next_if(|(wanted, _)| *wanted == item).map(|(_, node)| node);
            if self.at[item].is_some() && self.at[item] != node {
                self.release_all(item);
            }
        }
        for (item, node) in wanted {
            if self.at[item].is_some() {
                continue;
            }
            if let Some(other) = self.of_local[node] {
                self.release_all(other);
            }
            self.claim(item, node);
            if base.get(item).folder {
                self.match_in_place(item, node);
            }
        }
    }
}
