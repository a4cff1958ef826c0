//! Making the file smaller: when it is worth it, what it gives back, and wherever it breaks off.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::apply::apply;
use super::brake::{Brake, Braked};
use super::error::Trouble;
use super::failing::{Failing, on};
use super::load::load;
use super::room::taken;
use super::table::{Records, TABLE};
use super::{Opened, open};
use crate::engine::ports::{Shrunk, Store as _};
use crate::model::{
    BaseEntry, Change, DiskTime, Etag, Identity, ItemId, LocalStamp, Node, ServerTime, Side, Signature,
    State, Zone,
};

/// A file as a transfer leaves it, `number` of its kind; ids come in no order.
fn file(number: u64, etag: u64) -> Change {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("{:08X}-0000-4000-8000-{number:012X}", scattered >> 32);
    let seconds = 1_790_000_000 + number as i64 * 60;
    let written = DiskTime(seconds * 1_000_000_000 + 123_456_789);
    let name = format!("A photograph {number:06} of it.jpeg");
    let entry = BaseEntry {
        local_name: name.as_str().into(),
        remote_name: name.as_str().into(),
        etag: Etag::new(&format!("{etag:x}::{number:x}")),
        remote_size: Some(10_000 + number).into(),
        remote_mtime: Some(ServerTime(seconds)).into(),
        stamp: LocalStamp {
            size: 10_000 + number,
            mtime: DiskTime(seconds * 1_000_000_000),
            ctime: written,
            identity: Identity { inode: 1_000_000 + number, birth: Some(written).into() },
            on_root_fs: true,
            is_mount: false,
        },
        signature: Some(Signature([number as u8; 20])),
        created_on: Some((Side::Remote, seconds)).into(),
        folder: false,
        ..BaseEntry::root(ItemId::new(Zone::CloudDocs, &id))
    };
    Change::Put { parent: ItemId::drive_root(), entry: Box::new(entry) }
}

fn base(state: &State) -> Vec<BaseEntry> {
    state.base.walk(Node::ROOT).map(|node| state.base.get(node).to_entry()).collect()
}

/// A store with so many files, in groups as a first sync stores them.
fn filled(path: &Path, files: u64) -> Opened {
    let mut opened = open(path).unwrap();
    for first in (0..files).step_by(256) {
        let group: Vec<_> = (first..files.min(first + 256)).map(|number| file(number, 1)).collect();
        opened.store.commit(&group).unwrap();
    }
    opened
}

#[test]
fn at_a_calm_moment_after_a_first_sync_the_file_takes_300_bytes_an_item_and_no_more_is_done_in_vain() {
    const ITEMS: u64 = 10_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let mut opened = filled(&path, ITEMS);
    let each = || taken(&std::fs::metadata(&path).unwrap()) / ITEMS;
    let before = each();
    assert!(opened.store.is_wasteful(), "{before} bytes an item");
    assert_eq!(opened.store.shrink(&Arc::default()), Shrunk::Done);
    assert!(each() <= 300 && each() < before, "{before} bytes an item became {}", each());
    for number in 0..50 {
        assert!(!opened.store.is_wasteful(), "after {number} commits");
        opened.store.commit(&[file(number, 2)]).unwrap();
    }
    assert!(each() <= 300, "{} bytes an item after some commits", each());
    drop(opened);
    let again = open(&path).unwrap();
    assert_eq!((again.state.base.len() as u64, again.damage), (ITEMS + 1, None));
    assert!(!again.store.is_wasteful());
}

#[test]
fn what_was_removed_makes_a_file_wasteful_and_so_does_much_that_was_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let mut opened = filled(&path, 4_000);
    opened.store.shrink(&Arc::default());
    for round in 2..6 {
        for first in (0..4_000).step_by(500) {
            let group: Vec<_> = (first..first + 500).map(|number| file(number, round)).collect();
            opened.store.commit(&group).unwrap();
        }
    }
    assert!(opened.store.is_wasteful(), "pages of each version before");
    assert_eq!(opened.store.shrink(&Arc::default()), Shrunk::Done);
    let before = taken(&std::fs::metadata(&path).unwrap());
    let owner = crate::model::Owner {
        marker: "m".into(),
        account: "a".into(),
        directory: "/d".into(),
        remote_root: "/".into(),
        root_id: ItemId::drive_root().to_string(),
    };
    opened.store.commit(&[Change::Owner(owner)]).unwrap();
    drop(opened);
    let mut opened = open(&path).unwrap();
    assert!(opened.store.is_wasteful(), "all items are gone");
    assert_eq!(opened.store.shrink(&Arc::default()), Shrunk::Done);
    assert!(taken(&std::fs::metadata(&path).unwrap()) * 4 < before);
}

#[test]
fn told_to_stop_it_leaves_all_as_it_was_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let mut opened = filled(&path, 5_000);
    let stop = Arc::new(AtomicBool::new(true));
    assert_eq!(opened.store.shrink(&stop), Shrunk::Stopped);
    assert!(opened.store.is_wasteful());
    opened.store.commit(&[file(5_000, 1)]).unwrap();
    stop.store(false, Ordering::Relaxed);
    assert_eq!(opened.store.shrink(&stop), Shrunk::Done);
    stop.store(true, Ordering::Relaxed);
    opened.store.commit(&[file(5_001, 1)]).unwrap();
    drop(opened);
    let again = open(&path).unwrap();
    assert_eq!((again.state.base.len(), again.damage), (5_003, None));
}

/// The content of a file with some items, and holes that others left.
fn swollen(folder: &Path) -> Vec<u8> {
    let path = folder.join("state.redb");
    let mut opened = filled(&path, 200);
    for round in 2..5 {
        let group: Vec<_> = (0..200).map(|number| file(number, round)).collect();
        opened.store.commit(&group).unwrap();
    }
    drop(opened);
    std::fs::read(&path).unwrap()
}

/// Makes the file on that disk smaller; says whether that came to its end.
fn made_smaller(disk: &Failing) -> Result<(), Trouble> {
    let mut database = on(disk.clone())?;
    database.compact()?;
    Ok(())
}

#[test]
fn wherever_making_the_file_smaller_breaks_off_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let content = swollen(folder.path());
    let expected = base(&load(&on(Failing::new(&content, usize::MAX)).unwrap()).unwrap().state);
    assert_eq!(expected.len(), 201);
    let disk = Failing::new(&content, usize::MAX);
    made_smaller(&disk).unwrap();
    let (effects, length) = disk.with(|content| (content.done, content.now.len()));
    assert!(effects > 50 && length * 3 < content.len() * 2, "{effects} effects; {length} bytes");
    let mut ended = 0;
    for stop in 0..=effects {
        let disk = Failing::new(&content, stop);
        let result = made_smaller(&disk);
        ended += usize::from(result.is_ok());
        if let Err(trouble) = result {
            assert!(matches!(trouble, Trouble::Full(_)), "after {stop} effects: {trouble}");
        }
        let (now, synced) = disk.with(|content| (content.now.clone(), content.synced.clone()));
        for (after, content) in [("a kill", now), ("a power cut", synced)] {
            let told = format!("{after} after {stop} of {effects} effects");
            let disk = Failing::new(&content, usize::MAX);
            let loaded = load(&on(disk.clone()).expect(&told)).expect(&told);
            assert_eq!((base(&loaded.state), loaded.orphans), (expected.clone(), Vec::new()), "{told}");
            // It is made smaller the next time, and takes what comes.
            made_smaller(&disk).expect(&told);
            let database = on(disk.clone()).expect(&told);
            let transaction = database.begin_write().unwrap();
            let mut records = Records::new(transaction.open_table(TABLE).unwrap()).unwrap();
            apply(&mut records, &mut ItemId::drive_root(), &file(1_000, 1)).unwrap();
            records.finish().unwrap();
            transaction.commit().unwrap();
            assert_eq!(load(&database).expect(&told).state.base.len(), 202, "{told}");
        }
    }
    assert!(ended < effects / 2, "most stops come before the end: {ended} of {effects} do not");
}

#[test]
fn on_a_full_disk_the_file_stays_as_it_is_and_goes_on_taking_what_there_is_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let content = swollen(folder.path());
    let expected = base(&load(&on(Failing::new(&content, usize::MAX)).unwrap()).unwrap().state);
    let mut refused = 0;
    // Blocks that the file has already, it keeps; there are no others. So what lies in a hole of it cannot be written.
    for room in (content.len() / 8..=content.len()).step_by(16 * 1024) {
        let disk = Failing::with_room(&content, room);
        let told = format!("{room} of {} bytes", content.len());
        match made_smaller(&disk) {
            Ok(()) => {}
            Err(trouble) => {
                assert!(matches!(trouble, Trouble::Full(_)), "{told}: {trouble}");
                refused += 1;
            }
        }
        let left = disk.with(|content| content.now.clone());
        let loaded = load(&on(Failing::new(&left, usize::MAX)).expect(&told)).expect(&told);
        assert_eq!(base(&loaded.state), expected, "{told}");
    }
    assert!(refused > 3, "refused {refused} times");
}

#[test]
fn a_brake_stops_every_effect_while_it_heeds_and_none_after() {
    use redb::StorageBackend;
    let brake = Brake::default();
    let disk = Failing::new(&[0; 16], usize::MAX);
    let file = Braked::new(disk.clone(), &brake);
    let stop = Arc::new(AtomicBool::new(true));
    file.write(0, b"a").unwrap();
    brake.heeds(&stop);
    let refused = [file.write(0, b"b"), file.set_len(8), file.sync_data(), file.read(0, &mut [0])];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    stop.store(false, Ordering::Relaxed);
    file.write(1, b"c").unwrap();
    let large = vec![7; 9 << 20];
    file.set_len(16 << 20).unwrap();
    file.write(16, &large).unwrap();
    assert_eq!(disk.with(|content| content.synced.len()), 16 << 20, "it does not gather more than a little");
    stop.store(true, Ordering::Relaxed);
    brake.heeds_nobody();
    file.write(2, b"d").unwrap();
    assert!(disk.with(|content| content.now.starts_with(b"acd")));
}

#[test]
fn what_a_full_disk_keeps_large_is_told_with_its_file_and_goes_on_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    let mut opened = filled(&path, 5_000);
    for (number, writes) in [0, 1, 40, 200].into_iter().enumerate() {
        opened.store.brake().leave_room(writes);
        assert!(opened.store.is_wasteful());
        let Shrunk::Failed(why) = opened.store.shrink(&Arc::default()) else { panic!("it had room") };
        assert!(why.starts_with(path.to_str().unwrap()) && why.contains("no storage space"), "{why}");
        assert!(!opened.store.is_wasteful(), "it is not tried again at once");
        opened.store.commit(&[file(5_000 + number as u64, 1)]).unwrap();
        drop(opened);
        opened = open(&path).unwrap();
        assert_eq!((opened.state.base.len(), opened.damage.as_ref()), (5_002 + number, None));
    }
    assert_eq!(opened.store.shrink(&Arc::default()), Shrunk::Done, "there is room again");
}
