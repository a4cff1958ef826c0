//! Whether a write is answered `ZONE_BUSY` (S-busy): all writes of an account share one lane, or each has its own.

use super::answers::zone_busy;
use crate::http::Response;
use crate::state::Core;

/// Lets a write in, or gives the refusal. A write is under way from its arrival until its answer leaves.
pub(crate) fn enter(core: &Core) -> Result<(), Response> {
    let (mutations, uploads) = (core.lane().mutations(), core.lane().uploads());
    let mut state = core.state();
    let rule = state.switches.busy;
    if state.drive.refusals.refuses(rule, mutations, uploads) { Err(zone_busy()) } else { Ok(()) }
}
