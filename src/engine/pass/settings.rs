//! What a pass is asked to do, and why it may not come to its end.

use std::time::Duration;

use crate::engine::execute::{End, ExecuteOptions, Packages};
use crate::engine::guard::GuardLimits;
use crate::engine::observe::remote::Touched;
use crate::engine::operation::{Plan, Replacement};
use crate::engine::plan::{ConflictPolicy, Mode};
use crate::engine::ports::{DiskError, RemoteError, StoreError};
use crate::engine::view::LocalView;
use crate::model::filter::Filter;
use crate::model::{RelPath, State};

/// How long what fails is tried again, while nothing succeeds (`docs/sync.md` §6, Retries): less than the minute after which a run has to
/// end, since the client has waited a little before it says that something failed.
pub const RETRY_BUDGET: Duration = Duration::from_secs(40);

/// What the owner configured, as far as passes need it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which sides may change.
    pub mode: Mode,
    /// Who keeps the name in a conflict.
    pub conflict: ConflictPolicy,
    /// How an edit replaces the version on iCloud.
    pub replacement: Replacement,
    /// What becomes of packages.
    pub packages: Packages,
    /// Larger files are left alone; bytes.
    pub max_file_size: Option<u64>,
    /// Which paths take part.
    pub filter: Filter,
    /// App libraries that are opted in, by shown name or zone.
    pub app_libraries: Vec<String>,
    /// Whether `sync.remote_root` is an app's library.
    pub root_is_library: bool,
    /// Whether what goes to iCloud's trash is deleted for good right after.
    pub remote_delete_permanent: bool,
    /// Listings and transfers in parallel.
    pub workers: usize,
    /// Commits of new files that may overlap on iCloud, at least 1.
    pub parallel_writes: usize,
    /// When deletions wait for a person.
    pub guard: GuardLimits,
}

impl Settings {
    /// How an edit replaces the version on iCloud, which may have refused to take it in place.
    pub(super) fn replacement_now(&self, state: &State) -> Replacement {
        match state.calibration.in_place_refused {
            true => Replacement::Trash,
            false => self.replacement,
        }
    }

    /// How a plan is carried out, as far as these settings say it.
    pub(super) fn execution<'a>(
        &self,
        state: &State,
        conflict_name: &'a dyn Fn(&RelPath, u32) -> RelPath,
        is_junk: &'a dyn Fn(&str) -> bool,
    ) -> ExecuteOptions<'a> {
        ExecuteOptions {
            workers: self.workers,
            remote_delete_permanent: self.remote_delete_permanent,
            in_place: self.replacement_now(state) == Replacement::InPlace,
            packages: self.packages,
            max_file_size: self.max_file_size,
            ..ExecuteOptions::new(conflict_name, is_junk)
        }
    }
}

/// Where to look before planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The whole drive here, or only these folders; folders are added to what is known already.
    pub local: LocalLook,
    /// How much of iCloud.
    pub remote: RemoteLook,
}

/// How much of iCloud is looked at. What no look shows is as the last one and our own writes say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RemoteLook {
    /// Nothing, unless it was never looked at.
    #[default]
    Nothing,
    /// Where something is said to have changed, if that can be told; else everything.
    Touched(Touched),
    /// The folders whose etag moved, if that can be told; else everything.
    Etags,
    /// Everything.
    Whole,
}

/// How much of the local drive is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocalLook {
    /// All of it.
    #[default]
    Whole,
    /// These folders.
    Folders(Vec<RelPath>),
}

impl Look {
    /// Everything on both sides.
    pub fn whole() -> Self {
        Self { local: LocalLook::Whole, remote: RemoteLook::Whole }
    }
}

/// What concerns one pass only.
pub struct PassOptions<'a> {
    /// `YYYY-MM-DD HH-MM-SS HOST`, for conflict copies.
    pub conflict_mark: &'a str,
    /// Set-aside items are tried before their time.
    pub ignore_next_try: bool,
    /// How long what fails is tried again while nothing succeeds.
    pub retry_budget: Duration,
    /// Who watches it.
    pub observer: &'a dyn PassObserver,
}

/// Who watches a pass, from the thread that carries it out, and has a say in what it counts on. A method that is left out is
/// that of a pass which nobody watches.
pub trait PassObserver {
    /// Asked after the look: whether nothing changed here meanwhile. A move has two halves, so while this says no,
    /// nothing counts as deleted here, and nobody is asked about it (`docs/sync.md` §7).
    fn is_settled_here(&self) -> bool {
        true
    }

    /// Asked while the plan is carried out: whether something else waits, so that nothing new is begun.
    fn should_yield(&self) -> bool {
        false
    }

    /// Told before each part of the pass.
    fn on_phase(&self, _phase: Phase) {}

    /// Told what will be done, before the first of it is, and what was seen here.
    fn on_plan(&self, _plan: &Plan, _seen: Option<&LocalView>) {}
}

/// Nobody watches.
pub struct Unwatched;

impl PassObserver for Unwatched {}

/// The parts of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Both sides are looked at; `true` when iCloud is walked through.
    Looking(bool),
    /// The plan is carried out.
    Working,
}

impl<'a> PassOptions<'a> {
    /// Options of a pass that nobody watches.
    pub fn new(conflict_mark: &'a str) -> Self {
        Self { conflict_mark, ignore_next_try: false, retry_budget: RETRY_BUDGET, observer: &Unwatched }
    }
}

/// Why a pass did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// iCloud: not reachable, the account needs something, or the program is asked to stop.
    #[error("{0}")]
    Remote(RemoteError),
    /// The drive's folder, or `remote_root`, is not the one of this state: nothing is read as a deletion.
    #[error("{0}")]
    WrongFolder(String),
    /// The disk.
    #[error("{0}")]
    Disk(String),
    /// No space, or no quota, is left on the disk.
    #[error("{0}")]
    Full(String),
    /// Open files or memory ran out: that passes, and says nothing of the folder.
    #[error("{0}")]
    Short(String),
    /// The state cannot be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DiskError> for PassError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::WrongRoot(text) => Self::WrongFolder(text),
            DiskError::Full { .. } => Self::Full(error.to_string()),
            _ if error.is_shortage() => Self::Short(error.to_string()),
            other => Self::Disk(other.to_string()),
        }
    }
}

impl From<End> for PassError {
    fn from(end: End) -> Self {
        match end {
            End::Remote(error) => Self::Remote(error),
            End::WrongRoot(text) => Self::WrongFolder(text),
            End::Disk(text) => Self::Disk(text),
            End::Full(text) => Self::Full(text),
            End::Short(text) => Self::Short(text),
            End::Store(error) => Self::Store(error),
        }
    }
}
