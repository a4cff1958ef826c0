//! Real time and chance for the engine.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::ports::{Clock, Stopped};
use crate::icloud::env::{Env, Stop, Wait};
use crate::model::DiskTime;

/// The engine's clock; every wait ends at once when the program is to stop.
#[derive(Clone)]
pub struct SystemClock {
    stop: Arc<Stop>,
    env: Env,
}

impl SystemClock {
    /// A clock whose waits `stop` ends.
    pub fn new(stop: Arc<Stop>) -> Self {
        Self { env: Env::system(Arc::clone(&stop)), stop }
    }

    /// Time, waiting and randomness for the sign-in, of the same making.
    pub fn env(&self) -> Env {
        self.env.clone()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> DiskTime {
        let now = jiff::Timestamp::now();
        DiskTime::new(now.as_second(), now.subsec_nanosecond().unsigned_abs())
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.stop.wait(time).map_err(|_| Stopped)
    }

    fn unit_random(&self) -> f64 {
        self.env.unit()
    }
}
