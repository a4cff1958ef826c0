//! What people asked for that is not over yet.

use std::time::Instant;

use super::facts::Waiting;
use crate::control::ControlCall;
use crate::model::state::{Deletion, Verdict};

/// What a person said of held deletions, and of which.
pub(super) type Answer = (Verdict, Vec<Deletion>);

/// Who asked for a plan, and whether as JSON.
pub(super) type PlanCall = (ControlCall, bool);

/// What people asked for that is not over yet. That a pass was asked for is told by what is due.
#[derive(Debug, Default)]
pub(super) struct Requests {
    is_paused: bool,
    /// Since when, once a signal came.
    stopping_since: Option<Instant>,
    /// The state files.
    dump: bool,
    plan: Option<PlanCall>,
    /// What was said while a job had the engine.
    answers: Vec<Answer>,
}

impl Requests {
    /// Which of them wait for the engine.
    pub fn waiting(&self) -> Waiting {
        Waiting { plan: self.plan.is_some(), dump: self.dump, answers: !self.answers.is_empty() }
    }

    /// Whether a person paused it.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// A person pauses it.
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// It goes on; says whether it was paused.
    pub fn resume(&mut self) -> bool {
        std::mem::take(&mut self.is_paused)
    }

    /// Since when it stops; `None` while it does not.
    pub fn stopping_since(&self) -> Option<Instant> {
        self.stopping_since
    }

    /// It is to stop; says whether that is news.
    pub fn stop(&mut self, now: Instant) -> bool {
        let is_first = self.stopping_since.is_none();
        self.stopping_since.get_or_insert(now);
        is_first
    }

    /// The state files are to be written.
    pub fn ask_for_dump(&mut self) {
        self.dump = true;
    }

    /// The state files are written now.
    pub fn dump_begins(&mut self) {
        self.dump = false;
    }

    /// A plan is to be made. Gives the call back while another one is.
    pub fn ask_for_plan(&mut self, call: PlanCall) -> Result<(), PlanCall> {
        if self.plan.is_some() {
            return Err(call);
        }
        self.plan = Some(call);
        Ok(())
    }

    /// Takes who asked for a plan.
    pub fn take_plan(&mut self) -> Option<PlanCall> {
        self.plan.take()
    }

    /// Remembers an answer until the engine is at home.
    pub fn answered(&mut self, answer: Answer) {
        self.answers.push(answer);
    }

    /// Takes the answers.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }
}
