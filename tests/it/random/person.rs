//! The random user: carries out what a history says, on either side.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use icloudds::model::{DiskTime, Identity, ItemId, LocalStamp, Node, RelPath, Side};
use unicode_normalization::UnicodeNormalization;

mod backups;
mod copies;

use super::history::{Act, Deed, Pick};
use crate::sim::fuse::{lock, say};
use crate::sim::journal::Fate;
use crate::sim::{Bytes, Journal, SimClock, SimDisk, SimDrive, SimStore, Thing, World, rng, show};

/// A user's hands. Cheap to clone, so that one can act in the middle of a pass.
#[derive(Clone)]
pub struct Person {
    drive: Arc<SimDrive>,
    disk: Arc<SimDisk>,
    clock: Arc<SimClock>,
    store: SimStore,
    journal: Arc<Journal>,
    /// State and disk of a second machine, which has the same items.
    second: Option<(SimStore, Arc<SimDisk>)>,
    /// The last backup of the folder here: paths, contents, modification times.
    backup: Arc<Mutex<Vec<(String, Bytes, DiskTime)>>>,
    /// Folders where something happened here, as a watcher would name them.
    dirty: Arc<Mutex<Vec<RelPath>>>,
}

/// The content of that number: few sizes, so that a size tells little.
pub fn content(number: u32) -> Vec<u8> {
    let mut text = format!("content {number:05}").into_bytes();
    text.resize([13, 13, 13, 20, 41][number as usize % 5], b'.');
    text
}

/// Whether it is one of the few contents that are written again and again.
pub fn is_common(text: &[u8]) -> bool {
    (0..3).any(|number| content(number) == text)
}

/// The one that a number picks: the same also when others come or go.
fn pick(from: &[String], pick: Pick) -> Option<&String> {
    from.iter().min_by_key(|path| rng::keyed(pick, path, 0))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn inside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The name in another spelling.
fn respelled(text: &str, pick: Pick) -> String {
    let composed: String = text.nfc().collect();
    if pick.is_multiple_of(2) && !text.is_ascii() {
        return if composed == text { text.nfd().collect() } else { composed };
    }
    let upper = text.to_uppercase();
    if upper == text { text.to_lowercase() } else { upper }
}

impl Person {
    /// Somebody in that world.
    pub fn new(world: &World, second: Option<(SimStore, Arc<SimDisk>)>) -> Self {
        Self {
            drive: world.drive.clone(),
            disk: world.disk.clone(),
            clock: world.clock.clone(),
            store: world.store.clone(),
            journal: world.journal.clone(),
            second,
            backup: Arc::default(),
            dirty: Arc::default(),
        }
    }

    /// The folders here where something happened since this was asked last.
    pub fn dirty(&self) -> Vec<RelPath> {
        std::mem::take(&mut *lock(&self.dirty))
    }

    /// Of how many changes here nobody has asked yet.
    pub fn unasked(&self) -> usize {
        lock(&self.dirty).len()
    }

    /// Does it; what cannot be done is not done.
    pub fn act(&self, deed: &Deed) {
        self.clock.advance(Duration::from_millis(deed.after.max(1)));
        match deed.side {
            Side::Local => self.here(&deed.act),
            Side::Remote => self.there(&deed.act),
        }
        say(|| {
            let tree = match deed.side {
                Side::Local => self.disk.tree(),
                Side::Remote => self.drive.tree(),
            };
            let names: Vec<_> =
                tree.iter().map(|(path, thing)| format!("{path}: {}", show(Some(thing)))).collect();
            format!("{:?} on {:?} makes it {names:?}", deed.act, deed.side)
        });
        self.clock.advance(Duration::from_millis(1));
        self.excuse_junk();
        self.disk.meets_lost();
    }

    /// Takes the volumes off that are known to be there: what comes to a mount point that nobody knew before is covered later, and no
    /// program can tell.
    pub fn take_volumes_off(&self) {
        let base = self.store.durable().base;
        let is_known = |(at, volume): &(String, LocalStamp)| {
            let is_it = |node: Node| {
                let known = &base.get(node).local.stamp;
                // Without identities the place is all that tells.
                let is_same = match volume.identity == Identity::default() {
                    true => base.path(node).as_str() == at,
                    false => known.identity == volume.identity,
                };
                !known.on_root_fs && is_same
            };
            base.walk(Node::ROOT).any(is_it)
        };
        if self.disk.stamps().iter().filter(|(_, stamp)| stamp.is_mount).all(is_known) {
            self.disk.unmount();
        }
    }

    /// Nobody misses junk: it keeps no folder alive.
    fn excuse_junk(&self) {
        for (path, thing) in self.disk.tree().into_iter().chain(self.drive.tree()) {
            if let Thing::File(content) = thing
                && path.contains(".DS_Store")
            {
                self.journal.excuse(&content, "built-in junk");
            }
        }
        for content in self.drive.contents_named(".DS_Store") {
            self.journal.excuse(&content, "built-in junk");
        }
    }

    /// Brings back from the trash. Where something that was done to the same item here waits to be carried out, that
    /// still counts: for the engine the item has only moved.
    fn put_back(&self, id: &ItemId) {
        // What was given up here after it was placed, and before the base learnt of it.
        let given: Vec<_> = self.journal.all();
        let given = given.into_iter().filter(|(_, fate)| *fate == Fate::Given(Side::Local));
        let given: BTreeSet<_> = given.map(|(content, _)| content).collect();
        if !self.drive.person_put_back(id) {
            return;
        }
        let base = self.store.durable().base;
        for below in self.drive.below(id) {
            let is_kept = |body: &Bytes| {
                let is_unknown = base.by_id(&below).is_none();
                self.keeps(&below, body) && !(is_unknown && given.contains(body))
            };
            if let Some(item) = self.drive.item(&below).filter(|item| !is_kept(&item.body)) {
                self.journal.gave_up(Side::Local, &item.body);
            }
        }
    }

    /// Whether nobody here deleted or edited that item, or moved it over another one, since both sides agreed on it.
    fn keeps(&self, id: &ItemId, body: &Bytes) -> bool {
        let both = std::iter::once((&self.store, &self.disk)).chain(self.second.iter().map(|(s, d)| (s, d)));
        both.into_iter().all(|(store, disk)| Self::is_kept(store, disk, id, body))
    }

    fn is_kept(store: &SimStore, disk: &SimDisk, id: &ItemId, body: &Bytes) -> bool {
        let base = store.durable().base;
        let Some(node) = base.by_id(id) else { return true };
        let identity = base.get(node).local.stamp.identity;
        if identity == Identity::default() {
            return false;
        }
        let Some((path, thing, _)) = disk.paths().into_iter().find(|(.., there)| *there == identity) else {
            return false;
        };
        // What stands there, or what is known as this very file since an editor kept it as its backup.
        let agreed = |node: &Node| {
            base.path(*node).as_str() == path || base.get(*node).local.stamp.identity == identity
        };
        let is_another = base.walk(Node::ROOT).any(|other| other != node && agreed(&other));
        thing == Thing::File(body.clone()) && !is_another
    }

    fn things(&self, side: Side, fits: impl Fn(&Thing) -> bool) -> Vec<String> {
        let all: Vec<_> = match side {
            Side::Local => self.disk.paths().into_iter().map(|(path, thing, _)| (path, thing)).collect(),
            // A person names items by their paths: of several with one name, the first.
            Side::Remote => {
                self.drive.tree().into_iter().filter(|(path, _)| self.drive.find(path).is_some()).collect()
            }
        };
        all.into_iter().filter(|(_, thing)| fits(thing)).map(|(path, _)| path).collect()
    }

    fn file(&self, side: Side, number: Pick) -> Option<String> {
        let files = self.things(side, |thing| matches!(thing, Thing::File(_) | Thing::Package));
        pick(&files, number).cloned()
    }

    fn any(&self, side: Side, number: Pick) -> Option<String> {
        pick(&self.things(side, |_| true), number).cloned()
    }

    fn folder(&self, side: Side, number: Pick) -> String {
        let mut folders = self.things(side, |thing| *thing == Thing::Folder);
        // The top counts twice, and nothing gets deeper than four.
        folders.retain(|path| path.matches('/').count() < 3);
        folders.extend([String::new(), "/".to_owned()]);
        pick(&folders, number).map_or(String::new(), |path| path.trim_end_matches('/').to_owned())
    }

    fn mark(&self, path: &str) {
        if let Ok(folder) = RelPath::parse(parent(path)) {
            lock(&self.dirty).push(folder);
        }
    }

    fn here(&self, act: &Act) {
        self.try_here(act);
    }

    fn try_here(&self, act: &Act) -> Option<()> {
        let (side, disk) = (Side::Local, &self.disk);
        let file = |number| self.file(side, number);
        let any = |number| self.any(side, number);
        // Nobody can move a mount point here while a volume is mounted there.
        let moved = |number| any(number).filter(|path| !disk.holds_volume(path));
        match act {
            Act::Create(folder, name, number) => {
                let path = inside(&self.folder(side, *folder), name);
                if disk.read(&path).is_none() && disk.write(&path, &content(*number)) {
                    self.meets_what_a_copy_lost(&path);
                    self.mark(&path);
                }
            }
            Act::Package(folder, name, number) => {
                return self.try_here(&Act::Create(*folder, name, *number));
            }
            Act::Mkdir(folder, name) => {
                let path = inside(&self.folder(side, *folder), name);
                disk.mkdir(&path);
                self.mark(&path);
            }
            Act::Edit(number, new) => {
                let path = file(*number)?;
                disk.write(&path, &content(*new));
                self.mark(&path);
            }
            Act::Save(number, new) => {
                let path = file(*number)?;
                disk.save(&path, &content(*new));
                self.mark(&path);
            }
            Act::SaveBeside(number, new) => {
                let path = file(*number)?;
                let backup = format!("{path}~");
                if disk.mv(&path, &backup) {
                    // It has seen what it writes anew.
                    disk.stand_by(&backup);
                    disk.write(&path, &content(*new));
                    self.mark(&path);
                }
            }
            Act::Forge(number, new) => {
                let path = file(*number)?;
                let mut body = content(*new);
                body.resize(disk.read(&path)?.len(), b'.');
                if body.len() >= 13 {
                    disk.forge(&path, &body);
                    self.mark(&path);
                }
            }
            Act::Empty(number) => {
                let path = file(*number)?;
                disk.truncate(&path);
                self.mark(&path);
            }
            Act::Rename(number, name) => {
                let path = moved(*number)?;
                self.mv(&path, &inside(parent(&path), name));
            }
            Act::Respell(number) => {
                let path = moved(*number)?;
                self.mv(&path, &inside(parent(&path), &respelled(name(&path), *number)));
            }
            Act::Move(number, folder) => {
                let path = moved(*number)?;
                let to = inside(&self.folder(side, *folder), name(&path));
                if !self.things(side, |_| true).contains(&to) {
                    self.mv(&path, &to);
                }
            }
            Act::MoveOver(number, other) => {
                let (from, to) = (file(*number)?, file(*other)?);
                self.mv(&from, &to);
            }
            Act::Swap(number, other) => {
                let (one, two) = (moved(*number)?, moved(*other)?);
                if one != two && !one.starts_with(&format!("{two}/")) && !two.starts_with(&format!("{one}/"))
                {
                    let aside = format!("{one}.swap");
                    self.mv(&one, &aside);
                    self.mv(&two, &one);
                    self.mv(&aside, &two);
                }
            }
            Act::Delete(number) | Act::DeleteForGood(number) => {
                let path = moved(*number)?;
                disk.delete(&path);
                self.mark(&path);
            }
            Act::Touch(number) => {
                let path = file(*number)?;
                // The time told that an older version came back; what still tells is that its place had this content before.
                if !self.had_before(&path) {
                    disk.stand_by(&path);
                }
                disk.touch(&path);
                self.mark(&path);
            }
            Act::OldTime(number) => {
                let path = file(*number)?;
                disk.set_mtime(&path, DiskTime::new(1_500_000_000 + (*number % 1000) as i64, 0));
                self.mark(&path);
            }
            Act::ChangeKind(number, new) => {
                let path = moved(*number)?;
                let was_file = disk.read(&path).is_some();
                disk.delete(&path);
                if was_file {
                    disk.mkdir(&path);
                    disk.write(&inside(&path, "inner"), &content(*new));
                } else {
                    disk.write(&path, &content(*new));
                }
                self.mark(&path);
            }
            Act::Special(folder, name) => {
                let path = inside(&self.folder(side, *folder), name);
                disk.special(&path);
                self.mark(&path);
            }
            Act::Readable(number, readable) => {
                let path = self.folder(side, *number);
                if !path.is_empty() {
                    disk.readable(&path, *readable);
                    self.mark(&path);
                }
            }
            Act::Restore(number) => return self.restore(*number, false),
            Act::RestoreFolder(number) => return self.restore(*number, true),
            Act::Volume(folder, name) => {
                let path = inside(&self.folder(side, *folder), name);
                if disk.mkdir(&path) {
                    disk.mount(&path);
                    self.mark(&path);
                }
            }
            Act::PutBack(_) | Act::Twin(..) => {}
        }
        Some(())
    }

    fn mv(&self, from: &str, to: &str) {
        if self.disk.mv(from, to) {
            self.mark(from);
            self.mark(to);
        }
    }

    fn there(&self, act: &Act) {
        self.try_there(act);
    }

    fn try_there(&self, act: &Act) -> Option<()> {
        let (side, drive) = (Side::Remote, &self.drive);
        let file = |number| self.file(side, number);
        let any = |number| self.any(side, number);
        match act {
            Act::Create(folder, name, number) => {
                let path = inside(&self.folder(side, *folder), name);
                if drive.find(&path).is_none() {
                    drive.create(&path, &content(*number));
                }
            }
            Act::Package(folder, name, number) => {
                drive.package(&inside(&self.folder(side, *folder), name), &content(*number));
            }
            Act::Mkdir(folder, name) => {
                let path = inside(&self.folder(side, *folder), name);
                if drive.find(&path).is_none() {
                    drive.mkdir(&path);
                }
            }
            Act::Edit(number, new) | Act::Forge(number, new) => {
                drive.edit(&file(*number)?, &content(*new));
            }
            Act::Save(number, new) | Act::SaveBeside(number, new) => {
                // As some programs do: the old one to the trash, a new document under the name.
                let path = file(*number)?;
                drive.person_trash(&path);
                drive.create(&path, &content(*new));
            }
            Act::Empty(number) => drop(drive.edit(&file(*number)?, &[])),
            Act::Rename(number, name) => drop(drive.person_rename(&any(*number)?, name)),
            Act::Respell(number) => {
                let path = any(*number)?;
                drive.person_rename(&path, &respelled(name(&path), *number));
            }
            Act::Move(number, folder) => {
                drive.move_to(&any(*number)?, &self.folder(side, *folder));
            }
            Act::MoveOver(number, other) => {
                let (from, to) = (file(*number)?, file(*other)?);
                if from != to && drive.person_trash(&to) {
                    drive.move_to(&from, parent(&to));
                    drive.person_rename(&inside(parent(&to), name(&from)), name(&to));
                }
            }
            Act::Swap(number, other) => {
                let (one, two) = (any(*number)?, any(*other)?);
                if one != two && parent(&one) == parent(&two) {
                    drive.person_rename(&one, "swapping");
                    drive.person_rename(&two, name(&one));
                    drive.person_rename(&inside(parent(&one), "swapping"), name(&two));
                }
            }
            Act::Delete(number) => drop(drive.person_trash(&any(*number)?)),
            Act::DeleteForGood(number) => {
                let trashed = drive.trashed();
                let id = trashed.get(*number as usize % trashed.len().max(1))?;
                drive.delete_for_good(id);
            }
            Act::PutBack(number) => {
                let trashed = drive.trashed();
                let id = trashed.get(*number as usize % trashed.len().max(1))?;
                self.put_back(id);
            }
            Act::Touch(number) | Act::OldTime(number) => drop(drive.touch(&any(*number)?)),
            Act::ChangeKind(number, new) => {
                let path = any(*number)?;
                if drive.person_trash(&path) {
                    if self.things(side, |_| true).contains(&path) {
                        return None;
                    }
                    if new % 2 == 0 {
                        drive.mkdir(&path);
                        drive.create(&inside(&path, "inner"), &content(*new));
                    } else {
                        drive.create(&path, &content(*new));
                    }
                }
            }
            Act::Special(_, name) => {
                if drive.find(name).is_none() {
                    drive.share_to_me(name);
                }
            }
            Act::Twin(number, new) => {
                drive.twin(&file(*number)?, &content(*new));
            }
            Act::Readable(..) | Act::Restore(_) | Act::RestoreFolder(_) | Act::Volume(..) => {}
        }
        Some(())
    }
}
