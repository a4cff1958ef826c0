//! What a downloaded file costs the disk, to the last call: what we wrote ourselves is not read again where the times of the disk
//! tell all, and once where they do not.

use std::collections::BTreeMap;

use crate::passes::Bench;
use crate::sim::Call;

const FILES: u64 = 20;

/// The calls of a first sync of some files, and of the passes after it until nothing is left in doubt.
fn calls(fine_times: bool) -> BTreeMap<Call, u64> {
    let mut bench = Bench::new(1);
    bench.world.disk.switch(|disk| disk.fine_times = fine_times);
    for number in 0..FILES {
        bench
            .world
            .drive
            .create(&format!("f{number}"), format!("content {number}").as_bytes())
            .expect("a file");
    }
    bench.wait(100);
    bench.world.fuse.forget_calls();
    bench.settle();
    bench.settle();
    assert_eq!(bench.world.disk.tree().len() as u64, FILES);
    bench.world.fuse.calls()
}

/// Of these calls no other number is made.
const EXACT: [(Call, u64); 10] = [
    (Call::Download, FILES),
    // The drive in memory sends such a content in three pieces.
    (Call::Write, 3 * FILES),
    (Call::Finish, FILES),
    (Call::Place, FILES),
    // Before and after each scan, and the root's folder in each; once more after what was put into it.
    (Call::CheckRoot, 8),
    (Call::ReadFolder, 4),
    (Call::Look, 3),
    // One group: its folder is made durable, then the base learns of it.
    (Call::Sync, 1),
    // Before that the first look notes where it was, and how that is mounted.
    (Call::Store, 2),
    (Call::Open, 0),
];

#[test]
fn a_downloaded_file_is_begun_and_placed_once_and_not_read_again() {
    let calls = calls(true);
    for (call, expected) in EXACT {
        assert_eq!(calls.get(&call).copied().unwrap_or(0), expected, "{call:?} of {calls:?}");
    }
}

#[test]
fn where_times_may_hide_a_change_a_downloaded_file_is_read_once() {
    let calls = calls(false);
    for call in [Call::Download, Call::Place, Call::Open] {
        assert_eq!(calls.get(&call), Some(&FILES), "{call:?} of {calls:?}");
    }
}
