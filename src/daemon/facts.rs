//! What is known at one moment, as far as it decides what is done next. Plain data: the owners give it, the scheduler judges it.

use std::time::Instant;

use super::engine_slot::JobKind;
use super::work::Due;
use crate::status::DaemonState;

/// Who asks iCloud without the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Signs in and finds the folder.
    Reach,
    Walk,
    Check,
}

/// What is known of iCloud itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contact {
    /// It was not walked through since it was reached, or something failed there since.
    Unseen,
    /// The last walk ended well, and nothing has failed on iCloud since.
    Seen,
    /// It was away: a check has to succeed before anything else is asked of it.
    Away,
}

/// How far the local root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootIs {
    /// Not found, or let go.
    Absent,
    /// Found, and nobody knows yet whether it is this state's.
    Found,
    /// Open, and this state's.
    Open,
}

/// How far the watch over the local root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchIs {
    /// Only passes that follow a walk look here.
    Off,
    /// The folder is scanned now and then.
    Polling,
    /// Not every folder is watched yet: a scan that begins now would miss something.
    Starting,
    /// A scan that begins now misses nothing.
    Ready,
}

/// Everything that decides what is done next.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Since when it stops; `None` while it does not.
    pub stopping_since: Option<Instant>,
    /// A person paused it.
    pub is_paused: bool,
    /// Somebody knows whose the state is.
    pub has_owner: bool,
    /// What was asked for and waits for the engine.
    pub waiting: Waiting,
    /// The pass that is due.
    pub due: Due,
    /// When the daily housekeeping is due.
    pub housekeeping_at: Instant,
    /// When the store is made smaller; `None` while that is not worth it.
    pub shrink_at: Option<Instant>,
    /// The job that has the engine.
    pub job: Option<JobFacts>,
    pub local: LocalFacts,
    pub remote: RemoteFacts,
}

/// What people asked for that needs the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    pub plan: bool,
    pub dump: bool,
    /// Answers about held deletions.
    pub answers: bool,
}

/// The job that has the engine.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobFacts {
    pub kind: JobKind,
    pub since: Instant,
    /// It carries things out.
    pub is_working: bool,
    /// When it has had its time; `None` while it carries nothing out.
    pub yield_at: Option<Instant>,
    /// It was told to come to an early end.
    pub is_told_to_yield: bool,
}

/// The local side.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalFacts {
    pub root: RootIs,
    pub watch: WatchIs,
    /// A complete scan is due.
    pub scan_due: bool,
    /// When the first folder that changed has been quiet for long enough.
    pub quiet_at: Option<Instant>,
    /// When everything is scanned because not everything can be watched.
    pub poll_at: Option<Instant>,
    /// When everything is scanned all the same.
    pub verify_at: Instant,
    /// After a failure: nothing is tried before.
    pub not_before: Option<Instant>,
    pub problem: Option<DaemonState>,
}

/// iCloud.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteFacts {
    /// The folder is found.
    pub is_reached: bool,
    pub contact: Contact,
    /// The engine has seen it.
    pub has_view: bool,
    /// Who asks it now, and since when.
    pub asking: Option<(Asking, Instant)>,
    /// When the stored session is read again, while a person is waited for.
    pub session_at: Option<Instant>,
    /// After a failure: nothing is tried before.
    pub not_before: Option<Instant>,
    pub walk_at: Instant,
    pub check_at: Instant,
    /// When its trash is looked at; `None` while somebody does.
    pub trash_at: Option<Instant>,
    /// When its push channel is listened to; `None` while somebody does, or nobody should.
    pub listen_at: Option<Instant>,
    pub problem: Option<DaemonState>,
}

/// Whether a failure still forbids trying.
pub(super) fn must_wait(not_before: Option<Instant>, now: Instant) -> bool {
    not_before.is_some_and(|at| at > now)
}

/// Facts that tests begin from.
#[cfg(test)]
pub(super) mod testing;
