//! A file system of inodes, changed only by operations that can be replayed: the visible
//! state is the durable one plus the operations that nobody has synced yet.

use std::collections::{BTreeMap, BTreeSet};

use icloudds::model::DiskTime;

use crate::sim::journal::Bytes;
use crate::sim::rng::Rng;

/// Names an inode for as long as the world lives; what `stat` shows is [`Inode::number`].
pub type Ino = u64;

/// The drive's root.
pub const ROOT: Ino = 1;
/// `.icloudds/tmp`; on every file system at once.
pub const TMP: Ino = 2;
/// `.icloudds/trash`; on every file system at once.
pub const TRASH: Ino = 3;

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A file with its content.
    File(Bytes),
    /// A folder with its names.
    Dir(BTreeMap<String, Ino>),
    /// A link, socket, device or FIFO.
    Special,
}

/// One inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// What it is.
    pub body: Body,
    /// The inode number that `stat` shows; may be used again after a removal.
    pub number: u64,
    /// Birth time.
    pub birth: DiskTime,
    /// Time of the last change of content.
    pub mtime: DiskTime,
    /// Time of the last change.
    pub ctime: DiskTime,
    /// The file system; 0 is the root's.
    pub dev: u32,
    /// Whether we may read it.
    pub readable: bool,
    /// Folders: names in it that are not UTF-8, as well as can be.
    pub odd: Vec<String>,
}

impl Inode {
    /// A new one.
    pub fn new(body: Body, number: u64, dev: u32, at: DiskTime) -> Self {
        Self { body, number, birth: at, mtime: at, ctime: at, dev, readable: true, odd: Vec::new() }
    }

    /// Its names, if it is a folder.
    pub fn names(&self) -> Option<&BTreeMap<String, Ino>> {
        match &self.body {
            Body::Dir(names) => Some(names),
            _ => None,
        }
    }

    /// Its content, if it is a file.
    pub fn content(&self) -> Option<&Bytes> {
        match &self.body {
            Body::File(content) => Some(content),
            _ => None,
        }
    }
}

/// A name in a folder.
pub type Spot = (Ino, String);

/// One change that happens whole or not at all.
#[derive(Clone, Debug)]
pub enum Op {
    /// A new inode under a free name.
    Make(Spot, Ino, Inode),
    /// Another name; what has it already is removed.
    Move(Spot, Spot),
    /// Two names change places.
    Exchange(Spot, Spot),
    /// A name goes, with all below it.
    Remove(Spot),
    /// New content.
    Write(Ino, Bytes, DiskTime),
    /// Another modification time.
    Time(Ino, DiskTime),
    /// Whether we may read it.
    Readable(Ino, bool),
    /// A name that is not UTF-8 appears in a folder.
    Odd(Ino, String),
}

/// All inodes of the drive's file systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs {
    /// By number.
    pub inodes: BTreeMap<Ino, Inode>,
    /// Which file systems keep times in steps of two seconds, as FAT does.
    pub coarse: Coarse,
}

/// Which file systems keep times in steps of two seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coarse {
    /// That of the root.
    pub root: bool,
    /// Those of all volumes.
    pub volumes: bool,
}

impl Coarse {
    /// A time as the file system of `inode` keeps it.
    fn keeps(self, inode: &Inode, time: DiskTime) -> DiskTime {
        const STEP: i64 = 2_000_000_000;
        let is_coarse = if inode.dev == 0 { self.root } else { self.volumes };
        if is_coarse { DiskTime(time.0.div_euclid(STEP) * STEP) } else { time }
    }

    fn round(self, inode: &mut Inode) {
        inode.birth = self.keeps(inode, inode.birth);
        inode.mtime = self.keeps(inode, inode.mtime);
        inode.ctime = self.keeps(inode, inode.ctime);
    }
}

impl Fs {
    /// An empty drive.
    pub fn new(at: DiskTime) -> Self {
        let dir = |number| Inode::new(Body::Dir(BTreeMap::new()), number, 0, at);
        Self { inodes: [ROOT, TMP, TRASH].map(|ino| (ino, dir(ino))).into(), coarse: Coarse::default() }
    }

    /// What stands under a name.
    pub fn at(&self, spot: &Spot) -> Option<Ino> {
        self.inodes.get(&spot.0)?.names()?.get(&spot.1).copied()
    }

    fn set(&mut self, spot: &Spot, ino: Option<Ino>, at: DiskTime) {
        if let Some(dir) = self.inodes.get_mut(&spot.0) {
            if let Body::Dir(names) = &mut dir.body {
                match ino {
                    Some(ino) => drop(names.insert(spot.1.clone(), ino)),
                    None => drop(names.remove(&spot.1)),
                }
            }
            dir.mtime = at;
            dir.ctime = at;
            self.coarse.round(dir);
        }
    }

    fn stamp(&mut self, ino: Ino, at: DiskTime, change: impl FnOnce(&mut Inode)) {
        if let Some(inode) = self.inodes.get_mut(&ino) {
            change(inode);
            inode.ctime = at;
            self.coarse.round(inode);
        }
    }

    /// `ino` and everything below it.
    pub fn below(&self, ino: Ino) -> Vec<Ino> {
        let mut all = vec![ino];
        let mut at = 0;
        while at < all.len() {
            let names = self.inodes.get(&all[at]).and_then(Inode::names);
            all.extend(names.into_iter().flatten().map(|(_, child)| *child));
            at += 1;
        }
        all
    }

    /// Carries out one change. One that does not fit any more does nothing.
    pub fn apply(&mut self, op: &Op, at: DiskTime) {
        match op {
            Op::Make(spot, ino, inode) => {
                let mut inode = inode.clone();
                self.coarse.round(&mut inode);
                self.inodes.insert(*ino, inode);
                self.set(spot, Some(*ino), at);
            }
            Op::Move(from, to) => {
                let Some(ino) = self.at(from) else { return };
                if self.at(to).is_some_and(|old| old != ino) {
                    self.apply(&Op::Remove(to.clone()), at);
                }
                self.set(from, None, at);
                self.set(to, Some(ino), at);
                self.stamp(ino, at, |_| {});
            }
            Op::Exchange(a, b) => {
                let (Some(first), Some(second)) = (self.at(a), self.at(b)) else { return };
                self.set(a, Some(second), at);
                self.set(b, Some(first), at);
                self.stamp(first, at, |_| {});
                self.stamp(second, at, |_| {});
            }
            Op::Remove(spot) => {
                let Some(ino) = self.at(spot) else { return };
                self.set(spot, None, at);
                for gone in self.below(ino) {
                    self.inodes.remove(&gone);
                }
            }
            Op::Write(ino, content, mtime) => self.stamp(*ino, at, |inode| {
                inode.body = Body::File(content.clone());
                inode.mtime = *mtime;
            }),
            Op::Time(ino, mtime) => self.stamp(*ino, at, |inode| inode.mtime = *mtime),
            Op::Readable(ino, readable) => self.stamp(*ino, at, |inode| inode.readable = *readable),
            Op::Odd(ino, name) => self.stamp(*ino, at, |inode| inode.odd.push(name.clone())),
        }
    }
}

struct Pending {
    op: Op,
    at: DiskTime,
    /// The folders, inodes and contents that it concerns: it lasts where a later operation that lasts builds on one of them.
    /// The two service folders order nothing.
    concerns: BTreeSet<Key>,
    /// The earlier operations that it cannot last without: those that concern one of these.
    builds_on: BTreeSet<Key>,
    /// Whether a person did it.
    by_person: bool,
}

/// What was written so lately, in seconds, may lose its times alone.
const RECENT: i64 = 20 * 3600;

/// What an operation concerns: an inode or, where contents are lost apart from names, the content of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(Ino),
    Content(Ino),
}

/// What is visible, what is durable, and the operations in between.
pub struct Layers {
    /// What everybody sees.
    pub seen: Fs,
    durable: Fs,
    pending: Vec<Pending>,
    /// Whether a person acts now.
    pub by_person: bool,
    /// Whether contents, sizes and times become durable by themselves alone, and not with a name (real file systems write them
    /// back when they like).
    pub contents_apart: bool,
    /// Whether, of a content of the same size, times may be lost alone (`lazytime`).
    pub late_times: bool,
    /// Whether no two changes have the same time, however soon one follows the other.
    pub fine_times: bool,
    /// The time of the last change, in nanoseconds.
    last: i64,
}

impl Layers {
    /// An empty drive.
    pub fn new(at: DiskTime) -> Self {
        Self {
            seen: Fs::new(at),
            durable: Fs::new(at),
            pending: Vec::new(),
            by_person: false,
            contents_apart: false,
            late_times: false,
            fine_times: false,
            last: i64::MIN,
        }
    }

    /// Which file systems keep times in steps of two seconds from now on.
    pub fn keep_times_coarsely(&mut self, coarse: Coarse) {
        (self.seen.coarse, self.durable.coarse) = (coarse, coarse);
    }

    /// Carries out a change, visibly and not durably.
    pub fn push(&mut self, op: Op, at: DiskTime) {
        let of = |spot: &Spot| [Some(spot.0), self.seen.at(spot)];
        let (names, content) = match &op {
            Op::Make(spot, ino, _) => (vec![Some(spot.0), Some(*ino)], Some(*ino)),
            Op::Remove(spot) => {
                let doomed = self.seen.at(spot).map(|ino| self.seen.below(ino)).unwrap_or_default();
                (std::iter::once(Some(spot.0)).chain(doomed.into_iter().map(Some)).collect(), None)
            }
            Op::Move(a, b) | Op::Exchange(a, b) => ([of(a), of(b)].concat(), None),
            Op::Write(ino, ..) | Op::Time(ino, _) if self.contents_apart => (vec![], Some(*ino)),
            Op::Write(ino, ..) | Op::Time(ino, _) | Op::Readable(ino, _) | Op::Odd(ino, _) => {
                (vec![Some(*ino)], None)
            }
        };
        let names = names.into_iter().flatten().filter(|ino| *ino != TMP && *ino != TRASH);
        let names: BTreeSet<Key> = names.map(Key::Name).collect();
        let content = content.map(Key::Content);
        let is_make = matches!(op, Op::Make(..));
        let at = if self.fine_times { DiskTime(at.0.max(self.last.saturating_add(1))) } else { at };
        self.last = at.0;
        self.seen.apply(&op, at);
        self.pending.push(Pending {
            // To make an inode builds on no content of it, and every content of it builds on that.
            builds_on: names.iter().copied().chain(content.filter(|_| !is_make)).collect(),
            concerns: names.into_iter().chain(content).collect(),
            op,
            at,
            by_person: self.by_person,
        });
    }

    /// Makes all changes durable that concern these names and inodes, with all that they build on.
    pub fn sync(&mut self, inos: &BTreeSet<Ino>) {
        let keys: BTreeSet<Key> = inos.iter().copied().map(Key::Name).collect();
        self.settle(|pending| !pending.concerns.is_disjoint(&keys));
    }

    /// Makes the contents, sizes and times of these files durable, with what they build on.
    pub fn sync_contents(&mut self, inos: &BTreeSet<Ino>) {
        let all = |ino: Ino| [Key::Name(ino), Key::Content(ino)];
        let keys: BTreeSet<Key> = inos.iter().copied().flat_map(all).collect();
        self.settle(|pending| !pending.concerns.is_disjoint(&keys));
        for ino in inos {
            if let (Some(durable), Some(seen)) = (self.durable.inodes.get_mut(ino), self.seen.inodes.get(ino))
            {
                (durable.mtime, durable.ctime) = (seen.mtime, seen.ctime);
            }
        }
    }

    /// Makes everything durable.
    pub fn sync_all(&mut self) {
        self.settle(|_| true);
        self.durable = self.seen.clone();
    }

    /// Makes everything durable, and changes inodes behind everybody's back.
    pub fn rewrite(&mut self, mut change: impl FnMut(Ino, &mut Inode)) {
        self.settle(|_| true);
        let coarse = self.seen.coarse;
        self.seen.inodes.iter_mut().for_each(|(ino, inode)| {
            change(*ino, inode);
            coarse.round(inode);
        });
        self.durable = self.seen.clone();
    }

    /// The power goes: of what nobody synced some changes last, by chance, each with those it
    /// builds on; content may last only in part. Returns the contents that persons
    /// wrote and that are gone from their file by it, and whether another file in the drive holds the same.
    pub fn power_cut(&mut self, rng: &mut Rng) -> Vec<(Ino, Bytes, bool)> {
        let by_person = self.pending.iter().filter(|pending| pending.by_person);
        let written = by_person.filter_map(|pending| match &pending.op {
            Op::Write(ino, content, _) => Some((*ino, content.clone())),
            Op::Make(_, ino, inode) => inode.content().map(|content| (*ino, content.clone())),
            _ => None,
        });
        let written: Vec<_> = written.collect();
        let lucky: Vec<bool> = self.pending.iter().map(|_| rng.chance(0.5)).collect();
        let mut at = lucky.into_iter();
        let settled = self.choose(|_| at.next_back().unwrap_or(false));
        for mut pending in settled {
            if let Op::Write(_, content, _) = &mut pending.op {
                match rng.below(3) {
                    0 => *content = Bytes::from([]),
                    1 => *content = content[..content.len() / 2].into(),
                    _ => {}
                }
            }
            self.durable.apply(&pending.op, pending.at);
        }
        if self.contents_apart {
            self.half_written(rng);
        }
        self.pending.clear();
        self.seen = self.durable.clone();
        // What had come to its place, and has its temporary name again, is cleared away as what is left of a download.
        let elsewhere = [TRASH, TMP].into_iter().flat_map(|folder| self.seen.below(folder));
        let elsewhere: BTreeSet<_> = elsewhere.collect();
        let in_place = || self.seen.inodes.iter().filter(|(ino, _)| !elsewhere.contains(ino));
        let kept: BTreeSet<_> = in_place().filter_map(|(_, inode)| inode.content()).cloned().collect();
        let holds =
            |ino: &Ino| in_place().find(|(other, _)| *other == ino).and_then(|(_, inode)| inode.content());
        let lost = written.into_iter().filter(|(ino, content)| holds(ino) != Some(content));
        lost.map(|(ino, content)| (ino, content.clone(), kept.contains(&content))).collect()
    }

    /// What is left of contents that were not written back: the former content with the former times, with the new ones or with some in
    /// between, as journals of metadata alone leave it; nothing; only a part; or the whole size, where all of it, or what follows the
    /// first half, is zeros or what was there before.
    fn half_written(&mut self, rng: &mut Rng) {
        // What a download wrote counts as far as its record says that it is durable.
        let waiting: BTreeSet<Ino> = self.durable.below(TMP).into_iter().collect();
        for pending in std::mem::take(&mut self.pending) {
            let Op::Write(ino, content, mtime) = pending.op else { continue };
            let Some(inode) = self.durable.inodes.get_mut(&ino) else { continue };
            let Some(old) = inode.content().cloned() else { continue };
            let between = |a: DiskTime, b: DiskTime| DiskTime(a.0.min(b.0) + (a.0 - b.0).abs() / 2);
            let half = content.len() / 2;
            // Of what nobody had written for a day no look after the cut finds it (`docs/sync.md` §3).
            let is_recent = |time: DiskTime| time.is_within(RECENT, pending.at);
            if self.late_times
                && old.len() == content.len()
                && !waiting.contains(&ino)
                && [inode.mtime, inode.ctime].into_iter().all(is_recent)
                && rng.chance(0.5)
            {
                let whole = rng.chance(0.5);
                let torn = || [&content[..half], &old[half..]].concat().into();
                inode.body = Body::File(if whole { content.clone() } else { torn() });
                continue;
            }
            let mut with_new_times = |left: Vec<u8>| {
                inode.body = Body::File(left.into());
                (inode.mtime, inode.ctime) = (mtime, pending.at);
            };
            let ways = if waiting.contains(&ino) { 5 } else { 8 };
            match rng.below(ways) {
                0 => continue,
                1 => {
                    // A file that became shorter was cut at once; a longer one grows only with its content.
                    with_new_times(old[..old.len().min(content.len())].to_vec());
                }
                2 => {
                    inode.mtime = between(inode.mtime, mtime);
                    inode.ctime = between(inode.ctime, pending.at);
                }
                3 => with_new_times(Vec::new()),
                4 => with_new_times(content[..half].to_vec()),
                // The size was set before the content was written.
                5 => with_new_times(vec![0; content.len()]),
                6 => with_new_times([&content[..half], &vec![0; content.len() - half]].concat()),
                _ => with_new_times([&content[..half], old.get(half..).unwrap_or_default()].concat()),
            }
        }
    }

    /// Moves chosen operations, and those that they build on, to the durable state in order.
    fn settle(&mut self, choose: impl FnMut(&Pending) -> bool) {
        for pending in self.choose(choose) {
            self.durable.apply(&pending.op, pending.at);
        }
    }

    /// Takes out chosen operations, and those that they build on, in order. `choose` is asked from the last to the first.
    fn choose(&mut self, mut choose: impl FnMut(&Pending) -> bool) -> Vec<Pending> {
        let mut needed = BTreeSet::new();
        let mut chosen = vec![false; self.pending.len()];
        for (index, pending) in self.pending.iter().enumerate().rev() {
            if choose(pending) || !pending.concerns.is_disjoint(&needed) {
                chosen[index] = true;
                needed.extend(pending.builds_on.iter().copied());
            }
        }
        let mut keep = chosen.into_iter();
        let (settled, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|_| keep.next().unwrap_or(false));
        self.pending = later;
        settled
    }

    /// Whether nothing waits to be synced.
    pub fn is_durable(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether an inode number is shown anywhere, now or after a crash.
    pub fn uses(&self, number: u64) -> bool {
        let used = |fs: &Fs| fs.inodes.values().any(|inode| inode.number == number);
        let waiting =
            |pending: &Pending| matches!(&pending.op, Op::Make(_, _, inode) if inode.number == number);
        used(&self.seen) || used(&self.durable) || self.pending.iter().any(waiting)
    }
}
