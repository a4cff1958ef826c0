//! Virtual time: it stands still but for pauses and explicit steps.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use icloudds::engine::ports::{Clock, Stopped};
use icloudds::model::DiskTime;

use super::fuse::{Call, Fuse, lock};
use super::rng::Rng;

/// When every world begins: in Unix seconds, a quarter past a second.
pub const BEGIN: i64 = 1_800_000_000;

/// Time and chance from a seed.
pub struct SimClock {
    now: AtomicI64,
    stop: AtomicBool,
    chance: Mutex<Rng>,
    fuse: Arc<Fuse>,
}

impl SimClock {
    /// A clock that shows [`BEGIN`].
    pub fn new(seed: u64, fuse: Arc<Fuse>) -> Self {
        Self {
            now: AtomicI64::new(BEGIN * 1_000_000_000 + 250_000_000),
            stop: AtomicBool::new(false),
            chance: Mutex::new(Rng::new(seed)),
            fuse,
        }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / 4);
        self.now.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Whether pauses end at once because the program is to stop.
    pub fn stop(&self, stop: bool) {
        self.stop.store(stop, Ordering::SeqCst);
    }

    /// The time in whole Unix seconds.
    pub fn seconds(&self) -> i64 {
        self.now().whole_seconds()
    }
}

impl Clock for SimClock {
    fn now(&self) -> DiskTime {
        DiskTime(self.now.load(Ordering::SeqCst))
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.fuse.enter(Call::Pause, "", &[])?;
        if self.stop.load(Ordering::SeqCst) {
            return Err(Stopped);
        }
        self.advance(time);
        self.fuse.step()?;
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        lock(&self.chance).unit()
    }
}
