//! What no source settles about the service (`docs/protocol-open-questions.md`), as
//! switches; the first value is the default.

/// When folders' etags follow a change below them (open question 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EtagUp {
    /// After so many seconds.
    After(i64),
    /// With the change.
    AtOnce,
    /// Not at all.
    Never,
    /// With every change, that of a name included.
    Always,
    /// As `Always`, but for one change in so many.
    Lapses(u64),
    /// With every change, of the folder that it is in alone.
    Parent,
}

/// What a taken name leads to when folders are made, items renamed, moved or put back (9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// `Name 2.ext`.
    Rename,
    /// An error.
    Error,
    /// The existing folder is the answer; elsewhere as `Rename`.
    Existing,
}

/// How names are stored and held apart (10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameStorage {
    /// Decomposed.
    Nfd,
    /// As they come, byte for byte.
    AsSent,
    /// Composed.
    Nfc,
    /// Decomposed, and names that differ only in case are one.
    FoldsCase,
}

/// The longest name (11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameLimit {
    /// So many bytes of UTF-8.
    Bytes(usize),
    /// So many characters.
    Chars(usize),
    /// None.
    None,
}

/// What putting back does (12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// The id as before, and the name that it bears in the trash, where names are unique.
    NumberedInTrash,
    /// Id and name as before.
    Same,
    /// Another name.
    NewName,
    /// Another id.
    NewId,
    /// Another name and another id.
    Both,
    /// As before, but the answer does not come.
    Silent,
}

/// The form of the service's signatures (13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// The documented formula.
    Formula,
    /// The documented form, another formula.
    OtherFormula,
    /// Another form.
    OtherForm,
    /// None.
    Absent,
}

/// What becomes of a modification time (18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// It is kept.
    Keep,
    /// A second is added, as rounding a fraction up would.
    Ceil,
    /// The service's own time counts.
    Now,
}

/// What a second commit of the same staged content does (16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitTwice {
    /// The same answer.
    Same,
    /// The name is taken.
    Taken,
    /// A second document beside the first.
    Duplicate,
}

/// Where a full storage shows (17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaAt {
    /// When content is sent.
    Stage,
    /// When it is committed.
    Commit,
}

/// All switches.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Folders' etags (3).
    pub etag_up: EtagUp,
    /// Whether `fileCount` is told (3).
    pub counts: bool,
    /// Whether a look-up of what is not there says so; else it gives no usable answer (4).
    pub gone: bool,
    /// Seconds until listings show a change (5). Look-ups are current.
    pub visible_after: i64,
    /// Seconds until a look-up shows into which folder an item was moved (5).
    pub placed_after: i64,
    /// Whether a move with a stale etag is refused (6).
    pub cas_move: bool,
    /// Whether a rename with a stale etag is refused (6).
    pub cas_rename: bool,
    /// Whether a deletion for good with a stale etag is refused (8).
    pub cas_delete: bool,
    /// Whether trashing a folder is refused for changes below it that were not shown (7).
    pub cas_subtree: bool,
    /// Taken names (9).
    pub taken: Taken,
    /// Storage of names (10).
    pub names: NameStorage,
    /// Whether a folder's number goes before its extension, as a file's does (10).
    pub folder_ext: bool,
    /// Longest name (11).
    pub name_limit: NameLimit,
    /// Characters that no name can hold (11).
    pub forbidden: Vec<char>,
    /// Putting back (12).
    pub put_back: PutBack,
    /// Signatures (13).
    pub signatures: Signatures,
    /// Whether a look-up tells the signature too.
    pub look_up_signs: bool,
    /// Whether the listing leaves the size 0 out (14).
    pub zero_size_untold: bool,
    /// Whether no size of a file is told, by listings and look-ups.
    pub sizes_untold: bool,
    /// Whether a fetch can begin in the middle (15).
    pub ranges: bool,
    /// Seconds that staged content lives (16).
    pub slot_life: i64,
    /// Repeated commits (16).
    pub commit_twice: CommitTwice,
    /// Bytes that fit, trash included (17).
    pub quota: Option<u64>,
    /// Where a full storage shows (17).
    pub quota_at: QuotaAt,
    /// Modification times (18).
    pub times: Times,
    /// Whether an existing document can be replaced in place (`docs/protocol.md` §12.5).
    pub in_place: bool,
    /// Whether two fetches of one package differ (27).
    pub packages_vary: bool,
    /// Seconds that a commit takes, whatever comes of it.
    pub slow_commits: i64,
    /// Whether commits that overlap are all taken; else all but the first meet a busy zone (19).
    pub takes_overlaps: bool,
    /// Whether something can be made in a trashed folder.
    pub into_trashed: bool,
    /// Seconds after its modification time in which only the beginning of a content comes: the body lags behind its record.
    pub body_lag: i64,
    /// Seconds until a listing of the trash shows a change; more where `visible_after` is.
    pub trash_after: i64,
    /// Whether a trashed folder can be listed.
    pub lists_trashed: bool,
    /// Seconds that listing the root or the trash takes (`docs/protocol.md` §8.1). Others act meanwhile, and the answer shows the
    /// drive as it was when it was asked for, or as it is when it comes.
    pub slow_lists: i64,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            etag_up: EtagUp::After(5),
            counts: true,
            gone: true,
            visible_after: 0,
            placed_after: 0,
            cas_move: true,
            cas_rename: false,
            cas_delete: false,
            cas_subtree: false,
            taken: Taken::Rename,
            names: NameStorage::AsSent,
            folder_ext: true,
            name_limit: NameLimit::Bytes(255),
            forbidden: vec!['/', '\0'],
            put_back: PutBack::NumberedInTrash,
            signatures: Signatures::Formula,
            look_up_signs: false,
            zero_size_untold: false,
            sizes_untold: false,
            ranges: true,
            slot_life: 3600,
            commit_twice: CommitTwice::Same,
            quota: None,
            quota_at: QuotaAt::Stage,
            times: Times::Keep,
            in_place: true,
            packages_vary: false,
            slow_commits: 0,
            takes_overlaps: false,
            into_trashed: false,
            body_lag: 0,
            trash_after: 0,
            lists_trashed: true,
            slow_lists: 0,
        }
    }
}
