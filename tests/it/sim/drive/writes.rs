//! What changes the drive, by the service's rules (`docs/protocol.md` §10, §12).

use icloudds::engine::ports::{Commit, ItemVersion, RemoteError, RemoteItem};
use icloudds::model::{ItemId, Side};

use super::items::{bad_name, children, stored, subtree};
use super::switches::{CommitTwice, PutBack, QuotaAt, Taken, Times};
use super::{Detail, Drive, Item, Kind, Looked, Place};
use crate::sim::journal::{Bytes, Journal};

/// A replacement in place comes so soon after the look before it, in nanoseconds, also where the answer to that was long under way or
/// the process stood still; who waits of its own accord in between looks again.
const LONGEST_WINDOW: i64 = 5_000_000_000;

/// When a call was made, in nanoseconds since 1970, and how often the program had waited before.
#[derive(Clone, Copy)]
pub(super) struct Called {
    pub(super) at: i64,
    pub(super) pauses: u64,
}

type Answer = Result<RemoteItem, RemoteError>;

impl Drive {
    /// A new item in `folder`, with the ripple that it causes.
    pub(super) fn add(
        &mut self,
        at: i64,
        id: &ItemId,
        folder: &ItemId,
        name: String,
        kind: Kind,
        body: Bytes,
    ) {
        let content = self.items.tick();
        let item = Item {
            place: Place::Folder(folder.clone()),
            name,
            kind,
            meta: content,
            content,
            body,
            mtime: at.div_euclid(1_000_000_000),
            deep: content,
        };
        self.items.set(at, id, Some(item));
        self.items.ripple(at, folder, &self.switches);
        self.items.touch(at, id);
    }

    /// New content for a file.
    pub(super) fn put_content(&mut self, at: i64, id: &ItemId, body: Bytes, mtime: i64) {
        let content = self.items.tick();
        self.items.update(at, id, |item| {
            item.content = content;
            item.body = body;
            item.mtime = mtime;
        });
        if let Some(Place::Folder(folder)) = self.items.get(id).map(|item| item.place.clone()) {
            self.items.ripple(at, &folder, &self.switches);
        }
        self.items.touch(at, id);
    }

    /// Takes an item and all below it out for good.
    pub(super) fn erase(&mut self, at: i64, id: &ItemId) {
        for id in subtree(self.items.now(), id) {
            self.items.set(at, &id, None);
        }
    }

    /// Notes what has just come to an item, where that lies in the trash.
    pub(super) fn tell_what_is_trashed(&self, id: &ItemId, journal: &Journal) {
        if !self.items.is_live(id) {
            let all = subtree(self.items.now(), id);
            let items = all.iter().filter_map(|id| self.items.get(id));
            items.filter(|item| !item.is_folder()).for_each(|item| journal.went_into_trash(&item.body));
        }
    }

    /// Moves an item to another place, with the ripple at both ends.
    pub(super) fn hang(&mut self, at: i64, id: &ItemId, place: Place, name: String) {
        let before = self.items.get(id).map(|item| item.place.clone());
        self.items.touch(at, id);
        self.items.update(at, id, |item| {
            item.place = place.clone();
            item.name = name;
        });
        for end in [before, Some(place)].into_iter().flatten() {
            if let Place::Folder(folder) = end {
                self.items.ripple(at, &folder, &self.switches);
            }
        }
    }

    /// The item that a call names, if its etag still fits where that counts.
    fn guarded(&self, version: &ItemVersion, guard: bool) -> Result<&Item, RemoteError> {
        let item = self.items.get(&version.id).ok_or(RemoteError::Gone)?;
        if guard && item.etag() != version.etag { Err(RemoteError::Stale) } else { Ok(item) }
    }

    fn folder(&self, id: &ItemId) -> Result<(), RemoteError> {
        let folder = self.items.get(id).ok_or(RemoteError::Gone)?;
        if !folder.is_folder() {
            return Err(RemoteError::Refused("the destination is no folder".into()));
        }
        let open = self.items.is_live(id) || self.switches.into_trashed;
        if open { Ok(()) } else { Err(RemoteError::Gone) }
    }

    fn check_name(&self, name: &str) -> Result<(), RemoteError> {
        bad_name(name, &self.switches).map_or(Ok(()), |why| Err(RemoteError::Refused(why)))
    }

    pub(super) fn create_folder(&mut self, at: i64, parent: &ItemId, name: &str) -> Answer {
        self.folder(parent)?;
        self.check_name(name)?;
        if let Some(holder) = self.items.holder(parent, name, None, &self.switches) {
            match self.switches.taken {
                Taken::Error => return Err(RemoteError::NameTaken),
                Taken::Existing if self.items.get(&holder).is_some_and(Item::is_folder) => {
                    return self.shown(&holder, Detail::Listed);
                }
                Taken::Existing | Taken::Rename => {}
            }
        }
        let name = self.items.free_name(parent, name, true, None, &self.switches);
        let id = ItemId::new(parent.zone().clone(), &self.items.fresh_doc());
        let name = stored(&name, &self.switches);
        self.add(at, &id, parent, name, Kind::Folder, Bytes::from([]));
        self.shown(&id, Detail::Listed)
    }

    /// The name that an item gets in `folder`, by the rule for taken names.
    fn name_for(&self, id: &ItemId, folder: &ItemId, name: &str) -> Result<String, RemoteError> {
        let taken = self.items.holder(folder, name, Some(id), &self.switches).is_some();
        if taken && self.switches.taken == Taken::Error {
            return Err(RemoteError::NameTaken);
        }
        let is_folder = self.items.get(id).is_some_and(Item::is_folder);
        let free = self.items.free_name(folder, name, is_folder, Some(id), &self.switches);
        Ok(stored(&free, &self.switches))
    }

    pub(super) fn rename(&mut self, at: i64, version: &ItemVersion, name: &str) -> Answer {
        let item = self.guarded(version, self.switches.cas_rename)?;
        if matches!(item.kind, Kind::Library | Kind::Shared) || item.place == Place::Nowhere {
            return Err(RemoteError::Refused("this cannot be renamed".into()));
        }
        self.check_name(name)?;
        let name = match item.place.clone() {
            Place::Folder(folder) => self.name_for(&version.id, &folder, name)?,
            _ => stored(name, &self.switches),
        };
        self.items.touch(at, &version.id);
        self.items.update(at, &version.id, |item| item.name = name);
        self.items.ripple_name(at, &version.id, &self.switches);
        self.shown(&version.id, Detail::Listed)
    }

    pub(super) fn move_one(&mut self, at: i64, folder: &ItemId, version: &ItemVersion) -> Answer {
        self.folder(folder)?;
        let item = self.guarded(version, self.switches.cas_move)?;
        let movable = !matches!(item.kind, Kind::Library | Kind::Shared) && item.place != Place::Nowhere;
        if !movable || folder.zone() != version.id.zone() || self.items.is_within(folder, &version.id) {
            return Err(RemoteError::Refused("it cannot move there".into()));
        }
        let name = item.name.clone();
        let name = self.name_for(&version.id, folder, &name)?;
        self.hang(at, &version.id, Place::Folder(folder.clone()), name);
        self.shown(&version.id, Detail::Listed)
    }

    pub(super) fn trash(&mut self, at: i64, version: &ItemVersion) -> Answer {
        let item = self.guarded(version, true)?;
        if matches!(item.kind, Kind::Library | Kind::Shared) {
            return Err(RemoteError::Refused("this cannot be trashed".into()));
        }
        let (name, deep) = (item.name.clone(), item.deep);
        let seen = self.shown.get(&version.id).copied().unwrap_or(0);
        if self.switches.cas_subtree && item.is_folder() && deep > seen {
            return Err(RemoteError::Stale);
        }
        match item.place.clone() {
            Place::Nowhere => return Err(RemoteError::Refused("the root stays".into())),
            Place::Folder(folder) => {
                let name = self.name_in_trash(name, item.is_folder());
                self.hang(at, &version.id, Place::Trash(folder), name);
            }
            Place::Trash(_) => {}
        }
        self.shown(&version.id, Detail::Listed)
    }

    /// The name in the trash, which holds each name once.
    fn name_in_trash(&self, name: String, is_folder: bool) -> String {
        if self.switches.put_back != PutBack::NumberedInTrash {
            return name;
        }
        let map = self.items.now();
        let is_taken =
            |name: &str| map.values().any(|item| matches!(item.place, Place::Trash(_)) && item.name == name);
        let (stem, extension) = match is_folder && !self.switches.folder_ext {
            true => (name.as_str(), None),
            false => icloudds::model::name::split_extension(&name),
        };
        let numbered = (2..).map(|number| match extension {
            Some(extension) => format!("{stem} {number}.{extension}"),
            None => format!("{stem} {number}"),
        });
        std::iter::once(name.clone())
            .chain(numbered)
            .find(|name| !is_taken(name))
            .expect("some number is free")
    }

    pub(super) fn delete(&mut self, at: i64, version: &ItemVersion) -> Result<(), RemoteError> {
        self.guarded(version, self.switches.cas_delete)?;
        self.erase(at, &version.id);
        Ok(())
    }

    pub(super) fn put_back(&mut self, at: i64, version: &ItemVersion) -> Answer {
        let item = self.guarded(version, false)?;
        let Place::Trash(from) = item.place.clone() else {
            return Err(RemoteError::Refused("it is not in the trash".into()));
        };
        let folder = if self.items.is_live(&from) { from } else { ItemId::drive_root() };
        let way = self.switches.put_back;
        let mut name = item.name.clone();
        if matches!(way, PutBack::NewName | PutBack::Both) {
            let (stem, extension) = icloudds::model::name::split_extension(&name);
            name = extension.map_or(format!("{stem} back"), |extension| format!("{stem} back.{extension}"));
        }
        let name = self.name_for(&version.id, &folder, &name)?;
        let id = if matches!(way, PutBack::NewId | PutBack::Both) {
            self.reborn(at, &version.id)
        } else {
            version.id.clone()
        };
        self.hang(at, &id, Place::Folder(folder), name);
        if way == PutBack::Silent {
            return Err(RemoteError::Uncertain("the answer names no item".into()));
        }
        self.shown(&id, Detail::Listed)
    }

    /// The same item under a new id; what is below it follows.
    fn reborn(&mut self, at: i64, old: &ItemId) -> ItemId {
        let new = ItemId::new(old.zone().clone(), &self.items.fresh_doc());
        let item = self.items.get(old).cloned();
        self.items.set(at, &new, item);
        for child in children(self.items.now(), old) {
            self.items.update(at, &child, |item| item.place = Place::Folder(new.clone()));
        }
        self.items.set(at, old, None);
        new
    }

    pub(super) fn commit(
        &mut self,
        at: i64,
        called: Called,
        commit: &Commit<'_>,
        journal: &Journal,
    ) -> Answer {
        let parcel = self.staged.get(&commit.staged.document);
        let Some(parcel) = parcel.filter(|p| at < p.at + self.switches.slot_life * 1_000_000_000) else {
            return Err(RemoteError::Damaged("the staged content has expired".into()));
        };
        if parcel.zone != *commit.parent.zone() {
            return Err(RemoteError::Refused("VALIDATING_REFERENCE_ERROR".into()));
        }
        let (body, repeated) = (parcel.body.clone(), parcel.committed);
        self.folder(commit.parent)?;
        self.check_name(commit.name)?;
        if self.switches.quota_at == QuotaAt::Commit {
            self.check_quota(body.len() as u64)?;
        }
        let mtime = match self.switches.times {
            Times::Keep => commit.mtime.0,
            Times::Ceil => commit.mtime.0 + 1,
            Times::Now => at.div_euclid(1_000_000_000),
        };
        let own = ItemId::new(commit.parent.zone().clone(), &commit.staged.document);
        let id = match commit.replaces {
            Some(old) if self.switches.in_place => {
                let item = self.items.get(old).ok_or(RemoteError::Gone)?;
                let (content, overwritten) = (item.content, item.body.clone());
                // The one documented exception to P1: edited between the last look and this call, which follows at once.
                let calls = self.mutations.get(&self.caller).copied().unwrap_or(0);
                let seen = self.looked.get(&(self.caller, old.clone()));
                let is_right_before = |look: &&Looked| {
                    let is_soon = called.at - look.at < LONGEST_WINDOW;
                    look.mutations + 1 == calls && look.pauses == called.pauses && is_soon
                };
                if seen.filter(is_right_before).is_some_and(|look| look.content != content) {
                    journal.excuse(&overwritten, "overwritten within the window of an in-place replacement");
                }
                self.put_content(at, old, body, mtime);
                old.clone()
            }
            _ if repeated && self.items.get(&own).is_some() => match self.switches.commit_twice {
                CommitTwice::Same => return self.shown(&own, Detail::Document),
                CommitTwice::Taken => return Err(RemoteError::NameTaken),
                CommitTwice::Duplicate => self.new_file(at, commit, None, body, mtime),
            },
            Some(_) => self.new_file(at, commit, Some(own), body, mtime),
            None if self.items.holder(commit.parent, commit.name, None, &self.switches).is_some() => {
                return Err(RemoteError::NameTaken);
            }
            None => self.new_file(at, commit, Some(own), body, mtime),
        };
        if let Some(parcel) = self.staged.get_mut(&commit.staged.document) {
            parcel.committed = true;
        }
        self.shown(&id, Detail::Document)
    }

    fn new_file(
        &mut self,
        at: i64,
        commit: &Commit<'_>,
        id: Option<ItemId>,
        body: Bytes,
        mtime: i64,
    ) -> ItemId {
        let fresh = self.items.fresh_doc();
        let id = id.unwrap_or_else(|| ItemId::new(commit.parent.zone().clone(), &fresh));
        let name = self.items.free_name(commit.parent, commit.name, false, None, &self.switches);
        self.add(at, &id, commit.parent, stored(&name, &self.switches), Kind::File, body);
        self.items.update(at, &id, |item| item.mtime = mtime);
        id
    }

    pub(super) fn check_quota(&self, size: u64) -> Result<(), RemoteError> {
        match self.switches.quota {
            Some(quota) if self.used() + size > quota => Err(RemoteError::Quota("Quota exceeded".into())),
            _ => Ok(()),
        }
    }

    /// A person gives up all contents of an item and what is below it, as the drive shows them.
    pub(super) fn give_up(&self, id: &ItemId, journal: &Journal) {
        for id in subtree(self.items.now(), id) {
            if let Some(item) = self.items.get(&id).filter(|item| item.is_file()) {
                journal.gave_up(Side::Remote, &item.body);
            }
        }
    }
}
