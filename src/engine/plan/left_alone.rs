//! What no plan ever touches, and what the owner is told of it.

use super::items::World;
use crate::engine::operation::{Note, NoteKind};
use crate::model::path::{DEEPEST, LONGEST_PATH_BYTES};
use crate::model::{FolderState, LocalKind, Node, RelPath, RemoteKind};

/// What is never synced by its kind, is named so that no path can hold it, or could not be read. What is never synced is among
/// these nodes here and on iCloud.
pub(super) fn skipped(
    world: &World<'_>,
    here: impl Iterator<Item = Node>,
    there: impl Iterator<Item = Node>,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let (local, remote) = (world.local, world.remote);
    let takes_part = world.policy.takes_part;
    for node in here {
        let entry = local.tree.get(node);
        if entry.kind == LocalKind::Special && entry.state != FolderState::Incomplete {
            let path = local.tree.path(node);
            if takes_part(&path) {
                let text = "a link, socket, device or FIFO is never synced";
                notes.push(note(path, NoteKind::Skipped(text.to_owned())));
            }
        }
    }
    for node in there {
        if remote.tree.get(node).kind == RemoteKind::Foreign {
            let path = remote.tree.path(node);
            if takes_part(&path) {
                let text = "shared to this account, or of a kind that is not synced";
                notes.push(note(path, NoteKind::Skipped(text.to_owned())));
            }
        }
    }
    for (folder, name) in &local.unnameable {
        let text = format!("holds {name:?}, a name that is not UTF-8 and is never synced");
        notes.push(note(folder.clone(), NoteKind::Skipped(text)));
    }
    for (folder, name, why) in &remote.unusable {
        let text = format!("holds {name:?} on iCloud, which cannot be synced: {why}");
        notes.push(note(folder.clone(), NoteKind::SetAside(text)));
    }
    for folder in &local.too_deep {
        notes.push(note(folder.clone(), NoteKind::SetAside(too_deep())));
    }
    for (folder, why) in &local.failed {
        notes.push(note(folder.clone(), NoteKind::Unsettled(why.clone())));
    }
    notes
}

/// Why a folder is not looked into that lies too deep.
pub fn too_deep() -> String {
    format!(
        "it lies deeper than {DEEPEST} folders, or its path is longer than {LONGEST_PATH_BYTES} bytes: what it holds is not synced"
    )
}

/// What the owner is told of a path.
pub(super) fn note(path: RelPath, kind: NoteKind) -> Note {
    Note { path, kind }
}
