//! One large file, both ways, in little memory.

use std::fs::File;
use std::io;

use icloudds_simulator::drive::model::content::Content;

use super::rig::Rig;

/// The promise: less than this is resident, whatever the size of the file.
const MOST_KIB: u64 = 64 * 1024;
const GIGABYTE: u64 = 1_000_000_000;

#[test]
fn a_gigabyte_both_ways_stays_under_64_mb_of_memory() {
    let rig = Rig::signed_in();
    let down = Content::Generated { seed: 1, len: GIGABYTE };
    rig.there().write("down.bin", down).expect("a file");
    let ran = rig.once();
    assert!((1..MOST_KIB).contains(&ran.peak_kib), "down: {} KiB", ran.peak_kib);
    let up = Content::Generated { seed: 2, len: GIGABYTE };
    let mut file = File::create(rig.at("up.bin")).expect("a file");
    io::copy(&mut up.reader(0, GIGABYTE), &mut file).expect("a large file");
    let ran = rig.once();
    assert!((1..MOST_KIB).contains(&ran.peak_kib), "up: {} KiB", ran.peak_kib);
    rig.assert_settled();
}
