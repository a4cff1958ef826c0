//! Files whose stamp may not tell that their content changed (`docs/sync.md` §3, Content).
//!
//! Who writes through a memory map to a page that waits to be written back already changes no time. Such a file is read, although
//! its stamp is the agreed one, when the watcher says that it was closed after writing, and with the daily verification. So is one that
//! a power cut may have left with new content under the times that it had, since times are written back apart (`lazytime`, say).

use std::collections::BTreeSet;

use super::local::signatures;
use crate::engine::ports::Ports;
use crate::engine::recognise::{LocalFate, Recognition};
use crate::model::{
    BaseTree, DiskTime, HiddenPlaces, ItemId, LocalKind, LocalTree, Mounted, Node, PowerCuts, Reading,
    RelPath, SeenAt, Skews,
};

/// The daily verification reads what was written so lately, in seconds: a day, and what two of them may lie further apart.
const RECENT_SECONDS: i64 = 25 * 3600;

/// What is to be read with the next plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    files: BTreeSet<RelPath>,
    /// The items that could not be read.
    unread: BTreeSet<ItemId>,
    /// Those that held another content than the agreed one when they were read.
    found: BTreeSet<ItemId>,
    recent: bool,
    /// What was written since then, Unix seconds, is to be read: the power may have gone while it was written once more.
    cut_since: Option<i64>,
    /// The same of the last power cut that this process looked for.
    last_cut_since: Option<i64>,
    /// Places that no look had seen since a power cut, and since when what was written there is to be read once it is seen.
    hidden: Option<(HiddenPlaces, i64)>,
    /// When all that is mounted was last looked at as it was mounted before, by the wall clock; Unix seconds.
    intact_at: Option<i64>,
    /// The mounts since whose coming that was asked for.
    asked_for: Option<Vec<u64>>,
    /// Whether what an earlier process found and may not have sent was asked for.
    has_begun: bool,
}

impl Doubted {
    /// What an earlier process could not read, by the texts of the ids, is to be read.
    pub(in crate::engine) fn left_unread<'a>(unread: impl Iterator<Item = &'a String>) -> Self {
        Self { unread: unread.filter_map(|text| ItemId::from_text(text)).collect(), ..Self::default() }
    }

    /// The texts of the ids of the items that could not be read.
    pub(in crate::engine) fn unread(&self) -> BTreeSet<String> {
        self.unread.iter().map(ToString::to_string).collect()
    }

    /// These files were closed after writing.
    pub fn files(&mut self, files: impl IntoIterator<Item = RelPath>) {
        self.files.extend(files);
    }

    /// The daily verification: whatever was written within about a day is to be read.
    pub fn recent(&mut self) {
        self.recent = true;
    }

    /// Looks at what is mounted as `mounts` says: where the machine was started since the last look, or a file system mounted, what was
    /// written within about a day before that look is to be read, once. An earlier process noted the time at `noted`, Unix seconds.
    pub(in crate::engine) fn after_power(
        &mut self,
        cuts: PowerCuts<'_>,
        noted: Option<i64>,
        now: Reading,
        mounts: &[u64],
    ) {
        if !cuts.is_first_look() {
            self.asked_for = None;
            // What is on a volume that is away was not looked at.
            if cuts.have_all_been_seen() {
                self.intact_at = Some(now.wall);
            }
            return;
        }
        if self.asked_for.as_deref() != Some(mounts) {
            self.asked_for = Some(mounts.to_vec());
            let last = self.intact_at.or(noted).map_or(now.wall, |last| last.min(now.wall));
            self.cut_since = Some(last.saturating_sub(RECENT_SECONDS));
            self.last_cut_since = self.cut_since;
        }
    }

    /// What no look had seen since a power cut is to be read likewise by the one that sees it first.
    pub(in crate::engine) fn was_hidden(&mut self, known: Option<&Mounted>) {
        let hidden = known.filter(|known| !known.hidden.is_empty());
        self.hidden = hidden.and_then(|known| Some((known.hidden.clone(), known.hidden_since?)));
    }

    /// Since when what was written in places that are hidden by now is to be read, where that was `earlier` for some of them.
    pub(in crate::engine) fn earliest_since(&self, earlier: Option<i64>) -> Option<i64> {
        self.last_cut_since.into_iter().chain(earlier).min()
    }

    /// Reads the files among them whose stamp is the agreed one, wherever the items were found: of any other the stamp tells. Those that cannot
    /// be read, or hold another content than the agreed one, are read again with the next plan: until it is sent, nothing else shows it. The
    /// first time also those of the items `went_back`, by the texts of their ids: a power cut may have left an edit of theirs under that
    /// stamp, which is not sent yet. Says whether any was read.
    pub(in crate::engine) fn read<'a>(
        &mut self,
        ports: &Ports<'_>,
        base: &BaseTree,
        local: &mut LocalTree,
        found: &Recognition,
        went_back: impl Iterator<Item = &'a String>,
        workers: usize,
    ) -> bool {
        let now = ports.seen_at();
        let files = self.take(&Seen { base, local, found }, &now, ports.disk.skews(), went_back);
        if files.is_empty() {
            return false;
        }
        let nodes: Vec<Node> = files.iter().map(|(_, node)| *node).collect();
        let unread = signatures(ports.disk, ports.clock, local, &nodes, workers);
        let of = |item: Node| base.get(item).remote.id.clone();
        let is_unread = |node: Node| unread.iter().any(|(other, _)| *other == node);
        self.unread.extend(files.iter().filter(|(_, node)| is_unread(*node)).map(|(item, _)| of(*item)));
        let differing = files.into_iter().filter(|(item, node)| differs(base, local, *item, *node));
        self.found.extend(differing.map(|(item, _)| of(item)));
        true
    }

    /// Takes out the files among them whose stamp is the agreed one, each with its item.
    fn take<'a>(
        &mut self,
        seen: &Seen<'_>,
        now: &SeenAt,
        skews: Skews,
        went_back: impl Iterator<Item = &'a String>,
    ) -> Vec<(Node, Node)> {
        let (files, recent, cut) =
            (std::mem::take(&mut self.files), std::mem::take(&mut self.recent), self.cut_since.take());
        let of_path = |path: &RelPath| seen.unchanged(seen.found.of_local[seen.local.find(path)?]?);
        let of_id = |id: &ItemId| seen.unchanged(seen.base.by_id(id)?);
        let mut nodes: Vec<_> = files.iter().filter_map(of_path).collect();
        // What is nowhere to be seen now, on a volume that is away, say, is to be read once it is there.
        let is_hidden = |id: &ItemId| {
            let fate = seen.base.by_id(id).map(|item| seen.found.of_base[item]);
            matches!(
                fate,
                Some(LocalFate::Missing | LocalFate::Unknown | LocalFate::Held | LocalFate::Unmounted(_))
            )
        };
        nodes.extend(self.unread.iter().filter_map(of_id));
        self.unread.retain(is_hidden);
        // What was read once is known as long as it is remembered.
        self.found.retain(|id| {
            let Some((item, node)) = of_id(id) else { return false };
            let is_known = seen.local.get(node).signature.get().is_some();
            nodes.extend(Some((item, node)).filter(|_| !is_known));
            is_known && differs(seen.base, seen.local, item, node)
        });
        if !std::mem::replace(&mut self.has_begun, true) {
            nodes.extend(went_back.filter_map(|text| of_id(&ItemId::from_text(text)?)));
        }
        let is_since = |time: DiskTime, since: i64| skews.any_between(time, since, i64::MAX);
        let is_written = |item: &Node, is_wanted: &dyn Fn(DiskTime) -> bool| {
            let entry = seen.base.get(*item);
            !entry.folder && is_wanted(entry.local.stamp.mtime) && is_wanted(entry.local.stamp.ctime)
        };
        if recent || cut.is_some() {
            let is_wanted = |time: DiskTime| {
                recent && now.is_within(RECENT_SECONDS, time)
                    || cut.is_some_and(|since| is_since(time, since))
            };
            let written = seen.base.walk(Node::ROOT).filter(|item| is_written(item, &is_wanted));
            nodes.extend(written.filter_map(|item| seen.unchanged(item)));
        }
        if let Some((hidden, since)) = self.hidden.take() {
            let below = hidden.places(seen.base).flat_map(|place| seen.base.walk(place));
            let written = below.filter(|item| is_written(item, &|time| is_since(time, since)));
            nodes.extend(written.filter_map(|item| seen.unchanged(item)));
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// What was seen here, and of what.
struct Seen<'a> {
    base: &'a BaseTree,
    local: &'a LocalTree,
    found: &'a Recognition,
}

impl Seen<'_> {
    /// An item and its file, where the stamp of that is the agreed one.
    fn unchanged(&self, item: Node) -> Option<(Node, Node)> {
        let LocalFate::There { node, .. } = self.found.of_base[item] else { return None };
        let file = self.local.get(node);
        let is_it = file.kind == LocalKind::File && file.stamp == self.base.get(item).local.stamp;
        is_it.then_some((item, node))
    }
}

/// Whether the file of an item was read and holds another content than the agreed one.
fn differs(base: &BaseTree, local: &LocalTree, item: Node, node: Node) -> bool {
    let (agreed, read) = (base.get(item).signature, local.get(node).signature.get());
    agreed.is_some_and(|agreed| read.is_some_and(|read| read != agreed))
}
