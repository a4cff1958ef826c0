//! How far the change feed's word on single items is known (`docs/sync.md` §7): plain rules over what was told.
//!
//! A zone tells first of all that it holds, in pages, a few with each check; from then on of what changed. Once nothing can have changed
//! between the last walk and that, or a walk has begun after it, a change is looked for where it is told, and nowhere else.

use std::time::{Duration, Instant};

use super::rest::Rest;
use crate::app::feed_state::ZoneMark;
use crate::icloud::drive::{FeedFault, FeedLook, FeedZone, ZoneLook, ZoneQuestion};

/// So many pages of all that a zone holds are read with one check.
const PAGES_A_CHECK: u32 = 4;
/// A zone that is not told whole after so many answers in a row, some two million records, never ends: it is left alone for a while.
const MOST_PARTS: u32 = 2_500;
/// So many pages of changes are read for one look.
const PAGES_A_LOOK: u32 = 3;

/// What moved since it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Moved {
    #[default]
    Nothing,
    /// The zone whose changes are known one by one.
    Zone,
    /// Something else.
    Elsewhere,
}

/// What is known of the Drive's own zone.
#[derive(Debug, Default)]
pub(super) struct ZoneWatch {
    mark: ZoneMark,
    /// What was seen of iCloud is no older than the zone's token.
    is_base: bool,
    /// The token was whole when the walk under way began.
    was_whole: bool,
    moved: Moved,
    rest: Rest,
    /// Answers in a row after which there was more.
    parts: u32,
    /// When a change was last looked for where it was told.
    glanced_at: Option<Instant>,
}

impl ZoneWatch {
    /// Of a zone that was not asked yet; `mark` is what an earlier run knew.
    pub fn new(mark: ZoneMark) -> Self {
        Self { mark, ..Self::default() }
    }

    /// What is to be stored.
    pub fn mark(&self) -> &ZoneMark {
        &self.mark
    }

    /// What was seen of iCloud is not known to be new any more.
    pub fn is_doubtful(&mut self) {
        (self.is_base, self.moved) = (false, Moved::Elsewhere);
    }

    /// The feed told which zones moved.
    pub fn told(&mut self, look: &FeedLook) {
        if let Some(zone) = look.drive_zone()
            && self.mark.zone.as_ref().is_none_or(|known| look.started_over && known.name != zone.name)
        {
            (self.mark, self.is_base) = (ZoneMark { zone: Some(zone.clone()), ..ZoneMark::default() }, false);
        }
        if !look.moved {
            self.is_base |= self.mark.is_whole && self.moved == Moved::Nothing;
            return;
        }
        let is_known = |zone: &FeedZone| self.mark.zone.as_ref().is_some_and(|known| known.name == zone.name);
        let only = !look.started_over && !look.unnamed && look.zones.iter().all(is_known);
        self.moved = self.moved.max(if only { Moved::Zone } else { Moved::Elsewhere });
    }

    fn question(&self, pages: u32, now: Instant) -> Option<ZoneQuestion> {
        let zone = self.mark.zone.clone().filter(|_| self.rest.is_over_at(now))?;
        Some(ZoneQuestion { zone, token: self.mark.token.clone(), pages })
    }

    /// What a check asks it beside, until all that it holds was told.
    pub fn question_of_check(&self, now: Instant) -> Option<ZoneQuestion> {
        self.question(PAGES_A_CHECK, now).filter(|_| !self.mark.is_whole)
    }

    /// What it is asked so that a look knows where; `None` where a look has to be at everything.
    pub fn question_of_look(&self, now: Instant) -> Option<ZoneQuestion> {
        let can = self.moved == Moved::Zone && self.is_base && self.mark.is_whole;
        self.question(PAGES_A_LOOK, now).filter(|_| can)
    }

    /// It was asked.
    pub fn answered(&mut self, told: Result<ZoneLook, FeedFault>, now: Instant) {
        match told {
            Ok(look) => {
                self.parts = if look.is_whole { 0 } else { self.parts + 1 };
                if self.parts > MOST_PARTS {
                    self.parts = 0;
                    self.refused("it never ends", None, now);
                    return;
                }
                self.rest.is_over(now);
                (self.mark.token, self.mark.is_whole) = (Some(look.token), look.is_whole);
                self.is_base &= look.is_whole;
            }
            Err(FeedFault::NoAnswer(why)) => log::debug!("the change feed does not tell what changed: {why}"),
            Err(FeedFault::NotOffered) => self.forget(),
            Err(FeedFault::Refused { why, retry_after }) => self.refused(&why, retry_after, now),
        }
    }

    fn refused(&mut self, why: &str, retry_after: Option<Duration>, now: Instant) {
        let rest = self.rest.begins(retry_after.unwrap_or_default(), now);
        log::debug!(
            "the change feed does not tell what changed and is not asked that for {} s: {why}",
            rest.as_secs()
        );
        self.forget();
    }

    /// Its token is of no use any more.
    fn forget(&mut self) {
        self.mark = ZoneMark { zone: self.mark.zone.take(), ..ZoneMark::default() };
        self.is_base = false;
    }

    /// A walk begins.
    pub fn walk_begins(&mut self) {
        self.was_whole = self.mark.is_whole;
    }

    /// A walk ended well: it saw whatever was told before it.
    pub fn walked(&mut self) {
        self.moved = Moved::Nothing;
        self.is_base = self.was_whole && self.mark.is_whole;
    }

    /// What was told was looked at, and nothing else.
    pub fn glanced(&mut self, now: Instant) {
        self.moved = Moved::Nothing;
        self.glanced_at = Some(now);
    }

    /// Whether a change was looked for where it was told within that time: a listing may have shown less than there was.
    pub fn has_glanced_within(&self, time: Duration, now: Instant) -> bool {
        self.glanced_at.is_some_and(|at| now.saturating_duration_since(at) < time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> FeedZone {
        FeedZone { name: name.to_owned(), owner: None }
    }

    fn moved(zones: &[&str], started_over: bool) -> FeedLook {
        FeedLook {
            token: "t".to_owned(),
            moved: started_over || !zones.is_empty(),
            zones: zones.iter().map(|name| zone(name)).collect(),
            unnamed: false,
            started_over,
        }
    }

    fn look(token: &str, is_whole: bool) -> Result<ZoneLook, FeedFault> {
        Ok(ZoneLook { token: token.to_owned(), is_whole, records: None })
    }

    /// A zone all of whose items were told before the last walk.
    fn known(now: Instant) -> ZoneWatch {
        let mut watch = ZoneWatch::default();
        watch.told(&moved(&["_defaultZone", "app"], true));
        assert_eq!(watch.question_of_look(now), None);
        watch.answered(look("a", true), now);
        watch.walk_begins();
        watch.walked();
        watch
    }

    #[test]
    fn a_zone_that_never_ends_is_left_alone_after_a_while_and_tried_again() {
        let now = Instant::now();
        let mut watch = ZoneWatch::default();
        watch.told(&moved(&["_defaultZone"], true));
        let mut answers = 0;
        while watch.question_of_check(now).is_some() {
            answers += 1;
            assert!(answers <= 2 * MOST_PARTS, "it is asked for ever");
            watch.answered(look(&answers.to_string(), false), now);
        }
        assert_eq!(answers, MOST_PARTS + 1);
        assert_eq!(watch.mark().token, None, "it begins anew");
        assert!(watch.question_of_check(now + Duration::from_secs(86_400)).is_some());
    }

    #[test]
    fn all_that_a_zone_holds_is_told_first_and_then_what_changed() {
        let now = Instant::now();
        let mut watch = ZoneWatch::default();
        assert_eq!(watch.question_of_check(now), None, "nobody knows the zone");
        watch.told(&moved(&["app", "_defaultZone"], true));
        let first = watch.question_of_check(now).expect("a question");
        assert_eq!((first.zone.name.as_str(), first.token), ("_defaultZone", None));
        watch.answered(look("a", false), now);
        assert_eq!(watch.question_of_check(now).and_then(|question| question.token).as_deref(), Some("a"));
        watch.walk_begins();
        watch.answered(look("b", true), now);
        assert_eq!(watch.question_of_check(now), None);
        watch.walked();
        watch.told(&moved(&["_defaultZone"], false));
        assert_eq!(watch.question_of_look(now), None, "the walk began before");
        watch.walk_begins();
        watch.walked();
        assert_eq!(watch.question_of_look(now), None, "nothing moved");
        watch.told(&moved(&["_defaultZone"], false));
        assert_eq!(watch.question_of_look(now).and_then(|question| question.token).as_deref(), Some("b"));
        watch.glanced(now);
        assert_eq!(watch.question_of_look(now), None);
    }

    #[test]
    fn a_quiet_check_after_all_was_told_says_that_the_last_walk_is_still_right() {
        let now = Instant::now();
        let mut watch = ZoneWatch::default();
        watch.told(&moved(&["_defaultZone"], true));
        watch.walk_begins();
        watch.walked();
        watch.answered(look("a", true), now);
        watch.told(&moved(&["_defaultZone"], false));
        assert_eq!(watch.question_of_look(now), None, "it moved in between, perhaps");
        watch.walked();
        watch.told(&moved(&[], false));
        watch.told(&moved(&["_defaultZone"], false));
        assert!(watch.question_of_look(now).is_some());
    }

    #[test]
    fn whatever_else_moves_or_is_refused_takes_a_whole_walk() {
        let now = Instant::now();
        let unnamed = FeedLook { unnamed: true, ..moved(&["_defaultZone"], false) };
        for told in [moved(&["_defaultZone", "app"], false), moved(&["_defaultZone"], true), unnamed] {
            let mut watch = known(now);
            watch.told(&told);
            watch.told(&moved(&["_defaultZone"], false));
            assert_eq!(watch.question_of_look(now), None, "{told:?}");
        }
        let mut watch = known(now);
        watch.told(&moved(&["_defaultZone"], false));
        watch.answered(look("c", false), now);
        assert_eq!(watch.question_of_look(now), None, "it has more to tell");
        let mut watch = known(now);
        watch.told(&moved(&["_defaultZone"], false));
        let refusal = FeedFault::Refused { why: "no".to_owned(), retry_after: None };
        watch.answered(Err(refusal), now);
        assert_eq!(watch.question_of_look(now), None);
        assert_eq!(watch.question_of_check(now), None, "it rests");
        let later = now + Duration::from_secs(301);
        assert_eq!(watch.question_of_check(later).map(|question| question.token), Some(None));
        let mut watch = known(now);
        watch.told(&moved(&["_defaultZone"], false));
        watch.answered(Err(FeedFault::NoAnswer("away".to_owned())), now);
        assert!(watch.question_of_look(now).is_some(), "that says nothing of its token");
        watch.is_doubtful();
        assert_eq!(watch.question_of_look(now), None);
    }

    #[test]
    fn a_zone_that_is_the_only_one_is_the_drives_whatever_its_name() {
        for (zones, expected) in [
            (&["x"][..], Some("x")),
            (&["x", "y"], None),
            (&["x", "COM.APPLE.clouddocs"], Some("COM.APPLE.clouddocs")),
        ] {
            let mut watch = ZoneWatch::default();
            watch.told(&moved(zones, true));
            assert_eq!(watch.mark().zone.as_ref().map(|zone| zone.name.as_str()), expected);
        }
    }
}
