//! What is left alone by a rule that only a closer look could apply, as with skipped packages: remembered while the
//! engine lives, so that the same version is not looked at in every pass.

use std::collections::BTreeMap;

use super::execute::Skipped;
use super::operation::{Note, NoteKind};
use super::view::{LocalView, RemoteView};
use crate::model::{BaseTree, RelPath};

/// Skipped items by their path with composed names: the plan may know one by its name on iCloud or by the one that it
/// would get here.
#[derive(Debug, Default)]
pub struct SkippedItems {
    items: BTreeMap<RelPath, Skipped>,
}

impl SkippedItems {
    /// Remembers what a pass has skipped.
    pub fn learn(&mut self, skipped: &[Skipped]) {
        self.items.extend(skipped.iter().map(|item| (item.path.composed().into_owned(), item.clone())));
    }

    /// Whether the item at this path was skipped in the version that iCloud shows now.
    pub fn holds(&self, path: &RelPath, remote: &RemoteView) -> bool {
        !self.items.is_empty()
            && self.items.get(&*path.composed()).is_some_and(|item| is_current(item, remote))
    }

    /// What is to be told: the item is skipped, or it holds its name against a local item, which is set aside.
    pub fn notes(&self, base: &BaseTree, local: &LocalView, remote: &RemoteView) -> Vec<Note> {
        let current = self.items.values().filter(|item| is_current(item, remote));
        let told = current.map(|item| {
            let claimed = base.find(&item.path).is_none() && local.tree.find(&item.path).is_some();
            let kind = if claimed {
                NoteKind::SetAside(format!("an item on iCloud has this name: {}", item.reason))
            } else {
                NoteKind::Skipped(item.reason.clone())
            };
            Note { path: item.path.clone(), kind }
        });
        told.collect()
    }
}

fn is_current(item: &Skipped, remote: &RemoteView) -> bool {
    let node = remote.tree.by_id(&item.id);
    node.is_some_and(|node| {
        remote.tree.get(node).etag == item.etag && remote.tree.path(node).composed() == item.path.composed()
    })
}
