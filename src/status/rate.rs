//! How fast the running pass is, from what it told in the last moments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Progress;

/// Over how long the rate is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// How far apart its samples are at least, so that there are few.
const STEP: Duration = Duration::from_millis(500);

/// The progress of the running pass, and the samples that its rate follows from.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    shown: Option<Progress>,
    /// When so many bytes were done, the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// How far the running pass is. Rate and time left are computed here; what is in them is ignored.
    pub fn follow(&mut self, progress: Progress, now: Instant) {
        // A new pass counts from zero again.
        if self.samples.back().is_some_and(|(_, bytes)| *bytes > progress.bytes_done) {
            self.samples.clear();
        }
        if self.samples.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= STEP) {
            self.samples.push_back((now, progress.bytes_done));
        }
        while self.samples.len() > 2
            && self.samples.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            self.samples.pop_front();
        }
        let rate = self.samples.front().map_or(0, |(at, bytes)| {
            let millis = now.saturating_duration_since(*at).as_millis();
            let moved = u128::from(progress.bytes_done.saturating_sub(*bytes));
            (moved * 1000).checked_div(millis).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
        });
        let left = progress.bytes_total.saturating_sub(progress.bytes_done);
        let seconds_left = if rate == 0 { None } else { Some(left.div_ceil(rate)) };
        self.shown = Some(Progress { rate, seconds_left, ..progress });
    }

    /// No pass is running.
    pub fn end(&mut self) {
        self.shown = None;
        self.samples.clear();
    }

    /// How far the running pass is; `None` where none runs.
    pub fn progress(&self) -> Option<Progress> {
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_moments() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let total = Progress { items_total: 9, bytes_total: 100_000, ..Progress::default() };
        for second in 0..=60 {
            let bytes_done = if second <= 30 { second * 10 } else { 300 + (second - 30) * 1000 };
            rate.follow(Progress { bytes_done, ..total }, start + Duration::from_secs(second));
        }
        let progress = rate.progress().expect("a pass is running");
        assert_eq!(progress.rate, 1000);
        assert_eq!(progress.seconds_left, Some(70));
        assert!(rate.samples.len() < 30);
        rate.end();
        assert!(rate.progress().is_none());
        rate.follow(total, start + Duration::from_secs(61));
        assert_eq!(rate.progress().map(|progress| (progress.rate, progress.seconds_left)), Some((0, None)));
    }
}
