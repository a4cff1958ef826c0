//! Files that were read so soon after a change that another one could have left their stamp as it is, right before they are taken away.
//!
//! Where a file system keeps times in steps of one or two seconds, an edit that leaves the size shows by its content alone. What is taken away
//! is compared by its stamp in the moment in which it goes, so the stamp has to tell by then.

use std::time::Duration;

use crate::engine::observe::local::signature;
use crate::engine::operation::LocalSeen;
use crate::engine::ports::{DiskError, Ports, RemoteError};
use crate::model::{BaseEntry, LocalStamp};

use super::report::StepFailure;

/// So long is waited between two looks at the clock.
const STEP: Duration = Duration::from_millis(500);
/// So often: longer than any file system's steps. A time that lies this close to all clocks after that moves with them.
const MOST_STEPS: u32 = 8;

/// Waits until a change would show in the stamp of a file that was read too soon after its last one.
///
/// # Errors
///
/// [`StepFailure::End`] when the pass is to end.
pub(super) fn until_a_change_would_show(ports: &Ports<'_>, stamp: &LocalStamp) -> Result<(), StepFailure> {
    for _ in 0..MOST_STEPS {
        if !stamp.is_racy(&ports.seen_at()) {
            break;
        }
        ports.clock.pause(STEP).map_err(|_| RemoteError::Stopped)?;
    }
    Ok(())
}

/// Reads a file that is to be taken away once more where its stamp does not tell, once it would. What it holds is what was read of it, or
/// what was agreed where its stamp was the agreed one. Where nobody knows that, nothing is read.
///
/// # Errors
///
/// [`StepFailure::Replan`] when it holds something else.
pub(super) fn still_holds_what_was_read(
    ports: &Ports<'_>,
    planned: &LocalSeen,
    current: &LocalSeen,
    agreed: Option<&BaseEntry>,
) -> Result<(), StepFailure> {
    let of_base = || agreed.filter(|agreed| agreed.stamp == planned.stamp && !agreed.racy)?.signature;
    let Some(content) = current.signature.or_else(of_base).filter(|_| current.racy) else { return Ok(()) };
    until_a_change_would_show(ports, &current.stamp)?;
    if signature(ports.disk, &current.path, &current.stamp)? == content {
        return Ok(());
    }
    Err(DiskError::Changed { path: current.path.clone() }.into())
}
