//! When the change feed is asked instead of iCloud itself, and how far it is believed (`docs/sync.md` §7): plain rules over what was told.
//!
//! The feed only says when to look. A change that a walk sees and the feed does not tell within a few checks is a disagreement, and the
//! feed is left alone for a day; where both have agreed for a day, whole walks may come seldom.

use std::time::{Duration, Instant};

use super::rest::{FIRST_REST, Rest};
use super::zone_watch::ZoneWatch;
use crate::app::feed_state::FeedState;
use crate::engine::observe::remote::EtagsLearnt;
use crate::icloud::drive::{FeedFault, FeedLook, ZoneQuestion};

/// So long a change that a walk saw may wait until the feed tells it: it is late then, and not lost.
const LATE: Duration = Duration::from_secs(5 * 60);
/// Feed and walks have to agree for so long before whole walks come seldom, and for so long the feed is left alone after a disagreement;
/// in seconds.
const DAY: u64 = 86_400;
/// How seldom whole walks come then.
pub(super) const SELDOM: Duration = Duration::from_secs(60 * 60);
/// A feed whose tokens last no longer says nothing that a walk does not have to find out.
const SHORT_LIFE: Duration = Duration::from_secs(60 * 60);
/// So many changes in a row may be told that are none: somebody's that are not looked at, in another zone. Beyond, walks each refresh period
/// are less work.
const MOST_ALARMS: u32 = 10;
/// What is stored is stored again when a time in it is off by so many seconds.
const ROUGHLY: u64 = 15 * 60;

/// What follows from what the feed told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedNews {
    /// Nothing changed.
    Nothing,
    /// Something changed: walk through iCloud.
    Walk,
    /// The feed alone does not say enough: look at iCloud itself too.
    LookThere,
}

/// What is known of the change feed.
#[derive(Debug)]
pub(super) struct FeedWatch {
    /// The configuration allows it.
    is_wanted: bool,
    /// The account offers one, as far as is known.
    is_offered: bool,
    state: FeedState,
    /// As it was stored last.
    stored: FeedState,
    /// The feed answered last, and its token is older than the last walk, so that nothing since is missed.
    is_current: bool,
    rest: Rest,
    /// When its first token in a row came.
    token_since: Option<Instant>,
    /// How often in a row a walk did not see what it told of.
    alarms: u32,
    /// It did not answer; whether iCloud itself does says whose fault that is.
    is_silent: bool,
    /// iCloud itself is looked at next.
    is_skipped_once: bool,
    /// It told of a change since the last walk.
    has_told: bool,
    /// Since when a change that a walk saw waits for being told.
    untold_since: Option<Instant>,
    /// Until when times were counted.
    counted_at: Option<Instant>,
    disagreements: u64,
    /// What is known of single items.
    zone: ZoneWatch,
}

impl FeedWatch {
    /// Of a feed that was not asked yet; `stored` is what an earlier run knew.
    pub fn new(stored: FeedState, is_wanted: bool) -> Self {
        Self {
            is_wanted,
            is_offered: true,
            zone: ZoneWatch::new(stored.zone.clone()),
            state: stored.clone(),
            stored,
            is_current: false,
            rest: Rest::default(),
            token_since: None,
            alarms: 0,
            is_silent: false,
            is_skipped_once: false,
            has_told: false,
            untold_since: None,
            counted_at: None,
            disagreements: 0,
        }
    }

    /// Another configuration.
    pub fn want(&mut self, is_wanted: bool) {
        self.is_wanted = is_wanted;
        self.is_current &= is_wanted;
        self.zone.is_doubtful();
    }

    /// Signed in as `account`: what is known of another one's feed is nothing. Says whether it is another one.
    pub fn reached(&mut self, account: &str) -> bool {
        let is_other = self.state.account != account;
        if is_other {
            self.state = FeedState { account: account.to_owned(), ..FeedState::default() };
            self.zone = ZoneWatch::default();
        }
        self.is_current = false;
        self.zone.is_doubtful();
        is_other
    }

    /// Whether the configuration allows anything but polling.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether it takes the place of looks at iCloud itself.
    pub fn is_in_use(&self) -> bool {
        self.is_wanted && self.is_current
    }

    /// Whether the next check is one of the feed that is in use.
    pub fn is_next(&self) -> bool {
        self.is_in_use() && !self.is_skipped_once
    }

    /// Whether whole walks may come seldom.
    pub fn may_walk_seldom(&self) -> bool {
        self.may_be_asked_often() && self.state.confirmed && self.state.agreed >= DAY
    }

    /// Whether checks may come more often than the configuration says: each is the feed's small question, and says enough.
    pub fn may_be_asked_often(&self) -> bool {
        self.is_in_use() && self.untold_since.is_none()
    }

    /// Why iCloud is polled although the account offers a feed; `None` where it is not.
    pub fn because(&self) -> Option<&'static str> {
        if !self.is_wanted || !self.is_offered || self.is_current {
            None
        } else if self.state.distrusted > 0 {
            Some("its change feed did not tell of a change")
        } else {
            self.rest.until().map(|_| "its change feed does not answer this session")
        }
    }

    /// How often a walk saw what the feed did not tell, since the start.
    pub fn disagreements(&self) -> u64 {
        self.disagreements
    }

    // ---- asking -----------------------------------------------------------------------------

    fn may_ask(&self, now: Instant) -> bool {
        self.is_wanted
            && !self.state.account.is_empty()
            && self.state.distrusted == 0
            && self.rest.is_over_at(now)
    }

    /// Whether the next check asks the feed.
    pub fn is_asked(&self, now: Instant) -> bool {
        self.may_ask(now) && !self.is_skipped_once
    }

    /// Whether it is asked before a walk begins: its token is older than the walk then.
    pub fn is_asked_before_walk(&self, now: Instant) -> bool {
        self.may_ask(now) && !self.is_current
    }

    /// The token that is sent along.
    pub fn token(&self) -> Option<String> {
        self.state.token.clone()
    }

    /// What is known of single items.
    pub fn zone(&self) -> &ZoneWatch {
        &self.zone
    }

    /// What is known of single items.
    pub fn zone_mut(&mut self) -> &mut ZoneWatch {
        &mut self.zone
    }

    /// What it is asked so that a look knows where something changed; `None` where a look has to be at everything.
    pub fn question_of_look(&self, now: Instant) -> Option<ZoneQuestion> {
        self.zone.question_of_look(now).filter(|_| self.is_in_use())
    }

    /// What is to be stored, where it is another thing than what is; `etags` is what is known of those.
    pub fn take_unstored(&mut self, etags: &EtagsLearnt) -> Option<FeedState> {
        if *etags != self.state.etags {
            self.state.etags = etags.clone();
        }
        if *self.zone.mark() != self.state.zone {
            self.state.zone = self.zone.mark().clone();
        }
        let (new, old) = (&self.state, &self.stored);
        let differs = |new: u64, old: u64| new.abs_diff(old) >= ROUGHLY || (new == 0) != (old == 0);
        let is_other = new.account != old.account
            || new.token != old.token
            || new.zone != old.zone
            || new.confirmed != old.confirmed
            || new.etags != old.etags
            || differs(new.agreed, old.agreed)
            || differs(new.distrusted, old.distrusted);
        if !is_other || new.account.is_empty() {
            return None;
        }
        self.stored = self.state.clone();
        Some(self.stored.clone())
    }

    // ---- what is told -----------------------------------------------------------------------

    /// It was asked.
    pub fn told(&mut self, told: Result<FeedLook, FeedFault>, now: Instant) -> FeedNews {
        self.count(now);
        match told {
            Ok(look) => self.answered(look, now),
            Err(FeedFault::NotOffered) => {
                (self.is_offered, self.is_current) = (false, false);
                self.rest.lasts_until(now + FIRST_REST);
                FeedNews::LookThere
            }
            Err(FeedFault::Refused { why, retry_after }) => {
                self.refused(&why, retry_after, now);
                FeedNews::LookThere
            }
            Err(FeedFault::NoAnswer(why)) => {
                log::debug!("the change feed does not answer: {why}");
                (self.is_silent, self.is_skipped_once) = (true, true);
                FeedNews::LookThere
            }
        }
    }

    fn answered(&mut self, look: FeedLook, now: Instant) -> FeedNews {
        self.zone.told(&look);
        if look.started_over {
            let before = self.token_since.replace(now);
            if before.is_some_and(|before| now.duration_since(before) < SHORT_LIFE) {
                self.state.token = Some(look.token);
                self.refused("its tokens do not last", None, now);
                return FeedNews::Walk;
            }
        }
        (self.is_offered, self.is_silent, self.is_current) = (true, false, true);
        self.rest.is_over(now);
        self.state.token = Some(look.token);
        if look.moved {
            self.has_told = true;
            if self.untold_since.take().is_some() && !look.started_over {
                self.state.confirmed = true;
            }
            return FeedNews::Walk;
        }
        let Some(since) = self.untold_since else { return FeedNews::Nothing };
        if now.duration_since(since) >= LATE {
            self.disagree();
        } else {
            self.is_skipped_once = true;
        }
        FeedNews::LookThere
    }

    fn refused(&mut self, why: &str, retry_after: Option<Duration>, now: Instant) {
        let rest = self.rest.begins(retry_after.unwrap_or_default(), now);
        (self.is_current, self.is_silent, self.is_offered) = (false, false, true);
        self.zone.is_doubtful();
        self.untold_since = None;
        self.state.agreed = 0;
        log::debug!("the change feed is left alone for {} s: {why}", rest.as_secs());
    }

    /// iCloud itself was looked at, and answered or not.
    pub fn looked_there(&mut self, answered: bool, now: Instant) {
        self.count(now);
        self.is_skipped_once = false;
        if std::mem::take(&mut self.is_silent) && answered {
            self.refused("iCloud answers, and the feed does not", None, now);
        }
    }

    /// A pass changed something on iCloud, perhaps: what the feed tells of that no walk sees.
    pub fn has_written(&mut self) {
        self.alarms = 0;
    }

    /// What it told was looked at, and nothing else.
    pub fn glanced(&mut self, now: Instant) {
        self.count(now);
        self.has_told = false;
        self.zone.glanced(now);
    }

    /// A walk ended well; whether it saw something that the walk before and our own writes do not explain, where that can be told.
    pub fn walked(&mut self, saw_change: Option<bool>, now: Instant) {
        self.count(now);
        let has_told = std::mem::take(&mut self.has_told);
        self.zone.walked();
        if !self.is_in_use() {
            return;
        }
        if saw_change != Some(true) {
            self.alarms += u32::from(has_told && saw_change.is_some());
            if self.alarms >= MOST_ALARMS {
                self.alarms = 0;
                self.refused("it tells of changes where there are none", None, now);
            }
            return;
        }
        self.alarms = 0;
        if has_told {
            self.state.confirmed = true;
        } else if !self.zone.has_glanced_within(LATE, now) {
            // A listing that was late may have hidden what was looked for.
            self.untold_since.get_or_insert(now);
        }
    }

    fn disagree(&mut self) {
        log::warn!(
            "iCloud's change feed did not tell of a change that is there: it is not asked for a day, and iCloud is looked at instead"
        );
        self.disagreements += 1;
        self.untold_since = None;
        self.is_current = false;
        self.zone.is_doubtful();
        self.state = FeedState {
            account: std::mem::take(&mut self.state.account),
            distrusted: DAY,
            ..FeedState::default()
        };
    }

    /// Counts the time since it was counted last.
    fn count(&mut self, now: Instant) {
        let before = self.counted_at.replace(now).unwrap_or(now);
        let passed = now.saturating_duration_since(before).as_secs();
        // What is left of a second is counted the next time.
        self.counted_at = Some(before + Duration::from_secs(passed));
        self.state.distrusted = self.state.distrusted.saturating_sub(passed);
        if self.may_be_asked_often() {
            self.state.agreed = self.state.agreed.saturating_add(passed).min(2 * DAY);
        }
    }
}

#[cfg(test)]
mod tests;
