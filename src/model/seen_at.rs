//! The moment of a look at the disk, by every clock that its stamps may come from.

use std::ops::RangeInclusive;

use super::{Clock, DiskTime};

/// How far the clocks of a drive's file systems are ahead of the one of this machine, in nanoseconds; behind it below 0. On a file system
/// that a server keeps (NFS, SMB, sshfs) the server's clock makes the stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skews([i64; Skews::MOST]);

impl Skews {
    /// More than so many clocks are not told apart.
    const MOST: usize = 4;

    /// Those of several file systems. Clocks that go as this machine's need not be named.
    pub fn of(ahead: impl IntoIterator<Item = i64>) -> Self {
        let mut skews = Self::default();
        let mut free = 0;
        for ahead in ahead {
            if ahead != 0 && !skews.0.contains(&ahead) && free < Self::MOST {
                skews.0[free] = ahead;
                free += 1;
            }
        }
        skews
    }

    /// What this machine's clock calls `at`, by each of the clocks; its own first.
    fn each(self, at: DiskTime) -> impl Iterator<Item = DiskTime> {
        let skews = self.0.into_iter().filter(|ahead| *ahead != 0);
        std::iter::once(0).chain(skews).map(move |ahead| DiskTime(at.0.saturating_add(ahead)))
    }

    /// Whether a stamp's time lies in a span of this machine's time, in whole seconds, by any of the clocks.
    pub fn any_between(self, stamp: DiskTime, from: i64, to: i64) -> bool {
        // What is as far as a clock goes stays so.
        let at = |seconds: i64| DiskTime(seconds.saturating_mul(1_000_000_000));
        self.each(at(from)).zip(self.each(at(to))).any(|(from, to)| from <= stamp && stamp < to)
    }
}

/// When something of the disk was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAt {
    at: DiskTime,
    skews: Skews,
}

impl SeenAt {
    /// The moment that this machine's clock calls `at`.
    pub fn new(at: DiskTime, skews: Skews) -> Self {
        Self { at, skews }
    }

    /// This moment.
    pub fn now(clock: &dyn Clock, skews: Skews) -> Self {
        Self::new(clock.now(), skews)
    }

    /// What the clock of this machine said.
    pub fn by_this_machine(&self) -> DiskTime {
        self.at
    }

    /// Whether `stamp` lies within so many seconds of it by any of the clocks.
    pub fn is_within(&self, seconds: i64, stamp: DiskTime) -> bool {
        self.by_each_clock().any(|at| stamp.is_within(seconds, at))
    }

    /// Whether `stamp` lies between it and `other` by any of the clocks, whichever of the two came first: clocks may be set meanwhile.
    pub fn spans(&self, other: &Self, stamp: DiskTime) -> bool {
        let span = |(one, other): (DiskTime, DiskTime)| -> RangeInclusive<DiskTime> {
            one.min(other)..=one.max(other)
        };
        self.by_each_clock().zip(other.by_each_clock()).any(|both| span(both).contains(&stamp))
    }

    /// This machine's clock first.
    fn by_each_clock(&self) -> impl Iterator<Item = DiskTime> {
        self.skews.each(self.at)
    }
}

impl From<DiskTime> for SeenAt {
    /// Where all clocks go as this machine's.
    fn from(at: DiskTime) -> Self {
        Self::new(at, Skews::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DiskTime {
        DiskTime::new(seconds, 0)
    }

    #[test]
    fn each_clock_is_asked() {
        let second = 1_000_000_000;
        let skews = Skews::of([0, -30 * second, 0, 3600 * second, -30 * second]);
        let seen = SeenAt::new(at(10_000), skews);
        let near = [9_968, 9_970, 9_972, 9_998, 10_002, 13_598, 13_602];
        let far = [9_967, 9_973, 9_997, 10_003, 13_597, 13_603];
        assert!(near.iter().all(|stamp| seen.is_within(2, at(*stamp))));
        assert!(!far.iter().any(|stamp| seen.is_within(2, at(*stamp))));
        let later = SeenAt::new(at(10_100), skews);
        for (one, other) in [(&seen, &later), (&later, &seen)] {
            assert!([9_970, 10_050, 10_070, 13_700].iter().all(|stamp| one.spans(other, at(*stamp))));
            assert!(![9_969, 10_101, 13_599, 13_701].iter().any(|stamp| one.spans(other, at(*stamp))));
        }
    }

    #[test]
    fn too_many_clocks_are_cut_to_the_first() {
        let skews = Skews::of(1..100);
        assert_eq!(skews, Skews::of(1..5));
    }

    #[test]
    fn the_ends_of_time_are_no_overflow() {
        for end in [i64::MIN, i64::MAX] {
            let seen = SeenAt::new(DiskTime(end), Skews::of([i64::MIN, i64::MAX]));
            assert!(seen.is_within(1, DiskTime(end)));
        }
    }
}
