//! What a person does on another device: visible in the drive at once.
//!
//! Each returns `false` or `None` when the drive, as it is, does not let the person do it.

use icloudds::model::{ItemId, Side, Zone, name};

use super::items::{children, library_id, stored, subtree};
use super::{Bytes, Drive, Kind, Place, SimDrive};

impl Drive {
    /// The item at `path` below `top`, names compared by NFC; ` #2` is not understood.
    fn find(&self, top: &ItemId, path: &str) -> Option<ItemId> {
        path.split('/').filter(|part| !part.is_empty()).try_fold(top.clone(), |folder, part| {
            let map = self.items.now();
            children(map, &folder).into_iter().find(|id| name::same(&map[id].name, part))
        })
    }
}

impl SimDrive {
    /// The item at `path`. `zone:path` is a path in an app library.
    pub fn find(&self, path: &str) -> Option<ItemId> {
        let drive = self.held();
        match path.split_once(':') {
            Some((zone, path)) if drive.items.get(&library_id(zone)).is_some() => {
                drive.find(&library_id(zone), path)
            }
            _ => drive.find(&ItemId::drive_root(), path),
        }
    }

    fn add(&self, path: &str, kind: Kind, body: &[u8]) -> Option<ItemId> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (folder, name) = match name.split_once(':') {
            Some((zone, name)) => (self.find(&format!("{zone}:"))?, name),
            None => (self.find(folder)?, name),
        };
        self.add_in(&folder, name, kind, body)
    }

    /// A new file in that folder.
    pub fn create_in(&self, folder: &ItemId, name: &str, body: &[u8]) -> Option<ItemId> {
        self.add_in(folder, name, Kind::File, body)
    }

    fn add_in(&self, folder: &ItemId, name: &str, kind: Kind, body: &[u8]) -> Option<ItemId> {
        let at = self.now();
        let mut drive = self.held();
        if !drive.items.get(folder)?.is_folder() {
            return None;
        }
        let body = Bytes::from(body);
        let id = ItemId::new(folder.zone().clone(), &drive.items.fresh_doc());
        let name = drive.items.free_name(folder, name, kind == Kind::Folder, None, &drive.switches);
        let name = stored(&name, &drive.switches);
        drive.add(at, &id, folder, name, kind, body.clone());
        if kind == Kind::File || kind == Kind::Package {
            self.journal.wrote(Side::Remote, &body);
        }
        Some(id)
    }

    /// A new file; a taken name gets ` 2`.
    pub fn create(&self, path: &str, body: &[u8]) -> Option<ItemId> {
        self.add(path, Kind::File, body)
    }

    /// A new folder; a taken name gets ` 2`.
    pub fn mkdir(&self, path: &str) -> Option<ItemId> {
        self.add(path, Kind::Folder, &[])
    }

    /// A new package, whose zip is that.
    pub fn package(&self, path: &str, content: &[u8]) -> Option<ItemId> {
        self.add(path, Kind::Package, &[b"PK\x03\x04", content].concat())
    }

    /// A second item under a name that exists already.
    pub fn twin(&self, path: &str, body: &[u8]) -> Option<ItemId> {
        let id = self.create(path, body)?;
        let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
        let at = self.now();
        let mut drive = self.held();
        let name = stored(name, &drive.switches);
        drive.items.update(at, &id, |item| item.name = name);
        let switches = drive.switches.clone();
        drive.items.ripple_name(at, &id, &switches);
        Some(id)
    }

    /// A name as it may come from elsewhere, whatever it holds: `..`, a slash.
    pub fn name_rawly(&self, id: &ItemId, name: &str) {
        let at = self.now();
        let mut drive = self.held();
        drive.items.touch(at, id);
        drive.items.update(at, id, |item| item.name = name.to_owned());
        let switches = drive.switches.clone();
        drive.items.ripple_name(at, id, &switches);
    }

    /// An app library with that zone, shown under that name at the top.
    pub fn add_library(&self, zone: &str, name: &str) -> ItemId {
        let at = self.now();
        let id = library_id(zone);
        let mut drive = self.held();
        drive.add(at, &id, &ItemId::drive_root(), name.to_owned(), Kind::Library, Bytes::from([]));
        id
    }

    /// Something is shared to the account, at the top.
    pub fn share_to_me(&self, name: &str) -> ItemId {
        let at = self.now();
        let mut drive = self.held();
        let id = ItemId::new(Zone::CloudDocs, &drive.items.fresh_doc());
        drive.add(at, &id, &ItemId::drive_root(), name.to_owned(), Kind::Shared, Bytes::from([]));
        id
    }

    /// New content for a file.
    pub fn edit(&self, path: &str, body: &[u8]) -> bool {
        let Some(id) = self.find(path) else { return false };
        self.edit_id(&id, body)
    }

    /// New content for a file.
    pub fn edit_id(&self, id: &ItemId, body: &[u8]) -> bool {
        self.edit_dated(id, body, self.now().div_euclid(1_000_000_000))
    }

    /// New content for a file with that time, as who copies one over it and keeps times brings it.
    pub fn edit_dated(&self, id: &ItemId, body: &[u8], mtime: i64) -> bool {
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(id).filter(|item| item.is_file()).cloned() else { return false };
        let body: Bytes = match item.kind {
            Kind::Package => [b"PK\x03\x04", body].concat().into(),
            _ => body.into(),
        };
        if item.body != body {
            self.journal.gave_up(Side::Remote, &item.body);
            self.journal.wrote(Side::Remote, &body);
        }
        drive.put_content(at, id, body, mtime);
        true
    }

    /// A package becomes a plain file of that content.
    pub fn flatten(&self, id: &ItemId, body: &[u8]) -> bool {
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(id).filter(|item| item.kind == Kind::Package).cloned() else {
            return false;
        };
        let body = Bytes::from(body);
        self.journal.gave_up(Side::Remote, &item.body);
        self.journal.wrote(Side::Remote, &body);
        drive.items.update(at, id, |item| item.kind = Kind::File);
        drive.put_content(at, id, body, at.div_euclid(1_000_000_000));
        true
    }

    /// A change of metadata alone: a tag, an opening. Only the first half of the etag changes.
    pub fn touch(&self, path: &str) -> bool {
        let Some(id) = self.find(path) else { return false };
        let at = self.now();
        self.held().items.touch(at, &id);
        true
    }

    /// Another name in the same folder; a taken one gets ` 2`.
    pub fn person_rename(&self, path: &str, new: &str) -> bool {
        let Some(id) = self.find(path) else { return false };
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(&id).cloned() else { return false };
        let Place::Folder(folder) = &item.place else { return false };
        let name = drive.items.free_name(folder, new, item.is_folder(), Some(&id), &drive.switches);
        let name = stored(&name, &drive.switches);
        drive.items.touch(at, &id);
        drive.items.update(at, &id, |item| item.name = name);
        let switches = drive.switches.clone();
        drive.items.ripple_name(at, &id, &switches);
        true
    }

    /// Into another folder of the same zone; a taken name gets ` 2`.
    pub fn move_to(&self, path: &str, folder: &str) -> bool {
        let (Some(id), Some(folder)) = (self.find(path), self.find(folder)) else { return false };
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(&id).cloned() else { return false };
        let fits = drive.items.get(&folder).is_some_and(super::Item::is_folder)
            && matches!(item.place, Place::Folder(_))
            && item.kind != Kind::Library
            && id.zone() == folder.zone()
            && !drive.items.is_within(&folder, &id);
        if fits {
            let name =
                drive.items.free_name(&folder, &item.name, item.is_folder(), Some(&id), &drive.switches);
            drive.hang(at, &id, Place::Folder(folder), name);
        }
        fits
    }

    /// To Recently Deleted.
    pub fn person_trash(&self, path: &str) -> bool {
        let Some(id) = self.find(path) else { return false };
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(&id).cloned() else { return false };
        let Place::Folder(folder) = item.place else { return false };
        drive.give_up(&id, &self.journal);
        drive.hang(at, &id, Place::Trash(folder), item.name);
        true
    }

    /// Deletes for good, from its place or from the trash.
    pub fn delete_for_good(&self, id: &ItemId) -> bool {
        let at = self.now();
        let mut drive = self.held();
        if drive.items.get(id).is_none_or(|item| item.place == Place::Nowhere) {
            return false;
        }
        drive.give_up(id, &self.journal);
        drive.erase(at, id);
        true
    }

    /// What is at the top of the trash.
    pub fn trashed(&self) -> Vec<ItemId> {
        let drive = self.held();
        let all = drive.items.now().iter();
        all.filter(|(_, item)| matches!(item.place, Place::Trash(_))).map(|(id, _)| id.clone()).collect()
    }

    /// Brings something back from the trash: its contents matter again.
    pub fn person_put_back(&self, id: &ItemId) -> bool {
        let at = self.now();
        let mut drive = self.held();
        let Some(item) = drive.items.get(id).cloned() else { return false };
        let Place::Trash(from) = item.place else { return false };
        let folder = if drive.items.is_live(&from) { from } else { ItemId::drive_root() };
        let name =
            drive.items.free_name(&folder, &item.name, item.kind == Kind::Folder, None, &drive.switches);
        drive.hang(at, id, Place::Folder(folder), name);
        for id in subtree(drive.items.now(), id) {
            if let Some(item) = drive.items.get(&id).filter(|item| item.is_file()) {
                self.journal.wrote(Side::Remote, &item.body);
            }
        }
        true
    }
}
