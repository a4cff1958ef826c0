//! All that survives a restart: the base, and the little beside it (`docs/sync.md` §2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::held::{CarriedOut, Decided, Deletion, GuardState, Verdict};
use super::intent::{Intent, Upload};
use super::name::{share, temporary_name};
use super::path::DEEPEST;
use super::{
    Agreed, Backoff, BaseEntry, BaseTree, Etag, Identity, ItemId, LivedTime, LocalStamp, Mounted, OwnCalls,
    Presence, Reading, RelPath, SeenIn, Signature,
};

/// Whose state this is; another account, directory or root never meets it (`docs/sync.md` §8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The id that the drive's marker `.icloudds/id` must show: 32 hex digits drawn at the first run.
    pub marker: String,
    /// The account's `dsid`.
    pub account: String,
    /// `sync.directory`, absolute.
    pub directory: String,
    /// `sync.remote_root` as configured.
    pub remote_root: String,
    /// Zone and `docwsid` of that folder, `zone::docwsid`.
    pub root_id: String,
}

/// An item that cannot be synced for now, or for good, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// One sentence for the owner.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again, in lived seconds; `None` when only a change of the item can help.
    pub next_try: Option<i64>,
    /// When it was first set aside, in lived seconds.
    pub since: i64,
}

impl SetAside {
    /// The longest that an item waits for its next try, in seconds.
    pub const LONGEST_WAIT: i64 = 6 * 3600;

    /// Seconds until it is tried again after its `attempts`-th failure (1 for the first): a minute, doubling to six hours.
    pub fn wait_after(attempts: u32) -> i64 {
        let waits =
            Backoff::exact(Duration::from_secs(60), Duration::from_secs(Self::LONGEST_WAIT.unsigned_abs()));
        let wait = waits.wait(attempts.saturating_sub(1), 0.0);
        i64::try_from(wait.as_secs()).unwrap_or(Self::LONGEST_WAIT)
    }

    /// Whether its next try has come at `now` (lived seconds). One that lies further away than any wait is from another
    /// clock, and has come too.
    pub fn is_due(&self, now: i64) -> bool {
        self.next_try.is_some_and(|next| next <= now || next.saturating_sub(now) > Self::LONGEST_WAIT)
    }

    /// Whether an operation for it has to wait at `now` for its next try. Where only a change of the item can help, a plan that has
    /// something to do for it says that it has changed.
    pub fn waits(&self, now: i64) -> bool {
        self.next_try.is_some() && !self.is_due(now)
    }
}

/// What own uploads showed of the service's signatures (`docs/protocol.md` §13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Own transfers whose signature was the expected one.
    pub matches: u32,
    /// Own transfers whose signature was another: one switches the feature off.
    pub mismatches: u32,
    /// An in-place replacement was answered with another id: never try again for this account (§12.5).
    pub in_place_refused: bool,
}

impl Calibration {
    /// Whether an unequal signature proves different content.
    pub fn proves_difference(&self) -> bool {
        self.matches > 0 && self.mismatches == 0
    }
}

/// All that survives a restart.
#[derive(Clone, Debug)]
pub struct State {
    /// Whose it is; `None` before the first run.
    pub owner: Option<Owner>,
    /// The synced tree. Its root entry stands for `remote_root` and the drive's folder. Shared with those who read it
    /// beside the owner, a walk through iCloud for one; a change made meanwhile works on a copy.
    pub base: Arc<BaseTree>,
    /// Unfinished operations by number.
    pub intents: BTreeMap<u64, Intent>,
    /// Set-aside items by path.
    pub set_aside: BTreeMap<RelPath, SetAside>,
    /// Local files that never go up: conflict copies of packages (`docs/sync.md` §4, Packages).
    pub local_only: BTreeSet<RelPath>,
    /// What the guards remember.
    pub guard: GuardState,
    /// What is known of the service's signatures.
    pub calibration: Calibration,
    /// When the last pass that found both sides equal ended, in Unix seconds.
    pub last_sync: Option<i64>,
    /// Contents that items had before, the oldest first: one that comes back was hardly made from the present one.
    pub former: BTreeMap<ItemId, Vec<Signature>>,
    /// Items that bear a temporary name on iCloud, by the text of their ids: the name, and since when it was seen, in lived seconds.
    pub lent: BTreeMap<String, (String, i64)>,
    /// Items whose edits here had gone back in time when they were planned, by the text of their ids: the content half of the etag that was
    /// agreed on. As long as that is the agreed version, whatever is here by now did not start from it either.
    pub went_back: BTreeMap<String, String>,
    /// In which folder the base was seen.
    pub seen_in: SeenIn,
    /// What became of our own calls to iCloud.
    pub calls: OwnCalls,
    /// How the file systems here were mounted when all edits had last been seen; `None` before that.
    pub mounted: Option<Mounted>,
    /// The time that this state has lived through; `None` until it was first looked at the clock.
    pub time: Option<LivedTime>,
}

/// One change of the stored state. Changes of one group become durable together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Another owner; everything else is forgotten with it.
    Owner(Owner),
    /// An item both sides agree on, in the folder `parent`; one of the same id is replaced and keeps what is below it.
    Put {
        /// The folder that holds it; must be in the base.
        parent: ItemId,
        /// What was agreed.
        entry: Box<BaseEntry>,
    },
    /// Forgets an item and all below it.
    Remove(ItemId),
    /// The file `heir` takes the place of the file `of`, which is in the base: what was there before, and is now, it had before too.
    Inherit {
        /// Who has the place now, or is to have it.
        heir: ItemId,
        /// Who had it until now.
        of: ItemId,
    },
    /// A folder now stands on one side only, or on both again.
    Presence(ItemId, Presence),
    /// An operation of several effects begins.
    Begin(u64, Intent),
    /// It ended, done or undone.
    End(u64),
    /// An item is set aside, or (`None`) no longer.
    SetAside(RelPath, Option<SetAside>),
    /// A local file that never goes up, or (`false`) does again.
    LocalOnly(RelPath, bool),
    /// What the guards remember, whole.
    Guard(GuardState),
    /// What is known of signatures, whole.
    Calibration(Calibration),
    /// Which items bear a temporary name on iCloud, whole.
    Lent(BTreeMap<String, (String, i64)>),
    /// Whose edits here had gone back in time, whole.
    WentBack(BTreeMap<String, String>),
    /// In which folder the base was seen, whole.
    SeenIn(SeenIn),
    /// Both sides were equal at that time (Unix seconds).
    Synced(i64),
    /// What we wrote to iCloud before that time (lived seconds) was looked at since.
    Confirmed(i64),
    /// Which uploads that had not come may come all the same, and until when (lived seconds), whole.
    MayComeLate(Vec<(Upload, i64)>),
    /// All edits here were seen, with the file systems mounted so.
    Mounted(Mounted),
    /// The time that was lived through.
    Time(LivedTime),
}

impl State {
    /// A state that knows nothing: nothing is ever deleted because of it.
    pub fn empty() -> Self {
        Self {
            owner: None,
            base: Arc::new(BaseTree::new(BaseEntry::root(ItemId::drive_root()))),
            intents: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            local_only: BTreeSet::new(),
            guard: GuardState::default(),
            calibration: Calibration::default(),
            last_sync: None,
            former: BTreeMap::new(),
            lent: BTreeMap::new(),
            went_back: BTreeMap::new(),
            seen_in: SeenIn::default(),
            calls: OwnCalls::default(),
            mounted: None,
            time: None,
        }
    }

    /// Whether an edit of that item here had gone back in time, and is not sent yet.
    pub fn has_gone_back(&self, entry: &Agreed) -> bool {
        !self.went_back.is_empty()
            && self
                .went_back
                .get(&entry.remote.id.to_string())
                .is_some_and(|agreed| *agreed == entry.remote.etag.content())
    }

    /// The seconds that this state has lived through: every time that it stores, but for that of the last sync, is one of
    /// those. A state that is not old enough to know goes by the wall clock.
    pub fn seconds(&self, now: Reading) -> i64 {
        self.time.as_ref().map_or(now.wall, |time| time.seconds(now))
    }

    /// What the wall clock shows, or showed, in Unix seconds, when so many seconds have been lived through.
    pub fn shown(&self, seconds: i64) -> i64 {
        let ahead = self.time.as_ref().map_or(0, |time| time.wall.saturating_sub(time.lived));
        seconds.saturating_add(ahead)
    }

    /// Applies one change. What cannot apply (a parent that is not in the base) changes nothing
    /// and returns `false`; the item is then simply seen anew.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::Owner(owner) => {
                let Some(root) = ItemId::from_text(&owner.root_id) else { return false };
                *self = Self {
                    owner: Some(owner.clone()),
                    base: Arc::new(BaseTree::new(BaseEntry::root(root))),
                    time: self.time.take(),
                    ..Self::empty()
                };
            }
            Change::Put { parent, entry } => return self.put(parent, entry),
            Change::Remove(id) => match self.base.by_id(id) {
                Some(node) if node != super::Node::ROOT => {
                    if !self.former.is_empty() {
                        let gone: Vec<_> = self.base.walk(node).collect();
                        gone.into_iter()
                            .for_each(|node| drop(self.former.remove(&self.base.get(node).remote.id)));
                    }
                    drop(Arc::make_mut(&mut self.base).remove(node));
                }
                _ => return false,
            },
            Change::Inherit { heir, of } => {
                let signature = |id| self.base.by_id(id).map(|node| self.base.get(node).signature);
                let Some(last) = signature(of) else { return false };
                let now = signature(heir).flatten();
                let own = self.former.remove(heir).unwrap_or_default();
                let before = self.former.get(of).cloned().unwrap_or_default().into_iter().chain(last);
                let all = inherited(own, before, now);
                if !all.is_empty() {
                    self.former.insert(heir.clone(), all);
                }
            }
            Change::Presence(id, presence) => match self.base.by_id(id) {
                Some(node) => Arc::make_mut(&mut self.base).update(node, |entry| entry.presence = *presence),
                None => return false,
            },
            Change::Begin(number, intent) => drop(self.intents.insert(*number, intent.clone())),
            Change::End(number) => drop(self.intents.remove(number)),
            Change::SetAside(path, Some(item)) => drop(self.set_aside.insert(path.clone(), item.clone())),
            Change::SetAside(path, None) => drop(self.set_aside.remove(path)),
            Change::LocalOnly(path, true) => drop(self.local_only.insert(path.clone())),
            Change::LocalOnly(path, false) => drop(self.local_only.remove(path)),
            Change::Guard(guard) => self.guard = guard.clone(),
            Change::Calibration(calibration) => self.calibration = *calibration,
            Change::WentBack(items) => self.went_back = items.clone(),
            Change::SeenIn(seen_in) => self.seen_in = seen_in.clone(),
            Change::Lent(lent) => self.lent = lent.clone(),
            Change::Mounted(mounted) => self.mounted = Some(mounted.clone()),
            Change::Synced(at) => self.last_sync = Some(*at),
            Change::Confirmed(at) => self.calls.confirmed = Some(*at),
            Change::MayComeLate(late) => self.calls.late = late.clone(),
            Change::Time(time) => self.time = Some(time.clone()),
        }
        true
    }

    /// The changes that put `entry` into the folder `parent`. A local path belongs to one item. Another one of that path
    /// that was the same local item is succeeded by it, hands over what it holds, and is forgotten in the same group;
    /// any other has left the path or is about to, and goes on under a temporary name until its own turn comes. So does a folder
    /// within the item that `parent` is, or lies in: it has left the item, or nothing could hold that.
    pub fn put_changes(&self, parent: &ItemId, entry: BaseEntry) -> Vec<Change> {
        let mut changes = self.leave_before(parent, &entry.id);
        changes.extend(self.changes_of_put(parent, entry));
        changes
    }

    /// What puts the folder within `id` that holds `parent` beside `id`.
    fn leave_before(&self, parent: &ItemId, id: &ItemId) -> Vec<Change> {
        let base = &self.base;
        let around = |id: &ItemId| Some(base.get(base.parent(base.by_id(id)?)?).remote.id.clone());
        let goes = left_before(parent, id, around).and_then(|inner| {
            let inner = base.by_id(&inner)?;
            let beside = base.parent(base.by_id(id)?)?;
            let is_free = |name: &str| base.child(beside, name).is_none();
            Some(put_aside(&base.get(beside).remote.id, &base.get(inner).to_entry(), &is_free))
        });
        goes.into_iter().collect()
    }

    fn changes_of_put(&self, parent: &ItemId, entry: BaseEntry) -> Vec<Change> {
        let folder = self.base.by_id(parent);
        let elder = folder
            .and_then(|folder| self.base.child(folder, &entry.local_name))
            .filter(|node| self.base.get(*node).remote.id != entry.id);
        let (Some(folder), Some(elder)) = (folder, elder) else {
            return vec![Change::Put { parent: parent.clone(), entry: Box::new(entry) }];
        };
        let children = self.base.children(elder).iter().map(|child| self.base.get(*child).to_entry());
        let is_free = |name: &str| self.base.child(folder, name).is_none();
        succeed(parent, entry, &self.base.get(elder).to_entry(), children, &is_free)
    }

    fn put(&mut self, parent: &ItemId, entry: &BaseEntry) -> bool {
        let Some(folder) = self.base.by_id(parent) else { return false };
        let mut fresh = entry.clone();
        share(&mut fresh.remote_name, &entry.local_name);
        match self.base.by_id(&entry.id) {
            Some(node) if node == super::Node::ROOT || self.base.is_within(folder, node) => false,
            Some(node) => {
                let before = self.base.get(node).signature;
                if let Some(before) = before.filter(|_| before != entry.signature) {
                    let former = self.former.entry(entry.id.clone()).or_default();
                    *former = with_former(std::mem::take(former), before);
                }
                let base = Arc::make_mut(&mut self.base);
                base.relink(node, folder, &entry.local_name);
                base.replace(node, fresh)
            }
            None => {
                Arc::make_mut(&mut self.base).insert(folder, &entry.local_name, fresh);
                true
            }
        }
    }
}

/// What an item had before, with one content more that it has no longer.
pub fn with_former(mut former: Vec<Signature>, before: Signature) -> Vec<Signature> {
    const MOST: usize = 8;
    former.retain(|known| *known != before);
    former.push(before);
    former.drain(..former.len().saturating_sub(MOST));
    former
}

/// What an item had before that takes the place of another: its `own` contents are younger than those of `before`, the oldest of which
/// comes first. The one that it has `now` is not among them.
pub fn inherited(
    own: Vec<Signature>,
    before: impl Iterator<Item = Signature>,
    now: Option<Signature>,
) -> Vec<Signature> {
    let all = before.chain(own).filter(|known| Some(*known) != now);
    all.fold(Vec::new(), with_former)
}

/// The folder within `id` that holds `parent`, or is that: it has left `id` before `id` can come into `parent`. `above` tells the folder
/// that holds an item.
pub fn left_before(
    parent: &ItemId,
    id: &ItemId,
    above: impl Fn(&ItemId) -> Option<ItemId>,
) -> Option<ItemId> {
    let mut at = parent.clone();
    // While folders change places what is pending may go round in a circle.
    for _ in 0..DEEPEST {
        let folder = above(&at)?;
        if folder == *id {
            return Some(at);
        }
        at = folder;
    }
    None
}

/// The changes that put `entry` into the folder `parent` where `elder`, which holds `children`, has its local path: see
/// [`State::put_changes`]. `is_free` tells names that nothing in that folder has.
pub fn succeed(
    parent: &ItemId,
    entry: BaseEntry,
    elder: &BaseEntry,
    children: impl Iterator<Item = BaseEntry>,
    is_free: &dyn Fn(&str) -> bool,
) -> Vec<Change> {
    let (id, identity, is_folder) = (entry.id.clone(), entry.stamp.identity, entry.folder);
    let are_files = !entry.folder && !elder.folder;
    let inherit = are_files.then(|| Change::Inherit { heir: id.clone(), of: elder.id.clone() });
    let put = Change::Put { parent: parent.clone(), entry: Box::new(entry) };
    // A file is never a folder, and one of two files without identities has left the path like any other.
    let is_known = elder.folder || identity != Identity::default();
    if elder.stamp.identity != identity || elder.folder != is_folder || !is_known {
        return [put_aside(parent, elder, is_free), put].into_iter().chain(inherit).collect();
    }
    let handed_over = children
        .filter(|child| child.id != id)
        .map(|child| Change::Put { parent: id.clone(), entry: Box::new(child) });
    let mut changes = vec![put];
    changes.extend(handed_over);
    changes.extend(inherit);
    changes.push(Change::Remove(elder.id.clone()));
    changes
}

/// The change that leaves `item` in the folder `parent` under a temporary local name, until its own place is known. `is_free` tells names
/// that nothing in that folder has.
pub fn put_aside(parent: &ItemId, item: &BaseEntry, is_free: &dyn Fn(&str) -> bool) -> Change {
    let mut names = (0..).map(|number| temporary_name(&item.local_name, number));
    let name = names.find(|name| is_free(name)).expect("there are more numbers than items");
    let aside = BaseEntry { local_name: name.into(), ..item.clone() };
    Change::Put { parent: parent.clone(), entry: Box::new(aside) }
}

impl BaseEntry {
    /// The entry of the tree's root: the drive's folder and `remote_root`.
    pub fn root(id: ItemId) -> Self {
        Self {
            id,
            folder: true,
            package: false,
            presence: Presence::Both,
            local_name: "".into(),
            remote_name: "".into(),
            etag: Etag::default(),
            remote_size: None.into(),
            remote_mtime: None.into(),
            stamp: LocalStamp { on_root_fs: true, ..LocalStamp::default() },
            racy: true,
            signature: None,
            created_on: None.into(),
            written_at: None.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    fn id(name: &str) -> ItemId {
        ItemId::new(Zone::CloudDocs, name)
    }

    fn folder(name: &str) -> BaseEntry {
        BaseEntry { local_name: name.into(), remote_name: name.into(), ..BaseEntry::root(id(name)) }
    }

    #[test]
    fn what_has_no_identity_gives_way_to_another_item_and_takes_what_it_holds_along() {
        let file = |name: &str| BaseEntry { folder: false, ..folder(name) };
        let at = |name: &str, place: &str| BaseEntry { local_name: place.into(), ..file(name) };
        for (elder, takes_along) in [(folder("elder"), true), (file("elder"), false)] {
            let mut state = State::empty();
            let root = state.base.get(crate::model::Node::ROOT).remote.id.clone();
            let mut put = |parent: &ItemId, entry| {
                assert!(state.put_changes(parent, entry).iter().all(|change| state.apply(change)));
            };
            put(&root, elder);
            if takes_along {
                put(&id("elder"), file("within"));
            }
            put(&root, at("heir", "elder"));
            let node = |name| state.base.by_id(&id(name)).unwrap_or_else(|| panic!("{name} is forgotten"));
            assert_ne!(state.base.name(node("elder")), "elder");
            assert_eq!(state.base.name(node("heir")), "elder");
            if takes_along {
                assert_eq!(state.base.parent(node("within")), Some(node("elder")));
            }
        }
    }

    #[test]
    fn what_holds_an_item_now_has_left_it_before() {
        // The folder into which "a" is put lies in it, at two depths; what is not on the way stays where it is.
        for (into, left) in [("b", "b"), ("c", "b")] {
            let mut state = State::empty();
            let root = state.base.get(crate::model::Node::ROOT).remote.id.clone();
            for (parent, name) in [(&root, "a"), (&id("a"), "b"), (&id("b"), "c"), (&id("a"), "stays")] {
                assert!(state.put_changes(parent, folder(name)).iter().all(|change| state.apply(change)));
            }
            let changes = state.put_changes(&id(into), folder("a"));
            assert!(changes.iter().all(|change| state.apply(change)), "{into}: {changes:?}");
            let at = |state: &State, name: &str| {
                state.base.by_id(&id(name)).map(|node| state.base.path(node).to_string())
            };
            let aside = temporary_name(left, 0);
            let above = if into == "b" { aside.clone() } else { format!("{aside}/c") };
            assert_eq!(at(&state, "a"), Some(format!("{above}/a")));
            assert_eq!(at(&state, "stays"), Some(format!("{above}/a/stays")));
            // Its own place is told afterwards.
            assert!(state.put_changes(&root, folder("b")).iter().all(|change| state.apply(change)));
            assert_eq!(at(&state, "b").as_deref(), Some("b"));
        }
    }
}
