//! Counts what is sent, by kind of call, for monitoring.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::status::CallCount;

/// The counts of one client since it was made. There are as many kinds as the program names, so it stays small.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<&'static str, (u64, u64, Duration)>>);

impl Tally {
    /// One call is over; `fine` when it brought a success.
    pub(super) fn note(&self, kind: &'static str, fine: bool, took: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, failed, whole) = counts.entry(kind).or_default();
        *sent += 1;
        *failed += u64::from(!fine);
        *whole = whole.saturating_add(took);
    }

    /// The counts, by kind.
    pub(super) fn counts(&self) -> Vec<CallCount> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(kind, (sent, failed, whole)): (&&'static str, &(u64, u64, Duration))| CallCount {
            kind: (*kind).to_owned(),
            sent: *sent,
            failed: *failed,
            millis: u64::try_from(whole.as_millis()).unwrap_or(u64::MAX),
        };
        counts.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        let tally = Tally::default();
        assert_eq!(tally.counts(), []);
        tally.note("listing", true, Duration::from_millis(20));
        tally.note("listing", false, Duration::from_millis(5));
        tally.note("accountLogin", true, Duration::from_secs(2));
        let counted =
            |kind: &str, sent, failed, millis| CallCount { kind: kind.to_owned(), sent, failed, millis };
        assert_eq!(tally.counts(), [counted("accountLogin", 1, 0, 2000), counted("listing", 2, 1, 25)]);
    }
}
