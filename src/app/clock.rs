//! Real time and chance for the engine.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::ports::{Clock, Stopped};
use crate::icloud::env::{Env, Stop, Wait, since_boot};
use crate::model::DiskTime;

/// The engine's clock; every wait ends at once when the program is to stop.
#[derive(Clone)]
pub struct SystemClock {
    stop: Arc<Stop>,
    env: Env,
    boot: u64,
    /// What is taken off the time since the boot.
    before: Duration,
}

impl SystemClock {
    /// A clock whose waits `stop` ends.
    pub fn new(stop: Arc<Stop>) -> Self {
        let env = Env::system(Arc::clone(&stop));
        // Where the kernel does not name the boot, each start of the program is one.
        let (boot, before) = match boot_name() {
            Some(boot) => (boot, Duration::ZERO),
            None => (u64::from_be_bytes(env.random()), since_boot()),
        };
        Self { env, stop, boot, before }
    }

    /// Time, waiting and randomness for the sign-in, of the same making.
    pub fn env(&self) -> Env {
        self.env.clone()
    }
}

/// The boot, from the kernel's name for it: a random UUID.
fn boot_name() -> Option<u64> {
    let name = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = name.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    (digits.len() == 16).then(|| u64::from_str_radix(&digits, 16).ok()).flatten()
}

impl Clock for SystemClock {
    fn now(&self) -> DiskTime {
        let now = jiff::Timestamp::now();
        DiskTime::new(now.as_second(), now.subsec_nanosecond().unsigned_abs())
    }

    fn uptime(&self) -> Duration {
        since_boot().saturating_sub(self.before)
    }

    fn boot(&self) -> u64 {
        self.boot
    }

    fn pause(&self, time: Duration) -> Result<(), Stopped> {
        self.stop.wait(time).map_err(|_| Stopped)
    }

    fn unit_random(&self) -> f64 {
        self.env.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_has_one_name_and_its_time_only_grows() {
        let (first, second) = (SystemClock::new(Arc::default()), SystemClock::new(Arc::default()));
        if boot_name().is_some() {
            assert_eq!(first.boot(), second.boot());
        }
        let before = first.uptime();
        first.pause(Duration::from_millis(20)).expect("nothing stops it");
        let passed = first.uptime() - before;
        assert!(passed >= Duration::from_millis(20) && passed < Duration::from_secs(60), "{passed:?}");
        assert!((first.reading().wall - jiff::Timestamp::now().as_second()).abs() <= 60);
    }
}
