//! What is left alone by a rule that only a closer look could apply, as with skipped packages: remembered while the
//! engine lives, so that the same version is not looked at in every pass.

use std::collections::BTreeMap;

use super::execute::Skipped;
use super::operation::{Note, NoteKind};
use super::view::{LocalView, RemoteView};
use crate::model::{BaseTree, ItemId, RelPath};

/// Skipped items by their path with composed names: the plan may know one by its name on iCloud or by the one that it
/// would get here.
#[derive(Debug, Default)]
pub struct SkippedItems {
    items: BTreeMap<RelPath, Known>,
    /// The path of each.
    paths: BTreeMap<ItemId, RelPath>,
}

#[derive(Debug)]
struct Known {
    item: Skipped,
    /// Where it was on iCloud then: elsewhere than the path says while the move of a folder above it is set aside.
    remote_path: RelPath,
}

impl SkippedItems {
    /// Remembers what a pass over that view of iCloud has skipped.
    pub fn learn(&mut self, skipped: &[Skipped], remote: &RemoteView) {
        for item in skipped {
            let Some(node) = remote.tree.by_id(&item.id) else { continue };
            let remote_path = remote.tree.path(node).composed().into_owned();
            let path = item.path.composed().into_owned();
            self.paths.insert(item.id.clone(), path.clone());
            self.items.insert(path, Known { item: item.clone(), remote_path });
        }
    }

    /// Whether nothing was skipped yet.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the item at this path was skipped in the version that iCloud shows now.
    pub fn holds(&self, path: &RelPath, remote: &RemoteView) -> bool {
        !self.items.is_empty()
            && self.items.get(&*path.composed()).is_some_and(|item| is_current(item, remote))
    }

    /// Whether the item that iCloud shows at this path was skipped in the version that it shows now, whatever its name here: a folder above
    /// it may have another name or place on each side for a while.
    pub fn holds_item_at(&self, path: &RelPath, remote: &RemoteView) -> bool {
        if self.items.is_empty() {
            return false;
        }
        let id = remote.tree.find(path).map(|node| &remote.tree.get(node).id);
        let known = id.and_then(|id| self.paths.get(id)).and_then(|path| self.items.get(path));
        known.is_some_and(|known| Some(&known.item.id) == id && is_current(known, remote))
    }

    /// What is to be told: the item is skipped, or it holds its name against a local item, which is set aside.
    pub fn notes(&self, base: &BaseTree, local: &LocalView, remote: &RemoteView) -> Vec<Note> {
        let current = self.items.values().filter(|item| is_current(item, remote));
        let told = current.map(|Known { item, .. }| {
            let path = path_now(item, base, remote);
            let claimed = base.find(&path).is_none() && local.tree.find(&path).is_some();
            let kind = if claimed {
                NoteKind::SetAside(format!("an item on iCloud has this name: {}", item.reason))
            } else {
                NoteKind::Skipped(item.reason.clone())
            };
            Note { path, kind }
        });
        told.collect()
    }
}

/// Where the item would be here now: its folder may have moved since it was skipped.
fn path_now(item: &Skipped, base: &BaseTree, remote: &RemoteView) -> RelPath {
    let folder = remote.tree.by_id(&item.id).and_then(|node| remote.tree.parent(node));
    let folder = folder.and_then(|folder| base.by_id(&remote.tree.get(folder).id));
    let path = folder.and_then(|folder| base.path(folder).join(item.path.name()).ok());
    path.unwrap_or_else(|| item.path.clone())
}

fn is_current(known: &Known, remote: &RemoteView) -> bool {
    let node = remote.tree.by_id(&known.item.id);
    node.is_some_and(|node| {
        remote.tree.get(node).etag == known.item.etag
            && *remote.tree.path(node).composed() == known.remote_path
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::model::{Etag, FolderState, Node, RemoteEntry, RemoteKind, RemoteTree, Zone};

    fn id(name: &str) -> ItemId {
        ItemId::new(Zone::CloudDocs, name)
    }

    fn entry(name: &str, kind: RemoteKind, etag: &str) -> RemoteEntry {
        RemoteEntry {
            id: id(name),
            kind,
            name: name.into(),
            etag: Etag::new(etag),
            size: None.into(),
            mtime: None.into(),
            signature: None.into(),
            state: FolderState::Complete,
        }
    }

    /// A package in a folder that bears the name `there` on iCloud.
    fn view(etag: &str, name: &str) -> RemoteView {
        let mut tree = RemoteTree::new(entry("", RemoteKind::Folder, ""));
        let folder = tree.insert(Node::ROOT, "there", entry("there", RemoteKind::Folder, "1"));
        tree.insert(folder, name, entry("package", RemoteKind::File, etag));
        RemoteView {
            tree,
            absent: HashMap::new(),
            unusable: Vec::new(),
            complete: true,
            hollow: HashSet::new(),
            marks: Default::default(),
        }
    }

    #[test]
    fn a_skipped_package_is_known_in_a_folder_that_has_another_name_here() {
        let path = |text: &str| RelPath::parse(text).unwrap();
        let seen = view("1", "p.pages");
        let item = Skipped {
            id: id("package"),
            path: path("here/p.pages"),
            etag: Etag::new("1"),
            reason: "…".into(),
        };
        let mut skipped = SkippedItems::default();
        assert!(!skipped.holds_item_at(&path("there/p.pages"), &seen), "nothing is skipped");
        skipped.learn(&[item], &seen);
        assert!(skipped.holds_item_at(&path("there/p.pages"), &seen));
        assert!(!skipped.holds_item_at(&path("there"), &seen), "another item");
        assert!(!skipped.holds_item_at(&path("here/p.pages"), &seen), "nothing is there on iCloud");
        assert!(skipped.holds(&path("here/p.pages"), &seen) && !skipped.holds(&path("there/p.pages"), &seen));
        let edited = view("2", "p.pages");
        assert!(!skipped.holds_item_at(&path("there/p.pages"), &edited), "another version");
        let renamed = view("1", "q.pages");
        assert!(
            !skipped.holds_item_at(&path("there/q.pages"), &renamed),
            "another name, which may be none that is skipped"
        );
    }
}
