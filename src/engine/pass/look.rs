//! The look at this side.

use super::settings::{LocalLook, PassError, Settings};
use crate::engine::observe::local::{observe_local, rescan};
use crate::engine::ports::Ports;
use crate::engine::view::LocalView;
use crate::model::RelPath;

/// Reads the local drive: all of it, or some folders of a look that is known.
pub(super) fn look_here(
    ports: &Ports<'_>,
    settings: &Settings,
    look: &LocalLook,
    known: Option<LocalView>,
) -> Result<LocalView, PassError> {
    let may_skip = |path: &RelPath| settings.filter.may_skip_subtree(path.as_str());
    match (look, known) {
        (LocalLook::Folders(folders), Some(mut view)) => {
            rescan(ports.disk, ports.clock, &mut view, folders, &may_skip)?;
            Ok(view)
        }
        (_, known) => {
            let mut view = observe_local(ports.disk, ports.clock, &may_skip)?;
            // What is equal is shared with what was known: what is planned next goes by what has changed.
            if let Some(known) = known {
                view.tree = known.tree.renewed_by_path(view.tree);
            }
            Ok(view)
        }
    }
}
