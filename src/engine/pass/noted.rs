//! What stored intents are about: a pass without iCloud leaves that alone, since nobody can say now what became of it.

use std::collections::HashSet;

use crate::engine::operation::{Action, Operation};
use crate::engine::view::RemoteView;
use crate::model::{BaseTree, Intent, ItemId, RelPath};

/// Items and places that stored intents name.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Items that something is done to, and folders that it is done in.
    ids: HashSet<ItemId>,
    /// Where the items stand, with all below them.
    places: Vec<RelPath>,
    /// Where the folders stand.
    folders: Vec<RelPath>,
}

impl Noted {
    /// What these intents name, wherever the base and the last look at iCloud have it.
    pub fn of<'a>(
        intents: impl IntoIterator<Item = &'a Intent>,
        base: &BaseTree,
        remote: Option<&RemoteView>,
    ) -> Self {
        let mut noted = Self::default();
        for intent in intents {
            let named = named(intent);
            noted.places.extend(named.places.into_iter().cloned());
            for (ids, paths) in [(&named.items, &mut noted.places), (&named.folders, &mut noted.folders)] {
                for id in ids {
                    paths.extend(base.by_id(id).map(|node| base.path(node)));
                    let tree = remote.map(|view| &view.tree);
                    paths.extend(tree.and_then(|tree| Some(tree.path(tree.by_id(id)?))));
                }
            }
            noted.ids.extend(named.items.into_iter().chain(named.folders));
        }
        noted.places.retain(|place| !place.is_root());
        noted
    }

    /// Whether the operation is about one of them, about something in it, or about a folder that holds it.
    pub fn concerns(&self, operation: &Operation) -> bool {
        let (id, from) = match &operation.action {
            Action::Forget { id } | Action::Keep { id, .. } => (Some(id), None),
            Action::MakeLocalFolder { remote } => (Some(&remote.id), None),
            Action::Agree { remote, local } => (Some(&remote.id), Some(&local.path)),
            Action::MoveLocal { remote, local } => {
                (remote.as_ref().map(|remote| &remote.id), Some(&local.path))
            }
            // Nothing else is done without iCloud.
            _ => return true,
        };
        let is_near = |path: &RelPath| {
            self.places.iter().any(|place| path.is_within(place) || place.is_within(path))
                || self.folders.iter().any(|folder| folder.is_within(path))
        };
        id.is_some_and(|id| self.ids.contains(id)) || is_near(&operation.path) || from.is_some_and(is_near)
    }
}

/// What one intent names.
#[derive(Default)]
struct Named<'a> {
    items: Vec<ItemId>,
    folders: Vec<ItemId>,
    places: Vec<&'a RelPath>,
}

fn named(intent: &Intent) -> Named<'_> {
    let made = |parent: &ItemId, document: &str| ItemId::new(parent.zone().clone(), document);
    let mut named = Named::default();
    match intent {
        Intent::ReplaceByTrash { old, parent, document, path, .. } => {
            named.items.extend([old.clone(), made(parent, document)]);
            named.folders.push(parent.clone());
            named.places.push(path);
        }
        Intent::Place { id, from, to, .. } => {
            named.items.push(id.clone());
            named.folders.extend([from.0.clone(), to.0.clone()]);
        }
        Intent::Upload { files } => {
            for file in files {
                let over = file.over.as_ref().map(|(old, _)| old.clone());
                named.items.push(over.unwrap_or_else(|| made(&file.parent, &file.document)));
                named.folders.push(file.parent.clone());
                named.places.push(&file.path);
            }
        }
        Intent::MakeFolders { parent, folders, .. } => {
            named.folders.push(parent.clone());
            named.places.extend(folders.iter().map(|(_, path, _)| path));
        }
        Intent::TrashFolder { id, from, planned } => {
            named.items.extend(planned.iter().chain([id]).cloned());
            named.folders.push(from.0.clone());
        }
        Intent::Trash { ids } => named.items.extend(ids.iter().cloned()),
        Intent::TrashHere { items } => {
            named.items.extend(items.iter().map(|(id, ..)| id.clone()));
            named.places.extend(items.iter().map(|(_, path, _)| path));
        }
        Intent::TakeOver { old, path, .. } => {
            named.items.push(old.clone());
            named.places.push(path);
        }
        Intent::MoveAcross(crossing) => {
            named.items.push(crossing.id.clone());
            named.folders.push(crossing.parent.clone());
            named.places.extend([&crossing.from, &crossing.to]);
        }
    }
    named
}
