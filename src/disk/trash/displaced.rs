//! Versions that came to the trash although nobody threw them away: a note of each stands until it was brought back, so that
//! the next start does that where this run does not come to it.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::install::download_record::digest;
use crate::disk::private::area::Area;
use crate::disk::private::small_files::{remove_small, write_small};
use crate::disk::seen::see_if_there;
use crate::model::RelPath;

/// The end of a note's name in `tmp`.
pub(in crate::disk) const DISPLACED: &str = ".displaced";

/// What a note says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::disk) struct Note {
    /// The slot in the trash.
    pub slot: String,
    /// The path that the version had.
    pub path: String,
}

fn name_of(slot: &str) -> String {
    format!("{}{DISPLACED}", digest(&[slot]))
}

/// Notes durably that this slot of the area's trash holds what has to be brought back.
pub(in crate::disk) fn note(area: &Area, slot: &str, path: &RelPath) -> Result<(), Errno> {
    let note = Note { slot: slot.to_owned(), path: path.as_str().to_owned() };
    let text = serde_json::to_vec(&note).expect("texts have a JSON form");
    write_small(&area.tmp, &name_of(slot), &text)
}

/// Whether there is such a note.
pub(in crate::disk) fn is_noted(area: &Area, slot: &str) -> Result<bool, Errno> {
    see_if_there(&area.tmp, &*name_of(slot)).map(|seen| seen.is_some())
}

/// Takes the note away: it was brought back, durably, or it did not come there.
pub(in crate::disk) fn forget(area: &Area, slot: &str) -> Result<(), Errno> {
    remove_small(&area.tmp, &name_of(slot))
}
