//! Where the engine is: at home, or lent to a job; and what can be told of its trees meanwhile.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::engine::pass::{Engine, Phase, Sight, Walk};
use crate::engine::ports::Clock;
use crate::engine::view::{LocalView, RemoteView};
use crate::model::state::{Deletion, GuardState, Verdict};
use crate::model::{FolderState, Node, Owner, RemoteKind, State, Zone};

/// A job that could not begin: why, and the engine that it was to get.
pub(super) type NotBegun = (io::Error, Box<Engine>);

/// What the engine is lent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobKind {
    /// Something short that leaves iCloud alone.
    Chore,
    /// A pass without iCloud.
    LocalPass,
    /// A pass, or a plan: nobody else asks iCloud meanwhile.
    Pass,
    /// Makes the store smaller; whatever else is to be done comes first.
    Shrink,
}

/// The engine, the sole owner of the three trees, or who has it.
pub(super) enum EngineSlot {
    AtHome(Box<Engine>),
    Lent(Box<Loan>),
}

/// What is known while a job has the engine.
pub(super) struct Loan {
    kind: JobKind,
    /// Whether the job reads the whole local folder.
    reads_all: bool,
    since: Instant,
    /// In which part the pass is.
    phase: Option<Phase>,
    /// When the pass began to carry things out.
    working_since: Option<Instant>,
    /// Tells the pass that something else waits.
    should_yield: Arc<AtomicBool>,
    snapshot: Snapshot,
}

/// The engine's trees as they were when it left. The base is shared: the job's first change of it, if any, works on a copy.
struct Snapshot {
    state: State,
    walk: Walk,
}

impl Snapshot {
    fn of(engine: &Engine, kind: JobKind) -> Self {
        let state = engine.state();
        Self {
            state: State {
                owner: state.owner.clone(),
                base: Arc::clone(&state.base),
                set_aside: state.set_aside.clone(),
                local_only: state.local_only.clone(),
                guard: state.guard.clone(),
                last_sync: state.last_sync,
                time: state.time.clone(),
                ..State::empty()
            },
            // A pass changes the view of iCloud with what it does there, and no walk begins beside it.
            walk: if kind == JobKind::Pass { engine.walk().anew() } else { engine.walk() },
        }
    }
}

impl Loan {
    /// What the engine is lent for.
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// Whether the job reads the whole local folder.
    pub fn reads_all(&self) -> bool {
        self.reads_all
    }

    /// When the job began.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Since when the pass carries things out; `None` while it does not.
    pub fn working_since(&self) -> Option<Instant> {
        self.working_since
    }

    /// Whether it carries things out right now.
    pub fn is_working(&self) -> bool {
        self.phase == Some(Phase::Working)
    }

    /// Whether it was told to come to an early end.
    pub fn is_told_to_yield(&self) -> bool {
        self.should_yield.load(Ordering::Relaxed)
    }

    /// Tells it to begin nothing new.
    pub fn tell_to_yield(&self) {
        self.should_yield.store(true, Ordering::Relaxed);
    }
}

impl EngineSlot {
    /// An engine that nobody has.
    pub fn new(engine: Engine) -> Self {
        Self::AtHome(Box::new(engine))
    }

    /// Lends the engine to the job that `begin` starts with it; the second argument of that is how the job is told to yield.
    ///
    /// # Errors
    ///
    /// When another job has it, or none could be started; everything is as before then.
    pub fn lend(
        &mut self,
        kind: JobKind,
        reads_all: bool,
        now: Instant,
        begin: impl FnOnce(Box<Engine>, Arc<AtomicBool>) -> Result<(), NotBegun>,
    ) -> io::Result<()> {
        let lent_already = || io::Error::other("another job has the engine");
        let Self::AtHome(engine) = &*self else { return Err(lent_already()) };
        let should_yield = Arc::<AtomicBool>::default();
        let loan = Loan {
            kind,
            reads_all,
            since: now,
            phase: None,
            working_since: None,
            should_yield: Arc::clone(&should_yield),
            snapshot: Snapshot::of(engine, kind),
        };
        match std::mem::replace(self, Self::Lent(Box::new(loan))) {
            Self::AtHome(engine) => begin(engine, should_yield).map_err(|(error, engine)| {
                *self = Self::AtHome(engine);
                error
            }),
            lent => {
                *self = lent;
                Err(lent_already())
            }
        }
    }

    /// The job is over; gives what was known of it.
    pub fn comes_home(&mut self, engine: Box<Engine>) -> Option<Box<Loan>> {
        match std::mem::replace(self, Self::AtHome(engine)) {
            Self::AtHome(_) => None,
            Self::Lent(loan) => Some(loan),
        }
    }

    /// The running pass begins another part.
    pub fn begins(&mut self, phase: Phase, now: Instant) {
        let Self::Lent(loan) = self else { return };
        loan.phase = Some(phase);
        if phase == Phase::Working {
            loan.working_since.get_or_insert(now);
        }
    }

    /// What is known of the running job; `None` while there is none.
    pub fn loan(&self) -> Option<&Loan> {
        match self {
            Self::AtHome(_) => None,
            Self::Lent(loan) => Some(loan),
        }
    }

    /// The engine, while it is at home.
    pub fn at_home(&self) -> Option<&Engine> {
        match self {
            Self::AtHome(engine) => Some(engine),
            Self::Lent(_) => None,
        }
    }

    /// What is stored; while the engine is lent, what was stored when it left.
    pub fn stored(&self) -> &State {
        match self {
            Self::AtHome(engine) => engine.state(),
            Self::Lent(loan) => &loan.snapshot.state,
        }
    }

    /// Whose the state is; `None` before the first connection.
    pub fn owner(&self) -> Option<&Owner> {
        self.stored().owner.as_ref()
    }

    /// What each side showed last; nothing is known of the local one while the engine is lent.
    pub fn seen(&self) -> (Option<&LocalView>, Option<&RemoteView>) {
        match self {
            Self::AtHome(engine) => (engine.local_view(), engine.remote_view()),
            Self::Lent(loan) => (None, loan.snapshot.walk.previous()),
        }
    }

    /// The zones of app libraries that were seen on iCloud and that nobody looks into.
    pub fn closed_zones(&self) -> HashSet<Zone> {
        let Some(view) = self.seen().1 else { return HashSet::new() };
        let entries = view.tree.children(Node::ROOT).iter().map(|node| view.tree.get(*node));
        let closed = entries
            .filter(|entry| entry.kind == RemoteKind::AppLibrary && entry.state == FolderState::Unread);
        closed.map(|entry| entry.id.zone().clone()).filter(|zone| *zone != Zone::CloudDocs).collect()
    }

    /// What a walk through iCloud that begins now starts from.
    pub fn walk(&self) -> Walk {
        match self {
            Self::AtHome(engine) => engine.walk(),
            Self::Lent(loan) => loan.snapshot.walk.clone(),
        }
    }

    /// Hands over what a look saw; gives it back while the engine is lent.
    pub fn take_in(&mut self, sight: Box<Sight>, clock: &dyn Clock) -> Option<Box<Sight>> {
        let Self::AtHome(engine) = self else { return Some(sight) };
        engine.saw_there(*sight, clock);
        None
    }

    /// What was seen of the local folder is of another one: the next look reads all of it.
    pub fn forget_local_view(&mut self) {
        if let Self::AtHome(engine) = self {
            engine.forget_local_view();
        }
    }

    /// What is told of the held deletions until the job that stores a decision, or comes before that one, is over.
    pub fn show_guard(&mut self, change: impl FnOnce(&mut GuardState)) {
        if let Self::Lent(loan) = self {
            change(&mut loan.snapshot.state.guard);
        }
    }

    /// What the guard would remember if these answers of a person were stored, and how many deletions they decide; `None` while
    /// the engine is lent.
    pub fn decided(&self, answers: &[(Verdict, Vec<Deletion>)]) -> Option<(GuardState, usize)> {
        let mut guard = self.at_home()?.state().guard.clone();
        let decided = answers.iter().map(|(verdict, shown)| guard.decide(*verdict, shown)).sum();
        Some((guard, decided))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::{Store, StoreError};
    use crate::model::Change;

    /// A store that keeps nothing.
    struct Nowhere;

    impl Store for Nowhere {
        fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn slot() -> EngineSlot {
        EngineSlot::new(Engine::new(State::empty(), Box::new(Nowhere)))
    }

    #[test]
    fn a_job_that_cannot_begin_leaves_the_engine_at_home() {
        let mut slot = slot();
        let refused =
            slot.lend(JobKind::Pass, true, Instant::now(), |engine, _| Err((io::Error::other("no"), engine)));
        assert_eq!(refused.map_err(|error| error.to_string()), Err("no".to_owned()));
        assert!(slot.at_home().is_some() && slot.loan().is_none());
    }

    #[test]
    fn one_job_at_a_time_has_the_engine_and_brings_it_back() {
        let (mut slot, now) = (slot(), Instant::now());
        let mut job = None;
        let begin = |engine, should_yield| {
            job = Some((engine, should_yield));
            Ok(())
        };
        slot.lend(JobKind::Pass, true, now, begin).expect("it is at home");
        assert!(slot.lend(JobKind::Chore, false, now, |_, _| panic!("it is lent")).is_err());
        slot.begins(Phase::Looking(false), now);
        assert!(slot.loan().is_some_and(|loan| loan.working_since().is_none()));
        slot.begins(Phase::Working, now);
        let (engine, should_yield) = job.expect("the job began");
        let loan = slot.loan().expect("it is lent");
        assert!(loan.is_working() && loan.working_since() == Some(now) && !loan.is_told_to_yield());
        loan.tell_to_yield();
        assert!(should_yield.load(Ordering::Relaxed) && loan.is_told_to_yield());
        let loan = slot.comes_home(engine).expect("it was lent");
        assert!(loan.reads_all() && loan.kind() == JobKind::Pass && loan.since() == now);
        assert!(slot.at_home().is_some());
    }
}
