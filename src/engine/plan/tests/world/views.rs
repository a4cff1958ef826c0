//! What a scan and a refresh would see of the two sides.

use super::*;

impl World {
    /// Whether a local item lies on the volume that may be missing.
    pub fn is_mounted_below(&self, number: u64) -> bool {
        let is_under = self.under.iter().any(|under| self.local.is_within(number, *under));
        !is_under && self.mounts.iter().any(|mount| self.local.is_within(number, *mount))
    }

    /// Whether a local item is out of sight because its volume is missing; the mount point itself is not empty then.
    pub fn is_unmounted(&self, number: u64) -> bool {
        self.unmounted && self.is_mounted_below(number)
    }

    /// Whether an item stands in a mount point beside what can be seen of it now: below the volume, or on one that is away.
    pub fn is_covered(&self, number: u64, thing: &Thing) -> bool {
        self.mounts.contains(&thing.parent) && self.under.contains(&number) != self.unmounted
    }

    pub fn local_view(&self) -> LocalView {
        let root = LocalEntry { kind: LocalKind::Folder, ..self.local_entry(0, &Thing::new(0, "", 0, 0)) };
        let mut tree = LocalTree::new(root);
        let (mut failed, mut unnameable, mut too_deep) = (Vec::new(), Vec::new(), Vec::new());
        self.fill(&self.local, &mut |number, thing, folder| {
            if number != 0 && self.is_covered(number, thing) {
                return None;
            }
            if self.missed.contains(&number) {
                let path = tree.path(folder).join(&thing.name).expect("names of the tests are plain");
                failed.push((path, "cannot look at this: no".to_owned()));
                return None;
            }
            let entry = self.local_entry(number, thing);
            let is_odd = entry.holds_unnameable;
            let node = tree.insert(folder, &thing.name, entry);
            if self.unread.contains(&number) && thing.is_folder() {
                failed.push((tree.path(node), "cannot read this folder: no".to_owned()));
            }
            if is_odd {
                unnameable.push((tree.path(node), "odd".to_owned()));
            }
            if self.deep.contains(&number) {
                too_deep.push(tree.path(node));
            }
            let hidden = [&self.unread, &self.unread_here, &self.deep];
            let hides = hidden.iter().any(|hidden| hidden.contains(&number));
            (!hides).then_some(node)
        });
        LocalView { tree, unnameable, failed, unread: Vec::new(), too_deep, mounts: Vec::new() }
    }

    pub fn local_entry(&self, number: u64, thing: &Thing) -> LocalEntry {
        let time = DiskTime::new(i64::try_from(thing.content).unwrap() - thing.earlier, thing.touched);
        let missing = self.unmounted && self.mounts.contains(&number);
        let birth = (!self.no_birth && !self.no_identity)
            .then(|| DiskTime(i64::try_from(thing.inode).unwrap()))
            .into();
        let inode = thing.inode + if missing { MISSING } else { 0 };
        LocalEntry {
            kind: match thing.kind {
                Kind::Special => LocalKind::Special,
                _ if thing.is_folder() => LocalKind::Folder,
                _ => LocalKind::File,
            },
            stamp: LocalStamp {
                size: if thing.is_folder() || thing.cut { 0 } else { size(thing.content) },
                mtime: time,
                ctime: DiskTime(time.0 + i64::from(thing.cut)),
                identity: Identity { inode: if self.no_identity { 0 } else { inode }, birth },
                on_root_fs: missing || !self.is_mounted_below(number),
                is_mount: !missing && self.mounts.contains(&number),
            },
            racy: false,
            signature: None.into(),
            state: match () {
                () if !thing.is_folder() => FolderState::Unread,
                () if self.unread.contains(&number) || self.deep.contains(&number) => FolderState::Incomplete,
                () if self.misses(&self.local, number) => FolderState::Incomplete,
                () if self.unread_here.contains(&number) => FolderState::Unread,
                () => FolderState::Complete,
            },
            holds_unnameable: thing.is_folder() && self.odd_names.contains(&number),
        }
    }

    pub fn remote_view(&self) -> RemoteView {
        let mut tree = RemoteTree::new(self.remote_entry(0, &Thing::new(0, "", 0, 0)));
        let mut unusable = Vec::new();
        self.fill(&self.remote, &mut |number, thing, folder| {
            if self.missed.contains(&number) {
                return None;
            }
            let node = tree.insert(folder, &thing.name, self.remote_entry(number, thing));
            if self.odd_names.contains(&number) {
                unusable.push((tree.path(node), "odd".to_owned(), "why".to_owned()));
            }
            let hides = self.unlisted.contains(&number)
                || self.unread_there.contains(&number)
                || thing.kind == Kind::Foreign
                || thing.kind == Kind::Library && !self.libraries;
            (!hides).then_some(node)
        });
        // Nobody asks for what was agreed to be gone there.
        let known = self.state.base.walk(Node::ROOT).map(|node| self.state.base.get(node));
        let known =
            known.filter(|entry| entry.presence != Presence::LocalOnly).map(|entry| entry.remote.id.clone());
        let absent = known
            .filter(|id| tree.by_id(id).is_none() && !self.remote.things.contains_key(&number(id)))
            .map(|id| (id.clone(), self.said.get(&number(&id)).copied().unwrap_or(Absence::Trashed)))
            .collect();
        RemoteView {
            marks: crate::engine::view::FolderMarks::default(),
            tree,
            absent,
            unusable,
            complete: self.unlisted.is_empty()
                && !self.remote.things.keys().any(|number| self.missed.contains(number)),
            hollow: self.hollow.iter().map(|number| id(*number)).collect(),
        }
    }

    pub fn remote_entry(&self, number: u64, thing: &Thing) -> RemoteEntry {
        let unread = thing.kind == Kind::Foreign || thing.kind == Kind::Library && !self.libraries;
        RemoteEntry {
            id: id(number),
            kind: match thing.kind {
                Kind::Foreign => RemoteKind::Foreign,
                Kind::Library => RemoteKind::AppLibrary,
                _ if thing.is_folder() => RemoteKind::Folder,
                _ => RemoteKind::File,
            },
            name: thing.name.as_str().into(),
            etag: Etag::new(&format!("{}::{}", thing.version, thing.content)),
            size: (!thing.is_folder() && !thing.unsized_there).then(|| self.size_there(thing)).into(),
            mtime: (!thing.is_folder()).then(|| ServerTime(i64::try_from(thing.content).unwrap())).into(),
            signature: (thing.signed && !thing.is_folder()).then(|| signature(thing.content)).into(),
            state: match () {
                () if unread || self.unread_there.contains(&number) => FolderState::Unread,
                () if self.unlisted.contains(&number) => FolderState::Incomplete,
                () if self.misses(&self.remote, number) => FolderState::Incomplete,
                () => FolderState::Complete,
            },
        }
    }

    /// A package has another size there than here.
    fn size_there(&self, thing: &Thing) -> u64 {
        if thing.kind == Kind::Package { 5 - size(thing.content) } else { size(thing.content) }
    }

    /// Whether a folder does not show all that it holds.
    fn misses(&self, half: &Half, folder: u64) -> bool {
        let mut missed = self.missed.iter().filter_map(|number| half.things.get(number));
        missed.any(|thing| thing.parent == folder)
    }

    /// Hands out all things, each with the node of its folder; what `insert` gives no node for hides what it holds.
    fn fill(&self, half: &Half, insert: &mut dyn FnMut(u64, &Thing, Node) -> Option<Node>) {
        let mut children: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (number, thing) in &half.things {
            children.entry(thing.parent).or_default().push(*number);
        }
        let mut stack = vec![(0, Node::ROOT)];
        while let Some((parent, node)) = stack.pop() {
            for number in children.remove(&parent).into_iter().flatten() {
                if let Some(child) = insert(number, &half.things[&number], node) {
                    stack.push((number, child));
                }
            }
        }
    }

    pub fn takes_part(&self, path: &str) -> bool {
        !self.ignore.iter().any(|ignored| match ignored.strip_prefix('=') {
            Some(name) => path.rsplit('/').next() == Some(name),
            None => path.contains(ignored),
        })
    }

    pub fn plan(&self) -> Plan {
        let (mut local, remote) = (self.local_view(), self.remote_view());
        let mut recognition = recognise(&self.state.base, &local.tree);
        self.sign(&mut local.tree, &recognition.unsigned);
        recognition = recognise(&self.state.base, &local.tree);
        assert!(recognition.unsigned.is_empty(), "every content was read");
        let policy = Policy {
            mode: self.mode,
            conflict: self.conflict,
            replacement: self.replacement,
            max_file_size: self.max_size,
            takes_part: &|path| self.takes_part(path.as_str()),
            is_junk: &|path| path.name() == ".DS_Store",
            is_waiting: &|path| self.waiting.contains(path.as_str()),
            is_lent: &|id| self.lent.contains(&number(id)),
            has_gone_back: &|entry| self.gone_back.contains(&*entry.local_name),
            is_unseen: &|entry| self.unseen.contains(&*entry.local_name),
            local_only: &self.state.local_only,
            conflict_mark: MARK,
            local_folds_case: self.folds,
            recent_since: self.recent_since,
            power_cuts: self.power_cuts,
        };
        self.plan_by_changes(&local, &remote, &policy);
        plan(&self.state.base, &local, &remote, &recognition, &policy)
    }

    /// Reads these files.
    pub fn sign(&self, tree: &mut LocalTree, files: &[Node]) {
        if files.is_empty() {
            return;
        }
        let numbers: BTreeMap<_, _> =
            self.local.things.keys().map(|number| (self.local.path(*number), number)).collect();
        for &node in files {
            let number = numbers[tree.path(node).as_str()];
            tree.get_mut(node).signature = Some(signature(self.local.things[number].content)).into();
        }
    }
}
