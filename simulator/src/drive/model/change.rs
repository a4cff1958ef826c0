//! Changes to names and places: create, rename, move, trash, delete, put back (`docs/protocol.md §10`).

use super::content::Content;
use super::id::{Doc, ItemId};
use super::item::{Kind, Place, Trashed};
use super::journal::What;
use super::view::Listed;
use super::{Actor, Ix, Model, ROOT, Refusal, TRASH_LIFE_MS, names};
use crate::switches::{CasDelete, CasFolder, CasMove, CasRename, NameTaken, Names, Purge, Putback};

/// Which item a name ended up with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Naming {
    /// The newcomer may have this name.
    Free(String),
    /// S-name-taken says to answer with this item and do nothing.
    Existing(Ix),
}

impl Model {
    /// Makes a folder; the answer may be an existing one (S-name-taken).
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn create_folder(&mut self, parent: Ix, name: &str) -> Result<Ix, Refusal> {
        self.check_parent(parent)?;
        let name = match self.choose_name(parent, name, None, true)? {
            Naming::Free(name) => name,
            Naming::Existing(existing) => return Ok(existing),
        };
        let kind = if self.item(parent).kind.is_shared() { Kind::FolderInShared } else { Kind::Folder };
        let doc = self.new_doc();
        Ok(self.add_child(parent, doc, kind, &name))
    }

    /// Adds an app library: a zone of its own with a `documents` root below the Drive's root.
    pub fn add_library(&mut self, zone: &str, name: &str, hidden: bool) -> Ix {
        let zone = self.zone(zone);
        let id = ItemId { zone, doc: Doc::Documents };
        if let Some(known) = self.by_id.get(&id) {
            return *known;
        }
        let name = names::store(self.switches.names, name);
        let ix = self.add_item(id, Kind::Library { hidden }, &name, Place::Root);
        self.link(ROOT, ix);
        ix
    }

    /// Adds a folder that somebody else shares with the account.
    pub fn add_shared_folder(&mut self, name: &str) -> Ix {
        let doc = self.new_doc();
        let name = names::store(self.switches.names, name);
        self.add_child(ROOT, doc, Kind::SharedFolder, &name)
    }

    /// Renames an item. `etag` is checked when S-cas-rename says so; `None` is never checked.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn rename(&mut self, ix: Ix, etag: Option<&str>, name: &str) -> Result<Ix, Refusal> {
        let Place::In(parent) = self.check_live(ix)? else { return Err(Refusal::WrongPlace) };
        self.check_movable(ix)?;
        self.check_etag(ix, etag, self.switches.cas_rename == CasRename::Reject)?;
        let name = match self.choose_name(parent, name, Some(ix), self.item(ix).kind.is_folder())? {
            Naming::Free(name) => name,
            Naming::Existing(existing) => return Ok(existing),
        };
        self.remember_listing(Listed::Folder(parent));
        // The key of the child in its parent is made of its name.
        self.unlink(ix);
        self.items[ix as usize].name = name.into();
        self.link(parent, ix);
        self.bump_meta(ix);
        self.run_up_for_name(parent);
        Ok(ix)
    }

    /// Moves an item into another folder of its zone. `etag` as for [`Model::rename`], with S-cas-move.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn move_to(&mut self, ix: Ix, etag: Option<&str>, parent: Ix) -> Result<Ix, Refusal> {
        let place = self.check_live(ix)?;
        self.check_parent(parent)?;
        self.check_movable(ix)?;
        let into_itself = parent == ix || self.ancestors(parent).contains(&ix);
        if into_itself || self.item(ix).id.zone != self.item(parent).id.zone {
            return Err(Refusal::WrongPlace);
        }
        self.check_etag(ix, etag, self.switches.cas_move == CasMove::Reject)?;
        let name = self.item(ix).name.to_string();
        let name = match self.choose_name(parent, &name, Some(ix), self.item(ix).kind.is_folder())? {
            Naming::Free(name) => name,
            Naming::Existing(existing) => return Ok(existing),
        };
        self.remember_listing(Listed::Folder(parent));
        self.remember_counts(parent);
        self.take_out(ix, place);
        self.items[ix as usize].name = name.into();
        self.link(parent, ix);
        self.bump_meta(ix);
        self.run_up(parent);
        Ok(ix)
    }

    /// Moves an item to the trash; a stale etag is always rejected, `None` is never checked.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done, but a guarded folder's etag may be new (S-cas-folder).
    pub fn trash_item(&mut self, ix: Ix, etag: Option<&str>) -> Result<Ix, Refusal> {
        let place = self.check_live(ix)?;
        self.check_movable(ix)?;
        self.check_etag(ix, etag, true)?;
        if etag.is_some() && self.switches.cas_folder == CasFolder::Subtree && self.has_newer_below(ix) {
            // A new etag lets the next attempt, made with fresh eyes, pass.
            self.bump_meta(ix);
            return Err(Refusal::Stale);
        }
        let Place::In(parent) = place else { return Ok(ix) };
        let restore_path = self.path(ix);
        self.take_out(ix, place);
        if self.switches.putback == Putback::NumberedInTrash {
            self.items[ix as usize].name = self.free_in_trash(ix).into();
        }
        self.remember_listing(Listed::Trash);
        self.items[ix as usize].place = Place::Trash;
        let expires_ms = self.now_ms + TRASH_LIFE_MS;
        self.trash.insert(ix, Trashed { parent, restore_path, expires_ms });
        self.bump_meta(ix);
        Ok(ix)
    }

    /// Deletes an item for good, with everything below it. `etag` with S-cas-delete.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn delete_item(&mut self, ix: Ix, etag: Option<&str>, actor: Actor) -> Result<Ix, Refusal> {
        let place = self.check_live(ix)?;
        self.check_movable(ix)?;
        self.check_etag(ix, etag, self.switches.cas_delete == CasDelete::Reject)?;
        let mut files = self.below(ix);
        files.push(ix);
        for file in files {
            let what = self.ending(file, actor, What::Deleted, What::DeletedUnread);
            self.note(file, actor, what);
        }
        self.take_out(ix, place);
        self.items[ix as usize].place = Place::Gone;
        self.bump_meta(ix);
        Ok(ix)
    }

    /// Gives up an item of the trash by age.
    pub(super) fn purge(&mut self, ix: Ix) {
        let mut files = self.below(ix);
        files.push(ix);
        for file in files {
            self.note(file, Actor::Person, What::Expired);
        }
        self.take_out(ix, Place::Trash);
        self.items[ix as usize].place = Place::Gone;
        self.purged.insert(ix);
    }

    /// Whether look-ups answer this item: live, or purged while S-purge keeps it answering.
    pub fn answers(&self, ix: Ix) -> bool {
        self.is_live(ix) || self.is_purged_but_answers(ix)
    }

    /// Whether an item went by age and S-purge keeps look-ups answering it.
    pub(super) fn is_purged_but_answers(&self, ix: Ix) -> bool {
        self.switches.purge == Purge::StillAnswers && self.purged.contains(&self.top(ix).0)
    }

    /// Puts a top-level trashed item back where it was; the root takes it when that folder is gone.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn put_back(&mut self, ix: Ix) -> Result<Ix, Refusal> {
        self.check_live(ix)?;
        let trashed = self.trash.get(&ix).cloned().ok_or(Refusal::NoSuchItem)?;
        let parent = match self.check_parent(trashed.parent) {
            Ok(()) => trashed.parent,
            Err(_) => self.top_of_zone(ix),
        };
        let is_folder = self.item(ix).kind.is_folder();
        let mut wanted = self.item(ix).name.to_string();
        if matches!(self.switches.putback, Putback::NewName | Putback::Both) {
            wanted = names::numbered(&wanted, 2, is_folder, self.switches.folder_ext);
        }
        let name = match self.choose_name(parent, &wanted, Some(ix), is_folder)? {
            Naming::Free(name) => name,
            Naming::Existing(existing) => return Ok(existing),
        };
        self.remember_listing(Listed::Folder(parent));
        self.remember_counts(parent);
        self.take_out(ix, Place::Trash);
        self.items[ix as usize].name = name.into();
        if matches!(self.switches.putback, Putback::NewId | Putback::Both) {
            let old = self.item(ix).id;
            let id = ItemId { zone: old.zone, doc: self.new_doc() };
            self.by_id.remove(&old);
            self.by_id.insert(id, ix);
            self.items[ix as usize].id = id;
        }
        self.link(parent, ix);
        self.bump_meta(ix);
        self.run_up(parent);
        Ok(ix)
    }

    /// The name of an item, numbered until nothing in the trash has it.
    fn free_in_trash(&self, ix: Ix) -> String {
        let item = self.item(ix);
        let is_taken = |name: &str| {
            self.trash.keys().any(|other| names::same(self.switches.names, &self.item(*other).name, name))
        };
        let numbered = (2..).map(|number| {
            names::numbered(&item.name, number, item.kind.is_folder(), self.switches.folder_ext)
        });
        std::iter::once(item.name.to_string())
            .chain(numbered)
            .find(|name| !is_taken(name))
            .unwrap_or_default()
    }

    /// The top folder of an item's zone.
    fn top_of_zone(&self, ix: Ix) -> Ix {
        let zone = self.item(ix).id.zone;
        self.by_id.get(&ItemId { zone, doc: Doc::Documents }).copied().unwrap_or(ROOT)
    }

    /// Removes an item from where it is, with all that others see of that.
    fn take_out(&mut self, ix: Ix, place: Place) {
        match place {
            Place::In(parent) => {
                self.remember_listing(Listed::Folder(parent));
                self.remember_counts(parent);
                self.unlink(ix);
                self.run_up(parent);
            }
            Place::Trash => {
                self.remember_listing(Listed::Trash);
                self.remember_counts(ROOT);
                self.trash.remove(&ix);
            }
            Place::Root | Place::Gone => {}
        }
    }

    /// Adds a new item to a folder, with all that others see of that.
    pub(super) fn add_child(&mut self, parent: Ix, doc: Doc, kind: Kind, name: &str) -> Ix {
        self.add_filled(parent, doc, kind, name, None)
    }

    /// As [`Model::add_child`], with a content that is there before anything counts it.
    pub(super) fn add_filled(
        &mut self,
        parent: Ix,
        doc: Doc,
        kind: Kind,
        name: &str,
        content: Option<Content>,
    ) -> Ix {
        self.remember_listing(Listed::Folder(parent));
        self.remember_counts(parent);
        let id = ItemId { zone: self.item(parent).id.zone, doc };
        let ix = self.add_item(id, kind, name, Place::Root);
        self.items[ix as usize].content = content;
        self.link(parent, ix);
        self.run_up(parent);
        ix
    }

    /// Whether anything below a folder changed after the folder's own etag was given.
    fn has_newer_below(&self, ix: Ix) -> bool {
        let own = self.item(ix).meta_rev;
        self.below(ix).iter().any(|below| self.item(*below).meta_rev.max(self.item(*below).content_rev) > own)
    }

    /// Where an item is, unless it is gone.
    pub(super) fn check_live(&self, ix: Ix) -> Result<Place, Refusal> {
        if self.is_live(ix) { Ok(self.item(ix).place) } else { Err(Refusal::NoSuchItem) }
    }

    /// Roots of the Drive and of libraries stay where they are.
    fn check_movable(&self, ix: Ix) -> Result<(), Refusal> {
        let fixed = ix == ROOT || matches!(self.item(ix).kind, Kind::Library { .. });
        if fixed { Err(Refusal::WrongPlace) } else { Ok(()) }
    }

    /// Whether a folder can take children.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchParent`] when it is a file, deleted or in the trash.
    pub fn check_parent(&self, parent: Ix) -> Result<(), Refusal> {
        let usable = self.item(parent).folder.is_some() && self.is_live(parent) && !self.is_trashed(parent);
        if usable { Ok(()) } else { Err(Refusal::NoSuchParent) }
    }

    fn check_etag(&self, ix: Ix, etag: Option<&str>, guarded: bool) -> Result<(), Refusal> {
        match etag {
            Some(etag) if guarded && etag != self.etag(ix) => Err(Refusal::Stale),
            _ => Ok(()),
        }
    }

    /// Checks a wanted name and finds what becomes of it.
    fn choose_name(
        &self,
        parent: Ix,
        wanted: &str,
        except: Option<Ix>,
        is_folder: bool,
    ) -> Result<Naming, Refusal> {
        self.check_name(wanted)?;
        let wanted = names::store(self.switches.names, wanted);
        match (self.taken_by(parent, &wanted, except), self.switches.name_taken) {
            (None, _) => Ok(Naming::Free(wanted)),
            (Some(_), NameTaken::Error) => Err(Refusal::NameTaken),
            (Some(existing), NameTaken::ExistingReturned) => Ok(Naming::Existing(existing)),
            (Some(_), NameTaken::AutoRename) => {
                Ok(Naming::Free(self.free_name(parent, &wanted, except, is_folder)))
            }
        }
    }

    /// Whether a name is taken at all.
    ///
    /// # Errors
    ///
    /// [`Refusal::NameRefused`] when S-name-limit or S-name-bad refuse it.
    pub fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if names::is_accepted(name, self.switches.name_limit, self.switches.name_bad) {
            Ok(())
        } else {
            Err(Refusal::NameRefused)
        }
    }

    /// `wanted` in its stored form, numbered until nobody has it.
    pub(super) fn free_name(&self, parent: Ix, wanted: &str, except: Option<Ix>, is_folder: bool) -> String {
        let rule: Names = self.switches.names;
        let mut name = names::store(rule, wanted);
        let mut number = 2;
        while self.taken_by(parent, &name, except).is_some() {
            name = names::store(rule, &names::numbered(wanted, number, is_folder, self.switches.folder_ext));
            number += 1;
        }
        name
    }
}
