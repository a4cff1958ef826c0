//! The rules by which the daemon looks at iCloud, without the daemon: for a simulated world with a clock of its own. The turns of a real one
//! are taken by the loop, and what they bring comes from its jobs.

use std::time::{Duration, Instant};

use super::etag_watch::EtagWatch;
use super::facts::Asking;
use super::feed_watch::FeedWatch;
use super::remote_side::RemoteSide;
use super::timing::Periods;
use super::work::NextWalk;
use crate::app::feed_state::FeedState;
use crate::engine::pass::Sight;
use crate::icloud::drive::{FeedFault, FeedLook, Pulse, ZoneLook, ZoneQuestion};

/// What iCloud is asked next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is due.
    Rest,
    /// A walk through everything.
    Walk {
        /// The change feed is asked before it begins.
        feed: Option<FeedTurn>,
    },
    /// The zone is asked what changed, and that is looked at.
    Glance(ZoneQuestion),
    /// The change feed is asked whether something changed.
    Feed(FeedTurn),
    /// iCloud itself is asked.
    Check,
}

/// What the change feed is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedTurn {
    /// Where it was heard to.
    pub token: Option<String>,
    /// What the zone is asked beside.
    pub zone: Option<ZoneQuestion>,
}

/// The daemon's rules of when and where to look.
pub struct Rehearsal {
    side: RemoteSide,
}

impl Rehearsal {
    /// Of a daemon that has just signed in, with these periods.
    pub fn new(check: Duration, refresh: Duration, now: Instant) -> Self {
        let feed = FeedWatch::new(FeedState::default(), true);
        let mut side = RemoteSide::new(Periods { check, refresh }, (feed, EtagWatch::default()), now);
        side.feed_mut().reached("17");
        Self { side }
    }

    /// When something is due.
    pub fn due_at(&self) -> Instant {
        let facts = self.side.facts(true);
        facts.walk_at.min(facts.check_at)
    }

    /// Begins what is due.
    pub fn begins(&mut self, now: Instant) -> Turn {
        let facts = self.side.facts(true);
        if facts.walk_at <= now {
            let place = self.side.question_of_look(now);
            let feed = self.side.feed().is_asked_before_walk(now).then(|| self.feed_turn(now));
            self.side.asks(Asking::Walk, now);
            return place.map_or(Turn::Walk { feed }, Turn::Glance);
        }
        if facts.check_at > now {
            return Turn::Rest;
        }
        let turn = if self.side.asks_feed_at(now) { Turn::Feed(self.feed_turn(now)) } else { Turn::Check };
        self.side.asks(Asking::Check, now);
        turn
    }

    fn feed_turn(&self, now: Instant) -> FeedTurn {
        let feed = self.side.feed();
        FeedTurn { token: feed.token(), zone: feed.zone().question_of_check(now) }
    }

    /// The change feed answered.
    pub fn feed_told(
        &mut self,
        told: Result<FeedLook, FeedFault>,
        zone: Option<Result<ZoneLook, FeedFault>>,
        now: Instant,
    ) {
        self.side.is_answered();
        self.side.feed_told(told, true, now);
        if let Some(zone) = zone {
            self.side.feed_mut().zone_mut().answered(zone, now);
        }
    }

    /// iCloud itself was asked, and shows so many files.
    pub fn checked(&mut self, files: u64, now: Instant) {
        self.side.is_answered();
        self.side.checked(Pulse { file_count: Some(files), ..Pulse::default() }, now);
    }

    /// A look is over: what it saw, what the zone told before it, and whether a walk saw what nothing explains. Gives what the engine is to
    /// take over.
    pub fn saw(
        &mut self,
        sight: Sight,
        zone: Option<ZoneLook>,
        saw_change: Option<bool>,
        now: Instant,
    ) -> Option<Sight> {
        self.side.is_answered();
        if let Some(zone) = zone.filter(|_| !matches!(sight, Sight::TooLittle)) {
            self.side.feed_mut().zone_mut().answered(Ok(zone), now);
        }
        match sight {
            Sight::Nothing => self.side.glanced(None, Duration::ZERO, now),
            Sight::TooLittle => self.side.walk_where_told_no_more(now),
            Sight::Part(view) => self.side.glanced(Some(view), Duration::ZERO, now),
            Sight::Whole(view) => {
                let is_complete = view.complete;
                self.side.compare_feed(saw_change, is_complete, now);
                self.side.walked(view, None, Duration::ZERO, now);
            }
        }
        self.side.take_unread().map(|sight| *sight)
    }

    /// A pass is over; whether it found nothing to do, and whether it left something for another look.
    pub fn passed(&mut self, quiet: bool, pending: bool, now: Instant) {
        if !quiet {
            self.side.had_news();
            self.side.feed_mut().has_written();
        }
        self.side.walk_after_pass(if pending { NextWalk::Soon } else { NextWalk::AsDue }, now);
    }

    /// Whether whole walks may come seldom by now.
    pub fn walks_seldom(&self) -> bool {
        self.side.feed().may_walk_seldom()
    }

    /// How often a walk saw what the feed did not tell.
    pub fn disagreements(&self) -> u64 {
        self.side.feed().disagreements()
    }
}
