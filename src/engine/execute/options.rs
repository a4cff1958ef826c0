//! How a plan is carried out.

use std::time::Duration;

use super::window::Window;
pub use crate::model::policy::Packages;
use crate::model::{ItemId, RelPath};

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub struct ExecuteOptions<'a> {
    /// Transfers at a time; with 1 everything runs on the calling thread in plan order.
    pub workers: usize,
    /// Whether what goes to iCloud's trash is deleted for good right after.
    pub remote_delete_permanent: bool,
    /// Whether files may be replaced in place; else always the trash way.
    pub in_place: bool,
    /// Changes that are stored together at most.
    pub group_items: usize,
    /// How long a change waits for others to be stored with it.
    pub group_age: Duration,
    /// What becomes of packages.
    pub packages: Packages,
    /// `limits.max_file_size`, in bytes: holds for what arrives, too, where the service could not say its size before.
    pub max_file_size: Option<u64>,
    /// How many commits of new files may overlap, as it was when the last pass ended; its limit is `sync.parallel_writes`.
    pub window: Window,
    /// How long one item, and all of them together while nothing succeeds, is tried again within one pass.
    pub retry_budget: Duration,
    /// Whether an item that is gone here may have gone with the power: it is never deleted for good.
    pub may_be_lost: &'a dyn Fn(&ItemId) -> bool,
    /// Whether another item beside that one on iCloud has the same name. A replacement by way of the trash gives the name up.
    pub has_twin: &'a dyn Fn(&ItemId) -> bool,
    /// The path of a conflict copy of a file, the n-th (from 0) when earlier ones are taken.
    pub conflict_name: &'a dyn Fn(&RelPath, u32) -> RelPath,
    /// Whether an item had to be planned again for that reason in pass after pass.
    pub is_stuck: &'a dyn Fn(&RelPath, &str) -> bool,
    /// Whether a name is built-in junk that keeps no folder alive.
    pub is_junk: &'a dyn Fn(&str) -> bool,
    /// Asked before each step: whether something else waits, so that nothing new is begun. What is under way is finished, the
    /// rest is planned again.
    pub should_yield: &'a dyn Fn() -> bool,
}

impl<'a> ExecuteOptions<'a> {
    /// The contract's defaults.
    pub fn new(
        conflict_name: &'a dyn Fn(&RelPath, u32) -> RelPath,
        is_junk: &'a dyn Fn(&str) -> bool,
    ) -> Self {
        Self {
            workers: 32,
            remote_delete_permanent: false,
            in_place: true,
            group_items: 64,
            group_age: Duration::from_secs(1),
            packages: Packages::Zip,
            max_file_size: None,
            window: Window::default(),
            retry_budget: Duration::from_secs(60),
            may_be_lost: &|_| false,
            has_twin: &|_| false,
            conflict_name,
            is_stuck: &|_, _| false,
            is_junk,
            should_yield: &|| false,
        }
    }
}
