//! Times that come to the disk later than the content that was written with them (`docs/sync.md` §3, Content).

use icloudds::engine::ports::Disk;
use icloudds::model::RelPath;

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait};
use super::unsynced::{CUTS, FIRST, lazy, pass};
use crate::sim::{Call, Crash, Fault};

/// An edit of the same size whose bytes came to the disk before its times did (`lazytime`, a write through a memory map).
#[test]
fn an_edit_whose_times_went_with_the_power_is_found_and_takes_nothing_away() {
    let same_size = |letter: u8| vec![letter; FIRST.len()];
    // It may also not go up at first, and the process may be another one by the time when it can.
    let ways = [
        (Crash::PowerCut, false, 0),
        (Crash::PowerCut, true, 0),
        (Crash::DiskAway, false, 0),
        (Crash::PowerCut, false, 1),
        (Crash::PowerCut, false, 2),
        (Crash::DiskAway, false, 2),
        // Nor may it be read before the process is another one.
        (Crash::PowerCut, false, 3),
        (Crash::DiskAway, false, 3),
    ];
    for (crash, ended_well, refused) in ways {
        let (mut whole, mut torn) = (0, 0);
        for cut in 0..CUTS {
            let mut run = lazy(cut, &[Twist::LateTimes]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(disk.write("f", FIRST));
            pass(&mut run);
            pass(&mut run);
            if ended_well {
                run.end();
                run.stop();
            }
            let stamp = || {
                let found = disk.look(&RelPath::parse("f").expect("a name")).expect("it can be read");
                found.expect("the name was durable").stamp
            };
            let before = stamp();
            assert!(disk.write("f", &same_size(b'x')));
            wait(&run);
            run.world.restart(crash);
            let left = disk.read("f").expect("the name was durable");
            let is_under_agreed = *left != *FIRST && stamp() == before;
            whole += usize::from(is_under_agreed && *left == *same_size(b'x'));
            torn += usize::from(is_under_agreed && *left != *same_size(b'x'));
            if refused > 0 {
                run.world.fuse.rate(Fault::Quota, 1.0);
                for opened in 0..if refused == 3 { 20 } else { 0 } {
                    run.world.fuse.script(Call::Open, opened, Fault::Io);
                }
                assert!(passes(&mut run));
                run.world.fuse.rate(Fault::Quota, 0.0);
                run.world.fuse.await_no_more();
            }
            if refused > 1 {
                run.world.restart(Crash::Kill);
                run.stop();
            }
            is_at_peace(&mut run);
            assert_eq!(disk.tree(), drive.tree(), "{crash:?}, cut {cut}: one side never learns of it");
            if is_under_agreed {
                let contents = drive.contents();
                assert!(contents.iter().any(|content| **content == *FIRST), "cut {cut}: replaced in place");
            }
        }
        assert!(whole > 1 && torn > 1, "{crash:?}: {whole} whole and {torn} torn under the agreed times");
    }
}

/// The folder of such a file cannot be read at the first look after the power cut, nor before the process is another one.
#[test]
fn such_an_edit_in_a_folder_that_could_not_be_read_is_found_once_it_can_be() {
    let mut found = 0;
    for (cut, is_killed) in (0..CUTS).flat_map(|cut| [(cut, false), (cut, true)]) {
        let mut run = lazy(cut, &[Twist::LateTimes]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("d") && disk.write("d/f", FIRST));
        pass(&mut run);
        pass(&mut run);
        let stamp = || {
            let found = disk.look(&RelPath::parse("d/f").expect("a path")).expect("it can be read");
            found.expect("the name was durable").stamp
        };
        let before = stamp();
        assert!(disk.write("d/f", &vec![b'x'; FIRST.len()]));
        wait(&run);
        run.world.restart(Crash::PowerCut);
        found += usize::from(*disk.read("d/f").expect("the name was durable") != *FIRST && stamp() == before);
        disk.readable("d", false);
        assert!(passes(&mut run));
        if is_killed {
            run.world.restart(Crash::Kill);
            run.stop();
            assert!(passes(&mut run));
        }
        disk.readable("d", true);
        wait(&run);
        is_at_peace(&mut run);
        assert_eq!(disk.tree(), drive.tree(), "cut {cut}, killed: {is_killed}");
    }
    assert!(found > 2, "{found} under the agreed times");
}
