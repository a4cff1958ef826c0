//! Noting uploads before they are committed, many at a time: after a crash what came of them is ours, and no person's.

use crate::engine::operation::{Action, UploadTarget};
use crate::model::name::Name;
use crate::model::{Intent, Upload};

use super::stage::Known;
use super::transfer::{Arrived, StagedContent};

/// So many uploads are noted in one go.
const NOTED_AT_ONCE: usize = 64;

/// Uploads that are about to be committed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Announcement {
    /// Each operation's index and the `docwsid` of its content.
    pub(super) documents: Vec<(usize, Name)>,
    files: Vec<Upload>,
}

impl Announcement {
    pub(super) fn intent(&self) -> Intent {
        Intent::Upload { files: self.files.clone() }
    }
}

/// What has to be noted before the contents `now` of these operations are committed, and with it what else of `waiting` may be:
/// operations whose turn has come, with what was brought for them. What goes by way of the trash has an intent of its own.
pub(super) fn announcement<'w>(
    known: &Known<'_>,
    now: &[(usize, &StagedContent)],
    waiting: impl Iterator<Item = (usize, &'w Arrived)>,
) -> Option<Announcement> {
    let unnoted = |index: usize, content: &StagedContent| {
        let file = about_to_come(known, index, content)?;
        known.own.announced_upload(index, &file.document).is_none().then_some((index, file))
    };
    let mut files: Vec<_> = now.iter().filter_map(|(index, content)| unnoted(*index, content)).collect();
    if files.is_empty() {
        return None;
    }
    let mut others: Vec<_> = waiting
        .filter(|(other, _)| now.iter().all(|(index, _)| index != other))
        .filter_map(|(other, arrived)| match arrived {
            Arrived::Staged(content) => unnoted(other, content),
            _ => None,
        })
        .collect();
    others.sort_unstable_by_key(|(other, _)| *other);
    others.truncate(NOTED_AT_ONCE.saturating_sub(files.len()));
    files.extend(others);
    let documents = files.iter().map(|(operation, file)| (*operation, file.document.clone())).collect();
    let files = files.into_iter().map(|(_, file)| file).collect();
    Some(Announcement { documents, files })
}

fn about_to_come(known: &Known<'_>, index: usize, content: &StagedContent) -> Option<Upload> {
    let Action::Upload { local, target } = &known.operation(index).action else { return None };
    let (over, parent, name) = match target {
        UploadTarget::New { parent, name } => (None, known.parent(parent).ok()?, name.clone()),
        UploadTarget::Over { remote, way } if known.is_in_place(*way) => {
            let remote = known.own.remote(remote);
            (Some((remote.id, remote.etag)), remote.parent, remote.name)
        }
        UploadTarget::Over { .. } => return None,
    };
    let local = known.own.local(local);
    Some(Upload {
        document: content.staged.document.as_str().into(),
        over,
        parent,
        name,
        path: local.path,
        stamp: local.stamp,
        signature: content.signature,
    })
}
