//! A clock that stands still and notes the pauses.

use std::sync::Mutex;
use std::time::Duration;

use super::NOW;
use crate::engine::ports::{Clock, Stopped};
use crate::model::DiskTime;

#[derive(Default)]
pub(super) struct Still(pub(super) Mutex<Vec<Duration>>);

impl Clock for Still {
    fn now(&self) -> DiskTime {
        DiskTime::new(NOW, 0)
    }
    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
    fn boot(&self) -> u64 {
        1
    }
    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.0.lock().unwrap().push(time);
        Ok(())
    }
    fn unit_random(&self) -> f64 {
        0.5
    }
}
