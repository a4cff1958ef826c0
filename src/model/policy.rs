//! What the owner decides of how syncing goes: each set of words once, for the configuration and for who goes by it.

/// Declares an enum of the contract's words (`docs/contract.md`).
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$word_doc])* $variant,)* }

        impl $name {
            /// The word that the configuration uses.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The variant of a word, `None` for any other text.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Whose service it is: `account.region`.
    #[derive(Default)]
    Region {
        /// The service of all countries but one.
        #[default]
        Global = "global",
        /// The service of mainland China.
        China = "china",
    }
}
words! {
    /// Which sides may change (`docs/sync.md` §4, Modes): `sync.mode`.
    #[derive(Default)]
    Mode {
        /// Both: each side follows the other.
        #[default]
        TwoWay = "two-way",
        /// Only the local folder, which follows the drive.
        DownloadOnly = "download-only",
        /// Only iCloud, which follows the local folder.
        UploadOnly = "upload-only",
    }
}
words! {
    /// Who keeps the name when both sides changed a file: `sync.conflict`.
    #[derive(Default)]
    ConflictPolicy {
        /// The remote version keeps it, the local one is kept beside it under a conflict name.
        #[default]
        KeepBoth = "keep-both",
        /// The newer one keeps it, the other goes to its own side's trash.
        Newest = "newest",
    }
}
words! {
    /// How a file on iCloud is replaced (`docs/sync.md` §6): `sync.remote_replace`.
    Replacement {
        /// With the existing document id; falls back to `Trash` where the service does not take it.
        InPlace = "in-place",
        /// The old version goes to Recently Deleted first.
        Trash = "trash",
    }
}
words! {
    /// What becomes of packages (`docs/protocol.md` §11.5): `sync.packages`.
    #[derive(Default)]
    Packages {
        /// Each is one opaque zip.
        #[default]
        Zip = "zip",
        /// They are left alone and hold their names.
        Skip = "skip",
    }
}
