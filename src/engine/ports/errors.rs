//! Why a side did not do what was asked.

use std::time::Duration;

use crate::model::{AccountProblem, RelPath};

/// Why an item is set aside for which this disk has no room.
pub const NO_SPACE: &str = "no space left on this disk";

/// Why a request to iCloud did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The item changed after it was seen; nothing was done (`docs/protocol.md` §10).
    #[error("changed on iCloud meanwhile")]
    Stale,
    /// Another item has the name; nothing was done.
    #[error("another item on iCloud has this name")]
    NameTaken,
    /// The id does not resolve now. That alone proves no deletion (§8.3).
    #[error("iCloud knows no such item")]
    Gone,
    /// The service refuses it for good: the name, the size, the kind.
    #[error("{}", refusal(.0))]
    Refused(String),
    /// The account's storage is full, or the file is larger than the service takes: one answer means both (`docs/protocol.md`
    /// §16.1).
    #[error("the iCloud storage is full, or the file is larger than the service takes: {0}")]
    Quota(String),
    /// The service is busy or throttles; all short retries are used up. Nothing was done.
    #[error("{}", busy(.message))]
    Busy {
        /// What it said.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer came to a call that changes the drive: it may or may not have been carried out. Look before repeating.
    #[error("no answer came, so it is unknown whether iCloud did it: {0}")]
    Uncertain(String),
    /// iCloud cannot be reached; nothing was done.
    #[error("iCloud cannot be reached: {0}")]
    Unreachable(String),
    /// The account needs something first: password, second factor, terms, approval. The pass ends.
    #[error("{message}")]
    Account {
        /// What that is.
        cause: AccountProblem,
        /// One plain sentence, with what to do.
        message: String,
    },
    /// What came is not what was announced: wrong length, wrong signature, not the protocol. Worth another try.
    #[error("what iCloud sent is damaged: {0}")]
    Damaged(String),
    /// The last look at the item is too old for a call that the service carries out whatever the item is by then: nothing was asked.
    #[error("iCloud answered too late to tell what it still is")]
    LookedLongAgo,
    /// The program is asked to stop.
    #[error("stopped")]
    Stopped,
}

/// A refusal, unless the words are a sentence of our own.
fn refusal(words: &str) -> String {
    if words.starts_with("not fetched: ") { words.to_owned() } else { format!("iCloud refuses it: {words}") }
}

/// A service that is busy, unless the words say that it was not the service that answered.
fn busy(words: &str) -> String {
    if words.starts_with("the answer of ") { words.to_owned() } else { format!("iCloud is busy: {words}") }
}

impl RemoteError {
    /// Whether the pass as a whole cannot go on: no other item would fare better.
    pub fn ends_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Account { .. } | Self::Stopped)
    }
}

/// Why something on the disk did not happen.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The item is not what was planned for: changed, replaced, or gone. Nothing was done.
    #[error("{path}: changed here meanwhile")]
    Changed {
        /// The item.
        path: RelPath,
    },
    /// Something has the name already; nothing was done.
    #[error("{path}: something else has this name here")]
    Taken {
        /// The name.
        path: RelPath,
    },
    /// The folder that should hold it is not there, or the folder still holds something.
    #[error("{path}: the folder is not as planned")]
    Folder {
        /// The item.
        path: RelPath,
    },
    /// The disk cannot hold the name: too long, or a character it forbids.
    #[error("{path}: this disk cannot hold the name")]
    Name {
        /// The name.
        path: RelPath,
    },
    /// No space, or no quota, left.
    #[error("{path}: {NO_SPACE}")]
    Full {
        /// The item.
        path: RelPath,
    },
    /// The drive's root is not the one of this state: unmounted, swapped, or its marker is missing.
    #[error("{0}")]
    WrongRoot(String),
    /// Anything else the system said.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The verb, as in "cannot read".
        what: &'static str,
        /// The item.
        path: RelPath,
        /// The system's words.
        source: std::io::Error,
    },
}

impl DiskError {
    /// Whether open files or memory ran out, which passes.
    pub fn is_shortage(&self) -> bool {
        // ENOMEM, ENFILE and EMFILE are these numbers on every Linux.
        let numbers = [Some(12), Some(23), Some(24)];
        matches!(self, Self::Io { source, .. } if numbers.contains(&source.raw_os_error()))
    }

    /// Whether it would have to go to another file system, which no rename can do.
    pub fn crosses(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::CrossesDevices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_its_own_gets_no_other_in_front() {
        let busy =
            |message: &str| RemoteError::Busy { message: message.to_owned(), retry_after: None }.to_string();
        assert_eq!(busy("HTTP 503"), "iCloud is busy: HTTP 503");
        let malformed = "the answer of gateway.icloud.com is not understandable HTTP: no status";
        assert_eq!(busy(malformed), malformed);
        let refused = |words: &str| RemoteError::Refused(words.to_owned()).to_string();
        assert_eq!(refused("the name"), "iCloud refuses it: the name");
        let address = "not fetched: iCloud gave an address that is not Apple's (127.0.0.1)";
        assert_eq!(refused(address), address);
    }
}
