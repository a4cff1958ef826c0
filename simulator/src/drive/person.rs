//! What a person does on another device, and what a test may look at: paths instead of ids, no session.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::UNIX_EPOCH;

use unicode_normalization::UnicodeNormalization;

use super::generate::{self, Scale};
use super::model::content::Content;
use super::model::item::{Kind, Place};
use super::model::journal::{self, Entry, Lost};
use super::model::names;
use super::model::replace::NewFile;
use super::model::{Actor, Ix, Model, ROOT, Refusal};
use super::package::Member;
use super::{Asked, Drive, with_drive};
use crate::state::Core;
use crate::switches::{Flip, Names};

/// What Apple's editors on the web open.
const EDITED_ON_THE_WEB: [&str; 3] = ["pages", "numbers", "key"];

/// The Drive as another device of the account has it. All paths are relative to the Drive's root, with `/`;
/// app libraries and shared folders are entered by their names.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    core: &'a Core,
}

/// Why a person's act did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersonError {
    /// Nothing is there.
    NoSuchPath(String),
    /// The service refused.
    Refused(String, Refusal),
}

impl fmt::Display for PersonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPath(path) => write!(f, "{path}: no such item in the simulated Drive"),
            Self::Refused(path, refusal) => write!(f, "{path}: the simulated Drive refused: {refusal:?}"),
        }
    }
}

impl std::error::Error for PersonError {}

/// One item as plain data.
#[derive(Clone, Debug)]
pub struct TreeEntry {
    /// What it is.
    pub kind: Kind,
    /// Bytes; 0 for folders.
    pub size: u64,
    /// Content time, in milliseconds since 1970.
    pub mtime_ms: i64,
    /// The bytes; `None` for folders and packages.
    pub content: Option<Content>,
    /// Its `docwsid`.
    pub docwsid: String,
    /// Its `drivewsid`, which names its zone as well.
    pub drivewsid: String,
    /// Its etag.
    pub etag: String,
    /// The name as it is stored; the path that leads here is composed (NFC).
    pub stored_name: String,
}

impl TreeEntry {
    /// SHA-1 of the content in lower-case hex; `None` for folders and packages.
    ///
    /// # Errors
    ///
    /// When a spool file cannot be read.
    pub fn sha1(&self) -> io::Result<Option<String>> {
        self.content.as_ref().map(|content| content.hashes().map(|hashes| hashes.sha1_hex())).transpose()
    }
}

impl<'a> Person<'a> {
    /// Another device on this simulator.
    pub fn new(core: &'a Core) -> Self {
        Self { core }
    }

    /// Makes a folder and those above it that are missing. An existing folder is left as it is.
    ///
    /// # Errors
    ///
    /// [`PersonError::Refused`] when a name is not taken or a file is in the way.
    pub fn folder(&self, path: &str) -> Result<(), PersonError> {
        self.act(|drive| make_folders(&mut drive.model, path).map(|_| ()))
    }

    /// Writes a file, with missing folders: a new one, or a new content of an existing one, which keeps its id.
    /// Its content time is the simulator's present.
    ///
    /// # Errors
    ///
    /// As [`Person::folder`].
    pub fn write(&self, path: &str, content: impl Into<Content>) -> Result<(), PersonError> {
        let since = self.core.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.write_at(path, content, i64::try_from(since.as_secs()).unwrap_or(0) * 1000)
    }

    /// As [`Person::write`], with the content time in milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`Person::folder`].
    pub fn write_at(
        &self,
        path: &str,
        content: impl Into<Content>,
        mtime_ms: i64,
    ) -> Result<(), PersonError> {
        let content = content.into();
        self.act(|drive| write_file(&mut drive.model, path, content, mtime_ms).map(|_| ()))
    }

    /// Writes a new package, with missing folders, or gives an existing one other members.
    ///
    /// # Errors
    ///
    /// As [`Person::folder`].
    pub fn package(&self, path: &str, members: Vec<Member>) -> Result<(), PersonError> {
        self.act(|drive| write_package(&mut drive.model, path, members))
    }

    /// Renames an item in its folder.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn rename(&self, path: &str, new_name: &str) -> Result<(), PersonError> {
        self.change(path, |model, ix| model.rename(ix, None, &typed(model, new_name)).map(|_| ()))
    }

    /// Moves an item into an existing folder (`""` is the root).
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn move_to(&self, path: &str, folder: &str) -> Result<(), PersonError> {
        let target = self.act(|drive| find(&drive.model, folder))?;
        self.change(path, |model, ix| model.move_to(ix, None, target).map(|_| ()))
    }

    /// Moves an item to the trash.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn trash(&self, path: &str) -> Result<(), PersonError> {
        self.change(path, |model, ix| model.trash_item(ix, None).map(|_| ()))
    }

    /// Deletes an item for good.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn delete(&self, path: &str) -> Result<(), PersonError> {
        self.change(path, |model, ix| model.delete_item(ix, None, Actor::Person).map(|_| ()))
    }

    /// Puts an item of the trash back; `path` is where it was.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn put_back(&self, path: &str) -> Result<(), PersonError> {
        self.change_trashed(path, |model, ix| model.put_back(ix).map(|_| ()))
    }

    /// Deletes an item of the trash for good; `path` is where it was.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing was done.
    pub fn delete_trashed(&self, path: &str) -> Result<(), PersonError> {
        self.change_trashed(path, |model, ix| model.delete_item(ix, None, Actor::Person).map(|_| ()))
    }

    /// Deletes everything in the trash for good.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; what came before it is deleted.
    pub fn empty_trash(&self) -> Result<(), PersonError> {
        self.act(|drive| {
            let all: Vec<Ix> = drive.model.trash().keys().copied().collect();
            for ix in all {
                drive
                    .model
                    .delete_item(ix, None, Actor::Person)
                    .map_err(|refusal| PersonError::Refused(drive.model.path(ix), refusal))?;
            }
            Ok(())
        })
    }

    /// Adds an app library with its own zone; a hidden one is not listed in the root.
    pub fn library(&self, zone: &str, name: &str, hidden: bool) {
        with_drive(self.core, |drive, _| drive.model.add_library(zone, name, hidden));
    }

    /// Adds a folder that somebody else shares with the account (shown as S-shared says).
    pub fn shared_folder(&self, name: &str) {
        with_drive(self.core, |drive, _| drive.model.add_shared_folder(name));
    }

    /// Gives packages this size in listings instead of their own, or no longer.
    pub fn lie_about_size(&self, size: Option<u64>) {
        with_drive(self.core, |drive, _| drive.package_size = size);
    }

    /// How often the root and the trash were listed so far.
    pub fn asked(&self) -> Asked {
        with_drive(self.core, |drive, _| drive.asked)
    }

    /// Makes a package of a flat document, which keeps its id.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when there is no file of that path.
    pub fn flip(&self, path: &str, members: Vec<Member>) -> Result<(), PersonError> {
        with_drive(self.core, |drive, _| {
            let ix = find(&drive.model, path)?;
            drive
                .model
                .become_package(ix, members)
                .map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
        })
    }

    /// Opens a file in an editor on the web and changes nothing; S-flip says what the editor makes of it.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when nothing is there.
    pub fn open(&self, path: &str) -> Result<(), PersonError> {
        with_drive(self.core, |drive, switches| {
            let ix = find(&drive.model, path)?;
            let item = drive.model.item(ix);
            let flat =
                item.content.clone().filter(|_| EDITED_ON_THE_WEB.contains(&names::split(&item.name).1));
            let opened = match (switches.flip, flat) {
                (Flip::OnOpen, Some(content)) => {
                    let member = Member { path: "Index.zip".to_owned(), content };
                    drive.model.become_package(ix, vec![member])
                }
                _ => drive.model.open(ix),
            };
            opened.map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
        })
    }

    /// Everything in the tree, without the trash, by path in composed form (NFC). Two siblings whose names are
    /// the same in that form are listed under their stored names.
    pub fn tree(&self) -> BTreeMap<String, TreeEntry> {
        with_drive(self.core, |drive, _| below_as_data(&drive.model, ROOT, ""))
    }

    /// Everything in the trash, by the path where it was; what is inside a trashed folder follows it.
    pub fn trash_contents(&self) -> Vec<(String, TreeEntry)> {
        with_drive(self.core, |drive, _| {
            let mut found = Vec::new();
            for (ix, trashed) in drive.model.trash() {
                let path: String = trashed.restore_path.nfc().collect();
                found.push((path.clone(), as_data(&drive.model, *ix)));
                found.extend(below_as_data(&drive.model, *ix, &path));
            }
            found
        })
    }

    /// One item; `None` when nothing is there.
    pub fn entry(&self, path: &str) -> Option<TreeEntry> {
        with_drive(self.core, |drive, _| find(&drive.model, path).ok().map(|ix| as_data(&drive.model, ix)))
    }

    /// The bytes of a file; `None` when there is none. Meant for small files.
    ///
    /// # Errors
    ///
    /// When a spool file cannot be read.
    pub fn content(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.entry(path).and_then(|entry| entry.content).map(|content| content.to_vec()).transpose()
    }

    /// Contents that are lost by promise P1.
    ///
    /// # Errors
    ///
    /// When a spool file cannot be read.
    pub fn lost_contents(&self) -> io::Result<Vec<Lost>> {
        let (suspects, held) = with_drive(self.core, |drive, _| drive.model.suspects());
        journal::lost(&suspects, &held)
    }

    /// Everything that happened to contents, oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        with_drive(self.core, |drive, _| drive.model.journal().entries().to_vec())
    }

    /// Lets the next `times` calls of createFolders answer `UNKNOWN` though they work (`docs/protocol.md §10.1`).
    pub fn answer_creates_unknown(&self, times: u32) {
        with_drive(self.core, |drive, _| drive.unknown_creates = times);
    }

    /// Fills the Drive with many generated items.
    pub fn fill(&self, scale: &Scale) {
        with_drive(self.core, |drive, _| generate::many(&mut drive.model, scale));
    }

    fn act<T>(&self, act: impl FnOnce(&mut Drive) -> Result<T, PersonError>) -> Result<T, PersonError> {
        with_drive(self.core, |drive, _| act(drive))
    }

    fn change(
        &self,
        path: &str,
        change: impl FnOnce(&mut Model, Ix) -> Result<(), Refusal>,
    ) -> Result<(), PersonError> {
        self.act(|drive| {
            let ix = find(&drive.model, path)?;
            change(&mut drive.model, ix).map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
        })
    }

    fn change_trashed(
        &self,
        path: &str,
        change: impl FnOnce(&mut Model, Ix) -> Result<(), Refusal>,
    ) -> Result<(), PersonError> {
        self.act(|drive| {
            let wanted: String = path.nfc().collect();
            let found = drive
                .model
                .trash()
                .iter()
                // Of two things that were at one path, the newer is meant.
                .rfind(|(_, trashed)| trashed.restore_path.nfc().eq(wanted.chars()))
                .map(|(ix, _)| *ix)
                .ok_or_else(|| PersonError::NoSuchPath(path.to_owned()))?;
            change(&mut drive.model, found).map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
        })
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn find(model: &Model, path: &str) -> Result<Ix, PersonError> {
    parts(path)
        .try_fold(ROOT, |at, part| model.child_named(at, part))
        .ok_or_else(|| PersonError::NoSuchPath(path.to_owned()))
}

fn make_folders(model: &mut Model, path: &str) -> Result<Ix, PersonError> {
    let mut at = ROOT;
    for part in parts(path) {
        at = match model.child_named(at, part) {
            Some(child) => child,
            None => model
                .create_folder(at, &typed(model, part))
                .map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))?,
        };
    }
    Ok(at)
}

/// A name as another device writes it: Apple's give the decomposed form (`docs/protocol.md` §7.4).
fn typed(model: &Model, name: &str) -> String {
    match model.switches().names {
        Names::AsSent => {
            // A name that is too long in that form was never made by a device.
            let decomposed: String = name.nfd().collect();
            if model.check_name(&decomposed).is_ok() { decomposed } else { name.to_owned() }
        }
        Names::NfdCaseSensitive | Names::Nfc | Names::CaseInsensitive => name.to_owned(),
    }
}

fn split_path(path: &str) -> (&str, &str) {
    path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path))
}

fn write_file(model: &mut Model, path: &str, content: Content, mtime_ms: i64) -> Result<Ix, PersonError> {
    let (folder, name) = split_path(path);
    let parent = make_folders(model, folder)?;
    let written = match model.child_named(parent, name) {
        Some(existing) => model.replace(existing, content, mtime_ms, Actor::Person).map(|_| existing),
        None => {
            let doc = model.new_doc();
            let file = NewFile {
                name: typed(model, name),
                content,
                mtime_ms,
                btime_ms: mtime_ms,
                executable: false,
            };
            model.add_file(parent, doc, file, false, Actor::Person)
        }
    };
    written.map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
}

fn write_package(model: &mut Model, path: &str, members: Vec<Member>) -> Result<(), PersonError> {
    let (folder, name) = split_path(path);
    let parent = make_folders(model, folder)?;
    let written = match model.child_named(parent, name) {
        Some(existing) => model.replace_package(existing, members),
        None => model.add_package(parent, &typed(model, name), members).map(|_| ()),
    };
    written.map_err(|refusal| PersonError::Refused(path.to_owned(), refusal))
}

fn as_data(model: &Model, ix: Ix) -> TreeEntry {
    let item = model.item(ix);
    TreeEntry {
        kind: item.kind,
        size: if item.folder.is_some() { 0 } else { model.size(ix) },
        mtime_ms: item.modified_ms,
        content: item.content.clone(),
        docwsid: item.id.doc.to_string(),
        drivewsid: model.drivewsid(ix),
        etag: model.etag(ix),
        stored_name: item.name.to_string(),
    }
}

fn below_as_data(model: &Model, top: Ix, top_path: &str) -> BTreeMap<String, TreeEntry> {
    let mut found = BTreeMap::new();
    let mut paths = BTreeMap::from([(top, top_path.to_owned())]);
    for ix in model.below(top) {
        let Place::In(parent) = model.item(ix).place else { continue };
        // `below` gives parents before their children.
        let above = paths.get(&parent).map_or("", String::as_str);
        let join = |name: &str| if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        let stored = &model.item(ix).name;
        let composed = join(&stored.nfc().collect::<String>());
        let path = if found.contains_key(&composed) { join(stored) } else { composed };
        if model.item(ix).folder.is_some() {
            paths.insert(ix, path.clone());
        }
        found.insert(path, as_data(model, ix));
    }
    found
}
