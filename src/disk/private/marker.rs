//! What the marker `.icloudds/id` says.

use serde::{Deserialize, Serialize};

/// What `.icloudds/id` says, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The state's id: 32 hex digits drawn at the first run.
    pub id: String,
    /// The account's `dsid`.
    pub account: String,
    /// `sync.remote_root` as configured.
    pub remote_root: String,
}
