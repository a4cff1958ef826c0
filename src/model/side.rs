//! Here, or on iCloud.

use serde::{Deserialize, Serialize};

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The folder on this machine.
    Local,
    /// iCloud.
    Remote,
}

impl Side {
    /// Where that is, in a sentence for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Local => "here",
            Self::Remote => "on iCloud",
        }
    }
}
