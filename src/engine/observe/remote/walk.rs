//! Reading folders, level by level.
//!
//! What was read is kept as "this item hangs there", the latest word winning, and made a tree
//! only at the end. An item that moves during the walk, twice or into itself, then needs no care.

use std::collections::{HashMap, HashSet};

use super::before::Before;
use super::placements::{Numbers, Placement, Placements};
use super::scope::Scope;
use crate::engine::plan::too_deep;
use crate::engine::ports::{Listing, Remote, RemoteError};
use crate::engine::view::{FolderMarks, RemoteView};
use crate::model::name::check_name;
use crate::model::name::{same, share};
use crate::model::path::DEEPEST;
use crate::model::{BaseTree, Etag, FolderState, ItemId, Node, RelPath, RemoteEntry, RemoteKind, RemoteTree};

/// So many folders are asked for at once: a hundred requests.
const PORTION: usize = 2048;

/// What is known of a folder that was read, or tried.
#[derive(Default)]
struct Reading {
    state: FolderState,
    unusable: Vec<(String, String)>,
}

/// Items that hung together with the root at some time.
pub(super) struct Reached(Numbers);

/// What a finished walk saw, as [`RemoteView`](crate::engine::view::RemoteView) has it.
pub(super) struct Seen {
    pub tree: RemoteTree,
    pub unusable: Vec<(RelPath, String, String)>,
    pub complete: bool,
    pub marks: FolderMarks,
}

/// The walk and what it saw.
pub(super) struct Walk<'a> {
    pub remote: &'a dyn Remote,
    pub scope: &'a Scope<'a>,
    pub previous: Option<Before<'a>>,
    root: Option<RemoteEntry>,
    pub placed: Placements,
    readings: HashMap<ItemId, Reading>,
    /// Items that a look-up has placed, or taken out.
    settled: HashSet<ItemId>,
    /// Folders that could not be read at all: nothing is known of what they hold.
    pub failed: HashSet<ItemId>,
    /// Folders that are not looked into for their depth.
    too_deep: HashSet<ItemId>,
    /// The etag that each folder was shown with before it was read.
    marks: HashMap<ItemId, Etag>,
    /// How often something was placed anew, or taken out.
    changes: u64,
    /// The number of changes when nothing was left to read.
    read_at: Option<u64>,
}

impl<'a> Walk<'a> {
    pub fn new(remote: &'a dyn Remote, scope: &'a Scope<'a>, previous: Option<Before<'a>>) -> Self {
        Self {
            remote,
            scope,
            previous,
            root: None,
            placed: Placements::default(),
            readings: HashMap::new(),
            settled: HashSet::new(),
            failed: HashSet::new(),
            too_deep: HashSet::new(),
            marks: HashMap::new(),
            changes: 0,
            read_at: None,
        }
    }

    /// A walk that has seen all that `previous` shows, but for what is in these folders.
    pub fn resume(
        remote: &'a dyn Remote,
        scope: &'a Scope<'a>,
        previous: &'a RemoteView,
        folders: &[ItemId],
    ) -> Self {
        let tree = &previous.tree;
        let mut walk = Self {
            root: Some(tree.get(Node::ROOT).clone()),
            ..Self::new(remote, scope, Some(Before::of(tree)))
        };
        let unread: HashSet<&ItemId> = folders.iter().collect();
        for node in tree.walk(Node::ROOT) {
            let entry = tree.get(node);
            if let Some(parent) = tree.parent(node).map(|parent| &tree.get(parent).id)
                && !unread.contains(parent)
            {
                walk.place(parent, entry.clone());
            }
            if !entry.is_folder() || unread.contains(&entry.id) {
                continue;
            }
            match entry.state {
                FolderState::Unread => {}
                // In a view that is complete these are the ones that lie too deep.
                FolderState::Incomplete => walk.leave(entry.id.clone()),
                FolderState::Complete => {
                    let reading = Reading { state: FolderState::Complete, ..Reading::default() };
                    walk.readings.insert(entry.id.clone(), reading);
                }
            }
        }
        for (folder, name, why) in previous.unusable.iter().filter(|(_, _, why)| *why != too_deep()) {
            let id = tree.find(folder).map(|node| &tree.get(node).id);
            if let Some(reading) = id.and_then(|id| walk.readings.get_mut(id)) {
                reading.unusable.push((name.clone(), why.clone()));
            }
        }
        walk
    }

    /// Lists these folders in full; `false` where one of them does not add up: nothing can be put together then.
    pub fn read_again(&mut self, folders: &[ItemId]) -> Result<bool, RemoteError> {
        for (id, listing) in folders.iter().zip(self.remote.list(folders, false)) {
            match listing {
                Ok(listing) if listing.folder.state == FolderState::Complete => {
                    if *id == self.scope.root {
                        self.root = Some(RemoteEntry { id: id.clone(), ..listing.folder.clone() });
                    }
                    self.take(id, listing);
                }
                Err(error) if error.ends_pass() => return Err(error),
                Ok(_) | Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A number that is another one whenever what was seen is.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Reads the root of the scope.
    pub fn read_root(&mut self) -> Result<(), RemoteError> {
        let id = self.scope.root.clone();
        let damaged = || RemoteError::Damaged("the listing of the root was not answered".to_owned());
        let mut listing =
            self.remote.list(std::slice::from_ref(&id), false).pop().unwrap_or_else(|| Err(damaged()))?;
        if listing.folder.state != FolderState::Complete
            && let Some(Ok(again)) = self.remote.list(std::slice::from_ref(&id), false).pop()
        {
            listing = again;
        }
        // The tree is rooted at the id that was asked for, whatever an answer calls it.
        self.root = Some(RemoteEntry { id: id.clone(), ..listing.folder.clone() });
        self.take(&id, listing);
        Ok(())
    }

    /// Reads all folders that can be reached and were not read yet.
    ///
    /// Below a folder that was just read only its own listing says what is there, so the way down looks at nothing else; what moved
    /// meanwhile is found by looking at everything once more.
    pub fn descend(&mut self) -> Result<(), RemoteError> {
        if self.read_at == Some(self.changes) {
            return Ok(());
        }
        for _ in 0..DEEPEST {
            let mut level = self.unread();
            if level.is_empty() {
                self.read_at = Some(self.changes);
                return Ok(());
            }
            while !level.is_empty() {
                let ids = level.iter().map(|(id, _)| id.clone()).collect();
                let listed = self.read_level(ids)?;
                let paths: HashMap<ItemId, RelPath> = level.into_iter().collect();
                let below = listed.iter().filter_map(|(folder, id)| {
                    let placement = self.placed.get(id)?;
                    (self.placed.folder(placement) == folder).then_some(())?;
                    let path = paths.get(folder)?.join(&placement.entry.name).ok()?;
                    Some((id.clone(), path))
                });
                let below: Vec<_> = below.collect();
                level = self.still_unread(below);
            }
        }
        // A service that shows new folders without an end: what was not seen must not count as read.
        for (id, _) in self.unread() {
            self.leave(id);
        }
        Ok(())
    }

    /// Notes that a folder is not looked into.
    fn leave(&mut self, id: ItemId) {
        self.readings.insert(id.clone(), Reading { state: FolderState::Incomplete, ..Reading::default() });
        self.too_deep.insert(id);
    }

    /// Reachable folders in scope that were not read yet, with their paths. What lies too deep is left.
    fn unread(&mut self) -> Vec<(ItemId, RelPath)> {
        let mut open = Vec::new();
        self.visit(|_, path_of, entry| {
            if entry.is_folder() && !self.readings.contains_key(&entry.id) {
                open.push((entry.id.clone(), path_of()));
            }
        });
        self.still_unread(open)
    }

    /// Those of the items that are folders in scope and were not read yet. What lies too deep is left.
    fn still_unread(&mut self, items: Vec<(ItemId, RelPath)>) -> Vec<(ItemId, RelPath)> {
        let mut unread = Vec::new();
        for (id, path) in items {
            let Some(placement) = self.placed.get(&id) else { continue };
            let is_open = placement.entry.is_folder() && !self.readings.contains_key(&id);
            if !is_open || !self.takes_part(&placement.entry, &path) {
                continue;
            }
            if path.is_too_deep() { self.leave(id) } else { unread.push((id, path)) }
        }
        // What is asked for depends on what is there alone, so that a seed means one history.
        unread.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        unread.dedup_by(|(a, _), (b, _)| a == b);
        unread
    }

    /// Whether a folder is read: not skipped by the filter, and no app's library that nobody asked for.
    fn takes_part(&self, entry: &RemoteEntry, path: &RelPath) -> bool {
        match entry.kind {
            RemoteKind::AppLibrary => self.is_wanted_library(entry) && !(self.scope.may_skip)(path),
            RemoteKind::Folder => !(self.scope.may_skip)(path),
            RemoteKind::File | RemoteKind::Foreign => false,
        }
    }

    fn is_wanted_library(&self, entry: &RemoteEntry) -> bool {
        let wanted = |name: &String| same(name, &entry.name) || name == entry.id.zone().as_str();
        self.scope.app_libraries.iter().any(wanted)
    }

    /// Whether it is an app's library that stays closed.
    pub fn is_closed_library(&self, id: &ItemId) -> bool {
        self.placed.get(id).is_some_and(|placement| {
            placement.entry.kind == RemoteKind::AppLibrary && !self.is_wanted_library(&placement.entry)
        })
    }

    /// Reads folders; says which folders each of them listed. So many at a time that all workers have something to do, and that
    /// what was answered does not stand beside what was made of it.
    fn read_level(&mut self, level: Vec<ItemId>) -> Result<Vec<(ItemId, ItemId)>, RemoteError> {
        let mut listed = Vec::new();
        for portion in level.chunks(PORTION) {
            listed.extend(self.read_portion(portion.to_vec())?);
        }
        Ok(listed)
    }

    fn read_portion(&mut self, level: Vec<ItemId>) -> Result<Vec<(ItemId, ItemId)>, RemoteError> {
        let (mut listed, level) = self.take_spared(level);
        let (known, mut fresh): (Vec<_>, Vec<_>) = level
            .into_iter()
            .partition(|id| self.previous.as_ref().is_some_and(|before| before.has_read(id)));
        let briefs = if known.is_empty() { Vec::new() } else { self.remote.list(&known, true) };
        for (id, brief) in known.into_iter().zip(briefs) {
            match brief {
                Ok(brief) => match self.previous.as_ref().and_then(|before| before.unchanged(&id, brief)) {
                    Some(listing) => listed.extend(self.take(&id, listing)),
                    None => fresh.push(id),
                },
                Err(error) if error.ends_pass() => return Err(error),
                Err(_) => fresh.push(id),
            }
        }
        if fresh.is_empty() {
            return Ok(listed);
        }
        let mut listings = self.remote.list(&fresh, false);
        let doubtful = |listing: &Result<Listing, RemoteError>| match listing {
            Ok(listing) => listing.folder.state != FolderState::Complete,
            Err(error) => matches!(error, RemoteError::Damaged(_)),
        };
        let open: Vec<usize> = (0..listings.len()).filter(|at| doubtful(&listings[*at])).collect();
        if !open.is_empty() {
            let ids: Vec<_> = open.iter().map(|at| fresh[*at].clone()).collect();
            for (at, again) in open.into_iter().zip(self.remote.list(&ids, false)) {
                // The later word counts, but an error says less than a listing that is short.
                if again.is_ok() || listings[at].is_err() {
                    listings[at] = again;
                }
            }
        }
        for (id, listing) in fresh.into_iter().zip(listings) {
            match listing {
                Ok(listing) => listed.extend(self.take(&id, listing)),
                Err(error) if error.ends_pass() => return Err(error),
                Err(error) => {
                    log::debug!("a folder cannot be listed: {error}");
                    self.failed.insert(id.clone());
                    self.readings
                        .insert(id, Reading { state: FolderState::Incomplete, ..Reading::default() });
                }
            }
        }
        Ok(listed)
    }

    /// Takes what folders hold that need not be read from the look before. Gives the folders in them, and what is left to be read.
    fn take_spared(&mut self, level: Vec<ItemId>) -> (Vec<(ItemId, ItemId)>, Vec<ItemId>) {
        let (mut listed, mut left) = (Vec::new(), Vec::new());
        for id in level {
            let placed = self.placed.get(&id).zip(self.previous.as_ref());
            match placed.and_then(|(placed, before)| before.spared(&id, &placed.entry.etag)) {
                Some(mut listing) => {
                    // What a listing showed elsewhere just now is there.
                    listing.items.retain(|item| self.placed.get(&item.entry.id).is_none());
                    listed.extend(self.take(&id, listing));
                }
                None => left.push(id),
            }
        }
        (listed, left)
    }

    fn take(&mut self, folder: &ItemId, listing: Listing) -> Vec<(ItemId, ItemId)> {
        if let Some(placement) = self.placed.get(folder) {
            self.marks.insert(folder.clone(), placement.entry.etag.clone());
        }
        let mut listed = Vec::new();
        for item in listing.items {
            // Only what holds something is gone on from, by the latest word on it.
            if item.entry.is_folder() || self.settled.contains(&item.entry.id) {
                listed.push((folder.clone(), item.entry.id.clone()));
            }
            // Late listings must not undo what a look-up said.
            if !self.settled.contains(&item.entry.id) {
                self.place(folder, item.entry);
            }
        }
        let state = listing.folder.state;
        self.readings.insert(folder.clone(), Reading { state, unusable: listing.unusable });
        listed
    }

    /// Notes what a look-up said: where the item hangs, or `None` when it is in no folder of the scope.
    pub fn settle(&mut self, id: &ItemId, place: Option<(ItemId, RemoteEntry)>) {
        self.changes += 1;
        self.settled.insert(id.clone());
        match place {
            Some((parent, entry)) => self.place(&parent, entry),
            None => self.placed.take_out(id),
        }
    }

    /// Notes where an item hangs. What is known of the inside of a folder stays.
    fn place(&mut self, parent: &ItemId, entry: RemoteEntry) {
        self.changes += 1;
        if entry.id != self.scope.root {
            self.placed.place(parent, entry);
        }
    }

    /// Marks a folder as one whose listing missed something.
    pub fn distrust(&mut self, folder: &ItemId) {
        if let Some(reading) = self.readings.get_mut(folder) {
            reading.state = FolderState::Incomplete;
        }
    }

    /// All items that hang together with the root.
    pub fn reachable(&self) -> Reached {
        let mut items = Numbers::default();
        self.visit(|number, _, _| items.insert(number));
        Reached(items)
    }

    /// Whether an item was among those that hang together with the root.
    pub fn was_reached(&self, reached: &Reached, id: &ItemId) -> bool {
        *id == self.scope.root || self.placed.number(id).is_some_and(|number| reached.0.contains(number))
    }

    /// Of those that hung together with the root, what still is in a folder of the scope.
    pub fn placed_of<'r>(&'r self, reached: &'r Reached) -> impl Iterator<Item = &'r Placement> {
        reached.0.iter().filter_map(|number| self.placed.at(number))
    }

    /// Visits everything below the root, folders before what they hold. What hangs in a circle is not reached.
    ///
    /// A path is made only when it is asked for: in a deep chain making them all would take longer than the walk.
    fn visit(&self, mut look: impl FnMut(u32, &dyn Fn() -> RelPath, &RemoteEntry)) {
        let children = self.placed.children();
        // Each folder's name, and where the one is that holds it; the root is the first.
        let mut folders: Vec<(usize, &str)> = vec![(0, "")];
        let mut stack = vec![(&self.scope.root, 0)];
        while let Some((folder, above)) = stack.pop() {
            for &number in self.placed.of(&children, folder) {
                let Some(Placement { entry, .. }) = self.placed.at(number) else { continue };
                // Names were checked where they came in.
                if check_name(&entry.name).is_err() {
                    continue;
                }
                look(number, &|| path_in(&folders, above, &entry.name), entry);
                if entry.is_folder() {
                    stack.push((&entry.id, folders.len()));
                    folders.push((above, &entry.name));
                }
            }
        }
    }

    /// Makes the tree; `None` when not even the root was read. Texts that `base` has too are kept once.
    pub fn finish(mut self, base: &BaseTree) -> Option<Seen> {
        let root = self.root.take()?;
        let mut readings = std::mem::take(&mut self.readings);
        let mut state_of = |id: &ItemId| readings.remove(id).unwrap_or_default();
        let mut unusable = Vec::new();
        let reading = state_of(&root.id);
        let mut complete = reading.state == FolderState::Complete;
        let mut tree = RemoteTree::new(RemoteEntry { state: reading.state, ..root });
        unusable.extend(reading.unusable.into_iter().map(|(name, why)| (RelPath::root(), name, why)));
        let mut contents = self.placed.into_contents();
        let mut stack = vec![(self.scope.root.clone(), Node::ROOT)];
        while let Some((folder, node)) = stack.pop() {
            let mut entries = contents.take(&folder);
            // The same input gives the same tree.
            entries.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            for mut entry in entries {
                if check_name(&entry.name).is_err() {
                    unusable.push((
                        tree.path(node),
                        entry.name.into(),
                        "no path can hold the name".to_owned(),
                    ));
                    continue;
                }
                let reading = if entry.is_folder() { state_of(&entry.id) } else { Reading::default() };
                entry.state = reading.state;
                if let Some(known) = base.by_id(&entry.id).map(|node| base.get(node)) {
                    share(&mut entry.name, &known.remote.name);
                    entry.etag.share(&known.remote.etag);
                }
                // What is left for its depth is told by name, and is no reason to look again.
                if self.too_deep.contains(&entry.id) {
                    unusable.push((tree.path(node), entry.name.clone().into(), too_deep()));
                } else {
                    complete &= entry.state != FolderState::Incomplete;
                }
                let (id, name, is_folder) = (entry.id.clone(), entry.name.clone(), entry.is_folder());
                let child = tree.insert(node, &name, entry);
                if !reading.unusable.is_empty() {
                    let path = tree.path(child);
                    unusable
                        .extend(reading.unusable.into_iter().map(|(name, why)| (path.clone(), name, why)));
                }
                if is_folder {
                    stack.push((id, child));
                }
            }
        }
        Some(Seen { tree, unusable, complete, marks: FolderMarks::new(self.marks) })
    }
}

/// The path of an item in a folder of that list.
fn path_in(folders: &[(usize, &str)], above: usize, name: &str) -> RelPath {
    let mut names = vec![name];
    let mut at = above;
    while at != 0 {
        names.push(folders[at].1);
        at = folders[at].0;
    }
    RelPath::of_checked(&names)
}
