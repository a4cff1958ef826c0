//! What persons do to the two sides, and which contents nobody may lose because of it.

use std::collections::BTreeSet;

use super::super::world::{Half, Kind, LIBRARY, Thing, World};
use crate::model::{Node, Side};

/// A small generator of our own, so that a seed means the same for ever.
#[derive(Clone)]
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// One change by a person; numbers are taken modulo what exists, so every history means something.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Create(Side, usize, usize, bool),
    Edit(Side, usize),
    Move(Side, usize, usize, usize),
    Delete(Side, usize),
    /// The same file comes to both sides.
    Same(usize, usize),
    /// Two items change places.
    Swap(Side, usize, usize),
    /// An item is moved over an existing file.
    MoveOver(usize, usize),
    /// An editor writes a new file and renames it over the old one.
    Rewrite(usize),
    /// One renames the old file, as a backup, and writes a new one at its path.
    Backup(usize),
    Touch(usize),
    PowerCut(usize),
    HardLink(usize, usize, usize),
    Special(usize, usize),
    Foreign(usize, usize),
    Package(usize, usize),
    /// An item on iCloud is deleted and another one made in its place.
    Succeed(usize),
    /// iCloud lets the signature of a file be known.
    Sign(usize),
    /// The filter, the limit on sizes or the libraries change.
    Ignore(usize),
    MaxSize(usize),
    Libraries,
}

impl Step {
    /// Whether it happens here alone, and changes no setting.
    pub fn is_here(&self) -> bool {
        match self {
            Self::Create(side, ..) | Self::Edit(side, _) | Self::Move(side, ..) => *side == Side::Local,
            Self::Delete(side, _) | Self::Swap(side, ..) => *side == Side::Local,
            Self::MoveOver(..) | Self::Rewrite(_) | Self::Backup(_) | Self::Touch(_) => true,
            Self::PowerCut(_) | Self::HardLink(..) | Self::Special(..) => true,
            Self::Same(..) | Self::Foreign(..) | Self::Package(..) | Self::Succeed(_) | Self::Sign(_) => {
                false
            }
            Self::Ignore(_) | Self::MaxSize(_) | Self::Libraries => false,
        }
    }

    /// Whether what it makes comes back by rule where it was changed here.
    pub fn comes_back(&self) -> bool {
        matches!(self, Self::PowerCut(_) | Self::Package(..))
    }
}

pub const NAMES: [&str; 9] = ["a", "b", "c", "d.txt", "e.txt", "u\u{308}", "\u{fc}", ".DS_Store", "A"];
const FILTERS: [&[&str]; 5] = [&[], &["=b"], &["b"], &["d.txt"], &["=a", "e.txt"]];

pub fn steps(chance: &mut Chance, count: usize, odd: bool) -> Vec<Step> {
    (0..count)
        .map(|_| {
            let side = if chance.one_in(2) { Side::Local } else { Side::Remote };
            let (item, folder, name) = (chance.below(64), chance.below(64), chance.below(NAMES.len()));
            match chance.below(if odd { 32 } else { 16 }) {
                0 => Step::Create(side, folder, name, true),
                1 | 2 => Step::Create(side, folder, name, false),
                3..=5 => Step::Edit(side, item),
                6..=9 => Step::Move(side, item, folder, name),
                10 | 11 => Step::Delete(side, item),
                12 => Step::Same(folder, name),
                13 => Step::Swap(side, item, folder),
                14 => Step::MoveOver(item, folder),
                15 if folder % 2 == 0 => Step::Backup(item),
                15 => Step::Rewrite(item),
                16 | 17 => Step::Touch(item),
                18 => Step::PowerCut(item),
                19 => Step::HardLink(item, folder, name),
                20 => Step::Special(folder, name),
                21 => Step::Foreign(folder, name),
                22 => Step::Package(folder, name),
                23 | 24 => Step::Succeed(item),
                25 | 26 => Step::Sign(item),
                27 => Step::Ignore(name),
                28 => Step::MaxSize(name),
                29 => Step::Libraries,
                _ => Step::Move(side, item, folder, name),
            }
        })
        .collect()
}

/// What persons did to contents.
#[derive(Clone, Default)]
pub struct Journal {
    /// Must be somewhere, if only in a trash.
    pub wanted: BTreeSet<u64>,
    /// Nobody deleted or replaced it on either side: must stand somewhere.
    pub living: BTreeSet<u64>,
}

impl Journal {
    fn made(&mut self, content: u64) {
        self.wanted.insert(content);
        self.living.insert(content);
    }

    /// A person who deletes or replaces a content has seen it, unless the other side holds one of its own.
    fn gone(&mut self, world: &World, side: Side, content: u64) {
        self.living.remove(&content);
        let other = if side == Side::Local { &world.remote } else { &world.local };
        let agreed = world.state.base.walk(Node::ROOT).any(|node| {
            world.state.base.get(node).local.stamp.mtime.whole_seconds() == i64::try_from(content).unwrap()
        });
        if agreed || !other.things.values().any(|thing| thing.content == content && !thing.cut) {
            self.wanted.remove(&content);
        }
    }
}

/// Carries a step out, as far as it means something.
pub fn take(world: &mut World, journal: &mut Journal, step: Step) {
    perform(world, journal, step);
    // Junk goes with its folder.
    for thing in world.local.things.values().chain(world.remote.things.values()) {
        if thing.name == ".DS_Store" {
            journal.living.remove(&thing.content);
        }
    }
}

fn perform(world: &mut World, journal: &mut Journal, step: Step) {
    match step {
        Step::Create(side, folder, name, is_folder) => {
            create(world, journal, side, folder, name, is_folder, Kind::Plain)
        }
        Step::Package(folder, name) => {
            create(world, journal, Side::Remote, folder, name, false, Kind::Package)
        }
        Step::Special(folder, name) => {
            create(world, journal, Side::Local, folder, name, false, Kind::Special)
        }
        Step::Foreign(folder, name) => {
            create(world, journal, Side::Remote, folder, name, false, Kind::Foreign)
        }
        Step::Same(folder, name) => same(world, journal, folder, name),
        Step::Edit(side, item) => {
            if let Some(id) = pick(world, side, item, Some(false)) {
                let half = world.half(side);
                let thing = &half.things[&id];
                if thing.kind == Kind::Special || thing.kind == Kind::Foreign {
                    return;
                }
                let (path, old) = (half.path(id), thing.content);
                journal.gone(world, side, old);
                world.edit(side, &path);
                let content = world.half(side).things[&id].content;
                journal.made(content);
            }
        }
        Step::Move(side, item, folder, name) => {
            let (Some(id), Some(parent)) = (pick(world, side, item, None), folder_at(world, side, folder))
            else {
                return;
            };
            relink(world, side, id, parent, NAMES[name]);
            // Moved to where it cannot be seen, an emptied file is gone as far as anybody can tell.
            let thing = &world.half(side).things[&id];
            if thing.cut {
                journal.living.remove(&thing.content);
            }
        }
        Step::Swap(side, one, other) => {
            let (Some(a), Some(b)) = (pick(world, side, one, None), pick(world, side, other, None)) else {
                return;
            };
            let half = world.half(side);
            if a == b || half.is_within(a, b) || half.is_within(b, a) || is_zoned(a, b) {
                return;
            }
            let (x, y) = (half.things[&a].clone(), half.things[&b].clone());
            for (id, place) in [(a, y), (b, x)] {
                // Who puts another file in the place of an emptied one has seen that it is empty.
                if world.half(side).things[&id].cut {
                    let content = world.half(side).things[&id].content;
                    journal.gone(world, side, content);
                }
                let version = world.fresh();
                let thing = world.half(side).things.get_mut(&id).unwrap();
                (thing.parent, thing.name, thing.version) = (place.parent, place.name, version);
            }
        }
        Step::MoveOver(item, target) => {
            let (Some(item), Some(target)) =
                (pick(world, Side::Local, item, Some(false)), pick(world, Side::Local, target, Some(false)))
            else {
                return;
            };
            if item != target {
                let place = world.local.things.remove(&target).unwrap();
                journal.gone(world, Side::Local, place.content);
                // An emptied file over another one is that one's new content; who moved it has seen that it is empty.
                if world.local.things[&item].cut {
                    let content = world.local.things[&item].content;
                    journal.gone(world, Side::Local, content);
                }
                let thing = world.local.things.get_mut(&item).unwrap();
                (thing.parent, thing.name) = (place.parent, place.name);
            }
        }
        Step::Rewrite(item) => {
            if let Some(id) = pick(world, Side::Local, item, Some(false)) {
                let old = world.local.things.remove(&id).unwrap();
                journal.gone(world, Side::Local, old.content);
                let (id, content) = (world.fresh(), world.fresh());
                world.local.things.insert(id, Thing::new(old.parent, &old.name, content, id));
                journal.made(content);
            }
        }
        Step::Backup(item) => backup(world, journal, item),
        Step::Touch(item) => {
            if let Some(id) = pick(world, Side::Local, item, Some(false)) {
                let thing = world.local.things.get_mut(&id).unwrap();
                thing.touched = (thing.touched + 1) * u32::from(!thing.cut);
            }
        }
        Step::PowerCut(item) => power_cut(world, item),
        Step::HardLink(item, folder, name) => {
            let (Some(id), Some(parent)) =
                (pick(world, Side::Local, item, Some(false)), folder_at(world, Side::Local, folder))
            else {
                return;
            };
            let thing = world.local.things[&id].clone();
            if world.child_here(parent, NAMES[name]).is_none() && !thing.cut && !world.no_birth {
                let id = world.fresh();
                let name = NAMES[name].to_owned();
                world.local.things.insert(id, Thing { parent, name, ..thing });
            }
        }
        Step::Succeed(item) => {
            let Some(id) = pick(world, Side::Remote, item, None) else { return };
            let old = world.remote.things[&id].clone();
            if old.kind == Kind::Plain {
                perform(world, journal, Step::Delete(Side::Remote, item));
                let (fresh, content) = (world.fresh(), world.fresh());
                let fresh = fresh + if old.parent >= LIBRARY { LIBRARY } else { 0 };
                let content = if old.is_folder() { 0 } else { content };
                world.remote.things.insert(fresh, Thing::new(old.parent, &old.name, content, fresh));
                if content != 0 {
                    journal.made(content);
                }
            }
        }
        Step::Sign(item) => {
            if let Some(id) = pick(world, Side::Remote, item, Some(false)) {
                world.remote.things.get_mut(&id).unwrap().signed = true;
            }
        }
        Step::Ignore(number) => {
            world.ignore = vec![".DS_Store".to_owned()];
            world.ignore.extend(FILTERS[number % FILTERS.len()].iter().map(|text| (*text).to_owned()));
        }
        Step::MaxSize(number) => world.max_size = (number % 3 != 0).then_some(number as u64 % 3),
        Step::Libraries => world.libraries = !world.libraries,
        Step::Delete(side, item) => {
            let Some(id) = pick(world, side, item, None) else { return };
            if world.half(side).things[&id].kind == Kind::Library {
                return;
            }
            let half = world.half(side);
            let gone: Vec<u64> = half.below(id).into_iter().chain([id]).collect();
            let gone: Vec<u64> = gone.iter().map(|id| half.things[id].content).filter(|c| *c != 0).collect();
            for content in gone {
                journal.gone(world, side, content);
            }
            let (trash, path) = (world.half(side).trash.len(), world.half(side).path(id));
            world.delete(side, &path);
            if side == Side::Local {
                world.local.trash.truncate(trash);
            }
        }
    }
}

/// An editor renames a file, over the backup before that, and writes a new one at its path.
fn backup(world: &mut World, journal: &mut Journal, item: usize) {
    let Some(id) = pick(world, Side::Local, item, Some(false)) else { return };
    let old = world.local.things[&id].clone();
    let name = format!("{}~", old.name);
    let other = world.child_here(old.parent, &name);
    // Two links of one file cannot be renamed over one another.
    let is_in_the_way = |thing: &Thing| thing.is_folder() || thing.inode == old.inode;
    if old.kind != Kind::Plain || other.is_some_and(|other| is_in_the_way(&world.local.things[&other])) {
        return;
    }
    if let Some(other) = other.and_then(|other| world.local.things.remove(&other)) {
        journal.gone(world, Side::Local, other.content);
    }
    // Who writes a new file has seen that it was empty.
    if old.cut {
        journal.gone(world, Side::Local, old.content);
    }
    let (version, fresh, content) = (world.fresh(), world.fresh(), world.fresh());
    let thing = world.local.things.get_mut(&id).unwrap();
    (thing.name, thing.version) = (name, version);
    world.local.things.insert(fresh, Thing::new(old.parent, &old.name, content, fresh));
    journal.made(content);
}

/// A file that is synced is found empty after a power cut.
fn power_cut(world: &mut World, item: usize) {
    let Some(id) = pick(world, Side::Local, item, Some(false)) else { return };
    let thing = &world.local.things[&id];
    let base = &world.state.base;
    let Some(node) = base.walk(Node::ROOT).find(|node| {
        base.get(*node).local.stamp.identity.inode == thing.inode
            && base.path(*node).as_str() == world.local.path(id)
            && base.get(*node).local.stamp.mtime == world.local_entry(id, thing).stamp.mtime
    }) else {
        return;
    };
    let alone = world.local.things.values().filter(|other| other.inode == thing.inode).count() == 1;
    let there = base.get(node).remote.id.doc().strip_prefix('d').and_then(|text| text.parse::<u64>().ok());
    let safe = there.and_then(|there| world.remote.things.get(&there)).is_some_and(|other| {
        other.content == thing.content && world.remote.path(there.unwrap()) == world.local.path(id)
    });
    // Without birth times nobody can tell a file that was emptied and moved from another one.
    if alone && safe && !world.no_birth && base.get(node).local.stamp.size > 0 && thing.kind == Kind::Plain {
        world.local.things.get_mut(&id).unwrap().cut = true;
    }
}

fn same(world: &mut World, journal: &mut Journal, folder: usize, name: usize) {
    // One content on both sides, as a copy from elsewhere would be.
    let before = world.next;
    create(world, journal, Side::Local, folder, name, false, Kind::Plain);
    let made = world.local.things.range(before + 1..).next();
    let Some((path, content)) = made.map(|(id, thing)| (world.local.path(*id), thing.content)) else {
        return;
    };
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if let Some(parent) = world.remote.find(parent)
        && (parent == 0 || world.remote.things[&parent].is_folder())
        && world.remote.child(parent, name).is_none()
    {
        let id = world.fresh() + if parent >= LIBRARY { LIBRARY } else { 0 };
        world.remote.things.insert(id, Thing::new(parent, name, content, id));
    }
}

fn create(
    world: &mut World,
    journal: &mut Journal,
    side: Side,
    folder: usize,
    name: usize,
    is_folder: bool,
    kind: Kind,
) {
    let Some(parent) = folder_at(world, side, folder) else { return };
    if is_taken(world, side, parent, NAMES[name]) {
        return;
    }
    let (id, content) = (world.fresh(), world.fresh());
    let id = id + if side == Side::Remote && parent >= LIBRARY { LIBRARY } else { 0 };
    let content = if is_folder { 0 } else { content };
    world.half(side).things.insert(id, Thing { kind, ..Thing::new(parent, NAMES[name], content, id) });
    if !is_folder && kind != Kind::Special && kind != Kind::Foreign {
        journal.made(content);
    }
}

fn is_taken(world: &World, side: Side, parent: u64, name: &str) -> bool {
    match side {
        Side::Local => world.child_here(parent, name).is_some(),
        Side::Remote => world.remote.child(parent, name).is_some(),
    }
}

fn relink(world: &mut World, side: Side, id: u64, parent: u64, name: &str) {
    let half = world.half(side);
    let zones = side == Side::Remote && (is_zoned(id, parent) || half.things[&id].kind == Kind::Library);
    if !half.is_within(parent, id) && !is_taken(world, side, parent, name) && !zones {
        let version = world.fresh();
        let thing = world.half(side).things.get_mut(&id).unwrap();
        (thing.parent, thing.name, thing.version) = (parent, name.to_owned(), version);
    }
}

/// Whether a move from one to the other crosses the edge of a zone: the service refuses it.
fn is_zoned(a: u64, b: u64) -> bool {
    (a >= LIBRARY) != (b >= LIBRARY)
}

/// A person touches nothing on a volume that is not mounted.
fn pick(world: &mut World, side: Side, item: usize, folders: Option<bool>) -> Option<u64> {
    let half: &Half = world.half(side);
    let fits = |thing: &Thing| folders.is_none_or(|folders| thing.is_folder() == folders);
    let all: Vec<u64> = half.things.iter().filter(|(_, thing)| fits(thing)).map(|(id, _)| *id).collect();
    let id = all.get(item % all.len().max(1)).copied()?;
    let mount = world.mounts.iter().any(|mount| world.local.is_within(*mount, id));
    (side == Side::Remote || !world.is_unmounted(id) && !mount).then_some(id)
}

fn folder_at(world: &mut World, side: Side, folder: usize) -> Option<u64> {
    let half = world.half(side);
    let folders: Vec<u64> = std::iter::once(0)
        .chain(half.things.iter().filter(|(_, thing)| thing.is_folder()).map(|(id, _)| *id))
        .collect();
    let id = folders[folder % folders.len()];
    (side == Side::Remote || !world.is_unmounted(id)).then_some(id)
}
