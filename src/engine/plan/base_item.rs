//! What happened to one item of the base, and what that means for what it holds.

use super::Mode;
use super::collected::Above;
use super::items::{Change, Doubt, Item, World, is_edited};
use crate::engine::operation::Reason;
use crate::engine::recognise::{Content, LocalFate, is_mounted_since};
use crate::engine::view::Absence;
use crate::model::{
    Agreed, FolderState, ItemId, LocalEntry, LocalStamp, Node, Presence, RelPath, RemoteKind, name,
};

/// Whether nothing happened to an item of the base.
pub(super) fn is_untouched(world: &World<'_>, item: &Item, entry: &Agreed) -> bool {
    item.here == Change::Same
        && item.there == Change::Same
        && !item.moved_here
        && !item.moved_there
        && item.accepted
        && (!item.folder || item.accepted_here && item.accepted_there)
        && entry.presence == Presence::Both
        // A temporary name, learnt on the way to the right one.
        && name::temporary_origin(&entry.local_name).is_none()
        && !world.is_too_large(entry.remote.size.get())
        && !world.is_too_large((!entry.folder).then_some(entry.local.stamp.size))
}

/// What happened to the item `node` of the base, whose agreed path is `agreed`; and what that means for what it holds.
pub(super) fn known(world: &World<'_>, node: Node, agreed: &RelPath, above: Above) -> (Item, Above) {
    let entry = world.base.get(node);
    let folder = world.base.parent(node).unwrap_or(Node::ROOT);
    let mut item = Item {
        base: Some(node),
        folder: entry.folder,
        dismissed: above.dismissed,
        ..Item::unknown(Reason::Same)
    };
    see_here(world, &mut item, node, folder);
    see_there(world, &mut item, node, folder);
    // Gone there, and nothing of it here but a volume that may be retired: both sides agree.
    match world.recognition.of_base[node] {
        LocalFate::Missing if item.there.is_gone() && is_volume_gone_there(world, node) => {
            item.here = Change::Deleted;
        }
        // The folder stays here: a volume may be mounted there again.
        LocalFate::Unmounted(found)
            if item.there.is_gone()
                && is_bare_mount_point(world, found)
                && !is_succeeded_there(world, node) =>
        {
            (item.local, item.here) = (Some(found), Change::Same);
        }
        _ => {}
    }
    if above.left_here && world.recognition.of_base[node] == LocalFate::Unknown {
        item.here = Change::Left;
    }
    item.dismissed |= is_covered_now(world, node, &item) || was_on_a_volume_that_is_there(world, node);
    item.foreign = is_foreign(world, &item, &entry.remote.id, above);
    let mut below = Above {
        // A library that was renamed here is renamed back, so what it holds has not moved.
        moved_here: above.moved_here || item.moved_here && !world.is_library(&item),
        moved_there: above.moved_there || item.moved_there,
        dismissed: item.dismissed,
        left_here: above.left_here && item.here == Change::Left,
        foreign: item.foreign,
        released: false,
    };
    let takes_part = world.policy.takes_part;
    item.accepted = takes_part(agreed);
    item.accepted_here = match item.local.filter(|_| below.moved_here) {
        Some(node) => takes_part(&world.local.tree.path(node)),
        None => item.accepted,
    };
    item.accepted_there = match item.remote.filter(|_| below.moved_there) {
        Some(node) => takes_part(&world.remote.tree.path(node)),
        None => item.accepted,
    };
    let unread = item.local.is_some_and(|node| world.local.tree.get(node).state == FolderState::Unread);
    below.left_here |= item.folder
        && item.accepted
        && !item.accepted_here
        && unread
        && world.policy.mode != Mode::DownloadOnly;
    if !item.folder && item.accepted {
        // On the side that only follows, what was moved out of scope is moved back, like anything else.
        let mode = world.policy.mode;
        let cut = item.here == Change::PowerCut && item.there.is_there();
        let follows_remote = cut || mode == Mode::DownloadOnly && item.there.is_there();
        let follows_local = mode == Mode::UploadOnly && item.here.is_there();
        if !item.accepted_here && !follows_remote {
            item.here = Change::Left;
        }
        if !item.accepted_there && !follows_local {
            item.there = Change::Left;
        }
    }
    (item, below)
}

fn see_here(world: &World<'_>, item: &mut Item, node: Node, folder: Node) {
    let (entry, tree) = (world.base.get(node), &world.local.tree);
    item.here = match world.recognition.of_base[node] {
        LocalFate::There { node: found, content } => {
            item.local = Some(found);
            let at = tree.parent(found).and_then(|at| world.recognition.of_local[at]);
            item.moved_here = at != Some(folder) || tree.name(found) != &*entry.local_name;
            match content {
                _ if world.doubts_name_here(found).is_some() => Change::Unknown(Doubt::NotToBeRenamed),
                // The folder that stands there now is another one, or a volume is mounted on it: what later moves are known by, and where
                // what comes into it is.
                Content::Same
                    if entry.folder
                        && is_another_folder(&tree.get(found).stamp, &entry.local.stamp)
                        && !covers_what_is_on_its_volume(world, node, found) =>
                {
                    Change::Touched
                }
                Content::Same => Change::Same,
                Content::Touched => Change::Touched,
                Content::Edited => Change::Edited,
                Content::PowerCut => Change::PowerCut,
                Content::Unread => Change::Unknown(Doubt::Unread),
            }
        }
        LocalFate::Deleted | LocalFate::Agreed => Change::Deleted,
        LocalFate::Held => Change::Unknown(Doubt::Covered),
        LocalFate::Unknown if is_in_unread_folder(world, node) => Change::Unknown(Doubt::UnreadFolder),
        LocalFate::Unmounted(_) => Change::Unknown(Doubt::Unmounted),
        LocalFate::Missing | LocalFate::Unknown => Change::Unknown(Doubt::Unreachable),
    };
}

/// Whether the nearest folder above an item of the base that is found here is one that the filter leaves unread.
fn is_in_unread_folder(world: &World<'_>, node: Node) -> bool {
    let above = std::iter::successors(world.base.parent(node), |folder| world.base.parent(*folder));
    let found = above.filter_map(|folder| match world.recognition.of_base[folder] {
        LocalFate::There { node, .. } => Some(world.local.tree.get(node).state),
        _ => None,
    });
    found.take(1).any(|state| state == FolderState::Unread)
}

fn see_there(world: &World<'_>, item: &mut Item, node: Node, folder: Node) {
    let (entry, tree) = (world.base.get(node), &world.remote.tree);
    if let Some(doubt) =
        tree.by_id(&entry.remote.id).and_then(|found| world.doubts_name_there(tree.get(found)))
    {
        item.there = Change::Unknown(doubt);
        return;
    }
    item.there = match tree.by_id(&entry.remote.id) {
        Some(found) if world.is_ours(found) => {
            item.remote = Some(found);
            let now = tree.get(found);
            item.moved_there = has_another_place_there(world, (node, folder), found);
            if item.moved_there && goes_to_a_volume_that_is_away(world, found) {
                item.there = Change::Unknown(Doubt::Unmounted);
                return;
            }
            if world.remote.hollow.contains(&entry.remote.id) {
                item.there = Change::Unknown(Doubt::Hollow);
                return;
            }
            match is_edited(entry, now) {
                true => Change::Edited,
                false if !entry.folder && now.etag != entry.remote.etag => Change::Touched,
                false => Change::Same,
            }
        }
        Some(found) => {
            let now = tree.get(found);
            item.dismissed |= now.kind == RemoteKind::AppLibrary && now.state == FolderState::Unread;
            Change::Unknown(Doubt::Foreign)
        }
        None => match world.remote.absent.get(&entry.remote.id) {
            Some(Absence::Trashed | Absence::Gone) => Change::Deleted,
            Some(Absence::OutOfScope) => Change::Left,
            // Both sides agreed that it is gone there, so nobody asks for it any more.
            None if entry.presence == Presence::LocalOnly => Change::Deleted,
            Some(Absence::Untold) => Change::Unknown(Doubt::Untold),
            Some(Absence::Unknown) | None => Change::Unknown(Doubt::Unlisted),
        },
    };
}

/// Whether iCloud has lost all of the volume that an item was on, from its mount point down. What is deleted there from a volume that
/// lives on waits for it: it would come back as new with the volume else.
fn is_volume_gone_there(world: &World<'_>, node: Node) -> bool {
    let is_away = |item: &Node| {
        matches!(world.recognition.of_base[*item], LocalFate::Missing | LocalFate::Unmounted(_))
    };
    std::iter::successors(Some(node), |item| world.base.parent(*item))
        .take_while(is_away)
        .all(|item| world.remote.tree.by_id(&world.base.get(item).remote.id).is_none())
}

/// Whether a mount point without its volume was read whole and holds nothing, on the file system of the folder above it.
fn is_bare_mount_point(world: &World<'_>, found: Node) -> bool {
    let (tree, entry) = (&world.local.tree, world.local.tree.get(found));
    entry.state == FolderState::Complete
        && !entry.stamp.is_mount
        && !entry.holds_unnameable
        && tree.children(found).is_empty()
}

/// Whether something new on iCloud has the place of an item of the base that is gone there: it would be put into the mount point.
fn is_succeeded_there(world: &World<'_>, node: Node) -> bool {
    let (base, tree) = (world.base, &world.remote.tree);
    let folder = base.parent(node).and_then(|folder| tree.by_id(&base.get(folder).remote.id));
    let name = &base.get(node).remote.name;
    folder.is_some_and(|folder| {
        tree.children(folder).iter().any(|child| name::same(&tree.get(*child).name, name))
    })
}

/// Whether an item here stands in a mount point without its volume: nobody sees it once that is mounted again, and it would count as deleted.
pub(super) fn is_covered_by_a_volume(world: &World<'_>, node: Node) -> bool {
    let tree = &world.local.tree;
    let above = std::iter::successors(tree.parent(node), |folder| tree.parent(*folder));
    let mut known = above.filter_map(|folder| world.recognition.of_local[folder]);
    known.any(|item| matches!(world.recognition.of_base[item], LocalFate::Unmounted(_)))
}

fn is_another_folder(now: &LocalStamp, then: &LocalStamp) -> bool {
    (now.identity, now.on_root_fs, now.is_mount) != (then.identity, then.on_root_fs, then.is_mount)
}

/// Whether an item came into its folder beside the volume that the folder is on, or did not come along to it, and nothing is seen of it:
/// it was put there while nothing was mounted, say. No look can find it again, so it is forgotten, and what iCloud has of it comes anew. So is
/// what a volume covers that is mounted on its folder only since, once iCloud has lost it too, or has that folder elsewhere.
fn is_covered_now(world: &World<'_>, node: Node, item: &Item) -> bool {
    let (base, tree) = (world.base, &world.local.tree);
    let is_missing = matches!(world.recognition.of_base[node], LocalFate::Missing | LocalFate::Unknown);
    let folder = base.parent(node).filter(|folder| *folder != Node::ROOT);
    let Some(folder) = folder.filter(|_| is_missing && matches!(item.here, Change::Unknown(_))) else {
        return false;
    };
    let LocalFate::There { node: found, .. } = world.recognition.of_base[folder] else { return false };
    let is_read = |entry: &LocalEntry| entry.state == FolderState::Complete && !entry.stamp.on_root_fs;
    let was = &base.get(folder).local.stamp;
    // Its folder is not known as the volume's before it has its new place, which a mount point never gets.
    let has_moved = || {
        let there = world.remote.tree.by_id(&base.get(folder).remote.id);
        there
            .zip(base.parent(folder))
            .is_some_and(|(there, above)| has_another_place_there(world, (folder, above), there))
    };
    // Once it is gone there it stays here for the mount point alone, as it was known.
    let is_here_alone = base.get(folder).presence == Presence::LocalOnly;
    let never_gets_there = || tree.get(found).stamp.is_mount && (is_here_alone || has_moved());
    let came_beside = !was.on_root_fs || item.there.is_gone() || never_gets_there();
    // Of two volumes nothing else tells which one an item is on.
    let is_below = || is_covered_on_its_volume(world, node, (folder, found));
    let on_root_fs = base.get(node).local.stamp.on_root_fs;
    (on_root_fs && came_beside || !on_root_fs && is_below()) && is_read(tree.get(found))
}

/// Whether an item that is nowhere was on a volume, in a folder that another one is mounted on since.
fn is_covered_on_its_volume(world: &World<'_>, node: Node, (folder, found): (Node, Node)) -> bool {
    let (was, stamp) = (&world.base.get(folder).local.stamp, &world.base.get(node).local.stamp);
    let is_nowhere = matches!(world.recognition.of_base[node], LocalFate::Missing | LocalFate::Unknown);
    is_nowhere
        && !was.on_root_fs
        && !stamp.on_root_fs
        && !stamp.is_mount
        && is_mounted_since(was, &world.local.tree.get(found).stamp)
}

/// Whether such items are in a folder: they are forgotten before the folder is known as the other volume's, since they would count as deleted
/// from that.
fn covers_what_is_on_its_volume(world: &World<'_>, folder: Node, found: Node) -> bool {
    let mut children = world.base.children(folder).iter();
    children.any(|child| is_covered_on_its_volume(world, *child, (folder, found)))
}

/// Whether an item, of which that was agreed in that folder, has another name or folder on iCloud, where it is `found`.
fn has_another_place_there(world: &World<'_>, (node, folder): (Node, Node), found: Node) -> bool {
    let (base, tree) = (world.base, &world.remote.tree);
    let parent = tree.parent(found).map(|parent| &tree.get(parent).id);
    parent != Some(&base.get(folder).remote.id) || tree.get(found).name != base.get(node).remote.name
}

/// Whether an item that is nowhere was seen last on a volume that it had been moved to, while its place is none of that volume's, and none is
/// away: nobody can say whether it was deleted there, so it is forgotten, and what iCloud has of it comes anew.
fn was_on_a_volume_that_is_there(world: &World<'_>, node: Node) -> bool {
    let (base, fates) = (world.base, &world.recognition.of_base);
    let stamp = base.get(node).local.stamp;
    let is_nowhere = fates[node] == LocalFate::Missing || is_succeeded_here(world, node);
    let is_moved = is_nowhere && !stamp.on_root_fs && !stamp.is_mount;
    let is_away =
        |item: Node| base.get(item).local.stamp.is_mount && !matches!(fates[item], LocalFate::There { .. });
    is_moved
        && base.parent(node).is_some_and(|folder| {
            base.get(folder).local.stamp.on_root_fs && matches!(fates[folder], LocalFate::There { .. })
        })
        && !base.walk(Node::ROOT).any(is_away)
}

/// Whether an item that is nowhere in a look at everything has its place taken by something of another kind.
fn is_succeeded_here(world: &World<'_>, node: Node) -> bool {
    let (base, fates, tree) = (world.base, &world.recognition.of_base, &world.local.tree);
    let folder = base.parent(node).map(|folder| fates[folder]);
    let Some(LocalFate::There { node: at, .. }) = folder.filter(|_| fates[node] == LocalFate::Unknown) else {
        return false;
    };
    tree.get(at).state == FolderState::Complete
        && tree.child(at, &base.get(node).local_name).is_some()
        && world.local.failed.is_empty()
}

/// Whether an item on iCloud stands in a folder whose volume is not mounted here: what would be put there would be covered by it.
pub(super) fn goes_to_a_volume_that_is_away(world: &World<'_>, node: Node) -> bool {
    let tree = &world.remote.tree;
    let above = std::iter::successors(tree.parent(node), |folder| tree.parent(*folder));
    let known = above.filter_map(|folder| world.base.by_id(&tree.get(folder).id));
    known.into_iter().any(|folder| matches!(world.recognition.of_base[folder], LocalFate::Unmounted(_)))
}

/// Whether iCloud shows a synced item as something that is not ours, or in a folder that it shows so.
fn is_foreign(world: &World<'_>, item: &Item, id: &ItemId, above: Above) -> bool {
    let tree = &world.remote.tree;
    let Some(found) = item.remote.or_else(|| tree.by_id(id)) else { return above.foreign };
    let is_foreign = |node: Node| tree.get(node).kind == RemoteKind::Foreign;
    if !item.moved_there {
        return is_foreign(found) || above.foreign;
    }
    std::iter::successors(Some(found), |node| tree.parent(*node)).any(is_foreign)
}

/// As [`known`], for an item on its own: its paths are looked at whatever happened above it.
pub(super) fn known_alone(world: &World<'_>, node: Node) -> Item {
    let above = Above { moved_here: true, moved_there: true, ..Above::default() };
    known(world, node, &world.base.path(node), above).0
}
