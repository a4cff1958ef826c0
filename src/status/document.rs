//! The document; its field names are fixed by `docs/contract.md`, "Files in the state directory".

use serde::{Deserialize, Serialize};

use super::When;

/// What the daemon is doing; the words are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonState {
    /// Opening its files.
    Starting,
    /// Asking iCloud for a session.
    SigningIn,
    /// Waiting for a person's second-factor code.
    NeedsCode,
    /// Waiting for a person's password.
    NeedsPassword,
    /// Reading the local folder.
    Scanning,
    /// Listing iCloud.
    Listing,
    /// Carrying out a plan.
    Syncing,
    /// Waiting for changes.
    Idle,
    /// Stopped by a person until `resume`.
    Paused,
    /// iCloud cannot be reached.
    Offline,
    /// Deletions are held; everything else goes on.
    Guarded,
    /// The folder, here or on iCloud, is missing, is not the one of this state, or cannot be used as it is: read-only, not
    /// permitted, broken. The last error says which.
    WrongFolder,
    /// No space is left on the local disk.
    DiskFull,
    /// On the way out.
    Stopping,
}

/// How changes on iCloud are noticed; the words are the contract's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchedBy {
    /// The service tells that something changed.
    Push,
    /// It is asked every `check_period` for what changed.
    Feed,
    /// It is looked at every `check_period`.
    #[default]
    Poll,
}

impl WatchedBy {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Push, Self::Feed, Self::Poll];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Feed => "feed",
            Self::Poll => "poll",
        }
    }

    /// What the log says of it, after "changes on iCloud are noticed".
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Push => "as it tells of them",
            Self::Feed => "by its change feed",
            Self::Poll => "by looking for them",
        }
    }
}

/// How changes on iCloud are noticed, and why not better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteWatch {
    /// The way.
    pub by: WatchedBy,
    /// As [`StatusDocument::remote_watch_because`] tells it.
    pub because: Option<&'static str>,
}

impl DaemonState {
    /// Every state.
    pub const ALL: [Self; 14] = [
        Self::Starting,
        Self::SigningIn,
        Self::NeedsCode,
        Self::NeedsPassword,
        Self::Scanning,
        Self::Listing,
        Self::Syncing,
        Self::Idle,
        Self::Paused,
        Self::Offline,
        Self::Guarded,
        Self::WrongFolder,
        Self::DiskFull,
        Self::Stopping,
    ];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::SigningIn => "signing-in",
            Self::NeedsCode => "needs-code",
            Self::NeedsPassword => "needs-password",
            Self::Scanning => "scanning",
            Self::Listing => "listing",
            Self::Syncing => "syncing",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Offline => "offline",
            Self::Guarded => "guarded",
            Self::WrongFolder => "wrong-folder",
            Self::DiskFull => "disk-full",
            Self::Stopping => "stopping",
        }
    }

    /// One sentence for a person, without a full stop; says what to do where somebody must.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::SigningIn => "signing in to iCloud",
            Self::NeedsCode => {
                "waiting for a second-factor code: run `icloudds code --send`, then `icloudds code CODE`, or `icloudds login`"
            }
            Self::NeedsPassword => "waiting for the account's password: run `icloudds login`",
            Self::Scanning => "reading the local folder",
            Self::Listing => "listing iCloud Drive",
            Self::Syncing => "syncing",
            Self::Idle => "waiting for changes",
            Self::Paused => "paused: `icloudds resume` goes on",
            Self::Offline => "iCloud cannot be reached; trying again by itself",
            Self::Guarded => {
                "deletions are held: look with `icloudds status`, then `icloudds approve` or `icloudds approve --reject`"
            }
            Self::WrongFolder => {
                "the folder cannot be used, see the last error; nothing is deleted meanwhile, and it goes on by itself"
            }
            Self::DiskFull => "the local disk is full: free some space, it goes on by itself",
            Self::Stopping => "stopping",
        }
    }
}

impl DaemonState {
    /// The word and the sentence, as the log tells them; a sentence that begins with the word stands alone.
    pub fn line(self) -> String {
        match self.sentence() {
            sentence if sentence.starts_with(self.as_str()) => sentence.to_owned(),
            sentence => format!("{self}: {sentence}"),
        }
    }
}

impl std::fmt::Display for DaemonState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one side holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideCounts {
    /// Files.
    pub files: u64,
    /// Folders, the root not counted.
    pub folders: u64,
    /// Bytes of all files whose size is known.
    pub bytes: u64,
}

/// What both sides hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The folder on this machine.
    pub local: SideCounts,
    /// iCloud.
    pub remote: SideCounts,
}

/// Which sides were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The folder on this machine.
    pub local: bool,
    /// iCloud.
    pub remote: bool,
}

/// Operations of the plan that are not over yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Files to send.
    pub uploads: u64,
    /// Files to fetch.
    pub downloads: u64,
    /// Moves and renames, on either side.
    pub moves: u64,
    /// Deletions, on either side.
    pub deletes: u64,
    /// Folders to make, on either side.
    pub folders: u64,
    /// Everything else: comparisons, conflicts to settle.
    pub other: u64,
}

impl Pending {
    /// All together.
    pub fn total(&self) -> u64 {
        [self.uploads, self.downloads, self.moves, self.deletes, self.folders, self.other]
            .into_iter()
            .fold(0, u64::saturating_add)
    }
}

/// How far the running pass is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Operations that are over.
    pub items_done: u64,
    /// All operations.
    pub items_total: u64,
    /// Bytes transferred.
    pub bytes_done: u64,
    /// Bytes to transfer in all.
    pub bytes_total: u64,
    /// Bytes per second over the last moments.
    pub rate: u64,
    /// Estimated seconds to the end of the transfers; `null` when nobody can tell.
    pub seconds_left: Option<u64>,
}

/// What was done since the start. The names are those of a pass's summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Files sent.
    pub uploads: u64,
    /// Files fetched.
    pub downloads: u64,
    /// Items moved or renamed here.
    pub moved_local: u64,
    /// Items moved or renamed on iCloud.
    pub moved_remote: u64,
    /// Items deleted here.
    pub deleted_local: u64,
    /// Items deleted on iCloud.
    pub deleted_remote: u64,
    /// Folders made here.
    pub folders_local: u64,
    /// Folders made on iCloud.
    pub folders_remote: u64,
    /// Conflicts settled.
    pub conflicts: u64,
    /// Bytes transferred, both ways.
    pub bytes: u64,
    /// Passes that ended well.
    pub passes: u64,
    /// Passes and looks that failed as a whole.
    #[serde(default)]
    pub failures: u64,
}

/// How often one kind of call was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCount {
    /// The endpoint's name, as at `trace` in the log.
    pub kind: String,
    /// How many were sent.
    pub sent: u64,
    /// How many of them brought no answer, or one that is no success.
    pub failed: u64,
    /// How long they took until the answer began, all together.
    pub millis: u64,
}

/// An item that cannot be synced for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideItem {
    /// Its path.
    pub path: String,
    /// Why.
    pub reason: String,
    /// When it is tried again; `null` when only a change of it can help.
    pub next_try: Option<When>,
}

/// An item that is left alone by rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedItem {
    /// Its path.
    pub path: String,
    /// The rule.
    pub reason: String,
}

/// A call to the disk that does not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskHang {
    /// What it is about, with the folder that is synced.
    pub path: String,
    /// When that was noticed, a minute or so after it was made.
    pub since: When,
}

/// A conflict that was settled by keeping both versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictItem {
    /// The path that one version kept.
    pub path: String,
    /// The path of the other; `null` when it went to the trash.
    pub copy: Option<String>,
    /// When.
    pub at: When,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When.
    pub at: When,
    /// What, as in the log: `uploaded notes.txt`.
    pub what: String,
}

/// The status document. Fields may be added, never renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// Of the program.
    pub version: String,
    /// What it is doing.
    pub state: DaemonState,
    /// Since when it does.
    pub since: When,
    /// Masked.
    pub account: String,
    /// Since when this machine has had the trust that its session stands on.
    #[serde(default)]
    pub session_began: Option<When>,
    /// When the trust in the session runs out.
    pub session_expires: Option<When>,
    /// Whether that is only estimated.
    pub session_expires_estimated: bool,
    /// Whether the last pass planned nothing and nothing is pending, held or set aside.
    pub in_sync: bool,
    /// When both sides were last found equal.
    pub last_sync: Option<When>,
    /// What each side holds.
    pub counts: Counts,
    /// Which sides were looked at since the start: of the others `counts` says nothing.
    #[serde(default)]
    pub looked: Looked,
    /// What is still to be done.
    pub pending: Pending,
    /// How far the running pass is; `null` between passes.
    pub progress: Option<Progress>,
    /// What was done since the start.
    pub totals: Totals,
    /// How many deletions wait for a person.
    pub held_deletes: u64,
    /// When it tries again by itself, where it waits.
    pub next_try: Option<When>,
    /// Items that cannot be synced for now.
    pub set_aside: Vec<SetAsideItem>,
    /// Items that are left alone by rule.
    pub skipped: Vec<SkippedItem>,
    /// Items of which too little is known for now: a folder that cannot be read, a volume that is away.
    #[serde(default)]
    pub unsettled: Vec<SkippedItem>,
    /// The last conflicts since the start, newest first.
    pub conflicts: Vec<ConflictItem>,
    /// The last thing that went wrong as a whole; `null` once a pass ended well.
    pub last_error: Option<String>,
    /// Where the disk does not answer, as on a mount whose server is away; `null` where it does. `last_error` has the sentence.
    #[serde(default)]
    pub disk_hangs: Option<DiskHang>,
    /// When the program started.
    pub started: When,
    /// The process.
    pub pid: u32,
    /// The local folder.
    pub directory: String,
    /// The folder of the drive that it mirrors.
    pub remote_root: String,
    /// How local changes are noticed: `events`, `poll: …` with the reason, or `off`, perhaps with how long.
    pub watch: String,
    /// How changes on iCloud are noticed.
    #[serde(default)]
    pub remote_watch: WatchedBy,
    /// Why iCloud is only polled although the configuration allows more and the account offers it; `null` where neither is so.
    #[serde(default)]
    pub remote_watch_because: Option<String>,
    /// What is out of the ordinary with the folder's file system, such as inode numbers that do not last; `null` where
    /// nothing is.
    #[serde(default)]
    pub file_system: Option<String>,
    /// The first held deletions, by path.
    pub held: Vec<String>,
    /// What was done last, newest first.
    pub activity: Vec<Activity>,
}
