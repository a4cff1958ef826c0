//! Settles by look-ups what the listings leave open: items that they lack, own writes that they
//! contradict, items that are new, in two places, or without a size.

use std::collections::{HashMap, HashSet};

use super::scope::SECOND_LOOK;
use super::walk::{Reached, Seen, Walk};
use crate::engine::ports::{Clock, LookUp, Remote, RemoteError, RemoteItem, RemoteParent};
use crate::engine::view::{Absence, RemoteView};
use crate::model::path::DEEPEST;
use crate::model::{Agreed, BaseTree, ItemId, Node, Presence, RemoteKind, Zone};

/// How long a listing may lag behind our own writes (`docs/sync.md` §7).
const LATE_SECS: u64 = 30;

/// Which of the items that no listing shows are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Those whose folder is there.
    Tops,
    /// Each.
    All,
}

pub(super) struct Absences<'a> {
    remote: &'a dyn Remote,
    clock: &'a dyn Clock,
    base: &'a BaseTree,
    walk: Walk<'a>,
    now_secs: i64,
    /// Ids that the trash shows, at its top or further down.
    trash: HashSet<ItemId>,
    /// What look-ups found.
    found: HashMap<ItemId, RemoteItem>,
    /// Ids that were asked for, whatever the answer.
    asked: HashSet<ItemId>,
    gone: HashSet<ItemId>,
    /// The walk's number of changes when it was last found out what can be reached.
    seen_at: u64,
}

impl<'a> Absences<'a> {
    /// `now_secs` in lived seconds.
    pub fn new(
        remote: &'a dyn Remote,
        clock: &'a dyn Clock,
        base: &'a BaseTree,
        walk: Walk<'a>,
        now_secs: i64,
    ) -> Self {
        Self {
            seen_at: walk.changes(),
            remote,
            clock,
            base,
            walk,
            now_secs,
            trash: HashSet::new(),
            found: HashMap::new(),
            asked: HashSet::new(),
            gone: HashSet::new(),
        }
    }

    /// Asks what must be asked, and puts the view together.
    pub fn resolve(mut self) -> Result<RemoteView, RemoteError> {
        let mut seen = self.walk.reachable();
        // What a folder held went its way with it, so the folder is asked for first.
        let mut gone_once = self.ask(self.questions(&seen, Missing::Tops), &seen)?;
        self.read_on(&mut seen)?;
        let trashed = self.trash.iter().cloned().collect();
        self.read_trashed(trashed, &seen)?;
        gone_once.extend(self.ask(self.questions(&seen, Missing::All), &seen)?);
        if !gone_once.is_empty() {
            self.clock.pause(SECOND_LOOK)?;
            let gone_twice = self.ask(gone_once, &seen)?;
            self.gone.extend(gone_twice.into_iter().map(|(id, _)| id));
        }
        self.read_trash_of_unknown(&seen)?;
        for _ in 0..DEEPEST {
            self.read_on(&mut seen)?;
            let parents = self.open_parents(&seen);
            if parents.is_empty() {
                break;
            }
            self.ask(parents, &seen)?;
        }
        self.view(&seen)
    }

    /// Reads what can be reached by now and was not read yet. `seen` is what was found to be reachable before, and afterwards what is.
    fn read_on(&mut self, seen: &mut Reached) -> Result<(), RemoteError> {
        self.walk.descend()?;
        if self.seen_at != self.walk.changes() {
            *seen = self.walk.reachable();
            self.seen_at = self.walk.changes();
        }
        Ok(())
    }

    /// Lists the trash for what look-ups did not answer. It is the last resort: on a large account each listing of it takes
    /// half a minute (`docs/protocol.md` §9), and a look-up says the same of one item.
    fn read_trash_of_unknown(&mut self, seen: &Reached) -> Result<(), RemoteError> {
        let is_unknown = |node: Node| {
            let entry = self.base.get(node);
            entry.presence != Presence::LocalOnly
                && !self.walk.was_reached(seen, &entry.remote.id)
                && self.asked.contains(&entry.remote.id)
                && !self.found.contains_key(&entry.remote.id)
                && !self.gone.contains(&entry.remote.id)
                && !self.trash.contains(&entry.remote.id)
        };
        if !self.base.walk(Node::ROOT).any(is_unknown) {
            return Ok(());
        }
        match self.remote.list_trash() {
            Ok(listing) => {
                let ids = listing.items.into_iter().map(|item| item.entry.id);
                let trashed = ids.filter(|id| self.trash.insert(id.clone())).collect();
                self.read_trashed(trashed, seen)
            }
            Err(error) if error.ends_pass() => Err(error),
            Err(error) => {
                log::debug!("the trash cannot be listed: {error}");
                Ok(())
            }
        }
    }

    /// Lists folders that are in the trash, and those in them, as far as the base knows something below them.
    fn read_trashed(&mut self, mut folders: Vec<ItemId>, seen: &Reached) -> Result<(), RemoteError> {
        let base = self.base;
        let holds_more = |id: &ItemId| base.by_id(id).is_some_and(|node| !base.children(node).is_empty());
        for _ in 0..DEEPEST {
            folders.retain(|id| !self.walk.was_reached(seen, id) && holds_more(id));
            if folders.is_empty() {
                break;
            }
            // What is asked for depends on what is there alone, so that a seed means one history.
            folders.sort_unstable();
            let mut inside = Vec::new();
            for listing in self.remote.list(&folders, false) {
                match listing {
                    Ok(listing) => inside.extend(listing.items.into_iter().map(|item| item.entry.id)),
                    Err(error) if error.ends_pass() => return Err(error),
                    // Each item is asked for by itself then.
                    Err(_) => {}
                }
            }
            folders = inside.into_iter().filter(|id| self.trash.insert(id.clone())).collect();
        }
        Ok(())
    }

    /// Whether the folder that held it is missing as well.
    fn is_below_missing(&self, node: Node, seen: &Reached) -> bool {
        self.base.parent(node).filter(|parent| *parent != Node::ROOT).is_some_and(|parent| {
            let parent = self.base.get(parent);
            parent.presence != Presence::LocalOnly && !self.walk.was_reached(seen, &parent.remote.id)
        })
    }

    /// Everything that the listings leave open and that was not asked yet, with whether it is a folder.
    fn questions(&self, seen: &Reached, missing: Missing) -> Vec<(ItemId, bool)> {
        let mut questions = Vec::new();
        for node in self.base.walk(Node::ROOT).filter(|node| *node != Node::ROOT) {
            let entry = self.base.get(node);
            let open = match self
                .walk
                .placed
                .get(&entry.remote.id)
                .filter(|_| self.walk.was_reached(seen, &entry.remote.id))
            {
                Some(placed) => {
                    let parent = self.base.parent(node).map(|parent| &self.base.get(parent).remote.id);
                    // A folder's etag changes with what is in it, and tells nothing of the folder itself.
                    let as_agreed = (entry.folder || placed.entry.etag == entry.remote.etag)
                        && placed.entry.name == entry.remote.name
                        && Some(self.walk.placed.folder(placed)) == parent;
                    let is_sizeless = placed.entry.kind == RemoteKind::File
                        && placed.entry.size.get().is_none()
                        // The version that was agreed on is known.
                        && placed.entry.etag != entry.remote.etag;
                    (self.is_recent(entry) && !as_agreed)
                        || self.trash.contains(&entry.remote.id)
                        || is_sizeless
                }
                None => {
                    entry.presence != Presence::LocalOnly
                        && (self.is_recent(entry) || !self.trash.contains(&entry.remote.id))
                        && !self.is_below_failed(node)
                        && (missing == Missing::All || !self.is_below_missing(node, seen))
                }
            };
            if open {
                questions.push((entry.remote.id.clone(), entry.folder));
            }
        }
        for placed in self.walk.placed_of(seen).filter(|placed| self.base.by_id(&placed.entry.id).is_none()) {
            let (id, folder) = (&placed.entry.id, self.walk.placed.folder(placed));
            let before = self.walk.previous.as_ref().and_then(|before| {
                let tree = before.tree;
                let node = tree.by_id(id)?;
                let parent = tree.parent(node).map(|parent| &tree.get(parent).id);
                let (known, now) = (tree.get(node), &placed.entry);
                // A folder's etag changes with what is in it, at once or much later.
                let is_same_folder = known.is_folder() && now.is_folder() && known.name == now.name;
                ((is_same_folder || known.etag == now.etag) && parent == Some(folder)).then_some(known)
            });
            // A late listing still shows what we have just trashed: an id that is new is asked for, once.
            let is_new = before.is_none() && self.base.len() > 1 && self.base.by_id(folder).is_some();
            let is_sizeless = placed.entry.kind == RemoteKind::File
                && placed.entry.size.get().is_none()
                && before.is_none();
            if (is_new
                && placed.entry.kind != RemoteKind::Foreign
                && placed.entry.kind != RemoteKind::AppLibrary)
                || is_sizeless
                || self.trash.contains(id)
            {
                questions.push((id.clone(), placed.entry.is_folder()));
            }
        }
        questions.retain(|(id, _)| !self.asked.contains(id));
        // The same input asks the same.
        questions.sort();
        questions
    }

    fn is_recent(&self, entry: &Agreed) -> bool {
        entry.written_at.get().is_some_and(|at| self.now_secs.abs_diff(at) <= LATE_SECS)
    }

    /// Whether a folder above could not be read at all: asking for each item below would only add to the load.
    fn is_below_failed(&self, node: Node) -> bool {
        let mut at = self.base.parent(node);
        while let Some(folder) = at {
            if self.walk.failed.contains(&self.base.get(folder).remote.id) {
                return true;
            }
            at = self.base.parent(folder);
        }
        false
    }

    /// Looks items up and takes in what is found. Gives back those that are said to be gone and that no
    /// listing shows.
    fn ask(
        &mut self,
        mut questions: Vec<(ItemId, bool)>,
        seen: &Reached,
    ) -> Result<Vec<(ItemId, bool)>, RemoteError> {
        questions.sort_unstable();
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        self.asked.extend(questions.iter().map(|(id, _)| id.clone()));
        let answers = match self.remote.look_up(&questions) {
            Ok(answers) => answers,
            Err(error) if error.ends_pass() => return Err(error),
            Err(error) => {
                log::debug!("{} items cannot be looked up: {error}", questions.len());
                return Ok(Vec::new());
            }
        };
        let mut gone = Vec::new();
        for (question, answer) in questions.into_iter().zip(answers) {
            match answer {
                LookUp::Found(item) => self.take(item, seen),
                LookUp::Gone if !self.walk.was_reached(seen, &question.0) => gone.push(question),
                LookUp::Gone | LookUp::Unknown => {}
            }
        }
        Ok(gone)
    }

    /// A look-up is current where a listing may be late.
    fn take(&mut self, item: RemoteItem, seen: &Reached) {
        let id = item.entry.id.clone();
        match &item.parent {
            RemoteParent::Trash => {
                self.walk.settle(&id, None);
                self.trash.insert(id.clone());
            }
            RemoteParent::Folder(parent) => {
                self.trash.remove(&id);
                if self.walk.is_closed_library(parent) {
                    self.walk.settle(&id, None);
                } else {
                    let recent = self.base.by_id(&id).is_some_and(|node| self.is_recent(self.base.get(node)));
                    if !self.walk.was_reached(seen, &id) && !recent {
                        self.walk.distrust(parent);
                    }
                    self.walk.settle(&id, Some((parent.clone(), item.entry.clone())));
                }
            }
            RemoteParent::Untold => {}
        }
        self.found.insert(id, item);
    }

    /// Folders that nothing is known of and that something found hangs in.
    fn open_parents(&self, seen: &Reached) -> Vec<(ItemId, bool)> {
        let mut open = HashSet::new();
        for id in self.found.keys().filter(|id| !self.walk.was_reached(seen, id)) {
            let mut at = id;
            for _ in 0..DEEPEST {
                match self.parent_of(at) {
                    Some(RemoteParent::Folder(parent)) if !is_top(parent) => at = parent,
                    Some(_) => break,
                    None => {
                        if !self.asked.contains(at) && !self.trash.contains(at) {
                            open.insert(at.clone());
                        }
                        break;
                    }
                }
            }
        }
        let mut open: Vec<_> = open.into_iter().map(|id| (id, true)).collect();
        open.sort();
        open
    }

    /// Where an item hangs, by the best knowledge.
    fn parent_of(&self, id: &ItemId) -> Option<&RemoteParent> {
        self.found.get(id).map(|item| &item.parent)
    }

    /// What became of an item that is not in the tree.
    fn absence(&self, id: &ItemId) -> Absence {
        let written_just_now = self.base.by_id(id).is_some_and(|node| self.is_recent(self.base.get(node)));
        if self.trash.contains(id) && (self.found.contains_key(id) || !written_just_now) {
            return Absence::Trashed;
        }
        if self.gone.contains(id) && !self.found.contains_key(id) {
            return Absence::Gone;
        }
        let mut at = id;
        for _ in 0..DEEPEST {
            match self.parent_of(at) {
                Some(RemoteParent::Trash) => return Absence::Trashed,
                Some(RemoteParent::Folder(parent)) if self.trash.contains(parent) => return Absence::Trashed,
                // What the configuration leaves closed was not deleted by anybody.
                Some(RemoteParent::Folder(parent)) if self.walk.is_closed_library(parent) => {
                    return Absence::Unknown;
                }
                Some(RemoteParent::Folder(parent)) if is_top(parent) => {
                    return if *parent == self.walk.scope.root {
                        Absence::Unknown
                    } else {
                        Absence::OutOfScope
                    };
                }
                Some(RemoteParent::Folder(parent)) => at = parent,
                Some(RemoteParent::Untold) | None => return Absence::Unknown,
            }
        }
        Absence::Unknown
    }

    fn view(self, seen: &Reached) -> Result<RemoteView, RemoteError> {
        let absent = self
            .base
            .walk(Node::ROOT)
            .filter(|node| *node != Node::ROOT)
            .map(|node| self.base.get(node))
            .filter(|entry| {
                entry.presence != Presence::LocalOnly && !self.walk.was_reached(seen, &entry.remote.id)
            })
            .map(|entry| (entry.remote.id.clone(), self.absence(&entry.remote.id)))
            .collect();
        let unread = || RemoteError::Damaged("the root of the drive was not read".to_owned());
        let Seen { tree, unusable, complete, marks } = self.walk.finish(self.base).ok_or_else(unread)?;
        Ok(RemoteView { tree, absent, unusable, complete, hollow: HashSet::new(), marks })
    }
}

/// Whether it is the top of a zone, above which nothing is.
fn is_top(id: &ItemId) -> bool {
    id.is_doc("documents") || id.is_doc("root") && *id.zone() == Zone::CloudDocs
}
