//! Folders that cannot get the place here that they have on iCloud, since a volume is mounted on them or in them (`docs/sync.md` §5).

use std::iter::successors;

use super::items::{Change, Item, World};
use crate::engine::recognise::LocalFate;
use crate::model::policy::Mode;
use crate::model::{Node, Presence, name};

/// Why a folder that has another place on iCloud stays where it is on both sides; `None` where it does not. What is in it goes on.
pub(super) fn kept_in_place(world: &World<'_>, item: &Item) -> Option<&'static str> {
    let (here, there) = (item.local?, item.remote?);
    let is_known = item.folder && item.base.is_some() && item.here.is_there() && item.there.is_there();
    let tree = &world.local.tree;
    let is_mount = tree.get(here).stamp.is_mount;
    if !is_known || !would_move_here(world.policy.mode, item, is_mount) || stand_alike(world, here, there) {
        return None;
    }
    if is_mount {
        return Some(
            "it has another name or folder on iCloud, and a folder on which a volume is mounted cannot be moved here: \
             mount the volume at that place, or move the folder back on iCloud",
        );
    }
    let (volume, wanted) = (volume_of(world, tree.parent(here)?), volume_there(world, there)?);
    let holds_volume = || tree.walk(here).any(|node| tree.get(node).stamp.is_mount);
    (volume != wanted && holds_volume()).then_some(
        "it is in a folder on another file system on iCloud, and what a volume is mounted in cannot be moved to another \
         one here: move the folder back on iCloud, or take the volume off",
    )
}

/// Whether another volume is mounted on a folder than the one that it is known by, a copy, say. Also where nothing else is done with the
/// folder now the base learns of that: what is on it is told by it.
pub(super) fn has_another_volume(world: &World<'_>, item: &Item) -> bool {
    let (Some(node), Some(known)) = (item.local, item.base.map(|node| world.base.get(node))) else {
        return false;
    };
    let is_mount = world.local.tree.get(node).stamp.is_mount;
    is_mount && !item.succeeded && item.here == Change::Touched && known.presence == Presence::Both
}

/// Whether its place on iCloud is the one to get here: of what was moved on both sides iCloud's place counts. Only a mount point keeps the
/// one that who mounted the volume elsewhere gave it, and iCloud follows.
fn would_move_here(mode: Mode, item: &Item, is_mount: bool) -> bool {
    match mode {
        Mode::TwoWay => item.moved_there && !(item.moved_here && is_mount),
        Mode::DownloadOnly => item.moved_there || item.moved_here,
        Mode::UploadOnly => false,
    }
}

/// Whether an item has one name in one folder on both sides.
fn stand_alike(world: &World<'_>, here: Node, there: Node) -> bool {
    let (local, remote) = (&world.local.tree, &world.remote.tree);
    let parents = local.parent(here).zip(remote.parent(there));
    name::same(local.name(here), &remote.get(there).name)
        && parents.is_some_and(|(here, there)| world.raw_local(here) == world.raw_remote(there))
}

/// The mount point of the volume that a folder here is on; `None` for the file system of the drive's folder.
fn volume_of(world: &World<'_>, folder: Node) -> Option<Node> {
    let tree = &world.local.tree;
    successors(Some(folder), |node| tree.parent(*node)).find(|node| tree.get(*node).stamp.is_mount)
}

/// The same of the folder here that is to hold what stands there on iCloud; `None` where nothing of the way to it is here.
fn volume_there(world: &World<'_>, there: Node) -> Option<Option<Node>> {
    let tree = &world.remote.tree;
    let mut above = successors(tree.parent(there), |node| tree.parent(*node));
    above.find_map(|folder| {
        let item = world.base.by_id(&tree.get(folder).id)?;
        match world.recognition.of_base[item] {
            LocalFate::There { node, .. } => Some(volume_of(world, node)),
            _ => None,
        }
    })
}
