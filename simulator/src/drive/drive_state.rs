//! What the drive half keeps.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use super::model::content::Hashes;
use super::model::{Ix, Model};
use super::refusals::Refusals;
use super::staging::Staging;

/// The drive half's part of the simulator.
#[derive(Debug)]
pub struct Drive {
    /// Items, zones, trash.
    pub model: Model,
    /// Slots, staged contents, download addresses.
    pub staging: Staging,
    /// Which writes S-busy refuses by chance.
    pub(super) refusals: Refusals,
    /// So many createFolders calls still answer `UNKNOWN` though they work (`docs/protocol.md §10.1`).
    pub unknown_creates: u32,
    /// Listings give packages this size instead of their own.
    pub package_size: Option<u64>,
    /// Broken invariants that wait to be recorded: the drive cannot reach the record while it is locked.
    pub(super) broken: Vec<String>,
    /// Ids that already answered "gone" once (S-flap).
    pub(super) flapped: HashSet<Ix>,
    /// How often the two listings that cost the service much were asked for.
    pub asked: Asked,
    /// The drive's changes when the root was last listed.
    pub(super) root_listed_at: Option<u64>,
    /// How often each folder was listed (S-short strikes every other time).
    pub(super) listed: HashMap<Ix, u64>,
    /// Hashes of contents by item, with the content's change number.
    pub(super) hashes: HashMap<Ix, (u64, Hashes)>,
}

impl Drive {
    /// An empty drive at the machine's time; `seed` decides the ids it will give.
    pub fn new(seed: u64) -> Self {
        Self {
            model: Model::new(seed, millis_since_1970(SystemTime::now())),
            staging: Staging::new(seed),
            refusals: Refusals::new(seed),
            unknown_creates: 0,
            package_size: None,
            broken: Vec::new(),
            flapped: HashSet::new(),
            asked: Asked::default(),
            root_listed_at: None,
            listed: HashMap::new(),
            hashes: HashMap::new(),
        }
    }
}

/// How often the two listings that cost the service much were asked for (`docs/protocol.md` §8.1, §9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The root's.
    pub root: u64,
    /// The trash's.
    pub trash: u64,
    /// Either in one request with another folder, which then waits for it.
    pub mixed: u64,
}

impl Default for Drive {
    fn default() -> Self {
        Self::new(1)
    }
}

/// A time in the unit of the model.
pub(super) fn millis_since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 4)
}
