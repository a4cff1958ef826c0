//! What follows from what happened: the table of `docs/sync.md` §4, item by item.

use super::Mode;
use super::items::{Change, Fate, Item, Items, Step, World};
use super::left_alone::note;
use super::mount_points::kept_in_place;
use super::paths::shown_path;
use crate::engine::operation::{NoteKind, Reason};
use crate::model::{RelPath, Side};

/// Items with what becomes of each and of its content; folders that hang on what they hold are open.
pub(super) struct Decided(Items);

impl Decided {
    /// The items, for the next stage.
    pub fn into_items(self) -> Items {
        self.0
    }
}

/// Decides for every collected item whether it stays and what becomes of its content. Folders that hang on
/// what they hold stay open.
pub(super) fn run(world: &World<'_>, mut items: Items) -> Decided {
    let mut notes = Vec::new();
    for item in items.all.values_mut() {
        let path = shown_path(world, item);
        if let Some(reason) = held_back(world, item, &path) {
            item.fate = Fate::Pin;
            notes.extend(reason.map(|kind| note(path, kind)));
            continue;
        }
        if item.dismissed {
            (item.fate, item.reason) = (Fate::Forget, Reason::NoLongerTakesPart);
            continue;
        }
        if world.is_library(item)
            && world.policy.mode == Mode::UploadOnly
            && (item.moved_here || item.moved_there || !item.here.is_there())
        {
            // It is never renamed or trashed there, and nothing is written here.
            (item.fate, item.reason) = (Fate::Pin, Reason::LocalChangeNotAllowed);
            continue;
        }
        if item.folder {
            let unseen = unseen_folder(world, item);
            (item.fate, item.reason) = unseen.unwrap_or_else(|| folder(item, world.policy.mode));
        } else {
            (item.fate, item.step, item.reason) = file(world, item);
        }
        if item.fate == Fate::Pin && item.reason == Reason::LocalChangeNotAllowed && is_package(world, item) {
            let text = "a package that changed here is never uploaded: it is left as it is".to_owned();
            notes.push(note(path, NoteKind::Skipped(text)));
            continue;
        }
        let doubts = [item.here, item.there].into_iter().filter_map(|change| match change {
            Change::Unknown(doubt) if item.fate == Fate::Pin => Some(doubt),
            _ => None,
        });
        notes.extend(doubts.map(|doubt| note(path.clone(), doubt.kind())));
    }
    items.notes.append(&mut notes);
    Decided(items)
}

fn is_package(world: &World<'_>, item: &Item) -> bool {
    item.base.is_some_and(|node| world.base.get(node).package)
}

/// Whether nothing may be done with the item now; with what to tell, if anything.
fn held_back(world: &World<'_>, item: &Item, path: &RelPath) -> Option<Option<NoteKind>> {
    // What is shared to the account is left alone, and told once; its disappearance deletes nothing.
    if item.foreign || (world.policy.is_waiting)(path) {
        return Some(None);
    }
    if item.folder {
        return kept_in_place(world, item).map(|why| Some(NoteKind::SetAside(why.to_owned())));
    }
    if !item.accepted {
        return None;
    }
    let local = item.local.map(|node| world.local.tree.get(node).stamp.size);
    let remote = item.remote.and_then(|node| world.remote.tree.get(node).size.get());
    let agreed = item.base.map(|node| world.base.get(node).local.stamp.size);
    let (side, size) = match (world.is_too_large(local), world.is_too_large(remote)) {
        // The base's own version is too large since the limit changed: forgotten, see `file`.
        _ if world.is_too_large(agreed) => return None,
        (true, _) => ("here", local),
        (_, true) => ("on iCloud", remote),
        _ => return None,
    };
    let size = size.unwrap_or_default();
    Some(Some(NoteKind::Skipped(format!("larger than limits.max_file_size: {size} bytes {side}"))))
}

/// One file: what happened here and there.
fn file(world: &World<'_>, item: &Item) -> (Fate, Step, Reason) {
    use Change::{Absent, Deleted, Edited, Left, PowerCut, Same, Touched, Unknown};
    use Side::{Local, Remote};
    let entry = item.base.map(|node| world.base.get(node));
    // (A new file that does not take part is no item.)
    if !item.accepted || world.is_too_large(entry.map(|entry| entry.local.stamp.size)) {
        return (Fate::Forget, Step::Nothing, Reason::NoLongerTakesPart);
    }
    if entry.is_some_and(|entry| entry.package) && item.here == Edited {
        return match item.there {
            there if there.is_there() && world.policy.mode != Mode::UploadOnly => {
                (Fate::Keep, Step::Reconcile, Reason::LocalChangeNotAllowed)
            }
            // It stays in the base, so that it is never taken for a new file and sent up as one.
            Deleted | Left | Same | Touched | Edited | PowerCut | Absent => {
                (Fate::Pin, Step::Nothing, Reason::LocalChangeNotAllowed)
            }
            Unknown(_) => (Fate::Pin, Step::Nothing, Reason::Same),
        };
    }
    let (fate, step, reason) = match (item.here, item.there) {
        (Unknown(_), _) | (_, Unknown(_)) => (Fate::Pin, Step::Nothing, Reason::Same),
        (Absent, Absent) => (Fate::Pin, Step::Nothing, Reason::Same),
        (Deleted | Left, Deleted | Left | Absent) | (Absent, Deleted | Left) => {
            (Fate::Forget, Step::Nothing, Reason::GoneOnBoth)
        }
        (Absent, _) => (Fate::Keep, Step::Download, Reason::New(Remote)),
        (_, Absent) => (Fate::Keep, Step::Upload, Reason::New(Local)),
        (gone @ (Deleted | Left), there) => match there {
            _ if is_unseen(world, item) => (Fate::Keep, Step::Download, Reason::Unseen),
            Edited => (Fate::Keep, Step::Download, Reason::EditedAfterDeletion(Remote)),
            _ => (Fate::DropRemote, Step::Nothing, why_gone(gone, Local)),
        },
        (here, gone @ (Deleted | Left)) => match here {
            Edited => (Fate::Keep, Step::Upload, Reason::EditedAfterDeletion(Local)),
            _ => (Fate::DropLocal, Step::Nothing, why_gone(gone, Remote)),
        },
        (PowerCut, _) => (Fate::Keep, Step::Download, Reason::PowerCut),
        (Edited, Edited) => (Fate::Keep, Step::Reconcile, Reason::Conflict),
        (Edited, _) => (Fate::Keep, Step::Upload, Reason::Edited(Local)),
        (_, Edited) => (Fate::Keep, Step::Download, Reason::Edited(Remote)),
        (Touched, _) | (_, Touched) => (Fate::Keep, Step::Agree, Reason::Touched),
        (Same, Same | PowerCut) => (Fate::Keep, Step::Nothing, Reason::Same),
    };
    by_mode(world.policy.mode, item, (fate, step, reason))
}

fn why_gone(change: Change, side: Side) -> Reason {
    if change == Change::Left { Reason::LeftScope(side) } else { Reason::Deleted(side) }
}

/// Bends a decision to a mode in which one side never changes (`docs/sync.md` §4, Modes).
fn by_mode(mode: Mode, item: &Item, decided: (Fate, Step, Reason)) -> (Fate, Step, Reason) {
    let leave = (Fate::Pin, Step::Nothing, Reason::LocalChangeNotAllowed);
    match (mode, decided) {
        (Mode::DownloadOnly, (Fate::DropRemote, ..)) => {
            (Fate::Keep, Step::Download, Reason::Deleted(Side::Local))
        }
        // It becomes a local addition: left alone, and forgotten.
        (Mode::DownloadOnly, (Fate::Keep, Step::Upload, Reason::EditedAfterDeletion(_))) => {
            (Fate::Forget, Step::Nothing, Reason::LocalChangeNotAllowed)
        }
        (Mode::DownloadOnly, (Fate::Keep, Step::Upload, Reason::New(_))) => leave,
        (Mode::DownloadOnly, (Fate::Keep, Step::Upload, reason)) => (Fate::Keep, Step::Nothing, reason),
        (Mode::UploadOnly, (Fate::DropLocal, ..)) => {
            (Fate::Keep, Step::Upload, Reason::Deleted(Side::Remote))
        }
        (Mode::UploadOnly, (Fate::Keep, Step::Download, Reason::EditedAfterDeletion(_))) => {
            (Fate::Forget, Step::Nothing, Reason::LocalChangeNotAllowed)
        }
        // It stays on iCloud, like anything else that is there alone.
        (Mode::UploadOnly, (Fate::Keep, Step::Download, Reason::Unseen)) => {
            (Fate::Forget, Step::Nothing, Reason::Unseen)
        }
        (Mode::UploadOnly, (Fate::Keep, Step::Download, Reason::New(_) | Reason::PowerCut)) => leave,
        (Mode::UploadOnly, (Fate::Keep, Step::Download, reason)) if item.here.is_there() => {
            (Fate::Keep, Step::Nothing, reason)
        }
        (_, decided) => decided,
    }
}

/// Whether nothing is here of an item of the base that was never seen in the folder that is here now.
fn is_unseen(world: &World<'_>, item: &Item) -> bool {
    item.local.is_none() && item.base.is_some_and(|node| (world.policy.is_unseen)(world.base.get(node)))
}

/// What becomes of a folder that was never seen in the one that is here now.
fn unseen_folder(world: &World<'_>, item: &Item) -> Option<(Fate, Reason)> {
    if !item.here.is_gone() || !item.there.is_there() || !is_unseen(world, item) {
        return None;
    }
    let comes_again = world.policy.mode != Mode::UploadOnly && item.accepted && item.accepted_there;
    Some((if comes_again { Fate::Keep } else { Fate::Forget }, Reason::Unseen))
}

/// One folder: whether it stays hangs on what it holds, unless it is plain.
fn folder(item: &Item, mode: Mode) -> (Fate, Reason) {
    let gone_here = item.here.is_gone();
    let gone_there = item.there.is_gone();
    match (item.here, item.there) {
        (Change::Unknown(_), _) | (_, Change::Unknown(_)) => (Fate::Pin, Reason::Same),
        _ if gone_here && (gone_there || item.there == Change::Absent) => (Fate::Forget, Reason::GoneOnBoth),
        _ if gone_there && item.here == Change::Absent => (Fate::Forget, Reason::GoneOnBoth),
        // What left the scope on the side that is followed does not come back for what is gone on the other one.
        _ if gone_here && mode == Mode::DownloadOnly && item.accepted && item.accepted_there => {
            (Fate::Keep, Reason::Deleted(Side::Local))
        }
        _ if gone_there && mode == Mode::UploadOnly && item.accepted && item.accepted_here => {
            (Fate::Keep, Reason::Deleted(Side::Remote))
        }
        // What was moved away was deleted by nobody, and is never deleted for good.
        _ if gone_here => (Fate::Open, why_gone(item.here, Side::Local)),
        _ if gone_there => (Fate::Open, why_gone(item.there, Side::Remote)),
        (Change::Absent, _) if mode == Mode::UploadOnly => (Fate::Pin, Reason::LocalChangeNotAllowed),
        (_, Change::Absent) if mode == Mode::DownloadOnly => (Fate::Pin, Reason::LocalChangeNotAllowed),
        (Change::Absent, _) => (Fate::Open, Reason::New(Side::Remote)),
        (_, Change::Absent) => (Fate::Open, Reason::New(Side::Local)),
        _ => (Fate::Open, Reason::Same),
    }
}

#[cfg(test)]
mod tests;
