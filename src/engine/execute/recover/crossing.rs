//! A move here to another file system that was cut short.

use crate::engine::execute::done::{Crossed, Done};
use crate::engine::execute::pending::Moment;
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::standing::{is_as_it_was, is_copy, look_here, stands};
use crate::engine::operation::{LocalSeen, RemoteSeen};
use crate::engine::ports::Ports;
use crate::model::{Crossing, Identity, ItemId, LocalKind, Presence, RelPath};

/// After a crash the disk has finished or undone the move. Where the item stands at its new place the base learns of all that is known to
/// have come along; what is not found there is met as new, and nobody deleted it.
pub(super) fn settle_across(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    crossing: &Crossing,
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let Crossing { id, etag, parent, name, from, to, stamp } = crossing;
    let has_stayed = stands(ports, from, stamp)?;
    let known = moment.base.entry(id).filter(|_| moment.base.has_folder(parent));
    let Some((_, known)) = known else {
        done.extend((!has_stayed).then(|| Done::Lost(id.clone())));
        return Ok(!has_stayed);
    };
    let kind = if known.folder { LocalKind::Folder } else { LocalKind::File };
    // A folder stays where it was with what changed in it while it was copied; what was copied is at the new place all the same.
    let after = look_here(ports, to)?.filter(|there| is_as_it_was(kind, stamp, there));
    let Some(after) = after else {
        // Where the volume is away what has gone there was deleted by nobody, and what is left goes once the disk finishes the move.
        if !has_stayed || !shows_new_place(ports, moment, (parent, to))? {
            done.push(Done::Lost(id.clone()));
        }
        return Ok(!has_stayed);
    };
    let remote = RemoteSeen {
        id: id.clone(),
        folder: known.folder,
        package: known.package,
        etag: etag.clone(),
        parent: parent.clone(),
        name: name.clone(),
        size: known.remote_size.get(),
        mtime: known.remote_mtime.get(),
        signature: None,
    };
    let local = LocalSeen { path: from.clone(), stamp: *stamp, racy: true, signature: None };
    let mut lost = Vec::new();
    let mut within = came_along(ports, moment, (id, from, to), &mut lost)?;
    // It may have been edited at its new place since, with the old size and time.
    within.push(Crossed { to: to.clone(), before: after.stamp, after: after.stamp, is_doubtful: true });
    done.push(Done::MovedLocal { local, to: to.clone(), after, remote: Some(remote) });
    done.push(Done::CrossedWithin(within));
    done.extend(lost.into_iter().map(Done::Lost));
    Ok(true)
}

/// Whether the folder that it was to go to is the one that the base knows, and no bare mount point whose volume is away.
fn shows_new_place(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    (parent, to): (&ItemId, &RelPath),
) -> Result<bool, StepFailure> {
    let known = moment.base.entry(parent).map(|(_, entry)| entry.stamp.identity);
    let Some(known) = known.filter(|known| *known != Identity::default()) else { return Ok(true) };
    let folder = look_here(ports, &to.parent().unwrap_or_default())?;
    Ok(folder.is_some_and(|folder| folder.stamp.identity == known))
}

/// What the base knows below a folder, and stands below `to` as it was. What still is where it was below `from` has stayed there; the others
/// are `lost`.
fn came_along(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    (folder, from, to): (&ItemId, &RelPath, &RelPath),
    lost: &mut Vec<ItemId>,
) -> Result<Vec<Crossed>, StepFailure> {
    let mut found = Vec::new();
    let mut open = vec![(folder.clone(), from.clone(), to.clone())];
    while let Some((folder, from, to)) = open.pop() {
        for child in moment.base.held_by(&folder) {
            // One that does not stand here, or is a file that is known by its place alone, has nothing to learn.
            let is_blind = child.stamp.identity == Identity::default();
            if child.presence == Presence::RemoteOnly || is_blind && !child.folder {
                continue;
            }
            let (Ok(was), Ok(path)) = (from.join(&child.local_name), to.join(&child.local_name)) else {
                continue;
            };
            let kind = if child.folder { LocalKind::Folder } else { LocalKind::File };
            match look_here(ports, &path)?.filter(|there| is_copy(kind, &child.stamp, there)) {
                Some(there) => {
                    let (to, after) = (path.clone(), there.stamp);
                    found.push(Crossed { to, before: child.stamp, after, is_doubtful: true });
                    if child.folder {
                        open.push((child.id, was, path));
                    }
                }
                None if is_blind || stands(ports, &was, &child.stamp)? => {}
                None => lost.push(child.id),
            }
        }
    }
    Ok(found)
}
