//! The remote side: how iCloud is reached, what is known of it, and when it is asked again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::facts::{Asking, Contact, RemoteFacts};
use super::roots::{RemoteRoot, SideProblem};
use super::timing::{BackOff, Periods, RemoteTimes};
use super::trash_watch::TrashWatch;
use super::work::NextWalk;
use crate::engine::view::RemoteView;
use crate::icloud::drive::{Pulse, TrashPulse};
use crate::model::{ItemId, Owner};

/// How often a session that waits for a person is looked at for what another process stored.
const SESSION_LOOK: Duration = Duration::from_secs(2);
/// The same when it cannot be read.
const UNREADABLE_LOOK: Duration = Duration::from_secs(60);

/// The remote side.
pub(super) struct RemoteSide {
    root: Option<Arc<RemoteRoot>>,
    /// As it was when the root was found last.
    root_is_library: bool,
    contact: Contact,
    asking: Option<(Asking, Instant)>,
    /// What a walk saw while the engine was lent.
    unread: Option<Box<RemoteView>>,
    /// How many passes in a row could not reach iCloud although looks at it can.
    failed_passes: u32,
    pulse: Option<Pulse>,
    trash: TrashWatch,
    times: RemoteTimes,
    /// When the stored session is read again, while a person is waited for.
    session_at: Option<Instant>,
    problem: SideProblem,
    backoff: BackOff,
}

impl RemoteSide {
    /// Nothing is known of it; everything is due at once.
    pub fn new(periods: Periods, now: Instant) -> Self {
        Self {
            root: None,
            root_is_library: false,
            contact: Contact::Unseen,
            asking: None,
            unread: None,
            failed_passes: 0,
            pulse: None,
            trash: TrashWatch::new(now + periods.check),
            times: RemoteTimes::new(periods, now),
            session_at: None,
            problem: SideProblem::default(),
            backoff: BackOff::default(),
        }
    }

    /// Another configuration.
    pub fn reload(&mut self, periods: Periods) {
        self.times.set_periods(periods);
    }

    /// What decides what is done next; `is_viewed` says whether the engine has seen it.
    pub fn facts(&self, is_viewed: bool) -> RemoteFacts {
        RemoteFacts {
            is_reached: self.root.is_some(),
            contact: self.contact,
            has_view: is_viewed,
            asking: self.asking,
            session_at: self.session_at,
            not_before: self.backoff.not_before(),
            walk_at: self.times.walk_at(),
            check_at: self.times.check_at(),
            trash_at: self.trash.due_at(),
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
        if who == Asking::Check {
            self.times.check_begins(now);
        }
        self.asking = Some((who, now));
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
        self.root = Some(Arc::new(root));
        self.session_at = None;
        self.is_not_away();
        let waited = matches!(self.problem.state, Some(S::NeedsCode | S::NeedsPassword));
        self.is_well();
        self.times.refresh_now(now);
        waited
    }

    /// The cheap check was answered.
    pub fn checked(&mut self, pulse: Pulse, now: Instant) {
        if self.is_not_away() {
            // A pass, not this look, tells whether it is over; until then failures still count.
            log::debug!("iCloud answers again");
            self.backoff.wake();
            self.times.refresh_now(now);
        } else if self.pulse.as_ref().is_some_and(|known| *known != pulse) {
            log::debug!("something changed on iCloud");
            self.times.refresh_soon(now);
        }
        self.pulse = Some(pulse);
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
            self.times.refresh_soon(now);
        }
    }

    /// A walk ended well.
    pub fn walked(&mut self, view: RemoteView, took: Duration, now: Instant) {
        self.times.walked(took, now);
        self.contact = Contact::Seen;
        self.unread = Some(Box::new(view));
    }

    /// What a walk saw, to be handed to the engine.
    pub fn take_unread(&mut self) -> Option<Box<RemoteView>> {
        self.unread.take()
    }

    /// The engine cannot take it yet.
    pub fn keep_unread(&mut self, view: Box<RemoteView>) {
        self.unread = Some(view);
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

    // ---- failures ---------------------------------------------------------------------------

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

    // ---- the session ------------------------------------------------------------------------

    /// A person is waited for: the stored session is read now and then.
    pub fn waits_for_person(&mut self, now: Instant) {
        self.session_at = Some(now + SESSION_LOOK);
    }

    /// The stored session cannot be read, so that is tried less often.
    pub fn session_is_unreadable(&mut self, now: Instant) {
        self.session_at = self.session_at.map(|_| now + UNREADABLE_LOOK);
    }

    /// No person is waited for.
    pub fn waits_for_nobody(&mut self) {
        self.session_at = None;
    }

    /// The root is found anew, with another session or other settings; a pass that runs keeps its own.
    pub fn reach_anew(&mut self) {
        self.root = None;
        self.is_doubtful();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::DaemonState;

    const SECOND: Duration = Duration::from_secs(1);

    fn side(now: Instant) -> RemoteSide {
        RemoteSide::new(Periods { check: 20 * SECOND, refresh: 90 * SECOND }, now)
    }

    fn pulse(files: u64) -> Pulse {
        Pulse { file_count: Some(files), ..Pulse::default() }
    }

    #[test]
    fn after_it_was_away_a_check_leads_to_a_walk_and_failures_still_count() {
        let now = Instant::now();
        let mut side = side(now);
        side.times.walked(SECOND, now);
        assert_eq!(side.is_away(None, 1.0, now), 5 * SECOND);
        assert_eq!(side.facts(true).contact, Contact::Away);
        side.is_doubtful();
        assert_eq!(side.facts(true).contact, Contact::Away, "it is still away");
        side.checked(pulse(1), now);
        let facts = side.facts(true);
        assert_eq!((facts.contact, facts.not_before, facts.walk_at), (Contact::Unseen, None, now));
        assert_eq!(side.is_away(None, 1.0, now), 10 * SECOND);
        side.is_well();
        assert_eq!(side.is_away(None, 1.0, now), 5 * SECOND);
    }

    #[test]
    fn a_check_that_saw_a_change_leads_to_a_walk_and_the_first_one_to_none() {
        let now = Instant::now();
        let mut side = side(now);
        side.times.walked(SECOND, now);
        let later = now + 10 * SECOND;
        for (files, walk_at) in [(1, now + 90 * SECOND), (1, now + 90 * SECOND), (2, later)] {
            side.asks(Asking::Check, later);
            side.is_answered();
            side.checked(pulse(files), later);
            assert_eq!(side.facts(true).walk_at, walk_at, "{files} files");
            assert_eq!(side.facts(true).check_at, later + 20 * SECOND);
        }
    }

    #[test]
    fn a_person_who_is_waited_for_is_looked_for_until_the_session_changes() {
        let now = Instant::now();
        let mut side = side(now);
        side.session_is_unreadable(now);
        assert_eq!(side.facts(true).session_at, None, "nobody is waited for");
        side.waits_for_person(now);
        assert_eq!(side.facts(true).session_at, Some(now + SESSION_LOOK));
        side.session_is_unreadable(now);
        assert_eq!(side.facts(true).session_at, Some(now + UNREADABLE_LOOK));
        side.waits_for_nobody();
        assert_eq!(side.is_refused(3600 * SECOND, 1.0, now), 3600 * SECOND);
        assert_eq!(side.facts(true).session_at, Some(now + SESSION_LOOK), "only a person can cure it");
    }

    #[test]
    fn somebody_who_asks_waits_for_nothing() {
        let now = Instant::now();
        let mut side = side(now);
        side.times.walked(SECOND, now);
        side.cannot_ask(1.0, now);
        side.problem_mut().state = Some(DaemonState::Offline);
        side.try_now(now);
        let facts = side.facts(true);
        assert_eq!((facts.not_before, facts.walk_at), (None, now));
        assert_eq!(facts.problem, Some(DaemonState::Offline), "it lasts until something goes well");
    }
}
