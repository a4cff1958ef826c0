//! What a piece of work cost this process.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Memory of this process, in bytes: resident now, and the most since [`begin`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
}

pub fn memory() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    Memory { resident: line("VmRSS:"), peak: line("VmHWM:") }
}

/// What a piece of work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub time: Duration,
    pub cpu: Duration,
    /// The most that was resident beyond what was when it began, in bytes.
    pub peak: u64,
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

pub fn cost<T>(work: impl FnOnce() -> T) -> (T, Cost) {
    // Forgets the peak so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (before, used, start) = (memory(), cpu(), Instant::now());
    let result = work();
    let cost = Cost {
        time: start.elapsed(),
        cpu: cpu().saturating_sub(used),
        peak: memory().peak.saturating_sub(before.resident),
    };
    (result, cost)
}
