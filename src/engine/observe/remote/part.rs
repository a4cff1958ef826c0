//! A look at those folders of iCloud alone of which a hint says that something changed in them; everything else is as the look before
//! showed it (`docs/sync.md` §7).
//!
//! The hint only says where to look. What the listings lack is asked for by its id as ever, and whatever does not fit together
//! calls for a whole walk.

use std::collections::HashMap;

use super::absences::Absences;
use super::check_root;
use super::scope::Scope;
use super::touched::{Concerned, Touched, concerned};
use super::walk::Walk;
use crate::engine::ports::{Clock, LookUp, Remote, RemoteError, RemoteParent};
use crate::engine::view::{Absence, RemoteView};
use crate::model::{BaseTree, Etag, FolderState, ItemId, Node, RemoteKind};

/// With more items whose fate has to be asked for each time, a whole walk is no more work.
const MOST_ABSENT: usize = 100;

/// What came of a look at some folders.
pub enum Glance {
    /// All that the hint tells of was seen before: there was nothing to look at.
    Nothing,
    /// What is on iCloud, as far as the hint is right.
    Seen(Box<RemoteView>),
    /// It takes a whole walk to see what is there; why, for the log.
    TooLittle(&'static str),
}

/// Looks at what is said to be touched. `previous` is what a whole walk saw, with our own writes and looks as this one since.
///
/// # Errors
///
/// What ends the pass; [`RemoteError::Gone`] when the root of the scope is not there any more.
pub fn observe_touched(
    remote: &dyn Remote,
    clock: &dyn Clock,
    base: &BaseTree,
    scope: &Scope<'_>,
    previous: &RemoteView,
    touched: &Touched,
) -> Result<Glance, RemoteError> {
    if previous.tree.get(Node::ROOT).id != scope.root || !is_settled(previous, base) {
        return Ok(Glance::TooLittle("the look before left something open"));
    }
    let Some(mut concerned) = concerned(touched, &previous.tree) else {
        return Ok(Glance::TooLittle("it is not understood"));
    };
    if !concerned.strangers.is_empty() && !find_strangers(remote, previous, &mut concerned)? {
        return Ok(Glance::TooLittle("it does not tell in which folder something is"));
    }
    if concerned.folders.is_empty() {
        if concerned.names_root {
            check_root(remote, clock, scope)?;
        }
        return Ok(Glance::Nothing);
    }
    if touched.spares_root && concerned.folders.contains(&ItemId::drive_root()) {
        return Ok(Glance::TooLittle("the root would have to be listed"));
    }
    check_root(remote, clock, scope)?;
    let mut walk = Walk::resume(remote, scope, previous, &concerned.folders);
    if !walk.read_again(&concerned.folders)? {
        return Ok(Glance::TooLittle("a listing does not add up"));
    }
    walk.descend()?;
    let view = Absences::new(remote, clock, base, walk, scope.now).resolve()?;
    Ok(if !view.complete || is_open(&view) {
        Glance::TooLittle("something is not where it was, and nobody says where")
    } else if !is_as_said(&view, &concerned, touched) {
        Glance::TooLittle("a listing is older than it")
    } else {
        // What was read is no older than the etags before, and may be newer.
        let marks = previous.marks.clone().mixed();
        Glance::Seen(Box::new(RemoteView { marks, ..view }))
    })
}

/// Whether nothing of the look before waits for another one: only a look at the same item settles it.
pub(super) fn is_settled(previous: &RemoteView, base: &BaseTree) -> bool {
    let is_sizeless = |node: Node| {
        let entry = previous.tree.get(node);
        let is_known = || match base.by_id(&entry.id).map(|node| base.get(node)) {
            // What was agreed on is known, whatever the listing says of its size.
            Some(known) => known.package || known.remote.etag == entry.etag,
            None => true,
        };
        entry.kind == RemoteKind::File && entry.size.get().is_none() && !is_known()
    };
    previous.complete
        && previous.hollow.is_empty()
        && previous.absent.len() <= MOST_ABSENT
        && !is_open(previous)
        && !previous.tree.walk(Node::ROOT).any(is_sizeless)
}

/// Whether nobody knows what became of some item.
pub(super) fn is_open(view: &RemoteView) -> bool {
    view.absent.values().any(|absence| matches!(absence, Absence::Unknown | Absence::Untold))
}

/// Finds out in which folders items are that the look before did not show; `false` where that cannot be told.
fn find_strangers(
    remote: &dyn Remote,
    previous: &RemoteView,
    concerned: &mut Concerned,
) -> Result<bool, RemoteError> {
    let answers = match remote.look_up(&concerned.strangers) {
        Ok(answers) => answers,
        Err(error) if error.ends_pass() => return Err(error),
        Err(_) => return Ok(false),
    };
    for answer in answers {
        match answer {
            LookUp::Found(item) => match item.parent {
                RemoteParent::Folder(folder) => match previous.tree.by_id(&folder) {
                    Some(node) if previous.tree.get(node).state == FolderState::Complete => {
                        concerned.folders.push(folder);
                    }
                    Some(_) => {}
                    None => return Ok(false),
                },
                RemoteParent::Trash => {}
                RemoteParent::Untold => return Ok(false),
            },
            LookUp::Gone => {}
            LookUp::Unknown => return Ok(false),
        }
    }
    concerned.folders.sort();
    concerned.folders.dedup();
    Ok(true)
}

/// Whether everything is where it is said to be, and no item is still what it was before the hint.
fn is_as_said(view: &RemoteView, concerned: &Concerned, touched: &Touched) -> bool {
    let tree = &view.tree;
    let mut seen: HashMap<String, Vec<&ItemId>> =
        concerned.said.iter().map(|(doc, _)| (doc.to_ascii_uppercase(), Vec::new())).collect();
    for node in tree.walk(Node::ROOT).skip(1) {
        let id = &tree.get(node).id;
        if *id.zone() == touched.zone
            && let Some(places) = seen.get_mut(&id.doc().to_ascii_uppercase())
        {
            places.extend(tree.parent(node).map(|folder| &tree.get(folder).id));
        }
    }
    let is_so = |(doc, place): &(String, Option<ItemId>)| {
        let places = seen.get(&doc.to_ascii_uppercase()).map_or(&[][..], Vec::as_slice);
        match place {
            // In a folder that is gone itself, nothing is seen.
            Some(folder) => places.contains(&folder) || tree.by_id(folder).is_none(),
            None => places.is_empty(),
        }
    };
    let is_same =
        |(id, etag): &(ItemId, Etag)| tree.by_id(id).is_some_and(|node| tree.get(node).etag == *etag);
    concerned.said.iter().all(is_so) && !concerned.changed.iter().any(is_same)
}
