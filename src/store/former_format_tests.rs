//! The way from the former format: however it is gone, and wherever it breaks off.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable};

use super::brake::Brake;
use super::bytes::Writer;
use super::error::{OpenError, Trouble};
use super::failing::{Failing, on};
use super::file::open_database;
use super::load::load;
use super::record::kind;
use super::table::{Records, TABLE};
use crate::model::{BaseEntry, ItemId, Node, State, Zone};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/state/v1.redb");

/// The kinds of the records of a file.
fn kinds(database: &Database) -> String {
    let table = database.begin_read().unwrap().open_table(TABLE).unwrap();
    let records = table.iter().unwrap().map(Result::unwrap);
    records.map(|(key, _)| char::from(key.value()[0])).collect()
}

#[test]
fn all_is_carried_over_and_the_same_state_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb");
    std::fs::copy(GOLDEN, &path).unwrap();
    let database = open_database(&path, &Brake::default()).unwrap();
    let before = kinds(&database);
    let carried = load(&database).unwrap();
    let expected = before.replace(['b', 'c'], "");
    assert_eq!(kinds(&database), format!("aaaadddd{expected}"), "{before}");
    let loaded = load(&database).unwrap();
    assert_eq!((loaded.state.base.len(), loaded.commits), (5, carried.commits));
    assert_eq!(base(&loaded.state), base(&carried.state));
    assert!(loaded.orphans.is_empty() && carried.orphans.is_empty());
}

/// A file of format 1 with a hundred items, which takes many pages.
fn former_file(folder: &Path) -> Vec<u8> {
    former_file_of(folder, 100)
}

/// A file of format 1 with the items of the golden file, and so many like one of them, whose ids come in no order.
fn former_file_of(folder: &Path, items: u64) -> Vec<u8> {
    let path = folder.join("former.redb");
    std::fs::copy(GOLDEN, &path).unwrap();
    let database = open_database(&path, &Brake::default()).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut records = Records::new(transaction.open_table(TABLE).unwrap()).unwrap();
    let key = |kind, ids: &[&ItemId]| {
        let mut writer = Writer(vec![kind]);
        ids.iter().for_each(|id| writer.id(id));
        writer.0
    };
    let like = key(kind::BASE_1, &[&ItemId::new(Zone::CloudDocs, "lower-case")]);
    let payload = records.get(&like).unwrap().unwrap();
    let at = payload.windows(9).position(|part| part == b"kept here").unwrap();
    for number in 0..items {
        let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        let id =
            ItemId::new(Zone::CloudDocs, &format!("{:08X}-0000-4000-8000-{number:012X}", scattered >> 16));
        let mut payload = payload.clone();
        payload[at..at + 9].copy_from_slice(format!("file {number:04}").as_bytes());
        records.put(&key(kind::BASE_1, &[&id]), &payload).unwrap();
        records.put(&key(kind::CHILD_1, &[&ItemId::drive_root(), &id]), &[]).unwrap();
    }
    records.finish().unwrap();
    transaction.commit().unwrap();
    drop(database);
    std::fs::read(&path).unwrap()
}

fn base(state: &State) -> Vec<(String, BaseEntry)> {
    let tree = &state.base;
    tree.walk(Node::ROOT).map(|node| (tree.path(node).to_string(), tree.get(node).to_entry())).collect()
}

/// What a carrying over made of the disk, which took so many effects; whether it came to its end.
fn carried_over(content: &[u8], effects: usize) -> (Failing, bool) {
    let disk = Failing::new(content, effects);
    let result = on(disk.clone()).and_then(|database| load(&database).map(drop));
    if let Err(trouble) = &result {
        assert!(matches!(trouble, Trouble::Full(_)), "after {effects} effects: {trouble}");
    }
    (disk, result.is_ok())
}

#[test]
fn wherever_the_way_to_the_new_format_breaks_off_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let former = former_file(folder.path());
    let (disk, whole) = carried_over(&former, usize::MAX);
    let effects = disk.with(|content| content.done);
    assert!(whole && effects > 50, "{effects} effects");
    let mut expected = None;
    let mut ended = 0;
    for stop in 0..=effects {
        let (disk, whole) = carried_over(&former, stop);
        ended += usize::from(whole);
        let (now, synced) = disk.with(|content| (content.now.clone(), content.synced.clone()));
        for (after, content) in [("a kill", now), ("a power cut", synced)] {
            let told = format!("{after} after {stop} of {effects} effects");
            let database = on(Failing::new(&content, usize::MAX)).expect(&told);
            let loaded = load(&database).expect(&told);
            assert_eq!(loaded.orphans, Vec::new(), "{told}");
            let state = (base(&loaded.state), loaded.state.intents, loaded.state.guard);
            assert_eq!(state.0.len(), 105, "{told}");
            assert_eq!(&state, expected.get_or_insert_with(|| state.clone()), "{told}");
            assert!(!kinds(&database).contains(['b', 'c']), "{told}");
        }
    }
    assert!(ended < effects / 2, "most stops come before the end: {ended} of {effects} do not");
}

#[test]
fn a_disk_too_full_for_the_new_format_leaves_the_former_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let former = former_file(folder.path());
    let path = folder.path().join("former.redb");
    let (disk, _) = carried_over(&former, usize::MAX);
    let needed = disk.with(|content| content.now.len());
    let whole = load(&on(Failing::new(&former, usize::MAX)).unwrap()).unwrap();
    let before = kinds(&on(Failing::new(&former, usize::MAX)).unwrap());
    let mut refused = 0;
    for room in (former.len()..=needed).step_by(4096) {
        let disk = Failing::with_room(&former, room);
        match on(disk.clone()).and_then(|database| load(&database).map(drop)) {
            Ok(()) => {}
            Err(trouble) => {
                let error = trouble.at(&path);
                assert!(matches!(error, OpenError::Full { .. }), "{room} bytes: {error}");
                let told = error.to_string();
                assert!(
                    told.contains(path.to_str().unwrap())
                        && told.contains("make room there, 4 MB are enough"),
                    "{told}"
                );
                let left = disk.with(|content| content.now.clone());
                let database = on(Failing::new(&left, usize::MAX)).unwrap();
                assert_eq!(kinds(&database), before, "{room} bytes: the file is of the former format");
                assert_eq!(
                    base(&load(&database).unwrap().state),
                    base(&whole.state),
                    "{room} bytes, then room"
                );
                refused += 1;
            }
        }
    }
    assert!(
        refused > 3,
        "a file of {} bytes is written anew in {needed}: refused {refused} times",
        former.len()
    );
}

#[test]
fn pages_are_as_full_after_the_way_to_the_new_format_as_when_items_came_by_and_by() {
    let folder = tempfile::tempdir().unwrap();
    let former = former_file_of(folder.path(), 5_000);
    let mut database = on(Failing::new(&former, usize::MAX)).unwrap();
    assert_eq!(load(&database).unwrap().state.base.len(), 5_005);
    // Pages of the former format are free, and count as empty, until then.
    database.compact().unwrap();
    let stats = database.begin_write().unwrap().stats().unwrap();
    let (stored, empty) = (stats.stored_bytes(), stats.fragmented_bytes());
    assert!(empty * 100 < stored * 75, "{empty} bytes are empty beside {stored}");
}
