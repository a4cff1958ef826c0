//! A replacement that was cut short: the old version may lie in the trash, and the new one may have come.

use crate::engine::ports::{LookUp, Ports, RemoteItem, RemoteParent};
use crate::model::{
    BaseEntry, Etag, ItemId, LocalStamp, Maybe, Presence, RelPath, ServerTime, Signature, name,
};

use super::super::content_there::shows_content;
use super::super::done::Done;
use super::super::pending::Moment;
use super::super::put_back::put_back;
use super::super::relocate::{comes_of, rename};
use super::super::report::StepFailure;
use super::super::verified_calls;
use super::free_names::is_free;

/// What is known of a replacement that was about to be made, or was being made.
pub(super) struct Replacement<'a> {
    pub old: &'a ItemId,
    pub old_etag: &'a Etag,
    pub parent: &'a ItemId,
    pub name: &'a str,
    pub document: &'a str,
    pub path: &'a RelPath,
    pub stamp: &'a LocalStamp,
    pub signature: Signature,
}

/// Ends a replacement whose new version came, and brings the old one back otherwise: `true` when it came.
///
/// # Errors
///
/// While iCloud cannot be asked or refuses; doing it again is right then.
pub(super) fn settle_replacement(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    intent: &Replacement<'_>,
    done: &mut Vec<Done>,
) -> Result<bool, StepFailure> {
    let document = ItemId::new(intent.parent.zone().clone(), intent.document);
    let remote = ports.remote;
    let old = verified_calls::look_everywhere(ports, intent.old, false, &[intent.parent])?;
    let new = match verified_calls::look_everywhere(ports, &document, false, &[intent.parent])? {
        LookUp::Found(item) => Some(item),
        // A look-up may be late for what was committed a moment ago; its folder's listing says it too.
        LookUp::Gone => {
            let listing = verified_calls::list_if_there(remote, intent.parent)?;
            listing.and_then(|listing| listing.items.into_iter().find(|item| item.entry.id == document))
        }
        LookUp::Unknown => return Err(StepFailure::replan("iCloud does not say whether a replacement came")),
    };
    match (old, new) {
        (LookUp::Unknown, _) => {
            Err(StepFailure::replan("iCloud does not say what became of a replaced file"))
        }
        (old, Some(new)) if new.parent != RemoteParent::Trash => {
            if let LookUp::Found(old) = &old
                && old.parent != RemoteParent::Trash
            {
                if old.entry.etag != *intent.old_etag {
                    // Somebody edited the old one meanwhile: both live on, and the next plan sees both.
                    return Ok(false);
                }
                verified_calls::trash(remote, old, false)?;
            }
            finish_replacement(ports, moment, intent, new, done)?;
            Ok(true)
        }
        (LookUp::Found(old), _) if old.parent == RemoteParent::Trash => {
            if !is_free(remote, (intent.parent, intent.name), intent.old)? {
                // The name went to somebody else's item, or the folder is gone: the old version stays in the trash, and
                // what is here is new.
                done.push(Done::Lost(intent.old.clone()));
                return Ok(false);
            }
            match put_back(ports, &old, false, (intent.parent, intent.name)) {
                Ok(back) => done.push(Done::CameBack { id: intent.old.clone(), back }),
                // Its folder may lie in the trash too. It is recoverable there, and what is here is new.
                Err(StepFailure::Replan(_) | StepFailure::Aside(_)) => {
                    done.push(Done::Lost(intent.old.clone()))
                }
                Err(failure) => return Err(failure),
            }
            Ok(false)
        }
        (LookUp::Gone, _) => {
            // It may have been put back under another id before a crash; then the listing shows it as new.
            // Neither is a person's deletion of what is here.
            done.push(Done::Lost(intent.old.clone()));
            Ok(false)
        }
        (LookUp::Found(_), _) => Ok(false),
    }
}

fn finish_replacement(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    intent: &Replacement<'_>,
    new: RemoteItem,
    done: &mut Vec<Done>,
) -> Result<(), StepFailure> {
    let in_place = verified_calls::hangs_in(&new, intent.parent);
    let is_ours = in_place && comes_of(&new.entry.name, intent.name);
    let new = if is_ours && !name::same(&new.entry.name, intent.name) {
        match rename(ports, &new, false, intent.name) {
            // Somebody has the name by now, and what has come stays under its own.
            Err(StepFailure::Replan(_) | StepFailure::Aside(_)) => new,
            renamed => renamed?,
        }
    } else {
        new
    };
    let before = moment.base.entry(intent.old).map(|(_, entry)| entry);
    let created_on = before.as_ref().map_or(Maybe::NONE, |entry| entry.created_on);
    done.push(Done::TookOver { old: intent.old.clone(), heir: new.entry.id.clone() });
    // Somebody may have edited it since it came: then only the content that was sent is agreed, and no version.
    let times = (ServerTime(intent.stamp.mtime.whole_seconds()), intent.stamp.ctime);
    let as_sent = shows_content(ports, (intent.path, &new, intent.stamp.size), times, &intent.signature);
    let entry = BaseEntry {
        id: new.entry.id.clone(),
        folder: false,
        package: false,
        presence: Presence::Both,
        local_name: intent.path.name().into(),
        // Where it went, and what it is called since, are a person's changes: the base learns it as it was sent.
        remote_name: if is_ours { new.entry.name.clone() } else { intent.name.into() },
        // No version is agreed on where it stands elsewhere, or what was last seen of iCloud would show it here for good.
        etag: match as_sent {
            true if is_ours => new.entry.etag.clone(),
            true => new.entry.etag.of_no_version(),
            false => Etag::default(),
        },
        remote_size: new.entry.size.get().or(Some(intent.stamp.size)).into(),
        remote_mtime: new.entry.mtime,
        stamp: *intent.stamp,
        racy: true,
        signature: Some(intent.signature),
        created_on,
        written_at: Some(moment.now).into(),
    };
    // A base that lacks the folder meets the file as new on both sides and compares.
    done.push(Done::Found { parent: intent.parent.clone(), entry: Box::new(entry) });
    Ok(())
}
