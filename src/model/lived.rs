//! Time as this state has lived through it: it never goes back, and no setting of the wall clock moves it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The wall clock and the clock of this boot, read in one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the wall clock shows, in Unix seconds. Anybody may set it.
    pub wall: i64,
    /// Which boot of the machine this is.
    pub boot: u64,
    /// Time since that boot, suspends included. Nobody can set it.
    pub uptime: Duration,
}

impl Reading {
    /// Whole seconds since the boot.
    pub fn uptime_seconds(self) -> i64 {
        i64::try_from(self.uptime.as_secs()).unwrap_or(i64::MAX)
    }

    /// By how many seconds the wall clock was set since an earlier reading, forwards (positive) or back; `None` where it was
    /// not. Between two boots only a wall clock that went back gives itself away.
    pub fn leap_since(self, earlier: Self) -> Option<i64> {
        let passed = self.wall.saturating_sub(earlier.wall);
        let ran = self.uptime_seconds().saturating_sub(earlier.uptime_seconds());
        let leap = match self.boot == earlier.boot && ran >= 0 {
            true => passed.saturating_sub(ran),
            false => passed.min(0),
        };
        (leap.saturating_abs() > LivedTime::TOLERANCE).then_some(leap)
    }
}

/// A stretch in which the wall clock went as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Lived seconds at its begin.
    pub from: i64,
    /// Lived seconds at its end, as far as it is known.
    pub to: i64,
    /// The least by which the wall clock was ahead of the lived seconds; negative when it was behind them.
    pub least: i64,
    /// The most.
    pub most: i64,
}

/// The seconds that a state has lived through, and what the wall clock showed meanwhile.
///
/// They begin as Unix seconds and go on with the clock of the boot. Of the time between two boots only the wall clock
/// tells; it counts forwards alone, and at most [`LivedTime::LONGEST_GAP`]. A wall clock that is set while the machine runs
/// changes nothing. So a lived second is never longer than a real one: what waits for time to pass may wait longer than
/// it should, never shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivedTime {
    /// The seconds.
    pub lived: i64,
    /// What the wall clock showed then.
    pub wall: i64,
    /// The boot.
    pub boot: u64,
    /// Seconds since that boot.
    pub uptime: i64,
    /// What the wall clock showed before, oldest first; the last one goes on.
    pub spans: Vec<Span>,
}

impl LivedTime {
    /// The most of the time between two boots that counts, in seconds.
    pub const LONGEST_GAP: i64 = 12 * 3600;
    /// A wall clock that differs by less, in seconds, was only put right.
    pub const TOLERANCE: i64 = 60;
    /// What is done is noted with its time within so many seconds.
    const NOTED_WITHIN: i64 = 10;
    /// No right clock has shown an earlier time than this, in Unix seconds, since there is this program.
    const FIRST_RIGHT: i64 = 1_700_000_000;
    /// More stretches than this are told apart no longer.
    const MOST_SPANS: usize = 64;

    /// A state begins.
    pub fn begin(now: Reading) -> Self {
        let span = Span { from: now.wall, to: now.wall, least: 0, most: 0 };
        Self {
            lived: now.wall,
            wall: now.wall,
            boot: now.boot,
            uptime: now.uptime_seconds(),
            spans: vec![span],
        }
    }

    /// The lived seconds at a later reading.
    pub fn seconds(&self, now: Reading) -> i64 {
        self.lived.saturating_add(self.passed(now))
    }

    fn passed(&self, now: Reading) -> i64 {
        let ran = now.uptime_seconds().saturating_sub(self.uptime);
        if now.boot == self.boot && ran >= 0 {
            return ran;
        }
        // The machine was off in between. This boot has run for sure what it has run.
        now.wall.saturating_sub(self.wall).clamp(0, Self::LONGEST_GAP).max(now.uptime_seconds())
    }

    /// The same at a later reading.
    #[must_use]
    pub fn at(&self, now: Reading) -> Self {
        let lived = self.seconds(now);
        let ahead = now.wall.saturating_sub(lived);
        let mut spans = self.spans.clone();
        match spans.last_mut() {
            Some(last)
                if ahead >= last.most.saturating_sub(Self::TOLERANCE)
                    && ahead <= last.least.saturating_add(Self::TOLERANCE) =>
            {
                last.to = lived;
                last.least = last.least.min(ahead);
                last.most = last.most.max(ahead);
            }
            last => {
                // Nobody noted when it was set: until now it may have gone as before.
                if let Some(last) = last {
                    last.to = lived;
                }
                spans.push(Span { from: lived, to: lived, least: ahead, most: ahead });
            }
        }
        while spans.len() > Self::MOST_SPANS {
            let first = spans.remove(0);
            let Some(next) = spans.first_mut() else { break };
            next.from = first.from;
            next.least = next.least.min(first.least);
            next.most = next.most.max(first.most);
        }
        Self { lived, wall: now.wall, boot: now.boot, uptime: now.uptime_seconds(), spans }
    }

    /// The reading that it goes on from.
    pub fn reading(&self) -> Reading {
        let uptime = Duration::from_secs(u64::try_from(self.uptime).unwrap_or_default());
        Reading { wall: self.wall, boot: self.boot, uptime }
    }

    /// How old, in lived seconds, that is at least to which the wall clock gave the time `made` (Unix seconds), as far as
    /// the history of this state allows. What bears a time from before the state began is no older than the state; what bears
    /// one that no right clock shows, and that nobody noted either, may have been made just now.
    pub fn least_age(&self, made: i64, now: Reading) -> i64 {
        let at = self.at(now);
        let latest = |span: &Span| {
            let (early, late) = (made.saturating_sub(span.most), made.saturating_sub(span.least));
            (late >= span.from.saturating_sub(Self::NOTED_WITHIN)
                && early <= span.to.saturating_add(Self::NOTED_WITHIN))
            .then(|| late.min(span.to))
        };
        let shown = at.spans.iter().filter_map(latest).max();
        let is_wrong = made < Self::FIRST_RIGHT || made > now.wall;
        let begun = at.spans.first().map_or(at.lived, |span| span.from);
        let since = shown.unwrap_or(if is_wrong { at.lived } else { begun });
        at.lived.saturating_sub(since).max(0)
    }

    /// Whether the wall clock has shown a time before `shown` (Unix seconds) since so many lived seconds.
    pub fn was_behind(&self, shown: i64, since: i64) -> bool {
        let mut after = self.spans.iter().filter(|span| span.to >= since);
        let earliest = |span: &Span| span.from.max(since).saturating_add(span.least);
        after.any(|span| earliest(span) < shown.saturating_sub(Self::TOLERANCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;
    const DECADES: i64 = 56 * 365 * DAY;

    fn reading(wall: i64, boot: u64, uptime: i64) -> Reading {
        Reading { wall, boot, uptime: Duration::from_secs(uptime.unsigned_abs()) }
    }

    #[test]
    fn seconds_go_on_with_the_boot_whatever_the_wall_clock_shows() {
        let time = LivedTime::begin(reading(BEGIN, 1, 100));
        for wall in [BEGIN + 50, BEGIN - 5 * DAY, BEGIN + 400 * DAY, 0, i64::MAX, i64::MIN] {
            assert_eq!(time.seconds(reading(wall, 1, 150)), BEGIN + 50, "{wall}");
        }
        // Step by step they are the same.
        let stepwise = time.at(reading(BEGIN - DAY, 1, 120)).at(reading(BEGIN + DAY, 1, 130));
        assert_eq!(stepwise.seconds(reading(7, 1, 150)), BEGIN + 50);
    }

    #[test]
    fn between_boots_the_wall_clock_counts_forwards_and_for_half_a_day_at_most() {
        let time = LivedTime::begin(reading(BEGIN, 1, 5000));
        for (wall, passed) in [
            (BEGIN + 3600, 3600),
            (BEGIN + 90 * DAY, LivedTime::LONGEST_GAP),
            // For sure it is what this boot has run.
            (BEGIN - DAY, 20),
            (100, 20),
            (i64::MAX, LivedTime::LONGEST_GAP),
        ] {
            assert_eq!(time.seconds(reading(wall, 2, 20)), BEGIN + passed, "{wall}");
        }
        // The same name of a boot with less uptime is another boot.
        assert_eq!(time.seconds(reading(BEGIN + 60, 1, 20)), BEGIN + 60);
    }

    #[test]
    fn a_leap_is_noticed_either_way_and_going_on_is_none() {
        let time = LivedTime::begin(reading(BEGIN, 1, 100));
        for (now, leap) in [
            (reading(BEGIN + 50, 1, 150), None),
            (reading(BEGIN + 100, 1, 150), None),
            (reading(BEGIN + 5 * DAY, 1, 100), Some(5 * DAY)),
            (reading(BEGIN - 5 * DAY + 50, 1, 150), Some(-5 * DAY)),
            (reading(BEGIN + 5 * DAY, 2, 9), None),
            (reading(BEGIN - 5 * DAY, 2, 9), Some(-5 * DAY)),
        ] {
            assert_eq!(now.leap_since(time.reading()), leap, "{now:?}");
        }
    }

    #[test]
    fn an_age_is_the_least_that_the_history_allows() {
        // A board boots in 1970, something is made, and then it gets the right time.
        let board = LivedTime::begin(reading(500, 1, 10)).at(reading(1000, 1, 510));
        let now = reading(1000 + DECADES, 1, 520);
        assert_eq!(board.least_age(900, now), 110);
        // A clock that was days ahead: what was made then is as old as it is.
        let ahead = LivedTime::begin(reading(BEGIN, 1, 0))
            .at(reading(BEGIN + 9 * DAY, 1, 10))
            .at(reading(BEGIN + 9 * DAY + 50, 1, 60))
            .at(reading(BEGIN + 100, 1, 100));
        let now = reading(BEGIN + 2 * DAY, 1, 2 * DAY);
        assert_eq!(ahead.least_age(BEGIN + 9 * DAY + 20, now), 2 * DAY - 30);
        // An ordinary history.
        assert_eq!(ahead.least_age(BEGIN + DAY, now), DAY);
        // Older than the state: no older than the state can vouch for.
        assert_eq!(ahead.least_age(BEGIN - 400 * DAY, now), 2 * DAY);
        assert_eq!(ahead.least_age(1_750_000_000, now), 2 * DAY);
        // Made in the hour before a leap that was noticed only after it.
        let quiet = LivedTime::begin(reading(BEGIN, 1, 0)).at(reading(BEGIN + 100 * DAY, 1, 100 * DAY));
        let leapt = quiet.at(reading(BEGIN + 3600 - 9 * DAY, 1, 100 * DAY + 3600));
        let later = reading(BEGIN + 7200 - 9 * DAY, 1, 100 * DAY + 7200);
        assert_eq!(leapt.least_age(BEGIN + 100 * DAY + 1800, later), 5400);
        // From a time that nobody noted: it may have been made just now.
        for made in [700, BEGIN + 30 * DAY] {
            assert_eq!(ahead.least_age(made, now), 0, "{made}");
        }
    }

    #[test]
    fn many_boots_with_long_nights_stay_small_and_keep_the_begin() {
        let mut time = LivedTime::begin(reading(BEGIN, 0, 0));
        for boot in 1..400 {
            let wall = BEGIN + boot * DAY;
            time = time.at(reading(wall, boot.unsigned_abs(), 10));
            time = time.at(reading(wall + 3600, boot.unsigned_abs(), 3610));
        }
        assert!(time.spans.len() <= 64, "{}", time.spans.len());
        assert_eq!(time.spans[0].from, BEGIN);
        let now = reading(BEGIN + 399 * DAY + 3600, 399, 3610);
        let age = time.least_age(BEGIN + 10 * DAY, now);
        assert!(age > 100 * DAY && age <= 389 * DAY, "{age}");
        assert_eq!(time.least_age(BEGIN + 399 * DAY + 1800, now), 1800);
    }
}
