//! Notices that a call to the disk does not come back, as on a mount whose server is away. Such a call ends by itself, with the mount
//! or with the process; nothing can be done meanwhile but to say so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::mounted_near;
use crate::engine::ports::{OpenCall, OpenCalls};
use crate::model::RelPath;

/// A call that takes longer is told (`docs/sync.md` §5, "Mount points").
const PATIENCE: Duration = Duration::from_secs(60);
/// How often open calls are looked at while somebody may be at the disk.
const LOOK: Duration = Duration::from_secs(10);

/// What is to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PatienceNews {
    Nothing,
    /// This call has not come back for too long; told once for each.
    Hangs(OpenCall),
    /// The call that was told last has come back.
    Answers {
        call: OpenCall,
        after: Duration,
    },
}

/// The loop's look at the open calls.
#[derive(Default)]
pub(super) struct DiskPatience {
    /// The folder that is synced, without links: looked up while it answers.
    root: PathBuf,
    calls: Arc<OpenCalls>,
    /// The open calls, the oldest first, and when each was first seen.
    seen: Vec<(OpenCall, Instant)>,
    /// The one that was told.
    told: Option<(OpenCall, Instant)>,
}

impl DiskPatience {
    /// For the folder `root`.
    pub fn of(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self { root, ..Self::default() }
    }

    /// The sentence about a call that hangs; `root` is the folder that is synced, as it is configured.
    pub fn hang_sentence(&self, root: &Path, call: &OpenCall) -> String {
        hang_sentence(root, &self.root, call)
    }

    /// Where calls are noted.
    pub fn calls(&self) -> &Arc<OpenCalls> {
        &self.calls
    }

    /// Looks at what is open now. Where one call comes back and another one hangs still, that is told: the disk does not answer yet.
    pub fn look(&mut self, now: Instant) -> PatienceNews {
        let before = std::mem::take(&mut self.seen);
        let since = |call: &OpenCall| {
            let known = before.iter().find(|(other, _)| other.serial == call.serial);
            known.map_or(now, |(_, since)| *since)
        };
        let open = self.calls.all().into_iter();
        self.seen = open.map(|call| (call.clone(), since(&call))).collect();
        let hanging = self.seen.iter().find(|(_, since)| now >= *since + PATIENCE).cloned();
        let told = std::mem::replace(&mut self.told, hanging);
        match (told, &self.told) {
            (Some((told, _)), Some((hanging, _))) if told.serial == hanging.serial => PatienceNews::Nothing,
            (_, Some((hanging, _))) => PatienceNews::Hangs(hanging.clone()),
            (Some((call, since)), None) => {
                PatienceNews::Answers { call, after: now.saturating_duration_since(since) }
            }
            (None, None) => PatienceNews::Nothing,
        }
    }

    /// When to look again: while a call is open, or `is_busy` says that somebody may begin one.
    pub fn look_at(&self, is_busy: bool, now: Instant) -> Option<Instant> {
        (is_busy || !self.seen.is_empty()).then(|| now + LOOK)
    }
}

/// A path with the folder that is synced, `root`.
pub(super) fn whole_path(root: &Path, path: &RelPath) -> PathBuf {
    if path.is_root() { root.to_owned() } else { root.join(path.as_str()) }
}

fn hang_sentence(root: &Path, resolved: &Path, call: &OpenCall) -> String {
    let whole = whole_path(root, &call.path);
    let mounts: Vec<String> =
        mounted_near(resolved, &call.path).into_iter().map(|(at, kind)| format!("{at} ({kind})")).collect();
    let suspects = match &*mounts {
        [] => String::new(),
        mounts => format!("; mounted there: {}", mounts.join(", ")),
    };
    format!(
        "the disk has not answered for {} s: cannot {} {}{suspects}. Nothing is synced until it answers, or is unmounted, and \
         nothing is deleted because of it",
        PATIENCE.as_secs(),
        call.what,
        whole.display(),
    )
}

#[cfg(test)]
mod tests;
