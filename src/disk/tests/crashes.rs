//! The program stopped after each single effect, then started again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::engine::ports::{DiskError, Displaced};

/// Runs `act` on a new drive, stopped after 0, 1, 2… effects until it is not stopped any more, and `check`s each time
/// after a restart. Says how many stops there were.
fn stopped_everywhere<T>(
    (force_no_renameat2, force_records): (bool, bool),
    prepare: impl Fn(&Drive) -> T,
    act: impl Fn(&Drive, &T),
    check: impl Fn(&Drive, &super::super::Recovered, bool),
) -> u32 {
    for stop_after in 0.. {
        let options = Options { writes: true, force_no_renameat2, force_records, ..Options::default() };
        let mut drive = Drive::with(options);
        let prepared = prepare(&drive);
        *drive.disk.steps_left.lock().unwrap() = Some(stop_after);
        let result = catch_unwind(AssertUnwindSafe(|| act(&drive, &prepared)));
        let stopped = match result {
            Ok(()) => false,
            Err(payload) => {
                assert!(payload.is::<Crash>(), "a real panic after {stop_after} effects");
                true
            }
        };
        drive.reopen();
        let recovered = drive.disk.recover().unwrap();
        check(&drive, &recovered, stopped);
        assert_eq!(drive.disk.recover().unwrap(), Default::default(), "once is enough");
        assert!(drive.tmp().iter().all(|name| !name.ends_with(".step") && !name.ends_with(".parked")));
        if !stopped {
            return stop_after;
        }
    }
    unreachable!("an operation has an end");
}

#[test]
fn a_replacement_stopped_anywhere_is_whole_or_undone() {
    for (by_hand, records) in [(false, false), (false, true), (true, false), (true, true)] {
        let stops = stopped_everywhere(
            (by_hand, records),
            |drive| {
                drive.folder("f");
                (drive.write("f/a", "old"), drive.ready("f/a", "new"))
            },
            |drive, (stamp, ready)| drop(drive.disk.replace(ready, &path("f/a"), stamp).unwrap()),
            |drive, recovered, stopped| {
                assert_eq!(recovered.strays, []);
                match &*drive.text("f/a") {
                    "old" => {
                        assert!(stopped);
                        assert_eq!(drive.trash(), vec![]);
                        // The download waits, and goes on where it was, or is made anew.
                        let mut again = drive.disk.download(&key("f/a", "new")).unwrap();
                        assert!(again.offset() == 3 || again.offset() == 0 && !records);
                        if again.offset() == 0 {
                            again.write_all(b"new").unwrap();
                        }
                        let ready = again.finish(None).unwrap();
                        let stamp = drive.stamp("f/a");
                        drive.disk.replace(&ready, &path("f/a"), &stamp).unwrap();
                    }
                    "new" => {}
                    other => panic!("{other}"),
                }
                assert_eq!(drive.text("f/a"), "new");
                assert_eq!(drive.trash(), [("f/a".to_owned(), "old".to_owned())]);
                assert_eq!(drive.tmp(), Vec::<String>::new());
            },
        );
        assert!(stops >= 4, "{stops}");
    }
}

#[test]
fn a_version_edited_in_between_is_a_stray_after_a_crash() {
    let options = Options { writes: true, ..Options::default() };
    let mut drive = Drive::with(options);
    let stamp = drive.write("a", "old");
    let ready = drive.ready("a", "new");
    // Stopped right after the exchange, where nothing has been compared yet.
    *drive.disk.steps_left.lock().unwrap() = Some(3);
    let crashed = catch_unwind(AssertUnwindSafe(|| drop(drive.disk.replace(&ready, &path("a"), &stamp))));
    assert!(crashed.is_err());
    assert_eq!(drive.text("a"), "new");
    let slot = drive.disk.list_trash().unwrap()[0].slot.clone();
    let (_, inside) = slot.split_once("//").unwrap();
    std::fs::write(drive.full(&format!(".icloudds/trash/{inside}")), "edited by a person").unwrap();
    drive.reopen();
    let recovered = drive.disk.recover().unwrap();
    assert_eq!(recovered.strays, [crate::disk::Stray { slot: slot.clone(), path: path("a") }]);
    drive.disk.rescue(&slot, &path("a (conflict)")).unwrap();
    assert_eq!(drive.text("a (conflict)"), "edited by a person");
}

/// A person writes into `a` while it is replaced, and the program is stopped anywhere, also while it brings that version back.
#[test]
fn a_version_written_while_it_was_replaced_is_never_left_in_the_trash() {
    for (by_hand, records) in [(false, false), (false, true), (true, false), (true, true)] {
        // What is written after the comparison, through a handle from before, goes to the trash with its file.
        for nth in 0..4 {
            let stops = stopped_everywhere(
                (by_hand, records),
                |drive| {
                    let prepared = (drive.write("a", "old"), drive.ready("a", "new"));
                    let (mut steps, old) =
                        (0, fs::File::options().append(true).open(drive.full("a")).unwrap());
                    *drive.disk.at_each_step.lock().unwrap() = Some(Box::new(move || {
                        if steps == nth {
                            (&old).write_all(b" edited").unwrap();
                        }
                        steps += 1;
                    }));
                    prepared
                },
                |drive, (stamp, ready)| match drive.disk.replace(ready, &path("a"), stamp) {
                    Ok((_, Displaced::Changed { slot })) => {
                        drive.disk.rescue(&slot, &path("a (conflict)")).unwrap();
                    }
                    Ok((_, Displaced::AsPlanned)) | Err(DiskError::Changed { .. }) => {}
                    Err(other) => panic!("{other}"),
                },
                |drive, recovered, _| {
                    for stray in &recovered.strays {
                        drive.disk.rescue(&stray.slot, &path("a (conflict)")).unwrap();
                    }
                    assert!(
                        drive.trash().iter().all(|(_, text)| text != "old edited"),
                        "{:?}",
                        drive.trash()
                    );
                },
            );
            assert!(stops >= 4, "{stops}");
        }
    }
}

/// The note of a displaced version stands until it was brought back, over as many starts as that takes.
#[test]
fn what_a_start_did_not_bring_back_the_next_one_does() {
    let mut drive = Drive::new();
    parked(&mut drive);
    drive.write("a", "somebody's");
    drive.write("b", "bb");
    for _ in 0..3 {
        drive.reopen();
        assert_eq!(drive.disk.recover().unwrap().strays.len(), 1);
    }
    let stray = drive.disk.recover().unwrap().strays.remove(0);
    drive.disk.rescue(&stray.slot, &path("c")).unwrap();
    assert_eq!((drive.text("c"), drive.tmp()), ("a".into(), vec![]));
    assert_eq!(drive.disk.recover().unwrap(), Default::default());
    // A note of what a person took out of the trash himself goes.
    fs::write(
        drive.full(".icloudds/tmp/1.displaced"),
        r#"{"slot":"//2026-11-22 10-00-00+0000/a","path":"a"}"#,
    )
    .unwrap();
    assert_eq!(drive.disk.recover().unwrap(), Default::default());
    assert_eq!(drive.tmp(), Vec::<String>::new());
}

#[test]
fn a_new_file_stopped_anywhere_is_there_or_waits() {
    for (by_hand, records) in [(false, false), (false, true), (true, false), (true, true)] {
        stopped_everywhere(
            (by_hand, records),
            |drive| drive.ready("a", "new"),
            |drive, ready| assert!(drive.disk.place(ready, &path("a")).is_ok()),
            |drive, _, _| {
                if !drive.is_there("a") {
                    let mut again = drive.disk.download(&key("a", "new")).unwrap();
                    if again.offset() == 0 && !records {
                        again.write_all(b"new").unwrap();
                    }
                    drive.disk.place(&again.finish(None).unwrap(), &path("a")).unwrap();
                }
                assert_eq!(drive.text("a"), "new");
                assert_eq!(drive.tmp(), Vec::<String>::new());
            },
        );
    }
}

#[test]
fn a_download_with_two_names_is_never_written_to() {
    let drive = Drive::recording();
    drive.ready("a", "new");
    let part = drive.tmp().into_iter().find(|name| name.ends_with(".part")).unwrap();
    // As a crash between the second name and the removal of the first leaves it.
    std::fs::hard_link(drive.full(&format!(".icloudds/tmp/{part}")), drive.full("a")).unwrap();
    let mut again = drive.disk.download(&DownloadKey { size: None, ..key("a", "new") }).unwrap();
    again.restart().unwrap();
    again.write_all(b"something else").unwrap();
    drop(again);
    assert_eq!(drive.text("a"), "new");
}

/// A crash while an item waited under another name, on its way from `a` to `b`.
fn parked(drive: &mut Drive) {
    drive.write("a", "a");
    std::fs::rename(drive.full("a"), drive.full(".icloudds/tmp/1.parked")).unwrap();
    let record = r#"{"Parked":{"park":"1.parked","home":"a","goal":"b"}}"#;
    std::fs::write(drive.full(".icloudds/tmp/1.step"), record).unwrap();
}

#[test]
fn a_parked_item_comes_to_its_goal_else_home() {
    for (taken, expected) in [(None, "b"), (Some("b"), "a")] {
        let mut drive = Drive::new();
        parked(&mut drive);
        if let Some(taken) = taken {
            drive.write(taken, "somebody's");
        }
        drive.reopen();
        let recovered = drive.disk.recover().unwrap();
        assert_eq!((recovered.strays, drive.text(expected)), (vec![], "a".into()));
        assert_eq!(drive.tmp(), Vec::<String>::new());
    }
}

#[test]
fn a_parked_item_whose_places_are_taken_is_a_stray() {
    let mut drive = Drive::new();
    parked(&mut drive);
    drive.write("a", "somebody's");
    drive.write("b", "bb");
    drive.reopen();
    let recovered = drive.disk.recover().unwrap();
    assert_eq!(recovered.strays.len(), 1);
    drive.disk.rescue(&recovered.strays[0].slot, &path("c")).unwrap();
    let now = ["a", "b", "c"].map(|at| drive.text(at));
    assert_eq!(now, ["somebody's", "bb", "a"]);
}

#[test]
fn a_move_stopped_anywhere_leaves_one_name() {
    for by_hand in [false, true] {
        stopped_everywhere(
            (by_hand, false),
            |drive| drive.write("a", "x"),
            |drive, stamp| assert!(drive.disk.rename(&path("a"), &path("b"), stamp).is_ok()),
            |drive, _, stopped| {
                assert!(drive.is_there("a") != drive.is_there("b"));
                assert!(stopped || drive.is_there("b"));
            },
        );
    }
}

#[test]
fn a_second_name_left_by_a_crash_is_taken_off() {
    let drive = Drive::new();
    drive.write("a", "x");
    std::fs::hard_link(drive.full("a"), drive.full("b")).unwrap();
    let record = r#"{"Linked":{"from":"a","to":"b"}}"#;
    std::fs::write(drive.full(".icloudds/tmp/1.step"), record).unwrap();
    // A record that a power cut tore says nothing.
    std::fs::write(drive.full(".icloudds/tmp/2.step"), &record[..9]).unwrap();
    assert_eq!(drive.disk.recover().unwrap().repaired, [path("b")]);
    assert!(!drive.is_there("a"));
    assert_eq!((drive.text("b"), drive.tmp()), ("x".into(), vec![]));
    // The same record over two different files does nothing.
    drive.write("a", "y");
    std::fs::write(drive.full(".icloudds/tmp/1.step"), record).unwrap();
    drive.disk.recover().unwrap();
    assert_eq!((drive.text("a"), drive.text("b")), ("y".into(), "x".into()));
}

#[test]
fn trashing_stopped_anywhere_loses_nothing() {
    for by_hand in [false, true] {
        stopped_everywhere(
            (by_hand, false),
            |drive| {
                let folder = drive.folder("f");
                drive.write("f/.DS_Store", "junk");
                (drive.write("a", "x"), folder)
            },
            |drive, (file, folder)| {
                drive.disk.trash(&path("a"), file).unwrap();
                drive.disk.trash(&path("f"), folder).unwrap();
            },
            |drive, _, stopped| {
                let kept = drive.trash();
                assert!(drive.is_there("a") || kept.contains(&("a".into(), "x".into())));
                assert!(
                    drive.is_there("f/.DS_Store") || kept.contains(&("f/.DS_Store".into(), "junk".into()))
                );
                assert!(stopped || !drive.is_there("f"));
            },
        );
    }
}
