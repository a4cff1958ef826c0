//! Files whose stamp may not tell that their content changed (`docs/sync.md` §3, Content).
//!
//! Who writes through a memory map to a page that waits to be written back already changes no time. Such a file is read, although
//! its stamp is the agreed one, when the watcher says that it was closed after writing, and with the daily verification. So is one that
//! a power cut may have left with new content under the times that it had, since times are written back apart (`lazytime`, say).

use std::collections::BTreeSet;

use super::local::signatures;
use crate::engine::ports::Ports;
use crate::model::{
    BaseTree, DiskTime, ItemId, LocalKind, LocalTree, Node, PowerCuts, Reading, RelPath, SeenAt, Skews,
};

/// The daily verification reads what was written so lately, in seconds: a day, and what two of them may lie further apart.
const RECENT_SECONDS: i64 = 25 * 3600;

/// What is to be read with the next plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    files: BTreeSet<RelPath>,
    /// Those that held another content than the agreed one when they were read.
    found: BTreeSet<RelPath>,
    recent: bool,
    /// What was written since then, Unix seconds, is to be read: the power may have gone while it was written once more.
    cut_since: Option<i64>,
    /// When all that is mounted was last looked at as it was mounted before, by the wall clock; Unix seconds.
    intact_at: Option<i64>,
    /// The mounts since whose coming that was asked for.
    asked_for: Option<Vec<u64>>,
    /// Whether what an earlier process found and may not have sent was asked for.
    has_begun: bool,
}

impl Doubted {
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
        }
    }

    /// Reads the files among them whose stamp is the agreed one: of any other the stamp tells. Those that cannot be read, or hold another
    /// content than the agreed one, are read again with the next plan: until it is sent, nothing else shows it. The first time also those
    /// of the items `went_back`, by the texts of their ids: a power cut may have left an edit of theirs under that stamp, which is not sent
    /// yet.
    pub(in crate::engine) fn read<'a>(
        &mut self,
        ports: &Ports<'_>,
        base: &BaseTree,
        local: &mut LocalTree,
        went_back: impl Iterator<Item = &'a String>,
        workers: usize,
    ) {
        let files = self.take(base, local, &ports.seen_at(), ports.disk.skews(), went_back);
        if files.is_empty() {
            return;
        }
        let unread = signatures(ports.disk, ports.clock, local, &files, workers);
        self.files(unread.into_iter().map(|(node, _)| local.path(node)));
        let differing = files.into_iter().filter(|node| differs(base, local, *node));
        self.found.extend(differing.map(|node| local.path(node)));
    }

    /// Takes out the files among them whose stamp is the agreed one: of any other the stamp tells.
    fn take<'a>(
        &mut self,
        base: &BaseTree,
        local: &LocalTree,
        now: &SeenAt,
        skews: Skews,
        went_back: impl Iterator<Item = &'a String>,
    ) -> Vec<Node> {
        let (files, recent, cut) =
            (std::mem::take(&mut self.files), std::mem::take(&mut self.recent), self.cut_since.take());
        let unchanged = |path: &RelPath| {
            let (known, node) = (base.get(base.find(path)?), local.find(path)?);
            let found = local.get(node);
            (found.kind == LocalKind::File && found.stamp == known.local.stamp).then_some(node)
        };
        let mut nodes: Vec<_> = files.iter().filter_map(unchanged).collect();
        // What was read once is known as long as it is remembered.
        self.found.retain(|path| {
            let Some(node) = unchanged(path) else { return false };
            let is_known = local.get(node).signature.get().is_some();
            nodes.extend(Some(node).filter(|_| !is_known));
            is_known && differs(base, local, node)
        });
        if !std::mem::replace(&mut self.has_begun, true) {
            let of_id = |text: &String| base.by_id(&ItemId::from_text(text)?);
            nodes.extend(went_back.filter_map(of_id).filter_map(|node| unchanged(&base.path(node))));
        }
        if recent || cut.is_some() {
            let is_wanted = |time: DiskTime| {
                recent && now.is_within(RECENT_SECONDS, time)
                    || cut.is_some_and(|since| skews.any_between(time, since, i64::MAX))
            };
            let recent = base.walk(Node::ROOT).filter(|node| {
                let entry = base.get(*node);
                !entry.folder && is_wanted(entry.local.stamp.mtime) && is_wanted(entry.local.stamp.ctime)
            });
            nodes.extend(recent.filter_map(|node| unchanged(&base.path(node))));
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

/// Whether a file that was read holds another content than the agreed one.
fn differs(base: &BaseTree, local: &LocalTree, node: Node) -> bool {
    let agreed = base.find(&local.path(node)).and_then(|known| base.get(known).signature);
    agreed.is_some_and(|agreed| local.get(node).signature.get().is_some_and(|read| read != agreed))
}
