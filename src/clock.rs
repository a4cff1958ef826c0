//! The system's clocks, and the switch that ends every wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::model::{Clock, DiskTime, Stopped};

/// The real clock; every wait ends at once when the program is to stop.
#[derive(Clone)]
pub struct SystemClock {
    stop: Arc<Stop>,
    boot: u64,
    /// What is taken off the time since the boot.
    before: Duration,
}

impl SystemClock {
    /// A clock whose waits `stop` ends.
    pub fn new(stop: Arc<Stop>) -> Self {
        // Where the kernel does not name the boot, each start of the program is one.
        let named = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let (boot, before) = match named.as_deref().and_then(boot_number) {
            Some(boot) => (boot, Duration::ZERO),
            None => (any_number(), since_boot()),
        };
        Self { stop, boot, before }
    }

    /// What is set once the program is to stop.
    pub fn stop_flag(&self) -> &Arc<AtomicBool> {
        self.stop.flag()
    }
}

/// The number of a boot, from the kernel's name for it: a random UUID, of which the first half is enough. `None` for what is
/// no such name.
pub fn boot_number(name: &str) -> Option<u64> {
    let digits: String = name.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    (digits.len() == 16).then(|| u64::from_str_radix(&digits, 16).ok()).flatten()
}

/// Time since the machine booted, suspends included.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

/// A number that another start or another moment hardly has too. It is no secret: where the kernel gives no randomness, the
/// clocks are enough.
fn any_number() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let (wall, up) = (clock_gettime(ClockId::Realtime), since_boot());
        let mixed = wall.tv_sec.unsigned_abs() ^ u64::from(up.subsec_nanos()).rotate_left(32);
        mixed ^ wall.tv_nsec.unsigned_abs().rotate_left(16)
    })
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
        self.stop.wait(time)
    }

    fn unit_random(&self) -> f64 {
        let [a, b, c, d, ..] = any_number().to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }
}

/// A switch that ends every wait; made once, turned once.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    turned: Condvar,
    /// The same for who looks at it again and again instead of waiting.
    flag: Arc<AtomicBool>,
}

impl Stop {
    /// Ends every present and future wait.
    pub fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.flag.store(true, Ordering::Relaxed);
        self.turned.notify_all();
    }

    /// What is set once it was turned.
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.flag
    }

    /// Waits for `span`.
    ///
    /// # Errors
    ///
    /// [`Stopped`] as soon as the program is told to stop.
    pub fn wait(&self, span: Duration) -> Result<(), Stopped> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .turned
            .wait_timeout_while(stopped, span, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped { Err(Stopped) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_wait_ends_at_once() {
        let stop = Arc::new(Stop::default());
        let clock = SystemClock::new(Arc::clone(&stop));
        let thread = std::thread::spawn(move || clock.pause(Duration::from_secs(3600)));
        assert!(!stop.flag().load(Ordering::Relaxed));
        stop.stop();
        assert!(stop.flag().load(Ordering::Relaxed));
        assert_eq!(thread.join().expect("no panic"), Err(Stopped));
    }

    #[test]
    fn the_boot_has_one_name_and_its_time_only_grows() {
        let (first, second) = (SystemClock::new(Arc::default()), SystemClock::new(Arc::default()));
        if std::fs::exists("/proc/sys/kernel/random/boot_id").is_ok_and(|named| named) {
            assert_eq!(first.boot(), second.boot());
        }
        let before = first.uptime();
        first.pause(Duration::from_millis(20)).expect("nothing stops it");
        let passed = first.uptime() - before;
        assert!(passed >= Duration::from_millis(20) && passed < Duration::from_secs(60), "{passed:?}");
        assert!((first.reading().wall - jiff::Timestamp::now().as_second()).abs() <= 60);
        assert!((0.0..1.0).contains(&first.unit_random()));
    }

    #[test]
    fn a_boot_is_known_by_its_uuid_and_by_its_number() {
        let number = Some(0x0123_4567_89ab_4cde);
        assert_eq!(boot_number("01234567-89ab-4cde-8f01-23456789abcd\n"), number);
        assert_eq!(boot_number("0123456789ab4cde"), number);
        assert_eq!(boot_number("a"), None);
    }
}
