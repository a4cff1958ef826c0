//! Time, waiting and chance, brought in from outside so that tests decide them.

use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Seconds since 1970, UTC. It may leap.
    fn now(&self) -> i64;

    /// The time since the machine started, which nobody sets; `None` where it is not known.
    fn uptime(&self) -> Option<Uptime> {
        None
    }

    /// Seconds since some moment, which nobody can set: for how long something takes. Where there is but one clock it is
    /// that.
    fn steady(&self) -> i64 {
        let millis = self.uptime().map(|up| i64::try_from(up.millis).unwrap_or(i64::MAX));
        millis.map_or_else(|| self.now(), |millis| millis / 1000)
    }
}

/// A point on the clock that runs since the machine started, asleep or not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Uptime {
    /// Tells this start of the machine from others.
    pub boot: String,
    /// Milliseconds since.
    pub millis: u64,
}

/// Now, on both clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970, UTC; people and networks set it.
    pub wall: i64,
    /// The clock that nobody sets.
    pub up: Option<Uptime>,
}

/// Waiting that can be cancelled.
pub trait Wait: Send + Sync {
    /// Waits for `span`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] as soon as the program is told to stop.
    fn wait(&self, span: Duration) -> Result<(), Cancelled>;
}

/// Randomness fit for keys.
pub trait Chance: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The program was told to stop while it waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped while waiting")]
pub struct Cancelled;

/// The three of them, cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Cancellable waiting.
    pub wait: Arc<dyn Wait>,
    /// Randomness.
    pub chance: Arc<dyn Chance>,
}

impl Env {
    /// The real ones; `stop` ends every wait.
    pub fn system(stop: Arc<Stop>) -> Self {
        Self { clock: Arc::new(SystemClock), wait: stop, chance: Arc::new(SystemChance) }
    }

    /// Now, on both clocks.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.clock.now(), up: self.clock.uptime() }
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A random lower-case UUID (version 4).
    pub fn uuid(&self) -> String {
        let mut bytes: [u8; 16] = self.random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// A number in 0.0..1.0, for jitter.
    pub fn unit(&self) -> f64 {
        f64::from(u32::from_be_bytes(self.random())) / (f64::from(u32::MAX) + 1.0)
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn uptime(&self) -> Option<Uptime> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot = BOOT.get_or_init(|| read().map(|id| id.trim().to_owned())).clone()?;
        Some(Uptime { boot, millis: u64::try_from(since_boot().as_millis()).ok()? })
    }
}

/// Time since the machine booted, suspends included.
pub fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
}

struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("Linux always gives randomness once it has booted");
    }
}

/// A switch that ends every wait; made once, turned once.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    turned: Condvar,
}

impl Stop {
    /// Ends every present and future wait.
    pub fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.turned.notify_all();
    }
}

impl Wait for Stop {
    fn wait(&self, span: Duration) -> Result<(), Cancelled> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let (stopped, _) = self
            .turned
            .wait_timeout_while(stopped, span, |stopped| !*stopped)
            .unwrap_or_else(PoisonError::into_inner);
        if *stopped { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_wait_ends_at_once() {
        let stop = Arc::new(Stop::default());
        let waiting = Arc::clone(&stop);
        let thread = std::thread::spawn(move || waiting.wait(Duration::from_secs(3600)));
        stop.stop();
        assert_eq!(thread.join().expect("no panic"), Err(Cancelled));
    }

    #[test]
    fn a_uuid_has_its_form_and_differs_each_time() {
        let env = Env::system(Arc::default());
        let uuid = env.uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
        assert_ne!(uuid, env.uuid());
        assert!((0.0..1.0).contains(&env.unit()));
    }
}
