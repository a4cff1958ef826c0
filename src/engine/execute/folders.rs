//! Making folders, here and on iCloud.

mod adopted;
mod unwanted;

use std::collections::HashSet;

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, Plan, RemoteSeen};
use crate::engine::ports::{Disk, LookUp, Ports, Remote, RemoteError, RemoteItem};
use crate::model::{Intent, ItemId, LocalKind, Presence, name};

use super::done::Done;
use super::parent_check::require_alive;
use super::relocate::rename;
use super::report::StepFailure;
use super::stage::{Acted, Before, Known, Next, Stage, then};
use super::standing::has_its_volume;
use super::verified_calls;
use adopted::adopt;
use unwanted::{TakeBack, Unwanted};

/// Makes a folder here, at the operation's path.
pub(super) struct MakeLocalFolder<'a> {
    pub(super) index: usize,
    pub(super) operation: &'a Operation,
    pub(super) remote: &'a RemoteSeen,
}

impl<'a> Stage<'a> for MakeLocalFolder<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        Before::arrives(&self.operation.path, known.own.remote(self.remote), None)
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let remote = known.own.remote(self.remote);
        has_its_volume(ports, known.base(), &self.operation.path)?;
        let entry = ports.disk.make_folder(&self.operation.path)?;
        acted.did(self.index, Done::MadeLocalFolder { remote, entry });
        Ok(Next::Finished)
    }
}

/// Finds out which of several folders with one parent have to be made on iCloud.
pub(super) struct FindFolders<'a> {
    pub(super) plan: &'a Plan,
    pub(super) parent: &'a Parent,
    pub(super) group: Vec<usize>,
    /// Whether one of them may have been made by an earlier try.
    pub(super) again: bool,
}

/// A folder that is to be made: the operation, the folder here, the name on iCloud.
type Wanted<'a> = (usize, LocalSeen, &'a str);

impl<'a> Stage<'a> for FindFolders<'a> {
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let folder = known.parent(self.parent)?;
        if let Some(index) = self.group.first() {
            require_alive(ports, known, *index, &folder, acted)?;
        }
        // The service may make a second folder of a name that is taken (§10.1), so the parent is listed
        // first. One that we made in this pass is known to be empty but for what we put there.
        let there = if matches!(self.parent, Parent::Made(_)) && !self.again {
            Vec::new()
        } else {
            verified_calls::list(ports.remote, &folder)?.items
        };
        let mut wanted = Vec::new();
        for index in self.group {
            let Action::MakeRemoteFolder { local, name, .. } = &self.plan.operations[index].action else {
                acted.failed(index, StepFailure::replan("it makes no folder"));
                continue;
            };
            let local = known.own.local(local);
            let found = is_folder_here(ports.disk, &local)
                .and_then(|()| standing(ports.remote, &folder, &there, name))
                .and_then(|found| found.map(|item| free_to_mirror(known, self.plan, item)).transpose());
            match found {
                Ok(Some(item)) => adopt(known, (index, local), &folder, item, acted),
                Ok(None) => wanted.push((index, local, &**name)),
                Err(failure) => acted.failed(index, failure),
            }
        }
        if wanted.is_empty() {
            Ok(Next::Finished)
        } else {
            then(MakeFolders { plan: self.plan, folder, there, wanted })
        }
    }
}

/// Who has that name in the folder, as it was listed. What listings show there although it was moved or renamed since, perhaps by us, has it
/// no more. A look-up may be late itself for a new folder, and one too many would be made: there the listing counts.
fn standing(
    remote: &dyn Remote,
    folder: &ItemId,
    there: &[RemoteItem],
    wanted: &str,
) -> Result<Option<RemoteItem>, StepFailure> {
    for item in there.iter().filter(|item| name::same(&item.entry.name, wanted)) {
        match verified_calls::look(remote, &item.entry.id, item.entry.is_folder())? {
            LookUp::Found(now) => {
                if verified_calls::hangs_in(&now, folder) && name::same(&now.entry.name, wanted) {
                    return Ok(Some(now));
                }
            }
            LookUp::Gone if !item.entry.is_folder() => {}
            LookUp::Gone | LookUp::Unknown => return Ok(Some(item.clone())),
        }
    }
    Ok(None)
}

/// A folder on iCloud that has the name, unless it is another one's here, or is about to be: then it got the name only just now.
fn free_to_mirror(known: &Known<'_>, plan: &Plan, item: RemoteItem) -> Result<RemoteItem, StepFailure> {
    let id = &item.entry.id;
    let is_agreed = known.base().entry(id).is_some_and(|(_, entry)| entry.presence == Presence::Both);
    let is_planned = || {
        plan.operations.iter().any(|operation| match &operation.action {
            Action::Agree { remote, .. } | Action::MakeLocalFolder { remote } => remote.id == *id,
            _ => false,
        })
    };
    match is_agreed || is_planned() {
        true => Err(StepFailure::replan("a folder on iCloud that is another one here has this name now")),
        false => Ok(item),
    }
}

/// Makes folders on iCloud in one request. Their ids are unknown before, so what the parent held is noted first.
struct MakeFolders<'a> {
    plan: &'a Plan,
    folder: ItemId,
    there: Vec<RemoteItem>,
    wanted: Vec<Wanted<'a>>,
}

impl<'a> Stage<'a> for MakeFolders<'a> {
    fn before(&self, known: &Known<'_>) -> Before {
        let is_stranger = |item: &&RemoteItem| known.base().entry(&item.entry.id).is_none();
        let strangers = self.there.iter().filter(is_stranger).map(|item| item.entry.id.clone()).collect();
        let note = |(_, local, name): &Wanted<'_>| ((*name).into(), local.path.clone(), local.stamp);
        let folders = self.wanted.iter().map(note).collect();
        Before::note(Intent::MakeFolders { parent: self.folder.clone(), strangers, folders })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { plan, folder, there, mut wanted } = *self;
        // Storing the note may have taken a while.
        wanted.retain(|(index, local, _)| {
            let result = is_folder_here(ports.disk, local);
            result.map_err(|failure| acted.failed(*index, failure)).is_ok()
        });
        let names: Vec<_> = wanted.iter().map(|(_, _, name)| *name).collect();
        let answers =
            if names.is_empty() { Vec::new() } else { ports.remote.create_folders(&folder, &names) };
        let mut answers = answers.into_iter();
        let mut made_now = HashSet::new();
        let mut unwanted = Vec::new();
        for (index, local, name) in wanted {
            let answer = answers
                .next()
                .unwrap_or_else(|| Err(RemoteError::Uncertain("the answer names no folder".into())));
            // The answer may be a folder that stood there before, whose name differs in case only: it is nobody's new one.
            let is_older = |item: &RemoteItem| {
                let id = &item.entry.id;
                !name::same(&item.entry.name, name)
                    && (there.iter().any(|older| older.entry.id == *id)
                        || known.own.is_made(id)
                        || made_now.contains(id))
            };
            let made = match answer {
                Ok(item) if is_older(&item) => {
                    Err(StepFailure::Aside(verified_calls::one_name(&item.entry.name)))
                }
                answer => verify(ports, &folder, name, answer),
            };
            match made {
                Ok(Made::Unwanted(made, instead)) => {
                    let instead = instead.and_then(|item| free_to_mirror(known, plan, item));
                    unwanted.push(Unwanted { of: (index, local), made: *made, instead });
                }
                Ok(Made::Stands(item)) => match free_to_mirror(known, plan, item) {
                    Ok(item) => {
                        made_now.insert(item.entry.id.clone());
                        adopt(known, (index, local), &folder, item, acted);
                    }
                    Err(failure) => acted.failed(index, failure),
                },
                Err(failure) => acted.failed(index, failure),
            }
        }
        if acted.has_failed(|failure| matches!(failure, StepFailure::End(_))) {
            // The next recovery finds out what was made.
        } else if acted.has_failed(|failure| matches!(failure, StepFailure::Again { .. })) {
            // One may have been made and not be shown yet: the note stays until it is tried again, or the pass ends.
            if let Some(intent) = acted.note {
                acted.done.push((None, Done::Announced { ids: Vec::new(), intent }));
            }
        } else {
            acted.end_group_note();
        }
        match unwanted.pop() {
            Some(first) => then(TakeBack { folder, first, rest: unwanted }),
            None => Ok(Next::Finished),
        }
    }
}

/// The local folder that is mirrored must still stand there.
fn is_folder_here(disk: &dyn Disk, local: &LocalSeen) -> Result<(), StepFailure> {
    match disk.look(&local.path)? {
        Some(entry) if entry.kind == LocalKind::Folder && entry.stamp.identity == local.stamp.identity => {
            Ok(())
        }
        _ => Err(StepFailure::replan("the folder is gone here meanwhile")),
    }
}

/// What came of a request for a folder.
enum Made {
    /// There is a folder of that name.
    Stands(RemoteItem),
    /// One was made that cannot get the name, and is to go again; and what becomes of the operation then.
    Unwanted(Box<RemoteItem>, Result<RemoteItem, StepFailure>),
}

/// Sees to it that there is one folder of that name, whatever the answer was.
fn verify(
    ports: &Ports<'_>,
    parent: &ItemId,
    wanted: &str,
    answer: Result<RemoteItem, RemoteError>,
) -> Result<Made, StepFailure> {
    let remote = ports.remote;
    let made = match answer {
        Ok(item) => item,
        // It may have been made, or somebody else's has the name: either is the folder we want. A new
        // folder's id is unknown and listings may lag, so it is made again only when they must show it.
        Err(RemoteError::Uncertain(why)) if *parent == ItemId::drive_root() => {
            // Listing the root right after a write takes half a minute; the next look at iCloud shows it as well.
            return Err(StepFailure::Again { why, after: Some(verified_calls::LISTINGS_LAG) });
        }
        Err(RemoteError::Uncertain(why)) => {
            return match verified_calls::holder(remote, parent, wanted, None) {
                Ok(Some(item)) => Ok(Made::Stands(item)),
                // Of a parent that is new itself there may be no listing yet.
                Ok(None) | Err(StepFailure::Replan(_)) => {
                    Err(StepFailure::Again { why, after: Some(verified_calls::LISTINGS_LAG) })
                }
                Err(failure) => Err(failure),
            };
        }
        Err(RemoteError::NameTaken) => {
            return match verified_calls::holder(remote, parent, wanted, None)? {
                Some(item) => Ok(Made::Stands(item)),
                None => Err(verified_calls::taken(remote, parent, wanted, None)?),
            };
        }
        Err(error) => return Err(error.into()),
    };
    if !verified_calls::hangs_in(&made, parent) {
        return Err(StepFailure::replan("the new folder came elsewhere on iCloud"));
    }
    if name::same(&made.entry.name, wanted) {
        return Ok(Made::Stands(made));
    }
    verified_calls::patiently(ports, &made, true, |made| {
        match verified_calls::holder(remote, parent, wanted, Some(&made.entry.id))? {
            None => match rename(ports, made, true, wanted) {
                Err(failure @ (StepFailure::Replan(_) | StepFailure::Aside(_))) => {
                    Ok(Made::Unwanted(Box::new(made.clone()), Err(failure)))
                }
                renamed => renamed.map(Made::Stands),
            },
            Some(existing) => Ok(Made::Unwanted(Box::new(made.clone()), Ok(existing))),
        }
    })
}
