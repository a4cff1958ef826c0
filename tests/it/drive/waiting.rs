//! The engine over the real client: what happens elsewhere while a busy service is waited for.

use icloudds::engine::execute::{Event, Packages};
use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::Replacement;
use icloudds::engine::pass::{Engine, Look, PassOptions, RETRY_BUDGET, Settings};
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::engine::ports::Ports;
use icloudds::model::filter::Filter;

use super::*;
use crate::sim;

/// What somebody does in the first wait.
type Deed = Box<dyn FnOnce(&sim::SimDisk, &Simulator) + Send>;

/// The clock of the disk in memory, with which the simulator's goes on.
struct Meddling {
    local: Arc<sim::World>,
    sim: Arc<Simulator>,
    deed: Mutex<Option<Deed>>,
}

impl Clock for Meddling {
    fn now(&self) -> DiskTime {
        self.local.clock.now()
    }

    fn uptime(&self) -> Duration {
        self.local.clock.uptime()
    }

    fn boot(&self) -> u64 {
        self.local.clock.boot()
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        let deed = self.deed.lock().unwrap().take();
        if let Some(deed) = deed {
            deed(&self.local.disk, &self.sim);
        }
        self.sim.advance(time);
        self.local.clock.pause(time)
    }

    fn unit_random(&self) -> f64 {
        0.5
    }
}

/// An engine with a folder in memory and the client of a simulated iCloud.
struct Machine {
    world: World,
    local: Arc<sim::World>,
    clock: Arc<Meddling>,
    drive: ICloudDrive,
    engine: Engine,
}

impl Machine {
    fn new() -> Self {
        let world = World::new(|_| {});
        let local = Arc::new(sim::World::new(1));
        let sim = Arc::clone(&world.sim);
        let clock = Arc::new(Meddling { local: Arc::clone(&local), sim, deed: Mutex::default() });
        let http = Http::new(&HttpOptions::default()).expect("a client");
        let api = Arc::new(Direct { http, url: world.sim.url() });
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let drive = ICloudDrive::new(api, DriveOptions::default(), shared);
        let engine = Engine::new(local.store.durable(), Box::new(local.store.clone()));
        Self { world, local, clock, drive, engine }
    }

    fn pass(&mut self) {
        self.pass_within(RETRY_BUDGET, &mut |_| {});
        self.local.clock.advance(Duration::from_secs(100));
        self.world.sim.advance(Duration::from_secs(100));
    }

    fn pass_within(&mut self, retry_budget: Duration, hear: &mut dyn FnMut(&Event)) {
        let settings = Settings {
            mode: Mode::TwoWay,
            conflict: ConflictPolicy::KeepBoth,
            replacement: Replacement::InPlace,
            packages: Packages::Zip,
            max_file_size: None,
            filter: Filter::compile(&[], &[]).expect("nothing to compile"),
            app_libraries: Vec::new(),
            root_is_library: false,
            remote_delete_permanent: false,
            workers: 1,
            parallel_writes: 1,
            guard: GuardLimits { max_deletes: 0, max_delete_percent: 0 },
        };
        let ports = Ports { remote: &self.drive, disk: &*self.local.disk, clock: &*self.clock };
        let options = PassOptions {
            ignore_next_try: !retry_budget.is_zero(),
            retry_budget,
            ..PassOptions::new("mark")
        };
        self.engine.pass(&ports, &settings, &Look::whole(), &options, hear).expect("a whole pass");
    }

    /// The file `a` on both sides; then `edit` here, and the first call of that kind meets a busy zone.
    fn busy(kind: &str, edit: impl FnOnce(&sim::SimDisk) -> bool, deed: Deed) -> Self {
        let mut machine = Self::new();
        assert!(machine.local.disk.write("a", b"agreed"));
        machine.local.clock.advance(Duration::from_secs(100));
        machine.pass();
        machine.pass();
        assert!(edit(&machine.local.disk));
        machine.local.clock.advance(Duration::from_secs(100));
        machine.world.fault(kind, 1, answer(409, Some("ZONE_BUSY"), None));
        *machine.clock.deed.lock().unwrap() = Some(deed);
        for _ in 0..4 {
            machine.pass();
        }
        assert!(machine.clock.deed.lock().unwrap().is_none(), "nobody waited");
        machine
    }

    /// All contents here, sorted.
    fn contents(&self) -> Vec<String> {
        let files = self.local.disk.tree().into_values().filter_map(|thing| match thing {
            sim::Thing::File(content) => Some(String::from_utf8_lossy(&content).into_owned()),
            _ => None,
        });
        let mut contents: Vec<_> = files.collect();
        contents.sort();
        contents
    }

    fn on_icloud(&self, name: &str) -> Option<String> {
        let content = self.world.sim.drive().content(name).expect("readable");
        content.map(|content| String::from_utf8_lossy(&content).into_owned())
    }
}

#[test]
fn an_edit_elsewhere_while_a_busy_zone_is_waited_for_is_not_overwritten() {
    let machine = Machine::busy(
        "commit",
        |disk| disk.write("a", b"edited here"),
        Box::new(|_, sim| sim.drive().write("a", "edited elsewhere").expect("written")),
    );
    assert_eq!(machine.contents(), ["edited elsewhere", "edited here"]);
    assert_eq!(machine.on_icloud("a").as_deref(), Some("edited elsewhere"));
}

#[test]
fn a_name_given_elsewhere_while_a_busy_zone_is_waited_for_stays() {
    let machine = Machine::busy(
        "rename",
        |disk| disk.mv("a", "b"),
        Box::new(|_, sim| sim.drive().rename("a", "c").expect("renamed")),
    );
    assert_eq!(machine.world.names(&root()), ["c"]);
    assert!(machine.local.disk.read("c").is_some());
}

#[test]
fn a_file_that_comes_back_while_a_busy_zone_is_waited_for_is_not_deleted() {
    let machine = Machine::busy(
        "trash",
        |disk| disk.delete("a"),
        Box::new(|disk, _| assert!(disk.write("a", b"came back"))),
    );
    assert_eq!(machine.contents(), ["came back"]);
    assert!(machine.world.sim.drive().trash_contents().is_empty());
    assert_eq!(machine.on_icloud("a").as_deref(), Some("came back"));
}

#[test]
fn a_file_that_is_edited_here_while_a_busy_zone_is_waited_for_goes_up_as_it_is() {
    let machine = Machine::busy(
        "commit",
        |disk| disk.write("a", b"edited here"),
        Box::new(|disk, _| assert!(disk.write("a", b"edited once more"))),
    );
    assert_eq!(machine.contents(), ["edited once more"]);
    assert_eq!(machine.on_icloud("a").as_deref(), Some("edited once more"));
}

#[test]
fn what_fails_on_and_on_ends_within_a_minute_of_the_last_success_whatever_fails() {
    let kinds =
        ["download.content", "download.info", "upload.content", "upload.slot", "commit", "details", "lookup"];
    for kind in kinds {
        let mut machine = Machine::new();
        machine.pass();
        for number in 0..9 {
            assert!(machine.local.disk.write(&format!("here {number}"), format!("here {number}").as_bytes()));
            machine.world.write(&format!("there {number}"), &format!("there {number}"));
        }
        machine.local.clock.advance(Duration::from_secs(100));
        machine.world.fault(kind, 1_000_000, answer(503, None, None));
        let (mut succeeded, mut longest) = (machine.local.clock.uptime(), Duration::ZERO);
        for _ in 0..3 {
            let spent = machine.local.clock.uptime().saturating_sub(succeeded);
            let budget = RETRY_BUDGET.saturating_sub(spent);
            let clock = Arc::clone(&machine.clock);
            machine.pass_within(budget, &mut |event| {
                if matches!(event, Event::Done(_)) {
                    longest = longest.max(clock.uptime().saturating_sub(succeeded));
                    succeeded = clock.uptime();
                }
            });
        }
        let last = machine.local.clock.uptime().saturating_sub(succeeded);
        assert!(longest.max(last) <= Duration::from_secs(60), "{kind}: {longest:?}, then {last:?}");
    }
}
