//! How the drive is reached: under the lock of the whole state, at the time of now.

use std::sync::Arc;

use super::drive_state::{Drive, millis_since_1970};
use super::model::Ix;
use super::model::content::Hashes;
use crate::http::Request;
use crate::state::Core;
use crate::switches::Switches;

/// One call with what its answer may depend on.
pub(crate) struct Call<'a> {
    /// The simulator.
    pub core: &'a Core,
    /// The request; its body is still unread.
    pub request: Request,
    /// Decoded path below the service's root.
    pub rest: &'a str,
}

/// Runs `act` on the drive as of now. Must not do I/O: everything else waits meanwhile.
pub(crate) fn with_drive<T>(core: &Core, act: impl FnOnce(&mut Drive, &Switches) -> T) -> T {
    let mut state = core.state();
    let now = state.now();
    let switches = Arc::new(state.switches.clone());
    // The machine's clock may be set back; the drive's never goes back.
    let now_ms = millis_since_1970(now).max(state.drive.model.now_ms());
    state.drive.model.tick(now_ms, Arc::clone(&switches));
    act(&mut state.drive, &switches)
}

/// Runs `act` with the hashes of a file's present content (`None` for anything else), which are computed outside
/// the lock and remembered.
///
/// # Errors
///
/// When a spool file cannot be read.
pub(crate) fn with_hashes<T>(
    core: &Core,
    ix: Ix,
    act: impl FnOnce(&mut Drive, &Switches, Option<&Hashes>) -> T,
) -> std::io::Result<T> {
    loop {
        let (rev, content) = with_drive(core, |drive, _| {
            let item = drive.model.item(ix);
            let known = drive.hashes.get(&ix).is_some_and(|(rev, _)| *rev == item.content_rev);
            (item.content_rev, item.content.clone().filter(|_| !known))
        });
        if let Some(content) = content {
            let hashes = content.hashes()?;
            with_drive(core, |drive, _| drive.hashes.insert(ix, (rev, hashes)));
        }
        let mut state = core.state();
        let state = &mut *state;
        // Another device may have written the file while its content was read.
        if state.drive.model.item(ix).content_rev == rev {
            let hashes = state.drive.hashes.get(&ix).map(|(_, hashes)| *hashes);
            let hashes = hashes.filter(|_| state.drive.model.item(ix).content.is_some());
            return Ok(act(&mut state.drive, &state.switches, hashes.as_ref()));
        }
    }
}
