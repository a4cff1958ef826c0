//! A world in memory for deterministic tests of the engine: an iCloud Drive, a disk, a
//! store and a clock, persons on both sides, faults, crashes, and the oracle of P1.
//!
//! Everything follows from one seed. Time stands still but for pauses.
//!
//! ```ignore
//! let world = World::new(7);
//! world.disk.write("a.txt", b"mine");
//! world.fuse.crash_after(12);
//! match world.run(|| engine_pass(&*world.drive, &*world.disk, world.store.clone(), &*world.clock)) {
//!     Outcome::Done(report) => …,
//!     Outcome::Crashed => world.restart(Crash::PowerCut),   // then a new engine from `world.store.durable()`
//! }
//! world.assert_equal_sides();
//! world.assert_nothing_lost();
//! ```
// Powers of the world stay whole though no test uses each of them at the moment.
#![allow(dead_code)]

pub mod clock;
pub mod disk;
pub mod drive;
pub mod fuse;
pub mod journal;
pub mod rng;
pub mod store;
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use clock::SimClock;
pub use disk::SimDisk;
pub use drive::SimDrive;
pub use fuse::{Call, Fault, Fuse, Outcome};
pub use journal::{Bytes, Journal, Thing};
pub use store::SimStore;

/// So long a machine without power stands still.
const POWER_AWAY: Duration = Duration::from_secs(30);

/// How a process ended that did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It was killed: the disk keeps all that was written.
    Kill,
    /// The power went: the disk loses what was not synced.
    PowerCut,
    /// The disk alone lost its power, or its cable: it loses what was not synced, and the machine, which runs on, mounts it anew.
    DiskAway,
}

/// All ports and what belongs to them.
pub struct World {
    /// What everything follows from.
    pub seed: u64,
    /// Steps, crashes, faults.
    pub fuse: Arc<Fuse>,
    /// What persons wrote.
    pub journal: Arc<Journal>,
    /// Time and chance.
    pub clock: Arc<SimClock>,
    /// iCloud Drive.
    pub drive: Arc<SimDrive>,
    /// The local disk.
    pub disk: Arc<SimDisk>,
    /// The stored state.
    pub store: SimStore,
}

impl World {
    /// A world with both sides empty.
    pub fn new(seed: u64) -> Self {
        let fuse = Arc::new(Fuse::new(seed));
        let journal = Arc::new(Journal::default());
        let clock = Arc::new(SimClock::new(rng::mix(seed), fuse.clone()));
        Self {
            seed,
            drive: Arc::new(SimDrive::new(clock.clone(), fuse.clone(), journal.clone())),
            disk: Arc::new(SimDisk::new(clock.clone(), fuse.clone(), journal.clone())),
            store: SimStore::new(fuse.clone()),
            fuse,
            journal,
            clock,
        }
    }

    /// Runs the process until it returns or crashes.
    pub fn run<R>(&self, process: impl FnOnce() -> R) -> Outcome<R> {
        self.fuse.run(process)
    }

    /// After a crash: what is volatile goes, and the process may start again.
    pub fn restart(&self, crash: Crash) {
        self.journal.could_not_look();
        if crash == Crash::PowerCut {
            self.lose_what_was_not_synced();
            self.clock.reboot(POWER_AWAY);
            self.store.lose((rng::mix(self.seed ^ self.fuse.steps() ^ 0xa1) % 4) as usize);
        }
        if crash == Crash::DiskAway {
            self.lose_what_was_not_synced();
            self.clock.advance(POWER_AWAY);
        }
        self.fuse.renew();
        self.disk.rescue_strays();
    }

    fn lose_what_was_not_synced(&self) {
        self.disk.power_cut(rng::mix(self.seed ^ self.fuse.steps()), &self.drive);
    }

    /// Where the two sides differ, one line for each path.
    pub fn differences(&self) -> Vec<String> {
        self.differences_but(|_| false)
    }

    /// As [`World::differences`], without the paths that take no part in the sync.
    pub fn differences_but(&self, ignored: impl Fn(&str) -> bool) -> Vec<String> {
        let (local, remote) = (in_one_order(self.disk.tree()), in_one_order(self.drive.tree()));
        let paths: BTreeSet<_> = local.keys().chain(remote.keys()).filter(|path| !ignored(path)).collect();
        let mut lines = Vec::new();
        for path in paths {
            let (here, there) = (local.get(path), remote.get(path));
            let same = match (here, there) {
                (Some(Thing::File(_)), Some(Thing::Package)) => true,
                (None, Some(Thing::Other)) | (Some(Thing::Other), None) => true,
                (here, there) => here == there,
            };
            if !same {
                lines.push(format!("{path}: here {}, on iCloud {}", show(here), show(there)));
            }
        }
        lines
    }

    /// Fails unless both sides hold the same.
    pub fn assert_equal_sides(&self) {
        let differences = self.differences();
        assert!(differences.is_empty(), "seed {}: the sides differ\n{}", self.seed, differences.join("\n"));
    }

    /// P1: contents that must be somewhere and are nowhere, neither on a side nor in a trash.
    pub fn lost_contents(&self) -> Vec<Bytes> {
        self.lost_but(Vec::new())
    }

    /// As [`World::lost_contents`], where these are kept elsewhere.
    pub fn lost_but(&self, elsewhere: Vec<Bytes>) -> Vec<Bytes> {
        let here = self.disk.all_contents().into_iter().chain(self.drive.contents());
        let kept: BTreeSet<Bytes> = here.chain(elsewhere).collect();
        // The zip of a package may differ at each fetch; it begins as it was written.
        let is_zip = |content: &Bytes| {
            content.starts_with(b"PK\x03\x04") && kept.iter().any(|file| file.starts_with(content))
        };
        let at_stake = self.journal.at_stake().into_iter();
        at_stake.filter(|content| !kept.contains(content) && !is_zip(content)).collect()
    }

    /// Fails when a content is lost.
    pub fn assert_nothing_lost(&self) {
        let lost: Vec<_> =
            self.lost_contents().iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        assert!(lost.is_empty(), "seed {}: lost for good: {lost:?}", self.seed);
    }
}

/// Of two items in a folder whose names differ in their Unicode form alone, which are ` #2` by the order of the side's own names: the file
/// comes before the folder, and the lesser content before the other.
fn in_one_order(mut things: journal::Things) -> journal::Things {
    let rank = |thing: &Thing| match thing {
        Thing::File(content) => (0, content.to_vec()),
        Thing::Folder => (1, Vec::new()),
        // Here it is a file, whose content begins so.
        Thing::Package => (0, b"PK\x03\x04".to_vec()),
        Thing::Other => (3, Vec::new()),
    };
    let seconds: Vec<_> = things.keys().filter(|path| path.ends_with(" #2")).cloned().collect();
    for second in seconds {
        let first = second.trim_end_matches(" #2").to_owned();
        let (Some(one), Some(other)) = (things.get(&first), things.get(&second)) else { continue };
        if rank(one) <= rank(other) {
            continue;
        }
        let swapped = |path: &str| {
            let below =
                |top: &str| path.strip_prefix(top).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            let to = |top: &str, rest: &str| format!("{top}{rest}");
            below(&second)
                .map(|rest| to(&first, rest))
                .or_else(|| below(&first).map(|rest| to(&second, rest)))
        };
        things = things.into_iter().map(|(path, thing)| (swapped(&path).unwrap_or(path), thing)).collect();
    }
    things
}

/// A thing in a few words.
pub fn show(thing: Option<&Thing>) -> String {
    match thing {
        None => "nothing".into(),
        Some(Thing::File(content)) => format!("{:?}", String::from_utf8_lossy(content)),
        Some(other) => format!("{other:?}"),
    }
}
