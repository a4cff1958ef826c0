//! The values of the switches that are a plain choice.

use serde::{Deserialize, Serialize};

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
        /// Some time after the change ([`super::Switches::etag_up_delay`]).
        Delayed = "delayed",
        /// With the change.
        AtOnce = "at-once",
        /// Not at all.
        Never = "never",
        /// With every change, that of a name included.
        Always = "always",
        /// As `always`, but for one change in a hundred.
        Lapses = "lapses",
        /// With every change, of the folder that it is in alone.
        Parent = "parent",
    }
}
switch! {
    /// `S-details`: the forms of body that `retrieveItemDetails` takes (docs/protocol.md §8.2).
    Details {
        /// Only the object; an array is a 400.
        Object = "object",
        /// Also an array around it.
        Either = "either",
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
        /// Stored and compared as sent; what other devices make is NFD.
        AsSent = "as-sent",
        /// Stored NFD, compared with case.
        NfdCaseSensitive = "NFD+case-sensitive",
        /// Stored NFC, compared with case.
        Nfc = "NFC",
        /// Stored NFD, compared without case.
        CaseInsensitive = "case-insensitive",
    }
}
switch! {
    /// `S-folder-ext`: whether a folder's name is split at its last dot as a file's is (question 10).
    FolderExt {
        /// It is: `v1.2` is shown as name `v1` and extension `2`.
        Split = "split",
        /// The whole name stays in `name`.
        Whole = "whole",
    }
}
switch! {
    /// `S-leading-dot`: how `.bashrc` is shown (question 10).
    LeadingDot {
        /// As a name without an extension.
        Name = "name",
        /// As an extension without a name.
        Extension = "extension",
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
        /// The same id, and the name that it bears in the trash, where names are unique: `Name 2.ext` if another had it there.
        NumberedInTrash = "numbered-in-trash",
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
        /// HTTP 410.
        Status410 = "410",
        /// HTTP 403.
        Status403 = "403",
        /// HTTP 404.
        Status404 = "404",
    }
}
switch! {
    /// `S-body-lag`: a content that lags behind its listing, for [`super::Switches::body_lag_time`] after it came.
    BodyLag {
        /// It never does.
        None = "none",
        /// The file is served without a byte.
        Empty = "empty",
        /// Half of it is served.
        Short = "short",
        /// by_id names no address.
        Absent = "absent",
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
    /// `S-quota`: how a full storage shows (question 17). What is free is [`super::Switches::quota_left`].
    Quota {
        /// It never is full.
        None = "none",
        /// 413 when a slot is asked for.
        Slot413 = "413-at-slot",
        /// 413 from the content host.
        Content413 = "413-at-content",
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
    /// `S-throttle`: how throttling shows on service calls (question 20); one call in [`super::Switches::throttle_every`].
    Throttle {
        /// Never.
        None = "none",
        /// 429 with `Retry-After`.
        Status429 = "429",
        /// 503 with HTML.
        Html503 = "503-html",
        /// 403 `ACCESS_DENIED`.
        AccessDenied = "403-access-denied",
        /// 503 `THROTTLED` with `retryAfter` in the body.
        Throttled503 = "503-throttled",
        /// 503 `TRY_AGAIN_LATER` with `retryAfter` in the body.
        TryAgainLater503 = "503-try-again-later",
        /// 400 `RETRY_LATER` with `retryAfter` in the body.
        RetryLater400 = "400-retry-later",
    }
}
switch! {
    /// `S-srp`: which hashing the server takes where leading zero bytes matter (question 21).
    Srp {
        /// Padded to 256 bytes.
        Padded = "padded",
        /// Both.
        Both = "both",
        /// Without leading zero bytes.
        Unpadded = "unpadded",
    }
}
switch! {
    /// `S-url-host`: the host that download addresses lead to.
    UrlHost {
        /// The content host's own.
        Own = "own",
        /// One that nobody has to do with, as a meddler on the way would have it.
        Elsewhere = "elsewhere",
    }
}
switch! {
    /// `S-retrust`: a repeated `2sv/trust` on a live session (question 23).
    Retrust {
        /// A fresh trust token.
        NewToken = "new-token",
        /// Refused unless a code was given in this sign-in.
        OnlyAfterFactor = "only-after-factor",
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
        /// Devices show a code with the password; a request cancels it, and no other appears.
        CancelledByPut = "cancelled-by-put",
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
    /// `S-flip`: what opening a flat Pages, Numbers or Keynote document in an editor on the web makes of it (question 27).
    Flip {
        /// The same file; only the first half of its etag moves.
        Off = "off",
        /// A package, under its id.
        OnOpen = "on-open",
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
