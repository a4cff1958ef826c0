//! The pure drive: items, zones, trash and counts, without any wire or thread.
//!
//! Time comes in through [`Model::tick`]; what is undecided about the real service comes in through
//! the [`Switches`]. Everything else is `docs/protocol.md §7` to `§10`.

pub mod change;
pub mod content;
pub mod counts;
mod endings;
pub mod id;
pub mod item;
pub mod journal;
pub mod names;
pub mod replace;
mod shown;
pub mod view;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use id::{CLOUD_DOCS, Doc, ItemId, ZoneNo, token};
use item::{Folder, Item, Kind, Place, Trashed};
pub use item::{Ix, ROOT};
pub use journal::Actor;
use journal::Journal;
use view::Snapshots;

use super::package::Member;
use crate::fault::mix;
use crate::switches::{Names, Switches};

/// Days after which the trash gives up an item (`docs/protocol.md §9`), in milliseconds.
const TRASH_LIFE_MS: i64 = 30 * 24 * 3600 * 1000;

/// A zone: a name and the counter that its etags come from.
#[derive(Debug)]
struct Zone {
    name: String,
    counter: u64,
}

/// Why the service refuses a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No item with this id, or it is deleted.
    NoSuchItem,
    /// The destination is missing, trashed or no folder.
    NoSuchParent,
    /// The etag is not the current one.
    Stale,
    /// Another item has the name.
    NameTaken,
    /// The name is empty, too long or has a character that is not taken.
    NameRefused,
    /// Items do not move between zones, and folders not into themselves.
    WrongPlace,
}

/// The whole drive of one account.
#[derive(Debug)]
pub struct Model {
    items: Vec<Item>,
    by_id: HashMap<ItemId, Ix>,
    zones: Vec<Zone>,
    trash: BTreeMap<Ix, Trashed>,
    purged: BTreeSet<Ix>,
    packages: HashMap<Ix, Vec<Member>>,
    due_etags: VecDeque<(i64, Ix)>,
    /// The folders in `due_etags`.
    etags_due_of: HashSet<Ix>,
    /// So many changes were to run up.
    run_ups: u64,
    /// Set while a test's drive is filled: no journal and no etags that run up.
    filling: bool,
    snapshots: Snapshots,
    journal: Journal,
    switches: Arc<Switches>,
    now_ms: i64,
    next_uuid: u64,
    seed: u64,
}

impl Model {
    /// An empty Drive at `now_ms` (milliseconds since 1970); `seed` decides the ids it will give.
    pub fn new(seed: u64, now_ms: i64) -> Self {
        let mut model = Self {
            items: Vec::new(),
            by_id: HashMap::new(),
            zones: Vec::new(),
            trash: BTreeMap::new(),
            purged: BTreeSet::new(),
            packages: HashMap::new(),
            due_etags: VecDeque::new(),
            etags_due_of: HashSet::new(),
            run_ups: 0,
            filling: false,
            snapshots: Snapshots::default(),
            journal: Journal::default(),
            switches: Arc::default(),
            now_ms,
            next_uuid: 0,
            seed,
        };
        let zone = model.zone(CLOUD_DOCS);
        model.add_item(ItemId { zone, doc: Doc::Root }, Kind::Folder, "", Place::Root);
        model
    }

    /// Takes the time and the switches of the moment, and does what has become due since.
    pub fn tick(&mut self, now_ms: i64, switches: Arc<Switches>) {
        self.now_ms = now_ms;
        self.switches = switches;
        while let Some(&(due, ix)) = self.due_etags.front() {
            if due > now_ms {
                break;
            }
            self.due_etags.pop_front();
            self.etags_due_of.remove(&ix);
            self.run_up_now(ix);
        }
        let expired: Vec<Ix> = self
            .trash
            .iter()
            .filter(|(_, trashed)| trashed.expires_ms <= now_ms)
            .map(|(ix, _)| *ix)
            .collect();
        for ix in expired {
            self.purge(ix);
        }
        self.snapshots.forget_before(now_ms, millis(self.switches.visible));
    }

    /// Begins or ends filling: what comes in meanwhile was always there, so the journal leaves it out and no etag
    /// follows it.
    pub fn set_filling(&mut self, filling: bool) {
        self.filling = filling;
    }

    /// The switches of the moment.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// A number that grows with every change of any item.
    pub fn changes(&self) -> u64 {
        self.zones.iter().map(|zone| zone.counter).sum()
    }

    /// The names of all zones, in the order in which they came to be.
    pub fn zone_names(&self) -> impl Iterator<Item = &str> {
        self.zones.iter().map(|zone| &*zone.name)
    }

    /// The number of the last change of a zone; 0 where there is no such zone.
    pub fn last_change_of(&self, zone: &str) -> u64 {
        self.zone_no(zone).map_or(0, |number| self.zones[usize::from(number)].counter)
    }

    /// The time of the last [`Model::tick`], in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The item behind an index that this model gave out.
    pub fn item(&self, ix: Ix) -> &Item {
        &self.items[ix as usize]
    }

    /// The item with this id, also when it is trashed or deleted.
    pub fn find(&self, zone: &str, docwsid: &str) -> Option<Ix> {
        let zone = self.zone_no(zone)?;
        self.by_id.get(&ItemId { zone, doc: Doc::parse(docwsid)? }).copied()
    }

    /// The item named by a `drivewsid`, also when it is trashed or deleted.
    pub fn find_drivewsid(&self, drivewsid: &str) -> Option<Ix> {
        let (_, zone, doc) = id::split_drivewsid(drivewsid)?;
        self.find(zone, doc)
    }

    /// Whether a zone exists.
    pub fn has_zone(&self, zone: &str) -> bool {
        self.zone_no(zone).is_some()
    }

    /// The name of an item's zone.
    pub fn zone_name(&self, ix: Ix) -> &str {
        &self.zones[usize::from(self.item(ix).id.zone)].name
    }

    /// Items in the order of their creation, deleted ones included.
    pub fn all(&self) -> impl Iterator<Item = Ix> + use<> {
        // Items are never removed, and there are fewer than 2^32 of them (checked in `add_item`).
        0..self.items.len() as Ix
    }

    /// Top-level trashed items.
    pub fn trash(&self) -> &BTreeMap<Ix, Trashed> {
        &self.trash
    }

    /// The members of a package; `None` for an ordinary file.
    pub fn package(&self, ix: Ix) -> Option<&[Member]> {
        self.packages.get(&ix).map(Vec::as_slice)
    }

    /// What happened to contents so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The etag as it is written: one token for folders, two for files (`docs/protocol.md §7.2`).
    pub fn etag(&self, ix: Ix) -> String {
        let item = self.item(ix);
        if item.folder.is_some() {
            token(item.meta_rev)
        } else {
            format!("{}::{}", token(item.meta_rev), token(item.content_rev))
        }
    }

    /// Children of a folder, in no particular but constant order; empty for a file.
    pub fn children(&self, ix: Ix) -> impl Iterator<Item = Ix> + '_ {
        self.item(ix).folder.iter().flat_map(|folder| folder.children.iter().map(|(_, child)| *child))
    }

    /// Whether an item is neither deleted nor below something deleted.
    pub fn is_live(&self, ix: Ix) -> bool {
        !matches!(self.top(ix).1, Place::Gone)
    }

    /// Whether an item is in the trash or below something in it.
    pub fn is_trashed(&self, ix: Ix) -> bool {
        matches!(self.top(ix).1, Place::Trash)
    }

    /// The highest item above `ix` (or itself) and where that one is.
    fn top(&self, mut ix: Ix) -> (Ix, Place) {
        loop {
            match self.item(ix).place {
                Place::In(parent) => ix = parent,
                place => return (ix, place),
            }
        }
    }

    /// The folders above an item, nearest first, without itself.
    pub fn ancestors(&self, ix: Ix) -> Vec<Ix> {
        let mut above = Vec::new();
        let mut at = ix;
        while let Place::In(parent) = self.item(at).place {
            above.push(parent);
            at = parent;
        }
        above
    }

    /// The path from the Drive's root (or from its trashed top) with `/`, in stored names.
    pub fn path(&self, ix: Ix) -> String {
        let mut parts: Vec<&str> = self.ancestors(ix).iter().map(|above| &*self.item(*above).name).collect();
        parts.retain(|part| !part.is_empty());
        parts.reverse();
        parts.push(&self.item(ix).name);
        parts.join("/")
    }

    /// Items below a folder, parents before children, without itself.
    pub fn below(&self, ix: Ix) -> Vec<Ix> {
        let mut found: Vec<Ix> = self.children(ix).collect();
        let mut next = 0;
        while next < found.len() {
            let at = found[next];
            found.extend(self.children(at));
            next += 1;
        }
        found
    }

    /// Notes that a client was shown an item's current etag.
    pub fn note_shown(&mut self, ix: Ix) {
        let item = &mut self.items[ix as usize];
        item.shown_rev = item.content_rev;
    }

    /// Notes that a client was given the content (or its signature) that an item now has.
    pub fn note_known(&mut self, ix: Ix) {
        let item = &mut self.items[ix as usize];
        item.shown_rev = item.content_rev;
        item.known_rev = item.content_rev;
    }

    fn zone_no(&self, name: &str) -> Option<ZoneNo> {
        // The number of zones is checked when one is added.
        self.zones.iter().position(|zone| zone.name == name).map(|at| at as ZoneNo)
    }

    /// The number of a zone, which is made when it is new.
    fn zone(&mut self, name: &str) -> ZoneNo {
        if let Some(known) = self.zone_no(name) {
            return known;
        }
        let number = ZoneNo::try_from(self.zones.len()).expect("fewer than 65536 zones");
        self.zones.push(Zone { name: name.to_owned(), counter: 70 });
        number
    }

    fn next_rev(&mut self, zone: ZoneNo) -> u64 {
        let counter = &mut self.zones[usize::from(zone)].counter;
        *counter += 1;
        *counter
    }

    /// A new id, drawn from the seed so that a run can be repeated.
    pub fn new_doc(&mut self) -> Doc {
        self.next_uuid += 1;
        let high = mix(self.seed.wrapping_add(self.next_uuid.wrapping_mul(2)));
        let low = mix(high ^ self.next_uuid);
        let raw = (u128::from(high) << 64) | u128::from(low);
        // Version 4, variant 1, as every identifier of the service has it.
        let raw = (raw & !(0xf << 76)) | (4 << 76);
        Doc::Uuid((raw & !(0b11 << 62)) | (0b10 << 62))
    }

    /// Adds an item without linking it to a parent.
    fn add_item(&mut self, id: ItemId, kind: Kind, name: &str, place: Place) -> Ix {
        let ix = Ix::try_from(self.items.len()).expect("fewer than 2^32 items");
        let meta_rev = self.next_rev(id.zone);
        let folder = kind.is_folder().then(|| Box::new(Folder::default()));
        self.items.push(Item {
            id,
            kind,
            name: name.into(),
            place,
            meta_rev,
            content_rev: if folder.is_some() { 0 } else { meta_rev },
            content_at_ms: self.now_ms,
            shown_rev: 0,
            known_rev: 0,
            created_ms: self.now_ms,
            modified_ms: self.now_ms,
            changed_ms: self.now_ms,
            executable: false,
            content: None,
            folder,
        });
        self.by_id.insert(id, ix);
        ix
    }

    /// Gives the parent a child.
    fn link(&mut self, parent: Ix, child: Ix) {
        let key = names::fold_hash(&self.item(child).name);
        let totals = self.totals_of(child);
        self.items[child as usize].place = Place::In(parent);
        if let Some(folder) = &mut self.items[parent as usize].folder {
            folder.children.insert((key, child));
        }
        self.add_totals(parent, totals);
    }

    /// Takes an item out of its parent; where it goes is the caller's next step.
    fn unlink(&mut self, child: Ix) {
        let Place::In(parent) = self.item(child).place else { return };
        let key = names::fold_hash(&self.item(child).name);
        let totals = self.totals_of(child);
        self.subtract_totals(parent, totals);
        if let Some(folder) = &mut self.items[parent as usize].folder {
            folder.children.remove(&(key, child));
        }
    }

    /// The child that a person means by `name`: the one stored so, else one that is the same in composed form.
    pub fn child_named(&self, parent: Ix, name: &str) -> Option<Ix> {
        let folder = self.item(parent).folder.as_ref()?;
        let key = names::fold_hash(name);
        let candidates = || folder.children.range((key, Ix::MIN)..=(key, Ix::MAX)).map(|(_, child)| *child);
        let stored = |child: &Ix| &*self.item(*child).name;
        candidates()
            .find(|child| stored(child) == name)
            .or_else(|| candidates().find(|child| names::same(Names::Nfc, stored(child), name)))
            .or_else(|| self.taken_by(parent, name, None))
    }

    /// The child that makes `name` taken in a folder by the rule of the moment, other than `except`.
    pub fn taken_by(&self, parent: Ix, name: &str, except: Option<Ix>) -> Option<Ix> {
        let folder = self.item(parent).folder.as_ref()?;
        let key = names::fold_hash(name);
        folder.children.range((key, Ix::MIN)..=(key, Ix::MAX)).map(|(_, child)| *child).find(|child| {
            Some(*child) != except && names::same(self.switches.names, &self.item(*child).name, name)
        })
    }
}

/// A duration in the model's unit.
fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
