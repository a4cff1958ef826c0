//! The folder here, or a volume in it, goes to another disk.

use icloudds::model::{Identity, Intent, Node, RelPath, State};

use super::{Person, parent, pick};
use crate::random::history::Pick;
use crate::sim::journal::signature;
use crate::sim::{Bytes, Thing};

impl Person {
    /// Whoever makes a file where the base has one that is nowhere here, a copy lost it, say, may have made it from that: what iCloud has of
    /// it must be found in a trash at least. Its folder may have been moved since it was agreed on.
    pub(super) fn meets_what_a_copy_lost(&self, at: &str) {
        let State { base, .. } = self.store.durable();
        let (stamps, here) = (self.disk.stamps(), self.disk.tree());
        let standing = stamps.iter().find(|(other, _)| other == parent(at)).map(|(_, stamp)| stamp.identity);
        let is_folder = |node: Node| {
            let known = base.get(node).local.stamp.identity;
            base.path(node).as_str() == parent(at) || known != Identity::default() && standing == Some(known)
        };
        let nodes = base.walk(Node::ROOT).filter(|node| !base.get(*node).folder);
        let met = nodes.filter(|node| {
            base.get(*node).local_name == *super::name(at) && base.parent(*node).is_some_and(is_folder)
        });
        for item in met.filter_map(|node| self.drive.item(&base.get(node).remote.id)) {
            if !here.values().any(|thing| *thing == Thing::File(item.body.clone())) {
                self.journal.is_recoverable(&item.body);
            }
        }
    }

    /// Copies the folder, or each volume that is mounted in it, to another disk. The copy loses what these pick.
    pub fn copy(&self, volumes: bool, lost: &[Pick]) {
        // Where no identity lasts nobody can tell a copy from what it was copied from.
        let lost = if self.disk.switches().identities { lost } else { &[] };
        let State { base, intents, .. } = self.store.durable();
        let (stamps, tree) = (self.disk.stamps(), self.disk.tree());
        let mounts: Vec<_> = stamps.iter().filter(|(_, stamp)| stamp.is_mount).map(|(at, _)| at).collect();
        let lies_in = |at: &str, top: &str| at.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
        let lost_of = |is_in: &dyn Fn(&str) -> bool| {
            let all: Vec<_> = stamps.iter().map(|(at, _)| at.clone()).filter(|at| is_in(at)).collect();
            lost.iter().filter_map(|number| pick(&all, *number).cloned()).collect::<Vec<_>>()
        };
        // A person swapped it with another file, or saved that over it and kept this one beside it.
        let there = self.drive.tree();
        let is_replaced = |content: &Bytes| {
            let is_other = |at: &str| matches!(tree.get(at), Some(Thing::File(other)) if other != content);
            let of_base = |node: &Node| {
                !base.get(*node).folder && base.get(*node).signature == Some(signature(content))
            };
            // What is on its way there on iCloud, under a temporary name perhaps.
            let goes_to = |intent: &Intent| match intent {
                Intent::Place { id, to: (folder, name), .. } => {
                    let folder = base.by_id(folder).map(|node| base.path(node));
                    let body = self.drive.item(id).map(|item| item.body);
                    folder.filter(|_| body.as_ref() == Some(content)).and_then(|at| at.join(name).ok())
                }
                _ => None,
            };
            base.walk(Node::ROOT).skip(1).filter(of_base).any(|node| is_other(base.path(node).as_str()))
                || intents.values().filter_map(goes_to).any(|at| is_other(at.as_str()))
                || there.iter().any(|(at, thing)| *thing == Thing::File(content.clone()) && is_other(at))
        };
        if !volumes {
            let on_one = |at: &str| mounts.iter().all(|mount| at != *mount && !lies_in(at, mount));
            self.disk.copy_to_another_disk(&lost_of(&on_one), &is_replaced, &self.drive);
        }
        for mount in mounts.iter().filter(|mount| volumes && self.disk.is_within_reach(mount)) {
            let inner = |at: &str| {
                mounts.iter().any(|other| lies_in(other, mount) && (at == *other || lies_in(at, other)))
            };
            let on_it = |at: &str| lies_in(at, mount) && !inner(at);
            let lost = lost_of(&on_it);
            // A volume on which nothing is known at all is another one, and the program waits for the right one.
            let is_known = |at: &str| {
                let path = RelPath::parse(at).ok();
                let found = path.as_ref().and_then(|path| base.find(path));
                // An empty folder of a known name proves nothing, nor does one in the place of a file.
                found.is_some_and(|node| !base.get(node).folder)
                    && matches!(tree.get(at), Some(Thing::File(_)))
                    && path.and_then(|path| path.parent()).is_some_and(|top| top.as_str() == *mount)
            };
            if stamps.iter().any(|(at, _)| on_it(at) && is_known(at) && !lost.contains(at)) {
                self.disk.copy_to_another_volume(mount, &lost, &is_replaced, &self.drive);
            }
        }
    }
}
