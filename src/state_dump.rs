//! Edge: the five state files, for people who want to see what was known when (`docs/contract.md`, "Files in the state
//! directory").
//!
//! Written as streams straight from the trees, ordered by path, each replaced whole, readable by the owner only.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::model::entry::{Presence, RemoteEntry};
use crate::model::plain::plain;
use crate::model::{BaseTree, LocalKind, LocalTree, Node, RemoteTree, Tree};
use crate::private_file::PrivateFile;

/// Which of the five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DumpFile {
    /// The local side as it was known when a pass began.
    LocalBefore,
    /// iCloud as it was known when a pass began.
    RemoteBefore,
    /// The local side when it ended.
    LocalAfter,
    /// iCloud when it ended.
    RemoteAfter,
    /// The listing of iCloud that the pass worked from.
    RefreshAfter,
}

impl DumpFile {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::LocalBefore, Self::RemoteBefore, Self::LocalAfter, Self::RemoteAfter, Self::RefreshAfter];

    /// The file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LocalBefore => "icloudds_local_before.log",
            Self::RemoteBefore => "icloudds_icloud_before.log",
            Self::LocalAfter => "icloudds_local_after.log",
            Self::RemoteAfter => "icloudds_icloud_after.log",
            Self::RefreshAfter => "icloudds_refresh_after.log",
        }
    }
}

/// What a file is written from.
#[derive(Clone, Copy)]
pub enum Known<'a> {
    /// A local scan; etags and ids come from the base where it knows the path.
    Local(&'a LocalTree, &'a BaseTree),
    /// A listing of iCloud.
    Remote(&'a RemoteTree),
    /// What both sides agreed on, as the local side has it.
    BaseLocal(&'a BaseTree),
    /// What both sides agreed on, as iCloud has it.
    BaseRemote(&'a BaseTree),
}

/// Where the files go.
#[derive(Clone, Debug)]
pub struct StateDump {
    folder: PathBuf,
}

impl StateDump {
    /// Next to `log_file`, else in `state_directory`.
    pub fn new(log_file: Option<&Path>, state_directory: &Path) -> Self {
        let folder = log_file.and_then(Path::parent).unwrap_or(state_directory);
        Self { folder: folder.to_owned() }
    }

    /// Writes one file from what is known.
    ///
    /// # Errors
    ///
    /// When it cannot be replaced; the old one stays.
    pub fn write(&self, which: DumpFile, known: Known<'_>) -> io::Result<()> {
        let mut file = PrivateFile::create(&self.folder.join(which.name()))?;
        write_lines(&mut file, known)?;
        file.commit()
    }
}

/// Writes the lines of `known`, the root's own left out.
///
/// # Errors
///
/// What `out` refuses.
pub fn write_lines(out: &mut impl Write, known: Known<'_>) -> io::Result<()> {
    match known {
        Known::Local(tree, base) => lines(out, tree, |node| {
            let entry = tree.get(node);
            let agreed = base.find(&tree.path(node)).map(|agreed| base.get(agreed));
            Some(Line {
                folder: entry.kind == LocalKind::Folder,
                name: tree.name(node).to_owned(),
                size: (entry.kind != LocalKind::Folder).then_some(entry.stamp.size),
                modified: Some(entry.stamp.mtime.whole_seconds()),
                etag: agreed.map(|agreed| agreed.remote.etag.to_string()),
                id: agreed.map(|agreed| agreed.remote.id.to_string()),
            })
        }),
        Known::Remote(tree) => lines(out, tree, |node| {
            let entry: &RemoteEntry = tree.get(node);
            Some(Line {
                folder: entry.is_folder(),
                name: entry.name.to_string(),
                size: entry.size.get(),
                modified: entry.mtime.get().map(|time| time.0),
                etag: Some(entry.etag.to_string()),
                id: Some(entry.id.to_string()),
            })
        }),
        Known::BaseLocal(tree) => lines(out, tree, |node| {
            let entry = tree.get(node);
            (entry.presence != Presence::RemoteOnly).then(|| Line {
                folder: entry.folder,
                name: entry.local_name.to_string(),
                size: (!entry.folder).then_some(entry.local.stamp.size),
                modified: Some(entry.local.stamp.mtime.whole_seconds()),
                etag: Some(entry.remote.etag.to_string()),
                id: Some(entry.remote.id.to_string()),
            })
        }),
        Known::BaseRemote(tree) => lines(out, tree, |node| {
            let entry = tree.get(node);
            (entry.presence != Presence::LocalOnly).then(|| Line {
                folder: entry.folder,
                name: entry.remote.name.to_string(),
                size: entry.remote.size.get(),
                modified: entry.remote.mtime.get().map(|time| time.0),
                etag: Some(entry.remote.etag.to_string()),
                id: Some(entry.remote.id.to_string()),
            })
        }),
    }
}

/// One line for every node but the root. A walk goes by the bytes of the names, folders before what they hold: the order
/// of [`crate::model::RelPath`].
fn lines<T: crate::model::tree::Entry>(
    out: &mut impl Write,
    tree: &Tree<T>,
    line: impl Fn(Node) -> Option<Line>,
) -> io::Result<()> {
    for node in tree.walk(Node::ROOT).skip(1) {
        if let Some(line) = line(node) {
            writeln!(out, "{}: {line}", plain(tree.path(node).as_str()))?;
        }
    }
    Ok(())
}

/// What is told of one item; what is not known is `None`.
struct Line {
    folder: bool,
    name: String,
    size: Option<u64>,
    /// Unix seconds.
    modified: Option<i64>,
    etag: Option<String>,
    id: Option<String>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.folder { "FolderInfo" } else { "FileInfo" };
        write!(f, "{kind}({}", plain(&self.name))?;
        if !self.folder {
            f.write_str(", size=")?;
            match self.size {
                Some(size) => write!(f, "{size}")?,
                None => f.write_str("None")?,
            }
        }
        f.write_str(", modified=")?;
        match self.modified.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
            Some(time) => write!(f, "{}+00:00", time.strftime("%Y-%m-%d %H:%M:%S"))?,
            None => f.write_str("None")?,
        }
        for (key, value) in [("etag", &self.etag), ("id", &self.id)] {
            match value.as_deref().filter(|value| !value.is_empty()) {
                Some(value) => write!(f, ", {key}={}", plain(value))?,
                None => write!(f, ", {key}=None")?,
            }
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::model::{
        BaseEntry, DiskTime, Etag, FolderState, ItemId, LocalEntry, LocalStamp, RemoteKind, ServerTime, Zone,
    };

    fn local(kind: LocalKind, size: u64, seconds: i64) -> LocalEntry {
        let stamp = LocalStamp { size, mtime: DiskTime::new(seconds, 5), ..LocalStamp::default() };
        LocalEntry {
            kind,
            stamp,
            racy: false,
            signature: None.into(),
            state: FolderState::Complete,
            holds_unnameable: false,
        }
    }

    fn id(doc: &str) -> ItemId {
        ItemId::new(Zone::CloudDocs, doc)
    }

    fn remote(doc: &str, name: &str, file: Option<(u64, i64)>) -> RemoteEntry {
        RemoteEntry {
            id: id(doc),
            kind: if file.is_some() { RemoteKind::File } else { RemoteKind::Folder },
            name: name.into(),
            etag: Etag::new("1a::2b"),
            size: file.map(|(size, _)| size).into(),
            mtime: file.map(|(_, time)| ServerTime(time)).into(),
            signature: None.into(),
            state: FolderState::Complete,
        }
    }

    fn base() -> BaseTree {
        let mut base = BaseTree::new(BaseEntry::root(ItemId::drive_root()));
        let item = |doc: &str, name: &str, folder| BaseEntry {
            folder,
            local_name: name.into(),
            remote_name: format!("{name} there").into(),
            etag: Etag::new("1a::2b"),
            remote_size: (!folder).then_some(8).into(),
            remote_mtime: (!folder).then_some(ServerTime(1_795_341_601)).into(),
            stamp: LocalStamp { size: 7, mtime: DiskTime::new(1_795_341_600, 1), ..LocalStamp::default() },
            ..BaseEntry::root(id(doc))
        };
        let folder = base.insert(Node::ROOT, "a", item("A", "a", true));
        base.insert(folder, "x.txt", item("X", "x.txt", false));
        let only = BaseEntry { presence: Presence::LocalOnly, ..item("L", "left", true) };
        base.insert(Node::ROOT, "left", only);
        base
    }

    fn text(known: Known<'_>) -> String {
        let mut out = Vec::new();
        write_lines(&mut out, known).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn local_lines_know_what_the_base_knows() {
        let mut tree = Tree::new(local(LocalKind::Folder, 0, 0));
        tree.insert(Node::ROOT, "a.txt", local(LocalKind::File, 3, 0));
        tree.insert(Node::ROOT, "new\nline\u{1b}", local(LocalKind::File, 1, -1));
        let folder = tree.insert(Node::ROOT, "a", local(LocalKind::Folder, 0, 1_795_341_600));
        tree.insert(folder, "x.txt", local(LocalKind::File, 7, 1_795_341_600));
        assert_eq!(
            text(Known::Local(&tree, &base())),
            "\
a: FolderInfo(a, modified=2026-11-22 10:00:00+00:00, etag=1a::2b, id=com.apple.CloudDocs::A)
a/x.txt: FileInfo(x.txt, size=7, modified=2026-11-22 10:00:00+00:00, etag=1a::2b, id=com.apple.CloudDocs::X)
a.txt: FileInfo(a.txt, size=3, modified=1970-01-01 00:00:00+00:00, etag=None, id=None)
new\\nline\\u{1b}: FileInfo(new\\nline\\u{1b}, size=1, modified=1969-12-31 23:59:59+00:00, etag=None, id=None)
"
        );
    }

    #[test]
    fn remote_lines_tell_what_the_service_told() {
        let mut tree = RemoteTree::new(remote("root", "", None));
        let folder = tree.insert(Node::ROOT, "a", remote("A", "a", None));
        tree.insert(folder, "x.txt", remote("X", "x.txt", Some((8, 1_795_341_601))));
        assert_eq!(
            text(Known::Remote(&tree)),
            "\
a: FolderInfo(a, modified=None, etag=1a::2b, id=com.apple.CloudDocs::A)
a/x.txt: FileInfo(x.txt, size=8, modified=2026-11-22 10:00:01+00:00, etag=1a::2b, id=com.apple.CloudDocs::X)
"
        );
    }

    #[test]
    fn the_base_has_two_faces() {
        let base = base();
        let local = text(Known::BaseLocal(&base));
        assert!(local.contains("a/x.txt: FileInfo(x.txt, size=7, modified=2026-11-22 10:00:00"), "{local}");
        assert!(local.contains("left: FolderInfo(left,"), "{local}");
        let remote = text(Known::BaseRemote(&base));
        assert!(
            remote.contains("a/x.txt: FileInfo(x.txt there, size=8, modified=2026-11-22 10:00:01"),
            "{remote}"
        );
        assert!(!remote.contains("left"), "{remote}");
    }

    #[test]
    fn files_are_private_and_go_next_to_the_log() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let log = temp.path().join("log");
        fs::create_dir(&log).expect("a folder");
        let dump = StateDump::new(Some(&log.join("icloudds.log")), temp.path());
        let base = base();
        for which in DumpFile::ALL {
            dump.write(which, Known::BaseLocal(&base)).expect("written");
            let written = fs::metadata(log.join(which.name())).expect("there");
            assert_eq!(written.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(&log).expect("read").count(), DumpFile::ALL.len());
        let plain = StateDump::new(None, temp.path());
        plain.write(DumpFile::LocalAfter, Known::BaseLocal(&base)).expect("written");
        assert!(temp.path().join("icloudds_local_after.log").exists());
    }
}
