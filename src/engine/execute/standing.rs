//! What stands here, for whoever settles what was cut short.

use crate::engine::ports::{DiskError, Ports};
use crate::model::{Identity, ItemId, LocalEntry, LocalKind, LocalStamp, RelPath};

use super::done::Done;
use super::pending::PendingBase;
use super::report::StepFailure;

/// What stands at a path. What cannot be looked at counts as a refusal: one folder that nobody can read must not keep everything else
/// waiting.
pub(super) fn look_here(ports: &Ports<'_>, path: &RelPath) -> Result<Option<LocalEntry>, StepFailure> {
    match ports.disk.look(path) {
        Ok(there) => Ok(there),
        // Its folder went too.
        Err(DiskError::Folder { .. }) => Ok(None),
        Err(error @ DiskError::WrongRoot(_)) => Err(error.into()),
        Err(error) => Err(StepFailure::replan(error.to_string())),
    }
}

/// Whether what is known by that stamp still has its place here.
pub(super) fn stands(ports: &Ports<'_>, path: &RelPath, stamp: &LocalStamp) -> Result<bool, StepFailure> {
    Ok(look_here(ports, path)?.is_some_and(|entry| entry.stamp.identity == stamp.identity))
}

/// As [`stands`], of an item of that kind. Without identities something else may have taken the place: one of another kind, size or time
/// is not that which was known.
pub(super) fn stands_as_known(
    ports: &Ports<'_>,
    path: &RelPath,
    (kind, stamp): (LocalKind, &LocalStamp),
) -> Result<bool, StepFailure> {
    Ok(look_here(ports, path)?.is_some_and(|there| {
        there.stamp.identity == stamp.identity
            && (stamp.identity != Identity::default() || is_as_it_was(kind, stamp, &there))
    }))
}

/// So often a disk is asked that fails.
const TRIES: u32 = 3;

/// That the folder that something is about to come into here is on the volume on which the base knows it: what goes into the bare mount point of
/// one that was taken off meanwhile is covered, and out of everybody's sight, once that is back.
///
/// # Errors
///
/// [`StepFailure::Replan`] where the volume is away.
pub(super) fn has_its_volume(
    ports: &Ports<'_>,
    base: PendingBase<'_>,
    path: &RelPath,
) -> Result<(), StepFailure> {
    let folder = path.parent().unwrap_or_default();
    let known = base.at_local_path(&folder).map(|(_, entry)| entry.stamp);
    if known.is_some_and(|stamp| !stamp.on_root_fs)
        && look_here(ports, &folder)?.is_some_and(|now| now.stamp.on_root_fs)
    {
        return Err(StepFailure::replan(format!("the volume of {folder} is not mounted any more")));
    }
    Ok(())
}

/// Takes what came to `path` back to where it was, if it went into the bare mount point of a volume that was taken off in that very moment.
///
/// # Errors
///
/// [`StepFailure::Replan`] where it did. Where it cannot be taken back the base is to know that it is there, so that it comes once more
/// when it is covered.
pub(super) fn stays_in_sight(
    ports: &Ports<'_>,
    base: PendingBase<'_>,
    (from, path): (&RelPath, &RelPath),
    now: &LocalStamp,
) -> Result<(), StepFailure> {
    let folder = path.parent().unwrap_or_default();
    let is_on_volume = base.at_local_path(&folder).is_some_and(|(_, entry)| !entry.stamp.on_root_fs);
    if !is_on_volume || !now.on_root_fs {
        return Ok(());
    }
    for _ in 0..TRIES {
        match ports.disk.rename(path, from, now) {
            Ok(_) => {
                let why = format!("the volume of {folder} is not mounted any more");
                return Err(StepFailure::replan(why));
            }
            Err(error) => log::debug!("{path} is not back yet: {error}"),
        }
    }
    log::warn!(
        "{path} lies where the volume of {folder} was taken off meanwhile, and that covers it once it is back"
    );
    Ok(())
}

/// Whether what stands somewhere can be a copy of what was known by that stamp. Its times are copied with it, but the other file system may
/// keep them in a coarser form, or not at all.
pub(super) fn is_copy(kind: LocalKind, stamp: &LocalStamp, there: &LocalEntry) -> bool {
    there.kind == kind && (kind == LocalKind::Folder || stamp.size == there.stamp.size)
}

/// Whether what stands somewhere shows nothing else than what was known by that stamp, its identity apart. A folder may hold something
/// else by now, and has another time then.
pub(super) fn is_as_it_was(kind: LocalKind, stamp: &LocalStamp, there: &LocalEntry) -> bool {
    is_copy(kind, stamp, there) && (kind == LocalKind::Folder || stamp.mtime == there.stamp.mtime)
}

/// What the base learns of an item whose version was replaced by the content of that file, and was edited on iCloud since: the file is the
/// item's, in whatever version. What had been its file, and stands elsewhere here, is another one by now, and must not be found again as it.
/// Where iCloud `has_another` version than the one that was agreed on, perhaps by way of that content, whoever brings the agreed content back
/// here edits the item.
pub(super) fn has_its_place(
    base: PendingBase<'_>,
    id: &ItemId,
    file: &LocalStamp,
    has_another: bool,
) -> Option<Done> {
    let (parent, mut entry) = base.entry(id)?;
    if has_another {
        (entry.stamp.identity, entry.signature, entry.racy) = (file.identity, None, true);
    } else if entry.stamp.identity != file.identity {
        entry.stamp.identity = file.identity;
    } else if file.identity == Identity::default()
        && entry.signature.is_some()
        && file.mtime > entry.stamp.mtime
    {
        // Without identities a file is known by its size and time. What is in it differs from what was agreed on, and so it is read.
        (entry.stamp, entry.racy) = (*file, true);
    } else {
        return None;
    }
    Some(Done::Found { parent, entry: Box::new(entry) })
}
