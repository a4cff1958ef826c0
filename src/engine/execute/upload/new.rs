//! The commits of new files, one alone or several side by side.

use crate::engine::execute::announce::Announcement;
use crate::engine::execute::done::Done;
use crate::engine::execute::parent_check::{Wanted, alive_each};
use crate::engine::execute::relocate::is_numbered;
use crate::engine::execute::report::StepFailure;
use crate::engine::execute::stage::{Acted, Before, Known, Next, Stage};
use crate::engine::execute::transfer::StagedContent;
use crate::engine::operation::{LocalSeen, Operation, Parent};
use crate::engine::ports::{Ports, RemoteError, RemoteItem};
use crate::model::ItemId;

use super::commit::{Unfinished, come_already, judged};
use super::sent::{Aim, Sent};
use super::{as_read, note_announced, require_agreed};

/// A new file whose content has been staged.
pub(in crate::engine::execute) struct NewFile<'a> {
    pub(in crate::engine::execute) index: usize,
    pub(in crate::engine::execute) operation: &'a Operation,
    pub(in crate::engine::execute) local: &'a LocalSeen,
    pub(in crate::engine::execute) parent: &'a Parent,
    pub(in crate::engine::execute) name: &'a str,
    pub(in crate::engine::execute) content: StagedContent,
    /// Whether its commit was tried before.
    pub(in crate::engine::execute) again: bool,
}

/// The commits of new files. Nothing else changes the drive while they are under way: they are told apart by their documents, none
/// needs what another one makes, and what an answer leaves to be put right waits until all are over.
pub(in crate::engine::execute) struct UploadNew<'a> {
    pub(in crate::engine::execute) group: Vec<NewFile<'a>>,
    /// Folders into which the next ones go: looked up with those of the group.
    pub(in crate::engine::execute) ahead: Vec<ItemId>,
    /// What has to be noted first of these uploads and of others whose content waits.
    pub(in crate::engine::execute) announcement: Option<Announcement>,
}

/// One whose commit may be sent.
struct Ready<'a> {
    index: usize,
    aim: Aim,
    sent: Sent,
    parent: ItemId,
    name: &'a str,
    again: bool,
}

impl<'a> Stage<'a> for UploadNew<'a> {
    fn before(&self, _known: &Known<'_>) -> Before {
        self.announcement.as_ref().map_or(Before::Nothing, |announced| Before::note(announced.intent()))
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { group, ahead, announcement } = *self;
        note_announced(announcement, acted);
        let ready = looked_at(ports, known, group, &ahead, acted);
        let commits: Vec<_> =
            ready.iter().map(|file| file.sent.commit(&file.parent, file.name, None)).collect();
        let mut answers = match commits.as_slice() {
            [] => return Ok(Next::Finished),
            [alone] => vec![ports.remote.commit(alone)],
            several => ports.remote.commit_side_by_side(several),
        };
        answers.resize_with(ready.len(), || Err(RemoteError::Uncertain("the answer names no file".into())));
        let is_refused =
            ready.iter().zip(&answers).any(|(file, answer)| may_be_for_overlapping(file.name, answer));
        acted
            .done
            .push((None, Done::Answered { commits: ready.len(), is_refused, at: ports.clock.uptime() }));
        for (file, answer) in ready.into_iter().zip(answers) {
            let Ready { index, aim, sent, parent, name, again } = file;
            match judged(ports, &sent, (&parent, name), again, answer) {
                Ok(item) => came(known, (aim, &sent), (&parent, &item), acted),
                Err(Unfinished { failure, is_open, may_come_late }) => {
                    // Its note outlives the operation: the next recovery looks what came of it.
                    if is_open {
                        acted.did(index, Done::LeftOpen { operation: index, etag: None });
                    }
                    if may_come_late {
                        let file = sent.upload(parent, name.into(), None);
                        acted.did(index, Done::MayComeLate(Box::new(file)));
                    }
                    acted.failed(index, failure);
                }
            }
        }
        Ok(Next::Finished)
    }
}

/// Those that may go: the file is the one that was read, and its folder lives. Of one that was tried before this is seen anew, and
/// whether it has come.
fn looked_at<'a>(
    ports: &Ports<'_>,
    known: &Known<'_>,
    group: Vec<NewFile<'a>>,
    ahead: &[ItemId],
    acted: &mut Acted,
) -> Vec<Ready<'a>> {
    let mut ready = Vec::new();
    let mut wanted = Vec::new();
    for file in group {
        let aim = Aim { index: file.index, reason: file.operation.reason, is_conflict: false };
        let (index, name, again) = (file.index, file.name, file.again);
        match look(ports, known, file, acted) {
            Ok((sent, parent, Some(item))) => came(known, (aim, &sent), (&parent, &item), acted),
            Ok((sent, parent, None)) => {
                wanted.push(Wanted { index, folder: parent.clone(), again });
                ready.push(Ready { index, aim, sent, parent, name, again });
            }
            Err(failure) => acted.failed(index, failure),
        }
    }
    let mut alive = alive_each(ports, known, &wanted, ahead, acted).into_iter();
    ready.retain(|file| match alive.next() {
        Some(Err(failure)) => {
            acted.failed(file.index, failure);
            false
        }
        Some(Ok(())) | None => true,
    });
    ready
}

/// What is to be sent, the folder it goes to, and the file that it is already, if an earlier try was carried out after all.
fn look(
    ports: &Ports<'_>,
    known: &Known<'_>,
    file: NewFile<'_>,
    acted: &mut Acted,
) -> Result<(Sent, ItemId, Option<RemoteItem>), StepFailure> {
    let sent = as_read(ports, known, file.index, (file.local, file.content), acted)?;
    let parent = known.parent(file.parent)?;
    require_agreed(known, &parent)?;
    let found = if file.again { come_already(ports, &sent, (&parent, file.name))? } else { None };
    Ok((sent, parent, found))
}

fn came(known: &Known<'_>, (aim, sent): (Aim, &Sent), came: (&ItemId, &RemoteItem), acted: &mut Acted) {
    aim.came(known, sent, came, None, acted);
    acted.finished(aim.index);
}

/// Whether that answer may be due to another write at the same time.
fn may_be_for_overlapping(wanted: &str, answer: &Result<RemoteItem, RemoteError>) -> bool {
    match answer {
        Ok(item) => is_numbered(&item.entry.name, wanted),
        Err(
            RemoteError::Stale
            | RemoteError::NameTaken
            | RemoteError::Busy { .. }
            | RemoteError::Uncertain(_)
            | RemoteError::Unreachable(_),
        ) => true,
        Err(
            RemoteError::Gone
            | RemoteError::Refused(_)
            | RemoteError::Quota(_)
            | RemoteError::Account { .. }
            | RemoteError::Damaged(_)
            | RemoteError::LookedLongAgo
            | RemoteError::Stopped,
        ) => false,
    }
}
