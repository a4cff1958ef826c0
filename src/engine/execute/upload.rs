//! Making staged content a file: as a new one, or over a version that is there (`docs/sync.md` §6).

mod by_trash;
mod commit;
mod new;
mod sent;

pub(super) use new::{NewFile, UploadNew};

use crate::engine::operation::{LocalSeen, Operation, Reason, RemoteSeen, Replacement};
use crate::engine::ports::{LookUp, Ports, RemoteError, RemoteItem};
use crate::model::{Etag, ItemId, name};

use super::announce::Announcement;
use super::done::Done;
use super::parent_check::require_alive;
use super::recover::settle_noted;
use super::report::StepFailure;
use super::stage::{Acted, Before, Known, Next, Stage, then};
use super::standing::has_its_place;
use super::transfer::StagedContent;
use super::verified_calls;
use by_trash::{by_trash, replacement_intent};
use sent::{Aim, Replacing, Sent, read_again};

/// The commit of an edit whose content has been staged, over the version that is there.
pub(super) struct Upload<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) local: &'a LocalSeen,
    pub(super) remote: &'a RemoteSeen,
    pub(super) way: Replacement,
    pub(super) content: StagedContent,
    /// What has to be noted first of this upload and of others whose content waits.
    pub(super) announcement: Option<Announcement>,
}

impl<'a> Stage<'a> for Upload<'a> {
    fn before(&self, _known: &Known<'_>) -> Before {
        self.announcement.as_ref().map_or(Before::Nothing, |announced| Before::note(announced.intent()))
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { index, operation, local, remote, way, content, announcement } = *self;
        note_announced(announcement, acted);
        let sent = as_read(ports, known, index, (local, content), acted)?;
        let mut aim = Aim { index, reason: operation.reason, is_conflict: false };
        let former = known.base().state.former.get(&remote.id);
        let is_former = former.is_some_and(|former| former.contains(&sent.signature));
        let way = if is_former { Replacement::Trash } else { way };
        if is_former {
            aim.reason = Reason::WentBack;
        }
        replace(ports, known, Replacing { aim, old: known.own.remote(remote), sent }, way, acted)
    }
}

/// What was noted before the stage is remembered.
fn note_announced(announcement: Option<Announcement>, acted: &mut Acted) {
    if let (Some(announced), Some(intent)) = (announcement, acted.note) {
        acted.done.push((None, Done::AnnouncedUploads { documents: announced.documents, intent }));
    }
}

/// A conflict in which the local version wins: the remote one goes to iCloud's trash.
pub(super) struct TakeLocal<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) remote: &'a RemoteSeen,
    pub(super) local: &'a LocalSeen,
    pub(super) content: StagedContent,
}

impl<'a> Stage<'a> for TakeLocal<'a> {
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { index, operation, remote, local, content } = *self;
        let sent = as_read(ports, known, index, (local, content), acted)?;
        let aim = Aim { index, reason: operation.reason, is_conflict: true };
        let replacing = Replacing { aim, old: known.own.remote(remote), sent };
        replace(ports, known, replacing, Replacement::Trash, acted)
    }
}

/// The file must be the one that was read, also now.
fn as_read(
    ports: &Ports<'_>,
    known: &Known<'_>,
    index: usize,
    (local, content): (&LocalSeen, StagedContent),
    acted: &mut Acted,
) -> Result<Sent, StepFailure> {
    let StagedContent { staged, signature, read_at } = content;
    if let Some(told) = staged.signature {
        acted.did(index, Done::Calibrated(told == signature));
    }
    let sent = Sent { staged, signature, read_at, local: known.own.local(local) };
    if sent.is_as_read(ports.disk)? {
        return Ok(sent);
    }
    Err(StepFailure::replan("it changed here after it was read"))
}

fn replace<'a>(
    ports: &Ports<'_>,
    known: &Known<'_>,
    replacing: Replacing,
    way: Replacement,
    acted: &mut Acted,
) -> Result<Next<'a>, StepFailure> {
    require_agreed(known, &replacing.old.parent)?;
    require_alive(ports, known, replacing.aim.index, &replacing.old.parent, acted)?;
    if known.is_in_place(way) {
        in_place(ports, known, replacing, acted)
    } else {
        by_trash(ports, known, replacing)
    }
}

/// The base must know the folder: what it could not learn of would come back as somebody's change.
fn require_agreed(known: &Known<'_>, folder: &ItemId) -> Result<(), StepFailure> {
    if known.base().has_folder(folder) {
        return Ok(());
    }
    Err(StepFailure::replan("its folder is not agreed yet"))
}

/// Commits with the existing document id, right after a look at the version that is replaced.
fn in_place<'a>(
    ports: &Ports<'_>,
    known: &Known<'_>,
    replacing: Replacing,
    acted: &mut Acted,
) -> Result<Next<'a>, StepFailure> {
    let Replacing { aim, old, sent } = &replacing;
    let before = match read_again(ports, old) {
        // A try before this one was confirmed, and the look after it had no answer.
        Err(StepFailure::Replan(why)) if known.own.confirmed(aim.index).is_some() => {
            match verified_calls::look(ports.remote, &old.id, false)? {
                LookUp::Found(now) if was_confirmed(known, &now, &replacing) => {
                    return Ok(replaced(known, &replacing, &now, acted));
                }
                _ => return Err(StepFailure::Replan(why)),
            }
        }
        other => other?,
    };
    let commit = |before: &RemoteItem| {
        ports.remote.commit(&sent.commit(&old.parent, &before.entry.name, Some(&old.id)))
    };
    let answer = match commit(&before) {
        Err(RemoteError::LookedLongAgo) => commit(&read_again(ports, old)?),
        other => other,
    };
    let item = match answer {
        // Answers always come late: the call that brings the old version to the trash is refused where another device edited it.
        Err(RemoteError::LookedLongAgo) => return by_trash(ports, known, replacing),
        Ok(item) => item,
        Err(RemoteError::Uncertain(why)) => {
            let shown = verified_calls::look(ports.remote, &old.id, false);
            leave_open(aim.index, &shown, None, acted);
            match shown? {
                LookUp::Found(now) if now.entry.etag == before.entry.etag => {
                    let over = Some((old.id.clone(), now.entry.etag));
                    let file = sent.upload(old.parent.clone(), old.name.clone(), over);
                    acted.did(aim.index, Done::MayComeLate(Box::new(file)));
                    return Err(StepFailure::again(why));
                }
                LookUp::Found(now) if sent.is_held_surely(ports, &now) => now,
                LookUp::Found(_) | LookUp::Gone => {
                    stays_its_file(known, &replacing, acted);
                    return Err(StepFailure::replan("it changed on iCloud meanwhile"));
                }
                LookUp::Unknown => return Err(StepFailure::replan(why)),
            }
        }
        // The service does not take it as a replacement at all.
        Err(RemoteError::NameTaken) => {
            acted.did(aim.index, Done::InPlaceRefused);
            return by_trash(ports, known, replacing);
        }
        Err(RemoteError::Damaged(why)) => return Err(StepFailure::Resend(why)),
        Err(error) => return Err(error.into()),
    };
    if item.entry.id != old.id {
        acted.did(aim.index, Done::InPlaceRefused);
        return then(PutRight { replacing, before, document: item.entry.id.doc() });
    }
    let shown = verified_calls::look(ports.remote, &item.entry.id, false);
    leave_open(aim.index, &shown, Some(&item.entry.etag), acted);
    let item = match settled(ports, item, shown?, &before, sent) {
        Err(failure @ StepFailure::Replan(_)) => {
            stays_its_file(known, &replacing, acted);
            return Err(failure);
        }
        settled => settled?,
    };
    if !name::same(&item.entry.name, &old.name)
        || !sent.is_held_by(&item)
        || !verified_calls::hangs_in(&item, &old.parent)
    {
        return Err(StepFailure::replan("iCloud shows something else than what was sent"));
    }
    Ok(replaced(known, &replacing, &item, acted))
}

/// Where no look shows what a commit did, its note outlives the operation, and the version that the answer told is remembered.
fn leave_open(operation: usize, shown: &Result<LookUp, StepFailure>, told: Option<&Etag>, acted: &mut Acted) {
    if matches!(shown, Err(_) | Ok(LookUp::Unknown)) {
        acted.did(operation, Done::LeftOpen { operation, etag: told.cloned() });
    }
}

/// The file that went up is the item's, also where somebody edited that right after it came.
fn stays_its_file(known: &Known<'_>, replacing: &Replacing, acted: &mut Acted) {
    let Replacing { aim, old, sent } = replacing;
    if let Some(learnt) = has_its_place(known.base(), &old.id, &sent.local.stamp, true) {
        acted.did(aim.index, learnt);
    }
}

/// Whether an item stands where the old version stood, in the very version that an earlier answer told. Size and time are not enough: two
/// edits of one second may be alike in both.
fn was_confirmed(known: &Known<'_>, now: &RemoteItem, replacing: &Replacing) -> bool {
    let Replacing { aim, old, sent } = replacing;
    let is_told = |etag: &Etag| !etag.as_str().is_empty() && now.entry.etag.same_content(etag);
    verified_calls::hangs_in(now, &old.parent)
        && name::same(&now.entry.name, &old.name)
        && known.own.confirmed(aim.index).is_some_and(is_told)
        && sent.is_held_by(now)
}

/// The old version has the new content.
fn replaced<'a>(known: &Known<'_>, replacing: &Replacing, item: &RemoteItem, acted: &mut Acted) -> Next<'a> {
    let Replacing { aim, old, sent } = replacing;
    acted.did(aim.index, Done::ChangedRemote { before: old.etag.clone(), after: item.clone() });
    acted.did(aim.index, Done::Overwrote);
    aim.came(known, sent, (&old.parent, item), None, acted);
    Next::Finished
}

/// An answer is believed once a look shows what it told: the base must know the new version, and that it was made.
fn settled(
    ports: &Ports<'_>,
    item: RemoteItem,
    shown: LookUp,
    before: &RemoteItem,
    sent: &Sent,
) -> Result<RemoteItem, StepFailure> {
    let etag = &item.entry.etag;
    let is_told = !etag.as_str().is_empty() && *etag != before.entry.etag;
    match shown {
        LookUp::Found(now) if now.entry.etag == before.entry.etag && is_told => {
            Err(StepFailure::again("iCloud confirmed a new version, and still has the old one"))
        }
        // Without a look nobody knows whether the answer had an effect; the next try begins with one.
        LookUp::Unknown => Err(StepFailure::again("iCloud does not show the new version yet")),
        LookUp::Found(now) if is_told && now.entry.etag.same_content(etag) => Ok(item),
        LookUp::Found(now) if sent.is_held_surely(ports, &now) => Ok(now),
        // Whoever edited or deleted it since saw what was sent, or the answer had no effect and nobody did: what is here stays an edit
        // of the version before, and no version of both is lost.
        _ => Err(StepFailure::replan("iCloud does not show what was sent")),
    }
}

/// The service made another item of a replacement in place. The old version goes to the trash, the new
/// one gets the name, and it is never tried again for this account (`docs/protocol.md` §12.5).
struct PutRight {
    replacing: Replacing,
    before: RemoteItem,
    /// The other item's document.
    document: String,
}

impl<'a> Stage<'a> for PutRight {
    fn before(&self, _known: &Known<'_>) -> Before {
        Before::note(replacement_intent(&self.replacing, &self.before, &self.document))
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Replacing { aim, sent, .. } = &self.replacing;
        let note = acted.noted()?;
        if settle_noted(ports, &known.moment, note, (aim.index, acted))? {
            acted.did(aim.index, Done::Overwrote);
            aim.is_done(sent, acted);
            return Ok(Next::Finished);
        }
        Err(StepFailure::replan("iCloud does not replace files in place"))
    }
}
