//! Which stage an operation begins with, once what it needs has been brought.

use crate::engine::operation::{
    Action, Conflict, LocalSeen, Operation, Parent, Plan, RemoteSeen, UploadTarget,
};

use super::agreements::{Agree, Forget, Keep};
use super::announce::Announcement;
use super::folders::{FindFolders, MakeLocalFolder};
use super::install::{Install, KeepBoth, Purpose};
use super::moves::{MakeWayThere, MoveLocal, MoveRemote};
use super::remove::{TrashLocal, TrashRemote};
use super::report::StepFailure;
use super::stage::Stage;
use super::transfer::{Arrived, Content, StagedContent};
use super::upload::{TakeLocal, Upload};

/// How an operation goes on.
pub(super) enum Start<'a> {
    /// With a stage.
    Stage(Box<dyn Stage<'a> + 'a>),
    /// With another transfer, by which a conflict is settled that a comparison found.
    Decided(&'a Conflict),
    /// Not at all.
    Failed(StepFailure),
}

fn stage<'a>(stage: impl Stage<'a> + 'a) -> Start<'a> {
    Start::Stage(Box::new(stage))
}

/// Whether content that was brought for an operation is of use to it.
pub(super) fn needs_content(operation: &Operation) -> bool {
    !matches!(
        &operation.action,
        Action::Compare { otherwise: Conflict::KeepBothThere { .. } | Conflict::TakeLocal, .. }
    )
}

/// How an operation goes on that has what `arrived`.
pub(super) fn start<'a>(
    plan: &'a Plan,
    index: usize,
    arrived: Option<&Arrived>,
    announcement: Option<Announcement>,
) -> Start<'a> {
    let operation = &plan.operations[index];
    match (&operation.action, arrived) {
        (Action::Agree { remote, local }, _) => stage(Agree { index, remote, local, read: None }),
        (Action::Forget { id }, _) => stage(Forget { index, id }),
        (Action::Keep { id, presence, place, stamp }, _) => {
            let stamp = stamp.as_deref();
            stage(Keep { index, id, presence: *presence, place: place.as_ref(), stamp })
        }
        (Action::MakeLocalFolder { remote }, _) => stage(MakeLocalFolder { index, operation, remote }),
        (Action::MoveLocal { remote, local }, _) => {
            stage(MoveLocal { index, operation, remote: remote.as_ref(), local })
        }
        (Action::MoveRemote { remote, local, parent, name, temporary }, _) => stage(MoveRemote {
            index,
            remote,
            local: local.as_deref(),
            parent: parent.clone(),
            name,
            temporary: *temporary,
            settles: None,
        }),
        (Action::TrashLocal { id, local, .. }, _) => stage(TrashLocal { index, id: id.as_ref(), local }),
        (Action::TrashRemote { .. }, _) => stage(TrashRemote { plan, group: vec![index] }),
        (Action::MakeRemoteFolder { parent, .. }, _) => {
            stage(FindFolders { plan, parent, group: vec![index], again: true })
        }
        (Action::Download { remote, over }, Some(Arrived::Content(content))) => {
            let (over, content) = (over.as_deref(), content.clone());
            stage(Install { index, operation, remote, over, content, purpose: Purpose::Download })
        }
        (
            Action::Upload { local, target: UploadTarget::Over { remote, way } },
            Some(Arrived::Staged(content)),
        ) => {
            let content = content.clone();
            stage(Upload { index, operation, local, remote, way: *way, content, announcement })
        }
        (Action::Compare { remote, local, .. }, Some(Arrived::Equal { signature, package })) => {
            stage(Agree { index, remote, local, read: Some((*signature, *package)) })
        }
        (
            Action::Compare { remote, local, otherwise: conflict }
            | Action::Settle { remote, local, conflict },
            arrived,
        ) => settle((index, operation), (remote, local), conflict, arrived),
        (Action::Download { .. } | Action::Upload { .. }, _) => misfit(),
    }
}

/// How a conflict of two different contents is settled.
fn settle<'a>(
    (index, operation): (usize, &'a Operation),
    (remote, local): (&'a RemoteSeen, &'a LocalSeen),
    conflict: &'a Conflict,
    arrived: Option<&Arrived>,
) -> Start<'a> {
    let content: Option<&Content> = match arrived {
        Some(Arrived::Content(content) | Arrived::Different(Some(content))) => Some(content),
        _ => None,
    };
    let staged: Option<&StagedContent> = match arrived {
        Some(Arrived::Staged(content)) => Some(content),
        _ => None,
    };
    let has_found_difference = matches!(arrived, Some(Arrived::Different(_)));
    match (conflict, content, staged) {
        (Conflict::KeepBothThere { name }, ..) => {
            let copy = operation.path.parent().and_then(|folder| folder.join(name).ok());
            let parent = Parent::Known(remote.parent.clone());
            let settles = Some(copy);
            stage(MakeWayThere(MoveRemote {
                index,
                remote,
                local: None,
                parent,
                name,
                temporary: false,
                settles,
            }))
        }
        (Conflict::SetAside, ..) => Start::Failed(StepFailure::Aside(
            "it differs on both sides, and nothing decides between the versions".into(),
        )),
        (Conflict::KeepBoth { copy, local_only }, Some(content), _) => {
            let (local_only, content) = (*local_only, content.clone());
            stage(KeepBoth { index, operation, remote, local, copy, local_only, content })
        }
        (Conflict::TakeRemote, Some(content), _) => {
            let (content, purpose) = (content.clone(), Purpose::Conflict(None));
            stage(Install { index, operation, remote, over: Some(local), content, purpose })
        }
        (Conflict::TakeLocal, _, Some(content)) => {
            stage(TakeLocal { index, operation, remote, local, content: content.clone() })
        }
        _ if has_found_difference => Start::Decided(conflict),
        _ => misfit(),
    }
}

fn misfit<'a>() -> Start<'a> {
    Start::Failed(StepFailure::replan("what was fetched for it does not fit"))
}
