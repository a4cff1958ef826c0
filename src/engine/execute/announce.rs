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

/// What has to be noted before the content of an operation is committed, and with it what else of `waiting` may be: operations
/// whose turn has come, with what was brought for them. What goes by way of the trash has an intent of its own.
pub(super) fn announcement<'w>(
    known: &Known<'_>,
    (index, content): (usize, &StagedContent),
    waiting: impl Iterator<Item = (usize, &'w Arrived)>,
) -> Option<Announcement> {
    let first = about_to_come(known, index, content)?;
    if known.own.announced_upload(index, &first.document).is_some() {
        return None;
    }
    let mut others: Vec<_> = waiting
        .filter(|(other, _)| *other != index)
        .filter_map(|(other, arrived)| match arrived {
            Arrived::Staged(content) => about_to_come(known, other, content).map(|file| (other, file)),
            _ => None,
        })
        .filter(|(other, file)| known.own.announced_upload(*other, &file.document).is_none())
        .collect();
    others.sort_unstable_by_key(|(other, _)| *other);
    others.truncate(NOTED_AT_ONCE - 1);
    others.insert(0, (index, first));
    let documents = others.iter().map(|(operation, file)| (*operation, file.document.clone())).collect();
    let files = others.into_iter().map(|(_, file)| file).collect();
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
