//! A clock for tests: waits take no time and are written down.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::engine::ports::{Clock, Stopped};
use crate::model::DiskTime;

pub(crate) struct TestClock {
    random: f64,
    stopped: bool,
    state: Mutex<(DiskTime, Vec<Duration>)>,
}

impl TestClock {
    pub fn with_random(random: f64) -> Self {
        let start = DiskTime::new(1_700_000_000, 0);
        Self { random, stopped: false, state: Mutex::new((start, Vec::new())) }
    }

    pub fn stopped() -> Self {
        Self { stopped: true, ..Self::with_random(0.5) }
    }

    pub fn pauses(&self) -> Vec<Duration> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DiskTime {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn uptime(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.iter().sum()
    }

    fn boot(&self) -> u64 {
        1
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        if self.stopped {
            return Err(Stopped);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = DiskTime(state.0.0.saturating_add(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)));
        state.1.push(time);
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        self.random
    }
}
