//! One part of an operation: what must be durable before it, what it does, what comes next.
//!
//! A stage reads what is known and tells what it did. It changes no memory of ours and stores nothing: that is the lane's, in one
//! place for every kind of operation.

use crate::engine::operation::{Operation, Parent, Plan, RemoteSeen, Replacement};
use crate::engine::ports::{Ports, Ready};
use crate::model::{Arriving, Change, Intent, ItemId, RelPath};

use super::arriving::arriving;
use super::done::Done;
use super::known::OwnChanges;
use super::options::ExecuteOptions;
use super::pending::{Moment, PendingBase};
use super::report::StepFailure;

/// All that a stage may read, beside the world.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) plan: &'k Plan,
    pub(super) options: &'k ExecuteOptions<'k>,
    /// What this pass changed itself.
    pub(super) own: &'k OwnChanges,
    /// The base and the time when the stage began.
    pub(super) moment: Moment<'k>,
}

impl<'k> Known<'k> {
    pub(super) fn base(&self) -> PendingBase<'k> {
        self.moment.base
    }

    pub(super) fn operation(&self, index: usize) -> &'k Operation {
        &self.plan.operations[index]
    }

    /// Whether that replacement on iCloud is done in place.
    pub(super) fn is_in_place(&self, way: Replacement) -> bool {
        way == Replacement::InPlace && self.options.in_place && !self.base().calibration().in_place_refused
    }

    /// See [`OwnChanges::parent`].
    pub(super) fn parent(&self, parent: &Parent) -> Result<ItemId, StepFailure> {
        self.own.parent(parent)
    }
}

/// What must be durable before a stage acts.
#[derive(Debug, PartialEq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// These changes, and all that is pending, also when there are none.
    Stored(Vec<Change>),
    /// This intent, and all that is pending.
    Noted(Box<Intent>),
    /// A line that says what is about to get its name here, which outlives the process and not the machine.
    Arriving(Box<Arriving>),
}

impl Before {
    pub(super) fn note(intent: Intent) -> Self {
        Self::Noted(Box::new(intent))
    }

    /// `remote` is about to get its name here: that content if it is a file.
    pub(super) fn arrives(path: &RelPath, remote: RemoteSeen, content: Option<&Ready>) -> Self {
        let identity = content.and_then(|ready| ready.identity);
        Self::Arriving(Box::new(arriving(path, remote, content.map(|ready| ready.signature), identity)))
    }
}

/// What a stage did, as far as it came.
#[derive(Default)]
pub(super) struct Acted {
    /// The number of the intent that was stored before the stage.
    pub(super) note: Option<u64>,
    /// What was done, and for which operation; what follows from it is learnt unless learning failed for that operation before.
    pub(super) done: Vec<(Option<usize>, Done)>,
    /// Operations of a group that are over, well or not, while others go on.
    pub(super) over: Vec<(usize, Result<(), StepFailure>)>,
}

impl Acted {
    /// The number of the intent, by a stage that needs one.
    ///
    /// # Errors
    ///
    /// [`StepFailure::Replan`] where none was stored: then nothing may be done.
    pub(super) fn noted(&self) -> Result<u64, StepFailure> {
        self.note.ok_or_else(|| StepFailure::replan("what it is about was not noted"))
    }

    /// Something was done for that operation.
    pub(super) fn did(&mut self, operation: usize, done: Done) {
        self.done.push((Some(operation), done));
    }

    /// One operation of a group failed.
    pub(super) fn failed(&mut self, operation: usize, failure: StepFailure) {
        self.over.push((operation, Err(failure)));
    }

    /// One operation of a group is done.
    pub(super) fn finished(&mut self, operation: usize) {
        self.over.push((operation, Ok(())));
    }

    /// Whether an operation of a group failed in that way.
    pub(super) fn has_failed(&self, way: fn(&StepFailure) -> bool) -> bool {
        self.over.iter().any(|(_, result)| result.as_ref().is_err_and(way))
    }

    /// The stage's intent is over, once what was done for that operation before is learnt.
    pub(super) fn end_note(&mut self, operation: usize) {
        if let Some(number) = self.note {
            self.did(operation, Done::NoteOver(number));
        }
    }

    /// The intent of a group is over, whatever became of each operation.
    pub(super) fn end_group_note(&mut self) {
        if let Some(number) = self.note {
            self.done.push((None, Done::NoteOver(number)));
        }
    }
}

/// What comes after a stage.
pub(super) enum Next<'a> {
    /// Nothing: what did not fail is done.
    Finished,
    /// Another stage.
    Then(Box<dyn Stage<'a> + 'a>),
}

/// One part of an operation, or of several that share a request.
pub(super) trait Stage<'a> {
    /// What must be durable before [`Stage::act`]. Pure.
    fn before(&self, _known: &Known<'_>) -> Before {
        Before::Nothing
    }

    /// Acts on the world. What was done is in `acted` also when it fails.
    ///
    /// # Errors
    ///
    /// [`StepFailure`] for each operation that did not fail by itself.
    fn act(
        self: Box<Self>,
        ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure>;
}

/// Goes on with another stage.
pub(super) fn then<'a>(stage: impl Stage<'a> + 'a) -> Result<Next<'a>, StepFailure> {
    Ok(Next::Then(Box::new(stage)))
}
