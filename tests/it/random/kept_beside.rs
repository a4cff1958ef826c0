//! Editors that rename what they replace, and write a new file at its path.

use icloudds::engine::pass::{LocalLook, Look, RemoteLook};
use icloudds::model::{ItemId, RelPath};

use super::history::Twist;
use super::run::Run;
use super::scenarios::{is_at_peace, pass, passes, wait, world};
use crate::sim::{Call, Crash, Outcome, SimDisk};

/// Disks that tell all of a file, no time of birth, that and the inode number of one that is gone, or nothing that lasts.
const DISKS: [&[Twist]; 4] =
    [&[], &[Twist::NoBirths], &[Twist::NoBirths, Twist::ReuseInodes], &[Twist::NoIdentities]];
/// What an editor calls the version before.
const BACKUPS: [&str; 3] = ["d/a~", "d/a.bak", "d/x.tmp"];

/// Both sides hold `d/a`, and `d/b`.
fn synced(seed: u64, twists: &[Twist]) -> Run {
    let mut run = world(seed, twists);
    let disk = run.world.disk.clone();
    assert!(
        disk.mkdir("d") && disk.write("d/a", b"the version before") && disk.write("d/b", b"content of b")
    );
    pass(&mut run);
    pass(&mut run);
    run
}

fn save(disk: &SimDisk, backup: &str, content: &str) -> bool {
    disk.mv("d/a", backup) && disk.write("d/a", content.as_bytes())
}

fn looks() -> [Look; 2] {
    let folder = RelPath::parse("d").expect("a path");
    [Look::whole(), Look { local: LocalLook::Folders(vec![folder]), remote: RemoteLook::Whole }]
}

fn is_live(run: &Run, content: &str) -> bool {
    run.world.drive.live_contents().iter().any(|live| **live == *content.as_bytes())
}

#[test]
fn the_item_keeps_its_id_at_each_save() {
    for twists in DISKS {
        for backup in BACKUPS {
            for look in looks() {
                let case = format!("{twists:?}, {backup}, {look:?}");
                let mut run = synced(1, twists);
                let id = run.world.drive.find("d/a");
                for number in 0..4 {
                    let content = format!("version {number}");
                    assert!(save(&run.world.disk, backup, &content), "{case}");
                    // The fourth save before anybody looked at the third: without identities that may be two files that changed places.
                    if number != 2 || twists == [Twist::NoIdentities] {
                        wait(&run);
                        assert!(matches!(run.run(&look, true), Ok(Outcome::Done(Ok(_)))), "{case}");
                        assert_eq!(run.world.drive.find("d/a"), id, "{case}, save {number}");
                        assert!(is_live(&run, &content), "{case}, save {number}");
                    }
                }
                is_at_peace(&mut run);
                assert_eq!(run.world.drive.find("d/a"), id, "{case}");
            }
        }
    }
}

#[test]
fn what_was_done_on_icloud_meanwhile_meets_the_save() {
    for twists in DISKS {
        for backup in BACKUPS {
            let case = format!("{twists:?}, {backup}");
            // Edited there: both versions are kept, and the name is that one's.
            let mut run = synced(2, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            let id = drive.find("d/a").expect("it is there");
            assert!(
                drive.edit("d/a", b"edited on the phone") && save(&disk, backup, "edited here"),
                "{case}"
            );
            is_at_peace(&mut run);
            assert_eq!(drive.find("d/a"), Some(id.clone()), "{case}");
            assert_eq!(disk.read("d/a").as_deref(), Some(&b"edited on the phone"[..]), "{case}");
            assert!(is_live(&run, "edited here"), "{case}");
            // Renamed there: what was written goes with it.
            let mut run = synced(3, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(drive.person_rename("d/a", "n") && save(&disk, backup, "edited here"), "{case}");
            is_at_peace(&mut run);
            assert_eq!(drive.find("d/n"), Some(id.clone()), "{case}");
            assert_eq!(disk.read("d/n").as_deref(), Some(&b"edited here"[..]), "{case}");
            // Deleted there: the edit outweighs that.
            let mut run = synced(4, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(drive.person_trash("d/a") && save(&disk, backup, "edited here"), "{case}");
            is_at_peace(&mut run);
            assert!(drive.find("d/a").is_some() && is_live(&run, "edited here"), "{case}");
        }
    }
}

#[test]
fn a_save_in_the_midst_of_a_pass_that_is_cut_short_keeps_the_id() {
    for twists in DISKS {
        for how in [Crash::Kill, Crash::PowerCut] {
            for step in 1.. {
                let case = format!("{twists:?}, {how:?} after step {step}");
                let mut run = synced(step, twists);
                let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
                let id = drive.find("d/a");
                assert!(save(&disk, "d/a~", "saved before"));
                wait(&run);
                run.world.fuse.crash_after(step);
                let is_over = passes(&mut run);
                run.world.restart(how);
                assert!(save(&disk, "d/a~", "saved after"), "{case}");
                is_at_peace(&mut run);
                // What was saved before the first look after a power cut may be cut short itself: it takes no version's place, and that
                // one lies in the trash.
                let is_kept = |id: &ItemId| drive.find("d/a").as_ref() == Some(id);
                let lies_in_trash = |id: &ItemId| how == Crash::PowerCut && drive.trashed().contains(id);
                assert!(id.as_ref().is_some_and(|id| is_kept(id) || lies_in_trash(id)), "{case}");
                assert_eq!(disk.read("d/a").as_deref(), Some(&b"saved after"[..]), "{case}");
                assert_eq!(drive.tree().len(), 4, "{case}: {:?}", drive.tree());
                if is_over {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_save_at_any_instant_of_a_pass_keeps_the_id() {
    for twists in DISKS {
        for step in 1.. {
            let case = format!("{twists:?}, at step {step}");
            let mut run = synced(step, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            let id = drive.find("d/a");
            assert!(save(&disk, "d/a~", "saved before"));
            wait(&run);
            let begin = run.world.fuse.steps();
            let (editor, clock) = (disk.clone(), run.world.clock.clone());
            run.world.fuse.interject(step, move || {
                clock.advance(std::time::Duration::from_millis(3));
                save(&editor, "d/a~", "saved at once");
                clock.advance(std::time::Duration::from_millis(3));
            });
            assert!(passes(&mut run), "{case}");
            let is_over = begin + step > run.world.fuse.steps();
            is_at_peace(&mut run);
            assert_eq!(drive.find("d/a"), id, "{case}");
            assert_eq!(drive.tree().len(), 4, "{case}: {:?}", drive.tree());
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_rename_to_such_a_name_stays_one() {
    for twists in DISKS {
        for backup in BACKUPS {
            let mut run = synced(5, twists);
            let id = run.world.drive.find("d/a");
            assert!(run.world.disk.mv("d/a", backup));
            is_at_peace(&mut run);
            assert_eq!((run.world.drive.find("d/a"), run.world.drive.find(backup)), (None, id), "{backup}");
        }
    }
}

#[test]
fn what_came_right_before_the_end_of_a_process_and_was_saved_is_the_item() {
    for twists in &DISKS[..3] {
        for is_new in [true, false] {
            for step in 1.. {
                let case = format!("{twists:?}, new: {is_new}, step {step}");
                let mut run = synced(step, twists);
                let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
                if is_new {
                    assert!(disk.delete("d/a"));
                    pass(&mut run);
                    assert!(drive.create("d/a", b"from the phone").is_some(), "{case}");
                } else {
                    assert!(drive.edit("d/a", b"from the phone"), "{case}");
                }
                let id = drive.find("d/a");
                wait(&run);
                run.world.fuse.crash_after(step);
                let is_over = passes(&mut run);
                run.world.restart(Crash::Kill);
                let has_come = disk.read("d/a").as_deref() == Some(&b"from the phone"[..]);
                if has_come {
                    assert!(save(&disk, "d/a~", "saved here"), "{case}");
                }
                is_at_peace(&mut run);
                assert_eq!(drive.find("d/a"), id, "{case}");
                let expected = if has_come { &b"saved here"[..] } else { b"from the phone" };
                assert_eq!(disk.read("d/a").as_deref(), Some(expected), "{case}");
                assert_eq!(drive.tree().len(), 3 + usize::from(has_come), "{case}: {:?}", drive.tree());
                if is_over {
                    break;
                }
            }
        }
    }
}

/// The upload is refused, since the phone edited the item in that moment, and the new file is gone before the next try: what is left is the
/// backup, which no edit of the item is put over.
#[test]
fn a_backup_whose_new_version_never_went_up_is_not_taken_for_the_item() {
    for twists in DISKS {
        for backup in BACKUPS {
            let mut run = synced(1, twists);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            wait(&run);
            assert!(save(&disk, backup, "written beside it"));
            let person = drive.clone();
            let edits = move || assert!(person.edit("d/a", b"edited by the phone"));
            run.world.fuse.interject_at(Call::LookUp, 0, edits);
            let here = Look { local: LocalLook::Whole, remote: RemoteLook::Nothing };
            assert!(matches!(run.run(&here, true), Ok(Outcome::Done(Ok(_)))));
            assert!(disk.delete("d/a") && disk.mkdir("d/a"));
            is_at_peace(&mut run);
            assert_eq!(
                disk.read(backup).as_deref(),
                Some(&b"the version before"[..]),
                "{twists:?}, {backup}"
            );
        }
    }
}

/// A kill comes amid the upload of what was written beside the backup, and a person takes the backup instead before the next start: what went up
/// was ours, also where iCloud tells no signatures, and is not put over what was taken.
#[test]
fn a_backup_that_is_taken_after_all_stays_where_an_upload_was_cut_short() {
    for twists in [&[][..], &[Twist::NoSignatures]] {
        for step in 0.. {
            let mut run = synced(step, twists);
            let disk = run.world.disk.clone();
            wait(&run);
            assert!(save(&disk, "d/a~", "written beside it"));
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            assert!(disk.mv("d/a~", "d/a"));
            is_at_peace(&mut run);
            assert!(is_live(&run, "the version before"), "{twists:?}, step {step}");
            if done {
                break;
            }
        }
    }
}
