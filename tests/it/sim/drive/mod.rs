//! An iCloud Drive in memory, with the service's habits and its open questions.

mod items;
mod late;
mod person;
mod reads;
mod remote;
pub mod switches;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use icloudds::engine::ports::{RemoteError, RemoteItem, RemoteParent};
use icloudds::model::{FolderState, ItemId, RemoteEntry, RemoteKind, ServerTime, Signature, Zone, name};

use super::clock::SimClock;
use super::fuse::{Fuse, lock};
use super::journal::{Bytes, Journal, Thing, Things, signature};
pub use items::{Item, Kind, Place};
use items::{Items, Map, children, subtree};
use late::LateCommit;
use switches::{Signatures, Switches};

/// The drive: the engine sees it as a `Remote`, persons through the methods here.
pub struct SimDrive {
    inner: Mutex<Drive>,
    lane: AtomicBool,
    overlaps: AtomicU64,
    /// How many commits were side by side, each time.
    widths: Mutex<Vec<usize>>,
    clock: Arc<SimClock>,
    fuse: Arc<Fuse>,
    journal: Arc<Journal>,
}

struct Drive {
    items: Items,
    switches: Switches,
    staged: BTreeMap<String, Parcel>,
    offers: HashMap<String, Bytes>,
    /// Counter at which a folder was last shown to the engine.
    shown: HashMap<ItemId, u64>,
    /// The machine that calls.
    caller: usize,
    /// Calls of each machine that change the drive so far.
    mutations: HashMap<usize, u64>,
    /// What each machine saw when it last looked an item up.
    looked: HashMap<(usize, ItemId), Looked>,
    /// Commits that were answered by an error and take effect later.
    late: Vec<LateCommit>,
}

/// Content that was sent ahead.
struct Parcel {
    zone: Zone,
    body: Bytes,
    at: i64,
    committed: bool,
}

/// How much an answer shows of an item.
/// A look-up of one item.
#[derive(Clone, Copy)]
struct Looked {
    /// How many mutations the machine had made, and how often it had waited.
    mutations: u64,
    pauses: u64,
    /// The half of the etag that names the content.
    content: u64,
    /// When it was answered, in nanoseconds since 1970.
    at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Id and etag.
    Brief,
    /// As listings do.
    Listed,
    /// As the document service does: with the signature.
    Document,
}

impl SimDrive {
    /// An empty drive with the default switches.
    pub fn new(clock: Arc<SimClock>, fuse: Arc<Fuse>, journal: Arc<Journal>) -> Self {
        let inner = Drive {
            items: Items::new(),
            switches: Switches::default(),
            staged: BTreeMap::new(),
            offers: HashMap::new(),
            shown: HashMap::new(),
            caller: 0,
            mutations: HashMap::new(),
            looked: HashMap::new(),
            late: Vec::new(),
        };
        Self {
            inner: Mutex::new(inner),
            lane: AtomicBool::new(false),
            overlaps: AtomicU64::new(0),
            widths: Mutex::default(),
            clock,
            fuse,
            journal,
        }
    }

    /// Another machine of this account does something: it has its own lane, and knows nothing of what this one looked at.
    pub fn as_another<R>(&self, act: impl FnOnce() -> R) -> R {
        let busy = self.lane.swap(false, Ordering::SeqCst);
        let pauses = self.clock.pauses();
        let (shown, looked) = {
            let mut drive = self.held();
            (std::mem::take(&mut drive.shown), std::mem::take(&mut drive.looked))
        };
        let done = act();
        let mut drive = self.held();
        (drive.shown, drive.looked) = (shown, looked);
        drop(drive);
        self.lane.store(busy, Ordering::SeqCst);
        self.clock.waited_so_often(pauses);
        done
    }

    /// Turns switches.
    pub fn switch(&self, turn: impl FnOnce(&mut Switches)) {
        turn(&mut self.held().switches);
    }

    /// The switches as they are.
    pub fn switches(&self) -> Switches {
        self.held().switches.clone()
    }

    /// Another machine calls from now on; which one did until now. What each looked at and wrote is counted for itself.
    pub fn called_by(&self, machine: usize) -> usize {
        std::mem::replace(&mut self.held().caller, machine)
    }

    /// How many commits were side by side, each time that several were.
    pub fn widths(&self) -> Vec<usize> {
        lock(&self.widths).clone()
    }

    /// How often two calls that change the drive ran at once and must not: a fault of the engine.
    pub fn overlaps(&self) -> u64 {
        self.overlaps.load(Ordering::SeqCst)
    }

    /// All items below the drive's root, app libraries and shared items as `Other`. A second
    /// item of one name gets ` #2`.
    pub fn tree(&self) -> Things {
        let drive = self.held();
        let mut things = Things::new();
        collect(drive.items.now(), &ItemId::drive_root(), "", &mut things);
        things
    }

    /// All items in an app library.
    pub fn library_tree(&self, zone: &str) -> Things {
        let drive = self.held();
        let mut things = Things::new();
        collect(drive.items.now(), &items::library_id(zone), "", &mut things);
        things
    }

    /// The names at the top of the trash, sorted.
    pub fn trash_names(&self) -> Vec<String> {
        let drive = self.held();
        let trashed = drive.items.now().values().filter(|item| matches!(item.place, Place::Trash(_)));
        let mut names: Vec<_> = trashed.map(|item| item.name.clone()).collect();
        names.sort();
        names
    }

    /// All contents that can be had from the drive, its trash included.
    pub fn contents(&self) -> Vec<Bytes> {
        let drive = self.held();
        drive.items.now().values().filter(|item| item.is_file()).map(|item| item.body.clone()).collect()
    }

    /// The contents that are in their place, not in the trash.
    pub fn live_contents(&self) -> Vec<Bytes> {
        let drive = self.held();
        let files = drive.items.now().iter().filter(|(id, item)| item.is_file() && drive.items.is_live(id));
        files.map(|(_, item)| item.body.clone()).collect()
    }

    /// The contents that lie in the trash, in a folder there perhaps.
    pub fn trashed_contents(&self) -> BTreeSet<Bytes> {
        let drive = lock(&self.inner);
        let files = drive.items.now().iter().filter(|(id, item)| item.is_file() && !drive.items.is_live(id));
        files.map(|(_, item)| item.body.clone()).collect()
    }

    /// The contents of all items, packages too, whose names contain that: the service numbers a second one, and the filter for
    /// junk is anchored at the start only.
    pub fn contents_named(&self, name: &str) -> Vec<Bytes> {
        let drive = self.held();
        drive
            .items
            .now()
            .values()
            .filter(|item| item.name.contains(name))
            .map(|item| item.body.clone())
            .collect()
    }

    /// The path that an item has now, in NFC; `None` when it is not in the drive.
    pub fn path_of(&self, id: &ItemId) -> Option<String> {
        let drive = self.held();
        let (mut path, mut next) = (Vec::new(), id.clone());
        loop {
            let item = drive.items.get(&next)?;
            match &item.place {
                Place::Nowhere => break,
                Place::Folder(parent) => {
                    path.push(name::nfc(&item.name).to_string());
                    next = parent.clone();
                }
                Place::Trash(_) => return None,
            }
        }
        path.reverse();
        Some(path.join("/"))
    }

    /// What hangs in a folder.
    pub fn within(&self, folder: &ItemId) -> Vec<ItemId> {
        children(self.held().items.now(), folder)
    }

    /// Whether it hangs where, and as, it was made, and so does every folder above it.
    pub fn has_stayed(&self, id: &ItemId) -> bool {
        self.held().items.has_stayed(id)
    }

    /// An item and all below it.
    pub fn below(&self, id: &ItemId) -> Vec<ItemId> {
        subtree(self.held().items.now(), id)
    }

    /// What a change feed would tell: the items that changed after the first `known` changes, and how many changes there are.
    pub fn changed_since(&self, known: usize) -> (Vec<ItemId>, usize) {
        self.held().items.changed_since(known)
    }

    /// The item of that id.
    pub fn item(&self, id: &ItemId) -> Option<Item> {
        self.held().items.get(id).cloned()
    }

    fn now(&self) -> i64 {
        self.clock.truth().0
    }

    /// The drive, once all has come of it that was due.
    fn held(&self) -> MutexGuard<'_, Drive> {
        let mut drive = lock(&self.inner);
        drive.take_effect(self.now(), &self.journal);
        drive
    }
}

fn collect(map: &Map, folder: &ItemId, prefix: &str, things: &mut Things) {
    for id in children(map, folder) {
        let item = &map[&id];
        let plain = format!("{prefix}{}", name::nfc(&item.name));
        let path = (1..)
            .map(|number| if number == 1 { plain.clone() } else { format!("{plain} #{number}") })
            .find(|path| !things.contains_key(path))
            .expect("some number is free");
        let thing = match item.kind {
            Kind::File => Thing::File(item.body.clone()),
            Kind::Package => Thing::Package,
            Kind::Folder => Thing::Folder,
            Kind::Library | Kind::Shared => Thing::Other,
        };
        things.insert(path.clone(), thing);
        if item.kind == Kind::Folder {
            collect(map, &id, &format!("{path}/"), things);
        }
    }
}

impl Drive {
    /// What an answer shows of an item.
    fn entry(&self, id: &ItemId, item: &Item, detail: Detail) -> RemoteEntry {
        let brief = detail == Detail::Brief;
        let size = match item.kind {
            Kind::File if self.switches.sizes_untold => None,
            Kind::File if item.body.is_empty() && self.switches.zero_size_untold => None,
            Kind::File => Some(item.body.len() as u64),
            // About the size, but not exactly (`docs/protocol.md` §11.5).
            Kind::Package => Some(item.body.len() as u64 + 41),
            _ => None,
        };
        RemoteEntry {
            id: id.clone(),
            kind: match item.kind {
                Kind::File | Kind::Package => RemoteKind::File,
                Kind::Folder => RemoteKind::Folder,
                Kind::Library => RemoteKind::AppLibrary,
                Kind::Shared => RemoteKind::Foreign,
            },
            name: if brief { "".into() } else { item.name.as_str().into() },
            etag: item.etag(),
            size: size.filter(|_| !brief).into(),
            mtime: (item.is_file() && !brief).then_some(ServerTime(item.mtime)).into(),
            signature: (detail == Detail::Document && item.kind == Kind::File)
                .then(|| self.signature(&item.body).0)
                .flatten()
                .into(),
            state: FolderState::Unread,
        }
    }

    /// Where an item hangs, as answers tell it.
    fn parent(item: &Item) -> RemoteParent {
        match &item.place {
            Place::Nowhere => RemoteParent::Untold,
            Place::Folder(id) => RemoteParent::Folder(id.clone()),
            Place::Trash(_) => RemoteParent::Trash,
        }
    }

    /// An item as an answer to a call about it shows it now.
    fn shown(&mut self, id: &ItemId, detail: Detail) -> Result<RemoteItem, RemoteError> {
        let Some(item) = self.items.get(id) else { return Err(RemoteError::Gone) };
        let entry = self.entry(id, item, detail);
        let (parent, deep) = (Self::parent(item), item.deep);
        self.shown.insert(id.clone(), deep);
        Ok(RemoteItem { entry, parent })
    }

    /// The signature that the service tells, where it has the known form, and its text.
    fn signature(&self, body: &[u8]) -> (Option<Signature>, String) {
        let text = |first: u8, signature: &Signature| {
            use base64::Engine as _;
            let mut bytes = vec![first];
            bytes.extend(signature.0);
            base64::engine::general_purpose::STANDARD.encode(bytes)
        };
        let documented = signature(body);
        match self.switches.signatures {
            Signatures::Formula => (Some(documented), text(1, &documented)),
            Signatures::OtherFormula => {
                let other = signature(&[b"other".as_slice(), body].concat());
                (Some(other), text(1, &other))
            }
            Signatures::OtherForm => (None, text(0x81, &documented)),
            Signatures::Absent => (None, String::new()),
        }
    }

    /// Bytes of all files, the trash included.
    fn used(&self) -> u64 {
        self.items.now().values().map(|item| item.body.len() as u64).sum()
    }
}
