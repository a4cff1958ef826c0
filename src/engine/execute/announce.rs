//! Noting uploads before they are committed, many at a time: after a crash what came of them is ours, and no person's.

use crate::engine::operation::{Action, UploadTarget};
use crate::model::{Intent, Upload};

use super::done::Done;
use super::lane::Lane;
use super::report::StepFailure;
use super::schedule::Class;
use super::transfer::Arrived;

/// So many uploads are noted in one go.
const NOTED_AT_ONCE: usize = 64;

impl Lane<'_> {
    /// Stores that the content of that operation, and what else waits for its commit, is about to become files. What goes by
    /// way of the trash has an intent of its own.
    pub(super) fn announce_uploads(&mut self, index: usize, arrived: &Arrived) -> Result<(), StepFailure> {
        let Some(first) = self.announcement(index, arrived) else { return Ok(()) };
        if self.own.announced_upload(index, &first.document).is_some() {
            return Ok(());
        }
        let waiting = self
            .arrived
            .iter()
            .filter(|(other, _)| **other != index && self.schedule.is_ready(Class::Lane, **other));
        let mut others: Vec<_> = waiting
            .filter_map(|(other, arrived)| self.announcement(*other, arrived).map(|file| (*other, file)))
            .filter(|(other, file)| self.own.announced_upload(*other, &file.document).is_none())
            .collect();
        others.sort_unstable_by_key(|(other, _)| *other);
        others.truncate(NOTED_AT_ONCE - 1);
        others.insert(0, (index, first));
        // One that was noted with another content is not about to come any more.
        for (operation, _) in &others {
            self.close_announcement(*operation);
        }
        let documents = others.iter().map(|(operation, file)| (*operation, file.document.clone())).collect();
        let files = others.into_iter().map(|(_, file)| file).collect();
        let intent = self.ledger.begin(Intent::Upload { files })?;
        self.own.learn(Done::AnnouncedUploads { documents, intent });
        Ok(())
    }

    fn announcement(&self, index: usize, arrived: &Arrived) -> Option<Upload> {
        let Arrived::Staged { staged, signature, .. } = arrived else { return None };
        let Action::Upload { local, target } = &self.plan.operations[index].action else { return None };
        let (over, parent, name) = match target {
            UploadTarget::New { parent, name } => (None, self.own.parent(parent).ok()?, name.clone()),
            UploadTarget::Over { remote, way } if self.is_in_place(*way) => {
                let remote = self.own.remote(remote);
                (Some((remote.id, remote.etag)), remote.parent, remote.name)
            }
            UploadTarget::Over { .. } => return None,
        };
        let local = self.own.local(local);
        Some(Upload {
            document: staged.document.as_str().into(),
            over,
            parent,
            name,
            path: local.path,
            stamp: local.stamp,
            signature: *signature,
        })
    }

    /// An upload is over. The note of it goes with the last one that it notes, unless the base could not learn of all.
    pub(super) fn close_announcement(&mut self, index: usize) {
        let Some(intent) = self.own.upload_intent(index) else { return };
        self.own.learn(Done::UploadOver { operation: index });
        if !self.own.has_open_uploads(intent) && !self.ledger.has_lost() {
            self.ledger.end(intent);
        }
    }
}
