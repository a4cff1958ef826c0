//! Files of format 1, written here by what `docs/state-format.md` says of it alone, are carried over whole.

use std::path::Path;

use icloudds::model::{BaseEntry, ItemId, Presence, Side, State};
use icloudds::store::open;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{TABLE, assert_same, base, records, written};
use crate::sim::rng::Rng;

fn number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn signed(to: &mut Vec<u8>, value: i64) {
    number(to, ((value << 1) ^ (value >> 63)) as u64);
}

fn text(to: &mut Vec<u8>, text: &str) {
    number(to, text.len() as u64);
    to.extend(text.as_bytes());
}

fn id(to: &mut Vec<u8>, id: &ItemId) {
    let uuid = id.uuid();
    let zone = id.zone().as_str();
    let named = zone != "com.apple.CloudDocs";
    to.push(u8::from(uuid.is_some()) + 2 * u8::from(named));
    if named {
        text(to, zone);
    }
    match uuid {
        Some(bytes) => to.extend(bytes),
        None => text(to, &id.doc()),
    }
}

fn item(folder: &ItemId, entry: &BaseEntry) -> Vec<u8> {
    let mut to = Vec::new();
    let created = entry.created_on.get();
    let birth = entry.stamp.identity.birth.get();
    let flags = [
        entry.folder,
        entry.package,
        entry.presence == Presence::LocalOnly,
        entry.presence == Presence::RemoteOnly,
        entry.racy,
        entry.remote_name != entry.local_name,
        entry.remote_size.get().is_some(),
        entry.remote_mtime.get().is_some(),
        entry.signature.is_some(),
        created.is_some_and(|(side, _)| side == Side::Local),
        created.is_some_and(|(side, _)| side == Side::Remote),
        entry.written_at.get().is_some(),
    ];
    number(&mut to, flags.into_iter().rev().fold(0, |flags, flag| flags << 1 | u64::from(flag)));
    id(&mut to, folder);
    text(&mut to, &entry.local_name);
    if entry.remote_name != entry.local_name {
        text(&mut to, &entry.remote_name);
    }
    text(&mut to, entry.etag.as_str());
    entry.remote_size.get().into_iter().for_each(|size| number(&mut to, size));
    entry.remote_mtime.get().into_iter().for_each(|time| signed(&mut to, time.0));
    let stamp = &entry.stamp;
    to.push(u8::from(stamp.on_root_fs) + 2 * u8::from(birth.is_some()) + 4 * u8::from(stamp.is_mount));
    number(&mut to, stamp.size);
    to.extend(stamp.mtime.0.to_le_bytes());
    to.extend(stamp.ctime.0.to_le_bytes());
    number(&mut to, stamp.identity.inode);
    birth.into_iter().for_each(|birth| to.extend(birth.0.to_le_bytes()));
    entry.signature.iter().for_each(|signature| to.extend(signature.0));
    created.into_iter().for_each(|(_, at)| signed(&mut to, at));
    entry.written_at.get().into_iter().for_each(|at| signed(&mut to, at));
    to
}

/// Writes the state of a file of the newest format as format 1 had it.
fn carry_back(file: &Path, state: &State) {
    let mut all: Vec<_> = records(file).into_iter().filter(|(key, _)| !b"adft".contains(&key[0])).collect();
    let mut add = |key: Vec<u8>, payload: &[u8]| {
        let sum = Sha256::digest([&(key.len() as u32).to_be_bytes(), &*key, payload].concat());
        all.push((key, [&sum[..8], payload].concat()));
    };
    for (own, (folder, entry)) in &base(state) {
        let mut key = vec![b'b'];
        id(&mut key, own);
        add(key, &item(folder, entry));
        let mut link = vec![b'c'];
        id(&mut link, folder);
        id(&mut link, own);
        add(link, &[]);
    }
    let sums = all.iter().map(|(_, value)| u64::from_be_bytes(value[..8].try_into().unwrap()));
    let (count, sum) = (all.len() as u64, sums.fold(0, u64::wrapping_add));
    let mut add = |key: &[u8], numbers: &[u64]| {
        let mut payload = Vec::new();
        numbers.iter().for_each(|value| number(&mut payload, *value));
        let sum = Sha256::digest([&(key.len() as u32).to_be_bytes(), key, &payload].concat());
        all.push((key.to_vec(), [&sum[..8], &payload].concat()));
    };
    add(b"t", &[count, sum, 77]);
    add(b"f", &[1]);
    std::fs::remove_file(file).unwrap();
    let database = redb::Database::create(file).unwrap();
    let writing = database.begin_write().unwrap();
    let mut table = writing.open_table(TABLE).unwrap();
    for (key, value) in &all {
        table.insert(key.as_slice(), value.as_slice()).unwrap();
    }
    drop(table);
    writing.commit().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_state_of_format_1_is_carried_over(seed: u64, groups in 1_usize..20) {
        let folder = tempfile::tempdir().unwrap();
        let (file, state) = written(&mut Rng::new(seed), groups, folder.path());
        carry_back(&file, &state);
        for _ in 0..2 {
            let opened = open(&file).unwrap();
            assert_eq!((opened.damage, opened.dropped), (None, Vec::new()));
            assert_same(&opened.state, &state);
            drop(opened.store);
            let kinds: String = records(&file).iter().map(|(key, _)| char::from(key[0])).collect();
            assert!(!kinds.contains(['b', 'c']), "{kinds}");
        }
    }
}
