//! The remote side: how iCloud is reached, what is known of it, and when it is asked again.

mod counts;
mod session_wait;

use std::sync::Arc;
use std::time::{Duration, Instant};

use counts::Counts;
use session_wait::SessionWait;

use super::etag_watch::EtagWatch;
use super::facts::{Asking, Contact, RemoteFacts};
use super::feed_watch::{FeedNews, FeedWatch, SELDOM};
use super::news::News;
use super::remote_push::PushIs;
use super::roots::{RemoteRoot, SideProblem};
use super::timing::{BackOff, Periods, RemoteTimes};
use super::trash_watch::TrashWatch;
use super::work::NextWalk;
use crate::app::feed_state::FeedState;
use crate::engine::observe::remote::EtagsCompared;
use crate::engine::pass::Sight;
use crate::engine::view::RemoteView;
use crate::icloud::drive::{FeedFault, FeedLook, Pulse, TrashPulse, ZoneQuestion};
use crate::model::{ItemId, Owner};
use crate::status::{RemoteWatch, WatchedBy};

/// The remote side.
pub(super) struct RemoteSide {
    root: Option<Arc<RemoteRoot>>,
    /// As it was when the root was found last.
    root_is_library: bool,
    contact: Contact,
    asking: Option<(Asking, Instant)>,
    /// What a look saw while the engine was lent.
    unread: Option<Box<Sight>>,
    /// How many passes in a row could not reach iCloud although looks at it can.
    failed_passes: u32,
    counts: Counts,
    trash: TrashWatch,
    feed: FeedWatch,
    etags: EtagWatch,
    news: News,
    times: RemoteTimes,
    session: SessionWait,
    problem: SideProblem,
    backoff: BackOff,
}

impl RemoteSide {
    /// Nothing is known of it; everything is due at once.
    pub fn new(periods: Periods, (feed, etags): (FeedWatch, EtagWatch), now: Instant) -> Self {
        Self {
            root: None,
            root_is_library: false,
            contact: Contact::Unseen,
            asking: None,
            unread: None,
            failed_passes: 0,
            counts: Counts::default(),
            trash: TrashWatch::new(now + periods.check),
            feed,
            etags,
            news: News::default(),
            times: RemoteTimes::new(periods, now),
            session: SessionWait::default(),
            problem: SideProblem::default(),
            backoff: BackOff::default(),
        }
    }

    /// Another configuration.
    pub fn reload(&mut self, periods: Periods, uses_feed: bool) {
        self.times.set_periods(periods);
        self.feed.want(uses_feed);
    }

    /// What decides what is done next; `is_viewed` says whether the engine has seen it.
    pub fn facts(&self, is_viewed: bool) -> RemoteFacts {
        RemoteFacts {
            is_reached: self.root.is_some(),
            contact: self.contact,
            has_view: is_viewed,
            asking: self.asking,
            session_at: self.session.at(),
            not_before: self.backoff.not_before(),
            walk_at: self.times.walk_at(),
            // A root that rests keeps nobody from the feed.
            check_at: if self.feed.is_next() { self.times.ask_at() } else { self.times.check_at() },
            // The feed tells of it as well.
            trash_at: self.trash.due_at().filter(|_| !self.feed.is_in_use()),
            listen_at: None,
            problem: self.problem.state,
        }
    }

    /// The root, once it is found.
    pub fn root(&self) -> Option<&Arc<RemoteRoot>> {
        self.root.as_ref()
    }

    /// Whether `sync.remote_root` is an app's library.
    pub fn root_is_library(&self) -> bool {
        self.root_is_library
    }

    /// How changes there are noticed, with the push channel as it is.
    pub fn watched(&self, push: PushIs) -> RemoteWatch {
        let by = match push {
            PushIs::Working => WatchedBy::Push,
            _ if self.feed.is_in_use() => WatchedBy::Feed,
            _ => return RemoteWatch { by: WatchedBy::Poll, because: self.feed.because().or(push.because()) },
        };
        RemoteWatch { by, because: None }
    }

    /// How long a pass may carry things out before both sides are looked at again.
    pub fn longest_pass(&self) -> Duration {
        self.times.longest_pass()
    }

    /// The problem that keeps this side from syncing, to be replaced.
    pub fn problem_mut(&mut self) -> &mut SideProblem {
        &mut self.problem
    }

    // ---- asking -----------------------------------------------------------------------------

    /// Somebody begins to ask iCloud.
    pub fn asks(&mut self, who: Asking, now: Instant) {
        match who {
            Asking::Check => {
                self.times.check_begins(now);
                self.news.check_begins();
            }
            Asking::Walk => {
                self.news.walk_begins();
                self.feed.zone_mut().walk_begins();
            }
            Asking::Reach => {}
        }
        self.asking = Some((who, now));
    }

    /// The change feed.
    pub fn feed_mut(&mut self) -> &mut FeedWatch {
        &mut self.feed
    }

    /// What is to be stored of the change feed and of etags, where it is another thing than what is.
    pub fn take_unstored(&mut self) -> Option<FeedState> {
        self.feed.take_unstored(self.etags.learnt())
    }

    /// What is known of folders' etags.
    pub fn etags(&self) -> &EtagWatch {
        &self.etags
    }

    /// What is known of the change feed.
    pub fn feed(&self) -> &FeedWatch {
        &self.feed
    }

    /// Whether a check asks the change feed and not iCloud itself. While that is away, its own word is waited for.
    pub fn asks_feed_at(&self, now: Instant) -> bool {
        self.contact != Contact::Away && self.feed.is_asked(now)
    }

    /// A look at the trash begins.
    pub fn asks_for_trash(&mut self) {
        self.trash.begins();
    }

    /// Nobody could be sent to ask; returns when that is tried again.
    pub fn cannot_ask(&mut self, unit_random: f64, now: Instant) -> Duration {
        self.backoff.failed(None, unit_random, now)
    }

    /// Who asked has an answer, whatever it is.
    pub fn is_answered(&mut self) {
        self.asking = None;
    }

    // ---- what is answered -------------------------------------------------------------------

    /// Signed in, and the folder is found. Says whether a person was waited for until now.
    pub fn reached(&mut self, root: RemoteRoot, now: Instant) -> bool {
        use crate::status::DaemonState as S;
        self.root_is_library = root.root_is_library;
        if self.feed.reached(&root.whose.account) {
            self.etags.forget();
        }
        self.root = Some(Arc::new(root));
        self.session.is_over();
        self.is_not_away();
        let waited = matches!(self.problem.state, Some(S::NeedsCode | S::NeedsPassword));
        self.is_well();
        self.times.refresh_now(now);
        waited
    }

    /// The change feed was asked. `may_seldom` says whether nothing else rests on how often iCloud is walked through.
    pub fn feed_told(&mut self, told: Result<FeedLook, FeedFault>, may_seldom: bool, now: Instant) {
        let told = self.feed.told(told, now);
        if self.feed.is_in_use() {
            self.counts.feed_tells();
        }
        // The feed's word answers a notification, and iCloud itself does where the feed has none.
        match told {
            FeedNews::Nothing => self.news.is_answered(),
            FeedNews::Walk => {
                self.news.is_answered();
                log::debug!("iCloud's change feed tells of a change");
                if self.feed.question_of_look(now).is_some() {
                    self.times.look_soon(now);
                } else {
                    self.times.refresh_soon(now);
                }
            }
            FeedNews::LookThere => {
                self.news.look_failed();
                self.times.check_now(now);
            }
        }
        self.plan_walks(may_seldom, now);
    }

    /// A walk ended well, which the change feed is compared with.
    pub fn compare_feed(&mut self, saw_change: Option<bool>, may_seldom: bool, now: Instant) {
        self.feed.walked(saw_change, now);
        self.plan_walks(may_seldom, now);
    }

    fn plan_walks(&mut self, may_seldom: bool, now: Instant) {
        let seldom = (may_seldom && self.feed.may_walk_seldom()).then_some(SELDOM);
        self.times.walks_seldom(seldom, now);
        if !self.feed.may_be_asked_often() {
            self.times.check_as_ever();
        }
    }

    /// A pass brought something from iCloud, and no notification tells of the next change.
    pub fn change_came(&mut self, now: Instant) {
        if self.feed.may_be_asked_often() {
            self.times.change_came(now);
        }
    }

    /// The cheap check failed.
    pub fn check_failed(&mut self, now: Instant) {
        self.feed.looked_there(false, now);
    }

    /// A notification came: something may have changed. iCloud is asked soon, where it is not left alone.
    pub fn is_told(&mut self, now: Instant) {
        self.news.told();
        self.times.check_soon(now);
    }

    /// Nobody knows what happened meanwhile: a check is due.
    pub fn check_soon(&mut self, now: Instant) {
        self.times.check_soon(now);
    }

    /// A pass found something to do.
    pub fn had_news(&mut self) {
        self.news.was_true();
    }

    /// The cheap check was answered.
    pub fn checked(&mut self, pulse: Pulse, now: Instant) {
        self.feed.looked_there(true, now);
        let moved = self.counts.checked(pulse);
        if let Some(at) = self.news.check_over(moved, self.times.periods().refresh, now) {
            log::debug!("iCloud told of a change that the check does not show");
            self.times.refresh_by(at);
        }
        if self.is_not_away() {
            // A pass, not this look, tells whether it is over; until then failures still count.
            log::debug!("iCloud answers again");
            self.backoff.wake();
            self.times.refresh_now(now);
        } else if moved {
            log::debug!("something changed on iCloud");
            self.look_for_change(now);
        }
    }

    /// The root of iCloud was listed: where that takes long, it is left alone for a while.
    pub fn root_listed(&mut self, owner: Option<&Owner>, now: Instant) {
        let rest = self.root.as_ref().map_or(Duration::ZERO, |root| root.remote.root_rest());
        let walks_root = owner.is_some_and(|owner| owner.root_id == ItemId::drive_root().to_string());
        self.times.root_rests(rest, walks_root, now);
    }

    /// The look at the trash is over; what it saw, unless it failed or did not begin.
    pub fn trash_checked(&mut self, pulse: Option<TrashPulse>, now: Instant) {
        let rest = self.root.as_ref().map_or(Duration::ZERO, |root| root.remote.trash_rest());
        self.trash.over(self.times.periods().check, rest, now);
        if pulse.is_some_and(|pulse| self.trash.changed(pulse)) {
            log::debug!("something came into iCloud's trash, or left it");
            self.look_for_change(now);
        }
    }

    /// What the next look asks first, so that it need not be at everything; `None` where it has to.
    pub fn question_of_look(&self, now: Instant) -> Option<ZoneQuestion> {
        // What waits for the engine is newer than what it knows, and would be lost.
        let can = self.contact == Contact::Seen && self.unread.is_none() && self.times.whole_walk_at() > now;
        self.feed.question_of_look(now).filter(|_| can)
    }

    /// Whether a look may read the folders alone whose etag moved: nothing better says where to look, and walks through everything come
    /// each refresh period all the same.
    fn may_go_by_etag(&self) -> bool {
        self.feed.is_wanted()
            && !self.feed.is_in_use()
            && self.etags.may_skip()
            && self.contact == Contact::Seen
            && self.unread.is_none()
            && !self.root_rests()
    }

    /// Something changed there, and nobody says where.
    fn look_for_change(&mut self, now: Instant) {
        if self.may_go_by_etag() {
            self.times.look_soon(now);
        } else {
            self.times.refresh_soon(now);
        }
    }

    /// Whether the next look goes by etag.
    pub fn looks_by_etag(&self, now: Instant) -> bool {
        self.may_go_by_etag() && self.times.whole_walk_at() > now
    }

    /// Looked at the folders whose etag moved.
    pub fn looked_by_etag(&mut self, view: RemoteView, took: Duration, now: Instant) {
        self.times.looked(took, now);
        self.unread = Some(Box::new(Sight::Part(view)));
    }

    /// How long the root of iCloud should be left alone.
    pub fn root_rests(&self) -> bool {
        self.root.as_ref().is_some_and(|root| !root.remote.root_rest().is_zero())
    }

    /// Where something changed cannot be told: walk through iCloud, once its root may be listed.
    pub fn walk_where_told_no_more(&mut self, now: Instant) {
        self.feed.zone_mut().is_doubtful();
        self.times.looked(Duration::ZERO, now);
        self.times.refresh_soon(now);
    }

    /// Whether a walk may begin that is at everything.
    pub fn may_walk(&self, now: Instant) -> bool {
        self.times.whole_walk_at() <= now
    }

    /// It was looked where something is said to have changed; what that showed, if anything.
    pub fn glanced(&mut self, seen: Option<RemoteView>, took: Duration, now: Instant) {
        self.times.looked(took, now);
        self.feed.glanced(now);
        if let Some(view) = seen {
            self.unread = Some(Box::new(Sight::Part(view)));
        }
    }

    /// A walk ended well.
    pub fn walked(&mut self, view: RemoteView, etags: Option<EtagsCompared>, took: Duration, now: Instant) {
        self.etags.walked(etags, &view.marks);
        self.times.walked(took, now);
        if self.news.is_waiting() {
            self.times.check_soon(now);
        }
        self.contact = Contact::Seen;
        self.unread = Some(Box::new(Sight::Whole(view)));
    }

    /// What a look saw, to be handed to the engine.
    pub fn take_unread(&mut self) -> Option<Box<Sight>> {
        self.unread.take()
    }

    /// The engine cannot take it yet.
    pub fn keep_unread(&mut self, sight: Box<Sight>) {
        self.unread = Some(sight);
    }

    /// When iCloud is walked through after a pass.
    pub fn walk_after_pass(&mut self, walk: NextWalk, now: Instant) {
        match walk {
            NextWalk::Now => self.times.refresh_now(now),
            NextWalk::Soon => self.times.settle_later(true, now),
            NextWalk::AsDue => self.times.settle_later(false, now),
        }
    }

    /// Walk through iCloud now.
    pub fn walk_now(&mut self, now: Instant) {
        self.times.refresh_now(now);
    }

    /// Somebody asked: nothing is waited for any more.
    pub fn try_now(&mut self, now: Instant) {
        self.backoff.over();
        self.times.hurry(now);
    }

    // ---- failures, and whom they wait for ---------------------------------------------------

    /// Nothing keeps this side from syncing.
    pub fn is_well(&mut self) {
        self.problem = SideProblem::default();
        self.backoff.over();
    }

    /// Something failed there: what the last walk saw is no ground for a pass.
    pub fn is_doubtful(&mut self) {
        if self.contact == Contact::Seen {
            self.contact = Contact::Unseen;
        }
    }

    /// It cannot be reached; `asked` is how long it wants to be left alone. Returns when it is tried again.
    pub fn is_away(&mut self, asked: Option<Duration>, unit_random: f64, now: Instant) -> Duration {
        self.contact = Contact::Away;
        self.backoff.failed(asked, unit_random, now)
    }

    /// The account is refused, which only a person can cure elsewhere; it is tried again after `wait`.
    pub fn is_refused(&mut self, wait: Duration, unit_random: f64, now: Instant) -> Duration {
        self.waits_for_person(now);
        self.backoff.failed(Some(wait), unit_random, now)
    }

    /// The folder is missing, or another one's. Returns when it is looked for again.
    pub fn is_missing(&mut self, unit_random: f64, now: Instant) -> Duration {
        self.backoff.missing(self.times.periods().check, unit_random, now)
    }

    /// How long the service wants to be left alone, by its last answers.
    pub fn rest(&self) -> Option<Duration> {
        self.root.as_ref().and_then(|root| root.remote.rest())
    }

    /// It is not away, if it was; says so.
    fn is_not_away(&mut self) -> bool {
        let was_away = self.contact == Contact::Away;
        if was_away {
            self.contact = Contact::Unseen;
        }
        was_away
    }

    /// A pass could not reach it although looks can.
    pub fn fails_passes(&mut self) {
        self.set_failed_passes(self.failed_passes + 1);
    }

    /// A pass could reach it, or a look could not.
    pub fn fails_no_passes(&mut self) {
        self.set_failed_passes(0);
    }

    /// After the first failed pass calls use up their own retries, so that the items concerned are found out and set aside one by one.
    fn set_failed_passes(&mut self, passes: u32) {
        self.failed_passes = passes;
        if let Some(root) = &self.root {
            root.remote.be_patient(passes > 0);
        }
    }

    /// A person is waited for: the stored session is read now and then.
    pub fn waits_for_person(&mut self, now: Instant) {
        self.session.begins(now);
    }

    /// The stored session cannot be read, so that is tried less often.
    pub fn session_is_unreadable(&mut self, now: Instant) {
        self.session.is_unreadable(now);
    }

    /// No person is waited for.
    pub fn waits_for_nobody(&mut self) {
        self.session.is_over();
    }

    /// The root is found anew, with another session or other settings; a pass that runs keeps its own.
    pub fn reach_anew(&mut self) {
        self.root = None;
        self.is_doubtful();
    }
}

#[cfg(test)]
mod tests;
