//! iCloud Drive behind the engine's port [`Remote`].
//!
//! Everything that reads may run on many threads. What changes the drive runs one at a time for the account, but for commits of
//! new files that the engine wants side by side, and is never repeated when its fate is unknown.

mod client;
mod feed;
mod fetch;
mod listing;
mod look_up;
mod mutate;
mod offers;
mod parallel;
mod rate;
mod slow;
mod stage;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::engine::ports::{
    Clock, Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteError, RemoteItem, Sink,
    Staged,
};
use crate::icloud::http::{Limits, Method};
use crate::model::{ItemId, Zone};

pub use crate::icloud::request::{Request, Root};
pub use client::Api;
pub use feed::{FeedFault, FeedLook, FeedZone, ZoneLook, ZoneQuestion};
pub use listing::{Pulse, TrashPulse};

use client::Client;
use parallel::in_parallel;
use rate::Rate;
use slow::SlowListing;

/// Limits of a listing: a large folder takes the service long to put together (`docs/protocol.md` §8.1).
const LISTING: Limits = Limits {
    connect: Duration::from_secs(20),
    whole: Some(Duration::from_secs(240)),
    stall: Duration::from_secs(120),
    max_body: 512 << 20,
    may_be_slow: true,
};

/// The options of the drive client.
#[derive(Clone, Debug)]
pub struct DriveOptions {
    /// `sync.max_workers`: listings and look-ups in parallel.
    pub max_workers: usize,
    /// Most items that one call names, other than a listing.
    pub batch: usize,
    /// Most folders that one listing names (open question 1).
    pub list_batch: usize,
    /// `limits.download_rate`, bytes per second; 0 = unlimited.
    pub download_rate: u64,
    /// `limits.upload_rate`, bytes per second; 0 = unlimited.
    pub upload_rate: u64,
    /// How long to wait while Apple prepares the Drive of an account that was never used on the web (§16.1).
    pub first_use_patience: Duration,
    /// The account's Drive was used before, by all that is stored: a plain 400 is no sign of a first use.
    pub was_used: bool,
    /// How long no call may succeed before all of them fail at once with [`RemoteError::Unreachable`], until
    /// [`ICloudDrive::check`] finds the service back; `None` lets each call use up its own retries. An endpoint that
    /// asks for a longer rest than this has the same effect.
    pub patience: Option<Duration>,
}

impl Default for DriveOptions {
    fn default() -> Self {
        Self {
            max_workers: 32,
            batch: 20,
            list_batch: 40,
            download_rate: 0,
            upload_rate: 0,
            first_use_patience: Duration::from_secs(30 * 60),
            was_used: false,
            patience: None,
        }
    }
}

/// The real iCloud Drive of one account.
pub struct ICloudDrive {
    client: Client,
    options: DriveOptions,
    download: Rate,
    upload: Rate,
    /// The service refused a listing of several folders: one at a time for the rest of the session.
    lists_singly: AtomicBool,
    /// The service refused `download/batch`: `by_id` for the rest of the session.
    offers_singly: AtomicBool,
    /// What listing the root last cost.
    root_cost: SlowListing,
    /// What listing the trash last cost.
    trash_cost: SlowListing,
    /// The service took the array form of the details call where it refused the object form (§8.2).
    details_as_array: AtomicBool,
}

impl ICloudDrive {
    /// A client of the signed-in `service`; nothing is sent yet.
    pub fn new(service: Arc<dyn Api>, options: DriveOptions, clock: Arc<dyn Clock>) -> Self {
        let client = Client::new(service, clock, options.patience);
        client.has_answered.store(options.was_used, Ordering::Relaxed);
        Self {
            client,
            download: Rate::new(options.download_rate),
            upload: Rate::new(options.upload_rate),
            options: DriveOptions {
                max_workers: options.max_workers.max(1),
                batch: options.batch.max(1),
                list_batch: options.list_batch.max(1),
                ..options
            },
            lists_singly: AtomicBool::new(false),
            offers_singly: AtomicBool::new(false),
            root_cost: SlowListing::default(),
            trash_cost: SlowListing::default(),
            details_as_array: AtomicBool::new(false),
        }
    }

    /// Whether each call uses up its own retries in spite of [`DriveOptions::patience`]: for a service that answers, though
    /// not everything, so that the items concerned are found out one by one.
    pub fn be_patient(&self, patient: bool) {
        self.client.reach.be_patient(patient);
    }

    /// How long the drive's root should not be listed again: ten times what its last answer took (`docs/protocol.md` §8.1).
    pub fn root_rest(&self) -> Duration {
        self.root_cost.rest(self.client.clock.uptime())
    }

    /// As [`ICloudDrive::root_rest`], of the trash (`docs/protocol.md` §9).
    pub fn trash_rest(&self) -> Duration {
        self.trash_cost.rest(self.client.clock.uptime())
    }

    /// How long the service wants to be left alone, when it said so in an answer that told it to be away.
    pub fn rest(&self) -> Option<Duration> {
        self.client.reach.rest(self.client.clock.uptime())
    }
}

/// A POST to `{drivews}`.
fn drivews<'a>(path: &'a str, body: &'a [u8], kind: &'static str) -> Request<'a> {
    Request {
        root: Root::Drivews,
        method: Method::Post,
        path,
        query: &[],
        body,
        limits: Limits::JSON,
        kind,
        changes: false,
    }
}

/// A zone as a part of a URL's path.
fn zone_in_path(zone: &Zone) -> String {
    let mut path = String::new();
    for byte in zone.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"._-~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Turns a flag on and says so the first time.
fn learn(flag: &AtomicBool, lesson: &str) {
    if !flag.swap(true, Ordering::Relaxed) {
        log::info!("{lesson}");
    }
}

impl Remote for ICloudDrive {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        self.list_folders(folders, brief)
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.list_trash_root()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        self.look_up_items(items)
    }

    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.create(parent, names)
    }

    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        self.rename_item(item, name)
    }

    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.move_items(folder, items)
    }

    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.trash_items(items)
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        self.delete_items(items)
    }

    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.put_back_items(items)
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        self.offer_items(items)
    }

    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        self.fetch_content(offer, size, from, sink)
    }

    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn std::io::Read + Send),
    ) -> Result<Staged, RemoteError> {
        self.stage_content(zone, name, size, body)
    }

    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        let _turn = self.client.turn();
        self.commit_staged(commit)
    }

    fn commit_side_by_side(&self, commits: &[Commit<'_>]) -> Vec<Result<RemoteItem, RemoteError>> {
        let _turn = self.client.turn();
        in_parallel(commits.len(), commits, |commit| self.commit_staged(commit))
    }
}
