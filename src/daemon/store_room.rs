//! When the stored state gives back the room that it does not need: at a calm moment, and seldom in vain.

use std::time::{Duration, Instant};

use crate::engine::ports::Shrunk;
use crate::model::Backoff;

/// So long after the last job with the engine nothing may have become due.
const CALM: Duration = Duration::from_secs(5);
/// How long it is left alone after something else came in between: doubled each time in a row, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 60 * 60);

/// When the store is made smaller.
#[derive(Debug, Default)]
pub(super) struct StoreRoom {
    /// When that is due; `None` while it is not worth it, or goes on.
    due_at: Option<Instant>,
    /// It is not begun before.
    not_before: Option<Instant>,
    /// How often in a row something else came in between.
    stops: u32,
    /// That it cannot be made smaller was told.
    is_told: bool,
}

impl StoreRoom {
    /// When it is due.
    pub fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// A job brought the engine home; `wastes` says whether its store takes too much room now.
    pub fn job_over(&mut self, wastes: bool, now: Instant) {
        let calm = now + CALM;
        self.due_at = wastes.then(|| self.not_before.map_or(calm, |not_before| not_before.max(calm)));
    }

    /// It begins.
    pub fn begins(&mut self) {
        self.due_at = None;
    }

    /// No thread could be started for it.
    pub fn cannot_begin(&mut self, now: Instant) {
        self.not_before = Some(now + FIRST_WAIT);
        self.due_at = self.not_before;
    }

    /// It is over. Gives why it could not be done, once for all times in a row.
    pub fn over(&mut self, shrunk: Shrunk, now: Instant) -> Option<String> {
        match shrunk {
            Shrunk::Done => {
                *self = Self::default();
                None
            }
            Shrunk::Stopped => {
                let wait = Backoff::exact(FIRST_WAIT, LONGEST_WAIT).wait(self.stops, 0.0);
                self.stops = self.stops.saturating_add(1);
                self.not_before = Some(now + wait);
                self.due_at = self.due_at.and(self.not_before);
                None
            }
            Shrunk::Failed(why) => (!std::mem::replace(&mut self.is_told, true)).then_some(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_waits_until_nothing_was_done_for_a_while() {
        let (mut room, now) = (StoreRoom::default(), Instant::now());
        room.job_over(false, now);
        assert_eq!(room.due_at(), None);
        room.job_over(true, now);
        room.job_over(true, now + SECOND);
        assert_eq!(room.due_at(), Some(now + SECOND + CALM));
        room.begins();
        assert_eq!(room.due_at(), None);
        room.job_over(false, now + 9 * SECOND);
        assert_eq!(room.over(Shrunk::Done, now + 9 * SECOND), None);
        assert_eq!(room.due_at(), None);
    }

    #[test]
    fn what_something_else_came_in_between_of_waits_longer_each_time() {
        let (mut room, mut now) = (StoreRoom::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..11 {
            room.begins();
            room.job_over(true, now);
            assert_eq!(room.over(Shrunk::Stopped, now), None);
            let due = room.due_at().expect("it is still to do");
            waits.push(due.duration_since(now).as_secs());
            // Jobs that end meanwhile bring it no nearer.
            room.job_over(true, now);
            assert_eq!(room.due_at(), Some(due));
            now = due;
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 21600, 21600]);
        room.over(Shrunk::Done, now);
        room.job_over(true, now);
        assert_eq!(room.due_at(), Some(now + CALM));
    }

    #[test]
    fn that_it_cannot_be_done_is_told_once_until_it_can() {
        let (mut room, now) = (StoreRoom::default(), Instant::now());
        let failed = || Shrunk::Failed("no space".to_owned());
        assert_eq!(room.over(failed(), now), Some("no space".to_owned()));
        assert_eq!((room.over(failed(), now), room.over(Shrunk::Stopped, now)), (None, None));
        assert_eq!(room.over(failed(), now), None);
        room.over(Shrunk::Done, now);
        assert_eq!(room.over(failed(), now), Some("no space".to_owned()));
    }
}
