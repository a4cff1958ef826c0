//! How long calls take: the least, the middle, and what nineteen of twenty stay below.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::report::Line;

/// How long calls of each kind took, by their names.
#[derive(Clone, Debug, Default)]
pub struct Latencies(BTreeMap<&'static str, Vec<Duration>>);

/// Three numbers of one kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many calls there were.
    pub calls: usize,
    /// The quickest.
    pub min: Duration,
    /// Half of them were no slower.
    pub median: Duration,
    /// Of a hundred, 95 were no slower; of a few, the slowest.
    pub p95: Duration,
}

impl Spread {
    /// Of at least one call.
    pub fn of(calls: &[Duration]) -> Option<Self> {
        let mut sorted = calls.to_vec();
        sorted.sort_unstable();
        // The nearest rank: an answer that was really seen.
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied()
        };
        Some(Self { calls: sorted.len(), min: *sorted.first()?, median: at(50)?, p95: at(95)? })
    }
}

impl Latencies {
    /// Notes a call.
    pub fn note(&mut self, kind: &'static str, took: Duration) {
        self.0.entry(kind).or_default().push(took);
    }

    /// The slowest of one kind.
    pub fn slowest(&self, kind: &str) -> Option<Duration> {
        self.0.get(kind)?.iter().max().copied()
    }

    /// A line for each kind.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.0.iter().filter_map(|(kind, calls)| {
            let spread = Spread::of(calls)?;
            let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            let [min, median, p95] = [spread.min, spread.median, spread.p95].map(ms);
            let calls = spread.calls;
            let says = format!("{min} / {median} / {p95} ms (least, median, 95th percentile of {calls})");
            Some(Line::new(
                kind,
                json!({"calls": calls, "min_ms": min, "median_ms": median, "p95_ms": p95}),
                says,
            ))
        });
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_numbers_are_answers_that_were_seen() {
        let ms = |values: &[u64]| values.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
        for (calls, expected) in [
            (ms(&[7]), (7, 7, 7)),
            (ms(&[9, 1, 5]), (1, 5, 9)),
            (ms(&[4, 3, 2, 1]), (1, 2, 4)),
            (ms(&(1..=100).collect::<Vec<_>>()), (1, 50, 95)),
        ] {
            let spread = Spread::of(&calls).expect("calls");
            let found = [spread.min, spread.median, spread.p95].map(|span| span.as_millis());
            assert_eq!(found, [expected.0, expected.1, expected.2], "{calls:?}");
        }
        assert_eq!(Spread::of(&[]), None);
    }
}
