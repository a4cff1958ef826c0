//! A complete look at iCloud: the walk, and what became of the items that the walk did
//! not show (`docs/sync.md` §7, P2).
//!
//! A listing proves what is there, never what is not: it may be short, late, or torn by a move
//! that happened during the walk. So every item of the base that no listing showed is asked for by its id.

mod absences;
mod before;
mod by_etag;
mod part;
mod placements;
mod scope;
#[cfg(test)]
mod tests;
mod touched;
mod walk;

use crate::engine::ports::{Clock, LookUp, Remote, RemoteError, RemoteParent};
use crate::engine::view::RemoteView;
use crate::model::path::DEEPEST;
use crate::model::{BaseTree, ItemId};

use absences::Absences;
use before::Before;
pub use by_etag::{Cases, EtagsCompared, EtagsLearnt, compare_etags, observe_by_etag};
pub use part::{Glance, observe_touched};
use scope::SECOND_LOOK;
pub use scope::Scope;
pub use touched::{Record, RecordKind, RecordPlace, Touched};
use walk::Walk;

/// Looks at everything in scope. `previous`, the last look, saves reading folders in full whose children all
/// bear the etags they had then.
///
/// # Errors
///
/// [`RemoteError::Gone`] when the root of the scope is not there, or is in the trash; else what ends the pass,
/// or kept the root from being read. A folder further down that cannot be read is only marked so.
pub fn observe_remote(
    remote: &dyn Remote,
    clock: &dyn Clock,
    base: &BaseTree,
    scope: &Scope<'_>,
    previous: Option<&RemoteView>,
) -> Result<RemoteView, RemoteError> {
    check_root(remote, clock, scope)?;
    let mut walk = Walk::new(remote, scope, previous.map(|view| Before::of(&view.tree)));
    match walk.read_root() {
        Err(RemoteError::Gone) => {
            // A flap of the service must not look like a root that somebody removed.
            clock.pause(SECOND_LOOK)?;
            walk.read_root()?;
        }
        other => other?,
    }
    walk.descend()?;
    Absences::new(remote, clock, base, walk, scope.now).resolve()
}

/// Makes sure that the root hangs below the drive's root: a trashed folder can still be listed by its id.
fn check_root(remote: &dyn Remote, clock: &dyn Clock, scope: &Scope<'_>) -> Result<(), RemoteError> {
    if scope.root_is_library {
        return Ok(());
    }
    let mut at = scope.root.clone();
    let mut looked_twice = false;
    for _ in 0..DEEPEST {
        if at == ItemId::drive_root() {
            return Ok(());
        }
        match remote.look_up(&[(at.clone(), true)])?.pop() {
            Some(LookUp::Found(item)) => match item.parent {
                RemoteParent::Trash => return Err(RemoteError::Gone),
                RemoteParent::Folder(parent) => at = parent,
                RemoteParent::Untold => return Ok(()),
            },
            Some(LookUp::Gone) if looked_twice => return Err(RemoteError::Gone),
            Some(LookUp::Gone) => {
                looked_twice = true;
                clock.pause(SECOND_LOOK)?;
            }
            // The listing will tell.
            Some(LookUp::Unknown) | None => return Ok(()),
        }
    }
    Ok(())
}
