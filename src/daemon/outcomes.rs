//! What follows from what jobs tell.

use std::sync::Arc;
use std::time::Instant;

use super::events::{Ended, FeedTold, JobEvent, Walked};
use super::jobs;
use super::main_loop::Loop;
use super::remote_push::{Listened, PushIs};
use super::roots::{OwnRoot, RemoteRoot};
use super::work::PassEnd;
use crate::app::AppError;
use crate::app::report::tell_unsettled;
use crate::config::{RemoteWatch, Watch};
use crate::engine::execute;
use crate::engine::pass::{HereReport, PassError, Report, Sight};
use crate::engine::ports::{Clock as _, RemoteError};
use crate::engine::view::RemoteView;
use crate::icloud::drive::{Pulse, TrashPulse};
use crate::icloud::push;

impl Loop {
    pub(super) fn on_job_event(&mut self, event: JobEvent, now: Instant) {
        match event {
            JobEvent::Phase(phase) => self.engine.begins(phase, now),
            JobEvent::Planned(pending, here) => self.status.planned(pending, here),
            JobEvent::Effect(effect) => self.follow(&effect, now),
            JobEvent::Reached(result) => {
                self.remote.is_answered();
                self.reached(*result, now);
            }
            JobEvent::Checked(pulse) => {
                self.remote.is_answered();
                self.checked(pulse, now);
            }
            JobEvent::FeedTold(told) => {
                self.remote.is_answered();
                self.feed_told(*told, now);
            }
            JobEvent::TrashChecked(pulse) => self.trash_checked(pulse, now),
            JobEvent::Listened(listened) => self.listened(*listened, now),
            JobEvent::Walked(walked) => {
                self.remote.is_answered();
                self.walk_over(*walked, now);
            }
            JobEvent::Done(done) => {
                let loan = self.engine.comes_home(done.engine);
                self.status.job_over();
                self.room.job_over(done.wastes_room, now);
                let began = loan.as_ref().map(|loan| loan.since());
                let read_all = loan.is_some_and(|loan| loan.reads_all());
                match done.result {
                    Ended::Opened { found, result } => {
                        self.local.found(found);
                        self.opened(result, now);
                    }
                    Ended::Pass { result, by_person, clean } => {
                        self.status.pass_over(began);
                        self.status.session(&self.ports.service.account().state());
                        match result {
                            Ok(report) => self.passed(report, by_person, clean, read_all, now),
                            Err(error) => self.pass_failed(error, now),
                        }
                    }
                    Ended::LocalPass(result) => self.passed_locally(result, read_all, now),
                    Ended::Shrunk(shrunk) => {
                        log::debug!("making the state's file smaller: {shrunk:?}");
                        if let Some(why) = self.room.over(shrunk, now) {
                            log::warn!("the state's file stays larger than it has to be: {why}");
                        }
                    }
                    Ended::Kept => {}
                }
                self.hand_over_view();
            }
            JobEvent::SessionRead { read, told } => self.session_read(read, told, now),
        }
    }

    fn follow(&mut self, effect: &execute::Event, now: Instant) {
        // A pass that only compares has nothing to show.
        let shows = self.engine.loan().is_some_and(|loan| loan.is_working());
        self.status.follow(effect, self.ports.clock.now().whole_seconds(), shows.then_some(now));
    }

    // ---- iCloud -----------------------------------------------------------------------------

    fn reached(&mut self, result: Result<RemoteRoot, AppError>, now: Instant) {
        self.status.session(&self.ports.service.account().state());
        match result {
            Ok(root) => {
                self.use_push();
                if self.remote.reached(root, now) {
                    self.status.signed_in();
                }
            }
            Err(error) => self.remote_failed(&error, now),
        }
    }

    fn checked(&mut self, pulse: Result<Pulse, RemoteError>, now: Instant) {
        self.remote.root_listed(self.engine.owner(), now);
        match pulse {
            Ok(pulse) => self.remote.checked(pulse, now),
            Err(error) => {
                self.remote.check_failed(now);
                self.remote.fails_no_passes();
                self.remote_failed(&AppError::Remote(error), now);
            }
        }
    }

    fn trash_checked(&mut self, pulse: Result<TrashPulse, RemoteError>, now: Instant) {
        // Whether iCloud is there, other calls tell: the trash alone may be what it cannot list.
        let pulse = pulse.inspect_err(|error| log::debug!("the trash cannot be listed: {error}"));
        self.remote.trash_checked(pulse.ok(), now);
    }

    /// Whether nothing but the change feed rests on how often iCloud is walked through: everything there was read, by `view` or else by the
    /// last walk, and no local scan comes with the walks alone.
    fn may_walk_seldom(&self, view: Option<&RemoteView>) -> bool {
        let is_complete = view.or(self.engine.seen().1).is_none_or(|view| view.complete);
        is_complete && self.setup.config().sync.watch != Watch::Off
    }

    fn listened(&mut self, listened: Listened, now: Instant) {
        let (chance, up) = (self.ports.clock.unit_random(), self.ports.clock.uptime());
        if self.push.listened(listened, chance, now, up) {
            self.remote.is_told(now);
        }
    }

    /// Whether iCloud's push channel is listened to: the account offers it, and nobody wants polling alone.
    pub(super) fn use_push(&mut self) {
        let is_wanted = self.setup.config().sync.remote_watch == RemoteWatch::Auto;
        self.push.is_used(is_wanted && push::is_offered(&self.ports.service));
    }

    fn feed_told(&mut self, told: FeedTold, now: Instant) {
        let may_seldom = self.may_walk_seldom(None);
        let look = match told.look {
            // Which zone is the Drive's is known then.
            Ok(look) if look.moved && self.remote.feed().zone().mark().zone.is_some() => {
                let closed = self.engine.closed_zones();
                Ok(look.without(|name| closed.iter().any(|zone| zone.as_str() == name)))
            }
            other => other,
        };
        self.remote.feed_told(look, may_seldom, now);
        if let Some(zone) = told.zone {
            self.remote.feed_mut().zone_mut().answered(zone, now);
        }
    }

    fn walk_over(&mut self, walked: Walked, now: Instant) {
        if let Some(told) = walked.told {
            self.feed_told(told, now);
        }
        // What was told and could not be looked at is asked for again.
        let is_seen = !matches!(walked.result, Err(_) | Ok(Sight::TooLittle));
        if let Some(zone) = walked.zone.filter(|zone| zone.is_err() || is_seen) {
            self.remote.feed_mut().zone_mut().answered(zone, now);
        }
        match walked.result {
            Ok(Sight::Nothing) => self.remote.glanced(None, walked.took, now),
            Ok(Sight::TooLittle) => self.remote.walk_where_told_no_more(now),
            Ok(Sight::Part(view)) if walked.by_etag => {
                self.remote.looked_by_etag(view, walked.took, now);
                self.remote.root_listed(self.engine.owner(), now);
                if walked.saw_change != Some(false) {
                    self.work.walked(false);
                }
                self.hand_over_view();
            }
            Ok(Sight::Part(view)) => {
                self.remote.glanced(Some(view), walked.took, now);
                self.work.walked(false);
                self.hand_over_view();
            }
            Ok(Sight::Whole(view)) => {
                let may_seldom = self.may_walk_seldom(Some(&view));
                self.remote.compare_feed(walked.saw_change, may_seldom, now);
                self.remote.walked(view, walked.etags, walked.took, now);
                self.remote.root_listed(self.engine.owner(), now);
                self.work.walked(walked.by_person);
                self.hand_over_view();
                if self.local.root().is_none() {
                    // No pass can tell that iCloud is well while the local root is away.
                    self.remote.is_well();
                }
            }
            Err(error) => {
                self.remote.fails_no_passes();
                self.remote_failed(&AppError::Pass(error), now);
            }
        }
    }

    /// Hands what a look saw to the engine, once that is at home.
    fn hand_over_view(&mut self) {
        let Some(sight) = self.remote.take_unread() else { return };
        if let Some(sight) = self.engine.take_in(sight, &self.ports.clock) {
            self.remote.keep_unread(sight);
        } else if let Some(engine) = self.engine.at_home() {
            self.status.counts(engine);
        }
    }

    // ---- here -------------------------------------------------------------------------------

    fn opened(&mut self, result: Result<Option<Arc<OwnRoot>>, AppError>, now: Instant) {
        match result {
            Ok(Some(root)) => {
                root.disk.keep_free(self.setup.config().limits.keep_free);
                self.status.file_system(root.disk.file_system());
                self.local.opened(root);
                if !self.local.has_watcher() {
                    self.start_watching(now);
                }
            }
            Ok(None) => {}
            Err(error) => self.local_failed(&error, now),
        }
    }

    /// A look here ended well.
    fn looked(&mut self, read_all: bool, now: Instant) {
        if self.local.looked(read_all, now) {
            self.start_watching(now);
        }
    }

    // ---- passes -----------------------------------------------------------------------------

    fn passed(&mut self, report: Report, by_person: bool, clean: bool, read_all: bool, now: Instant) {
        self.local.is_well();
        self.remote.is_well();
        self.remote.fails_no_passes();
        if !report.quiet {
            self.remote.had_news();
        }
        if report.outcome.counts.comes_from_there() {
            self.push.changes_seen();
            if self.push.state(now) != PushIs::Working {
                self.remote.change_came(now);
            }
        }
        self.looked(read_all, now);
        if !report.quiet {
            self.remote.feed_mut().has_written();
        }
        let after = self.work.passed(PassEnd {
            quiet: report.quiet,
            pending: report.pending,
            cut_short: report.outcome.cut_short,
            failed: !report.outcome.failed.is_empty(),
            rests: report.rests(),
            clean,
            by_person,
        });
        if report.outcome.cut_short {
            log::debug!("what is left waits until both sides are looked at again");
        }
        self.remote.walk_after_pass(after.walk, now);
        if after.say_unsettled {
            tell_unsettled(&report);
        }
        self.status.passed(report, self.engine.at_home());
        if after.is_initial {
            log::info!("initial sync complete");
        }
    }

    fn pass_failed(&mut self, error: PassError, now: Instant) {
        self.work.pass_failed();
        // What was seen may be of another moment: the next pass looks at everything.
        self.local.scan_again();
        if let PassError::Remote(_) = error {
            self.remote.fails_passes();
            self.remote_failed(&AppError::Pass(error), now);
        } else {
            self.remote.walk_now(now);
            self.local_failed(&AppError::Pass(error), now);
        }
    }

    fn passed_locally(&mut self, result: Result<HereReport, PassError>, read_all: bool, now: Instant) {
        match result {
            Ok(report) => {
                self.local.is_well();
                self.looked(read_all, now);
                self.work.local_passed();
                self.status.local_passed(report.waiting, self.engine.at_home());
                if !report.outcome.plan_again.is_empty() {
                    log::debug!("{} items are planned again later", report.outcome.plan_again.len());
                }
            }
            Err(error) => {
                self.local.scan_again();
                self.local_failed(&AppError::Pass(error), now);
            }
        }
    }

    /// A full pass now, whatever was waited for.
    pub(super) fn sync_now(&mut self, now: Instant) {
        self.work.ask();
        self.local.scan_again();
        self.try_now(now);
    }

    /// Nothing is waited for any more.
    fn try_now(&mut self, now: Instant) {
        self.local.try_now();
        self.remote.try_now(now);
    }

    // ---- the session ------------------------------------------------------------------------

    /// Reads the stored session again, beside the loop; `told` when somebody said that it changed.
    pub(super) fn read_session(&mut self, told: bool) {
        let (service, events) = (Arc::clone(&self.ports.service), self.ports.events.clone());
        let work = move || {
            let read = service.account().reload().map_err(|error| error.to_string());
            drop(events.send(JobEvent::SessionRead { read, told }));
        };
        if let Err(error) = jobs::errand("icloudds-session", work) {
            log::warn!("cannot start a thread: {error}");
        }
    }

    fn session_read(&mut self, read: Result<bool, String>, told: bool, now: Instant) {
        match read {
            Ok(changed) if changed || told => self.session_changed(now),
            Ok(_) => {}
            Err(why) => {
                self.status.session_unreadable(&why);
                self.remote.session_is_unreadable(now);
            }
        }
    }

    /// The stored session, or the password, is another one.
    pub(super) fn session_changed(&mut self, now: Instant) {
        if self.ports.service.account().state().needs_code.is_some() {
            self.remote.waits_for_person(now);
            return;
        }
        log::info!("the stored session changed, going on");
        self.remote.waits_for_nobody();
        self.try_now(now);
        // It may be another account's: the folder is looked for anew, and compared with the one that was synced.
        self.remote.reach_anew();
        self.push.begin_anew(now);
    }

    // ---- once a day -------------------------------------------------------------------------

    /// What a running daemon does once a day.
    pub(super) fn keep_house(&mut self, now: Instant) {
        self.work.keeps_house(now);
        let (Some(root), service) = (self.local.root().cloned(), Arc::clone(&self.ports.service)) else {
            return;
        };
        let trash = self.setup.config().trash;
        let (kept, now) = (crate::app::trash::Kept::of(self.engine.stored()), self.ports.clock.reading());
        let started = jobs::errand("icloudds-housekeeping", move || {
            if let Err(error) = kept.prune(&root.disk, &trash, now) {
                log::warn!("{error}");
            }
            crate::app::open::keep_trust(&service);
        });
        if let Err(error) = started {
            log::warn!("cannot start a thread: {error}");
        }
    }
}
