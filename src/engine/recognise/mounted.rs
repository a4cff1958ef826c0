//! Which file system a folder shows.

use crate::model::{Identity, LocalStamp};

/// Whether a folder that was known by `then` shows the same file system now.
pub(super) fn is_on_the_same_volume(then: &LocalStamp, now: &LocalStamp) -> bool {
    let is_same_folder = || then.identity == now.identity && !is_mounted_since(then, now);
    then.on_root_fs == now.on_root_fs && (now.on_root_fs || is_same_folder())
}

/// Whether a volume is mounted on a folder that was none's mount point when it was known by `then`. A state from before volumes within
/// volumes were told apart says that of no folder: there only another identity tells.
pub fn is_mounted_since(then: &LocalStamp, now: &LocalStamp) -> bool {
    let is_other = then.identity != now.identity || then.identity == Identity::default();
    now.is_mount && !then.is_mount && is_other
}
