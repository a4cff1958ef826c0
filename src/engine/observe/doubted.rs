//! Files whose stamp may not tell that their content changed (`docs/sync.md` §3, Content).
//!
//! Who writes through a memory map to a page that waits to be written back already changes no time. Such a file is read, although
//! its stamp is the agreed one, when the watcher says that it was closed after writing, and with the daily verification.

use std::collections::BTreeSet;

use crate::model::{BaseTree, LocalKind, LocalTree, Node, RelPath, SeenAt};

/// The daily verification reads what was written so lately, in seconds: a day, and what two of them may lie further apart.
const RECENT_SECONDS: i64 = 25 * 3600;

/// What is to be read with the next plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    files: BTreeSet<RelPath>,
    recent: bool,
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

    /// The files among them whose stamp is the agreed one: of any other the stamp tells.
    pub(in crate::engine) fn nodes(&self, base: &BaseTree, local: &LocalTree, now: &SeenAt) -> Vec<Node> {
        let unchanged = |path: &RelPath| {
            let (known, node) = (base.get(base.find(path)?), local.find(path)?);
            let found = local.get(node);
            (found.kind == LocalKind::File && found.stamp == known.local.stamp).then_some(node)
        };
        let mut nodes: Vec<_> = self.files.iter().filter_map(unchanged).collect();
        if self.recent {
            let recent = base.walk(Node::ROOT).filter(|node| {
                let entry = base.get(*node);
                !entry.folder
                    && now.is_within(RECENT_SECONDS, entry.local.stamp.mtime)
                    && now.is_within(RECENT_SECONDS, entry.local.stamp.ctime)
            });
            nodes.extend(recent.filter_map(|node| unchanged(&base.path(node))));
            nodes.sort_unstable();
            nodes.dedup();
        }
        nodes
    }
}
