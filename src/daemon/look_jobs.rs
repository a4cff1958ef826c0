//! Jobs that look at iCloud beside the engine: the walk, in whole or in part, the cheap check and the change feed's.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::Sender;

use super::dumps::Dumps;
use super::events::{FeedTold, JobEvent, Walked};
use super::jobs::spawn;
use super::roots::RemoteRoot;
use crate::app::feed_state::FeedState;
use crate::clock::SystemClock;
use crate::engine::observe::remote::{Touched, compare_etags};
use crate::engine::pass::{Settings, Sight, Walk};
use crate::icloud::drive::{ICloudDrive, ZoneQuestion};
use crate::model::Zone;

/// What a walk through iCloud needs.
pub(super) struct Walking {
    pub walk: Walk,
    pub settings: Settings,
    pub clock: SystemClock,
    /// A person asked for the pass that follows.
    pub by_person: bool,
    pub dumps: Option<Dumps>,
    /// What the change feed is asked before the walk begins.
    pub question: Option<FeedQuestion>,
    /// What it is asked so that the look need not be at everything.
    pub place: Option<ZoneQuestion>,
    /// The root of iCloud is not to be listed for that.
    pub root_rests: bool,
    /// The look is at the folders alone whose etag moved.
    pub by_etag: bool,
}

/// What the change feed is asked.
pub(super) struct FeedQuestion {
    /// Where it stood when it was asked last.
    pub token: Option<String>,
    /// What it is asked of all that the Drive's zone holds.
    pub zone: Option<ZoneQuestion>,
    /// What is to be remembered of it.
    pub keep: Option<KeptFeed>,
}

/// What is to be remembered of the change feed, and in which directory.
pub(super) struct KeptFeed {
    pub state: FeedState,
    pub directory: PathBuf,
}

impl KeptFeed {
    fn store(&self) {
        self.state.store(&self.directory);
    }
}

impl FeedQuestion {
    fn ask(self, remote: &ICloudDrive) -> FeedTold {
        self.keep.iter().for_each(KeptFeed::store);
        let look = remote.ask_feed(self.token.as_deref());
        let zone = self.zone.filter(|_| look.is_ok()).map(|zone| remote.ask_zone(&zone));
        FeedTold { look, zone }
    }
}

/// Walks through iCloud beside the engine.
pub(super) fn walk(there: Arc<RemoteRoot>, job: Walking, events: Sender<JobEvent>) -> io::Result<()> {
    spawn("icloudds-list", move || {
        let Walking { walk, settings, clock, by_person, dumps, question, place, root_rests, by_etag } = job;
        if let Some(dumps) = dumps {
            dumps.before_walk(&walk);
        }
        // What changes after this the feed tells the next time, so that nothing falls between it and the walk.
        let told = question.map(|question| question.ask(&there.remote));
        let begun = Instant::now();
        let zone = place.map(|place| there.remote.ask_zone(&place));
        let touched = zone.as_ref().and_then(|told| told.as_ref().ok()).and_then(|told| told.records.clone());
        let touched =
            touched.map(|records| Touched { zone: Zone::CloudDocs, records, spares_root: root_rests });
        let result = match &touched {
            Some(touched) => walk.run_where(touched, &there.remote, &clock, &settings),
            None if zone.is_some() && root_rests => Ok(Sight::TooLittle),
            None if by_etag => walk.run_by_etag(&there.remote, &clock, &settings),
            None => walk.run(&there.remote, &clock, &settings).map(Sight::Whole),
        };
        let saw_change = match &result {
            Ok(Sight::Whole(view) | Sight::Part(view)) => {
                walk.previous().and_then(|before| view.differs_from(before))
            }
            _ => None,
        };
        let etags = match &result {
            Ok(Sight::Whole(view)) => walk.previous().and_then(|before| compare_etags(before, view)),
            _ => None,
        };
        // The engine must be alone with what it owns again before it hears of this.
        drop(walk);
        let took = begun.elapsed();
        let walked = Walked { result, took, by_person, told, zone, by_etag, saw_change, etags };
        drop(events.send(JobEvent::Walked(Box::new(walked))));
    })
}

/// Asks iCloud cheaply whether anything changed.
pub(super) fn check(
    there: Arc<RemoteRoot>,
    keep: Option<KeptFeed>,
    events: Sender<JobEvent>,
) -> io::Result<()> {
    spawn("icloudds-check", move || {
        keep.iter().for_each(KeptFeed::store);
        let pulse = there.remote.check();
        drop(events.send(JobEvent::Checked(pulse)));
    })
}

/// Asks the change feed whether anything changed.
pub(super) fn ask_feed(
    there: Arc<RemoteRoot>,
    question: FeedQuestion,
    events: Sender<JobEvent>,
) -> io::Result<()> {
    spawn("icloudds-feed", move || {
        let told = question.ask(&there.remote);
        drop(events.send(JobEvent::FeedTold(Box::new(told))));
    })
}
