//! Runs a history: the world, the program that is started and stopped in it, and the log of what came of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use icloudds::engine::execute::Packages;
use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::{Action, Plan, Replacement};
use icloudds::engine::pass::{Engine, LocalLook, Look, PassError, PassOptions, Report, Settings};
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::engine::ports::Clock as _;
use icloudds::engine::ports::Ports;
use icloudds::model::filter::Filter;
use icloudds::model::state::Verdict;
use icloudds::model::{
    BaseEntry, Change, DiskTime, Identity, ItemId, LocalStamp, Node, Presence, RelPath, Side,
};

use super::history::{Deed, History, Op, Pass, Twist};
use super::oracle::{self, Broken};
use super::person::Person;
use super::rigged::{RiggedDisk, RiggedDrive, Sabotage, Seen};
use crate::sim::drive::switches::{CommitTwice, EtagUp, NameStorage, PutBack, Signatures, Taken, Times};
use crate::sim::fuse::lock;
use crate::sim::{Crash, Outcome, World};

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
    person: Person,
    engine: Option<Engine>,
    sabotage: Option<Sabotage>,
    /// Whether what happens is written down.
    telling: bool,
    told: Vec<String>,
}

/// The settings of a history.
fn settings(history: &History) -> Settings {
    let ignore = if history.odd { vec![r"(.*/)?own\.ign".to_owned()] } else { Vec::new() };
    Settings {
        mode: match (history.has(Twist::DownloadOnly), history.has(Twist::UploadOnly)) {
            (true, _) => Mode::DownloadOnly,
            (_, true) => Mode::UploadOnly,
            _ => Mode::TwoWay,
        },
        conflict: match history.has(Twist::Newest) {
            true => ConflictPolicy::Newest,
            false => ConflictPolicy::KeepBoth,
        },
        replacement: match history.has(Twist::TrashWay) {
            true => Replacement::Trash,
            false => Replacement::InPlace,
        },
        packages: if history.has(Twist::SkipPackages) { Packages::Skip } else { Packages::Zip },
        max_file_size: None,
        filter: Filter::compile(&ignore, &[]).expect("the expression compiles"),
        app_libraries: Vec::new(),
        root_is_library: false,
        remote_delete_permanent: history.has(Twist::Permanent),
        workers: 1,
        guard: match history.has(Twist::SmallGuard) {
            true => GuardLimits { max_deletes: 2, max_delete_percent: 0 },
            false => GuardLimits { max_deletes: 0, max_delete_percent: 0 },
        },
    }
}

fn turn(world: &World, twist: Twist) {
    world.drive.switch(|drive| match twist {
        Twist::EtagAtOnce => drive.etag_up = EtagUp::AtOnce,
        Twist::EtagNever => drive.etag_up = EtagUp::Never,
        Twist::NoCounts => drive.counts = false,
        Twist::NeverGone => drive.gone = false,
        Twist::Late(seconds) => drive.visible_after = seconds,
        Twist::NoCasMove => drive.cas_move = false,
        Twist::CasRename => drive.cas_rename = true,
        Twist::CasSubtree => drive.cas_subtree = true,
        Twist::TakenError => drive.taken = Taken::Error,
        Twist::TakenExisting => drive.taken = Taken::Existing,
        Twist::AsSent => drive.names = NameStorage::AsSent,
        Twist::StoresNfc => drive.names = NameStorage::Nfc,
        Twist::RemoteFoldsCase => drive.names = NameStorage::FoldsCase,
        Twist::PutBackNewName => drive.put_back = PutBack::NewName,
        Twist::PutBackNewId => drive.put_back = PutBack::NewId,
        Twist::PutBackBoth => drive.put_back = PutBack::Both,
        Twist::PutBackSilent => drive.put_back = PutBack::Silent,
        Twist::OtherFormula => drive.signatures = Signatures::OtherFormula,
        Twist::OtherForm => drive.signatures = Signatures::OtherForm,
        Twist::NoSignatures => drive.signatures = Signatures::Absent,
        Twist::LookUpSigns => drive.look_up_signs = true,
        Twist::ZeroUntold => drive.zero_size_untold = true,
        Twist::NoRanges => drive.ranges = false,
        Twist::CommitTaken => drive.commit_twice = CommitTwice::Taken,
        Twist::CommitDuplicate => drive.commit_twice = CommitTwice::Duplicate,
        Twist::TimesCeil => drive.times = Times::Ceil,
        Twist::TimesNow => drive.times = Times::Now,
        Twist::NotInPlace => drive.in_place = false,
        Twist::PackagesVary => drive.packages_vary = true,
        Twist::IntoTrashed => drive.into_trashed = true,
        Twist::Quota => drive.quota = Some(250),
        _ => {}
    });
    world.disk.switch(|disk| match twist {
        Twist::NoBirths => disk.births = false,
        Twist::ReuseInodes => disk.reuse_inodes = true,
        Twist::LocalFoldsCase => disk.folds_case = true,
        Twist::LazyPersons => disk.persons_sync = false,
        Twist::LosesContents => (disk.persons_sync, disk.loses_contents) = (false, true),
        Twist::SmallDisk => disk.capacity = Some(400),
        _ => {}
    });
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
        Self {
            person: Person::new(&world),
            world,
            settings,
            seen: Arc::default(),
            history: history.clone(),
            engine: None,
            sabotage,
            telling,
            told: Vec::new(),
        }
    }

    /// The watcher saw that file closed after writing.
    pub fn closed_after_writing(&mut self, path: &str) {
        if let Some(engine) = self.engine.as_mut() {
            engine.doubted.files(RelPath::parse(path));
        }
    }

    /// The daily verification is due.
    pub fn verification_is_due(&mut self) {
        if let Some(engine) = self.engine.as_mut() {
            engine.doubted.recent();
        }
    }

    /// What happened, if it was to be told.
    pub fn told(&self) -> String {
        self.told.join("\n")
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
                    oracle::count_from_now(self);
                }
            }
            Op::Pass(pass) => self.pass(pass)?,
            Op::Decide(approve) => self.decide(*approve),
            Op::LoseState => {
                self.engine = None;
                self.world.store.wipe();
                oracle::count_no_more(self);
            }
            Op::PowerCut => {
                self.engine = None;
                self.world.restart(Crash::PowerCut);
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
            oracle::count_no_more(self);
        }
        let changes = [Change::Guard(guard)];
        match self.engine.as_mut() {
            Some(engine) => drop(engine.commit(&changes)),
            None => drop(icloudds::engine::ports::Store::commit(&mut self.world.store.clone(), &changes)),
        }
    }

    fn pass(&mut self, pass: &Pass) -> Result<(), Broken> {
        for (fault, rate) in &pass.faults {
            self.world.fuse.rate(*fault, *rate);
        }
        // Who comes too late for the pass acts after it.
        let waiting: Arc<Mutex<Vec<Option<Deed>>>> =
            Arc::new(Mutex::new(pass.meddle.iter().map(|(_, deed)| Some(deed.clone())).collect()));
        for (number, (steps, _)) in pass.meddle.iter().enumerate() {
            let (waiting, person) = (waiting.clone(), self.person.clone());
            let (drive, clock) = (self.world.drive.clone(), self.world.clock.clone());
            self.world.fuse.interject(*steps, move || {
                let deed = lock(&waiting)[number].take();
                if let Some(deed) = deed {
                    let before = clock.now();
                    person.act(&deed);
                    drive.was_held_up(clock.now().0 - before.0);
                }
            });
        }
        if let Some((steps, how)) = pass.vanish {
            let disk = self.world.disk.clone();
            self.world.fuse.interject(steps, move || disk.vanish(Some(how)));
        }
        if pass.fresh {
            self.engine = None;
        }
        let look = Look {
            local: match pass.folders_only {
                true => LocalLook::Folders(self.person.dirty()),
                false => LocalLook::Whole,
            },
            remote: pass.remote,
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
            self.world.restart(*how);
            oracle::at_any_time(self)?;
        }
        // No step is left in which a crash could come: the fuse of one that was not reached is taken out.
        self.world.fuse.renew();
        self.world.fuse.calm();
        let late: Vec<_> = lock(&waiting).iter_mut().filter_map(Option::take).collect();
        late.iter().for_each(|deed| self.person.act(deed));
        self.flush_hooks();
        self.world.disk.vanish(None);
        Ok(())
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
        if !self.history.has(Twist::NoBirths) && !self.history.has(Twist::Newest) {
            *lock(&self.seen.known) = known(&engine);
        }
        let ports = Ports { remote: &drive, disk: &disk, clock: &*self.world.clock };
        let mark = format!("{} sim", self.world.clock.seconds());
        let asked = Cell::new(0);
        let should_yield = || {
            asked.set(asked.get() + 1);
            enough.is_some_and(|most| asked.get() > most)
        };
        let options = PassOptions {
            ignore_next_try: by_person,
            should_yield: &should_yield,
            ..PassOptions::new(&mark)
        };
        let (settings, sabotage, telling) = (&self.settings, self.sabotage, self.telling);
        let apart = self.history.apart;
        let mut told = Vec::new();
        let outcome = self.world.run(|| {
            if apart {
                beside(&mut engine, &ports, settings, look, &options)?;
            }
            engine.recover(&ports)?;
            engine.look(&ports, settings, look)?;
            let mut planned = engine.plan(&ports, settings, &options);
            if telling {
                told.extend(planned.plan.operations.iter().map(show));
                told.extend(
                    planned.plan.notes.iter().map(|note| format!("   note {}: {:?}", note.path, note.kind)),
                );
            }
            match sabotage {
                Some(Sabotage::BaseFirst) => base_first(&mut engine, &planned.plan),
                Some(Sabotage::Lazy) => planned.plan.operations.retain(|operation| {
                    !matches!(operation.action, Action::Upload { .. } | Action::MakeRemoteFolder { .. })
                }),
                Some(Sabotage::NeverQuiet) => drop(engine.commit(&[Change::Synced(1)])),
                _ => {}
            }
            engine.carry_out(&ports, settings, &options, planned, &mut |_| {})
        });
        if let Outcome::Done(result) = &outcome {
            if telling {
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
            self.engine = Some(engine);
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

/// Which item of iCloud each local one is, as far as identities can be told apart.
fn known(engine: &Engine) -> HashMap<Identity, Vec<(ItemId, RelPath)>> {
    let base = &engine.state.base;
    let mut known: HashMap<_, Vec<_>> = HashMap::new();
    for node in base.walk(Node::ROOT) {
        let entry = base.get(node);
        if entry.presence == Presence::Both {
            known.entry(entry.stamp.identity).or_default().push((entry.id.clone(), base.path(node)));
        }
    }
    known
}

/// A walk through iCloud with a pass beside it that asks iCloud nothing, before or after it: the daemon does so while
/// iCloud is slow or away.
fn beside(
    engine: &mut Engine,
    ports: &Ports<'_>,
    settings: &Settings,
    look: &Look,
    options: &PassOptions<'_>,
) -> Result<(), PassError> {
    let walk = engine.walk();
    let seen_first = ports.clock.unit_random() < 0.5;
    let early = if seen_first { Some(walk.run(ports.remote, ports.clock, settings)?) } else { None };
    engine.pass_here(ports.disk, ports.clock, settings, &look.local, options, &mut |_| {})?;
    let view = match early {
        Some(view) => view,
        None => walk.run(ports.remote, ports.clock, settings)?,
    };
    if look.remote || engine.remote.is_none() {
        engine.saw_there(view, ports.clock.now().whole_seconds());
    }
    Ok(())
}

/// One line about an operation.
fn show(operation: &icloudds::engine::operation::Operation) -> String {
    let mut text = format!("{:?}", operation.action);
    for noise in
        ["ItemId { zone: CloudDocs, doc: Uuid([94, 237, 0, 0, 0, 0, 64, 0, 128, 0, 0, 0, 0, 0, ", "RelPath"]
    {
        text = text.replace(noise, "");
    }
    text.truncate(text.char_indices().nth(700).map_or(text.len(), |(at, _)| at));
    format!("   plan {} because {}, after {:?}: {text}", operation.path, operation.reason, operation.after)
}

/// What a bad engine does: the base says that downloads are here before they are.
fn base_first(engine: &mut Engine, plan: &Plan) {
    for operation in &plan.operations {
        if let Action::Download { remote, over: None } = &operation.action {
            let entry = BaseEntry {
                id: remote.id.clone(),
                folder: false,
                package: false,
                presence: Presence::Both,
                local_name: operation.path.name().into(),
                remote_name: remote.name.clone(),
                etag: remote.etag.clone(),
                remote_size: remote.size,
                remote_mtime: remote.mtime,
                stamp: LocalStamp {
                    size: remote.size.unwrap_or(0),
                    mtime: DiskTime(0),
                    ctime: DiskTime(0),
                    identity: Identity { inode: 999_999, birth: None },
                    on_root_fs: true,
                },
                racy: false,
                signature: remote.signature,
                created_on: Some((Side::Remote, 0)),
                written_at: None,
            };
            if engine.state.base.by_id(&remote.parent).is_some() {
                drop(engine.commit(&[Change::Put { parent: remote.parent.clone(), entry: Box::new(entry) }]));
            }
        }
    }
}
