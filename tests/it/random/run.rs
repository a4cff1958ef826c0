//! Runs a history: the world, the program that is started and stopped in it, and the log of what came of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use icloudds::engine::guard::GuardLimits;
use icloudds::engine::pass::{Engine, LocalLook, Look, PassError, PassOptions, Report, Settings};
use icloudds::engine::ports::{Ports, ReadOnly};
use icloudds::model::state::Verdict;
use icloudds::model::{Change, RelPath};

use super::guarded;
use super::history::{Deed, History, Op, Pass, Twist, What, When};
use super::looks::Hints;
use super::oracle::{self, Broken};
use super::passing::{Watching, Way};
use super::person::Person;
use super::rigged::{RiggedDisk, RiggedDrive, Sabotage, Seen, known};
use super::second::Second;
use super::setting::{settings, turn};
use crate::sim::fuse::lock;
use crate::sim::{Crash, Outcome, SimClock, SimDisk, World};

/// A world in which a history happens.
pub struct Run {
    /// The world.
    pub world: World,
    /// What the owner configured.
    pub settings: Settings,
    /// What the ports saw.
    pub seen: Arc<Seen>,
    /// The history's setting.
    pub history: History,
    /// The second machine of the same account.
    pub second: Option<Second>,
    /// What its own conflict copies are told by.
    pub host: &'static str,
    person: Person,
    /// The process, where one runs; the next pass starts another otherwise.
    pub engine: Option<Engine>,
    sabotage: Option<Sabotage>,
    /// What the change feed tells.
    hints: Hints,
    /// Whether what happens is written down.
    telling: bool,
    told: Vec<String>,
}

impl Run {
    /// The world before anything has happened.
    pub fn new(history: &History, sabotage: Option<Sabotage>, telling: bool) -> Self {
        let world = World::new(history.seed);
        history.twists.iter().for_each(|twist| turn(&world, *twist));
        let mut settings = settings(history);
        if sabotage == Some(Sabotage::NoGuard) {
            settings.guard = GuardLimits { max_deletes: 0, max_delete_percent: 0 };
        }
        let second = history.has(Twist::SecondMachine).then(|| Second::beside(&world, history, telling));
        Self {
            person: Person::new(&world, second.as_ref().map(Second::store_and_disk)),
            second,
            host: "sim",
            world,
            settings,
            seen: Arc::default(),
            history: history.clone(),
            engine: None,
            hints: Hints::of(history),
            sabotage,
            telling,
            told: Vec::new(),
        }
    }

    /// The watcher saw that file closed after writing.
    pub fn closed_after_writing(&mut self, path: &str) {
        if let Some(engine) = self.engine.as_mut() {
            engine.doubt_files(RelPath::parse(path));
        }
    }

    /// The daily verification is due.
    pub fn verification_is_due(&mut self) {
        if let Some(engine) = self.engine.as_mut() {
            engine.doubt_recent();
        }
    }

    /// The process ends.
    pub fn stop(&mut self) {
        self.engine = None;
    }

    /// A process that is to be a new one starts: it brings back first what the one before displaced.
    pub fn start(&mut self) {
        if self.engine.is_none() {
            self.world.disk.rescue_strays();
        }
    }

    /// Who acts here from now on.
    pub fn use_person(&mut self, person: Person) {
        self.person = person;
    }

    /// What happened, if it was to be told.
    pub fn told(&self) -> String {
        let second = self.second.as_ref().map(Second::told).filter(|told| !told.is_empty());
        let second = second.map(|told| format!("At the second machine:\n{told}"));
        self.told.iter().cloned().chain(second).collect::<Vec<_>>().join("\n")
    }

    /// From now on what happens is written down.
    pub fn tell_all(&mut self) {
        self.telling = true;
    }

    /// Passes that repeat themselves tell nothing new.
    pub fn tell_no_more(&mut self, no_more: bool) {
        self.telling &= !no_more;
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.telling {
            self.told.push(line());
        }
    }

    /// All of it, then quiet, and the oracle.
    ///
    /// # Errors
    ///
    /// The first promise that is found broken.
    pub fn whole(&mut self) -> Result<(), Broken> {
        let ops = self.history.ops.clone();
        for (number, op) in ops.iter().enumerate() {
            self.tell(|| format!("-- {number}: {op:?}"));
            self.op(op)?;
            oracle::at_any_time(self)?;
        }
        self.tell(|| "-- quiet".to_owned());
        oracle::after_quiet(self)
    }

    fn op(&mut self, op: &Op) -> Result<(), Broken> {
        match op {
            Op::Deed(deed) => self.person.act(deed),
            Op::Wait(seconds) => {
                self.world.clock.advance(Duration::from_secs(*seconds));
                if *seconds > 90_000 {
                    guarded::count_from_now(self);
                }
            }
            Op::Pass(pass) => self.pass(pass)?,
            Op::Decide(approve) => self.decide(*approve),
            Op::LoseState => {
                self.engine = None;
                self.world.disk.remount();
                self.world.store.wipe();
                guarded::count_no_more(self);
            }
            Op::PowerCut => {
                self.engine = None;
                self.world.restart(self.goes_away(Crash::PowerCut));
            }
            Op::Reboot(off, leap) => {
                self.end();
                self.world.clock.reboot(Duration::from_secs(*off));
                self.world.clock.leap(*leap);
            }
            Op::Between(what) => self.happens(what)?,
            Op::Second(deed) => {
                if let Some(second) = &self.second {
                    second.act(deed);
                }
            }
            Op::Backup => self.person.take_backup(),
            Op::Copied(volumes, lost) => {
                self.engine = None;
                self.person.copy(*volumes, lost);
                // Who takes away the last that is known of a volume makes it one that nobody knows.
                if *volumes {
                    self.pass(&Pass { remote: true, by_person: true, ..Pass::default() })?;
                }
            }
        }
        Ok(())
    }

    /// The owner's word on what is held.
    pub fn decide(&mut self, approve: bool) {
        let mut guard = self.world.store.durable().guard;
        if guard.held.is_empty() {
            return;
        }
        guard.verdict = Some(if approve { Verdict::Approved } else { Verdict::Rejected });
        if approve {
            guarded::count_no_more(self);
        }
        let changes = [Change::Guard(guard)];
        match self.engine.as_mut() {
            Some(engine) => drop(engine.commit(&changes)),
            None => drop(icloudds::engine::ports::Store::commit(&mut self.world.store.clone(), &changes)),
        }
    }

    /// One pass of a history, with what comes in between.
    ///
    /// # Errors
    ///
    /// The promise that does not hold.
    pub fn pass(&mut self, pass: &Pass) -> Result<(), Broken> {
        for (fault, rate) in &pass.faults {
            self.world.fuse.rate(*fault, *rate);
        }
        // Who comes too late for the pass acts after it.
        let waiting: Arc<Mutex<Vec<Option<Deed>>>> =
            Arc::new(Mutex::new(pass.meddle.iter().map(|(_, deed)| Some(deed.clone())).collect()));
        for (number, (steps, _)) in pass.meddle.iter().enumerate() {
            let (waiting, person) = (waiting.clone(), self.person.clone());
            self.world.fuse.interject(*steps, move || {
                let deed = lock(&waiting)[number].take();
                if let Some(deed) = deed {
                    person.act(&deed);
                }
            });
        }
        self.surprised(pass);
        if let Some((steps, how)) = pass.vanish {
            let disk = self.world.disk.clone();
            self.world.fuse.interject(steps, move || disk.vanish(Some(how)));
        }
        if pass.fresh {
            self.end();
        }
        let look = Look {
            local: match pass.folders_only {
                true => LocalLook::Folders(self.person.dirty()),
                false => LocalLook::Whole,
            },
            remote: self.hints.look(pass, &self.world.drive),
        };
        let mut crashes = pass.crashes.iter();
        loop {
            let crash = crashes.next();
            if let Some((steps, _)) = crash {
                self.world.fuse.crash_after(*steps);
            }
            let again = matches!(self.run_for(&look, pass.by_person, pass.enough)?, Outcome::Crashed);
            let Some((_, how)) = crash.filter(|_| again) else { break };
            self.tell(|| format!("   crash: {how:?}"));
            self.world.restart(self.goes_away(*how));
            if self.history.has(Twist::StartsWithoutVolumes) {
                self.person.take_volumes_off();
            }
            oracle::at_any_time(self)?;
        }
        // No step is left in which a crash could come: the fuse of one that was not reached is taken out.
        self.world.fuse.renew();
        self.world.fuse.calm();
        let late: Vec<_> = lock(&waiting).iter_mut().filter_map(Option::take).collect();
        late.iter().for_each(|deed| self.person.act(deed));
        self.flush_hooks();
        self.world.fuse.await_no_more();
        self.world.disk.vanish(None);
        self.second.as_ref().map_or(Ok(()), Second::is_sound)
    }

    /// What comes at any time.
    fn happens(&self, what: &What) -> Result<(), Broken> {
        happen(what, &self.world.clock, &self.world.disk, &self.person, self.second.as_ref());
        self.second.as_ref().map_or(Ok(()), Second::is_sound)
    }

    fn surprised(&self, pass: &Pass) {
        for (when, what) in &pass.surprises {
            let (what, clock, disk) = (what.clone(), self.world.clock.clone(), self.world.disk.clone());
            let (drive, person, second) =
                (self.world.drive.clone(), self.person.clone(), self.second.clone());
            let act = move || drive.as_another(|| happen(&what, &clock, &disk, &person, second.as_ref()));
            match when {
                When::Step(steps) => self.world.fuse.interject(*steps, act),
                When::Call(call, skip) => self.world.fuse.interject_at(*call, *skip, act),
            }
        }
    }

    /// Lets what was to happen at a later step happen now.
    fn flush_hooks(&self) {
        for _ in 0..100 {
            drop(self.world.fuse.step());
        }
    }

    /// One run of the program: a pass, in the process that runs already or a new one.
    ///
    /// # Errors
    ///
    /// When the engine says something that must never be said.
    pub fn run(
        &mut self,
        look: &Look,
        by_person: bool,
    ) -> Result<Outcome<Result<Report, PassError>>, Broken> {
        self.run_for(look, by_person, None)
    }

    /// As [`Run::run`], for so many steps of carrying it out.
    ///
    /// # Errors
    ///
    /// As [`Run::run`].
    pub fn run_for(
        &mut self,
        look: &Look,
        by_person: bool,
        enough: Option<u64>,
    ) -> Result<Outcome<Result<Report, PassError>>, Broken> {
        self.start();
        let mut engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new(self.world.store.durable(), Box::new(self.world.store.clone())),
        };
        let drive = RiggedDrive {
            inner: &self.world.drive,
            disk: &self.world.disk,
            sabotage: self.sabotage,
            seen: self.seen.clone(),
        };
        let disk = RiggedDisk {
            inner: &self.world.disk,
            drive: &self.world.drive,
            sabotage: self.sabotage,
            seen: self.seen.clone(),
        };
        if ![Twist::NoBirths, Twist::Newest, Twist::NoIdentities].iter().any(|twist| self.history.has(*twist))
        {
            *lock(&self.seen.known) = known(&engine);
        }
        let read_only = ReadOnly(&drive);
        let ports = Ports { remote: &drive, disk: &disk, clock: &*self.world.clock };
        let ports = read_only.unless_changed_in(self.settings.mode, ports);
        let now = jiff::Timestamp::from_second(self.world.clock.seconds()).expect("a time of this era");
        let mark = format!("{} {}", now.strftime("%Y-%m-%d %H-%M-%S"), self.host);
        let observer = Watching::of(&self.person, self.history.is_daemon(), enough, self.telling);
        let options =
            PassOptions { ignore_next_try: by_person, observer: &observer, ..PassOptions::new(&mark) };
        let way = Way::of(&self.history, self.sabotage);
        let settings = &self.settings;
        let outcome = self.world.run(|| way.pass(&mut engine, &ports, settings, look, &options));
        let mut told = observer.told();
        if let Outcome::Done(result) = &outcome {
            match result {
                Ok(Report { outcome, .. }) if outcome.failed.is_empty() && !outcome.unconfirmed => {
                    self.world.journal.saw_all();
                }
                Ok(_) => self.world.journal.could_not_look(),
                Err(_) => {}
            }
            if self.telling {
                told.push(match result {
                    Ok(report) => format!(
                        "   done: {:?} failed {:?} again {:?} waiting {}",
                        report.outcome.counts,
                        report.outcome.failed,
                        report.outcome.plan_again,
                        report.outcome.waiting
                    ),
                    Err(error) => format!("   ended: {error}"),
                });
            }
            // Who lost the folder opens it anew, and brings back first what was displaced, as a new process does.
            let is_lost = matches!(result, Err(PassError::WrongFolder(_)));
            self.engine = Some(engine).filter(|_| !is_lost);
        }
        self.told.extend(told);
        let refused = self.world.store.refused();
        // To forget what went with its folder already is harmless.
        match refused.iter().find(|change| !matches!(change, Change::Remove(_))) {
            Some(change) => Err(Broken::new("store", format!("a change that cannot apply: {change:?}"))),
            None => Ok(outcome),
        }
    }
}

/// Something comes in between, at the first machine but for a pass of the second.
fn happen(what: &What, clock: &SimClock, disk: &SimDisk, person: &Person, second: Option<&Second>) {
    match what {
        What::Deed(deed) => person.act(deed),
        What::Leap(seconds) => clock.leap(*seconds),
        What::VolumesOff => person.take_volumes_off(),
        What::VolumesOn => disk.remount(),
        What::SecondPasses(pass) => {
            if let Some(second) = second {
                second.pass(pass);
            }
        }
    }
}
