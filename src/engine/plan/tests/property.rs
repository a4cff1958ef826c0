//! One random tree, changed on both sides, planned and applied until it is quiet.
//!
//! `PLAN_CASES` sets how many cases are tried, `PLAN_SEED` replays one.

use std::collections::BTreeSet;

use super::world::World;
use crate::engine::plan::{ConflictPolicy, Mode};
use crate::model::Side;

/// A small generator of our own, so that a seed means the same for ever.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }
}

/// One change by a person; numbers are taken modulo what exists, so every history means something.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create(Side, usize, usize, bool),
    Edit(Side, usize),
    Move(Side, usize, usize, usize),
    Delete(Side, usize),
    Same(usize, usize),
}

const NAMES: [&str; 8] = ["a", "b", "c", "d.txt", "e.txt", "u\u{308}", "\u{fc}", ".DS_Store"];

fn steps(chance: &mut Chance, count: usize) -> Vec<Step> {
    (0..count)
        .map(|_| {
            let side = if chance.below(2) == 0 { Side::Local } else { Side::Remote };
            let (item, folder, name) = (chance.below(64), chance.below(64), chance.below(NAMES.len()));
            match chance.below(10) {
                0 => Step::Create(side, folder, name, true),
                1 | 2 => Step::Create(side, folder, name, false),
                3 | 4 => Step::Edit(side, item),
                5..=7 => Step::Move(side, item, folder, name),
                8 => Step::Delete(side, item),
                _ => Step::Same(folder, name),
            }
        })
        .collect()
}

/// What a person did to contents: those that nobody may lose.
#[derive(Clone, Default)]
struct Journal {
    wanted: BTreeSet<u64>,
}

fn take(world: &mut World, journal: &mut Journal, step: Step) {
    match step {
        Step::Create(side, folder, name, is_folder) => create(world, journal, side, folder, name, is_folder),
        Step::Same(folder, name) => {
            // The same file made on both sides: one content, as a copy from elsewhere would be.
            let before = world.next;
            create(world, journal, Side::Local, folder, name, false);
            let made = world
                .local
                .things
                .range(before + 1..)
                .next()
                .map(|(id, thing)| (world.local.path(*id), thing.content));
            if let Some((path, content)) = made {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
                if let Some(parent) = world.remote.find(parent)
                    && (parent == 0 || world.remote.things[&parent].is_folder())
                    && world.remote.child(parent, name).is_none()
                {
                    let id = world.fresh();
                    let thing = super::world::Thing { parent, name: name.to_owned(), content, version: id };
                    world.remote.things.insert(id, thing);
                }
            }
        }
        Step::Edit(side, item) => {
            if let Some(path) = pick(world, side, item, false) {
                let old = world.half(side).find(&path).map(|id| world.half(side).things[&id].content);
                journal.wanted.retain(|content| Some(*content) != old || elsewhere(world, side, *content));
                world.edit(side, &path);
                let id = world.half(side).find(&path).unwrap();
                journal.wanted.insert(world.half(side).things[&id].content);
            }
        }
        Step::Move(side, item, folder, name) => {
            let (Some(from), to) = (pick_any(world, side, item), folder_at(world, side, folder)) else {
                return;
            };
            let half = world.half(side);
            let (id, parent) = (half.find(&from).unwrap(), to);
            if half.child(parent, NAMES[name]).is_none() && !half.is_within(parent, id) {
                let version = world.fresh();
                let thing = world.half(side).things.get_mut(&id).unwrap();
                (thing.parent, thing.name, thing.version) = (parent, NAMES[name].to_owned(), version);
            }
        }
        Step::Delete(side, item) => {
            if let Some(path) = pick_any(world, side, item) {
                let half = world.half(side);
                let id = half.find(&path).unwrap();
                let gone: Vec<u64> = half
                    .below(id)
                    .into_iter()
                    .chain([id])
                    .map(|id| half.things[&id].content)
                    .filter(|c| *c != 0)
                    .collect();
                // Who deletes a file has seen it; a person's deletion on iCloud, though, keeps it in the trash.
                journal.wanted.retain(|content| !gone.contains(content) || elsewhere(world, side, *content));
                let trash = world.half(side).trash.len();
                world.delete(side, &path);
                if side == Side::Local {
                    world.local.trash.truncate(trash);
                }
            }
        }
    }
}

/// Whether the other side holds the content too, and nobody touched it there.
fn elsewhere(world: &World, side: Side, content: u64) -> bool {
    let other = if side == Side::Local { &world.remote } else { &world.local };
    let agreed = world
        .state
        .base
        .walk(crate::model::Node::ROOT)
        .any(|node| world.state.base.get(node).stamp.mtime.0 == i64::try_from(content).unwrap());
    !agreed && other.things.values().any(|thing| thing.content == content)
}

fn create(world: &mut World, journal: &mut Journal, side: Side, folder: usize, name: usize, is_folder: bool) {
    let parent = folder_at(world, side, folder);
    if world.half(side).child(parent, NAMES[name]).is_some() {
        return;
    }
    let (id, content) = (world.fresh(), world.fresh());
    let content = if is_folder { 0 } else { content };
    let thing = super::world::Thing { parent, name: NAMES[name].to_owned(), content, version: id };
    world.half(side).things.insert(id, thing);
    if !is_folder {
        journal.wanted.insert(content);
    }
}

fn pick(world: &mut World, side: Side, item: usize, folders: bool) -> Option<String> {
    let half = world.half(side);
    let fitting: Vec<u64> =
        half.things.iter().filter(|(_, thing)| thing.is_folder() == folders).map(|(id, _)| *id).collect();
    (!fitting.is_empty()).then(|| half.path(fitting[item % fitting.len()]))
}

fn pick_any(world: &mut World, side: Side, item: usize) -> Option<String> {
    let half = world.half(side);
    let all: Vec<u64> = half.things.keys().copied().collect();
    (!all.is_empty()).then(|| half.path(all[item % all.len()]))
}

fn folder_at(world: &mut World, side: Side, folder: usize) -> u64 {
    let half = world.half(side);
    let folders: Vec<u64> = std::iter::once(0)
        .chain(half.things.iter().filter(|(_, thing)| thing.is_folder()).map(|(id, _)| *id))
        .collect();
    folders[folder % folders.len()]
}

/// What each side shows of what takes part, under composed names. A folder that stays on one side only, for what
/// does not take part, is not looked at.
fn shown(world: &World, half: &super::world::Half) -> BTreeSet<(String, u64)> {
    let base = &world.state.base;
    let one_sided: BTreeSet<String> = base
        .walk(crate::model::Node::ROOT)
        .filter(|node| base.get(*node).presence != crate::model::Presence::Both)
        .map(|node| format!("{}/", base.path(node)))
        .collect();
    half.listing()
        .into_iter()
        .filter(|(path, _)| !path.contains(".DS_Store") && !one_sided.contains(path))
        .map(|(path, content)| (crate::model::name::nfc(&path).to_string(), content))
        .collect()
}

fn check(steps: &[Step], first: usize, mode: Mode, conflict: ConflictPolicy) -> Result<(), String> {
    let mut world = World::new();
    world.ignore = vec![".DS_Store".to_owned()];
    let mut journal = Journal::default();
    for step in &steps[..first.min(steps.len())] {
        take(&mut world, &mut journal, *step);
    }
    world.settle();
    (world.mode, world.conflict) = (mode, conflict);
    for step in &steps[first.min(steps.len())..] {
        take(&mut world, &mut journal, *step);
    }
    let before = world.clone();
    world.settle();
    if let Some(lost) = journal.wanted.iter().find(|content| !is_kept(&world, **content)) {
        return Err(format!("content {lost} is lost"));
    }
    match mode {
        Mode::DownloadOnly if before.remote.things != world.remote.things => {
            return Err("iCloud was changed".to_owned());
        }
        Mode::UploadOnly if before.local.things != world.local.things => {
            return Err("this disk was changed".to_owned());
        }
        _ => {}
    }
    // Names that one side cannot hold apart are set aside; everything else is equal.
    if mode == Mode::TwoWay
        && world.plan().notes.is_empty()
        && shown(&world, &world.local) != shown(&world, &world.remote)
    {
        return Err(format!(
            "here {:?}\nthere {:?}",
            shown(&world, &world.local),
            shown(&world, &world.remote)
        ));
    }
    Ok(())
}

fn is_kept(world: &World, content: u64) -> bool {
    [&world.local, &world.remote].iter().any(|half| {
        half.trash.contains(&content) || half.things.values().any(|thing| thing.content == content)
    })
}

fn try_case(steps: &[Step], first: usize, mode: Mode, conflict: ConflictPolicy) -> Result<(), String> {
    std::panic::catch_unwind(|| check(steps, first, mode, conflict)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

/// Drops ever shorter runs of steps for as long as the rest still fails.
fn shrink(mut steps: Vec<Step>, fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut run = steps.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at + run <= steps.len() {
            let mut shorter = steps.clone();
            shorter.drain(at..at + run);
            if fails(&shorter) { steps = shorter } else { at += run }
        }
        run /= 2;
    }
    steps
}

#[test]
fn random_changes_on_both_sides_converge_and_lose_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("PLAN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PLAN_CASES").unwrap_or(4_000),
    };
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let failure = seeds.into_iter().find_map(|seed| {
        let mut chance = Chance(seed);
        let first = 4 + chance.below(10);
        let mode =
            [Mode::TwoWay, Mode::TwoWay, Mode::TwoWay, Mode::DownloadOnly, Mode::UploadOnly][chance.below(5)];
        let conflict =
            [ConflictPolicy::KeepBoth, ConflictPolicy::KeepBoth, ConflictPolicy::Newest][chance.below(3)];
        let count = first + 2 + chance.below(8);
        let all = steps(&mut chance, count);
        let error = try_case(&all, first, mode, conflict).err()?;
        let (early, late) = all.split_at(first);
        let late =
            shrink(late.to_vec(), |late| try_case(&[early, late].concat(), first, mode, conflict).is_err());
        let early = shrink(early.to_vec(), |early| {
            try_case(&[early, &late[..]].concat(), early.len(), mode, conflict).is_err()
        });
        let error =
            try_case(&[&early[..], &late[..]].concat(), early.len(), mode, conflict).err().unwrap_or(error);
        Some(format!(
            "{error}\nreplay: PLAN_SEED={seed} ({mode:?}, {conflict:?})\nfirst: {early:?}\nthen: {late:?}"
        ))
    });
    std::panic::set_hook(quiet);
    if let Some(failure) = failure {
        panic!("{failure}");
    }
}
