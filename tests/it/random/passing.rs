//! How the program makes one pass of a history: in one call, as `once` and the daemon do, or with a fault put in between its parts.

use std::cell::{Cell, RefCell};

use icloudds::engine::execute::Event;
use icloudds::engine::operation::{Action, Operation, Plan};
use icloudds::engine::pass::{
    Engine, Look, PassError, PassObserver, PassOptions, RemoteLook, Report, Settings, Sight,
};
use icloudds::engine::ports::Ports;
use icloudds::engine::view::LocalView;
use icloudds::model::{BaseEntry, Change, DiskTime, Identity, LocalStamp, Presence, Side};

use super::history::History;
use super::looks::{beside, rigged_look, trust};
use super::person::Person;
use super::rigged::Sabotage;

/// Who watches a pass: has it begin nothing new after so many steps, knows whether somebody changes something here meanwhile, and writes
/// down what is planned.
pub struct Watching<'a> {
    /// Who may change something, and how often it had when the pass began; `None` where nobody watches the folder.
    here: Option<(&'a Person, usize)>,
    asked: Cell<u64>,
    after: Option<u64>,
    telling: bool,
    told: RefCell<Vec<String>>,
}

impl<'a> Watching<'a> {
    /// For a pass that begins now.
    pub fn of(person: &'a Person, is_watched: bool, after: Option<u64>, telling: bool) -> Self {
        let here = is_watched.then(|| (person, person.unasked()));
        Self { here, asked: Cell::new(0), after, telling, told: RefCell::default() }
    }

    /// What was planned, if it was to be told.
    pub fn told(&self) -> Vec<String> {
        self.told.take()
    }

    fn tell(&self, plan: &Plan) {
        if self.telling {
            let mut told = self.told.borrow_mut();
            told.extend(plan.operations.iter().map(show));
            told.extend(plan.notes.iter().map(|note| format!("   note {}: {:?}", note.path, note.kind)));
        }
    }
}

impl PassObserver for Watching<'_> {
    fn is_settled_here(&self) -> bool {
        self.here.is_none_or(|(person, before)| person.unasked() == before)
    }

    fn should_yield(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.after.is_some_and(|most| self.asked.get() > most)
    }

    fn on_plan(&self, plan: &Plan, _: Option<&LocalView>) {
        self.tell(plan);
    }
}

/// The way in which the program of a history makes a pass.
pub struct Way {
    sabotage: Option<Sabotage>,
    apart: bool,
    is_daemon: bool,
}

impl Way {
    /// That of a history.
    pub fn of(history: &History, sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, apart: history.apart, is_daemon: history.is_daemon() }
    }

    /// Makes one.
    ///
    /// # Errors
    ///
    /// As [`Engine::pass`].
    pub fn pass(
        &self,
        engine: &mut Engine,
        ports: &Ports<'_>,
        settings: &Settings,
        look: &Look,
        options: &PassOptions<'_>,
    ) -> Result<Report, PassError> {
        if self.apart {
            beside(engine, ports, settings, look, options)?;
        }
        if self.sabotage.is_some() {
            return self.in_parts(engine, ports, settings, look, options);
        }
        let look = match self.is_daemon {
            true => handed_over(engine, ports, settings, look)?,
            false => look.clone(),
        };
        engine.pass(ports, settings, &look, options, &mut assert_within_total)
    }

    /// The parts of [`Engine::pass`], with the fault.
    fn in_parts(
        &self,
        engine: &mut Engine,
        ports: &Ports<'_>,
        settings: &Settings,
        look: &Look,
        options: &PassOptions<'_>,
    ) -> Result<Report, PassError> {
        engine.keep_time(ports.clock)?;
        engine.recover(ports)?;
        let look = rigged_look(self.sabotage, look, engine);
        engine.look(ports, settings, &look)?;
        engine.settle_late(ports)?;
        trust(self.sabotage, &look, engine, ports.clock);
        let mut planned = engine.plan(ports, settings, options);
        engine.leave_for_later(&mut planned, ports, options);
        options.observer.on_plan(&planned.plan, engine.local_view());
        match self.sabotage {
            Some(Sabotage::BaseFirst) => base_first(engine, &planned.plan),
            Some(Sabotage::Lazy) => planned.plan.operations.retain(|operation| {
                !matches!(operation.action, Action::Upload { .. } | Action::MakeRemoteFolder { .. })
            }),
            Some(Sabotage::NeverQuiet) => drop(engine.commit(&[Change::Synced(1)])),
            _ => {}
        }
        engine.carry_out(ports, settings, options, planned, &mut assert_within_total)
    }
}

/// Looks at iCloud before the pass begins, as the daemon does, which hands over what a walk saw; and what is left to be looked at.
fn handed_over(
    engine: &mut Engine,
    ports: &Ports<'_>,
    settings: &Settings,
    look: &Look,
) -> Result<Look, PassError> {
    let walk = engine.walk();
    let sight = match &look.remote {
        RemoteLook::Nothing => Sight::Nothing,
        RemoteLook::Touched(touched) => walk.run_where(touched, ports.remote, ports.clock, settings)?,
        RemoteLook::Etags => walk.run_by_etag(ports.remote, ports.clock, settings)?,
        RemoteLook::Whole => Sight::Whole(walk.run(ports.remote, ports.clock, settings)?),
    };
    engine.saw_there(sight, ports.clock);
    Ok(Look { local: look.local.clone(), remote: RemoteLook::Nothing })
}

/// One line about an operation.
fn show(operation: &Operation) -> String {
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
                remote_size: remote.size.into(),
                remote_mtime: remote.mtime.into(),
                stamp: LocalStamp {
                    size: remote.size.unwrap_or(0),
                    mtime: DiskTime(0),
                    ctime: DiskTime(0),
                    identity: Identity { inode: 999_999, birth: None.into() },
                    on_root_fs: true,
                    is_mount: false,
                },
                racy: false,
                signature: remote.signature,
                created_on: Some((Side::Remote, 0)).into(),
                written_at: None.into(),
            };
            if engine.state().base.by_id(&remote.parent).is_some() {
                drop(engine.commit(&[Change::Put { parent: remote.parent.clone(), entry: Box::new(entry) }]));
            }
        }
    }
}

/// No progress that is told goes beyond its total, whatever had to be done again.
fn assert_within_total(event: &Event) {
    if let Event::Progress(told) = event {
        assert!(told.items_done <= told.items_total && told.bytes_done <= told.bytes_total, "{told:?}");
    }
}
