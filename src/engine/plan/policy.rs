//! What a plan goes by, beside the trees.

use std::collections::BTreeSet;

use crate::model::policy::{ConflictPolicy, Mode, Replacement};
use crate::model::{Agreed, ItemId, PowerCuts, RelPath};

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
    /// Whether an item on iCloud bears a temporary name of ours that was first seen a moment ago: whoever gave it, on another
    /// machine of this account perhaps, is about to take it back.
    pub is_lent: &'a dyn Fn(&ItemId) -> bool,
    /// Whether an edit of an item here had gone back in time when it was planned before, and is not sent yet.
    pub has_gone_back: &'a dyn Fn(&Agreed) -> bool,
    /// Whether an item was never seen in the folder that is here now, but in one from which that was copied: that it is missing says nothing.
    pub is_unseen: &'a dyn Fn(&Agreed) -> bool,
    /// Files here that never go up.
    pub local_only: &'a BTreeSet<RelPath>,
    /// `YYYY-MM-DD HH-MM-SS HOST`, for conflict copies.
    pub conflict_mark: &'a str,
    /// Whether the local disk cannot hold names apart that differ only in case.
    pub local_folds_case: bool,
    /// Contents that were modified since then, Unix seconds, are transferred before all others: somebody waits for them.
    pub recent_since: i64,
    /// Which edits may be what a power cut left of a writing.
    pub power_cuts: PowerCuts<'a>,
}
