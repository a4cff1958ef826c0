//! Records of the state, damaged beneath their checksum.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arrivals::{lines_of, read as read_arriving};
use super::bytes::Reader;
use super::former_format::read_child_key_1;
use super::intent::{read_intent, write_intent};
use super::record::{
    base_key, child_key, former_key, read_base, read_base_of, read_child_key, read_former, read_id_key,
    write_base, write_former,
};
use crate::fuzz_tests::fuzz;
use crate::model::state::{Calibration, GuardState, Owner, SetAside};
use crate::model::{
    BaseEntry, Crossing, DiskTime, Etag, Identity, Intent, ItemId, LivedTime, LocalStamp, Presence, RelPath,
    ServerTime, Side, Signature, Upload, Zone,
};

fn stamp(birth: Option<DiskTime>) -> LocalStamp {
    let identity = Identity { inode: 77, birth: birth.into() };
    LocalStamp {
        size: 5,
        mtime: DiskTime(1 << 60),
        ctime: DiskTime(-1),
        identity,
        on_root_fs: true,
        is_mount: false,
    }
}

/// Ids of every form that a record has.
fn ids() -> [ItemId; 4] {
    let uuid = "5EED0000-0000-4000-8000-000000000001";
    let pages = Zone::new("com.apple.Pages");
    [
        ItemId::drive_root(),
        ItemId::new(Zone::CloudDocs, uuid),
        ItemId::new(pages.clone(), uuid),
        ItemId::new(pages, "x"),
    ]
}

/// A key and a payload in one input: a byte that says how long the key is comes first.
fn joined(key: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[key.len() as u8], key, payload].concat()
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some((length, rest)) = bytes.split_first() else { return (b"", b"") };
    rest.split_at(usize::from(*length).min(rest.len()))
}

#[test]
fn base_record() {
    let full = BaseEntry {
        id: ids()[1].clone(),
        folder: false,
        package: true,
        presence: Presence::Both,
        local_name: "M\u{fc}ll".into(),
        remote_name: "Mu\u{308}ll".into(),
        etag: Etag::new("32::2x"),
        remote_size: Some(u64::MAX).into(),
        remote_mtime: Some(ServerTime(-1)).into(),
        stamp: stamp(Some(DiskTime(1))),
        racy: true,
        signature: Some(Signature([7; 20])),
        created_on: Some((Side::Remote, 1)).into(),
        written_at: Some(i64::MIN).into(),
    };
    let bare = BaseEntry { signature: None, stamp: stamp(None), ..BaseEntry::root(ids()[3].clone()) };
    let bare = BaseEntry { local_name: "a".into(), remote_name: "a".into(), ..bare };
    let seeds = [full, bare].map(|entry| joined(&base_key(&entry.id), &write_base(&ids()[2], &entry)));
    fuzz("base_record", seeds, |bytes| {
        let (key, payload) = split(bytes);
        drop(read_base_of(1, key, payload));
        let Ok((parent, entry)) = read_base(key, payload) else { return "damaged".to_owned() };
        let again = read_base(&base_key(&entry.id), &write_base(&parent, &entry))
            .expect("what was written can be read");
        assert_eq!(again, (parent, entry.clone()));
        let marks = [
            entry.folder,
            entry.package,
            entry.racy,
            entry.signature.is_some(),
            entry.local_name == entry.remote_name,
        ];
        format!("{:?} {marks:?} {:?}", entry.presence, entry.created_on.get().map(|(side, _)| side))
    });
}

#[test]
fn intent_record() {
    let [root, uuid, named, text] = ids();
    let path = || RelPath::parse("folder/a.txt").expect("a path");
    let stamp = stamp(Some(DiskTime(5)));
    let upload = |over| Upload {
        document: "D".into(),
        over,
        parent: named.clone(),
        name: "a.txt".into(),
        path: path(),
        stamp,
        signature: Signature([1; 20]),
    };
    let intents = [
        Intent::ReplaceByTrash {
            old: uuid.clone(),
            old_etag: Etag::new("a::b"),
            parent: root.clone(),
            name: "x".into(),
            document: "D".into(),
            path: path(),
            stamp,
            signature: Signature([2; 20]),
        },
        Intent::Place {
            id: text.clone(),
            folder: true,
            from: (root.clone(), "a".into()),
            to: (uuid.clone(), "b".into()),
            temporary: Some("t".into()),
            here: Some("h".into()),
        },
        Intent::TrashFolder {
            id: named.clone(),
            from: (root.clone(), "n".into()),
            planned: vec![uuid.clone()],
        },
        Intent::Trash { ids: vec![uuid.clone(), text.clone()] },
        Intent::TrashHere { items: vec![(uuid.clone(), path(), stamp)] },
        Intent::Upload { files: vec![upload(None), upload(Some((uuid.clone(), Etag::new("1"))))] },
        Intent::MakeFolders {
            parent: root,
            strangers: vec![text],
            folders: vec![("folder".into(), RelPath::parse("folder").expect("a path"), stamp)],
        },
        Intent::TakeOver { old: uuid.clone(), path: path(), stamp },
        Intent::MoveAcross(Crossing {
            id: uuid.clone(),
            etag: Etag::new("a::b"),
            parent: uuid.clone(),
            name: "x".into(),
            from: path(),
            to: path(),
            stamp,
        }),
    ];
    fuzz("intent_record", intents.iter().map(write_intent), |bytes| {
        let Ok(intent) = read_intent(bytes) else { return "damaged".to_owned() };
        assert_eq!(read_intent(&write_intent(&intent)).expect("what was written can be read"), intent);
        format!("{:?}", std::mem::discriminant(&intent))
    });
}

#[test]
fn lines_of_what_is_arriving_are_read_as_they_were_written_or_not_at_all() {
    let line = br#"{"path":"d/a","id":"com.apple.CloudDocs::x","parent":"com.apple.CloudDocs::root","etag":"1::2","name":"a","folder":false,"package":false,"size":1,"mtime":2,"content":null}
"#;
    fuzz("arriving_lines", [line.to_vec(), [&line[..], line].concat()], |bytes| {
        let read = read_arriving(bytes);
        assert_eq!(read_arriving(&*lines_of(&read)), read);
        format!("{}", read.len().min(3))
    });
}

/// Whether that is such a value; what can be read can be stored, and comes back as it was.
fn is_kept<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return false };
    let stored = serde_json::to_vec(&value).expect("it can be stored");
    let back: T = serde_json::from_slice(&stored).expect("what was stored can be read");
    assert_eq!(serde_json::to_vec(&back).expect("it can be stored"), stored);
    true
}

#[test]
fn single_records() {
    let [root, uuid, named, _] = ids();
    let seeds = [
        br#"{"marker":"m","account":"1","directory":"/d","remote_root":"/","root_id":"com.apple.CloudDocs::root"}"#.to_vec(),
        br#"{"held":[{"on":"Local","id":"z::d","path":"a/b","at":5,"version":"2x"}],"verdict":"approved","recent":[{"on":"Remote","at":1}],"overwrites":[1]}"#
            .to_vec(),
        br#"{"reason":"r","attempts":3,"next_try":9223372036854775807,"since":-5}"#.to_vec(),
        br#"{"matches":1,"mismatches":0,"in_place_refused":false}"#.to_vec(),
        serde_json::to_vec(&LivedTime::begin(crate::model::Reading { wall: 5, boot: 7, uptime: std::time::Duration::from_secs(9) })).expect("it can be stored"),
        child_key(&root, &named),
        former_key(&uuid),
        write_former(&[Signature([1; 20]), Signature([2; 20])]),
    ];
    fuzz("single_records", seeds, |bytes| {
        let kept = [
            is_kept::<Owner>(bytes),
            is_kept::<GuardState>(bytes),
            is_kept::<SetAside>(bytes),
            is_kept::<Calibration>(bytes),
            is_kept::<LivedTime>(bytes),
        ];
        if let Ok(mut guard) = serde_json::from_slice::<GuardState>(bytes) {
            guard.list_name();
            guard.settle_verdict();
        }
        if let Ok(aside) = serde_json::from_slice::<SetAside>(bytes) {
            assert!(!(aside.is_due(i64::MIN) && aside.waits(i64::MIN)));
        }
        if let Ok(time) = serde_json::from_slice::<LivedTime>(bytes) {
            let now =
                crate::model::Reading { wall: i64::MAX, boot: 7, uptime: std::time::Duration::from_secs(12) };
            serde_json::to_vec(&time.at(now)).expect("it can be stored");
            let told =
                format!("{} {} {:?}", time.seconds(now), time.least_age(i64::MIN, now), time.reading());
            assert!(!told.is_empty());
        }
        if let Ok(child) = read_child_key(bytes) {
            let key = child_key(&ItemId::drive_root(), &child);
            assert_eq!(read_child_key(&key).expect("it can be read"), child);
        }
        if let Ok(id) = read_id_key(bytes) {
            assert_eq!(read_id_key(&base_key(&id)).expect("it can be read"), id);
        }
        drop(read_child_key_1(bytes));
        if let Ok(former) = read_former(bytes) {
            assert_eq!(write_former(&former), bytes);
        }
        let mut reader = Reader::new(bytes);
        format!("{kept:?} {} {}", read_child_key(bytes).is_ok(), reader.id().is_ok())
    });
}
