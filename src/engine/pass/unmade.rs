//! What iCloud confirmed and never had: an answer can come without an effect (`docs/sync.md` §6).

use std::collections::HashSet;
use std::sync::Arc;

use super::Engine;
use crate::engine::view::{Absence, LocalView, RemoteView};
use crate::model::{Agreed, BaseTree, Change, ItemId, Node, Presence, RemoteTree};

/// What a look showed of our own writes that none had shown before.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unmade {
    /// What iCloud does not have, the topmost of each.
    tops: Vec<ItemId>,
    /// Whether there were such writes, and what became of each is known now.
    is_told: bool,
}

/// Finds what we made, after `confirmed`, that no look has ever shown and that is in no trash: nobody deleted it, it never came. A look in
/// the future, as after a power cut that took the note of the time, says nothing of what was made since.
fn find(base: &BaseTree, view: &RemoteView, confirmed: Option<i64>, now: i64) -> Unmade {
    let confirmed = confirmed.filter(|confirmed| *confirmed <= now);
    let is_open = |entry: &Agreed| {
        entry.presence == Presence::Both
            && entry.written_at.get().is_some_and(|at| confirmed.is_none_or(|confirmed| at >= confirmed))
    };
    let open: Vec<Node> = base.walk(Node::ROOT).skip(1).filter(|node| is_open(base.get(*node))).collect();
    let mut told = view.complete && !open.is_empty();
    let mut lost = HashSet::new();
    for node in open {
        let id = &base.get(node).remote.id;
        if view.tree.by_id(id).is_some() {
            continue;
        }
        match view.absent.get(id) {
            Some(Absence::Gone | Absence::Untold) => drop(lost.insert(node)),
            Some(Absence::Trashed | Absence::OutOfScope) => {}
            Some(Absence::Unknown) | None => told = false,
        }
    }
    // What is forgotten with its folder, and is there all the same, is seen anew.
    let is_top =
        |node: &Node| lost.contains(node) && base.parent(*node).is_none_or(|above| !lost.contains(&above));
    let tops = base.walk(Node::ROOT).filter(is_top).map(|node| base.get(node).remote.id.clone()).collect();
    Unmade { tops, is_told: told }
}

/// Whether this look is noted as the last one that showed our writes: where it did, and where the one that is noted lies in the future. What
/// was written before the note of the time was lost lies there too, or was shown by it; what is written from now on comes after this one.
fn confirms(confirmed: Option<i64>, shows_writes: bool, now: i64) -> bool {
    shows_writes || confirmed.is_some_and(|confirmed| confirmed > now)
}

/// Whether a volume that was mounted at the item, or within it, is not seen at all now.
fn is_volume_away(base: &BaseTree, id: &ItemId, local: Option<&LocalView>) -> bool {
    let Some(top) = base.by_id(id) else { return false };
    let was_mounted = base.walk(top).map(|node| &base.get(node).local.stamp).filter(|stamp| stamp.is_mount);
    let wanted: HashSet<_> = was_mounted.map(|stamp| stamp.identity).collect();
    if wanted.is_empty() {
        return false;
    }
    let here = local.map(|view| &view.tree);
    let all = here.into_iter().flat_map(|tree| tree.walk(Node::ROOT).map(|node| &tree.get(node).stamp));
    let mounted: HashSet<_> = all.filter(|stamp| stamp.is_mount).map(|stamp| stamp.identity).collect();
    !wanted.is_subset(&mounted)
}

/// Whether it is a part of what a volume that is mounted in the place of another one is known by: a copy on a new disk, which the base knows
/// once the folder is agreed on.
fn tells_a_new_volume(base: &BaseTree, id: &ItemId, there: &RemoteTree, local: Option<&LocalView>) -> bool {
    let Some((node, folder)) = base.by_id(id).and_then(|node| Some((node, base.parent(node)?))) else {
        return false;
    };
    let was = base.get(folder);
    if !was.local.stamp.is_mount || there.by_id(&was.remote.id).is_none() {
        return false;
    }
    let is_another = |view: &LocalView| {
        let Some(now) = view.tree.find(&base.path(folder)) else { return false };
        let stamp = &view.tree.get(now).stamp;
        stamp.is_mount
            && stamp.identity != was.local.stamp.identity
            && view.tree.child(now, &base.get(node).local_name).is_some()
    };
    local.is_none_or(is_another)
}

impl Engine {
    /// Lets the base forget what iCloud confirmed and never had, so that what is here is new and goes up again. `now` in lived
    /// seconds, after a look in which nothing of ours was written; unless that was at everything, it shows nothing of what no look has
    /// shown yet. What holds a volume that is away waits for it: forgotten, its mount point would be a folder like any other, for what comes
    /// from iCloud too. What tells that another volume is the same one, copied, waits until that is agreed on.
    pub(super) fn forget_unmade(&mut self, shows_all: bool, now: i64) {
        let Some(view) = &self.remote else { return };
        let mut found = find(&self.state.base, view, self.state.calls.confirmed, now);
        let (base, local) = (&self.state.base, self.local.as_ref());
        let waits = |id: &mut ItemId| {
            is_volume_away(base, id, local) || tells_a_new_volume(base, id, &view.tree, local)
        };
        let waiting: Vec<_> = found.tops.extract_if(.., waits).collect();
        found.is_told &= waiting.is_empty();
        self.deleted_by_nobody(&waiting);
        let mut changes: Vec<_> = found.tops.iter().cloned().map(Change::Remove).collect();
        let is_over = confirms(self.state.calls.confirmed, shows_all && found.is_told, now);
        changes.extend(is_over.then_some(Change::Confirmed(now)));
        if !found.tops.is_empty() {
            let count = found.tops.len();
            log::warn!(items = count; "iCloud confirmed {count} new items and does not have them: they are sent again");
        }
        if changes.is_empty() {
            return;
        }
        if let Err(error) = self.commit(&changes) {
            log::warn!("what iCloud does not have cannot be noted: {error}");
            self.deleted_by_nobody(&found.tops);
        }
    }

    /// Of what iCloud does not have, and is not forgotten, nothing is known there, nor of what the base has in it.
    fn deleted_by_nobody(&mut self, tops: &[ItemId]) {
        let Some(view) = self.remote.as_mut().filter(|_| !tops.is_empty()) else { return };
        let (base, absent) = (&self.state.base, &mut Arc::make_mut(view).absent);
        for node in tops.iter().filter_map(|id| base.by_id(id)).flat_map(|top| base.walk(top)) {
            if let Some(absence) = absent.get_mut(&base.get(node).remote.id) {
                *absence = Absence::Unknown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use std::sync::Mutex;

    use super::*;
    use crate::engine::ports::{Store, StoreError};
    use crate::model::{
        BaseEntry, Etag, FolderState, OwnCalls, RemoteEntry, RemoteKind, RemoteTree, State, Zone,
    };

    fn id(name: &str) -> ItemId {
        ItemId::new(Zone::CloudDocs, name)
    }

    /// `d`, `d/x` and `f`, each written at that time.
    fn base(times: [Option<i64>; 3]) -> BaseTree {
        let mut base = BaseTree::new(BaseEntry::root(ItemId::drive_root()));
        let [d, x, f] = ["d", "x", "f"].map(id);
        let mut put = |parent: Node, id: &ItemId, folder: bool, written_at: Option<i64>| {
            let entry = BaseEntry {
                id: id.clone(),
                local_name: id.doc().into(),
                folder,
                written_at: written_at.into(),
                ..BaseEntry::root(ItemId::drive_root())
            };
            base.insert(parent, &id.doc(), entry)
        };
        let folder = put(Node::ROOT, &d, true, times[0]);
        put(folder, &x, false, times[1]);
        put(Node::ROOT, &f, false, times[2]);
        base
    }

    fn there(id: ItemId, kind: RemoteKind) -> RemoteEntry {
        RemoteEntry {
            id,
            kind,
            name: "".into(),
            etag: Etag::default(),
            size: None.into(),
            mtime: None.into(),
            signature: None.into(),
            state: FolderState::Complete,
        }
    }

    fn view(absent: &[(&str, Absence)]) -> RemoteView {
        RemoteView {
            tree: RemoteTree::new(there(ItemId::drive_root(), RemoteKind::Folder)),
            absent: absent.iter().map(|(name, absence)| (id(name), *absence)).collect::<HashMap<_, _>>(),
            unusable: Vec::new(),
            complete: true,
            hollow: HashSet::new(),
            marks: Default::default(),
        }
    }

    #[test]
    fn a_look_in_the_future_is_replaced_by_the_first_one_whatever_that_shows() {
        let rows = [(None, false), (Some(200), false), (Some(201), true)];
        for (confirmed, is_noted) in rows {
            assert_eq!(confirms(confirmed, false, 200), is_noted, "{confirmed:?}");
            assert!(confirms(confirmed, true, 200), "{confirmed:?}");
        }
    }

    #[test]
    fn only_what_no_look_has_shown_and_is_gone_never_came() {
        use Absence::{Gone, Trashed, Unknown, Untold};
        let written = [Some(100), Some(101), Some(102)];
        // Times of the writes, the last look, what is absent; what never came, whether all is told.
        type Row<'a> = ([Option<i64>; 3], Option<i64>, &'a [(&'a str, Absence)], &'a [&'a str], bool);
        let rows: [Row<'_>; 11] = [
            (written, None, &[("d", Gone), ("x", Gone), ("f", Gone)], &["d", "f"], true),
            (written, Some(90), &[("d", Trashed), ("x", Trashed), ("f", Gone)], &["f"], true),
            (written, Some(90), &[("d", Trashed), ("x", Trashed), ("f", Untold)], &["f"], true),
            (written, Some(90), &[("d", Trashed), ("x", Trashed), ("f", Unknown)], &[], false),
            (written, Some(90), &[("d", Gone), ("x", Trashed), ("f", Trashed)], &["d"], true),
            (written, Some(102), &[("d", Gone), ("x", Gone), ("f", Gone)], &["f"], true),
            (written, Some(103), &[("d", Gone), ("x", Gone), ("f", Gone)], &[], false),
            (written, Some(200), &[("d", Gone), ("x", Gone), ("f", Gone)], &[], false),
            (written, Some(201), &[("d", Gone), ("x", Gone), ("f", Gone)], &["d", "f"], true),
            ([None; 3], None, &[("d", Gone), ("x", Gone), ("f", Gone)], &[], false),
            ([None, Some(101), None], None, &[("d", Gone), ("x", Gone), ("f", Gone)], &["x"], true),
        ];
        for (times, confirmed, absent, tops, is_told) in rows {
            let found = find(&base(times), &view(absent), confirmed, 200);
            let ids = |names: &[&str]| names.iter().map(|name| id(name)).collect::<Vec<_>>();
            assert_eq!(found.tops, ids(tops), "{times:?}, {confirmed:?}, {absent:?}");
            assert_eq!(found.is_told, is_told, "{times:?}, {confirmed:?}, {absent:?}");
        }
    }

    #[test]
    fn what_a_look_shows_or_leaves_open_or_stands_here_alone_is_not_lost() {
        use Absence::{Gone, Trashed};
        let (base, gone) = (base([Some(100); 3]), [("d", Gone), ("x", Trashed), ("f", Trashed)]);
        let told = |base: &BaseTree, view: &RemoteView| {
            let found = find(base, view, None, 200);
            (found.tops.len(), found.is_told)
        };
        assert_eq!(told(&base, &view(&gone)), (1, true));
        let mut shown = view(&gone[..2]);
        shown.tree.insert(Node::ROOT, "f", there(id("f"), RemoteKind::File));
        assert_eq!(told(&base, &shown), (1, true), "it shows f");
        let partly = RemoteView { complete: false, ..view(&gone) };
        assert_eq!(told(&base, &partly), (1, false), "it is not at everything");
        let mut kept = base;
        let d = kept.by_id(&id("d")).unwrap();
        kept.update(d, |entry| entry.presence = Presence::LocalOnly);
        assert_eq!(told(&kept, &view(&gone)), (0, true), "it was agreed that d is gone there");
    }

    #[test]
    fn what_never_came_and_holds_a_volume_that_is_not_seen_waits_for_it() {
        let mut base = base([Some(100); 3]);
        let d = base.by_id(&id("d")).unwrap();
        assert!(!is_volume_away(&base, &id("d"), None));
        base.update(d, |entry| entry.local.stamp.is_mount = true);
        assert!(is_volume_away(&base, &id("d"), None) && !is_volume_away(&base, &id("f"), None));
        let state = State { base: Arc::new(base), ..State::empty() };
        let mut engine = Engine::new(state, Box::new(Takes { is_full: false, groups: Arc::default() }));
        engine.remote =
            Some(Arc::new(view(&[("d", Absence::Gone), ("x", Absence::Gone), ("f", Absence::Gone)])));
        engine.forget_unmade(true, 200);
        let is_known = |name: &str| engine.state.base.by_id(&id(name)).is_some();
        assert!(is_known("d") && is_known("x") && !is_known("f"));
        for name in ["d", "x"] {
            let absence = engine.remote.as_ref().unwrap().absent[&id(name)];
            assert_eq!(absence, Absence::Unknown, "nobody deleted {name}");
        }
        assert_eq!(engine.state.calls.confirmed, None, "the next look tells");
    }

    /// Takes each group of changes, or none; and counts those that it took.
    struct Takes {
        is_full: bool,
        groups: Arc<Mutex<usize>>,
    }

    impl Store for Takes {
        fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
            if self.is_full {
                return Err(StoreError::Full("no space".to_owned()));
            }
            *self.groups.lock().unwrap() += 1;
            Ok(())
        }
    }

    #[test]
    fn what_never_came_is_forgotten_and_what_cannot_be_forgotten_counts_as_deleted_by_nobody() {
        use Absence::{Gone, Trashed, Unknown};
        // Whether the look was at everything, what became of `f`, whether the store is full; whether the base has `f` still, when the
        // last look was, how many groups were stored, what became of `f` after that.
        type Row = (bool, Absence, bool, (bool, Option<i64>, usize, Absence));
        let rows: [Row; 6] = [
            (true, Gone, false, (false, Some(200), 1, Gone)),
            (false, Gone, false, (false, Some(90), 1, Gone)),
            (true, Trashed, false, (true, Some(200), 1, Trashed)),
            (false, Trashed, false, (true, Some(90), 0, Trashed)),
            (true, Unknown, false, (true, Some(90), 0, Unknown)),
            (true, Gone, true, (true, Some(90), 0, Unknown)),
        ];
        for (shows_all, absence, is_full, expected) in rows {
            let groups = Arc::new(Mutex::new(0));
            let store = Takes { is_full, groups: Arc::clone(&groups) };
            let state = State {
                base: Arc::new(base([None, None, Some(100)])),
                calls: OwnCalls { confirmed: Some(90), ..OwnCalls::default() },
                ..State::empty()
            };
            let mut engine = Engine::new(state, Box::new(store));
            engine.forget_unmade(shows_all, 200);
            engine.remote = Some(Arc::new(view(&[("f", absence)])));
            engine.forget_unmade(shows_all, 200);
            let (is_known, groups) = (engine.state.base.by_id(&id("f")).is_some(), *groups.lock().unwrap());
            let absence_after = engine.remote.as_ref().unwrap().absent[&id("f")];
            let found = (is_known, engine.state.calls.confirmed, groups, absence_after);
            assert_eq!(found, expected, "{shows_all}, {absence:?}, {is_full}");
        }
    }
}
