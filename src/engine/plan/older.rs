//! Edits here that hardly started from the version on iCloud: a restored backup, a folder that was copied back, a file in another one's
//! place, one that is empty suddenly or that a power cut may have cut short (`docs/sync.md` §6, Replacing a file).

use std::collections::{HashMap, HashSet};

use super::backed_up::{self, BackedUp};
use super::claims::Claimed;
use super::items::{Change, Item, Items, Key, Step, World};
use crate::engine::operation::Reason;
use crate::engine::recognise::LocalFate;
use crate::model::{Agreed, DiskTime, Identity, Node, Signature};

/// Where so many files of a folder went back in time, all its edits count as doing so.
const MANY: usize = 2;

/// Claimed items, whose edits have the reason that a person may have to approve.
pub(super) struct Explained(Items);

impl Explained {
    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Says of the edits that went back in time, and of those that left nothing, that they did.
pub(super) fn run(world: &World<'_>, claimed: Claimed) -> Explained {
    let mut items = claimed.into_items();
    find(world, &mut items);
    Explained(items)
}

fn find(world: &World<'_>, items: &mut Items) {
    let edits: Vec<_> = items.all.iter().filter(|(_, item)| replaces(item)).map(|(key, _)| *key).collect();
    if edits.is_empty() {
        return;
    }
    let replaced = replaced_folders(world, items);
    let exchanged = exchanged(world, items, &edits);
    let gone_back = moved_over_others(world, items);
    let folder = |item: &Item| item.base.and_then(|node| world.base.parent(node));
    let mut back: HashSet<_> = HashSet::new();
    let mut in_folder: HashMap<Option<Node>, usize> = HashMap::new();
    for key in &edits {
        let item = &items.all[key];
        if is_older(world, item) {
            *in_folder.entry(folder(item)).or_default() += 1;
            back.insert(*key);
        } else if lies_in(world, item, &replaced) || gone_back.contains(key) || went_back_before(world, item)
        {
            back.insert(*key);
        }
    }
    for key in edits {
        let Some(item) = items.all.get_mut(&key) else { continue };
        let among_many = in_folder.get(&folder(item)).is_some_and(|count| *count >= MANY);
        item.replaces_unseen = match () {
            () if back.contains(&key) || among_many => Some(Reason::WentBack),
            () if exchanged.contains(&key) => Some(Reason::Exchanged),
            () if is_emptied(world, item) => Some(Reason::Emptied),
            () if is_cut_short(world, item) => Some(Reason::CutShort),
            () => None,
        };
    }
}

/// Whether the content from here is to replace one that iCloud still has, whatever else happens to the item.
fn replaces(item: &Item) -> bool {
    item.step == Step::Upload && item.there.is_there() && item.here == Change::Edited
}

/// Whether it was not modified after what was agreed. Whoever edits a file sets its time; another content under the very time that was
/// agreed on is what a copying tool was writing back when the power failed.
fn is_older(world: &World<'_>, item: &Item) -> bool {
    item.base.zip(item.local).is_some_and(|(base, local)| {
        world.local.tree.get(local).stamp.mtime <= world.base.get(base).local.stamp.mtime
    })
}

/// Whether an earlier edit of it had gone back in time and was not sent: this one started from that.
fn went_back_before(world: &World<'_>, item: &Item) -> bool {
    item.base.is_some_and(|node| (world.policy.has_gone_back)(world.base.get(node)))
}

/// Edited files whose former file was moved over another one, and had gone back in time before that: what stands in its place was made
/// anew since, by somebody who had not seen the version on iCloud either.
fn moved_over_others(world: &World<'_>, items: &Items) -> HashSet<Key> {
    let moved = &world.recognition.moved_over;
    if moved.is_empty() {
        return HashSet::new();
    }
    // Whatever is done with what they were moved over: that may have changed on iCloud as well.
    let edited = items.all.values().filter(|item| item.here == Change::Edited);
    let found = edited.filter_map(|item| item.local.map(|node| world.local.tree.get(node).stamp));
    let found: HashMap<Identity, DiskTime> = found.map(|stamp| (stamp.identity, stamp.mtime)).collect();
    let has_gone_back = |node: &Node| {
        let then = world.base.get(*node).local.stamp;
        let now = found.get(&then.identity);
        then.identity != Identity::default() && now.is_some_and(|now| *now < then.mtime)
    };
    moved.iter().filter(|node| has_gone_back(node)).map(|node| Key::Base(*node)).collect()
}

/// Edited files in whose place there is what had been another file: by its inode, on a file system that keeps no time of birth, or by
/// its content or its size and time, where files have no inode that lasts either; there by the size of one that is edited as well, too,
/// and by another one that is edited or new and may be what stood there before, since it is older than what was agreed on. That does not
/// tell that the files were moved; but neither that the edit started from what was at its place. What an editor replaced and kept beside it, as
/// a backup, tells that.
fn exchanged(world: &World<'_>, items: &Items, edits: &[Key]) -> HashSet<Key> {
    let mut of_inode: HashMap<u64, Vec<Key>> = HashMap::new();
    let mut of_stamp: HashMap<(u64, DiskTime), Vec<Key>> = HashMap::new();
    let mut of_content: HashMap<Signature, Vec<Key>> = HashMap::new();
    let mut of_size: HashMap<u64, usize> = HashMap::new();
    let mut by_others = HashSet::new();
    let backed_up = backed_up::find(world, items, edits);
    let oldest = oldest(world, items, &backed_up);
    let base = |key: &Key| items.all[key].base.map(|node| world.base.get(node));
    for entry in edits.iter().filter_map(base) {
        *of_size.entry(entry.local.stamp.size).or_default() += 1;
    }
    for key in edits {
        let item = &items.all[key];
        let Some((base, local)) = item.base.zip(item.local) else { continue };
        let (then, now) = (world.base.get(base).local.stamp, world.local.tree.get(local).stamp.identity);
        if now == Identity::default() {
            let found = world.local.tree.get(local);
            of_stamp.entry((found.stamp.size, found.stamp.mtime)).or_default().push(*key);
            if let Some(signature) = found.signature.get() {
                of_content.entry(signature).or_default().push(*key);
            }
            let own = usize::from(world.base.get(base).local.stamp.size == found.stamp.size);
            let is_older = |(mtime, other): &(DiskTime, Key)| other != key && *mtime <= then.mtime;
            if of_size.get(&found.stamp.size).is_some_and(|count| *count > own) || oldest.iter().any(is_older)
            {
                by_others.insert(*key);
            }
        } else if now.birth.get().is_none() && now.inode != 0 && now.inode != then.identity.inode {
            of_inode.entry(now.inode).or_default().push(*key);
        }
    }
    if of_inode.is_empty() && of_stamp.is_empty() {
        return HashSet::new();
    }
    let known = world.base.walk(Node::ROOT).skip(1).map(|node| world.base.get(node));
    // (One with the time of its own item counts as older anyway.)
    let files = known.filter(|entry| !entry.folder);
    let of_file = |entry: &Agreed| {
        let (inode, stamp) =
            (entry.local.stamp.identity.inode, (entry.local.stamp.size, entry.local.stamp.mtime));
        let of_content = entry.signature.and_then(|signature| of_content.remove(&signature));
        [of_inode.remove(&inode), of_stamp.remove(&stamp), of_content]
    };
    let found = files.flat_map(of_file).flatten().flatten().chain(by_others);
    found.filter(|key| !backed_up.written.contains(key)).collect()
}

/// The two files here that were modified first, of those that are edited or new and no backup of what is.
fn oldest(world: &World<'_>, items: &Items, backed_up: &BackedUp) -> Vec<(DiskTime, Key)> {
    let is_open = |key: &Key, item: &Item| {
        !item.folder && item.here == Change::Edited && !backed_up.backups.contains(key)
    };
    let changed = items.all.iter().filter(|(key, item)| is_open(key, item));
    let modified =
        changed.filter_map(|(key, item)| Some((world.local.tree.get(item.local?).stamp.mtime, *key)));
    let mut oldest: Vec<_> = modified.collect();
    oldest.sort_unstable();
    oldest.truncate(2);
    oldest
}

/// Whether nothing is left of a content. A power cut soon after a file was written leaves it so on most file systems, with the time of
/// the writing.
fn is_emptied(world: &World<'_>, item: &Item) -> bool {
    item.base.zip(item.local).is_some_and(|(base, local)| {
        world.local.tree.get(local).stamp.size == 0 && world.base.get(base).local.stamp.size > 0
    })
}

/// Whether it was written before the machine was started, or its file system mounted, and may not be durable. Of a file that was being
/// written a power cut leaves a part, or its size with nothing in it, or some of the former content; also where a person saved the very
/// content that was there.
fn is_cut_short(world: &World<'_>, item: &Item) -> bool {
    let stamp = |local: Node| world.local.tree.get(local).stamp;
    let is_cut = |(base, local)| world.policy.power_cuts.may_have_cut(world.base, base, &stamp(local));
    item.base.zip(item.local).is_some_and(is_cut)
}

/// Folders in whose place another one stands now. None where no item is known by its identity any more: then that says
/// something of the file system, not of the folders.
fn replaced_folders(world: &World<'_>, items: &Items) -> HashSet<Node> {
    let is_same = |node: Node| match world.recognition.of_base[node] {
        LocalFate::There { node: local, .. } => {
            Some(world.local.tree.get(local).stamp.identity == world.base.get(node).local.stamp.identity)
        }
        _ => None,
    };
    // That it is another one has happened to a folder, so it was collected.
    let known = items.all.keys().filter_map(Key::in_base);
    let replaced: HashSet<Node> =
        known.filter(|node| world.base.get(*node).folder && is_same(*node) == Some(false)).collect();
    if replaced.is_empty() {
        return replaced;
    }
    let known = || world.base.walk(Node::ROOT).skip(1);
    let is_told_by = || known().any(|node| is_same(node) == Some(true)) || are_exchanged(world, known());
    if is_told_by() { replaced } else { HashSet::new() }
}

/// Whether one of those items stands at the place of another one, by an inode and a time of birth that nobody gives twice.
fn are_exchanged(world: &World<'_>, known: impl Iterator<Item = Node>) -> bool {
    let here = world.local.tree.walk(Node::ROOT).skip(1);
    let here: HashSet<Identity> = here.map(|node| world.local.tree.get(node).stamp.identity).collect();
    let known = known.map(|node| world.base.get(node).local.stamp.identity);
    known.filter(|identity| identity.birth.get().is_some()).any(|identity| here.contains(&identity))
}

fn lies_in(world: &World<'_>, item: &Item, folders: &HashSet<Node>) -> bool {
    let mut at = item.base.and_then(|node| world.base.parent(node));
    while let Some(folder) = at {
        if folders.contains(&folder) {
            return true;
        }
        at = world.base.parent(folder);
    }
    false
}
