//! What notifications ask for: a look at iCloud soon after each, and a walk where the cheap look cannot show what changed.

use std::time::{Duration, Instant};

/// The first rest between two walks that only notifications ask for.
const FIRST_GAP: Duration = Duration::from_secs(2);

/// The notifications that no look has answered yet. A notification is answered by any look that begins after it, so a burst of them, one
/// that comes twice, and the echo of what this program wrote itself cost one look together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// One came that no look has begun after.
    is_told: bool,
    /// The check under way answers one.
    is_asked: bool,
    /// No walk begins before for a notification alone.
    walk_not_before: Option<Instant>,
    /// How many such walks in a row were for nothing.
    fruitless: u32,
}

impl News {
    /// A notification came.
    pub fn told(&mut self) {
        self.is_told = true;
    }

    /// Whether one waits for a look.
    pub fn is_waiting(&self) -> bool {
        self.is_told
    }

    /// A check begins.
    pub fn check_begins(&mut self) {
        self.is_asked |= std::mem::take(&mut self.is_told);
    }

    /// The look under way had no word: its notification is not answered yet.
    pub fn look_failed(&mut self) {
        self.is_told |= std::mem::take(&mut self.is_asked);
    }

    /// The look under way shows all that there is, and nothing else follows.
    pub fn is_answered(&mut self) {
        self.is_asked = false;
    }

    /// A walk begins, which shows whatever was told before it.
    pub fn walk_begins(&mut self) {
        (self.is_told, self.is_asked) = (false, false);
    }

    /// The check is over; `moved` says whether it showed a change, `longest` is the longest rest between walks. Gives when a walk should
    /// look for what it did not show, if a notification says that there is something.
    pub fn check_over(&mut self, moved: bool, longest: Duration, now: Instant) -> Option<Instant> {
        if !std::mem::take(&mut self.is_asked) || moved {
            return None;
        }
        let at = self.walk_not_before.map_or(now, |not_before| not_before.max(now));
        let gap = FIRST_GAP.saturating_mul(2u32.saturating_pow(self.fruitless.min(16)));
        self.walk_not_before = Some(at + gap.min(longest));
        self.fruitless = self.fruitless.saturating_add(1);
        Some(at)
    }

    /// A pass found something to do: who tells of changes does not tell in vain.
    pub fn was_true(&mut self) {
        self.fruitless = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(90);

    #[test]
    fn a_notification_is_answered_by_any_look_that_begins_after_it() {
        let now = Instant::now();
        // What happens, and whether a walk follows from the check that is over at the end.
        for (script, walks) in [
            ("begin over", false),
            ("told begin over", true),
            ("told told begin over", true),
            ("told begin moved", false),
            ("told walk begin over", false),
            ("begin told over", false),
            ("begin told over begin over", true),
            ("told begin over begin over", false),
            ("told begin walk over", false),
        ] {
            let (mut news, mut walk) = (News::default(), None);
            for step in script.split(' ') {
                match step {
                    "told" => news.told(),
                    "begin" => news.check_begins(),
                    "walk" => news.walk_begins(),
                    "over" | "moved" => walk = news.check_over(step == "moved", LONGEST, now),
                    _ => panic!("no such step: {step}"),
                }
            }
            assert_eq!(walk, walks.then_some(now), "{script}");
        }
    }

    #[test]
    fn walks_for_nothing_come_ever_more_seldom_until_one_finds_something() {
        let now = Instant::now();
        let mut news = News::default();
        let ask = |news: &mut News| {
            news.told();
            news.check_begins();
            news.check_over(false, LONGEST, now).map(|at| (at - now).as_secs())
        };
        let found: Vec<_> = (0..9).map(|_| ask(&mut news)).collect();
        assert_eq!(found, [0, 2, 6, 14, 30, 62, 126, 216, 306].map(Some));
        news.was_true();
        assert_eq!((ask(&mut news), ask(&mut news)), (Some(396), Some(398)));
    }
}
