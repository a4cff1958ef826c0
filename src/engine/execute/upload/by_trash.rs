//! A replacement by way of the trash: the old version goes there under guard of its etag, then the new one takes the name.

use crate::engine::execute::done::Done;
use crate::engine::execute::parent_check::require_outside_trash;
use crate::engine::execute::put_back::put_back;
use crate::engine::execute::recover::settle_noted;
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::stage::{Acted, Before, Known, Next, Stage, then};
use crate::engine::execute::verified_calls;
use crate::engine::ports::{LookUp, Ports, RemoteItem};
use crate::model::{Intent, ItemId};

use super::commit::commit_new;
use super::sent::{Replacing, Sent, read_again};

/// Tries of a commit while the replaced version is already in the trash.
const COMMIT_TRIES: u32 = 4;

/// What is stored before the first call of a replacement.
pub(super) fn replacement_intent(replacing: &Replacing, before: &RemoteItem, document: &str) -> Intent {
    let Replacing { old, sent, .. } = replacing;
    Intent::ReplaceByTrash {
        old: old.id.clone(),
        old_etag: before.entry.etag.clone(),
        parent: old.parent.clone(),
        name: before.entry.name.clone(),
        document: document.to_owned(),
        path: sent.local.path.clone(),
        stamp: sent.local.stamp,
        signature: sent.signature,
    }
}

/// Looks at the old version; what follows has to be noted first.
pub(super) fn by_trash<'a>(
    ports: &Ports<'_>,
    known: &Known<'_>,
    replacing: Replacing,
) -> Result<Next<'a>, StepFailure> {
    if (known.options.has_twin)(&replacing.old.id) {
        let why = "another item beside it on iCloud has the same name, so that the version there cannot be replaced: \
                   rename one of them";
        return Err(StepFailure::Aside(why.to_owned()));
    }
    let before = read_again(ports, &replacing.old)?;
    then(TrashThenCommit { replacing, before })
}

struct TrashThenCommit {
    replacing: Replacing,
    /// The version that is replaced.
    before: RemoteItem,
}

impl<'a> Stage<'a> for TrashThenCommit {
    fn before(&self, _known: &Known<'_>) -> Before {
        let document = &self.replacing.sent.staged.document;
        Before::note(replacement_intent(&self.replacing, &self.before, document))
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { replacing, before } = *self;
        let Replacing { aim, old, sent } = &replacing;
        let index = aim.index;
        let note = acted.noted()?;
        let trashed = match verified_calls::trash(ports.remote, &before, false) {
            Ok(trashed) => trashed,
            Err(failure @ StepFailure::End(_)) => return Err(failure),
            Err(failure) => {
                settle_noted(ports, &known.moment, note, (index, acted))?;
                return Err(failure);
            }
        };
        let place = (&old.parent, &*before.entry.name);
        let (committed, repeated) = commit_patiently(ports, known, sent, place);
        match committed {
            Ok(item) => {
                acted.end_note(index);
                acted.did(index, Done::Overwrote);
                aim.came(known, sent, (&old.parent, &item), Some(old.id.clone()), acted);
                Ok(Next::Finished)
            }
            // The intent stays: the next start finishes or undoes it.
            Err(failure @ StepFailure::End(_)) => Err(failure),
            Err(failure @ StepFailure::Replan(_)) => {
                let document = ItemId::new(sent.staged.zone.clone(), &sent.staged.document);
                if !matches!(verified_calls::look(ports.remote, &document, false), Ok(LookUp::Gone)) {
                    // It came, and what a person did with it since is judged against what was sent. Where that cannot be settled
                    // now the intent stays.
                    let settled = settle_noted(ports, &known.moment, note, (index, acted));
                    return Err(settled
                        .err()
                        .filter(|end| matches!(end, StepFailure::End(_)))
                        .unwrap_or(failure));
                }
                // Somebody else made an item of that name in this moment, and nobody deleted the old version: it comes back
                // under a name that the service gives it. Where it does not it is in the trash, and what is here is new.
                match put_back(ports, &trashed, false, place).ok() {
                    Some(back) => came_back(&replacing, back, acted),
                    None => acted.did(index, Done::Lost(old.id.clone())),
                }
                acted.end_note(index);
                Err(failure)
            }
            Err(failure) => {
                // An earlier try whose reply was lost may have been carried out: then it is finished instead.
                let settled = if repeated {
                    settle_noted(ports, &known.moment, note, (index, acted))
                } else {
                    put_back(ports, &trashed, false, place).map(|back| {
                        came_back(&replacing, back, acted);
                        acted.end_note(index);
                        false
                    })
                };
                match settled {
                    Ok(true) => {
                        acted.did(index, Done::Overwrote);
                        aim.is_done(sent, acted);
                        Ok(Next::Finished)
                    }
                    Err(end @ StepFailure::End(_)) => Err(end),
                    // Where it failed the intent stays: the next start settles it.
                    Ok(false) | Err(_) => Err(match failure {
                        StepFailure::Again { why, .. } => StepFailure::Aside(why),
                        other => other,
                    }),
                }
            }
        }
    }
}

fn came_back(replacing: &Replacing, back: RemoteItem, acted: &mut Acted) {
    let Replacing { aim, old, .. } = replacing;
    acted.did(aim.index, Done::CameBack { id: old.id.clone(), back: back.clone() });
    acted.did(aim.index, Done::ChangedRemote { before: old.etag.clone(), after: back });
}

/// While the old version is in the trash the commit is repeated at once, not after all others.
/// Tells also whether it took more than one try.
fn commit_patiently(
    ports: &Ports<'_>,
    known: &Known<'_>,
    sent: &Sent,
    (parent, name): (&ItemId, &str),
) -> (Result<RemoteItem, StepFailure>, bool) {
    let mut attempt = 0;
    loop {
        let asked = match commit_new(ports, sent, (parent, name), attempt > 0) {
            Err(StepFailure::Again { after, .. }) if attempt + 1 < COMMIT_TRIES => after,
            other => {
                let again = matches!(other, Err(StepFailure::Again { .. }));
                return (other, attempt > 0 || again);
            }
        };
        let looked = verified_calls::wait(ports, attempt, asked)
            .and_then(|()| is_still_as_read(ports, sent))
            .and_then(|()| require_outside_trash(ports.remote, known, parent));
        if let Err(failure) = looked {
            return (Err(failure), true);
        }
        attempt += 1;
    }
}

/// Not "planned again" where it is not: the version that was replaced goes back to its name first.
fn is_still_as_read(ports: &Ports<'_>, sent: &Sent) -> Result<(), StepFailure> {
    match sent.is_as_read(ports.disk)? {
        true => Ok(()),
        false => Err(StepFailure::Resend("it changed here while iCloud was busy".into())),
    }
}
