//! Edge: the local folder (`docs/sync.md` §2 Local, §3, §5).
//!
//! Everything works relative to an open handle of the drive's root and never follows a symbolic
//! link. What waits to be put in place, and what was displaced or deleted, lies in `.icloudds` at the
//! root of the file system it belongs to, so that every change of the drive is one rename.
//!
//! Three rooms: [`private`] has that folder, [`install`] brings contents to their place, [`trash`] keeps what gave way.

mod across;
mod attributes;
mod clock_skew;
mod durable;
mod errors;
mod fs_traits;
mod fs_trial;
#[cfg(test)]
mod fuzz_tests;
mod install;
mod local;
mod lock;
mod mount_list;
mod mounted;
mod moves;
mod private;
pub mod probe;
mod read;
mod recover;
mod root;
mod seen;
mod signature;
mod space;
mod trash;
pub mod watch;
mod watchability;

#[cfg(test)]
mod tests;

pub use errors::OpenError;
pub use fs_traits::FsTraits;
pub use local::{LocalDisk, Options, check_writable};
pub use lock::{Holder, Lock, LockError, inspect_root, inspect_state, lock_root, lock_state};
pub use mount_list::mounted_near;
pub use mounted::WholeDrive;
pub use private::marker::Marker;
pub use recover::{LeftAlone, Recovered, Stray};
pub use signature::Hasher;
pub use trash::list::{Pruned, TrashItem};
pub use watchability::{Watch, watchability};
