//! What of the drive is looked at, and how often before something counts as gone.

use std::time::Duration;

use crate::model::{ItemId, RelPath};

/// How far apart the two look-ups of an item that seems gone are, at least.
pub(super) const SECOND_LOOK: Duration = Duration::from_secs(3);

/// What of the drive is looked at.
pub struct Scope<'a> {
    /// The folder `sync.remote_root`.
    pub root: ItemId,
    /// Whether that is an app's library.
    pub root_is_library: bool,
    /// `sync.app_libraries`: shown names or zones of the libraries to read too.
    pub app_libraries: Vec<String>,
    /// Whether the folder of that path may stay unread with all it can hold.
    pub may_skip: &'a (dyn Fn(&RelPath) -> bool + 'a),
    /// Now, in the seconds that the state has lived through: what tells how long ago own writes were.
    pub now: i64,
}
