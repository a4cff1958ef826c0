//! A move here to another file system that was cut short.

use crate::engine::execute::done::{Crossed, Done};
use crate::engine::execute::pending::Moment;
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::standing::{is_copy, look_here, stands};
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
    if stands(ports, from, stamp)? {
        return Ok(false);
    }
    let known = moment.base.entry(id).filter(|_| moment.base.has_folder(parent));
    let (Some((_, known)), Some(after)) = (known, look_here(ports, to)?) else {
        done.push(Done::Lost(id.clone()));
        return Ok(true);
    };
    let kind = if known.folder { LocalKind::Folder } else { LocalKind::File };
    if !is_copy(kind, stamp, &after) {
        done.push(Done::Lost(id.clone()));
        return Ok(true);
    }
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
    let within = came_along(ports, moment, (id, to), &mut lost)?;
    done.push(Done::MovedLocal { local, to: to.clone(), after, remote: Some(remote) });
    done.push(Done::CrossedWithin(within));
    done.extend(lost.into_iter().map(Done::Lost));
    Ok(true)
}

/// What the base knows below a folder, and stands below `to` as it was; the others are `lost`.
fn came_along(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    (folder, to): (&ItemId, &RelPath),
    lost: &mut Vec<ItemId>,
) -> Result<Vec<Crossed>, StepFailure> {
    let mut found = Vec::new();
    let mut open = vec![(folder.clone(), to.clone())];
    while let Some((folder, to)) = open.pop() {
        for child in moment.base.held_by(&folder) {
            // One that does not stand here, or is known by its place alone, has no identity to learn.
            if child.presence == Presence::RemoteOnly || child.stamp.identity == Identity::default() {
                continue;
            }
            let Ok(path) = to.join(&child.local_name) else { continue };
            let kind = if child.folder { LocalKind::Folder } else { LocalKind::File };
            match look_here(ports, &path)?.filter(|there| is_copy(kind, &child.stamp, there)) {
                Some(there) => {
                    found.push(Crossed { to: path.clone(), before: child.stamp, after: there.stamp });
                    if child.folder {
                        open.push((child.id, path));
                    }
                }
                None => lost.push(child.id),
            }
        }
    }
    Ok(found)
}
