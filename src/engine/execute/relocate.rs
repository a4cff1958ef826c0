//! Bringing an item on iCloud to a folder and a name, whatever is answered (`docs/sync.md` §6).

use crate::engine::ports::{ItemVersion, LookUp, Ports, Remote, RemoteError, RemoteItem, RemoteParent};
use crate::model::{ItemId, name};

use super::report::StepFailure;
use super::verified_calls::{hangs_in, look, only, patiently, taken, version};

/// So many temporary names are tried beyond the first.
const MOST_ASIDE: usize = 4;

/// Whether it hangs where it did before.
fn stays_in(item: &RemoteItem, before: &RemoteItem) -> bool {
    match &before.parent {
        RemoteParent::Folder(folder) => hangs_in(item, folder),
        RemoteParent::Trash => item.parent == RemoteParent::Trash,
        RemoteParent::Untold => item.parent != RemoteParent::Trash,
    }
}

/// Renames an item and sees to it that it bears that name afterwards. A name that was taken, so that the
/// service chose another, is undone.
pub(super) fn rename(
    ports: &Ports<'_>,
    item: &RemoteItem,
    folder: bool,
    wanted: &str,
) -> Result<RemoteItem, StepFailure> {
    let remote = ports.remote;
    let renamed = rename_once(remote, item, folder, wanted)?;
    if name::same(&renamed.entry.name, wanted) {
        return Ok(renamed);
    }
    if !is_numbered(&renamed.entry.name, wanted) {
        // The extension was doubled or lost (§10.2): the second call starts from another name.
        let again = rename_once(remote, &renamed, folder, wanted)?;
        if name::same(&again.entry.name, wanted) {
            return Ok(again);
        }
        patiently(ports, &again, folder, |now| rename_once(remote, now, folder, &item.entry.name))?;
        return Err(StepFailure::Aside(format!("iCloud does not take the name {wanted:?}")));
    }
    patiently(ports, &renamed, folder, |now| rename_once(remote, now, folder, &item.entry.name))?;
    let parent = match &renamed.parent {
        RemoteParent::Folder(parent) => Some(parent),
        _ => None,
    };
    Err(not_to_be_had(remote, parent, wanted, &item.entry.id))
}

/// What follows when the service gives a numbered name instead of the one that was asked for.
pub(super) fn not_to_be_had(
    remote: &dyn Remote,
    parent: Option<&ItemId>,
    wanted: &str,
    except: &ItemId,
) -> StepFailure {
    let Some(parent) = parent else { return StepFailure::replan("another item on iCloud has this name") };
    match taken(remote, parent, wanted, Some(except)) {
        // To plan again would ask the same for ever: it takes for one name what are two here.
        Ok(StepFailure::Again { .. }) => {
            StepFailure::Aside(format!("iCloud has another item whose name it takes for {wanted:?}"))
        }
        Ok(halt) => halt,
        Err(_) => StepFailure::replan("another item on iCloud has this name"),
    }
}

/// Makes a call for an item that was looked at. Where that is too long ago by now, it is looked at once more, and must still stand there.
pub(super) fn right_after_a_look<T>(
    remote: &dyn Remote,
    item: &RemoteItem,
    folder: bool,
    call: impl Fn(&ItemVersion) -> Result<T, RemoteError>,
) -> Result<Result<T, RemoteError>, StepFailure> {
    match call(&version(item, folder)) {
        Err(RemoteError::LookedLongAgo) => {}
        answer => return Ok(answer),
    }
    match look(remote, &item.entry.id, folder)? {
        LookUp::Found(now) if stays_in(&now, item) && name::same(&now.entry.name, &item.entry.name) => {
            Ok(call(&version(&now, folder)))
        }
        LookUp::Found(_) => Err(StepFailure::replan("it was moved on iCloud meanwhile")),
        LookUp::Gone => Err(StepFailure::replan("it is gone from iCloud")),
        LookUp::Unknown => Err(StepFailure::again("iCloud does not say where it is")),
    }
}

fn rename_once(
    remote: &dyn Remote,
    item: &RemoteItem,
    folder: bool,
    wanted: &str,
) -> Result<RemoteItem, StepFailure> {
    let id = &item.entry.id;
    match right_after_a_look(remote, item, folder, |now| remote.rename(now, wanted))? {
        Ok(renamed) if renamed.entry.id == *id => Ok(told_parent(renamed, item)),
        Ok(_) => Err(StepFailure::again("iCloud answered a rename with another item")),
        Err(RemoteError::Uncertain(why)) => match look(remote, id, folder)? {
            LookUp::Found(now) if comes_of(&now.entry.name, wanted) => Ok(now),
            LookUp::Found(now) if now.entry.name == item.entry.name => Err(StepFailure::again(why)),
            LookUp::Found(_) => Err(StepFailure::replan("it was renamed on iCloud meanwhile")),
            LookUp::Gone => Err(StepFailure::replan("it is gone from iCloud")),
            LookUp::Unknown => Err(StepFailure::again(why)),
        },
        Err(RemoteError::NameTaken) => match &item.parent {
            RemoteParent::Folder(parent) => Err(not_to_be_had(remote, Some(parent), wanted, id)),
            RemoteParent::Trash | RemoteParent::Untold => Err(RemoteError::NameTaken.into()),
        },
        Err(error) => Err(error.into()),
    }
}

/// Whether the service can have made `shown` of `asked`: the name itself, a numbered one, or one whose extension was doubled or lost
/// (`docs/protocol.md` §10.2). Another name is a person's.
pub(super) fn comes_of(shown: &str, asked: &str) -> bool {
    let (stem, extension) = name::split_extension(asked);
    let is_doubled = || extension.is_some_and(|extension| name::same(shown, &format!("{asked}.{extension}")));
    name::same(shown, asked) || is_numbered(shown, asked) || name::same(shown, stem) || is_doubled()
}

/// An answer that tells no parent has the one from before.
fn told_parent(mut item: RemoteItem, before: &RemoteItem) -> RemoteItem {
    if item.parent == RemoteParent::Untold {
        item.parent = before.parent.clone();
    }
    item
}

/// Moves an item into a folder and sees that it hangs there; its name is as the service left it.
pub(super) fn move_into(
    remote: &dyn Remote,
    item: &RemoteItem,
    folder: bool,
    target: &ItemId,
) -> Result<RemoteItem, StepFailure> {
    let id = &item.entry.id;
    let call = |now: &ItemVersion| only(remote.move_into(target, std::slice::from_ref(now)));
    match right_after_a_look(remote, item, folder, call)? {
        Ok(moved) if moved.entry.id == *id && moved.parent == RemoteParent::Folder(target.clone()) => {
            Ok(moved)
        }
        Ok(_) | Err(RemoteError::Uncertain(_)) => match look(remote, id, folder)? {
            LookUp::Found(now) if now.parent == RemoteParent::Folder(target.clone()) => {
                match comes_of(&now.entry.name, &item.entry.name) {
                    true => Ok(now),
                    false => Err(StepFailure::replan("it was renamed on iCloud meanwhile")),
                }
            }
            LookUp::Gone => Err(StepFailure::replan("it is gone from iCloud")),
            LookUp::Found(_) | LookUp::Unknown => Err(StepFailure::again("iCloud did not confirm a move")),
        },
        Err(RemoteError::NameTaken) => Err(not_to_be_had(remote, Some(target), &item.entry.name, id)),
        Err(error) => Err(error.into()),
    }
}

/// Gives an item a temporary name that is free in its folder: another one that changes places may wait there with the first of them.
fn rename_aside(
    ports: &Ports<'_>,
    item: &RemoteItem,
    folder: bool,
    wanted: &str,
) -> Result<RemoteItem, StepFailure> {
    let mut nth = 0;
    loop {
        let LookUp::Found(now) = look(ports.remote, &item.entry.id, folder)? else {
            return Err(StepFailure::replan("it is gone from iCloud"));
        };
        match rename(ports, &now, folder, &name::temporary_name(wanted, nth)) {
            Err(StepFailure::Replan(_) | StepFailure::Aside(_)) if nth < MOST_ASIDE => nth += 1,
            renamed => return renamed,
        }
    }
}

/// Brings an item to a folder and a name by as many calls as it takes. Moving goes first: a name that is
/// taken only there is put right by the rename that follows.
pub(super) fn relocate(
    ports: &Ports<'_>,
    item: RemoteItem,
    folder: bool,
    (target, wanted): (&ItemId, &str),
) -> Result<RemoteItem, StepFailure> {
    let remote = ports.remote;
    let mut now = item;
    // How it stood before each call.
    let mut before = Vec::new();
    if now.parent != RemoteParent::Folder(target.clone()) {
        before.push(now.clone());
        now = match move_into(remote, &now, folder, target) {
            Err(StepFailure::Replan(_) | StepFailure::Aside(_)) if !name::same(&now.entry.name, wanted) => {
                // Its name is taken there, or somebody was quicker.
                now = match look(remote, &now.entry.id, folder)? {
                    LookUp::Found(found) if stays_in(&found, &now) && found.entry.name == now.entry.name => {
                        found
                    }
                    LookUp::Unknown => return Err(StepFailure::again("iCloud does not say where it is")),
                    LookUp::Found(_) | LookUp::Gone => {
                        return Err(StepFailure::replan("it was moved on iCloud meanwhile"));
                    }
                };
                let renamed = match rename(ports, &now, folder, wanted) {
                    // Either name is taken in one of the two folders: a third one takes it over.
                    Err(StepFailure::Replan(_) | StepFailure::Aside(_)) => {
                        rename_aside(ports, &now, folder, wanted)?
                    }
                    renamed => renamed?,
                };
                if !stays_in(&renamed, &now) {
                    return Err(StepFailure::replan("it was moved on iCloud meanwhile"));
                }
                move_into(remote, &renamed, folder, target)?
            }
            other => other?,
        };
    }
    if *now.entry.name != *wanted {
        before.push(now.clone());
        now = rename(ports, &now, folder, wanted)?;
    }
    // Renaming takes no heed of a move that a person makes in the same moment.
    if !hangs_in(&now, target) {
        return Err(StepFailure::replan("it was moved on iCloud meanwhile"));
    }
    if !before.is_empty() {
        stands_there(remote, &now, folder, &before)?;
    }
    Ok(now)
}

/// An answer can come without an effect, so the item is looked at once more. One that stands as it did `before` one of the calls
/// was not moved, and nobody moved it back; the base still has it there.
fn stands_there(
    remote: &dyn Remote,
    moved: &RemoteItem,
    folder: bool,
    before: &[RemoteItem],
) -> Result<(), StepFailure> {
    let stands = |found: &RemoteItem, place: &RemoteItem| {
        stays_in(found, place) && name::same(&found.entry.name, &place.entry.name)
    };
    let is_undone = |found: &RemoteItem| {
        let is_as =
            |place: &RemoteItem| stands(found, place) && (folder || found.entry.etag == place.entry.etag);
        before.iter().any(is_as)
    };
    match look(remote, &moved.entry.id, folder)? {
        LookUp::Found(found) if stands(&found, moved) => Ok(()),
        LookUp::Found(found) if is_undone(&found) => {
            Err(StepFailure::again("iCloud confirmed a move that it did not do"))
        }
        LookUp::Found(_) => Err(StepFailure::replan("it was moved on iCloud meanwhile")),
        LookUp::Gone => Err(StepFailure::replan("it is gone from iCloud")),
        // Without a look nobody knows whether the answer had an effect; the next try begins with one.
        LookUp::Unknown => Err(StepFailure::again("iCloud does not show the move yet")),
    }
}

/// Whether the service made `shown` of `asked` because that was taken: `Name 2.ext` (`docs/protocol.md` §17).
pub(super) fn is_numbered(shown: &str, asked: &str) -> bool {
    let (shown, asked) = (name::nfc(shown), name::nfc(asked));
    let numbered = |stem: &str, full: &str| {
        full.strip_prefix(stem)
            .and_then(|rest| rest.strip_prefix(' '))
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    if numbered(&asked, &shown) {
        return true;
    }
    let ((stem, extension), (asked_stem, asked_extension)) =
        (name::split_extension(&shown), name::split_extension(&asked));
    extension == asked_extension && numbered(asked_stem, stem)
}

#[cfg(test)]
mod tests {
    use super::{comes_of, is_numbered};

    #[test]
    fn the_services_own_names_are_known() {
        for (shown, asked, expected) in [
            ("Report 2.pdf", "Report.pdf", true),
            ("Report 13", "Report", true),
            ("Photos.d 2", "Photos.d", true),
            ("Report 2.txt", "Report.pdf", false),
            ("Report two.pdf", "Report.pdf", false),
            ("Report.pdf.pdf", "Report.pdf", false),
            ("Report.pdf", "Report.pdf", false),
        ] {
            assert_eq!(is_numbered(shown, asked), expected, "{shown} for {asked}");
        }
    }

    #[test]
    fn a_name_that_the_service_can_have_made_is_told_from_a_persons() {
        for (shown, asked, expected) in [
            ("a.txt", "a.txt", true),
            ("a 2.txt", "a.txt", true),
            ("a.txt.txt", "a.txt", true),
            ("a", "a.txt", true),
            ("b.txt", "a.txt", false),
            ("a.txt", "a", false),
            ("a two.txt", "a.txt", false),
        ] {
            assert_eq!(comes_of(shown, asked), expected, "{shown} for {asked}");
        }
    }
}
