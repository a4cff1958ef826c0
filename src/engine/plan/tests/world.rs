//! Two sides and a base in memory, and an interpreter that carries plans out on them as strictly as an
//! executor would.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::operation::{
    Action, Conflict, LocalSeen, Parent, Plan, RemoteSeen, Replacement, UploadTarget,
};
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
}

impl Thing {
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
                if !thing.is_folder() {
                    self.trash.push(thing.content);
                }
            }
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
    pub libraries: BTreeSet<u64>,
    pub specials: BTreeSet<u64>,
    pub foreign: BTreeSet<u64>,
}

fn id(number: u64) -> ItemId {
    if number == 0 { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, &format!("d{number}")) }
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
fn size(content: u64) -> u64 {
    content % 3 + 1
}

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
            libraries: BTreeSet::new(),
            specials: BTreeSet::new(),
            foreign: BTreeSet::new(),
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
        half.things.insert(number, Thing { parent, name: name.to_owned(), content, version: number });
        number
    }

    pub fn edit(&mut self, side: Side, path: &str) {
        let content = self.fresh();
        let half = self.half(side);
        let id = half.find(path).expect("the file exists");
        let thing = half.things.get_mut(&id).expect("it exists");
        (thing.content, thing.version) = (content, content);
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

    fn local_view(&self) -> LocalView {
        let root = LocalEntry {
            kind: LocalKind::Folder,
            stamp: LocalStamp { on_root_fs: true, ..LocalStamp::default() },
            racy: false,
            signature: None,
            state: FolderState::Complete,
            holds_unnameable: false,
        };
        let mut tree = LocalTree::new(root);
        self.fill(&self.local, 0, Node::ROOT, &mut |number, thing, folder| {
            let entry = LocalEntry {
                kind: match () {
                    () if self.specials.contains(&number) => LocalKind::Special,
                    () if thing.is_folder() => LocalKind::Folder,
                    () => LocalKind::File,
                },
                ..self.local_entry(number, thing)
            };
            tree.insert(folder, &thing.name, entry)
        });
        LocalView { tree, unnameable: Vec::new(), failed: Vec::new() }
    }

    fn local_entry(&self, number: u64, thing: &Thing) -> LocalEntry {
        let time = DiskTime(i64::try_from(thing.content).unwrap());
        LocalEntry {
            kind: LocalKind::File,
            stamp: LocalStamp {
                size: if thing.is_folder() { 0 } else { size(thing.content) },
                mtime: time,
                ctime: time,
                identity: Identity { inode: number, birth: Some(DiskTime(i64::try_from(number).unwrap())) },
                on_root_fs: true,
            },
            racy: false,
            signature: (!thing.is_folder()).then(|| signature(thing.content)),
            state: FolderState::Complete,
            holds_unnameable: false,
        }
    }

    fn remote_view(&self) -> RemoteView {
        let mut tree = RemoteTree::new(
            self.remote_entry(0, &Thing { parent: 0, name: String::new(), content: 0, version: 0 }),
        );
        self.fill(&self.remote, 0, Node::ROOT, &mut |number, thing, folder| {
            tree.insert(folder, &thing.name, self.remote_entry(number, thing))
        });
        let absent = self
            .state
            .base
            .walk(Node::ROOT)
            .map(|node| self.state.base.get(node).id.clone())
            .filter(|id| tree.by_id(id).is_none())
            .map(|id| (id, Absence::Trashed))
            .collect();
        RemoteView { tree, absent, unusable: Vec::new(), complete: true }
    }

    fn remote_entry(&self, number: u64, thing: &Thing) -> RemoteEntry {
        RemoteEntry {
            id: id(number),
            kind: match () {
                () if self.foreign.contains(&number) => RemoteKind::Foreign,
                () if self.libraries.contains(&number) => RemoteKind::AppLibrary,
                () if thing.is_folder() => RemoteKind::Folder,
                () => RemoteKind::File,
            },
            name: thing.name.as_str().into(),
            etag: Etag::new(&format!("{}::{}", thing.version, thing.content)),
            size: (!thing.is_folder()).then(|| size(thing.content)),
            mtime: (!thing.is_folder()).then(|| ServerTime(i64::try_from(thing.content).unwrap())),
            signature: None,
            state: FolderState::Complete,
            file_count: None,
        }
    }

    fn fill(&self, half: &Half, parent: u64, node: Node, insert: &mut dyn FnMut(u64, &Thing, Node) -> Node) {
        let mut stack = vec![(parent, node)];
        while let Some((parent, node)) = stack.pop() {
            for (number, thing) in half.things.iter().filter(|(_, thing)| thing.parent == parent) {
                let child = insert(*number, thing, node);
                stack.push((*number, child));
            }
        }
    }

    pub fn plan(&self) -> Plan {
        let (local, remote) = (self.local_view(), self.remote_view());
        let recognition = recognise(&self.state.base, &local.tree);
        assert!(recognition.unsigned.is_empty(), "every content is known here");
        let takes_part = |path: &RelPath| !self.ignore.iter().any(|ignored| path.as_str().contains(ignored));
        let policy = Policy {
            mode: self.mode,
            conflict: self.conflict,
            replacement: self.replacement,
            max_file_size: None,
            takes_part: &takes_part,
            is_junk: &|path| path.name() == ".DS_Store",
            is_waiting: &|_| false,
            local_only: &self.state.local_only,
            conflict_mark: MARK,
            local_folds_case: false,
        };
        plan(&self.state.base, &local, &remote, &recognition, &policy)
    }

    /// Carries a plan out. Every operation must be possible when its turn comes.
    pub fn apply(&mut self, plan: &Plan) {
        let mut made: BTreeMap<usize, u64> = BTreeMap::new();
        for (index, operation) in plan.operations.iter().enumerate() {
            assert!(
                operation.after.iter().all(|before| *before < index),
                "waits for a later one: {operation:?}"
            );
            self.perform(&operation.action, operation.path.as_str(), index, &mut made);
        }
    }

    fn perform(&mut self, action: &Action, path: &str, index: usize, made: &mut BTreeMap<usize, u64>) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent_of = |parent: &Parent, made: &BTreeMap<usize, u64>| match parent {
            Parent::Known(id) => number(id),
            Parent::Made(index) => made[index],
        };
        match action {
            Action::Agree { remote, local } => {
                let here = self.check_local(local);
                let there = self.check_remote(remote);
                self.put(here, there);
            }
            Action::Forget { id } => drop(self.state.apply(&Change::Remove(id.clone()))),
            Action::Keep { id, presence } => {
                assert!(self.state.apply(&Change::Presence(id.clone(), *presence)))
            }
            Action::MakeLocalFolder { remote } => {
                let there = self.check_remote(remote);
                let here = self.place_local(folder, name, 0);
                self.put(here, there);
            }
            Action::MakeRemoteFolder { local, parent, name } => {
                let here = self.check_local(local);
                let there = self.place_remote(parent_of(parent, made), name, 0);
                made.insert(index, there);
                self.put(here, there);
            }
            Action::Download { remote, over } => {
                let there = self.check_remote(remote);
                let content = self.remote.things[&there].content;
                let here = match over {
                    Some(local) => {
                        let here = self.check_local(local);
                        self.overwrite_local(here, content)
                    }
                    None => self.place_local(folder, name, content),
                };
                self.put(here, there);
            }
            Action::Upload { local, target } => {
                let here = self.check_local(local);
                let content = self.local.things[&here].content;
                let there = match target {
                    UploadTarget::New { parent, name } => {
                        self.place_remote(parent_of(parent, made), name, content)
                    }
                    UploadTarget::Over { remote, .. } => {
                        let there = self.check_remote(remote);
                        self.overwrite_remote(there, content)
                    }
                };
                self.put(here, there);
            }
            Action::MoveLocal { remote, local } => {
                let here = self.check_local(local);
                let parent = self.local.find(folder).unwrap_or_else(|| panic!("no folder {folder:?} here"));
                assert_eq!(self.local.child(parent, name), None, "{path} is taken here");
                assert!(!self.local.is_within(parent, here), "a folder cannot move into itself");
                let thing = self.local.things.get_mut(&here).unwrap();
                (thing.parent, thing.name) = (parent, name.to_owned());
                if let Some(remote) = remote {
                    let there = self.check_remote(remote);
                    self.put(here, there);
                }
            }
            Action::MoveRemote { remote, local, parent, name, temporary } => {
                let there = number(&remote.id);
                let parent = parent_of(parent, made);
                assert_eq!(self.remote.child(parent, name), None, "{name} is taken on iCloud");
                assert!(!self.remote.is_within(parent, there), "a folder cannot move into itself");
                let version = self.fresh();
                let thing = self.remote.things.get_mut(&there).expect("it is on iCloud");
                *thing = Thing { parent, name: name.to_string(), version, ..thing.clone() };
                if let (Some(local), false) = (local, temporary) {
                    let here = self.check_local(local);
                    self.put(here, there);
                }
            }
            Action::TrashLocal { id, local, folder } => {
                let here = self.check_local(local);
                let junk = |number: &u64| self.local.things[number].name == ".DS_Store";
                assert!(!folder || self.local.below(here).iter().all(junk), "{path} is not empty");
                self.local.remove(here);
                if let Some(id) = id {
                    self.state.apply(&Change::Remove(id.clone()));
                }
            }
            Action::TrashRemote { remote, subtree, absent } => {
                let there = self.check_remote(remote);
                let planned: BTreeSet<u64> = subtree.iter().map(|(id, _)| number(id)).collect();
                assert_eq!(self.remote.below(there).into_iter().collect::<BTreeSet<_>>(), planned, "{path}");
                assert!(absent.as_ref().is_none_or(|path| self.local.find(path.as_str()).is_none()));
                self.remote.remove(there);
                self.state.apply(&Change::Remove(remote.id.clone()));
            }
            Action::Compare { remote, local, otherwise } => {
                let (here, there) = (self.check_local(local), self.check_remote(remote));
                if self.local.things[&here].content == self.remote.things[&there].content {
                    self.put(here, there);
                } else {
                    self.resolve(here, there, otherwise);
                }
            }
            Action::Settle { remote, local, conflict } => {
                let (here, there) = (self.check_local(local), self.check_remote(remote));
                self.resolve(here, there, conflict);
            }
        }
    }

    fn resolve(&mut self, here: u64, there: u64, conflict: &Conflict) {
        match conflict {
            Conflict::KeepBoth { copy, local_only } => {
                let (at, name) = copy.as_str().rsplit_once('/').unwrap_or(("", copy.as_str()));
                let parent = self.local.find(at).unwrap();
                assert_eq!(self.local.child(parent, name), None);
                let thing = self.local.things.get_mut(&here).unwrap();
                let place = (thing.parent, thing.name.clone());
                (thing.parent, thing.name) = (parent, name.to_owned());
                let content = self.remote.things[&there].content;
                let fresh = self.fresh();
                self.local
                    .things
                    .insert(fresh, Thing { parent: place.0, name: place.1, content, version: fresh });
                self.put(fresh, there);
                if *local_only {
                    self.state.apply(&Change::LocalOnly(copy.clone(), true));
                }
            }
            Conflict::TakeRemote => {
                let content = self.remote.things[&there].content;
                let here = self.overwrite_local(here, content);
                self.put(here, there);
            }
            Conflict::TakeLocal => {
                let content = self.local.things[&here].content;
                self.remote.trash.push(self.remote.things[&there].content);
                let there = self.overwrite_remote(there, content);
                self.put(here, there);
            }
            Conflict::SetAside => {}
        }
    }

    fn check_local(&self, seen: &LocalSeen) -> u64 {
        let here = self.local.find(seen.path.as_str()).unwrap_or_else(|| panic!("{} is not here", seen.path));
        assert_eq!(
            self.local_entry(here, &self.local.things[&here]).stamp.identity,
            seen.stamp.identity,
            "{}",
            seen.path
        );
        here
    }

    fn check_remote(&self, seen: &RemoteSeen) -> u64 {
        let there = number(&seen.id);
        let thing =
            self.remote.things.get(&there).unwrap_or_else(|| panic!("{} is not on iCloud", seen.name));
        assert!(
            seen.etag.same_content(&self.remote_entry(there, thing).etag) || thing.is_folder(),
            "{}",
            seen.name
        );
        there
    }

    fn place_local(&mut self, folder: &str, name: &str, content: u64) -> u64 {
        let parent = self.local.find(folder).unwrap_or_else(|| panic!("no folder {folder:?} here"));
        assert_eq!(self.local.child(parent, name), None, "{folder}/{name} is taken here");
        let fresh = self.fresh();
        self.local.things.insert(fresh, Thing { parent, name: name.to_owned(), content, version: fresh });
        fresh
    }

    fn place_remote(&mut self, parent: u64, name: &str, content: u64) -> u64 {
        assert!(parent == 0 || self.remote.things.contains_key(&parent), "no such folder on iCloud");
        assert_eq!(self.remote.child(parent, name), None, "{name} is taken on iCloud");
        let fresh = self.fresh();
        self.remote.things.insert(fresh, Thing { parent, name: name.to_owned(), content, version: fresh });
        fresh
    }

    fn overwrite_local(&mut self, here: u64, content: u64) -> u64 {
        let old = self.local.things.remove(&here).unwrap();
        self.local.trash.push(old.content);
        let fresh = self.fresh();
        self.local.things.insert(fresh, Thing { content, version: fresh, ..old });
        fresh
    }

    fn overwrite_remote(&mut self, there: u64, content: u64) -> u64 {
        let version = self.fresh();
        let thing = self.remote.things.get_mut(&there).unwrap();
        (thing.content, thing.version) = (content, version);
        there
    }

    fn put(&mut self, here: u64, there: u64) {
        let (local, remote) = (&self.local.things[&here], &self.remote.things[&there]);
        assert_eq!(name::nfc(&local.name), name::nfc(&remote.name), "agreed under two names");
        let (parent, seen) = (id(remote.parent), self.remote_entry(there, remote));
        let found = self.local_entry(here, local);
        let entry = BaseEntry {
            id: seen.id,
            folder: remote.is_folder(),
            local_name: local.name.as_str().into(),
            remote_name: remote.name.as_str().into(),
            etag: seen.etag,
            remote_size: seen.size,
            remote_mtime: seen.mtime,
            stamp: found.stamp,
            racy: false,
            signature: found.signature,
            ..BaseEntry::root(id(there))
        };
        for change in self.state.put_changes(&parent, entry) {
            assert!(self.state.apply(&change), "{change:?}");
        }
    }

    /// Plans and applies until nothing is left to do.
    pub fn settle(&mut self) -> usize {
        for round in 0..20 {
            let plan = self.plan();
            assert_eq!(plan, self.plan(), "the same input gives the same plan");
            if plan.operations.is_empty() {
                return round;
            }
            self.apply(&plan);
        }
        panic!("not quiet after 20 rounds: {:#?}", self.plan());
    }
}
