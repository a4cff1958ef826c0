//! The one clock of the program, as a trait: what reads the system's stands in `crate::clock`.

use std::time::Duration;

use super::{DiskTime, Reading};

/// The program is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped while waiting")]
pub struct Stopped;

/// Time, and chance that is no secret, from outside.
pub trait Clock: Send + Sync {
    /// Wall-clock time, nanoseconds since 1970. It may leap either way at any moment: it is for what the disk stamps, for
    /// what is sent and for what people read, never for how long something takes.
    fn now(&self) -> DiskTime;

    /// Time since the machine booted, suspends included. It never goes back and never leaps.
    fn uptime(&self) -> Duration;

    /// Which boot that is; another number for each.
    fn boot(&self) -> u64;

    /// Both clocks in one moment.
    fn reading(&self) -> Reading {
        Reading { wall: self.now().whole_seconds(), boot: self.boot(), uptime: self.uptime() }
    }

    /// Waits that long, by the clock of [`Clock::uptime`].
    ///
    /// # Errors
    ///
    /// [`Stopped`] at once when the program is to end.
    fn pause(&self, time: Duration) -> Result<(), Stopped>;

    /// A number from 0 up to, but not including, 1, for waits that must not fall together. Anybody may guess it.
    fn unit_random(&self) -> f64;
}
