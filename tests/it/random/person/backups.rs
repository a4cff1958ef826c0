//! Backups of the folder here, which come back over what was made since.

use std::collections::HashMap;

use icloudds::model::{Identity, Intent, ItemId, LocalStamp, Node, RelPath, Side, State, name};

use super::{Person, parent, pick};
use crate::random::history::Pick;
use crate::sim::Bytes;
use crate::sim::fuse::lock;
use crate::sim::journal::signature;

impl Person {
    /// Keeps what is here now, as a backup.
    pub fn take_backup(&self) {
        *lock(&self.backup) = self.disk.backup();
    }

    /// Whether that content of a file here is what both sides agreed on, and still is on iCloud.
    fn is_agreed(&self, at: &str, stamp: &LocalStamp, content: &Bytes) -> bool {
        let base = self.store.durable().base;
        let same = |node: &Node| {
            let entry = base.get(*node);
            let known = &entry.local.stamp;
            let found = match stamp.identity == Identity::default() {
                true => base.path(*node).as_str() == at,
                // What a person put over another file gave that one up; it is not agreed on there.
                false => {
                    known.identity == stamp.identity
                        && name::key(base.path(*node).as_str(), true) == name::key(at, true)
                }
            };
            found && known.mtime == stamp.mtime && known.size == stamp.size
        };
        let node = base.walk(Node::ROOT).skip(1).find(same);
        let id = node.map(|node| base.get(node).remote.id.clone());
        id.and_then(|id| self.drive.item(&id)).is_some_and(|item| item.body == *content)
    }

    /// Whether the state knows that the item there had this content before.
    pub(super) fn had_before(&self, at: &str) -> bool {
        let state = self.store.durable();
        let node = RelPath::parse(at).ok().and_then(|path| state.base.find(&path));
        let former = node.and_then(|node| state.former.get(&state.base.get(node).remote.id));
        let content = self.disk.read(at);
        former.zip(content).is_some_and(|(former, content)| former.contains(&signature(&content)))
    }

    /// Files come back from the backup: all of a folder, or one.
    pub(super) fn restore(&self, number: Pick, whole: bool) -> Option<()> {
        let backup = lock(&self.backup).clone();
        let folder =
            if whole { Some(self.folder(Side::Local, number)).filter(|path| !path.is_empty()) } else { None };
        let files = match &folder {
            Some(folder) => {
                let below =
                    |path: &str| path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'));
                backup.into_iter().filter(|(path, ..)| below(path)).collect::<Vec<_>>()
            }
            None => {
                let paths: Vec<_> = backup.iter().map(|(path, ..)| path.clone()).collect();
                let path = pick(&paths, number)?.clone();
                backup.into_iter().filter(|(other, ..)| *other == path).collect()
            }
        };
        let agreed = |at: &str, stamp: &LocalStamp, content: &Bytes| self.is_agreed(at, stamp, content);
        let State { base, intents, .. } = self.store.durable();
        // What went up, and is not agreed on yet.
        let went_up = |at: &str, content: &Bytes| {
            intents.values().any(|intent| match intent {
                Intent::Upload { files, .. } => {
                    files.iter().any(|file| file.path.as_str() == at && file.signature == signature(content))
                }
                _ => false,
            })
        };
        // What is on its way into that folder on iCloud, by a note, perhaps under a temporary name.
        let goes_into = |id: &ItemId, folder: &str| {
            intents.values().any(|intent| match intent {
                Intent::Place { id: moved, to, .. } if moved == id => {
                    base.by_id(&to.0).is_some_and(|node| base.path(node).as_str() == folder)
                }
                _ => false,
            })
        };
        // What stands there now: its folder may have moved since it was agreed on.
        let stood: HashMap<_, _> =
            self.disk.stamps().into_iter().map(|(at, stamp)| (at, stamp.identity)).collect();
        let is_base = |at: &str, stamp: &LocalStamp, content: &Bytes| {
            let there = self.drive.find(at);
            // Without identities a file is known by what is in it, wherever it is.
            let is_it = |node: Node| {
                let known = &base.get(node).local.stamp.identity;
                let is_known = *known == stamp.identity || stood.get(at) == Some(known);
                // Or its folder may, and it was deleted before.
                let folder = base.parent(node).map(|folder| base.get(folder).local.stamp.identity);
                let in_its_folder = folder.is_some_and(|folder| {
                    folder != Identity::default()
                        && stood.get(parent(at)) == Some(&folder)
                        && base.get(node).local_name.as_str() == super::name(at)
                });
                // It may have been moved there on iCloud already, while the state learns of that by a note of it.
                is_known
                    || in_its_folder
                    || base.path(node).as_str() == at
                    // It may be renamed within its folder after that.
                    || base.path(node).parent().is_some_and(|folder| folder.as_str() == parent(at))
                    || goes_into(&base.get(node).remote.id, parent(at))
                    || there.as_ref() == Some(&base.get(node).remote.id)
            };
            let has = |node: Node| base.get(node).signature == Some(signature(content));
            went_up(at, content) || base.walk(Node::ROOT).skip(1).any(|node| is_it(node) && has(node))
        };
        if !files.is_empty() && self.disk.bring_back(folder.as_deref(), &files, agreed, is_base) {
            files.iter().for_each(|(path, ..)| self.mark(path));
            folder.iter().for_each(|folder| self.mark(folder));
        }
        Some(())
    }
}
