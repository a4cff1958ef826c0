//! What was about to come to iCloud when the process ended: files and folders of ours whose answers the base never learnt of.
//!
//! Whatever a person made of them since, on either side, is judged by the next plan against what was sent.

use std::collections::{HashMap, HashSet};

use crate::engine::ports::{Listing, LookUp, Ports, RemoteItem, RemoteParent};
use crate::model::name::Name;
use crate::model::{BaseEntry, Etag, ItemId, LocalStamp, Presence, RelPath, ServerTime, Upload, name};

use super::super::content_there::{holds_content, shows_content};
use super::super::done::Done;
use super::super::pending::Moment;
use super::super::relocate::is_numbered;
use super::super::report::StepFailure;
use super::super::standing::has_its_place;
use super::super::verified_calls;
use super::free_names::takes_name;
use super::replacement::{Replacement, settle_replacement};

/// Files that were about to be committed: `true` when one of them came.
///
/// # Errors
///
/// While iCloud cannot be asked; asking again is right then.
pub(super) fn settle_uploads(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    files: &[Upload],
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let replaced = files.iter().filter_map(|file| file.over.as_ref()).map(|(old, _)| old.clone());
    let asked: Vec<_> = files.iter().map(Upload::new_id).chain(replaced).map(|id| (id, false)).collect();
    let answers = verified_calls::look_all_surely(ports, &asked)?;
    let mut listings = HashMap::new();
    let mut finished = false;
    for file in files {
        let id = file.new_id();
        let new = match answers.get(&id) {
            Some(LookUp::Found(item)) => Some(item.clone()),
            _ => listed(ports, &mut listings, file, &id)?,
        };
        finished |= match (new, &file.over) {
            (Some(new), None) => {
                // The service numbers what comes beside an item of its name; a person may have numbered it, too. In the trash it may be a
                // double that we put there, which is no deletion of what is here.
                let is_double = is_numbered(&new.entry.name, &file.name)
                    && (new.parent == RemoteParent::Trash
                        || listing(ports, &mut listings, file)?
                            .is_none_or(|listing| takes_name(listing, &file.name, &id)));
                came(ports, moment, file, (&new, is_double), done)?
            }
            (Some(new), Some((old, etag))) if new.parent != RemoteParent::Trash => {
                // The service made another item of a replacement in place.
                let replacement = Replacement {
                    old,
                    old_etag: etag,
                    parent: &file.parent,
                    name: &file.name,
                    document: &file.document,
                    path: &file.path,
                    stamp: &file.stamp,
                    signature: file.signature,
                };
                settle_replacement(ports, moment, &replacement, done)?
            }
            (_, Some((old, etag))) => {
                let now = match answers.get(old) {
                    Some(LookUp::Found(now)) => Some(now.clone()),
                    _ => listed(ports, &mut listings, file, old)?,
                };
                // Who deleted it, or put another file in its place, may have done so before the content came, and has not seen it then: it
                // stays an edit, and goes up anew or meets the other file.
                let is_succeeded = match &now {
                    Some(now) if now.parent == RemoteParent::Trash => {
                        moment.is_recent || is_held(ports, &mut listings, file, old)?
                    }
                    _ => false,
                };
                let known = moment.base.entry(old).map(|(_, known)| known.etag);
                let has_another = now.as_ref().is_none_or(|now| {
                    let is_it = |etag: &Etag| etag.same_content(&now.entry.etag);
                    now.parent == RemoteParent::Trash || !is_it(etag) && !known.as_ref().is_some_and(is_it)
                });
                let replaced = now
                    .filter(|_| !is_succeeded)
                    .is_some_and(|now| replaced_in_place(ports, moment, file, (old, etag), (&now, done)));
                if !replaced {
                    done.extend(has_its_place(moment.base, old, &file.stamp, has_another));
                }
                replaced
            }
            (None, None) => false,
        };
    }
    Ok(finished)
}

/// Whether another item than `old` has the file's name.
fn is_held(
    ports: &Ports<'_>,
    listings: &mut HashMap<ItemId, Option<Listing>>,
    file: &Upload,
    old: &ItemId,
) -> Result<bool, StepFailure> {
    let mut items = listing(ports, listings, file)?.into_iter().flat_map(|listing| &listing.items);
    Ok(items.any(|item| item.entry.id != *old && name::same(&item.entry.name, &file.name)))
}

/// What the file's folder holds; `None` where it is gone.
fn listing<'a>(
    ports: &Ports<'_>,
    listings: &'a mut HashMap<ItemId, Option<Listing>>,
    file: &Upload,
) -> Result<Option<&'a Listing>, StepFailure> {
    if !listings.contains_key(&file.parent) {
        let listing = verified_calls::list_if_there(ports.remote, &file.parent)?;
        listings.insert(file.parent.clone(), listing);
    }
    Ok(listings.get(&file.parent).and_then(Option::as_ref))
}

/// A look-up may be late for what was committed a moment ago; its folder's listing says it too.
fn listed(
    ports: &Ports<'_>,
    listings: &mut HashMap<ItemId, Option<Listing>>,
    file: &Upload,
    id: &ItemId,
) -> Result<Option<RemoteItem>, StepFailure> {
    let mut items = listing(ports, listings, file)?.into_iter().flat_map(|listing| &listing.items);
    Ok(items.find(|item| item.entry.id == *id).cloned())
}

/// A new file came: the base learns it as it was sent, so that what a person made of it since is seen as that.
fn came(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    file: &Upload,
    (item, is_double): (&RemoteItem, bool),
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let is_ours = shows(ports, file, item);
    if is_double {
        // It came beside an item that has the name, and goes again, as it would have without the crash.
        if is_ours && item.parent != RemoteParent::Trash {
            verified_calls::patiently(ports, item, false, |now| {
                verified_calls::trash(ports.remote, now, false)
            })?;
        }
        return Ok(false);
    }
    if moment.base.entry(&item.entry.id).is_some() {
        return Ok(true);
    }
    let is_named = name::same(&item.entry.name, &file.name);
    let entry = BaseEntry {
        id: item.entry.id.clone(),
        folder: false,
        package: false,
        presence: Presence::Both,
        local_name: file.path.name().into(),
        remote_name: if is_named { item.entry.name.clone() } else { file.name.clone() },
        // Of one that was edited since only the content that was sent is agreed, and no version; of one that was moved none either, or
        // what was last seen of iCloud would show it where it came for good.
        etag: match is_ours {
            true if is_named && verified_calls::hangs_in(item, &file.parent) => item.entry.etag.clone(),
            true => item.entry.etag.of_no_version(),
            false => Etag::default(),
        },
        remote_size: item.entry.size.get().filter(|_| is_ours).or(Some(file.stamp.size)).into(),
        remote_mtime: if is_ours { item.entry.mtime } else { Some(mtime(&file.stamp)).into() },
        stamp: file.stamp,
        racy: true,
        signature: Some(file.signature),
        created_on: None.into(),
        written_at: Some(moment.now).into(),
    };
    done.push(found(&file.parent, entry));
    Ok(true)
}

/// An item whose content was about to be replaced in place, as it is now.
pub(super) fn replaced_in_place(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    file: &Upload,
    (old, etag): (&ItemId, &Etag),
    (now, done): (&RemoteItem, &mut Vec<Done>),
) -> bool {
    let Some((parent, before)) = moment.base.entry(old) else { return false };
    let is_untouched = etag.same_content(&now.entry.etag) || before.etag.same_content(&now.entry.etag);
    if is_untouched {
        return false;
    }
    if !holds_content(ports, (&file.path, now, file.stamp.size), &file.signature) {
        return false;
    }
    done.push(Done::Overwrote);
    let has_stayed = now.entry.name == before.remote_name && verified_calls::hangs_in(now, &parent);
    let entry = BaseEntry {
        etag: if has_stayed { now.entry.etag.clone() } else { now.entry.etag.of_no_version() },
        remote_size: now.entry.size.get().or(Some(file.stamp.size)).into(),
        remote_mtime: now.entry.mtime,
        stamp: file.stamp,
        racy: true,
        signature: Some(file.signature),
        written_at: Some(moment.now).into(),
        ..before
    };
    done.push(found(&parent, entry));
    true
}

fn shows(ports: &Ports<'_>, file: &Upload, item: &RemoteItem) -> bool {
    let times = (mtime(&file.stamp), file.stamp.ctime);
    shows_content(ports, (&file.path, item, file.stamp.size), times, &file.signature)
}

fn mtime(stamp: &LocalStamp) -> ServerTime {
    ServerTime(stamp.mtime.whole_seconds())
}

/// A base that lacks the folder meets the item as new on both sides and compares.
fn found(parent: &ItemId, entry: BaseEntry) -> Done {
    Done::Found { parent: parent.clone(), entry: Box::new(entry) }
}

/// Folders that were about to be made in `parent`: `true` when one of them came. A folder's id is unknown before it is made, so
/// it is told by its name among what the folder did not hold before, or by being the only one.
///
/// # Errors
///
/// While iCloud cannot be asked.
pub(super) fn settle_folders(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    parent: &ItemId,
    strangers: &[ItemId],
    folders: &[(Name, RelPath, LocalStamp)],
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let Some(listing) = verified_calls::list_if_there(ports.remote, parent)? else { return Ok(false) };
    let strangers: HashSet<_> = strangers.iter().collect();
    let is_new = |item: &RemoteItem| {
        let id = &item.entry.id;
        item.entry.is_folder() && !strangers.contains(id) && moment.base.entry(id).is_none()
    };
    let mut new: Vec<_> = listing.items.into_iter().filter(is_new).collect();
    let (mut pairs, mut unseen) = (Vec::new(), Vec::new());
    for folder in folders {
        match new.iter().position(|item| name::same(&item.entry.name, &folder.0)) {
            Some(at) => pairs.push((folder, new.swap_remove(at))),
            None => unseen.push(folder),
        }
    }
    // A person may have given it another name since.
    if let ([folder], [_]) = (&unseen[..], &new[..]) {
        pairs.extend(new.pop().map(|item| (*folder, item)));
    }
    let finished = !pairs.is_empty();
    for ((wanted, path, stamp), item) in pairs {
        let is_named = name::same(&item.entry.name, wanted);
        let entry = BaseEntry {
            id: item.entry.id.clone(),
            folder: true,
            package: false,
            presence: Presence::Both,
            local_name: path.name().into(),
            remote_name: if is_named { item.entry.name.clone() } else { wanted.clone() },
            // That of another name is no version of what is agreed.
            etag: if is_named { item.entry.etag.clone() } else { Etag::default() },
            remote_size: None.into(),
            remote_mtime: None.into(),
            stamp: *stamp,
            racy: true,
            signature: None,
            created_on: None.into(),
            written_at: Some(moment.now).into(),
        };
        done.push(found(parent, entry));
    }
    Ok(finished)
}

/// Whether somebody did something to a file on iCloud since it was agreed on, other than to edit it. Folders get other versions by what
/// happens in them.
pub(super) fn was_acted_on(moment: &Moment<'_>, item: &RemoteItem) -> bool {
    moment.base.entry(&item.entry.id).is_some_and(|(_, known)| {
        !known.folder && known.etag != item.entry.etag && known.etag.same_content(&item.entry.etag)
    })
}

/// A move that was cut short, of a file that stands where it was before, in another version: the move was made, and undone by a person. The
/// base learns that it was made, so that this is that person's move. In the version from before the move nothing was done.
pub(super) fn brought_back(
    moment: &Moment<'_>,
    item: &RemoteItem,
    from: &(ItemId, Name),
    to: &(ItemId, Name),
    here: &str,
) -> Option<Done> {
    let (parent, mut entry) = moment.base.entry(&item.entry.id)?;
    let was_agreed_there = parent == from.0 && name::same(&entry.remote_name, &from.1);
    if from == to || !was_agreed_there || !was_acted_on(moment, item) {
        return None;
    }
    entry.local_name = here.into();
    entry.remote_name = to.1.clone();
    Some(found(&to.0, entry))
}

/// The base learns where an item stands that a person had moved here before we moved it on iCloud: what that person, or another
/// one, did with it since is judged by that. Who edited it is told by the version, so only a version of the same content is learnt.
pub(super) fn agree_on_place(
    moment: &Moment<'_>,
    item: &RemoteItem,
    folder: &ItemId,
    here: &str,
) -> Option<Done> {
    let (_, mut entry) = moment.base.entry(&item.entry.id)?;
    if entry.folder || entry.etag.same_content(&item.entry.etag) {
        entry.etag = item.entry.etag.clone();
    }
    entry.local_name = here.into();
    entry.remote_name = item.entry.name.clone();
    entry.written_at = Some(moment.now).into();
    Some(found(folder, entry))
}
