//! The commit of a new file, whatever is answered.

use crate::engine::ports::{LookUp, Ports, RemoteError, RemoteItem, RemoteParent};
use crate::model::{ItemId, name};

use super::sent::Sent;
use crate::engine::execute::relocate::{comes_of, is_numbered, not_to_be_had, rename};
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::verified_calls;

/// Why the commit of a new file did not come to its end.
pub(super) struct Unfinished {
    /// What follows for the operation.
    pub failure: StepFailure,
    /// Whether it may have been carried out, and no look has shown what it did.
    pub is_open: bool,
    /// Whether a look said that it was not carried out, which it may still be.
    pub may_come_late: bool,
}

impl Unfinished {
    fn open(failure: StepFailure) -> Self {
        Self { failure, is_open: true, may_come_late: false }
    }
}

impl From<StepFailure> for Unfinished {
    fn from(failure: StepFailure) -> Self {
        Self { failure, is_open: false, may_come_late: false }
    }
}

impl From<RemoteError> for Unfinished {
    fn from(error: RemoteError) -> Self {
        StepFailure::from(error).into()
    }
}

/// Commits under a name that must be free; whatever the reply was, at most one item comes of it. `again`: it was tried before.
pub(super) fn commit_new(
    ports: &Ports<'_>,
    sent: &Sent,
    (parent, wanted): (&ItemId, &str),
    again: bool,
) -> Result<RemoteItem, StepFailure> {
    let answer = ports.remote.commit(&sent.commit(parent, wanted, None));
    judged(ports, sent, (parent, wanted), again, answer).map_err(|unfinished| unfinished.failure)
}

/// Judges the answer to the commit of a new file; `again`: it was tried before. Nothing that changes the drive is under way any more.
pub(super) fn judged(
    ports: &Ports<'_>,
    sent: &Sent,
    (parent, wanted): (&ItemId, &str),
    again: bool,
    answer: Result<RemoteItem, RemoteError>,
) -> Result<RemoteItem, Unfinished> {
    let remote = ports.remote;
    let document = sent.document();
    let item = match answer {
        // What was committed before may have come then, and the answer shows what others did with it since.
        Ok(item) if !again || sent.is_of_its_time(&item) => item,
        Ok(item) => shown(ports, item, sent)?,
        Err(error @ (RemoteError::Uncertain(_) | RemoteError::NameTaken)) => {
            match verified_calls::look(remote, &document, false).map_err(Unfinished::open)? {
                LookUp::Found(item) if is_where_it_came(&item, parent, wanted) => shown(ports, item, sent)?,
                // What a person did with it is judged against what was sent, which only its note knows.
                LookUp::Found(_) => return Err(Unfinished::open(moved_since())),
                LookUp::Gone | LookUp::Unknown => {
                    // Also an id that is not the announced one: whoever has the name now is met by the next plan.
                    let holder = verified_calls::holder(remote, parent, wanted, None);
                    let failure = match holder.map_err(Unfinished::open)? {
                        Some(item) if item.entry.id == document => {
                            let item = shown(ports, item, sent)?;
                            return verified(ports, item, sent, parent, wanted).map_err(Unfinished::open);
                        }
                        Some(_) => StepFailure::replan("another item on iCloud has this name"),
                        // To plan again would ask the same for ever.
                        None if error == RemoteError::NameTaken => {
                            verified_calls::taken(remote, parent, wanted, None)?
                        }
                        None => {
                            let failure = StepFailure::again(error.to_string());
                            return Err(Unfinished { may_come_late: true, ..failure.into() });
                        }
                    };
                    return Err(failure.into());
                }
            }
        }
        // Staged content lives for a while only (§12.1).
        Err(RemoteError::Damaged(why)) => return Err(StepFailure::Resend(why).into()),
        Err(error) => return Err(error.into()),
    };
    verified(ports, item, sent, parent, wanted).map_err(Unfinished::open)
}

/// Looks whether content whose commit was refused is a file all the same, before it is committed again.
pub(super) fn come_already(
    ports: &Ports<'_>,
    sent: &Sent,
    (parent, wanted): (&ItemId, &str),
) -> Result<Option<RemoteItem>, StepFailure> {
    match verified_calls::look(ports.remote, &sent.document(), false)? {
        LookUp::Found(item) if is_where_it_came(&item, parent, wanted) => {
            verified(ports, shown(ports, item, sent)?, sent, parent, wanted).map(Some)
        }
        LookUp::Found(_) => Err(moved_since()),
        LookUp::Gone | LookUp::Unknown => Ok(None),
    }
}

fn verified(
    ports: &Ports<'_>,
    item: RemoteItem,
    sent: &Sent,
    parent: &ItemId,
    wanted: &str,
) -> Result<RemoteItem, StepFailure> {
    let remote = ports.remote;
    let item = if item.entry.etag.as_str().is_empty() {
        match verified_calls::look(remote, &item.entry.id, false)? {
            LookUp::Found(now) => shown(ports, now, sent)?,
            LookUp::Gone | LookUp::Unknown => {
                return Err(StepFailure::replan("iCloud does not show what was sent"));
            }
        }
    } else {
        item
    };
    if !verified_calls::hangs_in(&item, parent) || !sent.is_held_by(&item) {
        return Err(StepFailure::replan("iCloud shows something else than what was sent"));
    }
    if !name::same(&item.entry.name, wanted) {
        // It came beside an item that has the name. Its content is here, so it goes, and the next plan decides.
        if is_numbered(&item.entry.name, wanted) {
            verified_calls::patiently(ports, &item, false, |now| verified_calls::trash(remote, now, false))?;
            return Err(not_to_be_had(remote, Some(parent), wanted, &item.entry.id));
        }
        let renamed = rename(ports, &item, false, wanted)?;
        return match renamed.entry.etag.same_content(&item.entry.etag) {
            true => Ok(renamed),
            false => Err(edited_since()),
        };
    }
    Ok(item)
}

/// Whether it hangs where it was sent to, under the name that was asked for or one that the service can have made of it.
fn is_where_it_came(item: &RemoteItem, parent: &ItemId, wanted: &str) -> bool {
    item.parent == RemoteParent::Folder(parent.clone()) && comes_of(&item.entry.name, wanted)
}

fn moved_since() -> StepFailure {
    StepFailure::replan("it was moved, renamed or deleted on iCloud right after it came")
}

/// What a look shows instead of an answer must be the version that was sent.
fn shown(ports: &Ports<'_>, item: RemoteItem, sent: &Sent) -> Result<RemoteItem, StepFailure> {
    if sent.is_shown_by(ports, &item) { Ok(item) } else { Err(edited_since()) }
}

fn edited_since() -> StepFailure {
    StepFailure::replan("it may have been edited on iCloud right after it came")
}
