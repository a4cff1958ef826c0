//! A pass without iCloud: reads here, does what concerns this disk alone, and says what waits.

use std::sync::Arc;

use super::Engine;
use super::look::look_here;
use super::noted::Noted;
use super::seen_in::to_be_noted;
use super::settings::{LocalLook, PassError, PassOptions, Phase, Settings};
use crate::engine::execute::{Event, ExecuteOptions, Outcome, execute};
use crate::engine::operation::{Action, Operation, Plan, Reason};
use crate::engine::own_writes::OwnWrites;
use crate::engine::ports::{Away, Clock, Disk, Ports};
use crate::engine::view::{FolderMarks, RemoteView};
use crate::model::{Agreed, BaseTree, FolderState, Node, Presence, RelPath, RemoteEntry, RemoteTree};

/// What came of a pass without iCloud.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HereReport {
    /// What iCloud is needed for, in the order of the plan.
    pub waiting: Vec<Operation>,
    /// What was done.
    pub outcome: Outcome,
}

/// Whether it needs this disk only, and is as right when iCloud was seen some time ago: nothing is deleted on an old look,
/// and nothing gives its name to what cannot come yet.
fn is_here_alone(operation: &Operation) -> bool {
    let is_local = matches!(
        operation.action,
        Action::MakeLocalFolder { .. }
            | Action::MoveLocal { .. }
            | Action::Agree { .. }
            | Action::Forget { .. }
            | Action::Keep { .. }
    );
    is_local && operation.reason != Reason::NameClaimed
}

impl Engine {
    /// One pass while iCloud is away, or is being walked through. It asks iCloud nothing.
    ///
    /// Before iCloud was ever looked at it counts as unchanged since it was agreed on: then nothing is done, and what
    /// waits is what changed here.
    ///
    /// # Errors
    ///
    /// [`PassError`] when the disk or the store fails; what was done until then is stored.
    pub fn pass_here(
        &mut self,
        disk: &dyn Disk,
        clock: &dyn Clock,
        settings: &Settings,
        look: &LocalLook,
        options: &PassOptions<'_>,
        events: &mut dyn FnMut(&Event),
    ) -> Result<HereReport, PassError> {
        self.keep_time(clock)?;
        let ports = Ports { remote: &Away, disk, clock };
        options.observer.on_phase(Phase::Looking(false));
        let known = self.local.take();
        self.saw_here(look_here(&ports, settings, look, known)?, look);
        if self.remote.is_none() {
            // A first run compares both sides before it says anything.
            if self.state.base.is_empty() {
                return Ok(HereReport::default());
            }
            self.remote = Some(Arc::new(as_agreed(&self.state.base)));
            let planned = self.plan(&ports, settings, options);
            (self.remote, self.remembered) = (None, None);
            return Ok(HereReport { waiting: waiting(planned.plan, is_here_alone), ..HereReport::default() });
        }
        let mut planned = self.plan(&ports, settings, options);
        // What is agreed on below makes the items of another disk known.
        let guard = self.state.guard.clone();
        let seen = (planned.sighted.take(), std::mem::take(&mut planned.cut_short.items));
        let told = to_be_noted(&self.state, &Plan::default(), guard, seen, settings.mode);
        if !told.is_empty() {
            self.commit(&told)?;
        }
        // What became of an operation that was cut short only iCloud can say.
        let noted = Noted::of(self.state.intents.values(), &self.state.base, self.remote.as_deref());
        let is_for_now = |operation: &Operation| is_here_alone(operation) && !noted.concerns(operation);
        let here = planned.plan.clone().without(&|operation| !is_for_now(operation));
        let waiting = waiting(planned.plan, is_for_now);
        let outcome = if here.operations.is_empty() {
            Outcome::default()
        } else {
            options.observer.on_phase(Phase::Working);
            self.carry_out_here(&ports, settings, options, &here, events)?
        };
        Ok(HereReport { waiting, outcome })
    }

    fn carry_out_here(
        &mut self,
        ports: &Ports<'_>,
        settings: &Settings,
        options: &PassOptions<'_>,
        plan: &Plan,
        events: &mut dyn FnMut(&Event),
    ) -> Result<Outcome, PassError> {
        let conflict = |path: &RelPath, nth: u32| super::beside(path, options.conflict_mark, nth);
        let junk = |name: &str| super::is_junk(&settings.filter, name);
        let execution = ExecuteOptions { workers: settings.workers, ..ExecuteOptions::new(&conflict, &junk) };
        let due = self.what_is_due(plan.clone(), ports, false);
        let mut own = OwnWrites::new(self.remote.as_mut());
        let mut on_event = |event: &Event| match event {
            Event::Stored(change) => own.stored(change),
            other => events(other),
        };
        let mut outcome = execute(&due, ports, &execution, &mut self.state, &mut *self.store, &mut on_event);
        outcome.waiting += (plan.operations.len() - due.operations.len()) as u64;
        let forgotten = own.forgotten();
        self.learn(&forgotten);
        self.look_again(ports, settings, plan);
        match outcome.ended.take() {
            Some(end) => Err(end.into()),
            None => Ok(outcome),
        }
    }
}

/// What is left of a plan when that has been done which is done now.
fn waiting(plan: Plan, is_for_now: impl Fn(&Operation) -> bool) -> Vec<Operation> {
    plan.operations.into_iter().filter(|operation| !is_for_now(operation)).collect()
}

/// iCloud as it was when both sides agreed last.
fn as_agreed(base: &BaseTree) -> RemoteView {
    let entry = |known: &Agreed| RemoteEntry { state: FolderState::Complete, ..known.remote.clone() };
    let mut tree = RemoteTree::new(entry(base.get(Node::ROOT)));
    let mut open = vec![(Node::ROOT, Node::ROOT)];
    while let Some((folder, there)) = open.pop() {
        for child in base.children(folder) {
            let known = base.get(*child);
            // What stands here only is not there.
            if known.presence != Presence::LocalOnly {
                open.push((*child, tree.insert(there, &known.remote.name, entry(known))));
            }
        }
    }
    let (absent, hollow) = Default::default();
    RemoteView { tree, absent, unusable: Vec::new(), complete: true, hollow, marks: FolderMarks::default() }
}
