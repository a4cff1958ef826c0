//! What was told, over restarts: `notified.json` in the state directory.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::watch::{Notice, Watch};
use crate::model::plain::plain_json;
use crate::private_file::{PrivateFile, Stored, open_stored};

/// The file's name in the state directory.
const NAME: &str = "notified.json";
/// A longer one is none of ours.
const LARGEST: u64 = 1 << 20;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    watch: Watch,
    unsent: Vec<Notice>,
}

/// What was told, and where that is kept.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    pub watch: Watch,
    stored: Kept,
    /// A failure is said once.
    complained: bool,
}

impl Memory {
    /// Reads what an earlier run left in `state_directory`. Where it cannot be read, at worst something is told twice.
    pub(super) fn open(state_directory: &Path) -> Self {
        let path = state_directory.join(NAME);
        let stored = read(&path).unwrap_or_else(|error| {
            log::warn!("{}: {error}; what was told before may be told again", path.display());
            Kept::default()
        });
        Self { path, watch: stored.watch.clone(), stored, complained: false }
    }

    /// What an earlier run did not get rid of.
    pub(super) fn unsent(&self) -> Vec<Notice> {
        self.stored.unsent.clone()
    }

    /// Stores what is known now, if it is something else than before.
    pub(super) fn keep(&mut self, unsent: Vec<Notice>) {
        let kept = Kept { watch: self.watch.clone(), unsent };
        if kept == self.stored {
            return;
        }
        match write(&self.path, &kept) {
            Ok(()) => {
                self.stored = kept;
                self.complained = false;
            }
            Err(error) if !self.complained => {
                self.complained = true;
                log::warn!("cannot write {}: {error}", self.path.display());
            }
            Err(_) => {}
        }
    }
}

fn read(path: &Path) -> io::Result<Kept> {
    let file = match open_stored(path)? {
        Stored::Ours(file, _) => file,
        Stored::Absent => return Ok(Kept::default()),
        Stored::Foreign(why) => return Err(io::Error::other(why)),
    };
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(|error| io::Error::other(format!("it is damaged ({error})")))
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let mut file = PrivateFile::create(path)?;
    writeln!(file, "{}", plain_json(&serde_json::to_string(kept)?))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::super::watch::Condition;
    use super::*;

    #[test]
    fn what_was_told_is_known_after_a_restart_and_damage_is_no_reason_to_stop() {
        let temp = tempfile::tempdir().expect("a folder");
        let notice =
            Notice { about: Condition::Offline, event: "offline".to_owned(), message: "x".to_owned(), at: 1 };
        let mut memory = Memory::open(temp.path());
        assert_eq!(memory.unsent(), []);
        memory.keep(vec![notice.clone()]);
        assert_eq!(Memory::open(temp.path()).unsent(), [notice]);
        std::fs::write(temp.path().join(NAME), "{\"watch\":").expect("written");
        let mut memory = Memory::open(temp.path());
        assert_eq!(memory.unsent(), []);
        // A folder that takes nothing is said once and harms nothing.
        memory.path = temp.path().join("missing").join(NAME);
        memory.watch = Watch::default();
        memory.keep(vec![Notice {
            about: Condition::DiskFull,
            event: "x".to_owned(),
            message: String::new(),
            at: 2,
        }]);
        assert!(memory.complained);
    }
}
