//! What a file system keeps of an item: its inode number over a rename and a restart, and which ways of moving it knows
//! (`docs/sync.md` §3).

use rustix::fd::AsFd;
use serde::{Deserialize, Serialize};

use super::watchability::{Numbering, numbering};

/// What holds on one file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsTraits {
    /// A file keeps its inode number when it is renamed.
    pub files: bool,
    /// So does a folder.
    pub folders: bool,
    /// Inode numbers are the same after a restart, or a new mount.
    pub restart: bool,
    /// Two names can be exchanged in one step.
    pub exchange: bool,
    /// A file can have a second name.
    pub links: bool,
    /// The first change of an item makes another one of it, as on overlays: birth times say nothing, and a move may
    /// change the inode number.
    #[serde(default)]
    pub copies_up: bool,
    /// Once somebody has looked at an item, every later change of it shows in its times, however soon it comes. Not noted: the
    /// kernel decides, and that may be another one after a restart.
    #[serde(skip)]
    pub shows_all: bool,
}

impl Default for FsTraits {
    /// An ordinary file system.
    fn default() -> Self {
        Self {
            files: true,
            folders: true,
            restart: true,
            exchange: true,
            links: true,
            copies_up: false,
            shows_all: false,
        }
    }
}

impl FsTraits {
    /// What the kind of a file system, of which `folder` is an open folder, suggests before anything was tried.
    pub fn of_kind(folder: impl AsFd) -> Self {
        let numbering = numbering(folder);
        let restart = numbering != Numbering::MadeUp;
        Self { restart, copies_up: numbering == Numbering::CopiedUp, ..Self::default() }
    }

    /// Whether a file is known by its inode number.
    pub fn knows_files(self) -> bool {
        self.files && self.restart
    }

    /// Whether a folder is known by its inode number.
    pub fn knows_folders(self) -> bool {
        self.folders && self.restart
    }

    /// What the owner should know; `None` of an ordinary file system.
    pub fn told(self) -> Option<String> {
        let mut lacks = Vec::new();
        match (self.files, self.folders) {
            _ if !self.restart => lacks.push("inode numbers do not last"),
            (false, _) => lacks.push("inode numbers change with a rename"),
            (true, false) => lacks.push("inode numbers of folders change with a rename"),
            (true, true) => {}
        }
        let is_odd = !lacks.is_empty();
        if !self.exchange {
            lacks.push("no exchange of two names");
        }
        if !self.links {
            lacks.push("no hard links");
        }
        let by = if is_odd { ": items are known by size, time and content" } else { "" };
        (!lacks.is_empty()).then(|| format!("{}{by}", lacks.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_out_of_the_ordinary_is_told() {
        assert_eq!(FsTraits::default().told(), None);
        let told = |traits: FsTraits| traits.told().unwrap_or_default();
        let by = "items are known by size, time and content";
        let no_restart = FsTraits { restart: false, ..FsTraits::default() };
        assert_eq!(told(no_restart), format!("inode numbers do not last: {by}"));
        assert!(!no_restart.knows_files() && !no_restart.knows_folders());
        let folders = FsTraits { folders: false, exchange: false, ..FsTraits::default() };
        assert!(folders.knows_files() && !folders.knows_folders());
        assert_eq!(
            told(folders),
            format!("inode numbers of folders change with a rename, no exchange of two names: {by}")
        );
        let plain = FsTraits { exchange: false, links: false, ..FsTraits::default() };
        assert_eq!(told(plain), "no exchange of two names, no hard links");
    }
}
