//! The two folders that are kept the same, once they are known to be this state's.

use crate::app::remote_root::RemoteOwner;
use crate::disk::{LocalDisk, Lock};
use crate::icloud::drive::ICloudDrive;

/// The local root.
pub(super) struct OwnRoot {
    pub disk: LocalDisk,
    /// Held until this is dropped.
    pub _lock: Option<Lock>,
}

/// The remote root.
pub(super) struct RemoteRoot {
    pub remote: ICloudDrive,
    pub root_is_library: bool,
    pub whose: RemoteOwner,
}

/// What keeps one side from syncing, until nothing does.
#[derive(Default)]
pub(super) struct SideProblem {
    pub state: Option<crate::status::DaemonState>,
    /// The sentence that was told.
    pub said: String,
}
