//! Times that come to the disk later than the content that was written with them (`docs/sync.md` §3, Content).

use icloudds::engine::ports::Disk;
use icloudds::model::RelPath;

use super::history::Twist;
use super::scenarios::{is_at_peace, passes, wait};
use super::unsynced::{CUTS, FIRST, lazy, pass};
use crate::sim::{Crash, Fault};

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
                assert!(passes(&mut run));
                run.world.fuse.rate(Fault::Quota, 0.0);
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
