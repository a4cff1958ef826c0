//! What the two sides hold, as plain data that can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use icloudds_simulator::Simulator;
use icloudds_simulator::drive::model::item::Kind;
use sha1::{Digest as _, Sha1};
use unicode_normalization::UnicodeNormalization as _;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file: its length and the SHA-1 of its content.
    File(u64, String),
    /// A document package on iCloud: bytes of its archive are not defined.
    Package,
    /// A link, socket or device.
    Other,
}

/// A tree by path, in composed form.
pub type Tree = BTreeMap<String, Node>;

/// What identifies a local item and shows that nobody touched it.
pub type LocalMarks = BTreeMap<String, (u64, i64, i64, u64)>;

/// What identifies a remote item and shows that nobody touched it.
pub type RemoteMarks = BTreeMap<String, (String, String)>;

/// Everything below `root` but the program's own folder.
pub fn local(root: &Path) -> Tree {
    let mut found = Tree::new();
    walk(root, "", &mut |path, at, kind| {
        let node = if kind.is_dir() {
            Node::Folder
        } else if kind.is_file() {
            let (len, sha1) = digest(at).expect("a readable file");
            Node::File(len, sha1)
        } else {
            Node::Other
        };
        found.insert(path.nfc().collect(), node);
    });
    found
}

/// Inode, modification time and size of everything below `root`.
pub fn local_marks(root: &Path) -> LocalMarks {
    let mut found = LocalMarks::new();
    walk(root, "", &mut |path, at, kind| {
        let seen = fs::symlink_metadata(at).expect("a file that is there");
        // A folder's own times change with what is in it; what is in it is compared anyway.
        let marks = if kind.is_dir() {
            (seen.ino(), 0, 0, 0)
        } else {
            (seen.ino(), seen.mtime(), seen.mtime_nsec(), seen.size())
        };
        found.insert(path.to_owned(), marks);
    });
    found
}

fn walk(root: &Path, above: &str, visit: &mut impl FnMut(&str, &Path, fs::FileType)) {
    for entry in fs::read_dir(root).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A folder has one of its own where nothing can be renamed into it from elsewhere: a pool of disks chooses the disk of a folder by
        // what is free.
        if name == ".icloudds" {
            continue;
        }
        let path = if above.is_empty() { name.into_owned() } else { format!("{above}/{name}") };
        let kind = entry.file_type().expect("a kind");
        visit(&path, &entry.path(), kind);
        if kind.is_dir() {
            walk(&entry.path(), &path, visit);
        }
    }
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = Hasher(Sha1::new());
    let len = io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    let hash = hasher.0.finalize();
    Ok((
        len,
        hash.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    ))
}

struct Hasher(Sha1);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything in the drive but its trash.
pub fn remote(sim: &Simulator) -> Tree {
    sim.drive()
        .tree()
        .into_iter()
        .map(|(path, entry)| {
            let node = if entry.kind.is_folder() {
                Node::Folder
            } else {
                match entry.sha1().expect("a readable content") {
                    Some(sha1) => Node::File(entry.size, sha1),
                    None => Node::Package,
                }
            };
            (path, node)
        })
        .collect()
}

/// Id and etag of everything in the drive.
///
/// A folder's etag follows what is in it with a delay of its own, so only its id counts.
pub fn remote_marks(sim: &Simulator) -> RemoteMarks {
    sim.drive()
        .tree()
        .into_iter()
        .map(|(path, entry)| {
            let etag = if matches!(entry.kind, Kind::File) { entry.etag } else { String::new() };
            (path, (entry.docwsid, etag))
        })
        .collect()
}

/// Where two trees differ, a line each; empty when they do not.
pub fn differences(here: &Tree, there: &Tree) -> String {
    let mut text = String::new();
    for (path, node) in here {
        match there.get(path) {
            None => {
                let _ = writeln!(text, "only here: {path} {node:?}");
            }
            Some(Node::Package) if matches!(node, Node::File(..)) => {}
            Some(other) if other != node => {
                let _ = writeln!(text, "differs: {path}: here {node:?}, on iCloud {other:?}");
            }
            Some(_) => {}
        }
    }
    for (path, node) in there.iter().filter(|(path, _)| !here.contains_key(*path)) {
        let _ = writeln!(text, "only on iCloud: {path} {node:?}");
    }
    text
}
