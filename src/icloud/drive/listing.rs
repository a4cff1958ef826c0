//! Listing folders and the trash (`docs/protocol.md` §8.1, §9), the cheap check for changes, and
//! finding `sync.remote_root`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client::{CallKind, Failure, LISTING_KIND};
use super::feed::{self, FeedFault, FeedLook, ZoneLook, ZoneQuestion};
use super::parallel::in_parallel;
use super::slow::SlowListing;
use super::{ICloudDrive, LISTING, drivews, learn};
use crate::engine::ports::{Listing, RemoteError, RemoteItem, RemoteParent};
use crate::icloud::classify::{Class, classify_result};
use crate::icloud::request::Request;
use crate::icloud::wire::{Item, TRASH, drivewsid, read_entries};
use crate::icloud::wire_send;
use crate::model::name::{key, nfc, same};
use crate::model::{AccountProblem, Etag, FolderState, ItemId, RemoteKind};

const PATH: &str = "/retrieveItemDetailsInFolders";
/// The first and the longest wait while Apple prepares the Drive of an account.
const FIRST_USE_WAITS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));
const PREPARING: &str =
    "iCloud is preparing this account's Drive; this usually takes 5 to 10 minutes; try again later";

/// What one cheap request tells of the drive: equal pulses suggest, but never prove, that nothing
/// changed (`docs/protocol.md` §8.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The root's etag.
    pub root_etag: Etag,
    /// Files in the drive, the trash included, as the service counts them.
    pub file_count: Option<u64>,
    /// The root's children and their etags, by id.
    pub root_items: Vec<(ItemId, Etag)>,
}

/// As [`Pulse`], of the trash: its top-level entries and their etags, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrashPulse(pub Vec<(ItemId, Etag)>);

impl ICloudDrive {
    /// One request for the root, a small answer (`docs/sync.md` §7). While the service is away this is the one
    /// call that asks it again.
    ///
    /// # Errors
    ///
    /// As every read.
    pub fn check(&self) -> Result<Pulse, RemoteError> {
        self.client.try_again();
        let root = self.list_alone(&ItemId::drive_root(), true)?;
        Ok(Pulse {
            root_etag: root.folder.etag.clone(),
            file_count: root.file_count,
            root_items: marks(root),
        })
    }

    /// Asks the change feed what changed since `token`: a hint, and one small request in place of the others.
    ///
    /// # Errors
    ///
    /// [`FeedFault`], from which nothing follows for the drive.
    pub fn ask_feed(&self, token: Option<&str>) -> Result<FeedLook, FeedFault> {
        feed::ask(&*self.client.api, token)
    }

    /// Asks the change feed which items of a zone changed: a hint as well.
    ///
    /// # Errors
    ///
    /// As [`ICloudDrive::ask_feed`].
    pub fn ask_zone(&self, question: &ZoneQuestion) -> Result<ZoneLook, FeedFault> {
        feed::ask_zone(&*self.client.api, question)
    }

    /// One request for the trash, a small answer. Nothing may wait for it: where the account is large it takes half
    /// a minute (`docs/protocol.md` §9).
    ///
    /// # Errors
    ///
    /// As every read; [`RemoteError::Busy`] without asking while [`ICloudDrive::trash_rest`] lasts.
    pub fn check_trash(&self) -> Result<TrashPulse, RemoteError> {
        Ok(TrashPulse(marks(self.list_trash_as(true, CallKind::ReadOnce)?)))
    }

    /// Finds the folder that `sync.remote_root` names, part by part; the first part may also be the
    /// shown name or the zone of an app's folder. `None` when it is not there and `create` is not set.
    ///
    /// # Errors
    ///
    /// As every read; [`RemoteError::Refused`] when a part names something else than a folder.
    pub fn resolve_root(&self, path: &str, create: bool) -> Result<Option<RemoteItem>, RemoteError> {
        let root = ItemId::drive_root();
        let mut listing = self.list_alone(&root, false)?;
        let mut at = RemoteItem { entry: listing.folder.clone(), parent: RemoteParent::Untold };
        for (depth, part) in path.split('/').filter(|part| !part.is_empty()).enumerate() {
            if depth > 0 {
                listing = self.list_alone(&at.entry.id, false)?;
            }
            let mut found = find_folder(&listing, part, depth == 0);
            if found.is_none() && listing.folder.state != FolderState::Complete {
                listing = self.list_alone(&at.entry.id, false)?;
                found = find_folder(&listing, part, depth == 0);
                if found.is_none() && listing.folder.state != FolderState::Complete {
                    let words =
                        format!("the listing in which {part:?} of {path:?} is looked for does not add up");
                    return Err(RemoteError::Damaged(words));
                }
            }
            at = match found {
                Some(item) => item,
                None if listing.items.iter().any(|item| same(&item.entry.name, part)) => {
                    let words =
                        format!("{part:?} of the remote root {path:?} is no folder that can be synced");
                    return Err(RemoteError::Refused(words));
                }
                None if !create => return Ok(None),
                None => match self.create(&at.entry.id, &[part]).pop() {
                    Some(result) => result?,
                    None => return Err(unreadable()),
                },
            };
        }
        Ok(Some(at))
    }

    /// The path of folders on iCloud that differs from `path` in case and blanks only; `None` where a part has no such folder, or where all
    /// are the very ones. Creates nothing.
    ///
    /// # Errors
    ///
    /// As every read.
    pub fn near_root(&self, path: &str) -> Result<Option<String>, RemoteError> {
        let mut at = ItemId::drive_root();
        let mut near = String::new();
        let mut differs = false;
        for (depth, part) in path.split('/').filter(|part| !part.is_empty()).enumerate() {
            let listing = self.list_alone(&at, false)?;
            let found = find_folder(&listing, part, depth == 0).or_else(|| {
                let is_folder = |kind: &RemoteKind| {
                    *kind == RemoteKind::Folder || depth == 0 && *kind == RemoteKind::AppLibrary
                };
                let mut items = listing.items.iter();
                let item =
                    items.find(|item| is_folder(&item.entry.kind) && alike(&item.entry.name) == alike(part));
                differs |= item.is_some();
                item.cloned()
            });
            let Some(found) = found else { return Ok(None) };
            near = format!("{near}/{}", nfc(&found.entry.name));
            at = found.entry.id;
        }
        Ok(Some(near).filter(|_| differs))
    }

    pub(super) fn list_folders(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        let batch = if self.lists_singly.load(Ordering::Relaxed) { 1 } else { self.options.list_batch };
        let mut results: Vec<Option<Result<Listing, RemoteError>>> = folders.iter().map(|_| None).collect();
        if batch > 1 {
            // The root may take half a minute, which would hold up whatever is asked for with it.
            let root = ItemId::drive_root();
            let together: Vec<usize> = (0..folders.len()).filter(|at| folders[*at] != root).collect();
            let batches: Vec<_> = together.chunks(batch).collect();
            let listed = in_parallel(self.options.max_workers, &batches, |batch| {
                let ids: Vec<_> = batch.iter().map(|at| folders[*at].clone()).collect();
                self.list_batch(&ids, brief)
            });
            for (at, listing) in together.iter().zip(listed.into_iter().flatten()) {
                results[*at] = listing;
            }
        }
        let open: Vec<usize> = (0..folders.len()).filter(|at| results[*at].is_none()).collect();
        let alone = in_parallel(self.options.max_workers, &open, |at| self.list_alone(&folders[*at], brief));
        for (at, result) in open.into_iter().zip(alone) {
            results[at] = Some(result);
        }
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(unreadable()))).collect()
    }

    pub(super) fn list_trash_root(&self) -> Result<Listing, RemoteError> {
        self.list_trash_as(false, CallKind::Read)
    }

    fn list_trash_as(&self, brief: bool, treat: CallKind) -> Result<Listing, RemoteError> {
        let rest = self.trash_rest();
        if !rest.is_zero() {
            let message = "listing the trash takes it long, so it is not asked again yet".to_owned();
            return Err(RemoteError::Busy { message, retry_after: Some(rest) });
        }
        let entries = self.measured(&self.trash_cost, || self.request(&[TRASH.to_owned()], brief, treat))?;
        let only = entries.len() == 1;
        let entry = entries
            .into_iter()
            .find(|entry| entry.is_trash() || (only && entry.drivewsid.is_none()))
            .ok_or_else(unreadable)?;
        refuse(&entry)?;
        entry.listing(&RemoteParent::Trash, brief).ok_or_else(unreadable)
    }

    /// Notes what a listing cost, whatever came of it.
    fn measured<T>(&self, cost: &SlowListing, listing: impl FnOnce() -> T) -> T {
        let began = self.client.clock.uptime();
        let answer = listing();
        cost.over(began, self.client.clock.uptime());
        answer
    }

    /// Lists several folders in one call; `None` for each that must be listed alone.
    fn list_batch(&self, folders: &[ItemId], brief: bool) -> Vec<Option<Result<Listing, RemoteError>>> {
        if folders.len() < 2 || self.lists_singly.load(Ordering::Relaxed) {
            return folders.iter().map(|_| None).collect();
        }
        let ids: Vec<_> = folders.iter().map(|id| drivewsid(id, true)).collect();
        let entries = match self.request(&ids, brief, CallKind::ReadOnce) {
            Ok(entries) => entries,
            Err(failure) if failure.may_blame_batch() => {
                self.learn_single(&failure);
                return folders.iter().map(|_| None).collect();
            }
            Err(failure) => {
                let error = RemoteError::from(failure);
                return folders.iter().map(|_| Some(Err(error.clone()))).collect();
            }
        };
        // By id, never by position: the order is not promised (open question 1).
        let mut by_id: HashMap<ItemId, Item> = HashMap::new();
        for entry in entries {
            if let (Some(id), None) = (entry.id(), entry.refusal()) {
                by_id.insert(id, entry);
            }
        }
        folders
            .iter()
            .map(|id| by_id.remove(id)?.listing(&RemoteParent::Folder(id.clone()), brief).map(Ok))
            .collect()
    }

    fn learn_single(&self, failure: &Failure) {
        // "No such id" blames one folder, not their number.
        // Too much in one answer is no refusal of their number.
        if failure.class().is_some_and(|class| class != Class::Gone) {
            learn(&self.lists_singly, "iCloud takes one folder per listing; listing singly from now on");
        }
    }

    pub(super) fn list_alone(&self, folder: &ItemId, brief: bool) -> Result<Listing, RemoteError> {
        let ids = [drivewsid(folder, true)];
        let is_root = *folder == ItemId::drive_root();
        let entries = if is_root && !self.client.has_answered.load(Ordering::Relaxed) {
            // Mostly it waits until the drive is prepared, which says nothing of the root.
            self.first_listing(&ids, brief)?
        } else if is_root {
            self.measured(&self.root_cost, || self.request(&ids, brief, CallKind::Read))?
        } else {
            self.request(&ids, brief, CallKind::Read)?
        };
        let only = entries.len() == 1;
        let entry = entries
            .into_iter()
            .find(|entry| match entry.id() {
                Some(id) => id == *folder,
                None => only && !entry.is_trash(),
            })
            .ok_or_else(unreadable)?;
        refuse(&entry)?;
        let listing = entry.listing(&RemoteParent::Folder(folder.clone()), brief).ok_or_else(unreadable)?;
        Ok(listing)
    }

    /// The first listing of all: a plain 400 means that Apple is still preparing the account's
    /// Drive, which takes minutes (§16.1).
    fn first_listing(&self, ids: &[String], brief: bool) -> Result<Vec<Item>, RemoteError> {
        let (mut wait, longest) = FIRST_USE_WAITS;
        let mut waited = Duration::ZERO;
        loop {
            match self.request(ids, brief, CallKind::Read) {
                Err(failure) if failure.class() == Some(Class::Spurious) => {
                    if waited + wait > self.options.first_use_patience {
                        return Err(RemoteError::Account {
                            cause: AccountProblem::Drive,
                            message: PREPARING.to_owned(),
                        });
                    }
                    log::warn!("{PREPARING}");
                    self.client.clock.pause(wait)?;
                    waited += wait;
                    wait = (wait * 2).min(longest);
                }
                other => return Ok(other?),
            }
        }
    }

    fn request(&self, ids: &[String], brief: bool, treat: CallKind) -> Result<Vec<Item>, Failure> {
        let body = wire_send::listing(ids, brief);
        let ask = Request { limits: LISTING, ..drivews(PATH, body.as_bytes(), LISTING_KIND) };
        self.client.stream(&ask, treat, |body| read_entries(body))
    }
}

/// The error of an entry that is no success.
fn refuse(entry: &Item) -> Result<(), RemoteError> {
    match entry.refusal() {
        None => Ok(()),
        Some(word) => Err(classify_result(&wire_send::status(word)).into_error(false, None)),
    }
}

/// Names that a person takes for one: without regard to case and to blanks.
fn alike(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    key(&words.join(" "), true).into()
}

/// A folder before an app's folder of the same name; a zone is named only by itself.
fn find_folder(listing: &Listing, part: &str, apps: bool) -> Option<RemoteItem> {
    let named = |kind: RemoteKind| {
        listing.items.iter().find(|item| item.entry.kind == kind && same(&item.entry.name, part))
    };
    let by_zone = || {
        listing
            .items
            .iter()
            .find(|item| item.entry.kind == RemoteKind::AppLibrary && item.entry.id.zone().as_str() == part)
    };
    let app = || named(RemoteKind::AppLibrary).or_else(by_zone);
    named(RemoteKind::Folder).or_else(|| if apps { app() } else { None }).cloned()
}

/// Ids and etags of what a listing shows, by id.
fn marks(listing: Listing) -> Vec<(ItemId, Etag)> {
    let mut marks: Vec<_> = listing.items.into_iter().map(|item| (item.entry.id, item.entry.etag)).collect();
    marks.sort_by(|a, b| a.0.cmp(&b.0));
    marks
}

fn unreadable() -> RemoteError {
    RemoteError::Damaged("a listing lacks the folder that was asked for".to_owned())
}
