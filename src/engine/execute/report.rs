//! What the executor tells: events while it works, the outcome at the end, and why a step stopped.

use std::io::ErrorKind;
use std::time::Duration;

use super::window::Window;
use crate::engine::operation::Reason;
use crate::engine::ports::{DiskError, RemoteError, StoreError};
use crate::model::{Change, Etag, ItemId, RelPath, Side};

/// What was done to one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectKind {
    /// Both sides held the same: the base learnt it.
    Adopt,
    /// The base forgot it.
    Forget,
    /// A folder is kept on one side only: the base learnt it.
    Keep,
    /// A folder was made.
    MakeFolder,
    /// Content came here.
    Download,
    /// Content went to iCloud.
    Upload,
    /// It changed its folder.
    Move,
    /// It changed its name only.
    Rename,
    /// It went to that side's trash.
    Delete,
    /// Both versions were kept, or one gave way by the configured rule.
    Conflict,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What was done.
    pub kind: EffectKind,
    /// On which side; `None` when only the base learnt, of a folder that is kept when it stands on both.
    pub side: Option<Side>,
    /// The item.
    pub path: RelPath,
    /// Moves and renames: where it was. Conflicts: the copy that was kept beside it.
    pub other: Option<RelPath>,
    /// Bytes transferred.
    pub bytes: u64,
    /// Why.
    pub reason: Reason,
}

/// How far the pass is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Operations that are over, well or not.
    pub items_done: u64,
    /// All operations.
    pub items_total: u64,
    /// Bytes transferred so far, repeated ones included.
    pub bytes_done: u64,
    /// Bytes that the plan announced, or that were transferred where those are more.
    pub bytes_total: u64,
}

/// Something worth a log line or a step of a progress bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An effect was carried out and verified.
    Done(Effect),
    /// An item is left until later.
    SetAside {
        /// The item.
        path: RelPath,
        /// Why, for the owner.
        reason: String,
        /// When it is tried again, Unix seconds.
        next_try: Option<i64>,
    },
    /// An item is left alone by rule.
    Skipped {
        /// The item.
        path: RelPath,
        /// The rule.
        reason: String,
    },
    /// The world moved on before an operation's turn; the item is planned again.
    PlanAgain {
        /// The item.
        path: RelPath,
        /// What was different.
        why: String,
    },
    /// A step failed and is tried again in this pass.
    Retry {
        /// The item.
        path: RelPath,
        /// What went wrong.
        why: String,
        /// How long until then.
        wait: Duration,
    },
    /// How far the pass is.
    Progress(Progress),
    /// A change of the state is stored, and applied: what was looked at before may learn it.
    Stored(Change),
}

/// Why a pass ended before its plan did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// iCloud: not reachable, the account needs something, or the program is asked to stop.
    #[error("{0}")]
    Remote(RemoteError),
    /// The drive's folder is not the one of this state.
    #[error("{0}")]
    WrongRoot(String),
    /// What was done here cannot be made durable.
    #[error("cannot make changes durable: {0}")]
    Disk(String),
    /// No space is left to make it durable.
    #[error("cannot make changes durable: {0}")]
    Full(String),
    /// Open files or memory ran out before it was durable: that passes.
    #[error("cannot make changes durable: {0}")]
    Short(String),
    /// The state cannot be saved.
    #[error(transparent)]
    Store(StoreError),
}

/// How often each thing was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files uploaded.
    pub uploads: u64,
    /// Files downloaded.
    pub downloads: u64,
    /// Items moved or renamed here.
    pub moved_local: u64,
    /// Items moved or renamed on iCloud.
    pub moved_remote: u64,
    /// Items that went to the local trash.
    pub deleted_local: u64,
    /// Items that went to iCloud's trash; a folder counts as one.
    pub deleted_remote: u64,
    /// Folders made here.
    pub folders_local: u64,
    /// Folders made on iCloud.
    pub folders_remote: u64,
    /// Conflicts settled.
    pub conflicts: u64,
    /// Items that only the base learnt of.
    pub adopted: u64,
    /// Items set aside.
    pub set_aside: u64,
    /// Bytes that came or went with the above.
    pub bytes: u64,
}

impl Counts {
    /// Whether something was brought here that others did on iCloud.
    pub fn comes_from_there(&self) -> bool {
        self.downloads + self.moved_local + self.deleted_local + self.folders_local > 0
    }

    /// Counts what an effect is one of.
    pub(super) fn add(&mut self, effect: &Effect) {
        let is_local = effect.side == Some(Side::Local);
        let count = match effect.kind {
            EffectKind::Adopt => Some(&mut self.adopted),
            EffectKind::Forget | EffectKind::Keep => None,
            EffectKind::MakeFolder if is_local => Some(&mut self.folders_local),
            EffectKind::MakeFolder => Some(&mut self.folders_remote),
            EffectKind::Download => Some(&mut self.downloads),
            EffectKind::Upload => Some(&mut self.uploads),
            EffectKind::Move | EffectKind::Rename if is_local => Some(&mut self.moved_local),
            EffectKind::Move | EffectKind::Rename => Some(&mut self.moved_remote),
            EffectKind::Delete if is_local => Some(&mut self.deleted_local),
            EffectKind::Delete => Some(&mut self.deleted_remote),
            EffectKind::Conflict => Some(&mut self.conflicts),
        };
        if let Some(count) = count {
            *count += 1;
        }
        self.bytes += effect.bytes;
    }
}

/// An item that is left alone by rule, in the version that was found out about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The item's path; its name stays held.
    pub path: RelPath,
    /// The item on iCloud.
    pub id: ItemId,
    /// The version that was looked at.
    pub etag: Etag,
    /// The rule.
    pub reason: String,
}

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How often each thing was done.
    pub counts: Counts,
    /// Items that were set aside in this pass, and why.
    pub failed: Vec<(RelPath, String)>,
    /// Items that must be planned again because the world moved on, and what was different.
    pub plan_again: Vec<(RelPath, String)>,
    /// Whether iCloud did not say at last whether the folders still stand that something went into.
    pub unconfirmed: bool,
    /// Operations left out because an earlier one they build on did not succeed, or its next try has not come.
    pub waiting: u64,
    /// Items found out to be left alone by rule.
    pub skipped: Vec<Skipped>,
    /// Set when the pass ended early.
    pub ended: Option<End>,
    /// Whether operations were left for the next pass because something else waited.
    pub cut_short: bool,
    /// How many commits of new files may overlap, for the next pass.
    pub window: Window,
}

/// Why one step did not come to its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StepFailure {
    /// The world moved on; nothing was done, or it was put right.
    Replan(String),
    /// Worth another try in this pass.
    Again {
        /// What went wrong.
        why: String,
        /// What the service asked for.
        after: Option<Duration>,
    },
    /// What was sent ahead is not there any more: worth another try, from the sending on.
    Resend(String),
    /// Fails for good, or for now: set aside.
    Aside(String),
    /// Left alone by rule.
    Skip(String),
    /// Nothing else would fare better.
    End(End),
}

impl StepFailure {
    /// Worth another try, with no wish of the service's.
    pub(super) fn again(why: impl Into<String>) -> Self {
        Self::Again { why: why.into(), after: None }
    }

    /// The world moved on.
    pub(super) fn replan(why: impl Into<String>) -> Self {
        Self::Replan(why.into())
    }
}

impl std::fmt::Display for StepFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Replan(why)
            | Self::Again { why, .. }
            | Self::Resend(why)
            | Self::Aside(why)
            | Self::Skip(why) => f.write_str(why),
            Self::End(end) => end.fmt(f),
        }
    }
}

impl From<End> for StepFailure {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<RemoteError> for StepFailure {
    fn from(error: RemoteError) -> Self {
        let why = error.to_string();
        // Every kind by name: one that is new has to have its consequence chosen.
        match error {
            RemoteError::Unreachable(_) | RemoteError::Account { .. } | RemoteError::Stopped => {
                Self::End(End::Remote(error))
            }
            RemoteError::Stale | RemoteError::NameTaken | RemoteError::Gone => Self::Replan(why),
            RemoteError::Refused(_) | RemoteError::Quota(_) => Self::Aside(why),
            RemoteError::Busy { retry_after, .. } => Self::Again { why, after: retry_after },
            RemoteError::Uncertain(_) | RemoteError::Damaged(_) | RemoteError::LookedLongAgo => {
                Self::again(why)
            }
        }
    }
}

impl From<DiskError> for StepFailure {
    fn from(error: DiskError) -> Self {
        let why = error.to_string();
        match error {
            DiskError::Changed { .. } | DiskError::Taken { .. } | DiskError::Folder { .. } => {
                Self::Replan(why)
            }
            DiskError::Name { .. } | DiskError::Full { .. } => Self::Aside(why),
            DiskError::WrongRoot(_) => Self::End(End::WrongRoot(why)),
            // Trying again within the minute changes no permission, and everything else would wait for it.
            DiskError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Self::Aside(format!("{why}: give the user that runs icloudds access to it"))
            }
            // A volume is mounted on it: the system does not let it go.
            DiskError::Io { source, .. } if source.kind() == ErrorKind::ResourceBusy => {
                Self::Aside(format!("{why}: a volume is mounted there"))
            }
            DiskError::Io { source, .. }
                if matches!(
                    source.kind(),
                    ErrorKind::ReadOnlyFilesystem | ErrorKind::CrossesDevices | ErrorKind::Unsupported
                ) =>
            {
                Self::Aside(why)
            }
            DiskError::Io { .. } => Self::again(why),
        }
    }
}

#[cfg(test)]
mod tests;
