//! The wall clock leaps, either way, during a pass or between passes: nothing is removed, exempt or kept waiting for it.

use std::time::Duration;

use icloudds::engine::ports::Clock;
use icloudds::model::{Change, SetAside};

use crate::passes::Bench;
use crate::sim::{Call, Fault};

const DAY: i64 = 86_400;
/// By how much the wall clock is set, in seconds.
const LEAPS: [i64; 6] = [-56 * 365 * DAY, -5 * DAY, -4000, 4000, 5 * DAY, 40 * 365 * DAY];

#[test]
fn a_clock_that_is_set_during_a_pass_makes_nobody_wait_for_it() {
    for leap in LEAPS {
        for step in 1.. {
            let mut bench = Bench::new(step);
            assert!(bench.world.drive.create("f.txt", b"content").is_some());
            bench.wait(100);
            for _ in 0..3 {
                bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
            }
            let clock = bench.world.clock.clone();
            bench.world.fuse.interject(step, move || clock.leap(leap));
            let (begun, before) = (bench.world.clock.truth().whole_seconds(), bench.world.fuse.steps());
            bench.pass();
            assert!(bench.elapsed(begun) < 300, "set by {leap} at step {step}: {} s", bench.elapsed(begun));
            assert!(
                bench.world.disk.read("f.txt").is_some(),
                "set by {leap} at step {step}: it was given up"
            );
            bench.world.fuse.calm();
            if before + step > bench.world.fuse.steps() {
                break;
            }
        }
    }
}

#[test]
fn what_was_made_while_the_clock_was_ahead_is_guarded_two_days_later() {
    for leap in LEAPS {
        let mut bench = Bench::with_files(1, 4);
        bench.world.clock.leap(leap);
        bench.write(4..64);
        bench.wait(100);
        bench.settle();
        bench.world.clock.leap(-leap);
        bench.wait(2 * 86_400);
        bench.delete(4..64);
        let report = bench.pass();
        assert_eq!((report.held, bench.on_icloud()), (60, 64), "the clock was off by {leap}");
    }
}

#[test]
fn what_was_made_today_may_go_again_whatever_the_clock_shows() {
    for leap in LEAPS {
        let mut bench = Bench::with_files(1, 4);
        bench.write(4..64);
        bench.wait(100);
        bench.settle();
        bench.world.clock.leap(leap);
        bench.delete(4..64);
        assert_eq!(bench.pass().held, 0, "set by {leap}");
        bench.settle();
        assert_eq!(bench.on_icloud(), 4, "set by {leap}");
    }
}

#[test]
fn a_leap_does_not_empty_the_window_of_deletions_nor_does_it_last() {
    for leap in LEAPS {
        for restarts in [false, true] {
            let mut bench = Bench::with_files(1, 200);
            bench.delete(0..45);
            assert_eq!(bench.pass().held, 0);
            assert_eq!(bench.on_icloud(), 155);
            bench.world.clock.leap(leap);
            if restarts {
                bench.restart();
            }
            bench.delete(45..90);
            assert_eq!(bench.pass().held, 45, "set by {leap}");
            // They come back; a day later nobody asks about so few.
            bench.write(45..90);
            bench.settle();
            bench.wait(86_400);
            bench.delete(90..110);
            assert_eq!(bench.pass().held, 0, "set by {leap}");
            assert!(bench.world.store.refused().is_empty());
        }
    }
}

#[test]
fn a_reboot_with_a_wrong_clock_does_not_empty_the_window_either() {
    for wall in [0, 1_700_000_000, 1_800_000_000 + 20 * DAY, 4_000_000_000] {
        let mut bench = Bench::with_files(1, 200);
        bench.delete(0..45);
        assert_eq!(bench.pass().held, 0);
        bench.world.clock.reboot(Duration::from_secs(60));
        bench.world.clock.set(wall);
        bench.restart();
        bench.delete(45..90);
        assert_eq!(bench.pass().held, 45, "it shows {wall}");
        // And then it gets the right time.
        bench.world.clock.set(bench.world.clock.truth().whole_seconds());
        assert_eq!(bench.pass().held, 45);
        assert_eq!(bench.on_icloud(), 155);
    }
}

#[test]
fn an_item_that_was_set_aside_is_due_after_its_wait_whatever_the_clock_shows() {
    for leap in LEAPS {
        for restarts in [false, true] {
            let mut bench = Bench::new(1);
            assert!(bench.world.drive.create("f.txt", b"content").is_some());
            bench.wait(100);
            for _ in 0..60 {
                bench.world.fuse.script(Call::Fetch, 0, Fault::Busy);
            }
            bench.pass();
            bench.world.fuse.calm();
            let aside = bench.engine.state().set_aside.values().next().expect("it is set aside").clone();
            bench.world.clock.leap(leap);
            if restarts {
                bench.restart();
            }
            let now = bench.engine.state().seconds(bench.world.clock.reading());
            assert_eq!(aside.is_due(now), aside.next_try.expect("it is tried again") <= now);
            bench.wait(u64::try_from(SetAside::LONGEST_WAIT).unwrap());
            bench.settle();
            assert!(bench.world.disk.read("f.txt").is_some(), "set by {leap}");
            assert!(bench.engine.state().set_aside.is_empty());
        }
    }
}

#[test]
fn times_of_another_clock_in_an_old_state_keep_nothing_waiting_and_exempt_nothing() {
    let mut bench = Bench::with_files(1, 4);
    let far = bench.world.clock.seconds() + 400 * DAY;
    let aside = SetAside { reason: "before".into(), attempts: 1, next_try: Some(far), since: far };
    let at = icloudds::model::RelPath::parse("f.txt").unwrap();
    bench.engine.commit(&[Change::SetAside(at, Some(aside))]).expect("it is stored");
    assert!(bench.world.drive.create("f.txt", b"content").is_some());
    bench.wait(100);
    bench.settle();
    assert!(bench.world.disk.read("f.txt").is_some());
}

#[test]
fn a_leap_is_noticed_once() {
    for leap in LEAPS {
        let mut bench = Bench::with_files(1, 2);
        let clock = bench.world.clock.clone();
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
        clock.leap(leap);
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), Some(leap));
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
        // One between two runs, too.
        clock.leap(-leap);
        bench.restart();
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), Some(-leap));
        bench.restart();
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
        // In the middle of a pass that stores something.
        bench.write(7..8);
        bench.wait(100);
        let begin = bench.world.fuse.steps();
        bench.pass();
        let steps = bench.world.fuse.steps() - begin;
        bench.write(8..9);
        bench.wait(100);
        let by = clock.clone();
        bench.world.fuse.interject(steps / 2, move || by.leap(leap));
        bench.pass();
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), Some(leap));
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
    }
}

/// What waits for a while goes by the lived seconds: where they went back, it would wait as long as the clock was set.
#[test]
fn the_seconds_of_a_process_go_on_also_where_they_cannot_be_stored() {
    for (leap, refusals) in LEAPS.into_iter().flat_map(|leap| [(leap, 0), (leap, 3)]) {
        let mut bench = Bench::with_files(1, 2);
        let clock = bench.world.clock.clone();
        clock.reboot(Duration::from_secs(100));
        clock.leap(5 * DAY);
        bench.restart();
        // A look may be over before the first pass begins.
        let mut last = bench.engine.lived(clock.reading());
        assert!(bench.engine.state().seconds(clock.reading()) >= last);
        (0..refusals).for_each(|_| bench.world.fuse.script(Call::Store, 0, Fault::Io));
        let mut goes_on = |bench: &mut Bench| {
            clock.advance(Duration::from_secs(1));
            let (now, known) =
                (bench.engine.lived(clock.reading()), bench.engine.state().seconds(clock.reading()));
            let is_next = now == last + 1 && known == now;
            assert!(is_next, "set by {leap}, refused {refusals} times: {last}, then {now} and {known}");
            last = now;
        };
        for _ in 0..refusals {
            assert!(bench.engine.keep_time(&*clock).is_err());
            goes_on(&mut bench);
        }
        clock.leap(leap);
        goes_on(&mut bench);
        bench.world.fuse.calm();
        let told = bench.engine.keep_time(&*clock).expect("stored");
        assert!(refusals == 0 || told == Some(leap), "set by {leap}, refused {refusals} times: {told:?}");
        goes_on(&mut bench);
        // What is stored goes on from there.
        bench.restart();
        goes_on(&mut bench);
    }
}

/// How old something is follows from what the clock has shown: a time that it showed while nothing could be stored counts too.
#[test]
fn what_the_clock_showed_while_nothing_could_be_stored_is_noted_later() {
    for leap in [5 * DAY, 40 * 365 * DAY] {
        let mut bench = Bench::with_files(1, 2);
        let clock = bench.world.clock.clone();
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
        clock.leap(leap);
        let shown = clock.seconds();
        bench.world.fuse.script(Call::Store, 0, Fault::Io);
        assert!(bench.engine.keep_time(&*clock).is_err());
        clock.leap(-leap);
        bench.world.fuse.script(Call::Store, 0, Fault::Io);
        assert!(bench.engine.keep_time(&*clock).is_err());
        assert_eq!(bench.engine.keep_time(&*clock).expect("stored"), None);
        bench.restart();
        clock.advance(Duration::from_secs(100));
        let noted = bench.world.store.durable().time.expect("it is stored");
        assert_eq!(noted.least_age(shown, clock.reading()), 100, "set by {leap}");
    }
}
