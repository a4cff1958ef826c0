//! What is about to get its name in the local folder: a line each, written before, in a file beside the state's.
//!
//! A line outlives the process as soon as it is written. It is not synced: after a power cut what came is met as new, as if there were
//! no such file. A commit of the base makes them superfluous.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Arriving, DiskTime, Etag, Identity, ItemId, RelPath, ServerTime, Signature};
use crate::private_file::{Stored, open_stored};

/// More than this is not read: a group of changes has no hundred items.
const MOST_BYTES: u64 = 4 << 20;

/// The file's name has this in place of the state's extension.
const EXTENSION: &str = "arriving";

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Arrivals {
    path: PathBuf,
    /// `None` until something is written.
    file: Option<File>,
    noted: Vec<Arriving>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    id: String,
    parent: String,
    etag: String,
    name: String,
    folder: bool,
    package: bool,
    size: Option<u64>,
    mtime: Option<i64>,
    content: Option<[u8; 20]>,
    #[serde(default)]
    identity: Option<(u64, Option<i64>)>,
}

impl Arrivals {
    /// What an earlier run left beside the state at `state`. What cannot be read, or is not ours, counts as nothing.
    pub(super) fn open(state: &Path) -> Self {
        let path = state.with_extension(EXTENSION);
        let noted = match open_stored(&path) {
            Ok(Stored::Ours(file, _)) => read(file),
            Ok(Stored::Absent | Stored::Foreign(_)) | Err(_) => Vec::new(),
        };
        Self { path, file: None, noted }
    }

    pub(super) fn noted(&self) -> &[Arriving] {
        &self.noted
    }

    /// Writes a line.
    pub(super) fn note(&mut self, arriving: &Arriving) -> io::Result<()> {
        let mut line = lines_of(std::slice::from_ref(arriving));
        if self.file.is_none() {
            // Whatever is there was read, or is not ours.
            match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let new = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&self.path)?;
            line.splice(0..0, lines_of(&self.noted));
            self.file = Some(new);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
        }
        self.noted.push(arriving.clone());
        Ok(())
    }

    /// Forgets all lines.
    pub(super) fn forget(&mut self) {
        if self.noted.is_empty() {
            return;
        }
        let emptied = match &self.file {
            Some(file) => file.set_len(0),
            None => std::fs::remove_file(&self.path),
        };
        // A line that stays is met again, and found to be agreed on.
        if emptied.is_err() {
            self.file = None;
        }
        self.noted.clear();
    }
}

/// The lines that say this.
pub(super) fn lines_of(arriving: &[Arriving]) -> Vec<u8> {
    let line = |one| serde_json::to_vec(&Line::of(one)).expect("texts and numbers have a JSON form");
    arriving.iter().flat_map(|one| line(one).into_iter().chain([b'\n'])).collect()
}

/// Removes the file that belongs to the state at `state`.
pub(super) fn remove(state: &Path) -> io::Result<()> {
    match std::fs::remove_file(state.with_extension(EXTENSION)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The lines of a file, up to the first that is none: the last one may have been cut short.
pub(super) fn read(file: impl Read) -> Vec<Arriving> {
    let lines = BufReader::new(file.take(MOST_BYTES)).lines();
    let parsed = lines.map_while(|line| serde_json::from_str::<Line>(&line.ok()?).ok()?.read());
    parsed.collect()
}

impl Line {
    fn of(arriving: &Arriving) -> Self {
        Self {
            path: arriving.path.as_str().to_owned(),
            id: arriving.id.to_string(),
            parent: arriving.parent.to_string(),
            etag: arriving.etag.as_str().to_owned(),
            name: arriving.name.clone(),
            folder: arriving.folder,
            package: arriving.package,
            size: arriving.size,
            mtime: arriving.mtime.map(|time| time.0),
            content: arriving.content.map(|content| content.0),
            identity: arriving.identity.map(|known| (known.inode, known.birth.get().map(|birth| birth.0))),
        }
    }

    fn read(self) -> Option<Arriving> {
        Some(Arriving {
            path: RelPath::parse(&self.path).ok().filter(|path| !path.is_root())?,
            id: ItemId::from_text(&self.id)?,
            parent: ItemId::from_text(&self.parent)?,
            etag: Etag::new(&self.etag),
            name: self.name,
            folder: self.folder,
            package: self.package,
            size: self.size,
            mtime: self.mtime.map(ServerTime),
            content: self.content.map(Signature),
            identity: self
                .identity
                .map(|(inode, birth)| Identity { inode, birth: birth.map(DiskTime).into() }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    fn arriving(path: &str) -> Arriving {
        Arriving {
            path: RelPath::parse(path).unwrap(),
            id: ItemId::new(Zone::CloudDocs, "5EED0000-0000-4000-8000-000000000001"),
            parent: ItemId::drive_root(),
            etag: Etag::new("1::2"),
            name: "Müll \"2\"".to_owned(),
            folder: false,
            package: true,
            size: Some(7),
            mtime: Some(ServerTime(-1)),
            content: Some(Signature([9; 20])),
            identity: Some(Identity { inode: 7, birth: Some(DiskTime(-8)).into() }),
        }
    }

    #[test]
    fn what_was_noted_is_there_at_the_next_start_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.redb");
        let mut first = Arrivals::open(&state);
        assert_eq!(first.noted(), []);
        let (a, b, c) = (
            arriving("d/a"),
            Arriving { folder: true, content: None, identity: None, ..arriving("b") },
            arriving("c"),
        );
        first.note(&a).unwrap();
        first.note(&b).unwrap();
        // The process is killed here; the next one adds to what it finds.
        let mut second = Arrivals::open(&state);
        assert_eq!(second.noted(), [a.clone(), b.clone()]);
        second.note(&c).unwrap();
        assert_eq!(Arrivals::open(&state).noted(), [a, b, c.clone()]);
        second.forget();
        assert_eq!(Arrivals::open(&state).noted(), []);
        second.note(&c).unwrap();
        let mut third = Arrivals::open(&state);
        assert_eq!(third.noted(), [c]);
        third.forget();
        assert_eq!(Arrivals::open(&state).noted(), []);
        remove(&state).unwrap();
        remove(&state).unwrap();
    }

    #[test]
    fn a_line_that_was_cut_short_ends_what_is_believed() {
        let line = serde_json::to_string(&Line::of(&arriving("a"))).unwrap();
        let text = format!("{line}\n{}\n{line}\n", &line[..line.len() / 2]);
        assert_eq!(read(text.as_bytes()), [arriving("a")]);
        let of_before = line.replace(",\"identity\":[7,-8]", "");
        assert_ne!(of_before, line);
        assert_eq!(read(of_before.as_bytes()), [Arriving { identity: None, ..arriving("a") }]);
        let outside = line.replace("\"path\":\"a\"", "\"path\":\"../a\"");
        assert_eq!(read(outside.as_bytes()), []);
    }
}
