//! What must be durable here before a group is stored (`docs/sync.md` §5, Durable before agreed).

use std::collections::BTreeSet;

use crate::engine::execute::report::{End, StepFailure};
use crate::engine::ports::DiskError;
use crate::model::{BaseEntry, Change, Identity, Intent, ItemId, LocalStamp, RelPath};

use super::Ledger;

impl Ledger<'_> {
    /// The files of which the group says something that the base does not say yet, by where they stand: content and stamp must
    /// be durable first, or a power cut would leave an older content under a stamp that the base does not know, which is an edit.
    pub(super) fn spoken_of(&mut self) -> Vec<(RelPath, LocalStamp)> {
        let base = &self.state.base;
        let stored =
            |id: &ItemId| base.by_id(id).map(|node| (base.get(node).local.stamp, base.get(node).signature));
        // One that lost its identity is another item's file by now; where no item has one that says nothing.
        let was_cleared = |entry: &BaseEntry| {
            entry.stamp.identity == Identity::default()
                && stored(&entry.id).is_some_and(|(stamp, _)| stamp.identity != Identity::default())
        };
        let puts = self.group.overlay.values().flatten().filter(|(_, entry)| {
            !entry.folder
                && !was_cleared(entry)
                && stored(&entry.id) != Some((entry.stamp, entry.signature))
                && !self.group.written.contains(&entry.id)
        });
        // Without a path it is synced with its file system.
        let path = |parent: &ItemId, name: &str| {
            self.base().path_in(parent, name).or_else(|| RelPath::root().join(name).ok())
        };
        let put = puts.filter_map(|(parent, entry)| Some((path(parent, &entry.local_name)?, entry.stamp)));
        // After a crash an intent becomes the base, as it was stored.
        let intents = self.group.changes.iter().flat_map(noted_in);
        let mut files: Vec<_> = put.chain(intents).collect();
        files.append(&mut self.group.beside);
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.dedup();
        files
    }

    /// The folders that we put files into, on a volume.
    pub(super) fn folders_on_volumes(&self) -> BTreeSet<RelPath> {
        let written = self.group.written.iter().filter_map(|id| self.group.overlay.get(id)?.as_ref());
        let on_a_volume = written.filter(|(_, entry)| !entry.stamp.on_root_fs && !entry.stamp.is_mount);
        on_a_volume
            .filter_map(|(parent, entry)| self.base().path_in(parent, &entry.local_name)?.parent())
            .collect()
    }

    /// That the volumes of these folders are still there, after all was made durable: what was put on one that was taken off before is durable
    /// nowhere, and would count as deleted once the volume is back without it.
    pub(super) fn have_their_volumes(&self, folders: &BTreeSet<RelPath>) -> Result<(), DiskError> {
        for folder in folders {
            match self.disk.look(folder)? {
                Some(found) if !found.stamp.on_root_fs => {}
                _ => return Err(DiskError::Folder { path: folder.clone() }),
            }
        }
        Ok(())
    }

    /// What somebody changed while it was made durable may be there in parts after a power cut, under the stamp that the group
    /// speaks of: its content is read before that stamp counts again. Returns those files.
    pub(super) fn look_again(
        &self,
        files: &[(RelPath, LocalStamp)],
        changes: &mut [Change],
    ) -> Vec<(RelPath, LocalStamp)> {
        let is_other = |(path, stamp): &&(RelPath, LocalStamp)| !matches!(self.disk.look(path), Ok(Some(entry)) if entry.stamp == *stamp);
        let changed: Vec<_> = files.iter().filter(is_other).cloned().collect();
        for (_, stamp) in &changed {
            for change in changes.iter_mut() {
                if let Change::Put { entry, .. } = change
                    && entry.stamp == *stamp
                {
                    entry.racy = true;
                }
            }
        }
        changed
    }

    /// Whether content, size and times of that file were made durable under that stamp when its upload was noted. A sync takes the
    /// write permission of what is mapped, so that any later write, through a map too, sets a time and shows in the look that follows.
    pub(super) fn is_durable(&self, (path, stamp): &(RelPath, LocalStamp)) -> bool {
        self.noted.get(path) == Some(stamp)
    }

    /// Remembers what was made durable with the notes of a group that is stored, and forgets what the base has learnt now.
    pub(super) fn remember_durable(
        &mut self,
        files: &[(RelPath, LocalStamp)],
        changed: &[(RelPath, LocalStamp)],
        changes: &[Change],
    ) {
        for (path, _) in files {
            self.noted.remove(path);
        }
        let noted = changes.iter().flat_map(noted_in);
        self.noted.extend(noted.filter(|file| !changed.contains(file)));
    }

    pub(super) fn not_durable(&self, folders: &[RelPath], error: &DiskError) -> StepFailure {
        // It went alone, or with the folder that it was in.
        let went = |folder: &RelPath| {
            !folder.is_root() && matches!(self.disk.look(folder), Ok(None) | Err(DiskError::Folder { .. }))
        };
        match error {
            DiskError::WrongRoot(why) => StepFailure::End(End::WrongRoot(why.clone())),
            _ if folders.iter().any(went) => {
                StepFailure::replan("a folder went away while changes in it were saved")
            }
            DiskError::Folder { path } => {
                StepFailure::replan(format!("the volume of {path} is not mounted any more"))
            }
            DiskError::Full { .. } => StepFailure::End(End::Full(error.to_string())),
            short if short.is_shortage() => StepFailure::End(End::Short(short.to_string())),
            other => StepFailure::End(End::Disk(other.to_string())),
        }
    }
}

/// The files of which an intent speaks: what the base will say of them if the program ends before it learns what came of it.
fn noted_in(change: &Change) -> Vec<(RelPath, LocalStamp)> {
    match change {
        Change::Begin(_, Intent::ReplaceByTrash { path, stamp, .. }) => vec![(path.clone(), *stamp)],
        Change::Begin(_, Intent::Upload { files }) => {
            files.iter().map(|file| (file.path.clone(), file.stamp)).collect()
        }
        _ => Vec::new(),
    }
}
