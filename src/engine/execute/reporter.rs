//! What is told of a pass while it runs, and what is counted for its end.

use super::report::{Effect, Event, Outcome, Progress};

/// Tells and counts.
pub(super) struct Reporter<'a> {
    events: &'a mut dyn FnMut(&Event),
    pub(super) outcome: Outcome,
    /// Bytes that the plan announced, or that were moved where those are more.
    bytes_total: u64,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(events: &'a mut dyn FnMut(&Event), bytes_total: u64) -> Self {
        Self { events, outcome: Outcome::default(), bytes_total }
    }

    pub(super) fn emit(&mut self, event: &Event) {
        (self.events)(event);
    }

    /// Tells an effect, and counts it unless it is only a part of an operation.
    pub(super) fn told(&mut self, effect: Effect, is_part: bool) {
        if !is_part {
            self.outcome.counts.add(&effect);
        }
        self.emit(&Event::Done(effect));
    }

    /// Tells how far the pass is.
    pub(super) fn progress(&mut self, (items_done, items_total): (usize, usize), bytes_done: u64) {
        // What is sent or fetched again, or turns out larger, was not announced.
        self.bytes_total = self.bytes_total.max(bytes_done);
        let progress = Progress {
            items_done: items_done as u64,
            items_total: items_total as u64,
            bytes_done,
            bytes_total: self.bytes_total,
        };
        self.emit(&Event::Progress(progress));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_again_is_never_more_than_its_total() {
        let mut told = Vec::new();
        let mut into = |event: &Event| {
            if let Event::Progress(progress) = event {
                told.push((progress.bytes_done, progress.bytes_total));
            }
        };
        // A file of 12 bytes whose upload is lost eight times on the way, and another pass that sends less than it announced.
        let mut reporter = Reporter::new(&mut into, 12);
        for times in 0..=9 {
            reporter.progress((0, 1), 12 * times);
        }
        reporter.progress((1, 1), 50);
        assert!(told.iter().all(|(done, total)| done <= total), "{told:?}");
        assert_eq!(told[1], (12, 12));
        assert_eq!(told[9], (108, 108));
        assert_eq!(told[10], (50, 108), "a total once told does not shrink");
    }
}
