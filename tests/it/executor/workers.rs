//! Transfers really run side by side, and a worker's panic is not waited for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use icloudds::engine::execute::{ExecuteOptions, execute};
use icloudds::engine::operation::{Action, Plan};
use icloudds::engine::ports::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Ports, Remote, RemoteError, RemoteItem, Sink,
    Staged,
};
use icloudds::model::{ItemId, Zone};

use super::{Bench, assert_clean, op, options, plan};
use crate::sim::SimDrive;

type Each<T> = Vec<Result<T, RemoteError>>;

/// A drive whose fetches wait until so many of them are under way at once.
struct Meeting<'a> {
    drive: &'a SimDrive,
    wanted: usize,
    present: Mutex<(usize, bool)>,
    met: Condvar,
    requests: AtomicUsize,
    panics: bool,
}

impl<'a> Meeting<'a> {
    fn new(drive: &'a SimDrive, wanted: usize, panics: bool) -> Self {
        let (present, met) = (Mutex::default(), Condvar::new());
        Self { drive, wanted, present, met, requests: AtomicUsize::new(0), panics }
    }
}

impl Remote for Meeting<'_> {
    fn list(&self, folders: &[ItemId], brief: bool) -> Each<Listing> {
        self.drive.list(folders, brief)
    }
    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.drive.list_trash()
    }
    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        self.drive.look_up(items)
    }
    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Each<RemoteItem> {
        self.drive.create_folders(parent, names)
    }
    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        self.drive.rename(item, name)
    }
    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Each<RemoteItem> {
        self.drive.move_into(folder, items)
    }
    fn trash(&self, items: &[ItemVersion]) -> Each<RemoteItem> {
        self.drive.trash(items)
    }
    fn delete_trashed(&self, items: &[ItemVersion]) -> Each<()> {
        self.drive.delete_trashed(items)
    }
    fn put_back(&self, items: &[ItemVersion]) -> Each<RemoteItem> {
        self.drive.put_back(items)
    }
    fn offers(&self, items: &[ItemId]) -> Each<Offer> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.drive.offers(items)
    }
    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        let mut present = self.present.lock().unwrap();
        present.0 += 1;
        present.1 |= present.0 >= self.wanted;
        self.met.notify_all();
        let (mut present, late) =
            self.met.wait_timeout_while(present, Duration::from_secs(20), |present| !present.1).unwrap();
        present.0 -= 1;
        drop(present);
        assert!(!late.timed_out(), "never {} fetches at once", self.wanted);
        assert!(!self.panics, "a bug in a worker");
        self.drive.fetch(offer, size, from, sink)
    }
    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn std::io::Read + Send),
    ) -> Result<Staged, RemoteError> {
        self.drive.stage(zone, name, size, body)
    }
    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        self.drive.commit(commit)
    }
}

fn many(bench: &Bench, count: usize) -> Plan {
    let names: Vec<_> = (0..count).map(|number| format!("f{number:04}")).collect();
    for name in &names {
        bench.world.drive.create(name, name.as_bytes()).unwrap();
    }
    let download = |name: &String| Action::Download { remote: bench.remote(name), over: None };
    plan(names.iter().map(|name| op(download(name), name)).collect())
}

#[test]
fn all_workers_fetch_at_once_and_offers_come_in_batches() {
    let mut bench = Bench::new(1);
    let plan = many(&bench, 400);
    let drive = Meeting::new(&bench.world.drive, 16, false);
    let workers = ExecuteOptions { workers: 16, ..options() };
    let ports = Ports { remote: &drive, ..Bench::ports(&bench.world) };
    let mut store = bench.world.store.clone();
    let outcome = execute(&plan, &ports, &workers, &mut bench.state, &mut store, &mut |_| {});
    assert_clean(&outcome);
    assert_eq!(outcome.counts.downloads, 400);
    let requests = drive.requests.load(Ordering::SeqCst);
    assert!(requests <= 200, "{requests} requests for the offers of 400 files");
    bench.assert_agreed();
}

#[test]
fn a_panic_in_a_worker_is_passed_on() {
    let mut bench = Bench::new(1);
    let plan = many(&bench, 40);
    let drive = Meeting::new(&bench.world.drive, 1, true);
    let workers = ExecuteOptions { workers: 4, ..options() };
    let ports = Ports { remote: &drive, ..Bench::ports(&bench.world) };
    let mut store = bench.world.store.clone();
    let state = &mut bench.state;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        execute(&plan, &ports, &workers, state, &mut store, &mut |_| {})
    }));
    assert!(result.is_err());
}
