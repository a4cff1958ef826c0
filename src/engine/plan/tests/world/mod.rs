//! Two sides and a base in memory.

pub mod again;
mod perform;
mod views;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::operation::{Plan, Replacement};
use crate::engine::plan::{ConflictPolicy, Mode, Policy, plan};
use crate::engine::recognise::recognise;
use crate::engine::view::{Absence, LocalView, RemoteView};
use crate::model::*;

pub const MARK: &str = "2026-11-22 10-00-00 nas";

/// One item of one side. `content` 0 is a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    pub parent: u64,
    pub name: String,
    pub content: u64,
    pub version: u64,
    pub kind: Kind,
    /// Its inode; hard links share one.
    pub inode: u64,
    /// Nanoseconds that `touch` added to its time.
    pub touched: u32,
    /// Emptied by a power cut.
    pub cut: bool,
    /// iCloud shows it without a size.
    pub unsized_there: bool,
    /// iCloud tells its signature.
    pub signed: bool,
    /// Seconds by which its time is earlier than that of its content, as a backup sets it.
    pub earlier: i64,
}

/// What else a thing can be than an ordinary file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// A link, socket or device.
    Special,
    /// Shared to the account.
    Foreign,
    /// An app library.
    Library,
    /// A document package.
    Package,
}

impl Kind {
    /// The kind of that name.
    pub fn of(name: &str) -> Self {
        match name {
            "special" => Self::Special,
            "foreign" => Self::Foreign,
            "package" => Self::Package,
            _ => panic!("no such kind: {name}"),
        }
    }
}

/// Document numbers from here on live in the app library's zone.
pub const LIBRARY: u64 = 1_000_000_000;
/// What stands at a mount point without its volume has another inode.
const MISSING: u64 = 1_000_000_000;

impl Thing {
    pub fn new(parent: u64, name: &str, content: u64, version: u64) -> Self {
        Self {
            parent,
            name: name.to_owned(),
            content,
            version,
            kind: Kind::Plain,
            inode: version,
            touched: 0,
            cut: false,
            unsized_there: false,
            signed: false,
            earlier: 0,
        }
    }

    pub fn is_folder(&self) -> bool {
        self.content == 0
    }
}

/// One side: things by inode or document number; 0 is the root.
#[derive(Clone, Debug, Default)]
pub struct Half {
    pub things: BTreeMap<u64, Thing>,
    pub trash: Vec<u64>,
    pub trashed_ids: BTreeSet<u64>,
    /// What was removed, for whoever puts it back.
    gone: BTreeMap<u64, Thing>,
}

impl Half {
    pub fn child(&self, parent: u64, name: &str) -> Option<u64> {
        self.things.iter().find(|(_, thing)| thing.parent == parent && thing.name == name).map(|(id, _)| *id)
    }

    pub fn find(&self, path: &str) -> Option<u64> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(0, |at, name| self.child(at, name))
    }

    pub fn path(&self, id: u64) -> String {
        let mut names = Vec::new();
        let mut at = id;
        while at != 0 {
            let thing = &self.things[&at];
            names.push(thing.name.as_str());
            at = thing.parent;
        }
        names.reverse();
        names.join("/")
    }

    pub fn is_within(&self, id: u64, folder: u64) -> bool {
        let mut at = id;
        while at != 0 {
            if at == folder {
                return true;
            }
            at = self.things[&at].parent;
        }
        folder == 0
    }

    pub fn below(&self, folder: u64) -> Vec<u64> {
        self.things.keys().copied().filter(|id| *id != folder && self.is_within(*id, folder)).collect()
    }

    /// Paths with contents; folders end in `/`.
    pub fn listing(&self) -> BTreeMap<String, u64> {
        let show = |(id, thing): (&u64, &Thing)| {
            let path = self.path(*id);
            (if thing.is_folder() { format!("{path}/") } else { path }, thing.content)
        };
        self.things.iter().map(show).collect()
    }

    pub fn remove(&mut self, id: u64) {
        for gone in self.below(id).into_iter().chain([id]) {
            if let Some(thing) = self.things.remove(&gone) {
                self.trashed_ids.insert(gone);
                self.gone.insert(gone, thing.clone());
                if !thing.is_folder() && !thing.cut {
                    self.trash.push(thing.content);
                }
            }
        }
    }

    /// Puts back what had that name last, with all that went with it.
    pub fn restore(&mut self, name: &str) {
        let top = self.gone.iter().rev().find(|(_, thing)| thing.name == name).map(|(id, _)| *id);
        let mut open = vec![top.expect("it was there")];
        while let Some(id) = open.pop() {
            let thing = self.gone.remove(&id).expect("it is gone");
            open.extend(self.gone.iter().filter(|(_, child)| child.parent == id).map(|(id, _)| *id));
            self.trashed_ids.remove(&id);
            self.things.insert(id, thing);
        }
    }
}

#[derive(Clone)]
pub struct World {
    pub local: Half,
    pub remote: Half,
    pub state: State,
    pub next: u64,
    pub ignore: Vec<String>,
    pub mode: Mode,
    pub conflict: ConflictPolicy,
    pub replacement: Replacement,
    /// Whether app libraries are opted in.
    pub libraries: bool,
    pub max_size: Option<u64>,
    pub folds: bool,
    pub recent_since: i64,
    pub power_cuts: PowerCuts<'static>,
    pub no_birth: bool,
    /// Whose edit had gone back in time when it was planned before.
    pub gone_back: BTreeSet<String>,
    /// What was never seen in the folder that is here now.
    pub unseen: BTreeSet<String>,
    /// Whether inode numbers do not last here.
    pub no_identity: bool,
    pub waiting: BTreeSet<String>,
    /// Folders here that cannot be read.
    pub unread: BTreeSet<u64>,
    /// Folders here that lie too deep to be looked into.
    pub deep: BTreeSet<u64>,
    /// Folders on iCloud that are not listed.
    pub unlisted: BTreeSet<u64>,
    /// What its folder, here or on iCloud, does not show, though it shows the rest.
    pub missed: BTreeSet<u64>,
    /// Folders on iCloud that nobody reads: what they hold is not synced.
    pub unread_there: BTreeSet<u64>,
    /// Folders here that nobody reads, likewise.
    pub unread_here: BTreeSet<u64>,
    /// Folders here and on iCloud with a name in them that no path can hold.
    pub odd_names: BTreeSet<u64>,
    /// What bears a temporary name of ours on iCloud, and what iCloud shows without content all at once.
    pub lent: BTreeSet<u64>,
    pub hollow: BTreeSet<u64>,
    /// What iCloud says of what it does not show any more, where that is not that it is in the trash.
    pub said: BTreeMap<u64, Absence>,
    /// The folders here that are mount points, and whether their volumes are missing.
    pub mounts: BTreeSet<u64>,
    pub unmounted: bool,
    /// What was put into the mount point while nothing was mounted there.
    pub under: BTreeSet<u64>,
    /// Tells on stderr what is done.
    pub trace: bool,
    /// What the last plan left to the next one.
    pub memory: RefCell<Option<again::Memory>>,
}

fn id(number: u64) -> ItemId {
    let zone = if number >= LIBRARY { Zone::new("com.example.app") } else { Zone::CloudDocs };
    if number == 0 { ItemId::drive_root() } else { ItemId::new(zone, &format!("d{number}")) }
}

fn number(id: &ItemId) -> u64 {
    id.doc().strip_prefix('d').and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn signature(content: u64) -> Signature {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&content.to_be_bytes());
    Signature(bytes)
}

/// Contents of one size class have equal sizes, so that some conflicts need a comparison.
pub fn size(content: u64) -> u64 {
    if content >= EMPTY { 0 } else { 1 + content % 4 }
}

/// From this number on contents are empty; they still differ, so that each can be followed.
const EMPTY: u64 = 1 << 32;

impl World {
    pub fn new() -> Self {
        Self {
            local: Half::default(),
            remote: Half::default(),
            state: State::empty(),
            next: 0,
            ignore: Vec::new(),
            mode: Mode::TwoWay,
            conflict: ConflictPolicy::KeepBoth,
            replacement: Replacement::Trash,
            libraries: true,
            max_size: None,
            folds: false,
            recent_since: i64::MAX,
            power_cuts: PowerCuts::none(),
            no_birth: false,
            gone_back: BTreeSet::new(),
            unseen: BTreeSet::new(),
            no_identity: false,
            waiting: BTreeSet::new(),
            unread: BTreeSet::new(),
            deep: BTreeSet::new(),
            unlisted: BTreeSet::new(),
            missed: BTreeSet::new(),
            unread_there: BTreeSet::new(),
            unread_here: BTreeSet::new(),
            odd_names: BTreeSet::new(),
            lent: BTreeSet::new(),
            hollow: BTreeSet::new(),
            said: BTreeMap::new(),
            mounts: BTreeSet::new(),
            unmounted: false,
            under: BTreeSet::new(),
            trace: false,
            memory: RefCell::new(None),
        }
    }

    /// Both sides and the base hold these paths; folders end in `/`.
    pub fn synced(paths: &[&str]) -> Self {
        let mut world = Self::new();
        for path in paths {
            world.create(Side::Local, path);
        }
        world.settle();
        world
    }

    pub fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Local => &mut self.local,
            Side::Remote => &mut self.remote,
        }
    }

    pub fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn create(&mut self, side: Side, path: &str) -> u64 {
        let (folder, path) = (path.ends_with('/'), path.trim_end_matches('/'));
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (number, content) = (self.fresh(), self.fresh());
        let half = self.half(side);
        let parent = half.find(parent).expect("the folder exists");
        let content = if folder { 0 } else { content };
        let number = number + if side == Side::Remote && parent >= LIBRARY { LIBRARY } else { 0 };
        half.things.insert(number, Thing::new(parent, name, content, number));
        number
    }

    pub fn edit(&mut self, side: Side, path: &str) {
        let content = self.fresh();
        let half = self.half(side);
        let id = half.find(path).expect("the file exists");
        let inode = half.things[&id].inode;
        for thing in half.things.values_mut().filter(|thing| thing.inode == inode && !thing.is_folder()) {
            (thing.content, thing.version, thing.cut, thing.touched) = (content, content, false, 0);
            thing.earlier = 0;
        }
    }

    /// Leaves nothing of the content of a file.
    pub fn empty(&mut self, side: Side, path: &str) {
        self.edit(side, path);
        self.thing(side, path).content += EMPTY;
    }

    /// An item, with all that it holds, is shown on iCloud no more, and nobody put it into the trash.
    pub fn vanish(&mut self, path: &str, said: Absence) {
        let id = self.remote.find(path).expect("the item exists");
        for gone in self.remote.below(id).into_iter().chain([id]) {
            self.remote.things.remove(&gone);
            self.said.insert(gone, said);
        }
    }

    /// The thing at `path`.
    pub fn thing(&mut self, side: Side, path: &str) -> &mut Thing {
        let half = self.half(side);
        let id = half.find(path).expect("it exists");
        half.things.get_mut(&id).expect("it exists")
    }

    /// The synced file at `path` is a package.
    pub fn make_package(&mut self, path: &str) {
        self.thing(Side::Remote, path).kind = Kind::Package;
        let node = self.state.base.find(&RelPath::parse(path).unwrap()).expect("it is synced");
        std::sync::Arc::make_mut(&mut self.state.base).update(node, |entry| entry.package = true);
    }

    pub fn rename(&mut self, side: Side, from: &str, to: &str) {
        let version = self.fresh();
        let half = self.half(side);
        let id = half.find(from).expect("the item exists");
        let (parent, name) = to.rsplit_once('/').unwrap_or(("", to));
        let parent = half.find(parent).expect("the folder exists");
        assert!(!half.is_within(parent, id), "a folder cannot move into itself");
        let thing = half.things.get_mut(&id).expect("it exists");
        *thing = Thing { parent, name: name.to_owned(), version, ..thing.clone() };
    }

    pub fn delete(&mut self, side: Side, path: &str) {
        let half = self.half(side);
        let id = half.find(path).expect("the item exists");
        half.remove(id);
    }

    /// The child of that name, as the local disk tells names apart.
    pub fn child_here(&self, parent: u64, name: &str) -> Option<u64> {
        let key = |text: &str| if self.folds { name::key(text, true) } else { text.into() };
        let (things, wanted) = (&self.local.things, key(name));
        things
            .iter()
            .find(|(id, thing)| {
                thing.parent == parent && key(&thing.name) == wanted && !self.is_covered(**id, thing)
            })
            .map(|(id, _)| *id)
    }

    /// What can be seen under a local path.
    pub fn find_here(&self, path: &str) -> Option<u64> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(0, |at, name| self.child_here(at, name))
    }

    /// Plans and applies until nothing is left to do.
    pub fn settle(&mut self) -> usize {
        for round in 0..20 {
            let plan = self.plan();
            assert_eq!(plan, self.plan(), "the same input gives the same plan");
            // The last one, of nothing, only tells what it would be carried out on.
            self.apply(&plan, || false);
            if plan.operations.is_empty() {
                return round;
            }
        }
        panic!("not quiet after 20 rounds:\n{}", self.plan().told());
    }
}
