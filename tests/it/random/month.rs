//! A month of the daemon's rules of when and where to look, of the engine, and of persons on both sides, where the change feed never shows one
//! change in a thousand.

use std::time::{Duration, Instant};

use icloudds::daemon::rehearsal::{FeedTurn, Rehearsal, Turn};
use icloudds::engine::observe::remote::Touched;
use icloudds::engine::pass::{LocalLook, Look, PassOptions, RemoteLook, Sight};
use icloudds::engine::ports::Ports;
use icloudds::icloud::drive::{FeedLook, FeedZone, ZoneLook, ZoneQuestion};
use icloudds::model::{ItemId, Zone};

use super::looks::records;
use crate::passes::{Bench, settings};
use crate::sim::drive::switches::EtagUp;
use crate::sim::rng::{Rng, mix};

const SECOND: Duration = Duration::from_secs(1);
const DAY: u64 = 86_400;
const DAYS: u64 = 30;
/// Files of each side's persons, and the folders in which all of them are.
const FILES: usize = 48;
const FOLDERS: usize = 12;
/// Persons sleep from that second of a day on.
const NIGHT: u64 = 16 * 3600;
/// A pass is made again so often at most before something else is due.
const MOST_AGAIN: usize = 8;

/// The world, the rules, and the feed between them.
struct Month {
    bench: Bench,
    rules: Rehearsal,
    rng: Rng,
    /// When the month began, by both clocks.
    begun: (Instant, i64),
    /// One of so many changes of persons on iCloud never shows: in turn one by day, among others, and the last one before a night.
    loses_every: usize,
    lost: usize,
    /// What the feed tells, change by change; `None` for what it lost.
    feed: Vec<Option<ItemId>>,
    /// So many changes of the drive are in it.
    heard: usize,
    content: u32,
    changes_here: usize,
    changes_there: usize,
    walks: usize,
    glances: usize,
    feed_checks: usize,
    root_checks: usize,
    /// Something is to be planned.
    is_dirty: bool,
    /// What was changed here has not been looked at.
    is_changed_here: bool,
}

impl Month {
    fn new(seed: u64, loses_every: usize) -> Self {
        let bench = Bench::new(seed);
        // Etags of folders would tell of what the feed lost in them.
        bench.world.drive.switch(|drive| drive.etag_up = EtagUp::Never);
        for folder in 0..FOLDERS {
            bench.world.drive.mkdir(&format!("d{folder}")).expect("a folder");
        }
        let (now, truth) = (Instant::now(), bench.world.clock.truth().0);
        Self {
            bench,
            rules: Rehearsal::new(20 * SECOND, 90 * SECOND, now),
            rng: Rng::new(mix(seed ^ 0x30)),
            begun: (now, truth),
            loses_every,
            lost: 0,
            feed: Vec::new(),
            heard: 0,
            content: 0,
            changes_here: 0,
            changes_there: 0,
            walks: 0,
            glances: 0,
            feed_checks: 0,
            root_checks: 0,
            is_dirty: true,
            is_changed_here: true,
        }
    }

    /// Seconds since it began.
    fn elapsed(&self) -> Duration {
        let nanos = self.bench.world.clock.truth().0 - self.begun.1;
        Duration::from_nanos(u64::try_from(nanos).expect("time goes on"))
    }

    fn now(&self) -> Instant {
        self.begun.0 + self.elapsed()
    }

    /// What changed on the drive since the last time comes into the feed, or never does.
    fn comes_into_feed(&mut self, is_lost: bool) {
        let (changed, heard) = self.bench.world.drive.changed_since(self.heard);
        self.heard = heard;
        self.feed.extend(changed.into_iter().map(|id| (!is_lost).then_some(id)));
    }

    // ---- persons ----------------------------------------------------------------------------

    fn name(&mut self) -> String {
        let (folder, file) = (self.rng.below(FOLDERS), self.rng.below(FILES / FOLDERS));
        format!("d{folder}/f{file}")
    }

    /// Somebody changes something on one of the sides, before a night or not; tries until something could be done.
    fn person(&mut self, is_last: bool) {
        let is_due = (self.changes_there + 1) / self.loses_every > self.lost;
        let is_lost = is_due && (self.lost.is_multiple_of(2) || is_last);
        let is_here = self.rng.chance(0.5) && !(is_due && is_last);
        self.comes_into_feed(false);
        loop {
            let (path, other) = (self.name(), self.name());
            self.content += 1;
            let content = format!("content {}", self.content);
            let (disk, drive) = (&self.bench.world.disk, &self.bench.world.drive);
            let (folder, name) = other.split_once('/').expect("a folder");
            let done = match (is_here, self.rng.below(10)) {
                (true, 0..=5) => disk.write(&path, content.as_bytes()),
                (true, 6..=7) => disk.read(&other).is_none() && disk.mv(&path, &other),
                (true, _) => disk.delete(&path),
                (false, 0..=5) => {
                    drive.edit(&path, content.as_bytes()) || drive.create(&path, content.as_bytes()).is_some()
                }
                (false, 6) => {
                    let to = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/{name}"));
                    to.is_some_and(|to| drive.find(&to).is_none()) && drive.person_rename(&path, name)
                }
                (false, 7) => {
                    let to = path.rsplit_once('/').map(|(_, name)| format!("{folder}/{name}"));
                    to.is_some_and(|to| drive.find(&to).is_none()) && drive.move_to(&path, folder)
                }
                (false, _) => drive.person_trash(&path),
            };
            if done {
                break;
            }
        }
        if is_here {
            self.changes_here += 1;
            (self.is_dirty, self.is_changed_here) = (true, true);
        } else {
            self.changes_there += 1;
            self.lost += usize::from(is_lost);
            self.comes_into_feed(is_lost);
        }
    }

    // ---- the feed ---------------------------------------------------------------------------

    fn zone(&mut self, question: &ZoneQuestion) -> ZoneLook {
        self.comes_into_feed(false);
        let told = question.token.as_deref().map(|token| {
            let since: usize = token.parse().expect("its own token");
            let told = self.feed[since..].iter().flatten();
            told.flat_map(|id| records(id, &self.bench.world.drive, true, false)).collect()
        });
        ZoneLook { token: self.feed.len().to_string(), is_whole: true, records: told }
    }

    fn asks_feed(&mut self, turn: &FeedTurn) {
        self.comes_into_feed(false);
        let since = turn.token.as_deref().map(|token| token.parse::<usize>().expect("its own token"));
        let told = self.feed[since.unwrap_or(0)..].iter().any(Option::is_some);
        let moved = since.is_none() || told;
        let zone = FeedZone { name: "_defaultZone".to_owned(), owner: None };
        let look = FeedLook {
            token: self.feed.len().to_string(),
            moved,
            zones: moved.then_some(zone).into_iter().collect(),
            unnamed: false,
            started_over: since.is_none(),
        };
        let zone = turn.zone.as_ref().map(|question| Ok(self.zone(question)));
        self.rules.feed_told(Ok(look), zone, self.now());
    }

    // ---- the daemon -------------------------------------------------------------------------

    /// Does what the daemon would do now; whether something was due.
    fn turn(&mut self) -> bool {
        let turn = self.rules.begins(self.now());
        match &turn {
            Turn::Rest => return false,
            Turn::Feed(feed) => {
                self.feed_checks += 1;
                self.asks_feed(feed);
                return true;
            }
            Turn::Check => {
                self.root_checks += 1;
                let files = self.bench.world.drive.tree().len() as u64;
                self.rules.checked(files, self.now());
                return true;
            }
            Turn::Walk { feed } => {
                self.walks += 1;
                if let Some(feed) = feed {
                    self.asks_feed(feed);
                }
            }
            Turn::Glance(_) => self.glances += 1,
        }
        let zone = match &turn {
            Turn::Glance(question) => Some(self.zone(question)),
            _ => None,
        };
        let (world, walk) = (&self.bench.world, self.bench.engine.walk());
        let records = zone.as_ref().and_then(|zone| zone.records.clone());
        let touched = records.map(|records| Touched { zone: Zone::CloudDocs, records, spares_root: false });
        let sight = match &touched {
            Some(touched) => walk.run_where(touched, &*world.drive, &*world.clock, &settings()),
            None => walk.run(&*world.drive, &*world.clock, &settings()).map(Sight::Whole),
        };
        let sight = sight.expect("a look");
        let saw_change = match &sight {
            Sight::Whole(view) => walk.previous().and_then(|before| view.differs_from(before)),
            _ => None,
        };
        drop(walk);
        if let Some(sight) = self.rules.saw(sight, zone, saw_change, self.now()) {
            self.bench.engine.saw_there(sight, &*self.bench.world.clock);
            self.is_dirty = true;
        }
        true
    }

    /// Passes, until one finds nothing to do.
    fn pass(&mut self) {
        self.is_dirty = false;
        for _ in 0..MOST_AGAIN {
            let world = &self.bench.world;
            let ports = Ports { remote: &*world.drive, disk: &*world.disk, clock: &*world.clock };
            let reads_all = std::mem::take(&mut self.is_changed_here);
            let local = if reads_all { LocalLook::Whole } else { LocalLook::Folders(Vec::new()) };
            let look = Look { local, remote: RemoteLook::Nothing };
            let options = PassOptions::new("mark");
            let report =
                self.bench.engine.pass(&ports, &settings(), &look, &options, &mut |_| {}).expect("a pass");
            self.rules.passed(report.quiet, report.pending, self.now());
            if report.quiet {
                break;
            }
            // What the pass did here is read again, as the watcher has it.
            self.is_changed_here = report.outcome.counts.comes_from_there();
        }
    }

    /// The month, and two quiet hours after it: whole walks may come once an hour.
    fn lasts(&mut self) {
        let mut next_change = Duration::from_secs(10);
        let (quiet, end) = (Duration::from_secs(DAYS * DAY), Duration::from_secs(DAYS * DAY + 2 * 3600));
        while self.elapsed() < end {
            let due = self.rules.due_at().saturating_duration_since(self.begun.0).min(next_change);
            if let Some(wait) = due.checked_sub(self.elapsed()) {
                self.bench.world.clock.advance(wait);
            }
            if next_change <= self.elapsed() {
                next_change += Duration::from_secs(10 + self.rng.below(790) as u64);
                let is_last = next_change.as_secs() % DAY >= NIGHT;
                if is_last {
                    self.bench.world.fuse.count_anew();
                    next_change = Duration::from_secs((next_change.as_secs() / DAY + 1) * DAY);
                }
                if self.elapsed() < quiet {
                    self.person(is_last);
                }
            }
            let was_due = self.turn();
            if self.is_dirty {
                self.pass();
            } else if !was_due && self.rules.due_at() <= self.now() {
                self.bench.world.clock.advance(SECOND);
            }
        }
    }
}

#[test]
fn a_month_in_which_one_change_in_a_thousand_never_shows_in_the_feed_ends_with_equal_sides() {
    let mut month = Month::new(1, 1000);
    month.lasts();
    let disagreements = month.rules.disagreements();
    let told = format!(
        "{} changes here, {} there of which {} were lost, {} walks, {} glances, {} questions to the feed, {} to the root, {} disagreements",
        month.changes_here,
        month.changes_there,
        month.lost,
        month.walks,
        month.glances,
        month.feed_checks,
        month.root_checks,
        disagreements
    );
    println!("{told}");
    month.bench.world.assert_equal_sides();
    month.bench.world.assert_nothing_lost();
    assert!(month.changes_here > 1500 && month.changes_there > 1500 && month.lost >= 2, "{told}");
    // Each refresh period a walk would be 28,800.
    assert!(month.walks < 6000 && month.glances > 1000, "{told}");
    // One that hides behind others, which are told, is found all the same, and nobody can tell it from one that came late.
    assert!((1..=month.lost as u64).contains(&disagreements), "{told}");
    // After that iCloud itself is looked at for a day.
    assert!((3000..4500 * disagreements as usize).contains(&month.root_checks), "{told}");
}
