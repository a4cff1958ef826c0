//! Plain data: no I/O, no reading of a clock, no threads, no log lines.
//!
//! What the service or the disk says is checked once, at the edge that hears it; past
//! these types nobody checks again.

pub mod account;
mod arriving;
pub mod backoff;
mod clock;
pub mod entry;
pub mod filter;
pub mod held;
mod hidden;
pub mod id;
mod ids;
mod intent;
pub mod lived;
pub mod log_part;
pub mod maybe;
pub mod mounted;
pub mod name;
mod node;
mod own_calls;
pub mod path;
pub mod plain;
pub mod policy;
mod seen_at;
mod seen_in;
mod side;
pub mod state;
pub mod time;
pub mod tree;
pub mod trees;

pub use account::AccountProblem;
pub use arriving::Arriving;
pub use backoff::Backoff;
pub use clock::{Clock, Stopped};
pub use entry::{
    Agreed, BaseEntry, FolderState, Identity, LocalEntry, LocalKind, LocalStamp, Presence, RemoteEntry,
    RemoteKind, Signature,
};
pub use hidden::HiddenPlaces;
pub use id::{Etag, ItemId, Zone};
pub use intent::{Crossing, Intent, Upload};
pub use lived::{LivedTime, Reading};
pub use maybe::{Maybe, Rare};
pub use mounted::{Durable, Mounted, PowerCuts};
pub use name::PathError;
pub use node::Node;
pub use own_calls::OwnCalls;
pub use path::RelPath;
pub use seen_at::{SeenAt, Skews};
pub use seen_in::SeenIn;
pub use side::Side;
pub use state::{Change, Owner, SetAside, State};
pub use time::{DiskTime, ServerTime};
pub use tree::{Difference, NodeMap, Tree};
pub use trees::{BaseTree, LocalTree, RemoteTree};
