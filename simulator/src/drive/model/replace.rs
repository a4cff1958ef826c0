//! Contents that come in: new files, packages, and replacement in place (`docs/protocol.md §12`).

use super::content::Content;
use super::id::Doc;
use super::item::{Item, Kind, Place, Totals};
use super::journal::What;
use super::view::Listed;
use super::{Actor, Ix, Model, Refusal, names};
use crate::drive::package::Member;
use crate::switches::Mtime;

/// A file to be written.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Full name.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Content time, in milliseconds since 1970.
    pub mtime_ms: i64,
    /// Creation time, in milliseconds since 1970.
    pub btime_ms: i64,
    /// The executable flag.
    pub executable: bool,
}

impl Model {
    /// Writes a new file under the id `doc`. A taken name fails, or is numbered when `allow_conflict`.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn add_file(
        &mut self,
        parent: Ix,
        doc: Doc,
        file: NewFile,
        allow_conflict: bool,
        actor: Actor,
    ) -> Result<Ix, Refusal> {
        let name = self.name_for_new(parent, &file.name, allow_conflict)?;
        let kind = if self.item(parent).kind.is_shared() { Kind::FileInShared } else { Kind::File };
        let ix = self.add_filled(parent, doc, kind, &name, Some(file.content));
        let stored_ms = store_mtime(self.switches.mtime, file.mtime_ms, self.now_ms);
        let item = &mut self.items[ix as usize];
        item.modified_ms = stored_ms;
        item.created_ms = file.btime_ms;
        item.executable = file.executable;
        self.written(ix, actor);
        Ok(ix)
    }

    /// Writes a new package, as only devices can.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn add_package(&mut self, parent: Ix, name: &str, members: Vec<Member>) -> Result<Ix, Refusal> {
        let name = self.name_for_new(parent, name, false)?;
        let doc = self.new_doc();
        let ix = self.add_child(parent, doc, Kind::Package, &name);
        self.set_members(ix, members);
        Ok(ix)
    }

    /// Gives a package other members.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchItem`] when it is none.
    pub fn replace_package(&mut self, ix: Ix, members: Vec<Member>) -> Result<(), Refusal> {
        if self.item(ix).kind != Kind::Package || !self.is_live(ix) {
            return Err(Refusal::NoSuchItem);
        }
        self.before_content_change(ix);
        self.set_members(ix, members);
        self.after_content_change(ix);
        Ok(())
    }

    /// A flat document becomes a package under its id, as Apple's editor on the web makes of some when it opens them.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchItem`] when it is no file.
    pub fn become_package(&mut self, ix: Ix, members: Vec<Member>) -> Result<(), Refusal> {
        self.check_live(ix)?;
        if self.item(ix).content.is_none() {
            return Err(Refusal::NoSuchItem);
        }
        let what = self.ending(ix, Actor::Person, What::Replaced, What::ReplacedUnread);
        self.note(ix, Actor::Person, what);
        self.before_content_change(ix);
        let old = self.totals_of(ix);
        self.items[ix as usize].content = None;
        self.items[ix as usize].kind = Kind::Package;
        self.packages.insert(ix, members);
        self.change_totals_above(ix, old);
        self.after_content_change(ix);
        Ok(())
    }

    /// Somebody opens a file in an editor on the web and changes nothing: only the first half of its etag moves.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when it is not there.
    pub fn open(&mut self, ix: Ix) -> Result<(), Refusal> {
        self.check_live(ix)?;
        self.bump_meta(ix);
        Ok(())
    }

    /// Puts another content into an existing file, which keeps its id; the old content is not in the trash.
    /// Returns what that meant for the old content.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was done.
    pub fn replace(
        &mut self,
        ix: Ix,
        content: Content,
        mtime_ms: i64,
        actor: Actor,
    ) -> Result<What, Refusal> {
        self.check_live(ix)?;
        if self.item(ix).content.is_none() && self.package(ix).is_none() {
            return Err(Refusal::NoSuchItem);
        }
        let what = self.ending(ix, actor, What::Replaced, What::ReplacedUnread);
        self.note(ix, actor, what);
        self.before_content_change(ix);
        let old = self.totals_of(ix);
        // A plain file written over a package ends the package.
        if self.packages.remove(&ix).is_some() {
            self.items[ix as usize].kind = Kind::File;
        }
        let stored_ms = store_mtime(self.switches.mtime, mtime_ms, self.now_ms);
        let item: &mut Item = &mut self.items[ix as usize];
        item.content = Some(content);
        item.modified_ms = stored_ms;
        self.change_totals_above(ix, old);
        self.after_content_change(ix);
        self.written(ix, actor);
        Ok(what)
    }

    /// The stored name of a newcomer: a taken one is refused, or numbered when `allow_conflict`.
    fn name_for_new(&self, parent: Ix, wanted: &str, allow_conflict: bool) -> Result<String, Refusal> {
        self.check_parent(parent)?;
        self.check_name(wanted)?;
        let stored = names::store(self.switches.names, wanted);
        match self.taken_by(parent, &stored, None) {
            None => Ok(stored),
            Some(_) if allow_conflict => Ok(self.free_name(parent, wanted, None, false)),
            Some(_) => Err(Refusal::NameTaken),
        }
    }

    fn set_members(&mut self, ix: Ix, members: Vec<Member>) {
        let old =
            if self.packages.contains_key(&ix) { self.totals_of(ix) } else { Totals { files: 1, bytes: 0 } };
        self.packages.insert(ix, members);
        self.change_totals_above(ix, old);
    }

    fn change_totals_above(&mut self, ix: Ix, old: Totals) {
        let new = self.totals_of(ix);
        if let Place::In(parent) = self.item(ix).place {
            self.subtract_totals(parent, old);
            self.add_totals(parent, new);
        }
    }

    fn before_content_change(&mut self, ix: Ix) {
        match self.item(ix).place {
            Place::In(parent) => {
                self.remember_listing(Listed::Folder(parent));
                self.remember_counts(parent);
            }
            _ => self.remember_listing(Listed::Trash),
        }
    }

    fn after_content_change(&mut self, ix: Ix) {
        self.bump_content(ix);
        if let Place::In(parent) = self.item(ix).place {
            self.run_up(parent);
        }
    }

    /// Notes a content that has just come; whoever wrote it knows it.
    fn written(&mut self, ix: Ix, actor: Actor) {
        if actor == Actor::Client {
            self.note_known(ix);
        }
        self.note(ix, actor, What::Written);
    }
}

/// The time that is stored for the time that was sent, both in milliseconds since 1970.
fn store_mtime(rule: Mtime, sent_ms: i64, now_ms: i64) -> i64 {
    let floor = |ms: i64| ms.div_euclid(1000) * 1000;
    match rule {
        Mtime::Keep => sent_ms,
        Mtime::Floor => floor(sent_ms),
        Mtime::Ceil => floor(sent_ms.saturating_add(999)),
        Mtime::Now => floor(now_ms),
    }
}
