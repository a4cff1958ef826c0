//! Virtual time: it stands still but for pauses and explicit steps. The wall clock may leap beside it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use icloudds::engine::ports::{Clock, Stopped};
use icloudds::model::DiskTime;

use super::fuse::{Call, Fuse, lock};
use super::rng::Rng;

/// When every world begins: in Unix seconds, a quarter past a second.
pub const BEGIN: i64 = 1_800_000_000;
const SECOND: i64 = 1_000_000_000;
/// The latest wall time, in the year 2200.
const FARTHEST: i64 = 7_258_118_400 * SECOND;

/// Time and chance from a seed.
pub struct SimClock {
    /// What time it is, whatever the wall clock shows, in nanoseconds since 1970.
    truth: AtomicI64,
    /// By how many nanoseconds the wall clock is ahead of it.
    ahead: AtomicI64,
    /// When the machine booted, as `truth`, and how often it did.
    booted: AtomicI64,
    boots: AtomicU64,
    /// How often the program waited.
    pauses: AtomicU64,
    stop: AtomicBool,
    chance: Mutex<Rng>,
    fuse: Arc<Fuse>,
}

impl SimClock {
    /// A clock that shows [`BEGIN`].
    pub fn new(seed: u64, fuse: Arc<Fuse>) -> Self {
        let begin = BEGIN * SECOND + 250_000_000;
        Self {
            truth: AtomicI64::new(begin),
            ahead: AtomicI64::new(0),
            // It has been up for an hour.
            booted: AtomicI64::new(begin - 3600 * SECOND),
            boots: AtomicU64::new(1),
            pauses: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            chance: Mutex::new(Rng::new(seed)),
            fuse,
        }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / 4);
        self.truth.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock forwards, or back, by so many seconds.
    pub fn leap(&self, seconds: i64) {
        // As on a real machine no time lies so far ahead that it could not be told in nanoseconds any more.
        let wall = self.now().0.saturating_add(seconds.saturating_mul(SECOND)).min(FARTHEST);
        self.ahead.store(wall.saturating_sub(self.truth.load(Ordering::SeqCst)), Ordering::SeqCst);
    }

    /// Somebody sets the wall clock to that Unix time.
    pub fn set(&self, seconds: i64) {
        self.leap(seconds - self.seconds());
    }

    /// The machine is off for `time`, and boots.
    pub fn reboot(&self, time: Duration) {
        self.advance(time);
        self.booted.store(self.truth.load(Ordering::SeqCst), Ordering::SeqCst);
        self.boots.fetch_add(1, Ordering::SeqCst);
    }

    /// What time it is, whatever the wall clock shows: what the service goes by.
    pub fn truth(&self) -> DiskTime {
        DiskTime(self.truth.load(Ordering::SeqCst))
    }

    /// How often the program has waited so far.
    pub fn pauses(&self) -> u64 {
        self.pauses.load(Ordering::SeqCst)
    }

    /// What another program waited meanwhile does not count: it has waited so often.
    pub fn waited_so_often(&self, pauses: u64) {
        self.pauses.store(pauses, Ordering::SeqCst);
    }

    /// Whether pauses end at once because the program is to stop.
    pub fn stop(&self, stop: bool) {
        self.stop.store(stop, Ordering::SeqCst);
    }

    /// What the wall clock shows, in whole Unix seconds.
    pub fn seconds(&self) -> i64 {
        self.now().whole_seconds()
    }
}

impl Clock for SimClock {
    fn now(&self) -> DiskTime {
        DiskTime(self.truth.load(Ordering::SeqCst) + self.ahead.load(Ordering::SeqCst))
    }

    fn uptime(&self) -> Duration {
        let nanos = self.truth.load(Ordering::SeqCst) - self.booted.load(Ordering::SeqCst);
        Duration::from_nanos(u64::try_from(nanos).unwrap())
    }

    fn boot(&self) -> u64 {
        self.boots.load(Ordering::SeqCst)
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.fuse.enter(Call::Pause, "", &[])?;
        if self.stop.load(Ordering::SeqCst) {
            return Err(Stopped);
        }
        self.pauses.fetch_add(1, Ordering::SeqCst);
        self.advance(time);
        self.fuse.step()?;
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        lock(&self.chance).unit()
    }
}
