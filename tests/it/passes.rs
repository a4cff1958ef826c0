//! A world and an engine in it that runs whole passes, with the guards on.

use std::time::Duration;

use icloudds::engine::execute::Packages;
use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::Replacement;
use icloudds::engine::pass::{Engine, Look, PassOptions, Report, Settings};
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::engine::ports::Ports;
use icloudds::model::Change;
use icloudds::model::filter::Filter;

use crate::sim::World;

pub fn settings() -> Settings {
    Settings {
        mode: Mode::TwoWay,
        conflict: ConflictPolicy::KeepBoth,
        replacement: Replacement::InPlace,
        packages: Packages::Zip,
        max_file_size: None,
        filter: Filter::compile(&[], &[]).unwrap(),
        app_libraries: Vec::new(),
        root_is_library: false,
        remote_delete_permanent: false,
        workers: 1,
        parallel_writes: 1,
        guard: GuardLimits { max_deletes: 100, max_delete_percent: 25 },
    }
}

/// A world and a process in it that may start again.
pub struct Bench {
    pub world: World,
    pub engine: Engine,
}

impl Bench {
    pub fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let engine = Self::engine(&world);
        Self { world, engine }
    }

    fn engine(world: &World) -> Engine {
        Engine::new(world.store.durable(), Box::new(world.store.clone()))
    }

    pub fn restart(&mut self) {
        self.engine = Self::engine(&self.world);
    }

    pub fn wait(&self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds));
    }

    pub fn pass(&mut self) -> Report {
        self.pass_by(&Look::whole(), &settings())
    }

    /// A pass with another look, or under other terms.
    pub fn pass_by(&mut self, look: &Look, settings: &Settings) -> Report {
        let world = &self.world;
        let ports = Ports { remote: &*world.drive, disk: &*world.disk, clock: &*world.clock };
        let options = PassOptions::new("mark");
        let report = self.engine.pass(&ports, settings, look, &options, &mut |_| {}).expect("a pass");
        self.wait(100);
        report
    }

    /// Passes until one has nothing to do.
    pub fn settle(&mut self) {
        for _ in 0..8 {
            if self.pass().rests() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Files that were there before the first sync, so that nobody made them today.
    pub fn with_files(seed: u64, count: usize) -> Self {
        let mut bench = Self::new(seed);
        bench.write(0..count);
        bench.wait(100);
        bench.settle();
        bench.engine.commit(&[Change::Synced(1)]).expect("it is stored");
        bench
    }

    pub fn write(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            assert!(self.world.disk.write(&format!("f{number}"), format!("content {number}").as_bytes()));
        }
    }

    pub fn delete(&self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            assert!(self.world.disk.delete(&format!("f{number}")));
        }
    }

    pub fn on_icloud(&self) -> usize {
        self.world.drive.tree().len()
    }

    pub fn elapsed(&self, since: i64) -> i64 {
        self.world.clock.truth().whole_seconds() - since
    }
}
