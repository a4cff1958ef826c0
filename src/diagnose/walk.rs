//! Looks at the drive: the root, the trash, and as many folders as a bounded number of listings takes, some of them many at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::time::Duration;

use super::ask::{Asker, NotAsked, Said};
use crate::icloud::http::{Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::survey::{self, Entry, Held, Names};
use crate::model::ItemId;

/// So many listings are made of folders, beside those of the root and the trash.
pub const MOST_LISTINGS: usize = 14;
/// The numbers of folders in one request that are tried.
pub const SIZES: [usize; 3] = [20, 40, 80];
/// So many folders are listed one by one, to see how long that takes.
const SINGLES: usize = 3;
/// Before any number was seen to be taken, so many folders are listed at once to find more of them.
const CAUTIOUS: usize = 10;

/// Limits of a listing: longer than the slowest that was seen, and small enough for a small machine.
const LISTING: Limits = Limits {
    may_be_slow: true,
    connect: Duration::from_secs(20),
    whole: Some(Duration::from_secs(180)),
    stall: Duration::from_secs(120),
    max_body: 64 << 20,
};

/// What one request for several folders was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many folders it named.
    pub asked: usize,
    /// In words.
    pub said: String,
    /// Whether there was an answer that holds entries.
    pub answered: bool,
    /// Folders that the answer does not hold.
    pub missing: usize,
    /// Folders with an error word.
    pub refused: usize,
    /// Whether the entries came in the order asked.
    pub in_order: bool,
}

/// A listing of one folder that matters by itself.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What it was answered with, in words.
    pub said: String,
    /// Files in it and below, as the service counts them.
    pub file_count: Option<u64>,
    /// What it holds; `None` where there was no usable answer.
    pub held: Option<Held>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The root.
    pub root: Look,
    /// The trash.
    pub trash: Look,
    /// The requests for several folders.
    pub batches: Vec<Batch>,
    /// Folders that were listed, the root included.
    pub folders: u64,
    /// Those whose listing does not hold as much as it says.
    pub short: u64,
    /// Those that held another number of items at a second look, with the same etag.
    pub differing: u64,
    /// Whether all folders of the drive were listed.
    pub is_whole: bool,
    /// Everything seen in them, added up.
    pub sum: Sum,
    /// App libraries: how many answered with what.
    pub libraries: BTreeMap<String, u64>,
    /// Files in app libraries, as the service counts them.
    pub library_files: u64,
}

/// Counts over many folders.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Items.
    pub items: u64,
    /// Files.
    pub files: u64,
    /// By kind.
    pub kinds: BTreeMap<String, u64>,
    /// The forms of names.
    pub names: Names,
    /// Folders whose name came split.
    pub split_folders: u64,
    /// Folders.
    pub folders: u64,
    /// Shared items.
    pub shared: u64,
    /// Items without an id.
    pub without_id: u64,
    /// Zones; never shown.
    pub zones: BTreeSet<String>,
    /// A file of no bytes.
    pub empty: Option<ItemId>,
    /// The smallest other file, and its size in bytes.
    pub smallest: Option<(ItemId, u64)>,
}

impl Sum {
    fn add(&mut self, held: &Held) {
        self.items += held.count;
        self.files += held.files;
        self.names.add(&held.names);
        self.split_folders += held.split_folders;
        self.folders += u64::try_from(held.folders.len()).unwrap_or(u64::MAX);
        self.shared += held.shared;
        self.without_id += held.without_id;
        for (kind, count) in &held.kinds {
            *self.kinds.entry(kind.clone()).or_insert(0) += count;
        }
        self.zones.extend(held.zones.iter().cloned());
        self.empty = self.empty.take().or_else(|| held.empty.clone());
        if let Some((id, size)) = &held.smallest
            && self.smallest.as_ref().is_none_or(|(_, least)| size < least)
        {
            self.smallest = Some((id.clone(), *size));
        }
    }
}

/// The folders that are known, in the order in which they were found, and what was seen of them.
#[derive(Default)]
struct Known {
    folders: Vec<ItemId>,
    /// The etag and the number of items of those that were listed.
    listed: HashMap<ItemId, (String, u64)>,
    tried: BTreeSet<usize>,
}

impl Known {
    fn unlisted(&self) -> Vec<usize> {
        (0..self.folders.len()).filter(|at| !self.tried.contains(at)).collect()
    }

    /// The first `count` folders to list, those that nobody listed yet before the others.
    fn choose(&self, count: usize) -> Vec<usize> {
        let mut chosen = self.unlisted();
        chosen.extend(self.tried.iter().copied());
        chosen.truncate(count);
        chosen
    }
}

/// Walks. `tell` is told what is looked at next.
pub fn walk(asker: &Asker, tell: &dyn Fn(&str)) -> Walk {
    let mut walk = Walk::default();
    let mut known = Known::default();
    tell("the root");
    let root = ItemId::drive_root();
    walk.root = look_at_root(asker, &mut walk, &mut known, &root);
    if walk.root.held.is_none() {
        return walk;
    }
    tell("the trash");
    walk.trash = look_at_trash(asker);
    let mut left = MOST_LISTINGS;
    let mut largest = None;
    for at in known.choose(SINGLES) {
        list(asker, &mut walk, &mut known, &[at], "listing_of_a_folder", &mut left);
    }
    for size in SIZES {
        tell(&format!("{size} folders in one request"));
        grow(asker, &mut walk, &mut known, size, largest, &mut left);
        let chosen = known.choose(size);
        if chosen.len() < size || left == 0 {
            break;
        }
        let label = match size {
            20 => "listing_of_20_folders",
            40 => "listing_of_40_folders",
            _ => "listing_of_80_folders",
        };
        let Some(batch) = list(asker, &mut walk, &mut known, &chosen, label, &mut left) else { break };
        if batch.answered {
            largest = Some(size);
        }
        walk.batches.push(batch);
        if largest != Some(size) {
            break;
        }
    }
    tell("the other folders");
    while left > 0 && !known.unlisted().is_empty() {
        let chosen: Vec<usize> = known.unlisted().into_iter().take(largest.unwrap_or(CAUTIOUS)).collect();
        if step(asker, &mut walk, &mut known, &chosen, &mut left).is_none() {
            break;
        }
    }
    walk.is_whole = known.unlisted().is_empty() && known.listed.len() == known.folders.len() + 1;
    look_at_libraries(asker, &mut walk);
    walk
}

/// Lists folders until `wanted` are known, or there are no more.
fn grow(
    asker: &Asker,
    walk: &mut Walk,
    known: &mut Known,
    wanted: usize,
    largest: Option<usize>,
    left: &mut usize,
) {
    // One is kept for the number that is to be tried.
    while known.folders.len() < wanted && *left > 1 {
        let chosen: Vec<usize> = known.unlisted().into_iter().take(largest.unwrap_or(CAUTIOUS)).collect();
        if chosen.is_empty() || step(asker, walk, known, &chosen, left).is_none() {
            return;
        }
    }
}

/// Lists some folders at once, or one of them where the service takes no more.
fn step(
    asker: &Asker,
    walk: &mut Walk,
    known: &mut Known,
    chosen: &[usize],
    left: &mut usize,
) -> Option<Batch> {
    let refuses = walk.batches.iter().any(|batch| !batch.answered && batch.asked <= chosen.len());
    let chosen = if refuses { &chosen[..1.min(chosen.len())] } else { chosen };
    let batch = list(asker, walk, known, chosen, "listing_of_some_folders", left)?;
    if !batch.answered && chosen.len() > 1 {
        // They are asked for one by one then.
        for at in chosen {
            known.tried.remove(at);
        }
        walk.batches.push(batch.clone());
    }
    Some(batch)
}

/// Lists folders at once. `None` when nothing more may be asked.
fn list(
    asker: &Asker,
    walk: &mut Walk,
    known: &mut Known,
    chosen: &[usize],
    label: &'static str,
    left: &mut usize,
) -> Option<Batch> {
    if *left == 0 || chosen.is_empty() {
        return None;
    }
    *left -= 1;
    let ids: Vec<_> = chosen.iter().map(|at| known.folders[*at].clone()).collect();
    known.tried.extend(chosen.iter().copied());
    let (said, entries) = listing(asker, label, &survey::listing_of(&ids, false));
    if let Said::NotAsked(_) = said {
        return None;
    }
    let entries = entries.unwrap_or_default();
    let came: Vec<_> = entries.iter().filter_map(Entry::id).collect();
    let missing = ids.iter().filter(|id| !came.contains(id)).count();
    let batch = Batch {
        asked: ids.len(),
        said: said.words(),
        answered: !entries.is_empty(),
        missing,
        refused: entries.iter().filter(|entry| entry.refusal().is_some()).count(),
        in_order: came.iter().zip(&ids).all(|(came, asked)| came == asked) || missing > 0,
    };
    for entry in entries {
        take(walk, known, entry);
    }
    Some(batch)
}

/// Notes what one folder holds.
fn take(walk: &mut Walk, known: &mut Known, entry: Entry) {
    let (Some(id), adds_up, None) = (entry.id(), entry.adds_up(), entry.refusal()) else { return };
    let etag = entry.etag().to_owned();
    let Some(held) = entry.held else { return };
    walk.short += u64::from(adds_up == Some(false));
    match known.listed.insert(id, (etag.clone(), held.count)) {
        Some((before, count)) => {
            walk.differing += u64::from(before == etag && count != held.count);
        }
        None => {
            walk.folders += 1;
            walk.sum.add(&held);
            let new: Vec<_> = held.folders.into_iter().filter(|id| !known.folders.contains(id)).collect();
            known.folders.extend(new);
        }
    }
}

fn listing(asker: &Asker, label: &'static str, body: &str) -> (Said, Option<Vec<Entry>>) {
    let request = Request {
        root: Root::Drivews,
        method: Method::Post,
        path: "/retrieveItemDetailsInFolders",
        query: &[],
        body: body.as_bytes(),
        limits: LISTING,
        kind: "retrieveItemDetailsInFolders",
        changes: false,
    };
    let mut entries = None;
    let mut read = |body: &mut dyn Read| {
        entries = survey::read(body)?;
        Ok(())
    };
    let said = asker.ask(label, &request, Some(&mut read));
    match said {
        // An object is a refusal with a good status.
        Said::Good(answer) if !answer.body.is_empty() => {
            (Said::Refused(answer.head.status, super::ask::refusal_of(&answer.body)), None)
        }
        said => (said, entries),
    }
}

fn look_at_root(asker: &Asker, walk: &mut Walk, known: &mut Known, root: &ItemId) -> Look {
    let body = survey::listing_of(std::slice::from_ref(root), false);
    let (mut said, mut entries) = listing(asker, "listing_of_the_root", &body);
    if matches!(said, Said::Refused(400 | 401 | 421 | 450, _)) {
        // The session held a moment ago: a new one of the same sign-in, over new connections, once.
        asker.service().http().fresh_connections();
        if asker.service().renew_session().is_ok() {
            (said, entries) = listing(asker, "listing_of_the_root", &body);
        }
    }
    let mut look = Look { said: said.words(), ..Look::default() };
    let Some(entry) = entries.into_iter().flatten().find(|entry| entry.id().as_ref() == Some(root)) else {
        return look;
    };
    look.file_count = entry.file_count;
    look.held.clone_from(&entry.held);
    take(walk, known, entry);
    // A second look, which may come from another place.
    let brief = survey::listing_of(std::slice::from_ref(root), true);
    let (_, again) = listing(asker, "listing_of_the_root", &brief);
    for entry in again.into_iter().flatten().filter(|entry| entry.id().as_ref() == Some(root)) {
        take(walk, known, entry);
    }
    look
}

fn look_at_trash(asker: &Asker) -> Look {
    let (said, entries) = listing(asker, "listing_of_the_trash", &survey::listing_of_trash());
    let said = said.words();
    let Some(entry) = entries.into_iter().flatten().find(Entry::is_trash) else {
        return Look { said, ..Look::default() };
    };
    Look { said, file_count: entry.file_count, held: entry.held }
}

fn look_at_libraries(asker: &Asker, walk: &mut Walk) {
    let libraries = walk.root.held.as_ref().map(|held| held.libraries.clone()).unwrap_or_default();
    for library in libraries.iter().take(SINGLES) {
        let body = survey::listing_of(std::slice::from_ref(library), false);
        let (said, entries) = listing(asker, "listing_of_an_app_library", &body);
        if matches!(said, Said::NotAsked(NotAsked::Stopped | NotAsked::Spent | NotAsked::Resting)) {
            return;
        }
        let entry = entries.into_iter().flatten().next();
        let word = match &entry {
            None => said.words(),
            Some(entry) => match (entry.refusal(), &entry.held) {
                (Some(word), _) => word,
                (None, Some(held)) if held.count == 0 => "empty".to_owned(),
                (None, Some(_)) => "listed".to_owned(),
                (None, None) => "listed without items".to_owned(),
            },
        };
        *walk.libraries.entry(word).or_insert(0) += 1;
        walk.library_files += entry.and_then(|entry| entry.file_count).unwrap_or(0);
    }
}
