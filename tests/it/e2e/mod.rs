//! The program as its users meet it: the built binary, over HTTP, against the simulated iCloud, on a real disk.
//!
//! Every scenario ends with both sides compared, a further pass that must change nothing, and the simulator's own
//! verdict: no broken rule of `docs/protocol.md` §19, and no content lost (promise P1 of `docs/sync.md` §1).

mod big;
mod budgets;
mod changes;
mod conflicts;
mod crash;
mod deletions;
mod dotted;
mod failures;
mod filesystems;
mod first;
mod guarded;
mod hanging;
mod hostile;
mod items;
mod kernels;
mod moves;
mod pairs;
mod places;
pub mod rig;
mod scope;
mod sessions;
mod side_by_side;
mod slow;
mod switches;
pub mod tree;
