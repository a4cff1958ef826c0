//! The place that one item is to have.

use super::Mode;
use super::items::{Change, Fate, Items, Key, Place, World};
use crate::model::Side;
use crate::model::name::{held_here, name_below_temporary, same, share, temporary_origin};

/// Chooses the place of one item: where it was moved to, the move on iCloud before the one here.
pub(super) fn choose(world: &World<'_>, items: &mut Items, key: Key, forced: Option<Side>) {
    let item = &items.all[&key];
    if !matches!(item.fate, Fate::Keep | Fate::Open) {
        return;
    }
    let here = item.local.filter(|_| item.here.is_there());
    let there = item.remote.filter(|_| item.there.is_there());
    let follows_remote = world.policy.mode == Mode::DownloadOnly || world.is_library(item);
    let follows_local = world.policy.mode == Mode::UploadOnly && !world.is_library(item);
    let local_name = here.map(|node| world.local.tree.name(node));
    let remote_name = there.map(|node| &*world.remote.tree.get(node).name);
    // A temporary name was left behind by an interrupted move; the other side knows better.
    let aside = |name: Option<&str>| name.is_some_and(|name| temporary_origin(name).is_some());
    let is_mount = here.is_some_and(|node| world.local.tree.get(node).stamp.is_mount);
    let moved = match forced {
        Some(side) => Some(side),
        // What is here is no content: it comes back to where its content is.
        None if item.here == Change::PowerCut && there.is_some() => Some(Side::Remote),
        None if aside(local_name) && there.is_some() => Some(Side::Remote),
        None if aside(remote_name) && here.is_some() => Some(Side::Local),
        // A mount point was moved by who mounted the volume elsewhere, and nobody else can.
        None if is_mount && item.moved_here && !follows_remote => Some(Side::Local),
        None if item.moved_there => Some(if follows_local { Side::Local } else { Side::Remote }),
        None if item.moved_here => Some(if follows_remote { Side::Remote } else { Side::Local }),
        None if follows_local => Some(Side::Local),
        None => None,
    };
    let side = match (here, there, moved) {
        (Some(_), None, _) | (Some(_), Some(_), Some(Side::Local)) => Side::Local,
        (None, None, _) => return,
        _ => Side::Remote,
    };
    let agreed = item.base.map(|node| world.base.get(node));
    let place = match (side, here, there) {
        (Side::Local, Some(node), _) => {
            let name =
                name_below_temporary(world.local.tree.name(node), agreed.map(|entry| &*entry.local_name));
            let kept = remote_name.filter(|remote| same(remote, name)).unwrap_or(name);
            Place {
                parent: items.local_parent(world, node),
                local_name: name.into(),
                remote_name: kept.into(),
            }
        }
        (_, _, Some(node)) => {
            let shown = &world.remote.tree.get(node).name;
            let name = name_below_temporary(shown, agreed.map(|entry| &*entry.remote.name));
            let kept =
                local_name.filter(|local| same(local, name)).map_or_else(|| held_here(name), Into::into);
            let mut names = [kept, name.into()];
            names.iter_mut().for_each(|name| share(name, shown));
            let [local_name, remote_name] = names;
            Place { parent: items.remote_parent(world, node), local_name, remote_name }
        }
        _ => return,
    };
    let item = items.all.get_mut(&key).expect("the key is of this map");
    item.moved = moved;
    item.place = Some(place);
}
