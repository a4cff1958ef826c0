//! Deletions: to the trash of either side.

use std::collections::{HashMap, HashSet};

use crate::engine::operation::{Action, LocalSeen, Operation, Plan, Reason, RemoteSeen};
use crate::engine::ports::{Disk, DiskError, ItemVersion, LookUp, Ports, RemoteItem, RemoteParent};
use crate::model::{Etag, Intent, ItemId, RelPath, Side};

use super::done::{Done, Doomed};
use super::known::OwnChanges;
use super::put_back::put_back;
use super::racy::still_holds_what_was_read;
use super::recover::settle_noted;
use super::report::StepFailure;
use super::stage::{Acted, Before, Known, Next, Stage, then};
use super::unplanned::{Unplanned, holds_unplanned, we_took_out};
use super::verified_calls;

/// So many deletions here are noted in one go.
const NOTED_AT_ONCE: usize = 500;

/// To the local trash; a folder must be empty but for junk.
pub(super) struct TrashLocal<'a> {
    pub(super) index: usize,
    pub(super) id: Option<&'a ItemId>,
    pub(super) local: &'a LocalSeen,
}

impl<'a> Stage<'a> for TrashLocal<'a> {
    /// Which items go to the local trash is noted before the first of them goes, many at a time: after a crash one that is gone
    /// here must not look like one that a person deleted.
    fn before(&self, known: &Known<'_>) -> Before {
        let Some(id) = self.id.filter(|id| !known.own.is_announced(id)) else { return Before::Nothing };
        let local = known.own.local(self.local);
        let mut items = vec![(id.clone(), local.path, local.stamp)];
        for operation in &known.plan.operations {
            if let Action::TrashLocal { id: Some(other), local, .. } = &operation.action
                && items.len() < NOTED_AT_ONCE
                && other != id
                && !known.own.is_announced(other)
            {
                items.push((other.clone(), local.path.clone(), known.own.local(local).stamp));
            }
        }
        Before::note(Intent::TrashHere { items })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        if let Some(intent) = acted.note
            && let Some(Intent::TrashHere { items }) = known.base().state.intents.get(&intent)
        {
            let ids = items.iter().map(|(id, ..)| id.clone()).collect();
            acted.did(self.index, Done::Announced { ids, intent });
        }
        let local = known.own.local(self.local);
        let agreed = self.id.and_then(|id| known.base().entry(id)).map(|(_, entry)| entry);
        still_holds_what_was_read(ports, self.local, &local, agreed.as_ref())?;
        ports.disk.trash(&local.path, &local.stamp)?;
        acted.did(self.index, Done::TrashedLocal { id: self.id.cloned(), path: local.path });
        Ok(Next::Finished)
    }
}

/// To iCloud's trash: one folder, or several files. Looks whether they may go.
pub(super) struct TrashRemote<'a> {
    pub(super) plan: &'a Plan,
    pub(super) group: Vec<usize>,
}

impl<'a> Stage<'a> for TrashRemote<'a> {
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        ports.disk.check_root()?;
        let mut doomed = Vec::new();
        for index in self.group {
            let Action::TrashRemote { remote, subtree, absent } = &self.plan.operations[index].action else {
                acted.failed(index, StepFailure::replan("it deletes nothing"));
                continue;
            };
            match is_absent(ports.disk, absent.as_ref()) {
                Ok(()) => doomed.push((index, known.own.remote(remote), subtree, absent.as_ref())),
                Err(failure) => acted.failed(index, failure),
            }
        }
        if let [(index, seen, subtree, absent)] = &doomed[..]
            && seen.folder
        {
            return look_into_folder(ports, known, (*index, seen), subtree, *absent);
        }
        if doomed.is_empty() {
            return Ok(Next::Finished);
        }
        let seen: Vec<_> = doomed.iter().map(|(_, seen, ..)| seen.clone()).collect();
        let checked = verified_calls::check(ports.remote, &seen)?;
        let mut files = Vec::new();
        for ((index, seen, _, absent), item) in doomed.into_iter().zip(checked) {
            // That it is absent here is asked again right before it goes there (P2).
            match is_absent(ports.disk, absent).and(item) {
                Ok(item) => files.push(DoomedFile {
                    index,
                    id: seen.id,
                    version: verified_calls::version(&item, seen.folder),
                    absent,
                }),
                Err(failure) => acted.failed(index, failure),
            }
        }
        if files.is_empty() { Ok(Next::Finished) } else { then(TrashFiles(files)) }
    }
}

struct DoomedFile<'a> {
    index: usize,
    id: ItemId,
    version: ItemVersion,
    absent: Option<&'a RelPath>,
}

/// Files that go to iCloud's trash in one request. After a crash in here what a person moved in between must not be found again
/// as an item that was deleted there, so they are noted.
struct TrashFiles<'a>(Vec<DoomedFile<'a>>);

impl<'a> Stage<'a> for TrashFiles<'a> {
    fn before(&self, _known: &Known<'_>) -> Before {
        Before::note(Intent::Trash { ids: self.0.iter().map(|file| file.version.id.clone()).collect() })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let mut files = self.0;
        // Storing the note may have taken a while: nothing lies between this look here and the call.
        files.retain(|file| {
            let result = is_absent(ports.disk, file.absent);
            result.map_err(|failure| acted.failed(file.index, failure)).is_ok()
        });
        let versions: Vec<_> = files.iter().map(|file| file.version.clone()).collect();
        let trashed =
            if versions.is_empty() { Vec::new() } else { verified_calls::trash_all(ports.remote, &versions) };
        for (file, trashed) in files.into_iter().zip(trashed) {
            match trashed {
                Ok(item) => {
                    if goes_for_good(known, file.index, &file.id) && item.parent == RemoteParent::Trash {
                        verified_calls::delete_for_good(ports, &item, false);
                    }
                    deleted(file.index, &file.id, Vec::new(), acted);
                    acted.finished(file.index);
                }
                Err(failure) => acted.failed(file.index, failure),
            }
        }
        // What did not go is tried again with a note of its own; only where the pass ends nobody looked what went.
        if !acted.has_failed(|failure| matches!(failure, StepFailure::End(_))) {
            acted.end_group_note();
        }
        Ok(Next::Finished)
    }
}

/// Whether what goes to iCloud's trash is deleted for good there. What left the scope here was deleted by nobody, and what is here may be
/// another content by now.
fn goes_for_good(known: &Known<'_>, index: usize, id: &ItemId) -> bool {
    let is_wanted = known.options.remote_delete_permanent && !(known.options.may_be_lost)(id);
    is_wanted && known.operation(index).reason == Reason::Deleted(Side::Local)
}

/// An item is in iCloud's trash, with what was planned to go with it.
fn deleted(index: usize, id: &ItemId, with: Vec<ItemId>, acted: &mut Acted) {
    acted.did(index, Done::Trashed { on: Side::Remote, id: id.clone(), with });
    acted.did(index, Done::DeletedRemote);
}

/// What was deleted here must still be absent (P2).
fn is_absent(disk: &dyn Disk, path: Option<&RelPath>) -> Result<(), StepFailure> {
    let mut at = path.cloned();
    while let Some(path) = at {
        match disk.look(&path) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) => return Err(StepFailure::replan("it is there again here")),
            // Its folder cannot be reached: absent too, if that was deleted with it.
            Err(DiskError::Folder { .. }) if path.parent().is_some_and(|folder| !folder.is_root()) => {
                at = path.parent();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A folder goes only if everything inside was planned for deletion, as a listing just now shows.
fn look_into_folder<'a>(
    ports: &Ports<'_>,
    known: &Known<'_>,
    (index, seen): (usize, &RemoteSeen),
    subtree: &'a [(ItemId, Etag)],
    absent: Option<&'a RelPath>,
) -> Result<Next<'a>, StepFailure> {
    let remote = ports.remote;
    let agreed = versions(subtree);
    let mut planned: Vec<_> = subtree.iter().map(|(id, _)| id.clone()).collect();
    let mut left = HashSet::new();
    for item in verified_calls::below(remote, &seen.id)? {
        let id = &item.entry.id;
        if (known.options.is_junk)(&item.entry.name) {
            planned.push(id.clone());
            continue;
        }
        // A folder's etag follows what is in it, and that is compared item by item.
        let fits = agreed
            .get(id)
            .is_some_and(|etag| item.entry.is_folder() || known.own.is_version(id, etag, &item.entry.etag));
        // What a listing shows in what has left has left with it.
        let with_it = matches!(&item.parent, RemoteParent::Folder(parent) if left.contains(parent));
        if with_it || !fits && we_took_out(remote, known.own, &item, &seen.id)? {
            left.insert(id.clone());
            continue;
        }
        if !fits {
            return Err(StepFailure::Replan(format!(
                "it holds {:?}, which was not planned for",
                item.entry.name
            )));
        }
    }
    is_absent(ports.disk, absent)?;
    let mut checked = verified_calls::check(remote, std::slice::from_ref(seen))?;
    let item = checked.pop().unwrap_or_else(|| Err(StepFailure::again("iCloud does not say where it is")))?;
    then(TrashFolder { index, seen: seen.clone(), item, subtree, planned, absent })
}

struct TrashFolder<'a> {
    index: usize,
    seen: RemoteSeen,
    item: RemoteItem,
    subtree: &'a [(ItemId, Etag)],
    /// What is to go with it, junk included.
    planned: Vec<ItemId>,
    absent: Option<&'a RelPath>,
}

impl<'a> Stage<'a> for TrashFolder<'a> {
    fn before(&self, _known: &Known<'_>) -> Before {
        Before::note(Intent::TrashFolder {
            id: self.seen.id.clone(),
            from: (self.seen.parent.clone(), self.seen.name.clone()),
            planned: self.planned.clone(),
        })
    }

    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { index, seen, item, subtree, planned, absent } = *self;
        let note = acted.noted()?;
        is_absent(ports.disk, absent).inspect_err(|_| acted.end_note(index))?;
        let trashed = match verified_calls::trash(ports.remote, &item, true) {
            Ok(trashed) => trashed,
            Err(failure @ StepFailure::End(_)) => return Err(failure),
            Err(failure) => {
                // The look inside says whether it was done after all.
                settle_noted(ports, &known.moment, note, (index, acted))?;
                return Err(failure);
            }
        };
        // Unsure what went with it: the intent stays and is settled at the next start.
        let agreed = versions(subtree);
        let fits = |item: &RemoteItem| fits(known.own, &agreed, item);
        let inside = holds_unplanned(ports.remote, Some(known.own), &seen.id, &planned, &fits)?;
        if inside == Unplanned::Something {
            put_back(ports, &trashed, true, (&seen.parent, &seen.name))?;
            acted.end_note(index);
            return Err(StepFailure::replan("something came into it while it was deleted; it is put back"));
        }
        // For good it goes only with what was listed in it in the trash, else it stays there.
        let is_listed = inside == Unplanned::Nothing && trashed.parent == RemoteParent::Trash;
        if goes_for_good(known, index, &seen.id) && is_listed {
            let (since, etag) = (ports.clock.uptime(), trashed.entry.etag.clone());
            let version = ItemVersion { id: seen.id.clone(), folder: true, etag };
            acted.did(index, Done::Doomed(Doomed { index, version, planned, since }));
        }
        deleted(index, &seen.id, subtree.iter().map(|(id, _)| id.clone()).collect(), acted);
        acted.end_note(index);
        Ok(Next::Finished)
    }
}

/// What was planned to go with a folder, by its id.
fn versions(subtree: &[(ItemId, Etag)]) -> HashMap<&ItemId, &Etag> {
    subtree.iter().map(|(id, etag)| (id, etag)).collect()
}

/// Whether an item in a trashed folder is in the version that was planned to go, where one was.
fn fits(own: &OwnChanges, planned: &HashMap<&ItemId, &Etag>, item: &RemoteItem) -> bool {
    let (id, etag) = (&item.entry.id, &item.entry.etag);
    let is_planned = |was: &&Etag| was.same_content(etag) || own.is_version(id, was, etag);
    item.entry.is_folder() || planned.get(id).is_none_or(is_planned)
}

/// Deletes for good the folders that went to the trash in this pass, once listings must show all that came into them
/// before: what was not planned to go keeps its folder in the trash. Where the pass ends before that they stay there too.
pub(super) fn delete_for_good(ports: &Ports<'_>, known: &Known<'_>) {
    let doomed = known.own.doomed();
    let Some(last) = doomed.iter().map(|doomed| doomed.since).max() else { return };
    let due = last.saturating_add(verified_calls::LISTINGS_LAG);
    if ports.clock.pause(due.saturating_sub(ports.clock.uptime())).is_err() {
        return;
    }
    for Doomed { index, version, planned, .. } in doomed {
        let Operation { action: Action::TrashRemote { subtree, .. }, .. } = known.operation(*index) else {
            continue;
        };
        let agreed = versions(subtree);
        let fits = |item: &RemoteItem| fits(known.own, &agreed, item);
        // A person may have put it back meanwhile, and whether the service then refuses to delete it nobody knows.
        let is_there = || {
            let look = verified_calls::look(ports.remote, &version.id, true);
            matches!(look, Ok(LookUp::Found(now)) if now.parent == RemoteParent::Trash && now.entry.etag == version.etag)
        };
        let inside = holds_unplanned(ports.remote, None, &version.id, planned, &fits);
        if matches!(inside, Ok(Unplanned::Nothing)) && is_there() {
            drop(ports.remote.delete_trashed(std::slice::from_ref(version)));
        }
    }
}
