//! What a run is for, and which remote root it names.

use crate::config::Config;

/// What the edges are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sync: the local root is locked and marked.
    Sync,
    /// To look only: nothing is made here or on iCloud, and the state stays as it is.
    Look,
}

/// `sync.remote_root` as one path, `/` for the whole drive.
pub fn root_path(config: &Config) -> String {
    format!("/{}", config.sync.remote_root.join("/"))
}
