//! Restored backups: what is older than the version that it replaces on iCloud leaves that one in Recently Deleted
//! (`docs/sync.md` §6, Replacing a file).

use icloudds::model::{DiskTime, LocalStamp};

use crate::passes::Bench;

fn name(number: usize) -> String {
    format!("folder/f{number}")
}

fn last_night(number: usize) -> Vec<u8> {
    format!("last night {number}").into_bytes()
}

fn from_the_phone(number: usize) -> Vec<u8> {
    format!("edited on the phone {number}").into_bytes()
}

/// 40 files of last night, of which a phone has edited some since; all that is synced. And the times of last night.
fn edited_on_the_phone(edited: usize) -> (Bench, Vec<DiskTime>) {
    let mut bench = Bench::new(1);
    assert!(bench.world.disk.mkdir("folder"));
    for number in 0..40 {
        assert!(bench.world.disk.write(&name(number), &last_night(number)));
    }
    bench.wait(100);
    bench.settle();
    let stamp = |bench: &Bench, number: usize| -> LocalStamp {
        let node = bench.engine.state().base.find(&path(&name(number))).expect("it is known");
        bench.engine.state().base.get(node).local.stamp
    };
    let times = (0..40).map(|number| stamp(&bench, number).mtime).collect();
    bench.wait(3600);
    for number in 0..edited {
        assert!(bench.world.drive.edit(&name(number), &from_the_phone(number)));
    }
    bench.wait(100);
    bench.settle();
    for number in 0..edited {
        assert_eq!(*bench.world.disk.read(&name(number)).expect("it is there"), *from_the_phone(number));
    }
    (bench, times)
}

fn path(text: &str) -> icloudds::model::RelPath {
    icloudds::model::RelPath::parse(text).unwrap()
}

/// What persons wrote on the phone is in Recently Deleted, and what was restored is the version on iCloud.
fn assert_recoverable(bench: &Bench, edited: usize, restored: impl Fn(usize) -> Vec<u8>) {
    bench.world.assert_equal_sides();
    bench.world.assert_nothing_lost();
    let drive = &bench.world.drive;
    let trashed: Vec<_> =
        drive.trashed().iter().map(|id| drive.item(id).expect("it is in the trash").body).collect();
    for number in 0..edited {
        let id = drive.find(&name(number)).expect("it is on iCloud");
        assert_eq!(*drive.item(&id).unwrap().body, *restored(number));
        let phones = from_the_phone(number);
        assert!(trashed.iter().any(|body| **body == *phones), "file {number} is not in Recently Deleted");
    }
}

#[test]
fn six_files_of_last_night_leave_the_phones_versions_in_recently_deleted() {
    let (mut bench, times) = edited_on_the_phone(6);
    for (number, time) in times.into_iter().enumerate().take(6) {
        assert!(bench.world.disk.write_at(&name(number), &last_night(number), Some(time)));
    }
    bench.wait(100);
    bench.settle();
    assert_recoverable(&bench, 6, last_night);
}

#[test]
fn a_backup_that_does_not_bring_its_times_is_known_by_its_contents() {
    for restarts in [false, true] {
        let (mut bench, _) = edited_on_the_phone(6);
        for number in 0..6 {
            assert!(bench.world.disk.save(&name(number), &last_night(number)));
        }
        if restarts {
            bench.restart();
        }
        bench.wait(100);
        bench.settle();
        assert_recoverable(&bench, 6, last_night);
    }
}

#[test]
fn a_file_that_is_older_than_the_state_goes_back_with_its_time_alone() {
    let (mut bench, times) = edited_on_the_phone(1);
    let older = |_: usize| b"of a week ago".to_vec();
    let time = DiskTime(times[0].0 - 7 * 86_400 * 1_000_000_000);
    assert!(bench.world.disk.write_at(&name(0), &older(0), Some(time)));
    bench.wait(100);
    bench.settle();
    assert_recoverable(&bench, 1, older);
}

#[test]
fn a_folder_that_was_copied_back_whole_goes_back_with_all_its_edits() {
    let (mut bench, _) = edited_on_the_phone(6);
    // Of a time that this state never saw, under the times of the copying.
    let older = |number: usize| format!("of a week ago {number}").into_bytes();
    assert!(bench.world.disk.delete("folder") && bench.world.disk.mkdir("folder"));
    for number in 0..40 {
        assert!(bench.world.disk.write(&name(number), &older(number)));
    }
    assert!(bench.world.disk.write("elsewhere", b"so that something keeps its place"));
    bench.wait(100);
    bench.settle();
    assert_recoverable(&bench, 6, older);
}

#[test]
fn where_many_go_back_in_time_the_others_of_their_folder_do_too() {
    let (mut bench, times) = edited_on_the_phone(6);
    let older = |number: usize| format!("of a week ago {number}").into_bytes();
    for (number, time) in times.into_iter().enumerate().take(6) {
        let time = (number > 0).then_some(time);
        assert!(bench.world.disk.write_at(&name(number), &older(number), time));
    }
    bench.wait(100);
    bench.settle();
    assert_recoverable(&bench, 6, older);
}

#[test]
fn an_ordinary_edit_keeps_the_item_as_it_is() {
    let (mut bench, _) = edited_on_the_phone(2);
    let before = bench.world.drive.find(&name(0)).expect("it is on iCloud");
    assert!(bench.world.disk.write(&name(0), b"written here today"));
    assert!(bench.world.disk.save(&name(1), b"saved here today"));
    bench.wait(100);
    bench.settle();
    assert_eq!(bench.world.drive.find(&name(0)), Some(before));
    assert!(bench.world.drive.trashed().is_empty());
    bench.world.assert_equal_sides();
}

#[test]
fn what_was_exchanged_with_an_edited_file_leaves_the_phones_version_where_nothing_tells_of_the_exchange() {
    let (mut bench, times) = {
        let bench = edited_on_the_phone(1);
        bench.0.world.disk.switch(|disk| disk.births = false);
        bench
    };
    // The looks that follow know files by their inodes alone.
    bench.settle();
    let disk = &bench.world.disk;
    assert!(disk.write_at(&name(0), &last_night(0), Some(times[0])) && disk.write(&name(1), b"edited here"));
    let other = "folder/between";
    assert!(disk.mv(&name(0), other) && disk.mv(&name(1), &name(0)) && disk.mv(other, &name(1)));
    bench.wait(100);
    bench.settle();
    let swapped = |number: usize| if number == 0 { b"edited here".to_vec() } else { last_night(number) };
    assert_recoverable(&bench, 1, swapped);
}
