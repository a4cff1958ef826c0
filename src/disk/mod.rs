//! Edge: the local folder (`docs/sync.md` §2 Local, §3, §5).
//!
//! Everything works relative to an open handle of the drive's root and never follows a symbolic
//! link. What waits to be put in place, and what was displaced or deleted, lies in `.icloudds` at the
//! root of the file system it belongs to, so that every change of the drive is one rename.

mod across;
mod area;
mod areas;
mod attributes;
mod displaced;
mod download;
mod download_record;
mod durable;
mod errors;
mod fs_traits;
mod fs_trial;
#[cfg(test)]
mod fuzz_tests;
mod light;
mod light_files;
mod local;
mod lock;
mod marker;
mod moves;
mod place;
pub mod probe;
mod read;
mod recover;
mod right_folder;
mod root;
mod seen;
mod shelf;
mod signature;
mod small_files;
mod space;
mod trash;
mod trust;
pub mod watch;
mod watchability;

#[cfg(test)]
mod tests;

pub use errors::OpenError;
pub use fs_traits::FsTraits;
pub use local::{LocalDisk, Options, check_writable};
pub use lock::{Holder, Lock, LockError, inspect_drive, inspect_state, lock_drive, lock_state};
pub use marker::Marker;
pub use recover::{LeftAlone, Recovered, Stray};
pub use shelf::{Pruned, TrashItem};
pub use signature::Hasher;
pub use watchability::{Watch, watchability};
