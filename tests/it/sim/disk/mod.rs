//! A local disk in memory, with what real file systems do: volatile changes, inode numbers
//! that come again, mount points, folders that cannot be read, a drive that vanishes.

mod across;
mod bad;
mod copied;
mod crash;
mod fs;
mod person;
mod port;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use icloudds::engine::ports::Clock;
use icloudds::engine::ports::{DiskError, DownloadKey};
use icloudds::model::{
    DiskTime, FolderState, Identity, ItemId, LocalEntry, LocalKind, LocalStamp, RelPath, name,
};

use super::clock::SimClock;
use super::fuse::{Fault, Fuse, lock};
use super::journal::{Bytes, Journal, Thing, Things};
use fs::{Body, Ino, Inode, Layers, Op, ROOT, Spot, TMP, TRASH};

pub use fs::Coarse;

/// How the drive is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vanished {
    /// Its volume is not mounted: the empty mount point shows.
    Empty,
    /// Every access fails.
    Failing,
}

/// What differs between file systems.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Whether it has birth times.
    pub births: bool,
    /// Whether inode numbers say anything; else items have no identity, as on file systems that number them anew.
    pub identities: bool,
    /// Whether a removed inode's number is given to the next new one.
    pub reuse_inodes: bool,
    /// Whether names that differ only in case are one.
    pub folds_case: bool,
    /// Whether that is so on the volumes in the drive, beside those where it is not.
    pub volumes_fold_case: bool,
    /// Longest name in bytes.
    pub name_limit: usize,
    /// Bytes that fit, trash and downloads included.
    pub capacity: Option<u64>,
    /// Whether what a person does is durable at once, as if every program synced.
    pub persons_sync: bool,
    /// Whether contents, sizes and times become durable apart from names, so that a power cut may leave an older content, or
    /// a part, under a name that is durable. It shows where persons do not sync.
    pub loses_contents: bool,
    /// Whether times of a content of the same size may be lost apart from it, as with `lazytime`. It shows where contents are lost.
    pub late_times: bool,
    /// Whether the system gives each mount of the drive's file system a number.
    pub mounts_are_told: bool,
    /// Whether every change shows in the times, however soon it follows a look, as newer kernels have it.
    pub fine_times: bool,
    /// Which file systems keep times in steps of two seconds only.
    pub coarse: Coarse,
    /// So many seconds the clock that stamps are made of is ahead of this machine's: it is a server's.
    pub ahead: i64,
    /// Whether the volumes that are mounted answer nothing, as where whoever serves them is gone.
    pub volumes_are_dead: bool,
    /// The drive is gone.
    pub vanished: Option<Vanished>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            births: true,
            identities: true,
            reuse_inodes: false,
            folds_case: false,
            volumes_fold_case: false,
            name_limit: 255,
            capacity: None,
            persons_sync: true,
            loses_contents: false,
            late_times: false,
            mounts_are_told: true,
            fine_times: false,
            coarse: Coarse::default(),
            ahead: 0,
            volumes_are_dead: false,
            vanished: None,
        }
    }
}

/// The disk: the engine sees it as a `Disk`, persons through the methods here. It is cheap to
/// clone; clones are one disk.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<SimClock>,
    /// As [`Switches::ahead`], in nanoseconds: outside of the lock, as the clock is.
    ahead: Arc<AtomicI64>,
    fuse: Arc<Fuse>,
    journal: Arc<Journal>,
}

struct Inner {
    layers: Layers,
    switches: Switches,
    next: Ino,
    /// The numbers of the mounts of the drive's file system, and of the volumes.
    mounted_as: (u64, u64),
    /// Mount points: the folder that is covered, and the root of what covers it.
    mounts: BTreeMap<Ino, Ino>,
    /// Mounts that are taken off for now.
    unmounted: BTreeMap<Ino, Ino>,
    /// Persons put things into the empty folder that a volume leaves behind.
    bare_mount_points_are_used: bool,
    downloads: BTreeMap<ItemId, (DownloadKey, Ino)>,
    /// Versions that a replacement displaced although nobody planned that, by their slots in the trash, until the engine
    /// has brought them back: where they were.
    strays: BTreeMap<String, (Ino, RelPath)>,
    /// A move to another file system under way: the copy's name in `tmp`, the original, the copy, and where they stand.
    across: Option<Across>,
    /// Files that came into the trash since the last sync.
    thrown: BTreeSet<Ino>,
    /// What stood in a file, and was agreed on, when an older version of it was brought back from a backup: whoever writes over
    /// that version has that one on his conscience too.
    replaced: BTreeMap<Ino, Bytes>,
    /// What came back so, and was touched since.
    touched: BTreeSet<Ino>,
    /// Files that a copy lost: the folder that held them, or what holds them, and the names on the way from there.
    lost: Vec<(Ino, Vec<String>, Bytes)>,
}

/// A move to another file system, as its record tells start-up.
#[derive(Clone)]
struct Across {
    part: String,
    original: Ino,
    copy: Ino,
    /// When what was copied had last changed.
    changed: BTreeMap<Ino, DiskTime>,
    from: RelPath,
    to: RelPath,
}

/// Why a path leads nowhere.
#[derive(Debug)]
enum Lost {
    /// Nothing is there.
    Missing,
    /// A folder on the way may not be read.
    Denied,
    /// It is on a volume that answers nothing.
    Dead,
}

impl SimDisk {
    /// An empty disk.
    pub fn new(clock: Arc<SimClock>, fuse: Arc<Fuse>, journal: Arc<Journal>) -> Self {
        let inner = Inner {
            layers: Layers::new(clock.now()),
            switches: Switches::default(),
            next: 100,
            mounted_as: (1, 1_000_000),
            mounts: BTreeMap::new(),
            unmounted: BTreeMap::new(),
            bare_mount_points_are_used: false,
            downloads: BTreeMap::new(),
            strays: BTreeMap::new(),
            across: None,
            thrown: BTreeSet::new(),
            replaced: BTreeMap::new(),
            touched: BTreeSet::new(),
            lost: Vec::new(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), clock, ahead: Arc::default(), fuse, journal }
    }

    /// The time that stamps are made of now.
    fn now(&self) -> DiskTime {
        DiskTime(self.clock.now().0 + self.ahead.load(Ordering::SeqCst))
    }

    /// Turns switches.
    pub fn switch(&self, turn: impl FnOnce(&mut Switches)) {
        let mut inner = lock(&self.inner);
        turn(&mut inner.switches);
        self.ahead.store(inner.switches.ahead * 1_000_000_000, Ordering::SeqCst);
        inner.layers.contents_apart = inner.switches.loses_contents;
        inner.layers.late_times = inner.switches.late_times;
        inner.layers.fine_times = inner.switches.fine_times;
        let coarse = inner.switches.coarse;
        inner.layers.keep_times_coarsely(coarse);
    }

    /// The switches as they are.
    pub fn switches(&self) -> Switches {
        lock(&self.inner).switches.clone()
    }

    /// All that the drive holds. Names that are not UTF-8 are left out.
    pub fn tree(&self) -> Things {
        let inner = lock(&self.inner);
        let mut things = Things::new();
        inner.collect(ROOT, "", &mut things);
        things
    }

    /// The contents in the local trash.
    pub fn trash_contents(&self) -> Vec<Bytes> {
        let inner = lock(&self.inner);
        let fs = &inner.layers.seen;
        fs.below(TRASH).iter().filter_map(|ino| fs.inodes.get(ino)?.content().cloned()).collect()
    }

    /// The top entries of the local trash that hold that content.
    pub fn in_trash(&self, content: &[u8]) -> Vec<String> {
        let inner = lock(&self.inner);
        let fs = &inner.layers.seen;
        let holds = |top: &Ino| {
            let mut all = fs.below(*top).into_iter().chain([*top]);
            all.any(|ino| {
                fs.inodes.get(&ino).and_then(Inode::content).is_some_and(|found| **found == *content)
            })
        };
        let tops = fs.inodes.get(&TRASH).and_then(Inode::names).into_iter().flatten();
        tops.filter(|(_, ino)| holds(ino)).map(|(name, _)| name.clone()).collect()
    }

    /// The contents of everything that persons would find here: what a volume that is taken off holds too.
    pub fn all_contents(&self) -> Vec<Bytes> {
        let inner = lock(&self.inner);
        let fs = &inner.layers.seen;
        let tops = [ROOT, TRASH].into_iter().chain(inner.mounts.values().copied());
        let tops = tops.chain(inner.unmounted.values().copied());
        let all = tops.flat_map(|top| fs.below(top));
        all.filter_map(|ino| fs.inodes.get(&ino)?.content().cloned()).collect()
    }

    /// How many files wait in `tmp`.
    pub fn waiting_downloads(&self) -> usize {
        lock(&self.inner).layers.seen.inodes[&TMP].names().map_or(0, BTreeMap::len)
    }

    /// Everything here under the names as they are spelled, which [`Self::tree`] does not tell.
    pub fn paths(&self) -> Vec<(String, Thing, Identity)> {
        let inner = lock(&self.inner);
        let mut all = Vec::new();
        let mut folders = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = folders.pop() {
            for (name, ino) in inner.inode(dir).and_then(Inode::names).into_iter().flatten() {
                let ino = inner.covered(*ino);
                let Some(inode) = inner.inode(ino) else { continue };
                let path = format!("{prefix}{name}");
                if inode.names().is_some() {
                    folders.push((ino, format!("{path}/")));
                }
                all.push((path, thing(inode), inner.stamp(inode).identity));
            }
        }
        all
    }

    /// The size and the modification time of everything here, under the names as they are spelled.
    pub fn stamps(&self) -> Vec<(String, LocalStamp)> {
        let inner = lock(&self.inner);
        let mut all = Vec::new();
        let mut folders = vec![(ROOT, String::new())];
        while let Some((dir, prefix)) = folders.pop() {
            for (name, ino) in inner.inode(dir).and_then(Inode::names).into_iter().flatten() {
                let ino = inner.covered(*ino);
                let Some(inode) = inner.inode(ino) else { continue };
                if inode.names().is_some() {
                    folders.push((ino, format!("{prefix}{name}/")));
                }
                all.push((format!("{prefix}{name}"), inner.stamp(inode)));
            }
        }
        all
    }

    /// Makes everything durable, as `syncfs` does.
    pub fn sync_all(&self) {
        lock(&self.inner).layers.sync_all();
    }

    /// Whether nothing would be lost if the power went now.
    pub fn is_durable(&self) -> bool {
        lock(&self.inner).layers.is_durable()
    }
}

fn thing(inode: &Inode) -> Thing {
    match &inode.body {
        Body::File(content) => Thing::File(content.clone()),
        Body::Dir(_) => Thing::Folder,
        Body::Special => Thing::Other,
    }
}

impl Inner {
    fn inode(&self, ino: Ino) -> Option<&Inode> {
        self.layers.seen.inodes.get(&ino)
    }

    fn collect(&self, dir: Ino, prefix: &str, things: &mut Things) {
        for (child, ino) in self.inode(dir).and_then(Inode::names).into_iter().flatten() {
            let ino = self.covered(*ino);
            let path = format!("{prefix}{}", name::nfc(child));
            let thing = self.inode(ino).map_or(Thing::Other, thing);
            let path = if things.contains_key(&path) { format!("{path} #2") } else { path };
            let is_dir = thing == Thing::Folder;
            things.insert(path.clone(), thing);
            if is_dir {
                self.collect(ino, &format!("{path}/"), things);
            }
        }
    }

    /// What stands at a folder: the root of what is mounted there, or itself.
    fn covered(&self, ino: Ino) -> Ino {
        self.mounts.get(&ino).copied().unwrap_or(ino)
    }

    /// Whether a volume is mounted there that answers nothing.
    fn is_dead(&self, ino: Ino) -> bool {
        self.switches.volumes_are_dead && self.mounts.contains_key(&ino)
    }

    /// The name in `dir` that `name` means there.
    fn spelled(&self, dir: Ino, wanted: &str) -> String {
        let names = self.inode(dir).and_then(Inode::names);
        let held = names.is_some_and(|names| names.contains_key(wanted));
        let on_a_volume = self.inode(dir).is_some_and(|inode| inode.dev != 0);
        let folds = self.switches.folds_case || on_a_volume && self.switches.volumes_fold_case;
        if held || !folds {
            return wanted.to_owned();
        }
        let key = name::key(wanted, true);
        let mut all = names.into_iter().flatten();
        all.find(|(held, _)| name::key(held, true) == key).map_or(wanted.to_owned(), |(held, _)| held.clone())
    }

    /// The inode at `path`.
    fn resolve(&self, path: &RelPath) -> Result<Ino, Lost> {
        if self.switches.vanished.is_some() && !path.is_root() {
            return Err(if self.switches.vanished == Some(Vanished::Empty) {
                Lost::Missing
            } else {
                Lost::Denied
            });
        }
        path.parts().try_fold(ROOT, |dir, part| {
            let folder = self.inode(dir).ok_or(Lost::Missing)?;
            if !folder.readable {
                return Err(Lost::Denied);
            }
            let names = folder.names().ok_or(Lost::Missing)?;
            let ino = names.get(&self.spelled(dir, part)).ok_or(Lost::Missing)?;
            if self.is_dead(*ino) { Err(Lost::Dead) } else { Ok(self.covered(*ino)) }
        })
    }

    /// Whether a folder stands there.
    fn is_folder(&self, path: &RelPath) -> bool {
        let inode = self.resolve(path).ok().and_then(|ino| self.inode(ino));
        inode.is_some_and(|inode| inode.names().is_some())
    }

    /// The folder that holds `path`, and its name there as it is spelled.
    fn spot(&self, path: &RelPath) -> Result<Spot, Lost> {
        let dir = self.resolve(&path.parent().ok_or(Lost::Missing)?)?;
        let folder = self.inode(dir).filter(|inode| inode.names().is_some()).ok_or(Lost::Missing)?;
        if !folder.readable {
            return Err(Lost::Denied);
        }
        Ok((dir, self.spelled(dir, path.name())))
    }

    fn lasting(&self, inode: &Inode) -> Option<Identity> {
        let birth = self.switches.births.then_some(inode.birth).into();
        self.switches.identities.then_some(Identity { inode: inode.number, birth })
    }

    fn stamp(&self, inode: &Inode) -> LocalStamp {
        LocalStamp {
            identity: self.lasting(inode).unwrap_or_default(),
            size: inode.content().map_or(0, |content| content.len() as u64),
            mtime: inode.mtime,
            ctime: inode.ctime,
            on_root_fs: inode.dev == 0,
            is_mount: self
                .mounts
                .values()
                .any(|root| self.inode(*root).is_some_and(|root| std::ptr::eq(root, inode))),
        }
    }

    fn entry(&self, ino: Ino, now: DiskTime) -> LocalEntry {
        let inode = &self.layers.seen.inodes[&ino];
        let kind = match inode.body {
            Body::File(_) => LocalKind::File,
            Body::Dir(_) => LocalKind::Folder,
            Body::Special => LocalKind::Special,
        };
        LocalEntry {
            kind,
            stamp: self.stamp(inode),
            racy: inode.mtime.is_within(2, now) || inode.ctime.is_within(2, now),
            signature: None.into(),
            state: FolderState::Unread,
            holds_unnameable: false,
        }
    }

    /// What the engine learns of a file that was put in place just now.
    fn placed(&self, ino: Ino, now: DiskTime) -> LocalEntry {
        let entry = self.entry(ino, now);
        LocalEntry { racy: entry.racy && !self.switches.fine_times, ..entry }
    }

    /// Whether what is there is still the planned item: for files size and mtime too.
    fn fits(&self, ino: Ino, stamp: &LocalStamp) -> bool {
        self.inode(ino).is_some_and(|inode| {
            let now = self.stamp(inode);
            let same = now.identity == stamp.identity;
            match inode.body {
                Body::File(_) => same && now.size == stamp.size && now.mtime == stamp.mtime,
                Body::Dir(_) => same && stamp.size == 0,
                Body::Special => false,
            }
        })
    }

    /// A new inode under a free name.
    fn make(&mut self, spot: Spot, body: Body, dev: u32, at: DiskTime) -> Ino {
        self.next += 1;
        let ino = self.next;
        let number = if self.switches.reuse_inodes {
            (10..).find(|number| !self.layers.uses(*number)).expect("some number is free")
        } else {
            ino
        };
        self.layers.push(Op::Make(spot, ino, Inode::new(body, number, dev, at)), at);
        ino
    }

    /// Bytes that still fit.
    fn space(&self) -> u64 {
        let used: usize =
            self.layers.seen.inodes.values().filter_map(Inode::content).map(|content| content.len()).sum();
        self.switches.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used as u64))
    }

    /// The file system at `path`: that of the deepest folder of it that exists.
    fn dev_at(&self, path: &RelPath) -> u32 {
        let mut next = Some(path.clone());
        while let Some(path) = next {
            if let Ok(ino) = self.resolve(&path) {
                return self.inode(ino).map_or(0, |inode| inode.dev);
            }
            next = path.parent();
        }
        0
    }

    /// What is durable once these folders are synced.
    fn inos_of(&self, folders: &[RelPath]) -> Result<BTreeSet<Ino>, (RelPath, Lost)> {
        let mut inos = BTreeSet::new();
        for path in folders {
            let dir = self.resolve(path).map_err(|lost| (path.clone(), lost))?;
            inos.insert(dir);
            if self.switches.loses_contents {
                continue;
            }
            for child in self.inode(dir).and_then(Inode::names).into_iter().flatten().map(|(_, ino)| *ino) {
                if self.inode(child).is_some_and(|inode| inode.content().is_some()) {
                    inos.insert(child);
                }
            }
        }
        Ok(inos)
    }
}

fn io(what: &'static str, path: &RelPath, kind: std::io::ErrorKind) -> DiskError {
    DiskError::Io { what, path: path.clone(), source: kind.into() }
}

/// The faults of the disk.
const FAULTS: [Fault; 2] = [Fault::Io, Fault::Full];
