//! From what `notify` reports to what matters here.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind};

use crate::model::name::PRIVATE_FOLDER;

/// One event that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// Something happened to the item of this path: the folder that holds it is dirty.
    Touched(PathBuf),
    /// A file was closed after writing, perhaps through a memory map, which raises no other event.
    Written(PathBuf),
    /// Something, perhaps a folder with contents, has this path now.
    Appeared(PathBuf),
    /// Mode, owner or times changed; a folder may have become readable.
    Attributes(PathBuf),
    /// The kernel dropped events.
    Overflow,
    /// The root was removed or moved away.
    RootGone,
    /// Watching failed.
    Failed(String),
    /// The limit of watches.
    Limit,
}

/// What an event means; `None` for reads and for what another event tells as well.
pub(super) fn sort(root: &Path, event: notify::Result<Event>) -> Option<Raw> {
    let event = match event {
        Ok(event) => event,
        Err(error) if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) => return Some(Raw::Limit),
        Err(error) => return Some(Raw::Failed(error.to_string())),
    };
    if event.need_rescan() {
        return Some(Raw::Overflow);
    }
    let leaves = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    let path = match event.kind {
        // Closing after writing counts: changes through a memory map raise no other event.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => event.paths.into_iter().next()?,
        EventKind::Access(_) => return None,
        // Both halves of a rename were told before, each with its own folder.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
        _ => event.paths.into_iter().next()?,
    };
    if path == root {
        return Some(if leaves { Raw::RootGone } else { Raw::Attributes(path) });
    }
    // Ours is worth a look only when it comes or goes by another hand: the marker in it proves the right folder.
    if path.file_name().is_some_and(|name| name == PRIVATE_FOLDER) {
        return leaves.then_some(Raw::Touched(path));
    }
    Some(match event.kind {
        EventKind::Create(CreateKind::Folder) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
            Raw::Appeared(path)
        }
        EventKind::Modify(ModifyKind::Metadata(_)) => Raw::Attributes(path),
        EventKind::Access(_) => Raw::Written(path),
        _ => Raw::Touched(path),
    })
}
