//! What the planner says and the executor does: operations, each with its reason and the state
//! that it was planned against.

mod after;

use std::borrow::Cow;
use std::fmt;

pub use after::After;

use crate::model::name::Name;
use crate::model::name::temporary_origin;
pub use crate::model::policy::Replacement;
use crate::model::{Etag, ItemId, LocalStamp, Presence, RelPath, ServerTime, Side, Signature};

/// An ordered list of operations, and what else the owner should know.
///
/// Paths are those at the moment the operation's turn comes: a file inside a folder that an
/// earlier operation moves is named by its new path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order they may run; an operation runs after all those in its `after` have succeeded.
    pub operations: Vec<Operation>,
    /// Items that are left alone for a reason worth telling.
    pub notes: Vec<Note>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What is done.
    pub action: Action,
    /// The path by which the owner knows the item, or its path under a temporary name ([`Operation::path_to_tell`]).
    pub path: RelPath,
    /// Why.
    pub reason: Reason,
    /// Indices of earlier operations that must have succeeded.
    pub after: After,
}

/// A remote item in the version that was planned against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSeen {
    /// The item.
    pub id: ItemId,
    /// Whether it is a folder.
    pub folder: bool,
    /// Whether it is known to be a package.
    pub package: bool,
    /// Its etag.
    pub etag: Etag,
    /// The folder it hangs in.
    pub parent: ItemId,
    /// Its exact name there.
    pub name: Name,
    /// Bytes, where the service told.
    pub size: Option<u64>,
    /// Modification time.
    pub mtime: Option<ServerTime>,
    /// Signature, where a look-up told it, or the base knows it of the same content half of the etag.
    pub signature: Option<Signature>,
}

/// A local item in the version that was planned against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSeen {
    /// Where it is when the operation's turn comes.
    pub path: RelPath,
    /// Its fingerprint.
    pub stamp: LocalStamp,
    /// Whether the stamp cannot be trusted alone.
    pub racy: bool,
    /// Signature of its content, where it was read.
    pub signature: Option<Signature>,
}

/// The folder on iCloud that an item hangs in after the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// A folder that exists.
    Known(ItemId),
    /// The folder that the operation with this index makes.
    Made(usize),
}

/// Where an upload goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadTarget {
    /// A new file of that name.
    New {
        /// The folder.
        parent: Parent,
        /// The name.
        name: Name,
    },
    /// A new version of an existing file.
    Over {
        /// The version that is replaced, by its place when the operation's turn comes.
        remote: Box<RemoteSeen>,
        /// How.
        way: Replacement,
    },
}

/// What is done. There may be a million: what few of them have, or have beside something large, lies elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Both sides hold the same: only the base learns it.
    Agree {
        /// The remote item.
        remote: RemoteSeen,
        /// The local item.
        local: Box<LocalSeen>,
    },
    /// The base forgets the item and all below it.
    Forget {
        /// The item.
        id: ItemId,
    },
    /// The base remembers that a folder stands on one side only, for contents that do not take part, or on both again; or which volume is
    /// mounted on one that cannot get the place here that it has on iCloud.
    Keep {
        /// The folder.
        id: ItemId,
        /// Where it stands.
        presence: Presence,
        /// The folder and the name that it has there, where the base knows others.
        place: Option<(Parent, Name)>,
        /// What it is known by here from now on, where that is another one: a volume that came from another disk.
        stamp: Option<Box<LocalStamp>>,
    },
    /// Makes a folder here.
    MakeLocalFolder {
        /// The folder that it mirrors.
        remote: RemoteSeen,
    },
    /// Makes a folder on iCloud.
    MakeRemoteFolder {
        /// The folder that it mirrors.
        local: LocalSeen,
        /// The folder it comes into.
        parent: Parent,
        /// Its name there.
        name: Name,
    },
    /// Brings content here.
    Download {
        /// The version to fetch.
        remote: RemoteSeen,
        /// The file that it replaces; `None` needs a free name.
        over: Option<Box<LocalSeen>>,
    },
    /// Brings content to iCloud.
    Upload {
        /// The version to send.
        local: LocalSeen,
        /// Where it goes.
        target: UploadTarget,
    },
    /// Moves or renames here, to the operation's path.
    MoveLocal {
        /// The item on iCloud that it mirrors, as it is now; `None` for one that has none yet (a conflict name).
        remote: Option<RemoteSeen>,
        /// What is moved.
        local: Box<LocalSeen>,
    },
    /// Moves or renames on iCloud.
    MoveRemote {
        /// What is moved.
        remote: Box<RemoteSeen>,
        /// The item here that it mirrors; `None` when only the place on iCloud changes (a temporary or conflict name).
        local: Option<Box<LocalSeen>>,
        /// The folder it comes into.
        parent: Parent,
        /// The name it gets.
        name: Name,
        /// Whether the name is a temporary one, to be changed again by a later operation: an intent covers both.
        temporary: bool,
    },
    /// To the local trash; a folder must be empty but for junk by then.
    TrashLocal {
        /// The item in the base.
        id: Option<ItemId>,
        /// What goes.
        local: LocalSeen,
        /// Whether it is a folder.
        folder: bool,
    },
    /// To iCloud's trash, a folder with all it holds.
    TrashRemote {
        /// What goes.
        remote: Box<RemoteSeen>,
        /// A folder: every item below it, with its etag, as planned; anything else there stops it.
        subtree: Vec<(ItemId, Etag)>,
        /// The local path must still be free just before (`docs/sync.md`, P2); `None` when the item moved out of scope here.
        absent: Option<RelPath>,
    },
    /// Finds out whether both hold the same content. Equal: agreed. Else the conflict is settled by `otherwise`.
    Compare {
        /// The remote file.
        remote: Box<RemoteSeen>,
        /// The local file.
        local: Box<LocalSeen>,
        /// What is done when they differ.
        otherwise: Conflict,
    },
    /// Settles a conflict of two different contents.
    Settle {
        /// The remote file.
        remote: Box<RemoteSeen>,
        /// The local file.
        local: Box<LocalSeen>,
        /// How.
        conflict: Conflict,
    },
}

/// How a conflict is settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The remote version keeps the name, the local one is kept beside it under this path. The base forgets the
    /// item first, so that a crash half-way is met as a conflict again.
    KeepBoth {
        /// The conflict copy's path.
        copy: RelPath,
        /// Whether the copy stays local for good (packages; `download-only`).
        local_only: bool,
    },
    /// The local version keeps the name, the remote one is kept beside it on iCloud under this name and stays there
    /// (`upload-only`). It is renamed first, and the base forgets it; then the local one goes up as new.
    KeepBothThere {
        /// The conflict copy's name on iCloud, in the same folder.
        name: Name,
    },
    /// The remote version wins; the local one goes to the local trash.
    TakeRemote,
    /// The local version wins; the remote one goes to iCloud's trash.
    TakeLocal,
    /// Nobody decides yet: the item is set aside with both versions where they are.
    SetAside,
}

/// Why an operation is planned; its text completes the sentence "… because it …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Was created on that side.
    New(Side),
    /// Was edited on that side.
    Edited(Side),
    /// An older version came back here, as from a backup: who put it there may not have seen the one that it replaces.
    WentBack,
    /// Another file stands in its place here, and nothing tells whether it is this one that was edited: the file system gives files no
    /// identity that lasts.
    Exchanged,
    /// Became empty here: by a person, or by a power cut that left the name and took the content.
    Emptied,
    /// Was written here before the machine was started, or the volume mounted: a power cut may have left a part of it.
    CutShort,
    /// Was moved or renamed on that side.
    Moved(Side),
    /// Was moved on both sides; the place on iCloud counts.
    MovedOnBoth,
    /// Was deleted on that side.
    Deleted(Side),
    /// Is missing in a folder that is another one than that in which it was seen last: a copy of it, say.
    Unseen,
    /// Was moved over another item here, or holds one that was: that file is here under the other one's name, and may have been another
    /// version by then than the one on iCloud.
    MovedOver,
    /// Was deleted on one side and edited on that one.
    EditedAfterDeletion(Side),
    /// Was moved out of what is synced, on that side.
    LeftScope(Side),
    /// Differs on both sides.
    Conflict,
    /// Is the same on both sides.
    Same,
    /// Only its stamp or etag changed, not its content.
    Touched,
    /// Gives way to another item of that name.
    NameClaimed,
    /// Holds contents that take part.
    HoldsItems,
    /// Is kept only for contents that do not take part.
    HoldsForeign,
    /// No longer takes part in the sync.
    NoLongerTakesPart,
    /// Is gone on both sides.
    GoneOnBoth,
    /// Is empty here with its old time: the trace of a power cut.
    PowerCut,
    /// Changed here, where this mode or kind allows no upload.
    LocalChangeNotAllowed,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Side| side.in_words();
        match self {
            Self::New(on) => write!(f, "new {}", side(on)),
            Self::Edited(on) => write!(f, "edited {}", side(on)),
            Self::WentBack => f.write_str("older than the version that it replaces"),
            Self::Exchanged => f.write_str("another file in its place here"),
            Self::Emptied => f.write_str("empty here now"),
            Self::CutShort => f.write_str("edited here before the last start, which may have cut it short"),
            Self::Moved(on) => write!(f, "moved {}", side(on)),
            Self::MovedOnBoth => f.write_str("moved on both sides, the place on iCloud counts"),
            Self::Deleted(on) => write!(f, "deleted {}", side(on)),
            Self::Unseen => f.write_str("never seen in the folder that is here now"),
            Self::MovedOver => f.write_str("moved over another item here"),
            Self::EditedAfterDeletion(on) => {
                write!(f, "edited {}, which outweighs the deletion on the other side", side(on))
            }
            Self::LeftScope(on) => write!(f, "moved out of what is synced {}", side(on)),
            Self::Conflict => f.write_str("different on both sides"),
            Self::Same => f.write_str("the same on both sides"),
            Self::Touched => f.write_str("same content, other times"),
            Self::NameClaimed => f.write_str("another item has this name"),
            Self::HoldsItems => f.write_str("holds items that take part"),
            Self::HoldsForeign => f.write_str("still holds items that do not take part"),
            Self::NoLongerTakesPart => f.write_str("no longer takes part"),
            Self::GoneOnBoth => f.write_str("gone on both sides"),
            Self::PowerCut => f.write_str("empty here with its old time, the trace of a power cut"),
            Self::LocalChangeNotAllowed => f.write_str("changed here, which is never uploaded"),
        }
    }
}

/// Something that is left alone, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The item.
    pub path: RelPath,
    /// What is the matter.
    pub kind: NoteKind,
}

/// Why an item is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// By rule: shared, special file, package skipped, too large…; told once, no fault.
    Skipped(String),
    /// It cannot be synced as it is; the owner should know.
    SetAside(String),
    /// Not enough is known of it now; it is looked at again.
    Unsettled(String),
    /// Its deletion waits for a person.
    Held(Side),
}

impl NoteKind {
    /// Why an item is left alone by rule.
    pub fn skipped(&self) -> Option<&str> {
        match self {
            Self::Skipped(why) => Some(why),
            _ => None,
        }
    }

    /// What is not known of an item now.
    pub fn unsettled(&self) -> Option<&str> {
        match self {
            Self::Unsettled(why) => Some(why),
            _ => None,
        }
    }

    /// Why an item cannot be synced as it is.
    pub fn set_aside(&self) -> Option<&str> {
        match self {
            Self::SetAside(why) => Some(why),
            _ => None,
        }
    }
}

impl Operation {
    /// The side on which the operation changes something; `None` when only the base learns.
    pub fn side(&self) -> Option<Side> {
        match &self.action {
            Action::Agree { .. } | Action::Forget { .. } | Action::Keep { .. } | Action::Compare { .. } => {
                None
            }
            Action::MakeLocalFolder { .. }
            | Action::Download { .. }
            | Action::MoveLocal { .. }
            | Action::TrashLocal { .. } => Some(Side::Local),
            Action::MakeRemoteFolder { .. }
            | Action::Upload { .. }
            | Action::MoveRemote { .. }
            | Action::TrashRemote { .. } => Some(Side::Remote),
            Action::Settle { conflict, .. } => match conflict {
                Conflict::KeepBoth { .. } | Conflict::TakeRemote => Some(Side::Local),
                Conflict::TakeLocal | Conflict::KeepBothThere { .. } => Some(Side::Remote),
                Conflict::SetAside => None,
            },
        }
    }
}

impl Operation {
    /// Whether it brings an item to a temporary name, from which a later one takes it.
    pub fn lends_name(&self) -> bool {
        match &self.action {
            Action::MoveRemote { temporary, .. } => *temporary,
            Action::MoveLocal { .. } => temporary_origin(self.path.name()).is_some(),
            _ => false,
        }
    }

    /// The path to tell the owner, who did not give a temporary name: the name that the item had before.
    pub fn path_to_tell(&self) -> Cow<'_, RelPath> {
        let origin = temporary_origin(self.path.name()).filter(|_| self.lends_name());
        let told = origin.and_then(|name| self.path.parent()?.join(name).ok());
        told.map_or(Cow::Borrowed(&self.path), Cow::Owned)
    }

    /// Whether it moves the item that `earlier` moved, on the same side.
    fn goes_on_from(&self, earlier: &Self) -> bool {
        match (&self.action, &earlier.action) {
            (Action::MoveRemote { remote, .. }, Action::MoveRemote { remote: before, .. }) => {
                remote.id == before.id
            }
            (Action::MoveLocal { local, .. }, Action::MoveLocal { local: before, .. }) => {
                local.stamp.identity == before.stamp.identity
            }
            _ => false,
        }
    }
}

impl Plan {
    /// The plan without the operations that `drops` names, without all that build on one of them, and without what would lend
    /// a name to an item that nothing gives another one any more.
    #[must_use]
    pub fn without(self, drops: &dyn Fn(&Operation) -> bool) -> Self {
        let mut dropped: Vec<bool> = self.operations.iter().map(drops).collect();
        loop {
            for (index, operation) in self.operations.iter().enumerate() {
                dropped[index] |= operation.after.iter().any(|earlier| dropped.get(*earlier) != Some(&false));
            }
            let kept = |index: &usize| !dropped[*index];
            let stranded: Vec<_> = (0..dropped.len())
                .filter(kept)
                .filter(|index| {
                    let mut later = (index + 1..dropped.len()).filter(kept);
                    let operation = &self.operations[*index];
                    operation.lends_name() && !later.any(|next| self.operations[next].goes_on_from(operation))
                })
                .collect();
            if stranded.is_empty() {
                break;
            }
            stranded.into_iter().for_each(|index| dropped[index] = true);
        }
        self.retain(&dropped)
    }

    /// The operations that are not dropped, under their new numbers: the one place that renumbers. What builds on one that is
    /// dropped must be dropped too.
    #[must_use]
    pub(super) fn retain(self, dropped: &[bool]) -> Self {
        if !dropped.contains(&true) {
            return self;
        }
        let mut kept = 0;
        let number = |is_dropped: &bool| {
            kept += usize::from(!is_dropped);
            kept.checked_sub(1).filter(|_| !is_dropped)
        };
        let places: Vec<Option<usize>> = dropped.iter().map(number).collect();
        let place = |index: usize| places.get(index).copied().flatten();
        let mut operations = Vec::with_capacity(kept);
        for (index, mut operation) in self.operations.into_iter().enumerate() {
            if dropped[index] {
                continue;
            }
            operation.after = operation.after.iter().copied().filter_map(place).collect();
            if let Action::MakeRemoteFolder { parent, .. }
            | Action::MoveRemote { parent, .. }
            | Action::Keep { place: Some((parent, _)), .. }
            | Action::Upload { target: UploadTarget::New { parent, .. }, .. } = &mut operation.action
                && let Parent::Made(before) = parent
                && let Some(at) = place(*before)
            {
                *parent = Parent::Made(at);
            }
            operations.push(operation);
        }
        Self { operations, notes: self.notes }
    }
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
