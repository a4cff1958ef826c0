//! An interpreter that carries plans out as strictly as an executor would.

use super::*;
use crate::engine::operation::{Action, Conflict, LocalSeen, Parent, RemoteSeen, UploadTarget};
use crate::engine::plan::print::{Line, NoteLine};

impl World {
    /// Carries a plan out. Every operation must be possible when its turn comes. Those for which `fails` says so fail,
    /// and with them all that wait for them.
    pub fn apply(&mut self, plan: &Plan, mut fails: impl FnMut() -> bool) {
        if self.trace {
            eprintln!("here {:?}\nthere {:?}", self.local.listing(), self.remote.listing());
            plan.notes.iter().for_each(|note| eprintln!("{}", NoteLine::of(note)));
        }
        let mut made: BTreeMap<usize, u64> = BTreeMap::new();
        let mut failed: BTreeSet<usize> = BTreeSet::new();
        for (index, operation) in plan.operations.iter().enumerate() {
            assert!(
                operation.after.iter().all(|before| *before < index),
                "waits for a later one: {operation:?}"
            );
            let fails = operation.after.iter().any(|before| failed.contains(before)) || fails();
            let fails = fails || self.cannot_be_looked_at(&operation.action);
            if self.trace {
                let mark = if fails { "fails" } else { "" };
                eprintln!("{index:>3} {mark:<5} {}  after {:?}", Line::of(operation), operation.after);
            }
            if fails {
                failed.insert(index);
                continue;
            }
            self.perform(&operation.action, operation.path.as_str(), index, &mut made);
        }
    }

    /// Whether the look that comes right before a deletion has no answer, since a folder on its way cannot be read.
    fn cannot_be_looked_at(&self, action: &Action) -> bool {
        let Action::TrashRemote { absent: Some(path), .. } = action else { return false };
        let mut at = Some(0);
        path.as_str().split('/').any(|name| {
            let is_unread = at.is_some_and(|folder| self.unread.contains(&folder));
            at = at.and_then(|folder| self.child_here(folder, name));
            is_unread
        })
    }

    fn perform(&mut self, action: &Action, path: &str, index: usize, made: &mut BTreeMap<usize, u64>) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent_of = |parent: &Parent, made: &BTreeMap<usize, u64>| match parent {
            Parent::Known(id) => number(id),
            Parent::Made(index) => made[index],
        };
        match action {
            Action::Agree { remote, local } => {
                let here = self.check_local(local);
                let there = self.check_remote(remote);
                self.put(here, there);
                // The stamp is old enough by now.
                if let Some(node) = self.state.base.by_id(&id(there)) {
                    std::sync::Arc::make_mut(&mut self.state.base).update(node, |entry| entry.racy = false);
                }
            }
            Action::Forget { id } => drop(self.state.apply(&Change::Remove(id.clone()))),
            Action::Keep { id, presence, place, stamp } => {
                // Another item that got its path in this plan may have taken its place in the base.
                self.state.apply(&Change::Presence(id.clone(), *presence));
                if let (Some(stamp), Some(node)) = (stamp, self.state.base.by_id(id)) {
                    std::sync::Arc::make_mut(&mut self.state.base)
                        .update(node, |entry| entry.local.stamp = **stamp);
                }
                if let (Some((parent, name)), Some(node)) = (place, self.state.base.by_id(id)) {
                    let parent = super::id(parent_of(parent, made));
                    let mut entry = self.state.base.get(node).to_entry();
                    entry.local_name = name.clone();
                    entry.remote_name = name.clone();
                    for change in self.state.put_changes(&parent, entry) {
                        assert!(self.state.apply(&change), "{change:?}");
                    }
                }
            }
            Action::MakeLocalFolder { remote } => {
                let there = self.check_remote(remote);
                let here = self.place_local(folder, name, 0);
                self.put(here, there);
            }
            Action::MakeRemoteFolder { local, parent, name } => {
                let here = self.check_local(local);
                let there = self.place_remote(parent_of(parent, made), name, 0);
                made.insert(index, there);
                self.put(here, there);
            }
            Action::Download { remote, over } => {
                let there = self.check_remote(remote);
                let content = self.remote.things[&there].content;
                let here = match over {
                    Some(local) => {
                        let here = self.check_local(local);
                        self.overwrite_local(here, content)
                    }
                    None => self.place_local(folder, name, content),
                };
                self.put(here, there);
            }
            Action::Upload { local, target } => {
                let here = self.check_local(local);
                let content = self.local.things[&here].content;
                let there = match target {
                    UploadTarget::New { parent, name } => {
                        self.place_remote(parent_of(parent, made), name, content)
                    }
                    UploadTarget::Over { remote, .. } => {
                        let there = self.check_remote(remote);
                        self.overwrite_remote(there, content)
                    }
                };
                self.put(here, there);
            }
            Action::MoveLocal { remote, local } => {
                let here = self.check_local(local);
                let parent = self.find_here(folder).unwrap_or_else(|| panic!("no folder {folder:?} here"));
                let other = self.child_here(parent, name).filter(|other| *other != here);
                assert_eq!(other, None, "{path} is taken here");
                assert!(!self.local.is_within(parent, here), "a folder cannot move into itself");
                let thing = self.local.things.get_mut(&here).unwrap();
                (thing.parent, thing.name) = (parent, name.to_owned());
                if let Some(remote) = remote {
                    let there = self.check_remote(remote);
                    self.put_place(here, there);
                }
            }
            Action::MoveRemote { remote, local, parent, name, temporary } => {
                let there = number(&remote.id);
                let parent = parent_of(parent, made);
                let other = self.remote.child(parent, name).filter(|other| *other != there);
                assert_eq!(other, None, "{name} is taken on iCloud");
                assert_eq!(parent >= LIBRARY, there >= LIBRARY, "{name} cannot move into another zone");
                assert_ne!(self.remote.things[&there].kind, Kind::Library, "libraries stay");
                assert!(!self.remote.is_within(parent, there), "a folder cannot move into itself");
                let version = self.fresh();
                let thing = self.remote.things.get_mut(&there).expect("it is on iCloud");
                *thing = Thing { parent, name: name.to_string(), version, ..thing.clone() };
                if let (Some(local), false) = (local, temporary) {
                    let here = self.check_local(local);
                    self.put_place(here, there);
                }
            }
            Action::TrashLocal { id, local, folder } => {
                let here = self.check_local(local);
                assert!(self.remote_says_gone(here, id.as_ref()), "{path} was not deleted on iCloud");
                let junk = |number: &u64| self.local.things[number].name == ".DS_Store";
                assert!(!folder || self.local.below(here).iter().all(junk), "{path} is not empty");
                self.local.remove(here);
                self.mounts.retain(|mount| self.local.things.contains_key(mount));
                if let Some(id) = id {
                    self.state.apply(&Change::Remove(id.clone()));
                }
            }
            Action::TrashRemote { remote, subtree, absent } => {
                let there = self.check_remote(remote);
                let planned: BTreeSet<u64> = subtree.iter().map(|(id, _)| number(id)).collect();
                assert_eq!(self.remote.below(there).into_iter().collect::<BTreeSet<_>>(), planned, "{path}");
                assert!(absent.as_ref().is_none_or(|path| self.find_here(path.as_str()).is_none()));
                self.keep_what_left(there);
                self.remote.remove(there);
                self.state.apply(&Change::Remove(remote.id.clone()));
            }
            Action::Compare { remote, local, otherwise } => {
                let (here, there) = (self.check_local(local), self.check_remote(remote));
                if self.local.things[&here].content == self.remote.things[&there].content {
                    self.put(here, there);
                } else {
                    self.resolve(here, there, otherwise);
                }
            }
            Action::Settle { remote, local, conflict } => {
                let (here, there) = (self.check_local(local), self.check_remote(remote));
                self.resolve(here, there, conflict);
            }
        }
    }

    fn resolve(&mut self, here: u64, there: u64, conflict: &Conflict) {
        match conflict {
            Conflict::KeepBoth { copy, local_only } => {
                let (at, name) = copy.as_str().rsplit_once('/').unwrap_or(("", copy.as_str()));
                let parent = self.find_here(at).unwrap();
                let other = self.child_here(parent, name);
                // No look showed what has the name: the disk refuses, and it is planned once more.
                if other.is_some_and(|other| self.missed.contains(&other)) {
                    return;
                }
                assert_eq!(other, None, "{copy} is taken here");
                let thing = self.local.things.get_mut(&here).unwrap();
                let place = (thing.parent, thing.name.clone());
                (thing.parent, thing.name) = (parent, name.to_owned());
                let content = self.remote.things[&there].content;
                let fresh = self.fresh();
                self.local.things.insert(fresh, Thing::new(place.0, &place.1, content, fresh));
                self.put(fresh, there);
                if *local_only {
                    self.state.apply(&Change::LocalOnly(copy.clone(), true));
                }
            }
            Conflict::KeepBothThere { name } => {
                let old = self.remote.things[&there].clone();
                let other = self.remote.child(old.parent, name);
                if other.is_some_and(|other| self.missed.contains(&other)) {
                    return;
                }
                assert_eq!(other, None, "{name} is taken on iCloud");
                self.remote.things.get_mut(&there).unwrap().name = name.to_string();
                self.state.apply(&Change::Remove(id(there)));
                let content = self.local.things[&here].content;
                let there = self.place_remote(old.parent, &old.name, content);
                self.put(here, there);
            }
            Conflict::TakeRemote => {
                let content = self.remote.things[&there].content;
                let here = self.overwrite_local(here, content);
                self.put(here, there);
            }
            Conflict::TakeLocal => {
                let content = self.local.things[&here].content;
                self.remote.trash.push(self.remote.things[&there].content);
                let there = self.overwrite_remote(there, content);
                self.put(here, there);
            }
            Conflict::SetAside => {}
        }
    }

    /// Whether a local item may go because of what iCloud shows: its item there is gone, or out of scope.
    fn remote_says_gone(&self, here: u64, known: Option<&ItemId>) -> bool {
        let Some(there) = known.map(number).filter(|there| self.remote.things.contains_key(there)) else {
            return true;
        };
        let path = self.remote.path(there);
        !self.takes_part(&path) || !self.takes_part(&self.local.path(here))
    }

    fn check_local(&self, seen: &LocalSeen) -> u64 {
        let here = self.find_here(seen.path.as_str()).unwrap_or_else(|| panic!("{} is not here", seen.path));
        assert_eq!(
            self.local_entry(here, &self.local.things[&here]).stamp.identity,
            seen.stamp.identity,
            "{}",
            seen.path
        );
        here
    }

    fn check_remote(&self, seen: &RemoteSeen) -> u64 {
        let there = number(&seen.id);
        let thing =
            self.remote.things.get(&there).unwrap_or_else(|| panic!("{} is not on iCloud", seen.name));
        assert!(
            seen.etag.same_content(&self.remote_entry(there, thing).etag) || thing.is_folder(),
            "{}",
            seen.name
        );
        there
    }

    fn place_local(&mut self, folder: &str, name: &str, content: u64) -> u64 {
        let parent = self.find_here(folder).unwrap_or_else(|| panic!("no folder {folder:?} here"));
        assert_eq!(self.child_here(parent, name), None, "{folder}/{name} is taken here");
        assert!(!self.is_unmounted(parent), "{folder} is not mounted");
        let fresh = self.fresh();
        self.local.things.insert(fresh, Thing::new(parent, name, content, fresh));
        fresh
    }

    fn place_remote(&mut self, parent: u64, name: &str, content: u64) -> u64 {
        assert!(parent == 0 || self.remote.things.contains_key(&parent), "no such folder on iCloud");
        assert_eq!(self.remote.child(parent, name), None, "{name} is taken on iCloud");
        let fresh = self.fresh() + if parent >= LIBRARY { LIBRARY } else { 0 };
        self.remote.things.insert(fresh, Thing::new(parent, name, content, fresh));
        fresh
    }

    fn overwrite_local(&mut self, here: u64, content: u64) -> u64 {
        let old = self.local.things.remove(&here).unwrap();
        if !old.cut {
            self.local.trash.push(old.content);
        }
        let fresh = self.fresh();
        self.local
            .things
            .insert(fresh, Thing { inode: fresh, touched: 0, cut: false, content, version: fresh, ..old });
        fresh
    }

    fn overwrite_remote(&mut self, there: u64, content: u64) -> u64 {
        let version = self.fresh();
        let thing = self.remote.things.get_mut(&there).unwrap();
        (thing.content, thing.version) = (content, version);
        there
    }

    /// What has left a folder under a temporary name, while the base has it in there still, is not forgotten with that.
    fn keep_what_left(&mut self, folder: u64) {
        let base = &self.state.base;
        let Some(top) = base.by_id(&id(folder)) else { return };
        let below: Vec<_> = base.walk(top).skip(1).map(|node| base.get(node).to_entry()).collect();
        for entry in below {
            let there = number(&entry.id);
            let Some(thing) = self.remote.things.get(&there) else { continue };
            if name::temporary_origin(&thing.name).is_none() || self.remote.is_within(there, folder) {
                continue;
            }
            let (parent, name) = (id(thing.parent), thing.name.as_str());
            let entry = BaseEntry { local_name: name.into(), remote_name: name.into(), ..entry };
            for change in self.state.put_changes(&parent, entry) {
                assert!(self.state.apply(&change), "{change:?}");
            }
        }
    }

    /// The base learns a place, not a content: an edit that comes with a move is still to be seen.
    fn put_place(&mut self, here: u64, there: u64) {
        let (local, remote) = (&self.local.things[&here], &self.remote.things[&there]);
        let one_name = name::same(&local.name, &remote.name) || name::temporary_origin(&local.name).is_some();
        assert!(one_name, "agreed under two names");
        let Some(node) = self.state.base.by_id(&id(there)) else { return };
        let (parent, old) = (id(remote.parent), self.state.base.get(node).to_entry());
        let etag = self.remote_entry(there, remote).etag;
        let entry = BaseEntry {
            local_name: local.name.as_str().into(),
            remote_name: remote.name.as_str().into(),
            etag: if old.folder || old.etag.same_content(&etag) { etag } else { old.etag.clone() },
            stamp: if old.folder { self.local_entry(here, local).stamp } else { old.stamp },
            ..old
        };
        for change in self.state.put_changes(&parent, entry) {
            assert!(self.state.apply(&change), "{change:?}");
        }
    }

    fn put(&mut self, here: u64, there: u64) {
        let (local, remote) = (&self.local.things[&here], &self.remote.things[&there]);
        assert_eq!(name::nfc(&local.name), name::nfc(&remote.name), "agreed under two names");
        let (parent, seen) = (id(remote.parent), self.remote_entry(there, remote));
        let found = self.local_entry(here, local);
        let entry = BaseEntry {
            id: seen.id,
            folder: remote.is_folder(),
            local_name: local.name.as_str().into(),
            remote_name: remote.name.as_str().into(),
            etag: seen.etag,
            remote_size: seen.size,
            remote_mtime: seen.mtime,
            stamp: found.stamp,
            racy: here.is_multiple_of(3),
            package: remote.kind == Kind::Package,
            signature: (!local.is_folder()).then(|| signature(local.content)),
            ..BaseEntry::root(id(there))
        };
        for change in self.state.put_changes(&parent, entry) {
            assert!(self.state.apply(&change), "{change:?}");
        }
    }
}
