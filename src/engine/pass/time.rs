//! Noting what the clocks show, so that a wall clock that is set is noticed, and nothing else comes of it.

use super::Engine;
use crate::engine::ports::{Clock, StoreError};
use crate::model::{Change, LivedTime, Reading};

/// So much may pass, in seconds, until it is stored that it passed, where nothing else is stored.
const NOTED_EVERY: i64 = 3600;

impl Engine {
    /// Notes what the clocks show: comes before whatever goes by the time. Where somebody set the wall clock since
    /// the last time, that is logged, and the seconds are returned: positive where it was set forwards.
    ///
    /// # Errors
    ///
    /// When the store cannot: the time goes on in this process all the same, and is noted at the next call.
    pub fn keep_time(&mut self, clock: &dyn Clock) -> Result<Option<i64>, StoreError> {
        let now = clock.reading();
        self.lived(now);
        let (Some(known), Some(before)) = (&self.state.time, self.clocks.replace(now)) else {
            return Ok(None);
        };
        // What is stored goes on with each group, so that a leap in a pass does not show in it any more.
        let leap = now.leap_since(before);
        let noted = known.at(now);
        self.left_open.has_unnoted_time |= leap.is_some();
        if !self.left_open.has_unnoted_time && noted.lived.saturating_sub(known.lived) < NOTED_EVERY {
            return Ok(None);
        }
        if let Some(leap) = leap {
            let way = if leap > 0 { "forwards" } else { "back" };
            log::warn!(
                seconds = leap;
                "the system's clock was set {way} by {}: nothing is removed, and nothing waits, for that",
                span_text(leap.unsigned_abs())
            );
        }
        // Also where it cannot be stored now: what the clock showed meanwhile tells how old things are.
        self.state.time = Some(noted.clone());
        self.commit(&[Change::Time(noted)])?;
        self.left_open.has_unnoted_time = false;
        Ok(leap)
    }

    /// The lived seconds at `now`. From the first time that a process asks they go on with the clock of the boot, also while nothing can be
    /// stored: another wall clock would have them go back, and whatever was to wait for a while would wait as long as that was set.
    pub fn lived(&mut self, now: Reading) -> i64 {
        let Some(known) = self.state.time.as_mut() else {
            // It is stored with the first thing that is.
            self.state.time = Some(LivedTime::begin(now));
            self.clocks = Some(now);
            return now.wall;
        };
        if self.clocks.is_none() {
            self.clocks = Some(known.reading());
        }
        if known.boot != now.boot {
            *known = known.at(now);
            self.left_open.has_unnoted_time = true;
        }
        known.seconds(now)
    }
}

/// About how long a span of time is, in its largest unit.
fn span_text(seconds: u64) -> String {
    let units = [(86_400, "days"), (3600, "hours"), (60, "minutes")];
    let fits = units.into_iter().find(|(unit, _)| seconds >= unit * 2);
    fits.map_or_else(
        || format!("{seconds} seconds"),
        |(unit, name)| format!("{} {name}", (seconds + unit / 2) / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        for (seconds, text) in [
            (61, "61 seconds"),
            (120, "2 minutes"),
            (7199, "120 minutes"),
            (86_400, "24 hours"),
            (5 * 86_400 + 7, "5 days"),
            (20 * 86_400 - 2, "20 days"),
        ] {
            assert_eq!(span_text(seconds), text);
        }
    }
}
