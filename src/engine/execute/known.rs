//! The one memory of what this pass changed itself, so that a plan that was made before can still be carried out.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::engine::operation::{LocalSeen, Parent, RemoteSeen};
use crate::engine::ports::{RemoteItem, RemoteParent};
use crate::model::name::Name;
use crate::model::{Etag, ItemId, LocalEntry, LocalKind, LocalStamp, RelPath};

use super::done::{Crossed, Done, Doomed};
use super::report::StepFailure;
use super::window::Window;

/// So long what was just seen counts, in seconds.
const FRESH_SECONDS: i64 = 20;

/// What our own calls of this pass did. Only [`OwnChanges::learn`] changes it.
#[derive(Default)]
pub(super) struct OwnChanges {
    /// What our calls made of items that were planned against in an earlier version.
    versions: HashMap<ItemId, Version>,
    /// What our moves made of stamps: by the path that the item has now, before all of them and after.
    stamps: HashMap<RelPath, (LocalStamp, LocalStamp)>,
    /// Folders that operations of this plan made on iCloud.
    made: HashMap<usize, ItemId>,
    /// Folders on iCloud that were seen outside the trash, and when, in seconds that the state has lived through.
    seen_alive: HashMap<ItemId, i64>,
    /// What went into folders on iCloud since they were last seen outside the trash.
    added_to: BTreeMap<ItemId, Vec<ItemId>>,
    /// Intents of items that bear a temporary name.
    temporary: HashMap<ItemId, u64>,
    /// Items whose deletion here is noted.
    announced: HashSet<ItemId>,
    /// The intents that note them.
    announcements: Vec<u64>,
    /// Uploads whose commit is noted and not over: the `docwsid` of the content, and the intent.
    uploads: HashMap<usize, (Name, u64)>,
    /// Uploads whose commit may have been carried out although no look has shown it: the version that the answer told, where it
    /// told one.
    left_open: HashMap<usize, Option<Etag>>,
    /// Intents that note such uploads which are over for this pass: the next one settles them.
    unsettled: BTreeSet<u64>,
    /// Moves that leave something at a temporary name, or came of one that did: those that build on them are owed.
    unfinished: HashSet<usize>,
    /// Folders in iCloud's trash that are to be deleted for good at the end of the pass.
    doomed: Vec<Doomed>,
    /// How many commits of new files may overlap.
    window: Window,
}

/// An item on iCloud that our calls changed.
struct Version {
    was: Etag,
    now: Etag,
    place: Option<(ItemId, Name)>,
}

impl OwnChanges {
    /// Nothing was changed yet, and that many commits of new files may overlap.
    pub(super) fn with(window: Window) -> Self {
        Self { window, ..Self::default() }
    }

    /// How many commits of new files may overlap, as far as their answers told.
    pub(super) fn window(&self) -> Window {
        self.window
    }

    /// The item on iCloud as planned, brought up to our own changes of it.
    pub(super) fn remote(&self, planned: &RemoteSeen) -> RemoteSeen {
        let mut current = planned.clone();
        let fits = |own: &&Version| own.was == planned.etag || own.now == planned.etag;
        if let Some(own) = self.versions.get(&planned.id).filter(fits) {
            current.etag = own.now.clone();
            if let Some((parent, name)) = &own.place {
                (current.parent, current.name) = (parent.clone(), name.clone());
            }
        }
        current
    }

    /// Whether `etag` is the version `planned`, or what our own calls made of that.
    pub(super) fn is_version(&self, id: &ItemId, planned: &Etag, etag: &Etag) -> bool {
        planned == etag || self.versions.get(id).is_some_and(|own| own.was == *planned && own.now == *etag)
    }

    /// Whether a listing shows an item as it was before our own calls changed it, though it may hang elsewhere since.
    pub(super) fn has_changed_since(&self, listed: &RemoteItem) -> bool {
        let etag = &listed.entry.etag;
        self.versions.get(&listed.entry.id).is_some_and(|own| own.was == *etag && own.now != *etag)
    }

    /// The item here as planned, with the stamp that our own moves gave it. That is from a moment ago: where a file system keeps times in steps of
    /// two seconds whoever edits it right after leaves the stamp as it is.
    pub(super) fn local(&self, planned: &LocalSeen) -> LocalSeen {
        let mut current = planned.clone();
        if let Some((before, after)) = self.stamps.get(&planned.path)
            && *before == planned.stamp
        {
            (current.stamp, current.racy) = (*after, true);
        }
        current
    }

    /// The folder on iCloud that an operation names.
    ///
    /// # Errors
    ///
    /// [`StepFailure::Replan`] while the operation that makes it has not done so.
    pub(super) fn parent(&self, parent: &Parent) -> Result<ItemId, StepFailure> {
        match parent {
            Parent::Known(id) => Ok(id.clone()),
            Parent::Made(index) => {
                let made = self.made.get(index).cloned();
                made.ok_or_else(|| StepFailure::replan("its folder is not made yet"))
            }
        }
    }

    /// Whether an operation of this pass made that folder.
    pub(super) fn is_made(&self, folder: &ItemId) -> bool {
        self.made.values().any(|made| made == folder)
    }

    /// Whether a folder on iCloud was seen outside the trash a moment before `now`, in seconds that the state has lived through.
    pub(super) fn is_alive(&self, folder: &ItemId, now: i64) -> bool {
        self.seen_alive.get(folder).is_some_and(|seen| now.saturating_sub(*seen) < FRESH_SECONDS)
    }

    /// What went into which folders on iCloud since they were last seen outside the trash.
    pub(super) fn added_to(&self) -> &BTreeMap<ItemId, Vec<ItemId>> {
        &self.added_to
    }

    /// The intent of an item that bears a temporary name.
    pub(super) fn temporary(&self, id: &ItemId) -> Option<u64> {
        self.temporary.get(id).copied()
    }

    /// Whether the deletion of that item here is noted.
    pub(super) fn is_announced(&self, id: &ItemId) -> bool {
        self.announced.contains(id)
    }

    /// The intents that note deletions here.
    pub(super) fn announcements(&self) -> &[u64] {
        &self.announcements
    }

    /// The intent that notes the commit of that content by that operation.
    pub(super) fn announced_upload(&self, operation: usize, document: &str) -> Option<u64> {
        self.uploads.get(&operation).filter(|(noted, _)| **noted == *document).map(|(_, intent)| *intent)
    }

    /// The intent that notes the commit of that operation's content, whatever that is.
    pub(super) fn upload_intent(&self, operation: usize) -> Option<u64> {
        self.uploads.get(&operation).map(|(_, intent)| *intent)
    }

    /// The version that the answer to that operation's commit in place told, where no look has shown it yet.
    pub(super) fn confirmed(&self, operation: usize) -> Option<&Etag> {
        self.left_open.get(&operation).and_then(Option::as_ref)
    }

    /// Whether an upload that this intent notes is not over, or nobody knows what came of it.
    pub(super) fn has_open_uploads(&self, intent: u64) -> bool {
        self.unsettled.contains(&intent) || self.uploads.values().any(|(_, noted)| *noted == intent)
    }

    /// All intents that note uploads which have not come to their end, and did nothing that nobody knows of.
    pub(super) fn uploads_without_effect(&self) -> BTreeSet<u64> {
        let is_open = |operation: &usize| self.left_open.contains_key(operation);
        let open = self.uploads.iter().filter(|(operation, _)| is_open(operation));
        let open: BTreeSet<_> = open.map(|(_, (_, intent))| *intent).collect();
        let noted = self.uploads.values().map(|(_, intent)| *intent);
        noted.filter(|intent| !open.contains(intent) && !self.unsettled.contains(intent)).collect()
    }

    /// Whether that operation left something at a temporary name, or came of one that did.
    pub(super) fn is_unfinished(&self, operation: usize) -> bool {
        self.unfinished.contains(&operation)
    }

    /// Folders in iCloud's trash that are to be deleted for good.
    pub(super) fn doomed(&self) -> &[Doomed] {
        &self.doomed
    }

    /// Whether any operation did.
    pub(super) fn has_unfinished(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// Remembers what was done, as far as later operations of this pass need it.
    pub(super) fn learn(&mut self, done: &Done) {
        match done {
            Done::MovedLocal { local, to, after, .. } => self.moved_local(local, to, after),
            Done::CrossedWithin(items) => {
                for Crossed { to, before, after, .. } in items {
                    // What comes after it in the plan names the stamp that it had before all of its moves.
                    let earlier = self.stamps.get(to).filter(|(_, now)| now == before);
                    let planned = earlier.map_or(*before, |(planned, _)| *planned);
                    self.stamps.insert(to.clone(), (planned, *after));
                }
            }
            Done::ChangedRemote { before, after } => self.changed_remote(before.clone(), after),
            Done::MovedRemote { remote, temporary, .. } => match temporary {
                Some(intent) => drop(self.temporary.insert(remote.id.clone(), *intent)),
                None => drop(self.temporary.remove(&remote.id)),
            },
            Done::MadeRemoteFolder { operation, remote, at, .. } => {
                self.seen_alive.insert(remote.id.clone(), *at);
                self.made.insert(*operation, remote.id.clone());
            }
            Done::SeenAlive { folders, at } => {
                for folder in folders {
                    self.added_to.remove(folder);
                    self.seen_alive.insert(folder.clone(), *at);
                }
            }
            Done::AddedTo { folder, id } => {
                self.added_to.entry(folder.clone()).or_default().push(id.clone());
            }
            Done::Unparked(id) => drop(self.temporary.remove(id)),
            Done::Announced { ids, intent } => {
                self.announced.extend(ids.iter().cloned());
                self.announcements.push(*intent);
            }
            Done::AnnouncedUploads { documents, intent } => {
                let noted =
                    documents.iter().map(|(operation, document)| (*operation, (document.clone(), *intent)));
                self.uploads.extend(noted);
            }
            Done::Answered { commits, is_refused, at } => self.window.learn(*commits, *is_refused, *at),
            Done::LeftOpen { operation, etag } => self.left_open(*operation, etag.as_ref()),
            Done::UploadOver { operation, is_known } => {
                let noted = self.uploads.remove(operation).map(|(_, intent)| intent);
                let is_open = self.left_open.remove(operation).is_some() && !is_known;
                self.unsettled.extend(noted.filter(|_| is_open));
            }
            Done::LeftUnfinished { operation } => drop(self.unfinished.insert(*operation)),
            Done::Doomed(doomed) => self.doomed.push(doomed.clone()),
            // What only the base learns.
            Done::Agreed { .. }
            | Done::Forgotten(_)
            | Done::Lost(_)
            | Done::PresenceSet { .. }
            | Done::MadeLocalFolder { .. }
            | Done::Uploaded { .. }
            | Done::Sent { .. }
            | Done::Overwrote
            | Done::Calibrated(_)
            | Done::InPlaceRefused
            | Done::CameBack { .. }
            | Done::Found { .. }
            | Done::Installed { .. }
            | Done::TookOver { .. }
            | Done::Fetched { .. }
            | Done::ConflictSettled { .. }
            | Done::KeptBeside { .. }
            | Done::NotLocalOnly(_)
            | Done::TrashedLocal { .. }
            | Done::Trashed { .. }
            | Done::DeletedRemote
            | Done::NoteOver(_)
            | Done::MayComeLate(_)
            | Done::Settled(_) => {}
        }
    }

    /// What one answer told stays known where a later one tells nothing.
    fn left_open(&mut self, operation: usize, etag: Option<&Etag>) {
        let told = self.left_open.entry(operation).or_default();
        *told = etag.cloned().or_else(|| told.take());
    }

    fn moved_local(&mut self, local: &LocalSeen, to: &RelPath, after: &LocalEntry) {
        let (from, before) = (&local.path, local.stamp);
        let is_folder = after.kind == LocalKind::Folder;
        if is_folder {
            let known = std::mem::take(&mut self.stamps);
            self.stamps = known.into_iter().map(|(path, stamps)| (moved(&path, from, to), stamps)).collect();
        }
        // What comes after it in the plan names the stamp that it had before all of its moves.
        let earlier = self.stamps.remove(if is_folder { to } else { from });
        let planned = earlier.filter(|(_, now)| *now == before).map_or(before, |(planned, _)| planned);
        self.stamps.insert(to.clone(), (planned, after.stamp));
    }

    fn changed_remote(&mut self, before: Etag, after: &RemoteItem) {
        let place = match &after.parent {
            RemoteParent::Folder(parent) => Some((parent.clone(), after.entry.name.clone())),
            RemoteParent::Trash | RemoteParent::Untold => None,
        };
        let now = after.entry.etag.clone();
        let fresh = || Version { was: before, now: now.clone(), place: None };
        let own = self.versions.entry(after.entry.id.clone()).or_insert_with(fresh);
        own.now = now;
        own.place = place.or_else(|| own.place.take());
    }
}

/// Where `path` is once the folder `from` has become `to`.
pub(super) fn moved(path: &RelPath, from: &RelPath, to: &RelPath) -> RelPath {
    if !path.is_within(from) {
        return path.clone();
    }
    let rest = path.as_str().get(from.as_str().len()..).unwrap_or("");
    RelPath::parse(&format!("{}{rest}", to.as_str())).unwrap_or_else(|_| path.clone())
}

#[cfg(test)]
mod tests;
