//! How long who refuses is left alone.

use std::time::{Duration, Instant};

/// The first time for which a feed that refuses is left alone, and the longest that doubling leads to.
pub(super) const FIRST_REST: Duration = Duration::from_secs(5 * 60);
pub(super) const LONGEST_REST: Duration = Duration::from_secs(6 * 60 * 60);
/// No rest is longer, whatever is asked.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(2 * 86_400);

/// For how long a feed that refuses is left alone.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// It is not asked before.
    until: Option<Instant>,
    /// How often in a row it refused.
    refusals: u32,
    /// Since when it answers.
    answers_since: Option<Instant>,
}

impl Rest {
    /// Whether it may be asked.
    pub fn is_over_at(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When it may be asked again; `None` while it need not rest.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    /// It need not be asked before.
    pub fn lasts_until(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// It answers.
    pub fn is_over(&mut self, now: Instant) {
        self.until = None;
        self.answers_since.get_or_insert(now);
    }

    /// It refused, and asks for that long; gives for how long it is left alone. After it has answered for as long as the longest rest the
    /// rests begin anew.
    pub fn begins(&mut self, asked: Duration, now: Instant) -> Duration {
        if self.answers_since.take().is_some_and(|since| now.duration_since(since) >= LONGEST_REST) {
            self.refusals = 0;
        }
        let grown = FIRST_REST.saturating_mul(1 << self.refusals.min(16)).min(LONGEST_REST);
        let rest = grown.max(asked.min(LONGEST_ASKED));
        self.refusals = self.refusals.saturating_add(1);
        self.until = Some(now + rest);
        rest
    }
}
