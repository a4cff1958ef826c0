//! How fast bytes pass.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::WireBody;
use super::handler::Handler;
use super::stop::Stop;

/// Spreads bytes over time.
pub(super) struct Meter {
    bandwidth: Option<u64>,
    started: Instant,
    passed: u64,
}

impl Meter {
    pub(super) fn new(bandwidth: Option<u64>) -> Self {
        Self { bandwidth: bandwidth.filter(|b| *b > 0), started: Instant::now(), passed: 0 }
    }

    /// A chunk of about a twentieth of a second.
    pub(super) fn chunk(&self) -> usize {
        self.bandwidth
            .map_or(64 * 1024, |b| usize::try_from((b / 20).clamp(256, 64 * 1024)).unwrap_or(64 * 1024))
    }

    pub(super) fn wait_after(&mut self, bytes: usize) -> Duration {
        let Some(bandwidth) = self.bandwidth else {
            return Duration::ZERO;
        };
        self.passed += bytes as u64;
        let due = Duration::from_micros(self.passed.saturating_mul(1_000_000) / bandwidth);
        due.saturating_sub(self.started.elapsed())
    }
}

/// A request body that arrives no faster than the bandwidth allows.
pub(super) struct PacedBody {
    pub body: WireBody,
    pub stop: Arc<Stop>,
    pub handler: Arc<dyn Handler>,
}

impl Read for PacedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut meter = Meter::new(self.handler.pace().bandwidth);
        let wanted = buf.len().min(meter.chunk());
        let got = self.body.read(&mut buf[..wanted])?;
        let wait = meter.wait_after(got);
        if !wait.is_zero() {
            self.stop.pause(wait)?;
        }
        Ok(got)
    }
}
