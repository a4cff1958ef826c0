//! The planner: three trees in, an ordered plan out.
//!
//! Pure: no I/O, no clock, and the same input always gives the same plan. It goes in four steps:
//! what happened to each changed item and what follows from it ([`items`], [`decide`]), where
//! each item ends and which folders stay ([`place`]), who gets a name that two claim ([`claims`]),
//! and in which order it is done ([`emit`]). Items that nothing happened to are never touched.

mod claims;
mod decide;
mod emit;
mod items;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::operation::{Note, NoteKind, Plan, Replacement};
use super::recognise::Recognition;
use super::view::{LocalView, RemoteView};
use crate::model::{BaseTree, RelPath};

/// Which sides may change (`docs/sync.md` §4, Modes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Both.
    #[default]
    TwoWay,
    /// Only the local folder.
    DownloadOnly,
    /// Only iCloud.
    UploadOnly,
}

/// Who keeps the name when both sides changed a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// The remote version keeps it, the local one is kept beside it.
    #[default]
    KeepBoth,
    /// The newer one keeps it, the other goes to its own side's trash.
    Newest,
}

/// What the owner configured, as far as planning needs it.
pub struct Policy<'a> {
    /// Which sides may change.
    pub mode: Mode,
    /// Who keeps the name in a conflict.
    pub conflict: ConflictPolicy,
    /// How an edit replaces the version on iCloud.
    pub replacement: Replacement,
    /// Larger files are left alone; bytes.
    pub max_file_size: Option<u64>,
    /// Whether a path takes part, by the filter.
    pub takes_part: &'a dyn Fn(&RelPath) -> bool,
    /// Whether a path is built-in junk (`.DS_Store`, …), which keeps no folder alive.
    pub is_junk: &'a dyn Fn(&RelPath) -> bool,
    /// Whether an item is set aside and its next try is not due.
    pub is_waiting: &'a dyn Fn(&RelPath) -> bool,
    /// Files here that never go up.
    pub local_only: &'a BTreeSet<RelPath>,
    /// `YYYY-MM-DD HH-MM-SS HOST`, for conflict copies.
    pub conflict_mark: &'a str,
    /// Whether the local disk cannot hold names apart that differ only in case.
    pub local_folds_case: bool,
}

/// Plans what makes both sides equal, as far as it can be known now.
pub fn plan(
    base: &BaseTree,
    local: &LocalView,
    remote: &RemoteView,
    recognition: &Recognition,
    policy: &Policy<'_>,
) -> Plan {
    let world = items::World { base, local, remote, recognition, policy };
    let mut items = items::Items::collect(&world);
    decide::decide(&world, &mut items);
    place::place(&world, &mut items);
    claims::settle(&world, &mut items);
    emit::emit(&world, items)
}

impl Plan {
    /// Whether it changes nothing on either side and compares nothing: both sides are as they should be.
    pub fn is_quiet(&self) -> bool {
        self.operations.iter().all(|operation| {
            matches!(
                operation.action,
                super::operation::Action::Agree { .. }
                    | super::operation::Action::Forget { .. }
                    | super::operation::Action::Keep { .. }
            )
        })
    }

    /// Whether something could not be planned for want of knowledge and has to be looked at again.
    pub fn is_unsettled(&self) -> bool {
        self.notes.iter().any(|note| matches!(note.kind, NoteKind::Unsettled(_)))
    }
}

fn note(path: RelPath, kind: NoteKind) -> Note {
    Note { path, kind }
}
