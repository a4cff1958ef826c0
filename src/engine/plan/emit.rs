//! In which order it is done.
//!
//! Each operation waits for the folder it works in, and for whoever leaves the name it takes. Where moves wait
//! for each other in a ring, one of them goes through a temporary name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

use super::items::{Change, Fate, Item, Items, Key, Step, World};
use super::{ConflictPolicy, Mode};
use crate::engine::conflict::conflict_name;
use crate::engine::operation::{
    Action, Conflict, LocalSeen, NoteKind, Operation, Parent, Plan, Reason, RemoteSeen, UploadTarget,
};
use crate::engine::recognise::LocalFate;
use crate::model::name::key as name_key;
use crate::model::{ItemId, Node, Presence, RelPath, Side};

/// Orders what is to be done into a plan.
pub(super) fn emit(world: &World<'_>, items: Items) -> Plan {
    let mut emitter = Emitter::new(world, &items);
    emitter.collect();
    emitter.connect();
    emitter.run();
    let mut plan = Plan { operations: emitter.operations, notes: items.notes };
    plan.notes.sort_by(|a, b| a.path.cmp(&b.path));
    plan.notes.extend(world.local.failed.iter().map(|(path, why)| {
        super::note(path.clone(), NoteKind::Unsettled(format!("cannot read this folder: {why}")))
    }));
    plan
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    MakeLocal,
    MoveLocal,
    MakeRemote,
    MoveRemote,
    Agree,
    Download,
    Upload,
    Reconcile,
    TrashLocal,
    TrashRemote,
    Keep(PresenceOrder),
    Forget,
}

/// What a task waits for another one to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum For {
    Done,
    Name,
    Leave,
}

/// [`Presence`] with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PresenceOrder {
    Local,
    Remote,
}

struct Task {
    key: Key,
    kind: Kind,
    /// Tasks that wait until this one is done.
    waiters: Vec<usize>,
    /// Tasks that wait until this one has left its name.
    name_waiters: Vec<usize>,
    /// Tasks that wait until this one has left its folder.
    leave_waiters: Vec<usize>,
    /// How many tasks it waits for, and how many of these only have to leave a name.
    waits: usize,
    name_waits: usize,
    /// Operations that it came after.
    after: Vec<usize>,
    done: bool,
    /// Went through a temporary name already.
    parked: bool,
}

struct Emitter<'a, 'w> {
    world: &'a World<'w>,
    items: &'a Items,
    tasks: Vec<Task>,
    of_item: BTreeMap<Key, Vec<usize>>,
    /// Places here that operations have changed.
    moved: HashMap<Key, (Key, Box<str>)>,
    /// Operations that make a folder on iCloud.
    made: HashMap<Key, usize>,
    /// Names that something gets in this plan, by composed form.
    given: HashSet<(Key, Box<str>)>,
    operations: Vec<Operation>,
}

impl<'a, 'w> Emitter<'a, 'w> {
    fn new(world: &'a World<'w>, items: &'a Items) -> Self {
        Self {
            world,
            items,
            tasks: Vec::new(),
            of_item: BTreeMap::new(),
            moved: HashMap::new(),
            made: HashMap::new(),
            given: items
                .all
                .values()
                .filter_map(|item| item.place.as_ref())
                .map(|place| (place.parent, name_key(&place.local_name, true)))
                .collect(),
            operations: Vec::new(),
        }
    }

    fn collect(&mut self) {
        let mut hosts = HashMap::new();
        for (&key, item) in &self.items.all {
            for kind in self.kinds(key, item, &mut hosts) {
                self.of_item.entry(key).or_default().push(self.tasks.len());
                self.tasks.push(Task {
                    key,
                    kind,
                    waiters: Vec::new(),
                    name_waiters: Vec::new(),
                    leave_waiters: Vec::new(),
                    waits: 0,
                    name_waits: 0,
                    after: Vec::new(),
                    done: false,
                    parked: false,
                });
            }
        }
    }

    /// What is to be done for one item.
    fn kinds(&self, key: Key, item: &Item, hosts: &mut HashMap<Key, bool>) -> Vec<Kind> {
        let mut kinds = Vec::new();
        match item.fate {
            Fate::Pin | Fate::Open => {}
            Fate::Forget if item.base.is_some() => kinds.push(Kind::Forget),
            Fate::Forget => {}
            Fate::OneSided(Presence::LocalOnly) => kinds.push(Kind::Keep(PresenceOrder::Local)),
            Fate::OneSided(_) => kinds.push(Kind::Keep(PresenceOrder::Remote)),
            Fate::DropLocal => kinds.push(Kind::TrashLocal),
            // What a folder takes along needs no call of its own.
            Fate::DropRemote if self.goes_with_its_folder(item) => {}
            Fate::DropRemote => kinds.push(Kind::TrashRemote),
            Fate::Keep => {
                let Some(place) = &item.place else { return kinds };
                if !self.can_host(place.parent, hosts) {
                    return kinds;
                }
                let here = item.local.filter(|_| item.here.is_there());
                let there = item.remote.filter(|_| item.there.is_there());
                if let Some(node) = here
                    && (self.items.local_parent(self.world, node) != place.parent
                        || self.world.local.tree.name(node) != &*place.local_name)
                {
                    kinds.push(Kind::MoveLocal);
                }
                if let Some(node) = there
                    && (self.items.remote_parent(self.world, node) != place.parent
                        || self.world.remote.tree.get(node).name != place.remote_name)
                {
                    kinds.push(Kind::MoveRemote);
                }
                match (here, there, item.folder) {
                    (None, Some(_), true) => kinds.push(Kind::MakeLocal),
                    (Some(_), None, true) => kinds.push(Kind::MakeRemote),
                    (None, Some(_), false) => kinds.push(Kind::Download),
                    (Some(_), None, false) => kinds.push(Kind::Upload),
                    (Some(_), Some(_), true) => {
                        let presence = item.base.map(|node| self.world.base.get(node).presence);
                        if kinds.is_empty()
                            && (presence != Some(Presence::Both) || item.succeeded || self.is_misplaced(item))
                        {
                            kinds.push(Kind::Agree);
                        }
                    }
                    (Some(_), Some(_), false) => match item.step {
                        Step::Download => kinds.push(Kind::Download),
                        Step::Upload => kinds.push(Kind::Upload),
                        Step::Reconcile => kinds.push(Kind::Reconcile),
                        Step::Agree => kinds.push(Kind::Agree),
                        Step::Nothing if kinds.is_empty() && self.is_misplaced(item) => {
                            kinds.push(Kind::Agree)
                        }
                        Step::Nothing => {}
                    },
                    (None, None, _) => {}
                }
                // The id it had is gone; once the new one is agreed, the base forgets the old.
                let stale = item.base.is_some() && (item.succeeded || there.is_none());
                if stale && !kinds.is_empty() {
                    kinds.push(Kind::Forget);
                }
            }
        }
        let _ = key;
        kinds
    }

    /// Whether both sides moved it to the same place already, and only the base lags.
    fn is_misplaced(&self, item: &Item) -> bool {
        item.moved_here || item.moved_there
    }

    /// Whether the folder above goes to iCloud's trash and takes the item along.
    fn goes_with_its_folder(&self, item: &Item) -> bool {
        let Some(node) = item.remote else { return true };
        let parent = self.items.remote_parent(self.world, node);
        self.items.all.get(&parent).is_some_and(|folder| folder.fate == Fate::DropRemote)
    }

    /// Whether the folder stands, or will stand, on both sides.
    fn can_host(&self, folder: Key, hosts: &mut HashMap<Key, bool>) -> bool {
        let mut trail = Vec::new();
        let mut at = folder;
        let answer = loop {
            if let Some(&known) = hosts.get(&at) {
                break known;
            }
            trail.push(at);
            let Some(item) = self.items.all.get(&at) else { break true };
            match (item.fate, &item.place) {
                (Fate::Keep, Some(place)) if trail.len() < 100_000 => at = place.parent,
                (Fate::Pin, _) => break item.here.is_there() && item.there.is_there() && item.base.is_some(),
                _ => break false,
            }
        };
        hosts.extend(trail.into_iter().map(|key| (key, answer)));
        answer
    }

    fn connect(&mut self) {
        let folds = self.world.policy.local_folds_case;
        let mut leaving: HashMap<(Side, Key, Box<str>), Vec<usize>> = HashMap::new();
        for (index, task) in self.tasks.iter().enumerate() {
            let item = &self.items.all[&task.key];
            let place = match task.kind {
                Kind::MoveLocal | Kind::TrashLocal => item.local.map(|node| {
                    let name = self.world.local.tree.name(node);
                    (Side::Local, self.items.local_parent(self.world, node), name_key(name, folds))
                }),
                Kind::MoveRemote | Kind::TrashRemote => item.remote.map(|node| {
                    let name = &self.world.remote.tree.get(node).name;
                    (Side::Remote, self.items.remote_parent(self.world, node), name_key(name, false))
                }),
                _ => None,
            };
            if let Some(place) = place {
                leaving.entry(place).or_default().push(index);
            }
        }
        for index in 0..self.tasks.len() {
            let (key, kind) = (self.tasks[index].key, self.tasks[index].kind);
            let item = &self.items.all[&key];
            // An item's own tasks come one after the other.
            let own = &self.of_item[&key];
            let at = own.iter().position(|other| *other == index).unwrap_or(0);
            if at > 0 {
                let before = own[at - 1];
                self.wait(index, before, For::Done);
            }
            if let (Fate::Keep, Some(place)) = (item.fate, item.place.clone()) {
                for before in self.arrivals(place.parent) {
                    self.wait(index, before, For::Done);
                }
                let taken = match kind {
                    Kind::MakeLocal | Kind::MoveLocal => {
                        Some((Side::Local, place.parent, name_key(&place.local_name, folds)))
                    }
                    Kind::Download if item.local.is_none() || !item.here.is_there() => {
                        Some((Side::Local, place.parent, name_key(&place.local_name, folds)))
                    }
                    Kind::MakeRemote | Kind::MoveRemote => {
                        Some((Side::Remote, place.parent, name_key(&place.remote_name, false)))
                    }
                    Kind::Upload if item.remote.is_none() || !item.there.is_there() => {
                        Some((Side::Remote, place.parent, name_key(&place.remote_name, false)))
                    }
                    _ => None,
                };
                for &before in taken.iter().flat_map(|taken| leaving.get(taken)).flatten() {
                    if self.tasks[before].key != key {
                        self.wait(index, before, For::Name);
                    }
                }
            }
            match kind {
                Kind::TrashLocal => self.wait_for_contents(index, item.local, Side::Local),
                Kind::TrashRemote => self.wait_for_contents(index, item.remote, Side::Remote),
                Kind::Forget => self.wait_for_all_below(index, item.base),
                _ => {}
            }
            // What went up under a new id is trashed under its old one only afterwards.
            if let (Kind::TrashRemote, Some(node)) = (kind, item.base)
                && let LocalFate::There { node, .. } = self.world.recognition.of_base[node]
                && let Some(fresh) = self.items.split.get(&node)
            {
                for before in self.of_item.get(fresh).cloned().unwrap_or_default() {
                    self.wait(index, before, For::Done);
                }
            }
        }
    }

    fn wait(&mut self, index: usize, before: usize, what: For) {
        if index == before {
            return;
        }
        self.tasks[index].waits += 1;
        match what {
            For::Done => self.tasks[before].waiters.push(index),
            For::Leave => self.tasks[before].leave_waiters.push(index),
            For::Name => {
                self.tasks[index].name_waits += 1;
                self.tasks[before].name_waiters.push(index);
            }
        }
    }

    /// The tasks after which a folder stands where it will stand, and the base knows it.
    fn arrivals(&self, folder: Key) -> Vec<usize> {
        let is_arrival = |index: &usize| {
            matches!(
                self.tasks[*index].kind,
                Kind::MakeLocal | Kind::MoveLocal | Kind::MakeRemote | Kind::MoveRemote | Kind::Agree
            )
        };
        self.of_item.get(&folder).into_iter().flatten().copied().filter(|index| is_arrival(index)).collect()
    }

    /// A folder goes after everything that leaves it.
    fn wait_for_contents(&mut self, index: usize, folder: Option<Node>, side: Side) {
        let Some(folder) = folder else { return };
        let keys: Vec<Key> = match side {
            Side::Local => {
                let children = self.world.local.tree.children(folder);
                children.iter().map(|child| self.items.key_of_local(self.world, *child)).collect()
            }
            Side::Remote => {
                let below = self.world.remote.tree.walk(folder).skip(1);
                below.map(|child| self.items.key_of_remote(self.world, child)).collect()
            }
        };
        for key in keys {
            for before in self.of_item.get(&key).cloned().unwrap_or_default() {
                let leaves = match side {
                    Side::Local => matches!(self.tasks[before].kind, Kind::MoveLocal | Kind::TrashLocal),
                    Side::Remote => self.tasks[before].kind == Kind::MoveRemote,
                };
                if leaves {
                    self.wait(index, before, For::Leave);
                }
            }
        }
    }

    fn wait_for_all_below(&mut self, index: usize, item: Option<Node>) {
        let Some(item) = item else { return };
        let below: Vec<Key> = self.world.base.walk(item).skip(1).map(Key::Base).collect();
        for key in below {
            for before in self.of_item.get(&key).cloned().unwrap_or_default() {
                self.wait(index, before, For::Done);
            }
        }
    }

    fn run(&mut self) {
        let mut ready = BinaryHeap::new();
        for (index, task) in self.tasks.iter().enumerate() {
            if task.waits == 0 {
                ready.push(Reverse((self.order(index), index)));
            }
        }
        loop {
            while let Some(Reverse((_, index))) = ready.pop() {
                let operation = self.perform(index, None);
                let task = &mut self.tasks[index];
                task.done = true;
                let waiters = std::mem::take(&mut task.waiters);
                let leave_waiters = std::mem::take(&mut task.leave_waiters);
                let name_waiters = std::mem::take(&mut task.name_waiters);
                self.release(waiters, operation, false, &mut ready);
                self.release(leave_waiters, operation, false, &mut ready);
                self.release(name_waiters, operation, true, &mut ready);
            }
            let Some((index, at_its_end)) = self.ring() else { return };
            let folder = if at_its_end {
                self.items.all[&self.tasks[index].key].place.as_ref().map(|place| place.parent)
            } else {
                None
            };
            let operation = self.perform(index, Some(folder));
            let task = &mut self.tasks[index];
            task.parked = true;
            task.after.extend(operation);
            let name_waiters = std::mem::take(&mut task.name_waiters);
            let leave_waiters = if at_its_end { std::mem::take(&mut task.leave_waiters) } else { Vec::new() };
            self.release(name_waiters, operation, true, &mut ready);
            self.release(leave_waiters, operation, false, &mut ready);
        }
    }

    /// Where tasks wait for each other in a ring: a move that steps aside, to a temporary name in the folder where it
    /// ends (`true`) if that is there already, else in the one where it is.
    fn ring(&self) -> Option<(usize, bool)> {
        let movable = |task: &&Task| {
            !task.done && !task.parked && matches!(task.kind, Kind::MoveLocal | Kind::MoveRemote)
        };
        let position = |fits: &dyn Fn(&Task) -> bool| {
            self.tasks
                .iter()
                .enumerate()
                .filter(|(_, task)| movable(task))
                .find(|(_, task)| fits(task))
                .map(|(at, _)| at)
        };
        let arrived = position(&|task| {
            task.waits == task.name_waits && !(task.name_waiters.is_empty() && task.leave_waiters.is_empty())
        });
        arrived
            .map(|index| (index, true))
            .or_else(|| position(&|task| !task.name_waiters.is_empty()).map(|index| (index, false)))
    }

    fn release(
        &mut self,
        waiters: Vec<usize>,
        operation: Option<usize>,
        for_name: bool,
        ready: &mut BinaryHeap<Reverse<((usize, Kind), usize)>>,
    ) {
        for waiter in waiters {
            let task = &mut self.tasks[waiter];
            task.waits -= 1;
            task.name_waits -= usize::from(for_name);
            task.after.extend(operation);
            if task.waits == 0 {
                ready.push(Reverse((self.order(waiter), waiter)));
            }
        }
    }

    /// Folders and moves first, then contents, then deletions; the base's own last.
    fn order(&self, index: usize) -> (usize, Kind) {
        let phase = match self.tasks[index].kind {
            Kind::MakeLocal | Kind::MoveLocal | Kind::MakeRemote | Kind::MoveRemote => 0,
            Kind::Agree | Kind::Download | Kind::Upload | Kind::Reconcile => 1,
            Kind::TrashLocal | Kind::TrashRemote => 2,
            Kind::Keep(_) | Kind::Forget => 3,
        };
        (phase, self.tasks[index].kind)
    }

    /// Where an item hangs here at this point of the plan.
    fn place_here(&self, key: Key) -> Option<(Key, Box<str>)> {
        if let Some(place) = self.moved.get(&key) {
            return Some(place.clone());
        }
        let node = match (self.items.all.get(&key), key) {
            (Some(item), _) => item.local?,
            (None, Key::Base(node)) => match self.world.recognition.of_base[node] {
                LocalFate::There { node, .. } => node,
                _ => return None,
            },
            _ => return None,
        };
        Some((self.items.local_parent(self.world, node), self.world.local.tree.name(node).into()))
    }

    fn path_here(&self, key: Key) -> RelPath {
        let mut names = Vec::new();
        let mut at = key;
        while at != Key::ROOT {
            let Some((parent, name)) = self.place_here(at) else { break };
            names.push(name);
            at = parent;
        }
        names.reverse();
        RelPath::parse(&names.join("/")).expect("trees hold checked names only")
    }

    fn seen_here(&self, item: &Item, key: Key) -> Option<LocalSeen> {
        let mut seen = self.world.local_seen(item.local?, self.path_here(key));
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
            (None, Key::Base(node)) => self.world.base.get(node).id.clone(),
            _ => return None,
        };
        Some(Parent::Known(id))
    }

    /// Appends the operation of a task; `temporary` moves to a temporary name instead, in that folder or where it is.
    fn perform(&mut self, index: usize, temporary: Option<Option<Key>>) -> Option<usize> {
        let Task { key, kind, .. } = self.tasks[index];
        let item = &self.items.all[&key];
        let (action, path, reason) = self.action(key, kind, item, temporary)?;
        if let Kind::MakeLocal | Kind::MoveLocal | Kind::Download = kind {
            let place = item.place.as_ref()?;
            let (parent, name) = match temporary {
                Some(Some(folder)) => (folder, path.name().into()),
                Some(None) => (self.place_here(key)?.0, path.name().into()),
                None => (place.parent, place.local_name.clone()),
            };
            self.moved.insert(key, (parent, name));
        }
        if kind == Kind::MakeRemote {
            self.made.insert(key, self.operations.len());
        }
        if let (
            Action::Compare { otherwise: Conflict::KeepBoth { copy, .. }, .. }
            | Action::Settle { conflict: Conflict::KeepBoth { copy, .. }, .. },
            Some(place),
        ) = (&action, &item.place)
        {
            self.given.insert((place.parent, name_key(copy.name(), true)));
        }
        let mut after = self.tasks[index].after.clone();
        after.sort_unstable();
        after.dedup();
        self.operations.push(Operation { action, path, reason, after });
        Some(self.operations.len() - 1)
    }

    fn action(
        &self,
        key: Key,
        kind: Kind,
        item: &Item,
        temporary: Option<Option<Key>>,
    ) -> Option<(Action, RelPath, Reason)> {
        let base_id = || item.base.map(|node| self.world.base.get(node).id.clone());
        let here = self.seen_here(item, key);
        let there = self.seen_there(item);
        let place = item.place.as_ref();
        let end = || {
            let place = place?;
            self.path_here(place.parent).join(&place.local_name).ok()
        };
        let shown = || super::decide::shown_path(self.world, item);
        Some(match kind {
            Kind::MakeLocal => (Action::MakeLocalFolder { remote: there? }, end()?, item.reason),
            Kind::MoveLocal => {
                let local = here?;
                let path = match temporary {
                    Some(folder) => {
                        let at = folder.or_else(|| Some(self.place_here(key)?.0))?;
                        self.path_here(at).join(&aside_name(local.path.name(), self.operations.len())).ok()?
                    }
                    None => end()?,
                };
                // Where the item on iCloud has yet to move too, the base learns the place from that operation.
                let moves_there =
                    self.of_item[&key].iter().any(|task| self.tasks[*task].kind == Kind::MoveRemote);
                let known =
                    item.base.is_some() && item.there.is_there() && !moves_there && temporary.is_none();
                (Action::MoveLocal { remote: there.filter(|_| known), local }, path, self.move_reason(item))
            }
            Kind::MakeRemote => {
                let place = place?;
                let parent = self.parent_there(place.parent)?;
                (
                    Action::MakeRemoteFolder { local: here?, parent, name: place.remote_name.clone() },
                    end()?,
                    item.reason,
                )
            }
            Kind::MoveRemote => {
                let place = place?;
                let remote = there?;
                let (parent, name) = match temporary {
                    Some(folder) => {
                        let at = match folder {
                            Some(folder) => self.parent_there(folder)?,
                            None => Parent::Known(remote.parent.clone()),
                        };
                        (at, aside_name(&remote.name, self.operations.len()))
                    }
                    None => (self.parent_there(place.parent)?, place.remote_name.clone()),
                };
                let local = here.filter(|_| temporary.is_none() && item.here.is_there());
                let temporary = temporary.is_some();
                (
                    Action::MoveRemote { remote, local, parent, name, temporary },
                    end()?,
                    self.move_reason(item),
                )
            }
            Kind::Agree => (Action::Agree { remote: there?, local: here? }, end()?, item.reason),
            Kind::Download => {
                let over = here.filter(|_| item.here.is_there());
                (Action::Download { remote: there?, over }, end()?, item.reason)
            }
            Kind::Upload => {
                let place = place?;
                let target = match there.filter(|_| item.there.is_there()) {
                    Some(remote) => UploadTarget::Over { remote, way: self.world.policy.replacement },
                    None => UploadTarget::New {
                        parent: self.parent_there(place.parent)?,
                        name: place.remote_name.clone(),
                    },
                };
                (Action::Upload { local: here?, target }, end()?, item.reason)
            }
            Kind::Reconcile => self.reconcile(item, here?, there?)?,
            Kind::TrashLocal => {
                let local = here?;
                let path = local.path.clone();
                (Action::TrashLocal { id: base_id(), local, folder: item.folder }, path, item.reason)
            }
            Kind::TrashRemote => {
                let path = item.base.map_or_else(shown, |node| self.world.base.path(node));
                // Where this plan itself brings another item to the place, that one is no sign of life.
                let parent = item.base.and_then(|node| self.world.base.parent(node)).map(Key::Base)?;
                let given = self.given.contains(&(parent, name_key(path.name(), true)));
                let absent = (item.here == Change::Deleted && !given).then(|| path.clone());
                (
                    Action::TrashRemote { remote: there?, subtree: self.subtree(item), absent },
                    path,
                    item.reason,
                )
            }
            Kind::Keep(presence) => {
                let presence = match presence {
                    PresenceOrder::Local => Presence::LocalOnly,
                    PresenceOrder::Remote => Presence::RemoteOnly,
                };
                (Action::Keep { id: base_id()?, presence }, shown(), Reason::HoldsForeign)
            }
            Kind::Forget => (Action::Forget { id: base_id()? }, shown(), item.reason),
        })
    }

    fn move_reason(&self, item: &Item) -> Reason {
        match item.moved {
            _ if item.reason == Reason::NameClaimed || item.reason == Reason::MovedOnBoth => item.reason,
            Some(Side::Remote) if item.moved_here => Reason::MovedOnBoth,
            Some(side) => Reason::Moved(side),
            None => item.reason,
        }
    }

    /// Every item below a folder that goes to iCloud's trash, as seen.
    fn subtree(&self, item: &Item) -> Vec<(ItemId, crate::model::Etag)> {
        let tree = &self.world.remote.tree;
        let nodes = item.remote.filter(|_| item.folder).into_iter().flat_map(|node| tree.walk(node).skip(1));
        // What is to leave the folder first is not among them.
        let stays = |node: &Node| {
            self.items
                .all
                .get(&self.items.key_of_remote(self.world, *node))
                .is_none_or(|item| item.fate != Fate::Keep)
        };
        nodes.filter(stays).map(|node| (tree.get(node).id.clone(), tree.get(node).etag.clone())).collect()
    }

    fn reconcile(
        &self,
        item: &Item,
        local: LocalSeen,
        remote: RemoteSeen,
    ) -> Option<(Action, RelPath, Reason)> {
        let policy = self.world.policy;
        let path = local.path.clone();
        let package = remote.package;
        let keep_both = || {
            let copy = self.copy_path(item, &path)?;
            Some(Conflict::KeepBoth { copy, local_only: package })
        };
        let conflict = match (policy.mode, policy.conflict) {
            (Mode::UploadOnly, _) => Conflict::TakeLocal,
            _ if package => keep_both()?,
            (_, ConflictPolicy::KeepBoth) => keep_both()?,
            (mode, ConflictPolicy::Newest) => {
                match (remote.mtime.map(|time| time.0), local.stamp.mtime.whole_seconds()) {
                    (Some(there), here) if there > here => Conflict::TakeRemote,
                    (Some(there), here) if there < here && mode == Mode::TwoWay => Conflict::TakeLocal,
                    _ => keep_both()?,
                }
            }
        };
        let comparable = !package && remote.size.is_none_or(|size| size == local.stamp.size);
        let equal = matches!((remote.signature, local.signature), (Some(a), Some(b)) if a == b);
        let action = match (comparable, equal) {
            (true, true) => Action::Agree { remote, local },
            (true, false) => Action::Compare { remote, local, otherwise: conflict },
            (false, _) => Action::Settle { remote, local, conflict },
        };
        let reason = if equal && comparable {
            Reason::Same
        } else if package {
            item.reason
        } else {
            Reason::Conflict
        };
        Some((action, path, reason))
    }

    /// A free name for the conflict copy of the file at `path`.
    fn copy_path(&self, item: &Item, path: &RelPath) -> Option<RelPath> {
        let (here, there) = (&self.world.local.tree, &self.world.remote.tree);
        let folder = item.place.as_ref()?.parent;
        let taken = |name: &str| {
            let given = self.given.contains(&(folder, name_key(name, true)));
            let local = item
                .local
                .and_then(|node| here.parent(node))
                .is_some_and(|folder| here.child(folder, name).is_some());
            let remote = item.remote.and_then(|node| there.parent(node)).is_some_and(|folder| {
                there
                    .children(folder)
                    .iter()
                    .any(|child| crate::model::name::same(&there.get(*child).name, name))
            });
            given || local || remote
        };
        let name = (1..)
            .map(|nth| conflict_name(path.name(), self.world.policy.conflict_mark, nth))
            .find(|name| !taken(name))?;
        path.parent()?.join(&name).ok()
    }
}

/// A name for the time of a swap.
fn aside_name(name: &str, number: usize) -> Box<str> {
    let text = format!(".icloudds-moving-{number}-{name}");
    let mut end = text.len().min(crate::engine::conflict::MAX_NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}
