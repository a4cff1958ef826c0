//! The switches of docs/protocol-open-questions.md: for each open question, which of the possible answers this simulator gives.
//!
//! Every switch has the document's name (`S-2fa`) in JSON and in `S-name=value`; the first value of each row is the default.
//! Beside them: latency, bandwidth and the fault plan.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// Declares one switch: an enum whose values carry the document's texts, the first being the default.
macro_rules! switch {
    ($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_text:literal, $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            #[serde(rename = $first_text)]
            $first,
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value, the default first.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant),*];
        }
    };
}

switch! {
    /// `S-short`: a listing that comes back short with HTTP 200 (question 2).
    Short {
        /// Never.
        Never = "never",
        /// `numberOfItems` says more than `items` holds.
        AnnounceMore = "announce-more",
        /// Both agree on too few.
        SilentlyFewer = "silently-fewer",
    }
}
switch! {
    /// `S-etag-up`: when ancestors' etags change (question 3).
    EtagUp {
        /// Some time after the change ([`Switches::etag_up_delay`]).
        Delayed = "delayed",
        /// With the change.
        AtOnce = "at-once",
        /// Not at all.
        Never = "never",
    }
}
switch! {
    /// `S-gone`: what a look-up of a trashed, purged or unknown id answers (question 4).
    Gone {
        /// An entry with `"status":"ID_INVALID"`.
        IdInvalid = "ID_INVALID",
        /// HTTP 404.
        Status404 = "404",
        /// HTTP 400.
        Status400 = "400",
        /// The item with `isDeleted:true`.
        IsDeleted = "isDeleted",
        /// An empty array or object.
        Empty = "empty",
    }
}
switch! {
    /// `S-flap`: an existing id answers "gone" once (question 4).
    Flap {
        /// Never.
        Off = "off",
        /// Once per id.
        Once = "once",
    }
}
switch! {
    /// `S-cas-move`: a stale etag in moveItems (question 6).
    CasMove {
        /// Rejected with `ETAG_CONFLICT`.
        Reject = "reject",
        /// Accepted.
        Accept = "accept",
    }
}
switch! {
    /// `S-cas-rename`: a stale etag in renameItems (question 6).
    CasRename {
        /// Accepted.
        Accept = "accept",
        /// Rejected with `ETAG_CONFLICT`.
        Reject = "reject",
    }
}
switch! {
    /// `S-cas-folder`: what guards a folder in moveItemsToTrash (question 7).
    CasFolder {
        /// Only the folder's own etag.
        OwnEtagOnly = "own-etag-only",
        /// Any change in the subtree.
        Subtree = "subtree",
    }
}
switch! {
    /// `S-cas-delete`: a stale etag in deleteItems (question 8).
    CasDelete {
        /// Accepted.
        Accept = "accept",
        /// Rejected with `ETAG_CONFLICT`.
        Reject = "reject",
    }
}
switch! {
    /// `S-name-taken`: a taken name in create, rename, move, put-back (question 9).
    NameTaken {
        /// The newcomer becomes `Name 2`.
        AutoRename = "auto-rename",
        /// An error in the item's status.
        Error = "error",
        /// createFolders answers with the existing folder.
        ExistingReturned = "existing-returned",
    }
}
switch! {
    /// `S-names`: how names are stored and compared (question 10).
    Names {
        /// Stored NFD, compared with case.
        NfdCaseSensitive = "NFD+case-sensitive",
        /// Stored and compared as sent.
        AsSent = "as-sent",
        /// Stored NFC, compared with case.
        Nfc = "NFC",
        /// Stored NFD, compared without case.
        CaseInsensitive = "case-insensitive",
    }
}
switch! {
    /// `S-name-limit`: the longest name (question 11).
    NameLimit {
        /// 255 bytes of UTF-8.
        Bytes255 = "255-bytes",
        /// 255 characters.
        Chars255 = "255-chars",
        /// None.
        None = "none",
    }
}
switch! {
    /// `S-name-bad`: characters that are refused in names (question 11).
    NameBad {
        /// `/` and NUL.
        SlashNul = "slash-nul",
        /// Also `:` and `\`.
        AlsoColonBackslash = "also-colon-backslash",
    }
}
switch! {
    /// `S-name-bad-answer`: how a refused name is answered (question 11).
    NameBadAnswer {
        /// HTTP 400.
        Status400 = "400",
        /// HTTP 200 with an error status in the item.
        InBody = "in-body",
    }
}
switch! {
    /// `S-putback`: what put-back returns (question 12).
    Putback {
        /// The same id and name.
        Same = "same",
        /// Another name.
        NewName = "new-name",
        /// Another id.
        NewId = "new-id",
        /// Another id and name.
        Both = "both",
        /// An answer without the item.
        Silent = "silent",
    }
}
switch! {
    /// `S-sig`: the content signature (question 13).
    Sig {
        /// The formula of docs/protocol.md §13.
        Formula = "formula",
        /// The formula with another prefix byte.
        OtherPrefix = "other-prefix",
        /// Random bytes.
        Random = "random",
        /// None.
        Absent = "absent",
    }
}
switch! {
    /// `S-zero`: by_id of an empty file (question 14).
    Zero {
        /// HTTP 400.
        Status400 = "400",
        /// A normal `data_token`.
        DataToken = "data_token",
    }
}
switch! {
    /// `S-zero-up`: upload of an empty body (question 14).
    ZeroUp {
        /// Accepted without a receipt.
        OkNoReceipt = "ok-no-receipt",
        /// Refused.
        Status4xx = "4xx",
    }
}
switch! {
    /// `S-range`: a `Range` request to the content host (question 15).
    Range {
        /// Honoured.
        Ok = "ok",
        /// Ignored: 200 and the whole body.
        Ignored = "ignored",
        /// 206 from a wrong offset.
        WrongOffset = "wrong-offset",
    }
}
switch! {
    /// `S-url-dead`: the answer to an expired content URL (question 15).
    UrlDead {
        /// HTTP 403.
        Status403 = "403",
        /// HTTP 410.
        Status410 = "410",
        /// HTTP 404.
        Status404 = "404",
    }
}
switch! {
    /// `S-commit-twice`: a repeated commit (question 16).
    CommitTwice {
        /// The first result again.
        SameResult = "same-result",
        /// "Uniqueness constraint violation".
        Uniqueness = "uniqueness-error",
        /// A second item `Name 2`.
        Duplicate = "duplicate",
    }
}
switch! {
    /// `S-quota`: how a full storage shows (question 17). What is free is [`Switches::quota_left`].
    Quota {
        /// It never is full.
        None = "none",
        /// 413 when a slot is asked for.
        Slot413 = "413-at-slot",
        /// 507 when a slot is asked for.
        Slot507 = "507-at-slot",
        /// 507 from the content host.
        Content507 = "507-at-content",
        /// HTTP 200 with an error in the body of the commit.
        InBodyAtCommit = "in-body-at-commit",
    }
}
switch! {
    /// `S-mtime`: what becomes of a commit's `mtime` (question 18).
    Mtime {
        /// Kept, cut to whole seconds only where the format has no more.
        Keep = "keep",
        /// Rounded up to seconds.
        Ceil = "ceil",
        /// Rounded down to seconds.
        Floor = "floor",
        /// Replaced by the server's time.
        Now = "now",
    }
}
switch! {
    /// `S-throttle`: how throttling shows on service calls (question 20); one call in [`Switches::throttle_every`].
    Throttle {
        /// Never.
        None = "none",
        /// 429 with `Retry-After`.
        Status429 = "429",
        /// 503 with HTML.
        Html503 = "503-html",
        /// 403 `ACCESS_DENIED`.
        AccessDenied = "403-access-denied",
    }
}
switch! {
    /// `S-srp`: which hashing the server takes where leading zero bytes matter (question 21).
    Srp {
        /// Both.
        Both = "both",
        /// Padded to 256 bytes.
        Padded = "padded",
        /// Without leading zero bytes.
        Unpadded = "unpadded",
    }
}
switch! {
    /// `S-2fa`: the answer to a right code (question 22).
    TwoFactor {
        /// 204.
        Status204 = "204",
        /// 409 with `valid:true` and a session token.
        Status409Token = "409+token",
        /// 409 with `valid:true`, no token; trust works.
        Status409TrustWorks = "409-no-token-but-trust-works",
        /// 409 with `valid:true`, no token; trust fails.
        Status409TrustFails = "409-no-token-trust-fails",
    }
}
switch! {
    /// `S-retrust`: a repeated `2sv/trust` on a live session (question 23).
    Retrust {
        /// A fresh trust token.
        NewToken = "new-token",
        /// Refused.
        Status4xx = "4xx",
    }
}
switch! {
    /// `S-hc`: hashcash (question 24).
    Hashcash {
        /// No challenge.
        Off = "off",
        /// Challenge headers, stamp optional.
        Challenged = "challenged",
        /// Challenge headers, `signin/complete` is refused without a valid stamp.
        Required = "required",
    }
}
switch! {
    /// `S-push`: whether a device shows a code (question 24).
    Push {
        /// It does.
        Works = "works",
        /// The request is accepted, no code ever appears.
        NeverArrives = "never-arrives",
    }
}
switch! {
    /// `S-region`: wrong or troubled region (question 25).
    Region {
        /// All is well.
        Match = "match",
        /// accountLogin and validate answer `domainToUse`.
        DomainToUse = "domainToUse",
        /// The sign-in host answers 503.
        Auth503 = "auth-503",
    }
}
switch! {
    /// `S-session`: what befalls a live session (question 26). Each takes effect when set, once.
    SessionTrouble {
        /// Nothing.
        Stable = "stable",
        /// One service call gets 401.
        Once401 = "401-once",
        /// The cookies are void: 421 with the body of docs/protocol.md §5.3 until accountLogin.
        Body421 = "421-body",
        /// Open connections are misrouted: bare 421 until a new connection is made.
        Misrouted421 = "421-misrouted",
        /// Every accountLogin and validate announces another partition; the old one answers 421.
        Rotating = "rotating-partition",
    }
}
switch! {
    /// `S-package`: how packages are sent (question 27).
    Package {
        /// The same zip each time.
        StableZip = "stable-zip",
        /// Other bytes at each download.
        VaryingZip = "varying-zip",
        /// The zip inside gzip.
        GzipWrapped = "gzip-wrapped",
    }
}
switch! {
    /// `S-applib-count`: app libraries in the root's `fileCount` (question 28).
    ApplibCount {
        /// Not counted.
        Excluded = "excluded",
        /// Counted.
        Included = "included",
    }
}
switch! {
    /// `S-applib-empty`: the listing of an empty app library (question 28).
    ApplibEmpty {
        /// `ID_INVALID`.
        IdInvalid = "ID_INVALID",
        /// An empty folder.
        Empty = "empty",
    }
}
switch! {
    /// `S-shared`: items shared to the account (question 29).
    Shared {
        /// There are none.
        None = "none",
        /// They are listed.
        Listed = "listed",
        /// Nested ones answer 400 without a `shareID`.
        Nested400 = "nested-400",
        /// They vanish.
        Vanishes = "vanishes",
    }
}
switch! {
    /// `S-purge`: a look-up of an id purged from the trash (question 30).
    Purge {
        /// As [`Gone`] says.
        Gone = "gone",
        /// It still answers.
        StillAnswers = "still-answers",
    }
}

/// `S-batch`: several ids in one listing call (question 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Batch {
    /// Answered in order.
    #[default]
    Ok,
    /// Refused with 400 above so many ids (`refuse-over-5`).
    RefuseOver(usize),
    /// More than one id is refused with 400 (`400`).
    Status400,
    /// Some answers are left out (`drop-some`).
    DropSome,
    /// Answers come in another order (`shuffle`).
    Shuffle,
}

impl TryFrom<String> for Batch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "ok" => Ok(Self::Ok),
            "400" => Ok(Self::Status400),
            "drop-some" => Ok(Self::DropSome),
            "shuffle" => Ok(Self::Shuffle),
            other => other
                .strip_prefix("refuse-over-")
                .and_then(|n| n.parse().ok())
                .map(Self::RefuseOver)
                .ok_or_else(|| format!("S-batch: unknown value {other:?}")),
        }
    }
}

impl From<Batch> for String {
    fn from(batch: Batch) -> Self {
        match batch {
            Batch::Ok => "ok".to_owned(),
            Batch::RefuseOver(n) => format!("refuse-over-{n}"),
            Batch::Status400 => "400".to_owned(),
            Batch::DropSome => "drop-some".to_owned(),
            Batch::Shuffle => "shuffle".to_owned(),
        }
    }
}

/// `S-count-lag`: how far folder counts lag behind (question 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CountLag {
    /// By this long (`0s`, `5s`, `60s`).
    After(Duration),
    /// They never move (`stuck`).
    Stuck,
}

impl Default for CountLag {
    fn default() -> Self {
        Self::After(Duration::ZERO)
    }
}

impl TryFrom<String> for CountLag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "stuck" {
            return Ok(Self::Stuck);
        }
        parse_duration(&text).map(Self::After)
    }
}

impl From<CountLag> for String {
    fn from(lag: CountLag) -> Self {
        match lag {
            CountLag::After(delay) => duration_text(delay),
            CountLag::Stuck => "stuck".to_owned(),
        }
    }
}

/// `S-busy`: when a write is answered `ZONE_BUSY` (question 19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Busy {
    /// When two mutations overlap (`on-overlap`).
    #[default]
    OnOverlap,
    /// Also when a mutation overlaps a content upload (`on-overlap-with-upload`).
    OnOverlapWithUpload,
    /// With this probability (`random-0.2`).
    Random(f64),
}

impl TryFrom<String> for Busy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "on-overlap" => Ok(Self::OnOverlap),
            "on-overlap-with-upload" => Ok(Self::OnOverlapWithUpload),
            other => other
                .strip_prefix("random-")
                .and_then(|p| p.parse::<f64>().ok())
                .filter(|p| (0.0..=1.0).contains(p))
                .map(Self::Random)
                .ok_or_else(|| format!("S-busy: unknown value {other:?}")),
        }
    }
}

impl From<Busy> for String {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::OnOverlap => "on-overlap".to_owned(),
            Busy::OnOverlapWithUpload => "on-overlap-with-upload".to_owned(),
            Busy::Random(p) => format!("random-{p}"),
        }
    }
}

/// All switches. [`Default`] is the first value of every row of docs/protocol-open-questions.md, no latency and no faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Several ids per listing call.
    #[serde(rename = "S-batch")]
    pub batch: Batch,
    /// Short listings.
    #[serde(rename = "S-short")]
    pub short: Short,
    /// Ancestors' etags.
    #[serde(rename = "S-etag-up")]
    pub etag_up: EtagUp,
    /// How long [`EtagUp::Delayed`] takes.
    #[serde(rename = "etag-up-delay", with = "duration_serde")]
    pub etag_up_delay: Duration,
    /// Lag of counts.
    #[serde(rename = "S-count-lag")]
    pub count_lag: CountLag,
    /// Look-up of an id that is gone.
    #[serde(rename = "S-gone")]
    pub gone: Gone,
    /// An existing id answers "gone" once.
    #[serde(rename = "S-flap")]
    pub flap: Flap,
    /// How long a write stays invisible in listings.
    #[serde(rename = "S-visible", with = "duration_serde")]
    pub visible: Duration,
    /// Stale etag in moveItems.
    #[serde(rename = "S-cas-move")]
    pub cas_move: CasMove,
    /// Stale etag in renameItems.
    #[serde(rename = "S-cas-rename")]
    pub cas_rename: CasRename,
    /// Guard of a folder that goes to the trash.
    #[serde(rename = "S-cas-folder")]
    pub cas_folder: CasFolder,
    /// Stale etag in deleteItems.
    #[serde(rename = "S-cas-delete")]
    pub cas_delete: CasDelete,
    /// Taken names.
    #[serde(rename = "S-name-taken")]
    pub name_taken: NameTaken,
    /// Storage and comparison of names.
    #[serde(rename = "S-names")]
    pub names: Names,
    /// Longest name.
    #[serde(rename = "S-name-limit")]
    pub name_limit: NameLimit,
    /// Refused characters.
    #[serde(rename = "S-name-bad")]
    pub name_bad: NameBad,
    /// How a refused name is answered.
    #[serde(rename = "S-name-bad-answer")]
    pub name_bad_answer: NameBadAnswer,
    /// What put-back returns.
    #[serde(rename = "S-putback")]
    pub putback: Putback,
    /// Content signatures.
    #[serde(rename = "S-sig")]
    pub sig: Sig,
    /// by_id of an empty file.
    #[serde(rename = "S-zero")]
    pub zero: Zero,
    /// Upload of an empty body.
    #[serde(rename = "S-zero-up")]
    pub zero_up: ZeroUp,
    /// `Range` requests.
    #[serde(rename = "S-range")]
    pub range: Range,
    /// Life of a download URL.
    #[serde(rename = "S-url-life", with = "duration_serde")]
    pub url_life: Duration,
    /// Answer to an expired download URL.
    #[serde(rename = "S-url-dead")]
    pub url_dead: UrlDead,
    /// Life of an upload slot and of staged content.
    #[serde(rename = "S-slot-life", with = "duration_serde")]
    pub slot_life: Duration,
    /// A repeated commit.
    #[serde(rename = "S-commit-twice")]
    pub commit_twice: CommitTwice,
    /// Full storage.
    #[serde(rename = "S-quota")]
    pub quota: Quota,
    /// Bytes that still fit before [`Switches::quota`] applies.
    #[serde(rename = "quota-left")]
    pub quota_left: u64,
    /// A commit's `mtime`.
    #[serde(rename = "S-mtime")]
    pub mtime: Mtime,
    /// When writes are answered `ZONE_BUSY`.
    #[serde(rename = "S-busy")]
    pub busy: Busy,
    /// Throttling of service calls.
    #[serde(rename = "S-throttle")]
    pub throttle: Throttle,
    /// One service call in so many is throttled; 1 means all.
    #[serde(rename = "throttle-every")]
    pub throttle_every: u64,
    /// Leading zero bytes in SRP.
    #[serde(rename = "S-srp")]
    pub srp: Srp,
    /// Answer to a right code.
    #[serde(rename = "S-2fa")]
    pub two_factor: TwoFactor,
    /// Repeated trust.
    #[serde(rename = "S-retrust")]
    pub retrust: Retrust,
    /// Hashcash.
    #[serde(rename = "S-hc")]
    pub hashcash: Hashcash,
    /// Codes on devices.
    #[serde(rename = "S-push")]
    pub push: Push,
    /// Region.
    #[serde(rename = "S-region")]
    pub region: Region,
    /// Session trouble.
    #[serde(rename = "S-session")]
    pub session: SessionTrouble,
    /// Packages.
    #[serde(rename = "S-package")]
    pub package: Package,
    /// App libraries in counts.
    #[serde(rename = "S-applib-count")]
    pub applib_count: ApplibCount,
    /// Empty app libraries.
    #[serde(rename = "S-applib-empty")]
    pub applib_empty: ApplibEmpty,
    /// Shared items.
    #[serde(rename = "S-shared")]
    pub shared: Shared,
    /// Purged ids.
    #[serde(rename = "S-purge")]
    pub purge: Purge,
    /// Delay before every answer.
    #[serde(with = "duration_serde")]
    pub latency: Duration,
    /// Bytes per second of each body, both ways; `None` is unlimited.
    pub bandwidth: Option<u64>,
    /// The fault plan: the first entry that strikes decides.
    pub faults: Vec<Fault>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            batch: Batch::default(),
            short: Short::default(),
            etag_up: EtagUp::default(),
            etag_up_delay: Duration::from_secs(2),
            count_lag: CountLag::default(),
            gone: Gone::default(),
            flap: Flap::default(),
            visible: Duration::ZERO,
            cas_move: CasMove::default(),
            cas_rename: CasRename::default(),
            cas_folder: CasFolder::default(),
            cas_delete: CasDelete::default(),
            name_taken: NameTaken::default(),
            names: Names::default(),
            name_limit: NameLimit::default(),
            name_bad: NameBad::default(),
            name_bad_answer: NameBadAnswer::default(),
            putback: Putback::default(),
            sig: Sig::default(),
            zero: Zero::default(),
            zero_up: ZeroUp::default(),
            range: Range::default(),
            url_life: Duration::from_secs(3600),
            url_dead: UrlDead::default(),
            slot_life: Duration::from_secs(3600),
            commit_twice: CommitTwice::default(),
            quota: Quota::default(),
            quota_left: 0,
            mtime: Mtime::default(),
            busy: Busy::default(),
            throttle: Throttle::default(),
            throttle_every: 10,
            srp: Srp::default(),
            two_factor: TwoFactor::default(),
            retrust: Retrust::default(),
            hashcash: Hashcash::default(),
            push: Push::default(),
            region: Region::default(),
            session: SessionTrouble::default(),
            package: Package::default(),
            applib_count: ApplibCount::default(),
            applib_empty: ApplibEmpty::default(),
            shared: Shared::default(),
            purge: Purge::default(),
            latency: Duration::ZERO,
            bandwidth: None,
            faults: Vec::new(),
        }
    }
}

impl Switches {
    /// Sets one member by its JSON name and text value, as `S-name=value` on a command line gives it.
    ///
    /// # Errors
    /// A text that names the switch when there is none of that name or it knows no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let as_text = serde_json::Value::String(value.to_owned());
        let as_json = serde_json::from_str(value).unwrap_or_else(|_| as_text.clone());
        self.merge(&serde_json::json!({ name: as_text }))
            .or_else(|error| self.merge(&serde_json::json!({ name: as_json })).map_err(|_| error))
    }

    /// Sets the members that this JSON object names and leaves the others.
    ///
    /// # Errors
    /// A text that names what is wrong; nothing is changed then.
    pub fn merge(&mut self, changes: &serde_json::Value) -> Result<(), String> {
        let serde_json::Value::Object(changes) = changes else {
            return Err("switches must be a JSON object".to_owned());
        };
        let mut whole = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            whole[name.as_str()] = value.clone();
        }
        *self = serde_json::from_value(whole).map_err(|error| {
            let names: Vec<_> = changes.keys().map(String::as_str).collect();
            format!("switch {}: {error}", names.join(", "))
        })?;
        Ok(())
    }
}

/// Reads `5s`, `5 s`, `250ms`, `2m`, `1 h` or a bare number of seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit in {text:?}, use ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("not a duration: {text:?}"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| format!("{text:?}: {error}"))
}

/// Writes a duration so that [`parse_duration`] reads it back exactly to the millisecond.
fn duration_text(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

mod duration_serde {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::duration_text(*value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Seconds(f64),
            Text(String),
        }
        match Either::deserialize(input)? {
            Either::Seconds(s) => Duration::try_from_secs_f64(s).map_err(D::Error::custom),
            Either::Text(text) => super::parse_duration(&text).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_json() {
        let mut switches = Switches::default();
        for (name, value) in [
            ("S-batch", "refuse-over-7"),
            ("S-count-lag", "60 s"),
            ("S-2fa", "409+token"),
            ("S-gone", "404"),
            ("S-visible", "3 s"),
            ("S-url-life", "250ms"),
            ("S-busy", "random-0.25"),
            ("bandwidth", "65536"),
            ("quota-left", "10"),
        ] {
            switches.set(name, value).unwrap();
        }
        assert_eq!(switches.batch, Batch::RefuseOver(7));
        assert_eq!(switches.count_lag, CountLag::After(Duration::from_secs(60)));
        assert_eq!(switches.two_factor, TwoFactor::Status409Token);
        assert_eq!(switches.gone, Gone::Status404);
        assert_eq!(switches.url_life, Duration::from_millis(250));
        assert_eq!(switches.bandwidth, Some(65536));
        let json = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&json).unwrap(), switches);
    }

    #[test]
    fn unknown_names_and_values_are_refused() {
        let mut switches = Switches::default();
        assert!(switches.set("S-nothing", "x").unwrap_err().contains("S-nothing"));
        assert!(switches.set("S-2fa", "x").unwrap_err().contains("S-2fa"));
        assert!(switches.set("S-visible", "3 d").is_err());
        assert_eq!(switches, Switches::default());
    }
}
