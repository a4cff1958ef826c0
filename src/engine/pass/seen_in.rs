//! Whether the folder here, or a volume in it, is the one in which the base was seen last: what is missing from another one was deleted by
//! nobody (`docs/sync.md` §1, P2).

use std::collections::{BTreeSet, HashSet};

use super::gone_back::went_back;
use crate::engine::operation::Plan;
use crate::engine::plan::Mode;
use crate::engine::ports::Disk;
use crate::engine::recognise::{Content, LocalFate, Recognition};
use crate::engine::view::LocalView;
use crate::model::state::GuardState;
use crate::model::{
    Agreed, Change, ItemId, LocalKind, LocalStamp, LocalTree, Node, Presence, RelPath, SeenIn, Side, State,
};

/// What a look tells of where the base was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Sighted {
    /// What the state learns.
    pub seen_in: SeenIn,
    /// Items whose content was another one when they were seen in another folder for the first time: a copy may have broken off in them.
    pub differing: BTreeSet<ItemId>,
    /// Items that this look is the first to find there: who they are, and where they stand.
    found: Vec<(ItemId, RelPath, LocalStamp)>,
}

impl Sighted {
    /// What follows from where the base was found.
    pub fn of(state: &State, local: &LocalTree, recognition: &Recognition) -> Self {
        let (base, before) = (&state.base, &state.seen_in);
        let root = local.get(Node::ROOT).stamp.identity;
        let known = before.unseen.iter().filter_map(|id| base.by_id(id));
        let doubtful: Vec<Node> = known.chain(in_others(state, local, recognition)).collect();
        let mut sighted = Self { seen_in: SeenIn { root, ..SeenIn::default() }, ..Self::default() };
        for item in doubtful {
            let id = base.get(item).remote.id.clone();
            let is_differing = match recognition.of_base[item] {
                LocalFate::There { content: Content::Edited, .. } => true,
                LocalFate::There { content: Content::Unread, .. } => false,
                LocalFate::There { node, .. } => {
                    sighted.found.push((id, local.path(node), local.get(node).stamp));
                    continue;
                }
                LocalFate::Agreed => continue,
                _ => false,
            };
            if is_differing {
                sighted.differing.insert(id);
            } else {
                sighted.seen_in.unseen.insert(id);
            }
        }
        sighted
    }

    /// Whether that an item is missing says nothing.
    pub fn is_unseen(&self, entry: &Agreed) -> bool {
        !self.seen_in.unseen.is_empty() && self.seen_in.unseen.contains(&entry.remote.id)
    }

    /// Says once what is missing, and why it is not taken for deleted.
    fn tell(&self, before: &SeenIn, mode: Mode) {
        let count = self.seen_in.unseen.difference(&before.unseen).count();
        if count > 0 {
            let then = match mode {
                Mode::UploadOnly => "what is not here stays on iCloud",
                Mode::TwoWay | Mode::DownloadOnly => "what is not here comes again from iCloud",
            };
            log::warn!(
                "the folder here, or a volume in it, is another one than before (a new disk, or a copy), and {count} synced items were not \
                 found in it: nobody deleted them, {then}"
            );
        }
    }
}

/// Makes durable what this look is the first to find, since its absence says something from now on. What cannot be is looked for again.
pub(super) fn make_durable(disk: &dyn Disk, sighted: Option<&mut Sighted>, local: Option<&LocalView>) {
    let (Some(sighted), Some(local)) = (sighted, local.map(|view| &view.tree)) else { return };
    let is_file = |path: &RelPath| local.find(path).is_some_and(|at| local.get(at).kind == LocalKind::File);
    let files = sighted.found.iter().filter(|(_, path, _)| is_file(path));
    let files: Vec<_> = files.map(|(_, path, stamp)| (path.clone(), *stamp)).collect();
    let folders: BTreeSet<_> = sighted.found.iter().filter_map(|(_, path, _)| path.parent()).collect();
    let folders: Vec<_> = folders.into_iter().collect();
    if folders.is_empty() {
        return;
    }
    let found = std::mem::take(&mut sighted.found);
    if let Err(error) = disk.sync(&files, &folders) {
        log::debug!("what was found in the folder here for the first time is not durable yet: {error}");
        sighted.seen_in.unseen.extend(found.into_iter().map(|(id, ..)| id));
    }
}

/// What the state is to know before a plan is carried out: what the guards remember, whose edits went back, where the base was seen.
/// Where that is told for the first time a line of the log says so.
pub(super) fn to_be_noted(
    state: &State,
    plan: &Plan,
    guard: GuardState,
    (sighted, cut_short): (Option<Sighted>, BTreeSet<ItemId>),
    mode: Mode,
) -> Vec<Change> {
    let sighted = sighted.unwrap_or_else(|| Sighted { seen_in: state.seen_in.clone(), ..Sighted::default() });
    sighted.tell(&state.seen_in, mode);
    let went_back = went_back(state, plan, sighted.differing.iter().cloned().chain(cut_short));
    let is_new = |change: &Change| match change {
        Change::Guard(guard) => *guard != state.guard,
        Change::WentBack(items) => *items != state.went_back,
        Change::SeenIn(seen_in) => *seen_in != state.seen_in,
        _ => true,
    };
    let told = [Change::Guard(guard), Change::WentBack(went_back), Change::SeenIn(sighted.seen_in)];
    told.into_iter().filter(is_new).collect()
}

/// The items of the base that were seen last in another folder than the one that is synced, or on another volume than the one that is
/// mounted in their place. Not those whose deletion here waits for a person: that was seen where they were.
fn in_others(state: &State, local: &LocalTree, recognition: &Recognition) -> Vec<Node> {
    let base = &state.base;
    let is_another = state.seen_in.root.is_another(&local.get(Node::ROOT).stamp.identity);
    // What is recognised by what has changed has no volumes.
    if !is_another && recognition.rest.is_some() {
        return Vec::new();
    }
    let guard = &state.guard;
    let all_held = guard.held.iter().chain(guard.decided.iter().map(|decided| &decided.deletion));
    let held: HashSet<&str> =
        all_held.filter(|held| held.on == Side::Remote).map(|held| held.id.as_str()).collect();
    let is_held = |entry: &Agreed| !held.is_empty() && held.contains(entry.remote.id.to_string().as_str());
    let mut found = Vec::new();
    let mut folders = vec![(Node::ROOT, is_another)];
    while let Some((folder, is_another)) = folders.pop() {
        let on_root_fs = base.get(folder).local.stamp.on_root_fs;
        for item in base.children(folder) {
            let entry = base.get(*item);
            if is_another && entry.presence == Presence::Both && !is_held(entry) {
                found.push(*item);
            }
            if entry.folder {
                let stamp = &entry.local.stamp;
                let is_on_another = match recognition.of_base[*item] {
                    // A state from before volumes within volumes were told apart knows only those in the drive itself.
                    LocalFate::There { node, .. } if stamp.is_mount || on_root_fs && !stamp.on_root_fs => {
                        stamp.identity.is_another(&local.get(node).stamp.identity)
                    }
                    _ => is_another,
                };
                folders.push((*item, is_on_another));
            }
        }
    }
    found
}
