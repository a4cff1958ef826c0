//! Plain data: no I/O, no clock, no threads, no log lines.
//!
//! What the service or the disk says is checked once, at the edge that hears it; past
//! these types nobody checks again.

pub mod account;
pub mod entry;
pub mod filter;
pub mod held;
pub mod id;
mod intent;
pub mod lived;
pub mod name;
pub mod path;
pub mod plain;
pub mod state;
pub mod time;
pub mod tree;

pub use account::AccountProblem;
pub use entry::{
    BaseEntry, FolderState, Identity, LocalEntry, LocalKind, LocalStamp, Presence, RemoteEntry, RemoteKind,
    Signature,
};
pub use id::{Etag, ItemId, Zone};
pub use intent::{Intent, Upload};
pub use lived::{LivedTime, Reading};
pub use path::{PathError, RelPath};
pub use state::{Change, Owner, SetAside, Side, State};
pub use time::{DiskTime, ServerTime};
pub use tree::{BaseTree, LocalTree, Node, NodeMap, RemoteTree, Tree};
