//! One pass: look at both sides, plan, guard, carry out.
//!
//! [`Engine`] is the sole owner of the three trees and of the store. It reaches the world through
//! the ports only, so that the simulation drives the same code as the program.

mod background_walk;
mod cut_short;
mod evidence;
mod gone_back;
mod here;
mod learn;
mod left_open;
mod look;
mod noted;
mod power;
mod remembered;
mod result;
mod room;
mod seen;
mod seen_in;
mod settings;
mod stuck;
mod time;
mod unmade;
mod unsettled;

pub use background_walk::{Sight, Walk};
pub use here::HereReport;
pub use result::Report;
pub use settings::{
    LocalLook, Look, PassError, PassObserver, PassOptions, Phase, RETRY_BUDGET, RemoteLook, Settings,
    Unwatched,
};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::conflict::conflict_name;
use super::execute::{Event, ExecuteOptions, Window, execute};
use super::guard;
use super::observe::doubted::Doubted;
use super::observe::local::doubt;
use super::operation::{Action, Note, NoteKind, Operation, Plan};
use super::own_writes::OwnWrites;
use super::plan::{Collected, Earlier, Extent, Policy, plan, plan_again, plan_all};
use super::ports::{Ports, ReadOnly, Store, StoreError};
use super::recognise::{Recognised, recognise};
use super::skipped::SkippedItems;
use super::view::{LocalView, RemoteView};
use crate::model::filter::{Filter, FilterMatch};
use crate::model::name::Name;
use crate::model::{
    BaseEntry, BaseTree, Change, Etag, ItemId, Reading, RelPath, Side, State, state::GuardState,
};
use cut_short::CutShort;
use evidence::{recognised, tell_why_unread, twins};
use left_open::LeftOpen;
use look::look_here;
use remembered::{Before, Remembered, Terms};
use seen_in::{Sighted, make_durable, to_be_noted};
use stuck::Stuck;

/// So long, in seconds, what somebody modified goes before what is older.
const RECENT_SECONDS: i64 = 3600;

/// So long, in seconds, a temporary name on iCloud is left alone (`docs/sync.md` §6).
const LENT_SECONDS: i64 = 300;

/// What a look found and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// What may be carried out; held deletions are not in it.
    pub plan: Plan,
    /// What the guards remember from now on.
    pub guard: GuardState,
    /// Whether deletions were left out, since something changes here right now.
    pub left_out: bool,
    /// How much was looked at for it.
    pub extent: Extent,
    /// Whose edits here a power cut may have cut short, or who may be gone with it.
    cut_short: CutShort,
    /// Where the base was seen; `None` where nothing new is known of that.
    sighted: Option<Sighted>,
}

/// The sole owner of the three trees and the store.
pub struct Engine {
    /// The base, and what is stored beside it.
    state: State,
    /// Where it is stored.
    store: Box<dyn Store + Send>,
    /// The disk as last seen.
    local: Option<LocalView>,
    /// iCloud as last seen, with our own writes since.
    remote: Option<Arc<RemoteView>>,
    /// Whether an operation that was cut short was settled since iCloud was seen last.
    outlived: bool,
    /// What was skipped by rule, and in which version.
    skipped: SkippedItems,
    /// Files that iCloud showed without a size although they had content: the version, and when that was first seen.
    sizeless: HashMap<ItemId, (Etag, i64)>,
    /// How many complete looks in a row left open what became of an item.
    untold: HashMap<ItemId, u32>,
    /// Items that bear a temporary name on iCloud, and since when, in Unix seconds, that was seen.
    lent: HashMap<ItemId, (Name, i64)>,
    /// What an earlier process left open.
    left_open: LeftOpen,
    /// What the clocks showed last.
    clocks: Option<Reading>,
    /// Files whose stamp may not tell that their content changed.
    doubted: Doubted,
    /// How many commits of new files iCloud takes side by side, as far as it was found out.
    window: Window,
    /// What had to be planned again for one and the same reason.
    stuck: Stuck,
    /// What the last plan left to the next one.
    remembered: Option<Remembered>,
}

impl Engine {
    /// An engine that has not looked at anything yet.
    pub fn new(state: State, store: Box<dyn Store + Send>) -> Self {
        let left_open = LeftOpen { time: state.time.clone(), ..LeftOpen::default() };
        let unread = state.mounted.iter().flat_map(|mounted| &mounted.unread);
        let doubted = Doubted::left_unread(unread);
        Self {
            state,
            store,
            local: None,
            remote: None,
            outlived: false,
            skipped: SkippedItems::default(),
            sizeless: HashMap::new(),
            untold: HashMap::new(),
            lent: HashMap::new(),
            left_open,
            clocks: None,
            doubted,
            window: Window::default(),
            stuck: Stuck::default(),
            remembered: None,
        }
    }

    /// What is stored, and what of it changed in memory alone: the time.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The folder here as last seen, with our own writes since; `None` where all of it is to be read.
    pub fn local_view(&self) -> Option<&LocalView> {
        self.local.as_ref()
    }

    /// iCloud as last seen, with our own writes since; `None` before the first look.
    pub fn remote_view(&self) -> Option<&RemoteView> {
        self.remote.as_deref()
    }

    /// What was seen of the folder here is of another one, or not to be trusted: the next look reads all of it.
    pub fn forget_local_view(&mut self) {
        self.local = None;
    }

    /// Begins the base with that folder on iCloud, in memory alone: for who only looks.
    pub fn adopt_root(&mut self, root: ItemId) {
        self.state.base = Arc::new(BaseTree::new(BaseEntry::root(root)));
    }

    /// The stamps of these files do not tell whether their content changed: the next plan reads them.
    pub fn doubt_files(&mut self, files: impl IntoIterator<Item = RelPath>) {
        self.doubted.files(files);
    }

    /// The daily verification: the next plan reads whatever was written within about a day.
    pub fn doubt_recent(&mut self) {
        self.doubted.recent();
    }

    /// Stores changes, then applies them.
    ///
    /// # Errors
    ///
    /// When the store cannot; nothing is applied then.
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.store.commit(changes)?;
        for change in changes {
            self.state.apply(change);
        }
        Ok(())
    }

    /// One whole pass.
    ///
    /// # Errors
    ///
    /// [`PassError`] when it ended early; what was done until then is stored.
    pub fn pass(
        &mut self,
        ports: &Ports<'_>,
        settings: &Settings,
        look: &Look,
        options: &PassOptions<'_>,
        events: &mut dyn FnMut(&Event),
    ) -> Result<Report, PassError> {
        let read_only = ReadOnly(ports.remote);
        let ports = &read_only.unless_changed_in(settings.mode, *ports);
        self.keep_time(ports.clock)?;
        self.recover(ports)?;
        let looks_there = look.remote != RemoteLook::Nothing || self.remote.is_none() || self.outlived;
        options.observer.on_phase(Phase::Looking(looks_there));
        self.look(ports, settings, look)?;
        self.settle_late(ports)?;
        let mut planned = self.plan(ports, settings, options);
        let left_out = planned.left_out;
        self.leave_for_later(&mut planned, ports, options);
        if !planned.plan.is_quiet() {
            options.observer.on_phase(Phase::Working);
        }
        options.observer.on_plan(&planned.plan, self.local.as_ref());
        let mut report = self.carry_out(ports, settings, options, planned, events)?;
        report.pending |= left_out;
        Ok(report)
    }

    /// Takes out of a plan what was set aside and is not due: it is nothing to do, and no reason to plan again. The planner knows an
    /// item by the place that it has, an operation by the one that it is to get.
    pub fn leave_for_later(&self, planned: &mut Planned, ports: &Ports<'_>, options: &PassOptions<'_>) {
        let plan = std::mem::take(&mut planned.plan);
        planned.plan = self.what_is_due(plan, ports, options.ignore_next_try);
    }

    /// A plan without what was set aside and is not due, and without what builds on that: the executor tries all that it is given.
    fn what_is_due(&self, plan: Plan, ports: &Ports<'_>, ignore_next_try: bool) -> Plan {
        let now = self.state.seconds(ports.clock.reading());
        let set_aside = &self.state.set_aside;
        let waits = |operation: &Operation| {
            set_aside.get(&*operation.path_to_tell()).is_some_and(|aside| aside.waits(now))
        };
        plan.without(&|operation| !ignore_next_try && waits(operation))
    }

    /// Looks at both sides, in parallel where more than one worker is allowed. After an operation that was cut short was settled iCloud is
    /// looked at whole: what was seen before does not show what came of it.
    ///
    /// # Errors
    ///
    /// [`PassError`]; a side that was read is remembered even when the other one failed.
    pub fn look(&mut self, ports: &Ports<'_>, settings: &Settings, look: &Look) -> Result<(), PassError> {
        let walk = self.walk();
        let there = || match &look.remote {
            _ if self.outlived => walk.run(ports.remote, ports.clock, settings).map(Sight::Whole),
            RemoteLook::Touched(touched) => walk.run_where(touched, ports.remote, ports.clock, settings),
            RemoteLook::Etags => walk.run_by_etag(ports.remote, ports.clock, settings),
            RemoteLook::Nothing if !walk.is_first() => Ok(Sight::Nothing),
            RemoteLook::Nothing | RemoteLook::Whole => {
                walk.run(ports.remote, ports.clock, settings).map(Sight::Whole)
            }
        };
        let known = self.local.take();
        let here = || look_here(ports, settings, &look.local, known);
        let (here, there) = if settings.workers > 1 {
            std::thread::scope(|scope| {
                let here =
                    std::thread::Builder::new().name("icloudds-scan".to_owned()).spawn_scoped(scope, here);
                let there = there();
                let here = match here {
                    Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                    Err(error) => Err(PassError::Disk(format!("cannot start a thread: {error}"))),
                };
                (here, there)
            })
        } else {
            (here(), there())
        };
        let here = here.map(|view| self.saw_here(view, &look.local));
        drop(walk);
        self.saw_there(there?, ports.clock);
        here?;
        self.settle_astray(ports)
    }

    /// What follows from the last look, guarded. Changes nothing on either side; contents that have to be
    /// compared are read.
    pub fn plan(&mut self, ports: &Ports<'_>, settings: &Settings, options: &PassOptions<'_>) -> Planned {
        self.doubt_after_power(ports);
        let (Some(local), Some(_)) = (self.local.as_mut(), self.remote.as_ref()) else {
            return Planned { guard: self.state.guard.clone(), ..Planned::default() };
        };
        let now = self.state.seconds(ports.clock.reading());
        let settled = options.observer.is_settled_here();
        let terms = Terms::of(settings, ports.disk.folds_case());
        let remembered = self.remembered.take().filter(|remembered| remembered.holds_under(&terms));
        let racy = remembered.as_ref().and_then(|remembered| remembered.to_doubt(&local.tree));
        let seen_at = ports.seen_at();
        doubt(&mut local.tree, seen_at, racy.as_deref());
        let (known, earlier) =
            remembered.map(|remembered| (remembered.recognised, remembered.earlier)).unzip();
        let (doubted, went_back) = (&mut self.doubted, self.state.went_back.keys());
        let recognised = match recognised(&self.state.base, local, known, ports, settings, doubted, went_back)
        {
            Ok(recognised) => recognised,
            Err(error) => {
                // What was seen of the drive here is not to be trusted any more: the next look reads all of it.
                self.local = None;
                let kind = NoteKind::Unsettled(format!("a second look at the folders here failed: {error}"));
                let notes = vec![Note { path: RelPath::root(), kind }];
                let plan = Plan { notes, ..Plan::default() };
                let guard = self.state.guard.clone();
                return Planned { plan, guard, left_out: true, ..Planned::default() };
            }
        };
        let sighted = Sighted::of(&self.state, &local.tree, recognised.recognition());
        let (base, local, cuts) = (&self.state.base, self.local.as_ref(), self.power_cuts(ports));
        let cut_short = CutShort::of(base, local, recognised.recognition(), cuts);
        let (mut plan, collected) = self.planned(settings, options, &recognised, &sighted, earlier, ports);
        let extent = collected.as_ref().map_or(Extent::Whole, Collected::extent);
        self.remembered = collected.zip(self.remote.clone()).and_then(|(collected, remote)| {
            let before = Before { base: Arc::clone(&self.state.base), remote, collected };
            Remembered::new(recognised, before, racy, terms)
        });
        let whole = plan.operations.len();
        if !settled {
            plan = plan.without(&|operation| matches!(operation.action, Action::TrashRemote { .. }));
        }
        let left_out = plan.operations.len() < whole;
        let (mut plan, mut guard, notes) =
            guard::apply(plan, &self.state.guard, &settings.guard, &self.state.base, now);
        if !settled {
            guard::goes_on_waiting(&mut guard, &self.state.guard, Side::Remote);
        }
        if guard == guard::within_windows(self.state.guard.clone(), now) {
            guard = self.state.guard.clone();
        }
        plan.notes.extend(notes);
        Planned { plan, guard, left_out, extent, cut_short, sighted: Some(sighted) }
    }

    fn planned(
        &self,
        settings: &Settings,
        options: &PassOptions<'_>,
        recognised: &Recognised,
        sighted: &Sighted,
        earlier: Option<Before>,
        ports: &Ports<'_>,
    ) -> (Plan, Option<Collected>) {
        let reading = ports.clock.reading();
        let now = self.state.seconds(reading);
        let (Some(local), Some(remote)) = (&self.local, &self.remote) else { return Default::default() };
        let takes_part = |path: &RelPath| settings.filter.takes_part(path.as_str());
        let is_junk = |path: &RelPath| is_junk(&settings.filter, path.as_str());
        let is_waiting = |path: &RelPath| {
            let set_aside = &self.state.set_aside;
            // An item that is only on iCloud is known here by the name that it would get.
            let waits = |path: &RelPath| {
                let item = set_aside.get(path).or_else(|| set_aside.get(&*path.composed()));
                let is_later = !options.ignore_next_try && item.is_some_and(|item| !item.is_due(now));
                is_later || self.skipped.holds(path, remote)
            };
            let knows_any = !set_aside.is_empty() || !self.skipped.is_empty();
            waits(path)
                || self.skipped.holds_item_at(path, remote)
                || knows_any && self.place_here(remote, path).is_some_and(|path| waits(&path))
        };
        let is_lent = |id: &ItemId| {
            // A clock that was set back makes nothing wait longer.
            let age = self.lent.get(id).map(|(_, since)| now.saturating_sub(*since));
            age.is_some_and(|age| (0..LENT_SECONDS).contains(&age))
        };
        let policy = Policy {
            mode: settings.mode,
            conflict: settings.conflict,
            replacement: settings.replacement_now(&self.state),
            max_file_size: settings.max_file_size,
            takes_part: &takes_part,
            is_junk: &is_junk,
            is_waiting: &is_waiting,
            is_lent: &is_lent,
            has_gone_back: &|entry| {
                self.state.has_gone_back(entry) || sighted.differing.contains(&entry.remote.id)
            },
            is_unseen: &|entry| sighted.is_unseen(entry),
            local_only: &self.state.local_only,
            conflict_mark: options.conflict_mark,
            local_folds_case: ports.disk.folds_case(),
            // Files bear the wall clock's times.
            recent_since: reading.wall.saturating_sub(RECENT_SECONDS),
            power_cuts: self.power_cuts(ports),
        };
        let base = &self.state.base;
        let lent: Vec<ItemId> = self.lent.keys().cloned().collect();
        let again = earlier.zip(recognised.changes()).and_then(|(before, changes)| {
            let Before { base: base_before, remote: remote_before, collected } = before;
            let (base_before, remote_before) = (&*base_before, &*remote_before);
            let earlier =
                Earlier { collected, base: base_before, remote: remote_before, changes, doubtful: &lent };
            plan_again(base, local, remote, recognised.recognition(), &policy, earlier)
        });
        debug_assert!(
            again.as_ref().is_none_or(|(again, _)| {
                *again == plan(base, local, remote, &recognise(base, &local.tree), &policy)
            }),
            "what was planned by what has changed is not what is to be done"
        );
        let (mut plan, collected) = match again {
            Some((plan, collected)) => (plan, Some(collected)),
            None => plan_all(base, local, remote, recognised.recognition(), &policy),
        };
        plan.notes.extend(self.skipped.notes(base, local, remote));
        tell_why_unread(&mut plan.notes, local);
        (plan, collected)
    }

    /// Carries out what was planned.
    ///
    /// # Errors
    ///
    /// [`PassError`] when the pass ended early; what was done until then is stored.
    pub fn carry_out(
        &mut self,
        ports: &Ports<'_>,
        settings: &Settings,
        options: &PassOptions<'_>,
        planned: Planned,
        events: &mut dyn FnMut(&Event),
    ) -> Result<Report, PassError> {
        let Planned { plan, guard, extent, cut_short, mut sighted, .. } = planned;
        make_durable(ports.disk, sighted.as_mut(), self.local.as_ref());
        let mut told = to_be_noted(&self.state, &plan, guard, (sighted, cut_short.items), settings.mode);
        // Together with what is found of edits that a power cut may have left.
        told.extend(self.seen_as_mounted(ports.clock.reading(), cut_short.hidden).map(Change::Mounted));
        if !told.is_empty() {
            self.commit(&told)?;
        }
        let conflict = |path: &RelPath, nth: u32| beside(path, options.conflict_mark, nth);
        let junk = |name: &str| is_junk(&settings.filter, name);
        let twins = self.remote.as_ref().map(|view| twins(&plan, view)).unwrap_or_default();
        let has_twin = |id: &ItemId| twins.contains(id);
        let lost: HashSet<String> = self.state.went_back.keys().cloned().collect();
        let may_be_lost = |id: &ItemId| lost.contains(&id.to_string());
        self.clear_set_aside(&plan, options, self.state.seconds(ports.clock.reading()))?;
        let mut stuck = std::mem::take(&mut self.stuck);
        let execution = ExecuteOptions {
            may_be_lost: &may_be_lost,
            has_twin: &has_twin,
            window: self.window.up_to(settings.parallel_writes),
            retry_budget: options.retry_budget,
            should_yield: &|| options.observer.should_yield(),
            is_stuck: &|path, why| stuck.is_stuck(path, why),
            ..settings.execution(&self.state, &conflict, &junk)
        };
        let mut own = OwnWrites::new(self.remote.as_mut());
        let mut on_event = |event: &Event| match event {
            Event::Stored(change) => own.stored(change),
            other => events(other),
        };
        let mut outcome = execute(&plan, ports, &execution, &mut self.state, &mut *self.store, &mut on_event);
        self.window = outcome.window;
        stuck.learn(&outcome.plan_again, |path| self.state.set_aside.contains_key(path));
        self.stuck = stuck;
        let forgotten = own.forgotten();
        self.left_open.ended(&self.state.intents, self.state.seconds(ports.clock.reading()));
        self.learn(&forgotten);
        self.mix_marks(&plan);
        if let Some(remote) = &self.remote {
            self.skipped.learn(&outcome.skipped, remote);
        }
        self.forget_unwanted(ports.disk);
        self.look_again(ports, settings, &plan);
        if let Some(end) = outcome.ended.take() {
            return Err(end.into());
        }
        let quiet = plan.is_quiet();
        Ok(Report {
            planned: plan.operations.len(),
            extent,
            quiet,
            pending: plan.is_unsettled() || outcome.cut_short || !outcome.plan_again.is_empty(),
            held: self.state.guard.held.len(),
            complete: self.remote.as_ref().is_some_and(|view| view.complete),
            notes: plan.notes,
            outcome,
            settles_after: self.settles_after(self.state.seconds(ports.clock.reading())),
        })
    }
}

/// Whether a path is built-in junk, which keeps no folder alive.
fn is_junk(filter: &Filter, path: &str) -> bool {
    matches!(filter.verdict(path), FilterMatch::BuiltIn { .. })
}

/// The path of the `nth` (from 0) conflict copy beside `path`.
fn beside(path: &RelPath, mark: &str, nth: u32) -> RelPath {
    let name = conflict_name(path.name(), mark, nth + 1);
    path.parent().and_then(|folder| folder.join(&name).ok()).unwrap_or_else(|| path.clone())
}
