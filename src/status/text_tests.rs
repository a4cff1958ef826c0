use jiff::tz::TimeZone;

use super::*;
use crate::status::{ConflictItem, DaemonState, SetAsideItem, SkippedItem, WatchedBy};
use crate::status::{Counts, Facts, Tracker};

const NOW: i64 = 1_795_341_600;

fn when(seconds: i64) -> When {
    When::new(seconds, &TimeZone::get("Europe/Berlin").expect("a bundled zone"))
}

/// A daemon that is busy, with something in every field.
fn busy() -> StatusDocument {
    let facts = Facts {
        username: "you@example.com".to_owned(),
        directory: "/drive".to_owned(),
        remote_root: "/Documents".to_owned(),
        watch: "events".to_owned(),
        file_system: None,
        pid: 42,
    };
    let mut tracker = Tracker::new(facts, NOW - 7200);
    tracker.set_state(DaemonState::Syncing, NOW - 130);
    let mut status = tracker.document(&crate::model::State::empty(), &TimeZone::UTC);
    status.version = "1.2.3".to_owned();
    status.since = when(NOW - 130);
    status.session_began = Some(when(NOW - 32 * 86_400));
    status.session_expires = Some(when(NOW + 28 * 86_400));
    status.session_expires_estimated = true;
    status.last_sync = Some(when(NOW - 45));
    status.counts = Counts {
        local: SideCounts { files: 1204, folders: 87, bytes: 1_249_000_000 },
        remote: SideCounts { files: 1, folders: 1, bytes: 0 },
    };
    status.pending = Pending { uploads: 3, downloads: 1, ..Pending::default() };
    status.progress = Some(Progress {
        items_done: 12,
        items_total: 40,
        bytes_done: 31_000_000,
        bytes_total: 100_000_000,
        rate: 1_000_000,
        seconds_left: Some(69),
    });
    status.totals = Totals { uploads: 5, deleted_local: 1, bytes: 999_960, ..Totals::default() };
    status.held_deletes = 23;
    status.held = (0..12).map(|n| format!("old/{n}.txt")).collect();
    status.set_aside = vec![
        SetAsideItem {
            path: "a\nb\u{1b}[2J\u{202e}.txt".to_owned(),
            reason: "iCloud refused it".to_owned(),
            next_try: Some(when(NOW + 300)),
        },
        SetAsideItem { path: "c".to_owned(), reason: "no name for it".to_owned(), next_try: None },
    ];
    status.skipped =
        vec![SkippedItem { path: "movie.mkv".to_owned(), reason: "larger than allowed".to_owned() }];
    status.conflicts = vec![ConflictItem {
        path: "notes.txt".to_owned(),
        copy: Some("notes (conflict 2026-11-22 10-00-00 nas).txt".to_owned()),
        at: when(NOW),
    }];
    status.last_error = Some("iCloud is busy".to_owned());
    status
}

#[test]
fn counts_beyond_all_measure_are_told_as_the_most_there_is() {
    let mut status = busy();
    (status.totals.deleted_local, status.totals.deleted_remote) = (u64::MAX, 1);
    (status.pending.uploads, status.pending.other) = (u64::MAX, 7);
    assert_eq!(status.pending.total(), u64::MAX);
    assert!(render(&status, Source::Live, NOW).contains(&u64::MAX.to_string()));
}

#[test]
fn a_busy_daemon_reads_well() {
    assert_eq!(
        render(&busy(), Source::Live, NOW),
        "\
icloudds 1.2.3: /drive and iCloud Drive /Documents of y***@example.com

state        syncing, since 2026-11-22 10:57:50 (2 min ago)
progress     [#########---------------------] 31 %
             12 of 40 items, 31.0 MB of 100.0 MB, 1.0 MB/s, 69 s left
in sync      no; pending: 3 uploads, 1 download
last sync    2026-11-22 10:59:15 (45 s ago)
here         1204 files in 87 folders, 1.2 GB
on iCloud    1 file in 1 folder, 0 B
watching     events
from iCloud  poll
session      trusted until 2026-12-20 11:00:00 (in 28 days), estimated
             signed in 2026-10-21 12:00:00 (32 days ago)
since start  5 uploads, 1 deletion, 1.0 MB
last error   iCloud is busy
held         23 deletions until `icloudds approve` or `icloudds approve --reject`
               old/0.txt
               old/1.txt
               old/2.txt
               old/3.txt
               old/4.txt
               old/5.txt
               old/6.txt
               old/7.txt
               old/8.txt
               old/9.txt
               … and 13 more
set aside    2
               a\\nb\\u{1b}[2J\\u{202e}.txt: iCloud refused it (next try in 5 min)
               c: no name for it (tried again when it changes)
conflicts    1
               notes.txt: the other version is notes (conflict 2026-11-22 10-00-00 nas).txt
skipped      1
               movie.mkv: larger than allowed
"
    );
}

#[test]
fn what_was_stored_says_that_nothing_runs() {
    let mut status = busy();
    status.progress = None;
    status.pending = Pending::default();
    status.held_deletes = 0;
    status.held.clear();
    status.set_aside.clear();
    status.skipped.clear();
    status.conflicts.clear();
    status.last_error = None;
    status.totals = Totals::default();
    status.last_sync = None;
    status.session_expires = None;
    status.session_began = None;
    assert_eq!(
        render(&status, Source::Stored { at: NOW - 3 * 3600 }, NOW),
        "\
the daemon is not running; this is what it told last, 3 h ago

icloudds 1.2.3: /drive and iCloud Drive /Documents of y***@example.com

state        was syncing, since 2026-11-22 10:57:50 (2 min ago)
in sync      no
last sync    never
here         1204 files in 87 folders, 1.2 GB
on iCloud    1 file in 1 folder, 0 B
watching     events
from iCloud  poll
session      not signed in yet
"
    );
}

#[test]
fn a_state_that_needs_somebody_says_what_to_do() {
    let mut status = busy();
    status.state = DaemonState::NeedsCode;
    let text = render(&status, Source::Live, NOW);
    assert!(
        text.contains("             waiting for a second-factor code: run `icloudds code --send`"),
        "{text}"
    );
}

#[test]
fn a_state_is_told_without_its_word_twice() {
    for state in DaemonState::ALL {
        let (word, line) = (state.as_str(), state.line());
        assert!(line.starts_with(word) && !line.contains(&format!("{word}: {word}")), "{line}");
    }
}

#[test]
fn what_is_not_known_has_no_line() {
    let mut status = busy();
    status.watch.clear();
    assert!(!render(&status, Source::Live, NOW).contains("watching"));
    assert!(!render(&status, Source::Live, NOW).contains("from iCloud"));
}

#[test]
fn how_icloud_is_watched_has_a_reason_only_where_more_is_offered() {
    let mut status = busy();
    status.remote_watch = WatchedBy::Push;
    assert!(render(&status, Source::Live, NOW).contains("\nfrom iCloud  push\n"));
    (status.remote_watch, status.remote_watch_because) =
        (WatchedBy::Poll, Some("the feed is off".to_owned()));
    assert!(render(&status, Source::Live, NOW).contains("\nfrom iCloud  poll: the feed is off\n"));
}

#[test]
fn bytes_take_the_unit_that_fits() {
    for (number, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1_550_000, "1.6 MB"),
        (20_000_000_000, "20.0 GB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(bytes(number), text, "{number}");
    }
}

#[test]
fn a_bar_without_bytes_counts_items_and_never_divides_by_nothing() {
    let progress = Progress { items_done: 1, items_total: 2, ..Progress::default() };
    assert_eq!(bar(&progress), format!("[{}{}] 50 %", "#".repeat(15), "-".repeat(15)));
    assert_eq!(bar(&Progress::default()), format!("[{}] 100 %", "#".repeat(30)));
}
