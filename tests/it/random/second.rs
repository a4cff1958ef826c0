//! A second machine of ours on the account of the first: a folder, a state and a person of its own.

use std::sync::{Arc, Mutex};

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};

use super::history::{Deed, History, Pass, Twist};
use super::oracle::{self, Broken};
use super::person::Person;
use super::run::Run;
use crate::sim::fuse::lock;
use crate::sim::{Bytes, Journal, Outcome, SimDisk, SimStore, World};

/// The second machine. Cheap to clone, so that it can work in the midst of a pass of the first.
#[derive(Clone)]
pub struct Second {
    run: Arc<Mutex<Run>>,
    person: Person,
    journal: Arc<Journal>,
    store: SimStore,
    disk: Arc<SimDisk>,
    broken: Arc<Mutex<Option<Broken>>>,
}

impl Second {
    /// Another machine on the account of `first`, in the same setting.
    pub fn beside(first: &World, history: &History, telling: bool) -> Self {
        let twists = history.twists.iter().copied().filter(|twist| *twist != Twist::SecondMachine).collect();
        let alone = History { seed: history.seed + 1000, twists, ops: Vec::new(), ..history.clone() };
        let mut run = Run::new(&alone, None, telling);
        run.host = "second";
        run.world.fuse = first.fuse.clone();
        run.world.clock = first.clock.clone();
        run.world.journal = first.journal.clone();
        run.world.drive = first.drive.clone();
        let disk = SimDisk::new(first.clock.clone(), first.fuse.clone(), first.journal.clone());
        let switches = run.world.disk.switches();
        disk.switch(|now| *now = switches);
        run.world.disk = Arc::new(disk);
        run.world.store = SimStore::new(first.fuse.clone());
        let person = Person::new(&run.world, None);
        run.use_person(person.clone());
        Self {
            person,
            journal: first.journal.clone(),
            store: run.world.store.clone(),
            disk: run.world.disk.clone(),
            run: Arc::new(Mutex::new(run)),
            broken: Arc::default(),
        }
    }

    /// What tells what a person did at it.
    pub fn store_and_disk(&self) -> (SimStore, Arc<SimDisk>) {
        (self.store.clone(), self.disk.clone())
    }

    /// A person acts at it.
    pub fn act(&self, deed: &Deed) {
        self.journal.at_second(|| self.person.act(deed));
    }

    /// One pass of it. It may come in the midst of one of the first machine, and not in one of its own.
    pub fn pass(&self, pass: &Pass) {
        let Ok(mut run) = self.run.try_lock() else { return };
        let remote = if pass.remote { RemoteLook::Whole } else { RemoteLook::Nothing };
        let look = Look { local: LocalLook::Whole, remote };
        if pass.fresh {
            run.stop();
        }
        run.start();
        let drive = run.world.drive.clone();
        let other = drive.called_by(1);
        let outcome = run.run_for(&look, pass.by_person, pass.enough);
        drive.called_by(other);
        if matches!(outcome, Ok(Outcome::Crashed)) {
            run.stop();
        }
        let result = outcome.map(drop).and_then(|()| match run.world.fuse.is_blown() {
            true => Ok(()),
            false => oracle::at_any_time_alone(&run),
        });
        if let Err(found) = result {
            lock(&self.broken).get_or_insert(found);
        }
    }

    /// What a pass of it in the midst of another one broke.
    ///
    /// # Errors
    ///
    /// The first promise that was found broken.
    pub fn is_sound(&self) -> Result<(), Broken> {
        lock(&self.broken).take().map_or(Ok(()), |broken| {
            let how = format!("at the second machine: {}", broken.how);
            Err(Broken { how, ..broken })
        })
    }

    /// Everything that it keeps, its trash included.
    pub fn contents(&self) -> Vec<Bytes> {
        self.disk.all_contents()
    }

    /// What it tells apart from the first one.
    pub fn told(&self) -> String {
        lock(&self.run).told()
    }

    /// Looks at it as it is.
    pub fn with<R>(&self, look: impl FnOnce(&mut Run) -> R) -> R {
        look(&mut lock(&self.run))
    }
}
