//! The state on disk: what is written is read again, and what is damaged never gets in.

mod former;
mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use icloudds::engine::ports::Store;
use icloudds::model::{BaseEntry, Change, ItemId, LivedTime, Node, Owner, State};
use icloudds::store::{FORMAT, OpenError, open, reset};
use proptest::prelude::*;
use redb::{ReadableDatabase, ReadableTable};
use sha2::{Digest, Sha256};

use crate::sim::rng::Rng;
use sample::{change, entry, id, owner, sample};

/// The base as plain data: each item with its folder.
fn base(state: &State) -> BTreeMap<ItemId, (ItemId, BaseEntry)> {
    let tree = &state.base;
    let below = tree.walk(Node::ROOT).filter(|node| *node != Node::ROOT);
    let items = below.map(|node| {
        let entry = tree.get(node).to_entry();
        assert_eq!(tree.name(node), &*entry.local_name);
        let parent = tree.parent(node).map(|parent| tree.get(parent).remote.id.clone()).unwrap();
        (entry.id.clone(), (parent, entry))
    });
    items.collect()
}

fn assert_same(a: &State, b: &State) {
    assert_eq!(base(a), base(b));
    assert_eq!(a.base.get(Node::ROOT), b.base.get(Node::ROOT));
    assert_eq!(a.owner, b.owner);
    assert_eq!(a.intents, b.intents);
    assert_eq!(a.set_aside, b.set_aside);
    assert_eq!(a.local_only, b.local_only);
    assert_eq!(a.guard, b.guard);
    assert_eq!(a.calibration, b.calibration);
    assert_eq!(a.last_sync, b.last_sync);
    assert_eq!(a.lent, b.lent);
    assert_eq!(a.went_back, b.went_back);
    assert_eq!(a.mounted, b.mounted);
    assert_eq!(a.seen_in, b.seen_in);
    assert_eq!(a.former, b.former);
    assert_eq!(a.calls, b.calls);
    assert_eq!(a.time, b.time);
}

/// A state after some groups of changes, and the file that holds it.
fn written(rng: &mut Rng, groups: usize, folder: &Path) -> (PathBuf, State) {
    let file = folder.join("state.redb");
    let mut opened = open(&file).unwrap();
    let mut state = State::empty();
    let mut first = vec![Change::Owner(owner())];
    for _ in 0..groups {
        let mut group = std::mem::take(&mut first);
        group.extend((0..rng.below(20)).map(|_| change(rng)));
        for change in &group {
            state.apply(change);
        }
        opened.store.commit(&group).unwrap();
    }
    (file, state)
}

#[test]
fn another_owner_leaves_nothing_but_the_time_that_was_lived_through() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    let mut opened = open(&file).unwrap();
    let time = LivedTime { lived: 5, wall: 6, boot: 7, uptime: 8, spans: Vec::new() };
    let groups = [
        vec![Change::Owner(owner()), Change::Synced(4), Change::Time(time.clone())],
        vec![Change::Owner(Owner { account: "another".into(), ..owner() })],
    ];
    let mut state = State::empty();
    for group in &groups {
        group.iter().for_each(|change| assert!(state.apply(change)));
        opened.store.commit(group).unwrap();
    }
    drop(opened);
    let opened = open(&file).unwrap();
    assert_eq!((&opened.state.time, opened.state.last_sync), (&Some(time), None));
    assert_same(&opened.state, &state);
}

fn damaged_files(folder: &Path) -> usize {
    let all = std::fs::read_dir(folder).unwrap();
    all.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().contains(".damaged-")).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_committed_is_loaded(seed: u64, groups in 1_usize..12) {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = written(&mut Rng::new(seed), groups, folder.path());
        let opened = open(&file).unwrap();
        assert_eq!((opened.damage, opened.dropped), (None, Vec::new()));
        assert_same(&opened.state, &state);
    }

    #[test]
    fn no_flipped_bit_gets_a_wrong_word_in(seed: u64, flips in proptest::collection::vec((any::<u64>(), 0_u8..8), 1..12)) {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = written(&mut Rng::new(seed), 8, folder.path());
        let mut bytes = std::fs::read(&file).unwrap();
        // Most of a small file is empty: aim at what is not.
        let used: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for (at, bit) in flips {
            bytes[used[(at % used.len() as u64) as usize]] ^= 1_u8 << bit;
        }
        std::fs::write(&file, bytes).unwrap();
        match open(&file) {
            Ok(opened) if opened.damage.is_some() => {
                assert_same(&opened.state, &State::empty());
                assert_eq!(damaged_files(folder.path()), 1);
            }
            Ok(opened) => assert_same(&opened.state, &state),
            // Bits of the file's own version may say that it is not ours to judge; then it stays.
            Err(OpenError::Io { .. }) => assert!(file.exists()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_begins_anew_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = written(&mut Rng::new(5), 8, folder.path());
    let bytes = std::fs::read(&file).unwrap();
    for part in 1..16 {
        std::fs::write(&file, &bytes[..bytes.len() * part / 16]).unwrap();
        let opened = open(&file).unwrap();
        let damage = opened.damage.expect("a cut is noticed");
        assert!(damage.moved_to.exists());
        assert!(opened.state.base.is_empty());
    }
    assert_eq!(damaged_files(folder.path()), 15, "no damaged file takes another's place");
}

#[test]
fn what_is_no_database_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    std::fs::write(&file, b"something else").unwrap();
    let mut opened = open(&file).unwrap();
    assert_eq!(std::fs::read(opened.damage.unwrap().moved_to).unwrap(), b"something else");
    opened.store.commit(&[Change::Synced(7)]).unwrap();
    drop(opened.store);
    assert_eq!(open(&file).unwrap().state.last_sync, Some(7));
}

#[test]
fn a_second_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    let first = open(&file).unwrap();
    assert!(matches!(open(&file), Err(OpenError::InUse { .. })));
    assert!(matches!(reset(&file), Err(OpenError::InUse { .. })));
    drop(first);
    reset(&file).unwrap();
    assert!(!file.exists());
    reset(&file).unwrap();
}

#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    drop(open(&file).unwrap());
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&file).unwrap());
    assert_eq!(mode(), 0o600);
}

const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("icloudds");

/// All raw records of the file, by their keys.
fn records(file: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let database = redb::Database::open(file).unwrap();
    let table = database.begin_read().unwrap().open_table(TABLE).unwrap();
    let all = table.iter().unwrap().map(Result::unwrap);
    all.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
}

/// Changes one raw record of the file, by the documented layout.
fn tamper(file: &Path, key: &[u8], payload: Option<&[u8]>) {
    let database = redb::Database::open(file).unwrap();
    let writing = database.begin_write().unwrap();
    let mut table = writing.open_table(TABLE).unwrap();
    match payload {
        Some(payload) => {
            let length = (key.len() as u32).to_be_bytes();
            let sum = Sha256::digest([&length, key, payload].concat());
            table.insert(key, [&sum[..8], payload].concat().as_slice()).unwrap();
        }
        None => assert!(table.remove(key).unwrap().is_some()),
    }
    drop(table);
    writing.commit().unwrap();
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = written(&mut Rng::new(1), 2, folder.path());
    tamper(&file, b"f", Some(&[FORMAT as u8 + 1, 0xff, 0xff]));
    let error = open(&file).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found, .. } if found == FORMAT + 1), "{error}");
    assert!(error.to_string().contains("newer icloudds"));
    assert!(file.exists());
    assert_eq!(damaged_files(folder.path()), 0);
}

#[test]
fn a_record_that_vanished_or_lost_its_checksum_is_damage() {
    for payload in [None, Some(b"{}".as_slice())] {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = written(&mut Rng::new(1), 2, folder.path());
        tamper(&file, b"mowner", payload);
        assert!(open(&file).unwrap().damage.is_some(), "{payload:?}");
    }
}

#[test]
fn a_flipped_bit_that_the_database_does_not_see_is_damage_in_every_record() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = written(&mut Rng::new(5), 8, folder.path());
    let sound = std::fs::read(&file).unwrap();
    let records = records(&file);
    assert!(records.len() > 10);
    for (number, (mut key, mut value)) in records.into_iter().enumerate() {
        std::fs::write(&file, &sound).unwrap();
        let database = redb::Database::open(&file).unwrap();
        let writing = database.begin_write().unwrap();
        let mut table = writing.open_table(TABLE).unwrap();
        // A record without a value is what its key says.
        let at = if value.is_empty() { key.len() - 1 - number % 9 } else { number % value.len() };
        if value.is_empty() {
            table.remove(key.as_slice()).unwrap();
        }
        *value.get_mut(at).unwrap_or_else(|| &mut key[at]) ^= 1 << (number % 8);
        table.insert(key.as_slice(), value.as_slice()).unwrap();
        drop(table);
        writing.commit().unwrap();
        drop(database);
        assert!(open(&file).unwrap().damage.is_some(), "{}", key.escape_ascii());
    }
}

#[test]
fn an_item_without_its_folder_is_dropped_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    let mut opened = open(&file).unwrap();
    let rng = &mut Rng::new(2);
    let put = |parent, entry| Change::Put { parent, entry: Box::new(entry) };
    let group = [
        Change::Owner(owner()),
        put(ItemId::drive_root(), entry(rng, 2)),
        put(id(2), entry(rng, 3)),
        put(ItemId::drive_root(), entry(rng, 6)),
    ];
    opened.store.commit(&group).unwrap();
    drop(opened);
    // The folder's record turns into that of another item, checksums and tally in order.
    orphan(&file);
    let opened = open(&file).unwrap();
    assert_eq!(opened.dropped, [id(3).to_string()]);
    assert_eq!(base(&opened.state).into_keys().collect::<Vec<_>>(), [id(6)]);
    drop(opened);
    assert!(open(&file).unwrap().dropped.is_empty());
}

/// Takes the folder 2 and its link out, and lets the tally agree.
fn orphan(file: &Path) {
    let doc =
        |number: u8| [&[1, 0x5e, 0xed, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0][..], &[number]].concat();
    tamper(file, &[b"a".as_slice(), &doc(2)].concat(), None);
    let root = &Sha256::digest(b"\0\x04root")[..8];
    tamper(file, &[b"d".as_slice(), root, &doc(2)].concat(), None);
    let (mut count, mut sum) = (0_u64, 0_u64);
    for (key, value) in records(file) {
        if !matches!(&*key, b"f" | b"t") {
            count += 1;
            let of_bare = Sha256::digest([&(key.len() as u32).to_be_bytes(), &*key].concat());
            let stored = if key[0] == b'd' { &*of_bare } else { &*value };
            sum = sum.wrapping_add(u64::from_be_bytes(stored[..8].try_into().unwrap()));
        }
    }
    let number = |mut number: u64| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    tamper(file, b"t", Some(&[number(count), number(sum), number(9)].concat()));
}

#[test]
fn a_file_of_each_format_is_read_and_goes_on_as_the_newest() {
    for format in 1..=FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.redb");
        let golden = format!("tests/it/golden/state/v{format}.redb");
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(golden), &file).unwrap();
        let mut state = State::empty();
        for change in sample() {
            state.apply(&change);
        }
        assert_eq!((state.base.len(), state.intents.len()), (5, 3));
        let mut opened = open(&file).unwrap();
        assert_eq!((opened.damage, opened.dropped), (None, Vec::new()));
        assert_same(&opened.state, &state);
        opened.store.commit(&[Change::Synced(9)]).unwrap();
        drop(opened.store);
        let kinds: String = records(&file).iter().map(|(key, _)| char::from(key[0])).collect();
        assert!(kinds.starts_with("aaaadddd") && !kinds.contains(['b', 'c']), "{kinds}");
        let again = open(&file).unwrap();
        state.last_sync = Some(9);
        assert_eq!((again.damage, again.dropped), (None, Vec::new()));
        assert_same(&again.state, &state);
    }
}
