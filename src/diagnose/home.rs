//! The one folder that `--probe-writes` makes in the drive's root. It is noted here before it is made, so that one that a run could not put away
//! is put away by the next.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::ports::{ItemVersion, LookUp, Remote, RemoteError, RemoteItem, RemoteParent};
use crate::model::ItemId;
use crate::private_file::{PrivateFile, Stored, open_stored};

/// In the state directory, while there is such a folder.
pub const NOTE: &str = "diagnose.json";
/// What its name begins with.
const PREFIX: &str = "icloudds probe ";

/// What is noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// Its `drivewsid`, once it is known.
    pub id: Option<String>,
}

/// The note's place.
pub struct Notebook(PathBuf);

impl Notebook {
    /// In that state directory.
    pub fn new(state_directory: &Path) -> Self {
        Self(state_directory.join(NOTE))
    }

    /// What an earlier run left.
    pub fn read(&self) -> Option<Note> {
        let Ok(Stored::Ours(file, _)) = open_stored(&self.0) else { return None };
        let mut text = String::new();
        file.take(4096).read_to_string(&mut text).ok()?;
        let note: Note = serde_json::from_str(&text).ok()?;
        note.name.starts_with(PREFIX).then_some(note)
    }

    /// Notes it, before it is made and once its id is known.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; nothing must be made then.
    pub fn write(&self, note: &Note) -> std::io::Result<()> {
        let mut file = PrivateFile::create(&self.0)?;
        file.write_all(&serde_json::to_vec(note)?)?;
        file.commit()
    }

    /// It is put away.
    pub fn clear(&self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::debug!("the note of the probe's folder cannot be removed: {error}");
        }
    }
}

/// A new name; `random` tells it from others.
pub fn new_name(digits: &str) -> String {
    format!("{PREFIX}{digits}")
}

/// Makes the folder.
///
/// # Errors
///
/// As every change; one that is [`RemoteError::Uncertain`] is found by its note the next time.
pub fn make(remote: &dyn Remote, notebook: &Notebook, name: &str) -> Result<RemoteItem, RemoteError> {
    let noted = |id| {
        let failed =
            |error: std::io::Error| RemoteError::Refused(format!("the note cannot be written: {error}"));
        notebook.write(&Note { name: name.to_owned(), id }).map_err(failed)
    };
    noted(None)?;
    let lost = || Err(RemoteError::Uncertain("the answer holds no folder".to_owned()));
    let made = remote.create_folders(&ItemId::drive_root(), &[name]).pop().unwrap_or_else(lost);
    match made {
        Ok(item) => {
            noted(Some(format!("FOLDER::{}", item.entry.id)))?;
            Ok(item)
        }
        Err(error) => {
            if !matches!(error, RemoteError::Uncertain(_)) {
                notebook.clear();
            }
            Err(error)
        }
    }
}

/// Moves the noted folder to the trash, if it is there.
///
/// # Errors
///
/// As every change. The note stays then.
pub fn put_away(remote: &dyn Remote, notebook: &Notebook, note: &Note) -> Result<(), RemoteError> {
    for _ in 0..2 {
        let Some(item) = find(remote, note)? else { break };
        let version = ItemVersion { id: item.entry.id, folder: true, etag: item.entry.etag };
        match remote.trash(&[version]).pop() {
            // What was written into it a moment ago may still change its etag.
            Some(Err(RemoteError::Stale)) => {}
            Some(Err(RemoteError::Gone)) | None => break,
            Some(Err(error)) => return Err(error),
            Some(Ok(_)) => {
                notebook.clear();
                return Ok(());
            }
        }
    }
    match find(remote, note)? {
        Some(_) => Err(RemoteError::Stale),
        None => {
            notebook.clear();
            Ok(())
        }
    }
}

/// The noted folder, where it lives: by its id, or by its name where the answer to its making was lost.
fn find(remote: &dyn Remote, note: &Note) -> Result<Option<RemoteItem>, RemoteError> {
    if let Some(id) = note.id.as_deref().and_then(ItemId::from_drivewsid) {
        let found = remote.look_up(&[(id, true)])?.pop();
        return match found {
            Some(LookUp::Found(item)) if item.parent != RemoteParent::Trash => Ok(Some(item)),
            Some(LookUp::Found(_) | LookUp::Gone) | None => Ok(None),
            Some(LookUp::Unknown) => {
                Err(RemoteError::Damaged("no answer about the probe's folder".to_owned()))
            }
        };
    }
    let mut listed = remote.list(&[ItemId::drive_root()], false);
    let listing = listed.pop().unwrap_or_else(|| Err(RemoteError::Damaged("no listing".to_owned())))?;
    Ok(listing.items.into_iter().find(|item| item.entry.is_folder() && *item.entry.name == *note.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_kept_until_it_is_cleared_and_only_our_names_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let notebook = Notebook::new(folder.path());
        assert_eq!(notebook.read(), None);
        let note = Note { name: new_name("0102ab00"), id: None };
        assert_eq!(note.name, "icloudds probe 0102ab00");
        notebook.write(&note).expect("written");
        assert_eq!(notebook.read(), Some(note));
        notebook.write(&Note { name: "Documents".to_owned(), id: None }).expect("written");
        assert_eq!(notebook.read(), None, "a folder of somebody's is never put away");
        notebook.clear();
        notebook.clear();
        assert!(!folder.path().join(NOTE).exists());
    }
}
