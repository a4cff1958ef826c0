//! The planner against small worlds: tables of cases, and random trees changed twice.

mod edited;
mod fully;
mod property;
mod quiet;
mod table;
mod table_back;
mod table_backup;
mod table_bullets;
mod table_claims;
mod table_found;
mod table_gone;
mod table_kept;
mod table_left;
mod table_looks;
mod table_met;
mod table_moved;
mod table_odd;
mod table_order;
mod table_rare;
mod table_rest;
mod table_rivals;
mod table_scope;
mod table_seen;
mod table_stays;
mod table_unseen;
mod world;

use super::items::Item;
use super::tasks::Task;
use crate::engine::operation::Operation;

/// A first plan holds so much of each item at once, beside its names and its path: `docs/performance.md` has what that comes to.
#[test]
fn a_plan_of_a_million_items_takes_little_room_for_each() {
    let sizes = [size_of::<Item>(), size_of::<Task>(), size_of::<Operation>()];
    assert_eq!(sizes, [72, 48, 192]);
}
