//! Walks by etag (`docs/sync.md` §7): where the etags of an account's folders are seen to move with whatever changes below them, a look reads
//! only the folders whose etag moved.
//!
//! That is learnt from whole walks, of changes that are not our own, and doubted as soon as one of them shows a change below a folder whose
//! etag stays. Nothing rests on it but where a look goes: what is not read counts as it was known, never as gone.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::absences::Absences;
use super::before::Before;
use super::check_root;
use super::part::{Glance, is_open, is_settled};
use super::scope::Scope;
use super::walk::Walk;
use crate::engine::ports::{Clock, Remote, RemoteError};
use crate::engine::view::{FolderMarks, RemoteView};
use crate::model::{BaseTree, Etag, ItemId, Node, RemoteTree};

/// So many cases of a kind are enough: contents, places, names.
const ENOUGH: Cases = Cases { contents: 8, places: 8, names: 3 };
/// Each disagreement doubles what is enough, so often at most.
const MOST_DOUBLINGS: u32 = 5;

/// Looks at the folders whose etag moved. `previous` is what a whole walk saw, with our own writes and smaller looks since.
///
/// # Errors
///
/// What ends the pass; [`RemoteError::Gone`] when the root of the scope is not there any more.
pub fn observe_by_etag(
    remote: &dyn Remote,
    clock: &dyn Clock,
    base: &BaseTree,
    scope: &Scope<'_>,
    previous: &RemoteView,
) -> Result<Glance, RemoteError> {
    if previous.tree.get(Node::ROOT).id != scope.root || !is_settled(previous, base) {
        return Ok(Glance::TooLittle("the look before left something open"));
    }
    check_root(remote, clock, scope)?;
    let mut walk = Walk::new(remote, scope, Some(Before::sparing(previous)));
    match walk.read_root() {
        // A whole walk looks twice.
        Err(RemoteError::Gone) => return Ok(Glance::TooLittle("the root is not there")),
        other => other?,
    }
    walk.descend()?;
    let view = Absences::new(remote, clock, base, walk, scope.now).resolve()?;
    Ok(if !view.complete || is_open(&view) {
        Glance::TooLittle("something is not where it was, and nobody says where")
    } else {
        let marks = view.marks.clone().mixed();
        Glance::Seen(Box::new(RemoteView { marks, ..view }))
    })
}

/// How often a change of each kind moved the etags of all folders above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cases {
    /// Contents of files.
    pub contents: u32,
    /// What came, went or moved.
    pub places: u32,
    /// Names.
    pub names: u32,
}

impl Cases {
    fn each(&self) -> [u32; 3] {
        [self.contents, self.places, self.names]
    }

    fn of(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Content => &mut self.contents,
            Kind::Place => &mut self.places,
            Kind::Name => &mut self.names,
        }
    }
}

/// What changed of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Content,
    Place,
    Name,
}

/// What is known of how the etags of an account's folders move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EtagsLearnt {
    /// Since the last disagreement.
    pub cases: Cases,
    /// How often a change moved no etag.
    pub doubts: u32,
}

impl EtagsLearnt {
    /// Whether an etag that stays says that nothing below the folder changed, as far as anybody can tell.
    pub fn may_skip(&self) -> bool {
        let enough = ENOUGH.each().map(|enough| enough << self.doubts.min(MOST_DOUBLINGS));
        self.cases.each().iter().zip(enough).all(|(seen, enough)| *seen >= enough)
    }

    /// Whole walks agreed on these.
    pub fn agree(&mut self, cases: Cases) {
        let add = |sum: &mut u32, more: u32| *sum = sum.saturating_add(more).min(1_000_000);
        add(&mut self.cases.contents, cases.contents);
        add(&mut self.cases.places, cases.places);
        add(&mut self.cases.names, cases.names);
    }

    /// An etag stayed although something changed: everything is learnt anew, and takes longer. Says whether it was relied on.
    pub fn disagree(&mut self) -> bool {
        let was_trusted = self.may_skip();
        *self = Self { cases: Cases::default(), doubts: self.doubts.saturating_add(1) };
        was_trusted
    }
}

/// What two walks in a row say of the etags of folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtagsCompared {
    /// Changes, of each kind at most one a folder, above which every etag moved: the folder's own, and one above it at least.
    pub cases: Cases,
    /// Folders with the etag that they still had although something below them changed. It may be late.
    pub stayed: Vec<(ItemId, Etag)>,
}

impl EtagsCompared {
    /// Those of the folders that `later`, what the next walk noted, still shows with that etag.
    pub fn still(&self, later: &FolderMarks) -> usize {
        self.stayed.iter().filter(|(id, etag)| later.get(id) == Some(etag)).count()
    }
}

/// Compares two whole walks, of which `before` has our own writes since. `None` where one of them does not show everything.
pub fn compare_etags(before: &RemoteView, after: &RemoteView) -> Option<EtagsCompared> {
    if !(before.complete && after.complete) {
        return None;
    }
    let (old, new) = (&before.tree, &after.tree);
    // Each change by its folder and kind, once.
    let mut changes: HashSet<(Kind, Side, Node)> = HashSet::new();
    let mut change = |kind, side, tree: &RemoteTree, node| {
        changes.extend(tree.parent(node).map(|folder| (kind, side, folder)));
    };
    for node in new.walk(Node::ROOT).skip(1) {
        let entry = new.get(node);
        let Some(known) = old.by_id(&entry.id) else {
            change(Kind::Place, Side::New, new, node);
            continue;
        };
        let above = |tree: &RemoteTree, node| tree.parent(node).map(|parent| tree.get(parent).id.clone());
        let was = old.get(known);
        if above(new, node) != above(old, known) {
            change(Kind::Place, Side::New, new, node);
            change(Kind::Place, Side::Old, old, known);
        } else if was.name != entry.name {
            change(Kind::Name, Side::New, new, node);
        } else if !entry.is_folder() && has_other_content(&was.etag, &entry.etag) {
            change(Kind::Content, Side::New, new, node);
        }
    }
    for node in old.walk(Node::ROOT).skip(1) {
        if new.by_id(&old.get(node).id).is_none() {
            change(Kind::Place, Side::Old, old, node);
        }
    }
    let mut compared = EtagsCompared::default();
    for (kind, side, folder) in changes {
        let tree = if side == Side::New { new } else { old };
        let (mut moved, mut stayed) = (0, Vec::new());
        let mut at = Some(folder).filter(|at| *at != Node::ROOT);
        while let Some(node) = at {
            let id = &tree.get(node).id;
            // What is new, or gone, has no etag to compare.
            if let (Some(one), Some(two)) = (before.marks.get(id), after.marks.get(id)) {
                if one == two {
                    stayed.push((id.clone(), two.clone()));
                } else {
                    moved += 1;
                }
            }
            at = tree.parent(node).filter(|at| *at != Node::ROOT);
        }
        if stayed.is_empty() && moved >= 2 && !before.marks.are_mixed {
            *compared.cases.of(kind) += 1;
        }
        compared.stayed.extend(stayed);
    }
    // The same walks say the same.
    compared.stayed.sort_by(|one, two| one.0.cmp(&two.0));
    compared.stayed.dedup();
    Some(compared)
}

/// In which of two trees a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Old,
    New,
}

/// Whether a file has another content, as far as both etags tell.
fn has_other_content(one: &Etag, two: &Etag) -> bool {
    !one.content().is_empty() && !two.content().is_empty() && one.content() != two.content()
}

#[cfg(test)]
mod tests;
