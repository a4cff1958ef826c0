//! What is to be done for each item, and what has to be done before it.
//!
//! Each task waits for the folder it works in, and for whoever leaves the name it takes.

use std::collections::HashMap;
use std::ops::Range;

use super::items::{Change, Fate, Item, Items, Key, Step, World};
use super::kept_folders::{kept_place, kept_stamp};
use super::mount_points::has_another_volume;
use super::paths::{can_host, end_of, end_on};
use crate::engine::operation::After;
use crate::engine::recognise::LocalFate;
use crate::model::name::key as name_key;
use crate::model::{Node, Presence, Side};

/// One kind of operation; an item's own tasks are carried out in the order in which they were collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
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
    KeepLocalOnly,
    KeepRemoteOnly,
    /// The base learns which volume is mounted on a folder that stays where it is.
    KnowVolume,
    Forget,
}

impl Kind {
    /// Whether a folder stands where it will stand, and the base knows it, only after this task.
    fn is_arrival(self) -> bool {
        matches!(self, Self::MakeLocal | Self::MoveLocal | Self::MakeRemote | Self::MoveRemote | Self::Agree)
    }
}

/// What a task waits for another one to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// To be done.
    Done,
    /// To have left its name, if only for a temporary one.
    Name,
    /// To have left its folder.
    Leave,
    /// To be done, unless that is impossible.
    Courtesy,
}

/// One of maybe a million: each field takes no more room than it needs.
pub(super) struct Task {
    pub key: Key,
    pub kind: Kind,
    pub done: bool,
    /// Went through a temporary name already.
    pub parked: bool,
    /// How many tasks it waits for.
    pub waits: u32,
    /// How many of these it need not wait for.
    pub courtesies: u32,
    /// How many of these only have to leave a name.
    pub name_waits: u32,
    /// Tasks that wait for this one, and for what; hardly any task has some.
    #[allow(clippy::box_collection)]
    waiters: Option<Box<Vec<(Place, For)>>>,
    /// Operations that it came after.
    pub after: After,
}

/// A task's place among all.
pub(super) type Place = u32;

impl Task {
    /// Takes out who waits for one of these, in the order of `what`.
    pub fn take_waiters(&mut self, what: &[For]) -> Vec<(Place, For)> {
        let Some(waiters) = &mut self.waiters else { return Vec::new() };
        let of = |wanted: For| waiters.iter().copied().filter(move |(_, what)| *what == wanted);
        let taken = what.iter().flat_map(|wanted| of(*wanted)).collect();
        waiters.retain(|(_, waited)| !what.contains(waited));
        if waiters.is_empty() {
            self.waiters = None;
        }
        taken
    }

    /// Whether somebody waits for it to leave its name or its folder.
    pub fn is_in_the_way(&self) -> bool {
        let mut waiters = self.waiters.iter().flat_map(|waiters| waiters.iter());
        waiters.any(|(_, what)| matches!(what, For::Name | For::Leave))
    }
}

pub(super) struct Tasks {
    /// In the order of their items.
    pub all: Vec<Task>,
}

impl Tasks {
    /// All tasks, connected.
    pub fn collect(world: &World<'_>, items: &Items) -> Self {
        // Hardly any item has more than one; a list that grows would stand in memory twice.
        let mut all = Vec::with_capacity(items.all.len());
        let mut hosts = HashMap::new();
        for (&key, item) in &items.all {
            all.extend(kinds(world, items, item, &mut hosts).into_iter().map(|kind| Task {
                key,
                kind,
                done: false,
                parked: false,
                waits: 0,
                courtesies: 0,
                name_waits: 0,
                waiters: None,
                after: After::default(),
            }));
        }
        let mut tasks = Self { all };
        Connector { world, items, tasks: &mut tasks, arriving: HashMap::new() }.connect();
        tasks
    }

    /// The tasks of an item.
    pub fn of(&self, key: Key) -> Range<usize> {
        let first = self.all.partition_point(|task| task.key < key);
        let own = self.all[first..].iter().take_while(|task| task.key == key).count();
        first..first + own
    }

    /// Whether a folder has yet to come to where it will stand.
    pub fn is_awaited(&self, folder: Key) -> bool {
        self.all[self.of(folder)].iter().any(|task| task.kind.is_arrival() && !task.done)
    }
}

/// What is to be done for one item.
fn kinds(world: &World<'_>, items: &Items, item: &Item, hosts: &mut HashMap<Key, bool>) -> Vec<Kind> {
    match item.fate {
        Fate::Pin if has_another_volume(world, item) => vec![Kind::KnowVolume],
        Fate::Pin | Fate::Open => Vec::new(),
        Fate::Forget if item.base.is_some() => vec![Kind::Forget],
        Fate::Forget => Vec::new(),
        Fate::OneSided(presence)
            if item.base.is_some_and(|node| world.base.get(node).presence == presence)
                && kept_place(world, items, item, presence).is_none()
                && kept_stamp(world, item, presence).is_none() =>
        {
            Vec::new()
        }
        Fate::OneSided(Presence::LocalOnly) => vec![Kind::KeepLocalOnly],
        Fate::OneSided(_) => vec![Kind::KeepRemoteOnly],
        Fate::DropLocal => vec![Kind::TrashLocal],
        // What a folder takes along needs no call of its own; but the base, where it lies elsewhere, is to be told.
        Fate::DropRemote if goes_with_its_folder(world, items, item) => match (item.base, item.remote) {
            (Some(known), Some(node))
                if world.base.parent(known).map(Key::Base) != Some(items.remote_parent(world, node)) =>
            {
                vec![Kind::Forget]
            }
            _ => Vec::new(),
        },
        Fate::DropRemote => vec![Kind::TrashRemote],
        Fate::Keep => kinds_to_keep(world, items, item, hosts),
    }
}

fn kinds_to_keep(world: &World<'_>, items: &Items, item: &Item, hosts: &mut HashMap<Key, bool>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let Some(place) = &item.place else { return kinds };
    if !can_host(items, place.parent, hosts) {
        return kinds;
    }
    let here = item.local.filter(|_| item.here.is_there());
    let there = item.remote.filter(|_| item.there.is_there());
    if let Some(node) = here
        && (items.local_parent(world, node) != place.parent
            || world.local.tree.name(node) != &*place.local_name)
    {
        kinds.push(Kind::MoveLocal);
    }
    if let Some(node) = there
        && (items.remote_parent(world, node) != place.parent
            || world.remote.tree.get(node).name != place.remote_name)
    {
        kinds.push(Kind::MoveRemote);
    }
    // Whether both sides moved it to the same place already, and only the base lags.
    let misplaced = item.moved_here || item.moved_there;
    match (here, there, item.folder) {
        (None, Some(_), true) => kinds.push(Kind::MakeLocal),
        (Some(_), None, true) => kinds.push(Kind::MakeRemote),
        (None, Some(_), false) => kinds.push(Kind::Download),
        (Some(_), None, false) => kinds.push(Kind::Upload),
        (Some(_), Some(_), true) => {
            let presence = item.base.map(|node| world.base.get(node).presence);
            // A move tells the base of a place, not that the item is agreed again.
            let is_new = presence != Some(Presence::Both) || item.succeeded;
            if is_new || kinds.is_empty() && (misplaced || item.here == Change::Touched) {
                kinds.push(Kind::Agree);
            }
        }
        (Some(_), Some(_), false) => match item.step {
            Step::Download => kinds.push(Kind::Download),
            Step::Upload => kinds.push(Kind::Upload),
            Step::Reconcile => kinds.push(Kind::Reconcile),
            Step::Agree => kinds.push(Kind::Agree),
            // A content that is left alone on purpose is not agreed.
            Step::Nothing if kinds.is_empty() && misplaced && !is_edited(item) => kinds.push(Kind::Agree),
            Step::Nothing => {}
        },
        (None, None, _) => {}
    }
    // The id it had is gone; once the new one is agreed, the base forgets the old.
    let stale = item.base.is_some() && (item.succeeded || there.is_none());
    if stale && !kinds.is_empty() {
        kinds.push(Kind::Forget);
    }
    kinds
}

fn is_edited(item: &Item) -> bool {
    !item.folder && (item.here == Change::Edited || item.there == Change::Edited)
}

/// Whether the folder above goes to iCloud's trash and takes the item along.
fn goes_with_its_folder(world: &World<'_>, items: &Items, item: &Item) -> bool {
    let Some(node) = item.remote else { return true };
    let parent = items.remote_parent(world, node);
    items.all.get(&parent).is_some_and(|folder| folder.fate == Fate::DropRemote)
}

/// Finds out what each task waits for.
struct Connector<'a, 'w> {
    world: &'a World<'w>,
    items: &'a Items,
    tasks: &'a mut Tasks,
    /// For a folder, the nearest one from it upwards that has yet to arrive; on a side, or in the base.
    arriving: HashMap<(Key, Option<Side>), Option<Key>>,
}

type Name = (Side, Key, crate::model::name::Name);

impl Connector<'_, '_> {
    fn connect(&mut self) {
        let leaving = self.leaving();
        for index in 0..self.tasks.all.len() {
            let (key, kind) = (self.tasks.all[index].key, self.tasks.all[index].kind);
            let item = &self.items.all[&key];
            // An item's own tasks come one after the other.
            if index > 0 && self.tasks.all[index - 1].key == key {
                self.wait(index, index - 1, For::Done);
            }
            self.wait_for_place(index, item, kind, &leaving);
            match kind {
                Kind::KeepLocalOnly | Kind::KeepRemoteOnly => {
                    let is_local = kind == Kind::KeepLocalOnly;
                    let presence = if is_local { Presence::LocalOnly } else { Presence::RemoteOnly };
                    if let Some((parent, _)) = kept_place(self.world, self.items, item, presence) {
                        self.wait_for_arrival(index, parent, None);
                    }
                }
                Kind::TrashLocal => {
                    self.wait_for_contents_here(index, item.local);
                    self.wait_for_known_below(index, item.base);
                }
                Kind::TrashRemote => {
                    self.wait_for_contents_there(index, item.remote);
                    self.wait_for_known_below(index, item.base);
                }
                Kind::Forget => {
                    self.wait_for_all_below(index, item.base);
                    if item.fate == Fate::DropRemote {
                        self.wait_for_its_folder(index, item.remote);
                    }
                }
                _ => {}
            }
        }
    }

    /// The tasks that make a name free.
    fn leaving(&self) -> HashMap<Name, Vec<usize>> {
        let folds = self.world.policy.local_folds_case;
        let mut leaving: HashMap<Name, Vec<usize>> = HashMap::new();
        for (index, task) in self.tasks.all.iter().enumerate() {
            let item = &self.items.all[&task.key];
            let name = match task.kind {
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
            if let Some(name) = name {
                leaving.entry(name).or_default().push(index);
            }
        }
        leaving
    }

    /// Waits for the folder in which an item that stays ends, and for its name there.
    fn wait_for_place(&mut self, index: usize, item: &Item, kind: Kind, leaving: &HashMap<Name, Vec<usize>>) {
        let Some(place) = &item.place else { return };
        let (here, there) = (item.here.is_there(), item.there.is_there());
        let side = match kind {
            Kind::MakeLocal | Kind::MoveLocal => Some(Side::Local),
            Kind::Download if !here => Some(Side::Local),
            Kind::MakeRemote | Kind::MoveRemote => Some(Side::Remote),
            Kind::Upload if !there => Some(Side::Remote),
            _ => None,
        };
        self.wait_for_arrival(index, place.parent, side);
        let Some(side) = side.filter(|_| !leaving.is_empty()) else { return };
        let folds = self.world.policy.local_folds_case;
        let name = match side {
            Side::Local => name_key(&place.local_name, folds),
            Side::Remote => name_key(&place.remote_name, false),
        };
        let key = self.tasks.all[index].key;
        for &before in leaving.get(&(side, place.parent, name)).into_iter().flatten() {
            if self.tasks.all[before].key != key {
                self.wait(index, before, For::Name);
            }
        }
    }

    /// Waits until a folder, and all above it, stands where it will stand on a side, or in the base.
    fn wait_for_arrival(&mut self, index: usize, folder: Key, side: Option<Side>) {
        let Some(folder) = self.arriving(folder, side) else { return };
        for before in self.tasks.of(folder) {
            if self.tasks.all[before].kind.is_arrival() {
                self.wait(index, before, For::Done);
            }
        }
    }

    fn wait(&mut self, index: usize, before: usize, what: For) {
        if index == before {
            return;
        }
        let tasks = &mut self.tasks.all;
        tasks[index].waits += 1;
        match what {
            For::Done | For::Leave => {}
            For::Courtesy => tasks[index].courtesies += 1,
            For::Name => tasks[index].name_waits += 1,
        }
        let place = Place::try_from(index).expect("fewer tasks than a tree has places for items");
        tasks[before].waiters.get_or_insert_default().push((place, what));
    }

    /// The nearest folder, from `folder` upwards in the end, that comes to its place by a task.
    fn arriving(&mut self, folder: Key, side: Option<Side>) -> Option<Key> {
        let mut trail = Vec::new();
        let mut at = Some(folder);
        let answer = loop {
            let Some(key) = at else { break None };
            if let Some(&known) = self.arriving.get(&(key, side)) {
                break known;
            }
            trail.push(key);
            if self.tasks.all[self.tasks.of(key)].iter().any(|task| task.kind.is_arrival()) {
                break Some(key);
            }
            at = match side {
                Some(side) => end_on(self.world, self.items, key, side),
                None => end_of(self.world, self.items, key),
            };
        };
        self.arriving.extend(trail.into_iter().map(|key| ((key, side), answer)));
        answer
    }

    /// A folder here goes after everything that leaves it.
    fn wait_for_contents_here(&mut self, index: usize, folder: Option<Node>) {
        let Some(folder) = folder else { return };
        for &child in self.world.local.tree.children(folder) {
            let key = self.items.key_of_local(self.world, child);
            self.wait_for(index, key, &[Kind::MoveLocal, Kind::TrashLocal], For::Leave);
        }
    }

    /// A folder on iCloud goes after everything that leaves it, also what goes up again under another id.
    fn wait_for_contents_there(&mut self, index: usize, folder: Option<Node>) {
        let Some(folder) = folder else { return };
        for child in self.world.remote.tree.walk(folder) {
            let key = self.items.key_of_remote(self.world, child);
            if child != folder {
                self.wait_for(index, key, &[Kind::MoveRemote], For::Leave);
            }
            if let Key::Base(node) = key
                && let LocalFate::There { node, .. } = self.world.recognition.of_base[node]
                && let Some(&fresh) = self.items.split.get(&node)
            {
                self.wait_for(index, fresh, &[Kind::MakeRemote, Kind::Upload], For::Courtesy);
            }
        }
    }

    /// The base forgets a folder that goes to a trash with all that it knows below: what lives on elsewhere is put there
    /// first.
    fn wait_for_known_below(&mut self, index: usize, item: Option<Node>) {
        let mut stack: Vec<Node> =
            item.into_iter().flat_map(|item| self.world.base.children(item)).copied().collect();
        while let Some(node) = stack.pop() {
            let mut goes_itself = false;
            for before in self.tasks.of(Key::Base(node)) {
                match self.tasks.all[before].kind {
                    Kind::MoveLocal | Kind::MoveRemote => self.wait(index, before, For::Leave),
                    Kind::Agree | Kind::KeepLocalOnly | Kind::KeepRemoteOnly => {
                        self.wait(index, before, For::Courtesy);
                    }
                    Kind::TrashLocal | Kind::TrashRemote => {
                        goes_itself = true;
                        self.wait(index, before, For::Courtesy);
                    }
                    _ => {}
                }
            }
            if !goes_itself {
                stack.extend(self.world.base.children(node));
            }
        }
    }

    /// What a folder on iCloud takes along goes when that folder goes.
    fn wait_for_its_folder(&mut self, index: usize, item: Option<Node>) {
        let mut at = item.map(|node| self.items.remote_parent(self.world, node));
        while let Some(folder) = at.and_then(|key| self.items.all.get(&key)) {
            if let Some(key) = at {
                self.wait_for(index, key, &[Kind::TrashRemote], For::Done);
            }
            at = folder.remote.map(|node| self.items.remote_parent(self.world, node));
        }
    }

    /// Forgetting takes all below along, so it comes after what is still to be said of that.
    fn wait_for_all_below(&mut self, index: usize, item: Option<Node>) {
        let mut stack: Vec<Node> =
            item.into_iter().flat_map(|item| self.world.base.children(item)).copied().collect();
        while let Some(node) = stack.pop() {
            let own = self.tasks.of(Key::Base(node));
            // Who is forgotten waits for what is below itself.
            if !self.tasks.all[own.clone()].iter().any(|task| task.kind == Kind::Forget) {
                stack.extend(self.world.base.children(node));
            }
            for before in own {
                self.wait(index, before, For::Done);
            }
        }
    }

    fn wait_for(&mut self, index: usize, key: Key, kinds: &[Kind], what: For) {
        for before in self.tasks.of(key) {
            if kinds.contains(&self.tasks.all[before].kind) {
                self.wait(index, before, what);
            }
        }
    }
}
