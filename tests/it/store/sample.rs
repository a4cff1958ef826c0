//! States for the tests of the store: random ones, and the one of the sample file.

use std::collections::BTreeMap;

use icloudds::model::lived::Span;
use icloudds::model::name::Name;
use icloudds::model::state::{Calibration, CarriedOut, Decided, Deletion, GuardState, Verdict};
use icloudds::model::{
    BaseEntry, Change, Crossing, DiskTime, Durable, Etag, HiddenPlaces, Identity, Intent, ItemId, LivedTime,
    LocalStamp, Mounted, Owner, Presence, RelPath, SeenIn, ServerTime, SetAside, Side, Signature, Upload,
    Zone,
};

use crate::sim::rng::Rng;

/// Whose state it is.
pub fn owner() -> Owner {
    Owner {
        marker: "0123456789abcdef0123456789abcdef".into(),
        account: "17320123456".into(),
        directory: "/home/ann/iCloud".into(),
        remote_root: "/".into(),
        root_id: "com.apple.CloudDocs::root".into(),
    }
}

/// One of the ids, of every form.
pub fn id(number: usize) -> ItemId {
    match number % 4 {
        0 => ItemId::new(Zone::new("com.apple.Pages"), &format!("5EED0000-0000-4000-8000-{number:012X}")),
        1 => ItemId::new(Zone::CloudDocs, &format!("text {number}")),
        _ => ItemId::new(Zone::CloudDocs, &format!("5EED0000-0000-4000-8000-{number:012X}")),
    }
}

fn path(rng: &mut Rng) -> RelPath {
    RelPath::parse(&format!("folder {}/file {}", rng.below(3), rng.below(4))).unwrap()
}

fn time(rng: &mut Rng) -> i64 {
    rng.number() as i64
}

fn stamp(rng: &mut Rng) -> LocalStamp {
    LocalStamp {
        size: rng.number() >> rng.below(64),
        mtime: DiskTime(time(rng)),
        ctime: DiskTime(time(rng)),
        identity: Identity {
            inode: rng.number(),
            birth: rng.chance(0.5).then(|| DiskTime(time(rng))).into(),
        },
        on_root_fs: rng.chance(0.5),
        is_mount: rng.chance(0.1),
    }
}

fn signature(rng: &mut Rng) -> Signature {
    Signature(std::array::from_fn(|_| rng.number() as u8))
}

/// An item with that id, random otherwise.
pub fn entry(rng: &mut Rng, number: usize) -> BaseEntry {
    let local_name: Name = format!("M\u{fc}ll {}", rng.below(100)).into();
    let remote_name = if rng.chance(0.5) { local_name.clone() } else { "Mu\u{308}ll".into() };
    let presence = [Presence::Both, Presence::LocalOnly, Presence::RemoteOnly][rng.below(3)];
    let side = [Side::Local, Side::Remote][rng.below(2)];
    BaseEntry {
        id: id(number),
        folder: rng.chance(0.5),
        package: rng.chance(0.5),
        presence,
        local_name,
        remote_name,
        etag: Etag::new(&format!("{:x}::{}", rng.below(999), rng.below(9))),
        remote_size: rng.chance(0.5).then(|| rng.number()).into(),
        remote_mtime: rng.chance(0.5).then(|| ServerTime(time(rng))).into(),
        stamp: stamp(rng),
        racy: rng.chance(0.5),
        signature: rng.chance(0.5).then(|| signature(rng)),
        created_on: rng.chance(0.5).then(|| (side, time(rng))).into(),
        written_at: rng.chance(0.5).then(|| time(rng)).into(),
    }
}

fn intent(rng: &mut Rng) -> Intent {
    let place = |rng: &mut Rng| (id(rng.below(9)), "name".into());
    match rng.below(9) {
        0 => Intent::ReplaceByTrash {
            old: id(rng.below(9)),
            old_etag: Etag::new("a::b"),
            parent: id(rng.below(9)),
            name: "x.txt".into(),
            document: "D".into(),
            path: path(rng),
            stamp: stamp(rng),
            signature: signature(rng),
        },
        1 => Intent::Place {
            id: id(rng.below(9)),
            folder: rng.chance(0.5),
            from: place(rng),
            to: place(rng),
            temporary: rng.chance(0.5).then(|| "temporary".into()),
            here: rng.chance(0.5).then(|| "here".into()),
        },
        2 => Intent::TrashFolder {
            id: id(rng.below(9)),
            from: place(rng),
            planned: (0..rng.below(5)).map(id).collect(),
        },
        3 => Intent::Trash { ids: (0..rng.below(5)).map(id).collect() },
        4 => Intent::TrashHere {
            items: (0..rng.below(5)).map(|number| (id(number), path(rng), stamp(rng))).collect(),
        },
        5 => Intent::Upload { files: (0..rng.below(5)).map(|_| upload(rng)).collect() },
        6 => Intent::MakeFolders {
            parent: id(rng.below(9)),
            strangers: (0..rng.below(5)).map(id).collect(),
            folders: (0..rng.below(5)).map(|_| ("name".into(), path(rng), stamp(rng))).collect(),
        },
        7 => Intent::MoveAcross(Crossing {
            id: id(rng.below(9)),
            etag: Etag::new("a::b"),
            parent: id(rng.below(9)),
            name: "x.txt".into(),
            from: path(rng),
            to: path(rng),
            stamp: stamp(rng),
        }),
        _ => Intent::TakeOver { old: id(rng.below(9)), path: path(rng), stamp: stamp(rng) },
    }
}

fn upload(rng: &mut Rng) -> Upload {
    Upload {
        document: "D".into(),
        over: rng.chance(0.5).then(|| (id(rng.below(9)), Etag::new("a::b"))),
        parent: id(rng.below(9)),
        name: "x.txt".into(),
        path: path(rng),
        stamp: stamp(rng),
        signature: signature(rng),
    }
}

fn deletion(rng: &mut Rng) -> Deletion {
    Deletion {
        on: Side::Remote,
        id: id(rng.below(9)).to_string(),
        path: path(rng).to_string(),
        at: time(rng),
        version: ["", "v1"][rng.below(2)].into(),
    }
}

fn carried_out(rng: &mut Rng) -> CarriedOut {
    CarriedOut { on: Side::Local, at: time(rng), count: rng.below(900) as u64 }
}

fn hidden(rng: &mut Rng) -> HiddenPlaces {
    let places: BTreeMap<_, _> =
        (0..rng.below(3)).map(|number| (id(number).to_string(), time(rng))).collect();
    serde_json::from_value(serde_json::json!(places)).unwrap()
}

fn lived(rng: &mut Rng) -> LivedTime {
    LivedTime {
        lived: time(rng),
        wall: time(rng),
        boot: rng.number(),
        uptime: time(rng),
        spans: (0..rng.below(3))
            .map(|_| Span { from: time(rng), to: time(rng), least: time(rng), most: time(rng) })
            .collect(),
    }
}

/// Any change, most often of the base; ids and folders from a small set, so that they meet.
pub fn change(rng: &mut Rng) -> Change {
    match rng.below(24) {
        0 => Change::Begin(rng.below(4) as u64, intent(rng)),
        1 => Change::End(rng.below(4) as u64),
        2 => Change::SetAside(
            path(rng),
            rng.chance(0.6).then(|| SetAside {
                reason: "the name is too long".into(),
                attempts: 3,
                next_try: rng.chance(0.5).then(|| time(rng)),
                since: time(rng),
            }),
        ),
        3 => Change::LocalOnly(path(rng), rng.chance(0.6)),
        4 => Change::Guard(GuardState {
            held: (0..rng.below(3)).map(|_| deletion(rng)).collect(),
            verdict: rng.chance(0.5).then_some(Verdict::Approved),
            decided: (0..rng.below(3))
                .map(|_| Decided { verdict: Verdict::Rejected, deletion: deletion(rng) })
                .collect(),
            recent: (0..rng.below(3)).map(|_| carried_out(rng)).collect(),
            overwrites: (0..rng.below(3)).map(|_| time(rng)).collect(),
        }),
        5 => Change::Calibration(Calibration {
            matches: rng.below(9) as u32,
            mismatches: 0,
            in_place_refused: rng.chance(0.5),
        }),
        6 if rng.chance(0.3) => Change::Lent(
            (0..rng.below(3))
                .map(|number| (id(number).to_string(), ("name".to_owned(), time(rng))))
                .collect(),
        ),
        6 if rng.chance(0.3) => Change::WentBack(
            (0..rng.below(3)).map(|number| (id(number).to_string(), "9".to_owned())).collect(),
        ),
        6 if rng.chance(0.3) => Change::SeenIn(SeenIn {
            root: Identity {
                inode: rng.number() >> 1,
                birth: rng.chance(0.5).then(|| DiskTime(time(rng))).into(),
            },
            unseen: (0..rng.below(3)).map(id).collect(),
        }),
        6 if rng.chance(0.3) => Change::Mounted(Mounted {
            boot: rng.number(),
            started: time(rng),
            mounts: (0..rng.below(3)).map(|_| rng.number()).collect(),
            durable: rng.chance(0.5).then(|| Durable { until: time(rng), lived: time(rng) }),
            hidden: hidden(rng),
            hidden_since: rng.chance(0.5).then(|| time(rng)),
            unread: (0..rng.below(3)).map(|number| id(number).to_string()).collect(),
        }),
        6 => Change::Synced(time(rng)),
        12 if rng.chance(0.3) => {
            Change::MayComeLate((0..rng.below(3)).map(|_| (upload(rng), time(rng))).collect())
        }
        12 if rng.chance(0.5) => Change::Confirmed(time(rng)),
        13 if rng.chance(0.5) => Change::Time(lived(rng)),
        7 | 8 => Change::Remove(id(rng.below(24))),
        9 => Change::Presence(id(rng.below(24)), Presence::RemoteOnly),
        11 => Change::Inherit { heir: id(rng.below(24)), of: id(rng.below(24)) },
        10 if rng.chance(0.05) => Change::Owner(Owner { account: rng.number().to_string(), ..owner() }),
        _ => {
            let parent = if rng.chance(0.3) { ItemId::drive_root() } else { id(rng.below(24)) };
            let number = rng.below(24);
            Change::Put { parent, entry: Box::new(entry(rng, number)) }
        }
    }
}

/// What the sample file of format 1 holds: every kind of record, every field once set and once
/// not. Never changed, as the file is not.
pub fn sample() -> Vec<Change> {
    let full = BaseEntry {
        id: ItemId::new(Zone::new("com.apple.Pages"), "5EED0000-0000-4000-8000-00000000000A"),
        folder: false,
        package: true,
        presence: Presence::Both,
        local_name: "M\u{fc}ll.pages".into(),
        remote_name: "Mu\u{308}ll.pages".into(),
        etag: Etag::new("32::2x"),
        remote_size: Some(5_000_000_000).into(),
        remote_mtime: Some(ServerTime(-1)).into(),
        stamp: LocalStamp {
            size: 5_000_000_001,
            mtime: DiskTime(-5),
            ctime: DiskTime(1_800_000_000_123_456_789),
            identity: Identity { inode: u64::MAX, birth: Some(DiskTime(7)).into() },
            on_root_fs: true,
            is_mount: false,
        },
        racy: true,
        signature: Some(Signature([7; 20])),
        created_on: Some((Side::Remote, 1_800_000_000)).into(),
        written_at: Some(1_800_000_001).into(),
    };
    let plain = |doc: &str, name: &str| BaseEntry {
        local_name: name.into(),
        remote_name: name.into(),
        racy: false,
        ..BaseEntry::root(ItemId::new(Zone::CloudDocs, doc))
    };
    let put =
        |parent: &ItemId, entry: BaseEntry| Change::Put { parent: parent.clone(), entry: Box::new(entry) };
    let root = ItemId::drive_root();
    let library = ItemId::new(Zone::new("com.apple.Pages"), "documents");
    let kept = BaseEntry { created_on: Some((Side::Local, 3)).into(), ..plain("lower-case", "kept here") };
    let path = |text| RelPath::parse(text).unwrap();
    let (old, parent) = (full.id.clone(), library.clone());
    let set_aside = SetAside { reason: "too large".into(), attempts: 2, next_try: Some(9), since: 1 };
    let held = Deletion {
        on: Side::Local,
        id: "zone::doc".into(),
        path: "a/b".into(),
        at: 4,
        version: String::new(),
    };
    vec![
        Change::Owner(owner()),
        put(&root, BaseEntry { id: library.clone(), ..plain("", "Pages") }),
        put(&library, full.clone()),
        put(&root, kept.clone()),
        Change::Presence(kept.id.clone(), Presence::LocalOnly),
        put(&kept.id, plain("5EED0000-0000-4000-8000-00000000000B", "inner")),
        put(&root, plain("gone", "gone")),
        Change::Presence(library.clone(), Presence::RemoteOnly),
        Change::Remove(plain("gone", "").id),
        Change::Begin(
            1,
            Intent::ReplaceByTrash {
                old,
                old_etag: Etag::new("a::b"),
                parent,
                name: "x.txt".into(),
                document: "D".into(),
                path: path("a/x.txt"),
                stamp: full.stamp,
                signature: Signature([9; 20]),
            },
        ),
        Change::Begin(
            u64::MAX,
            Intent::Place {
                id: full.id.clone(),
                folder: true,
                from: (root.clone(), "from".into()),
                to: (library.clone(), "to".into()),
                temporary: Some("between".into()),
                here: None,
            },
        ),
        Change::Begin(
            3,
            Intent::TrashFolder {
                id: library,
                from: (root, "Pages".into()),
                planned: vec![full.id, kept.id],
            },
        ),
        Change::SetAside(path("large.bin"), Some(set_aside)),
        Change::LocalOnly(path("copy.pages"), true),
        Change::Guard(GuardState {
            // The first version stored each deletion, with what it was.
            recent: vec![CarriedOut { on: held.on, at: held.at, count: 1 }],
            held: vec![held],
            verdict: Some(Verdict::Rejected),
            overwrites: vec![5, 6],
            ..GuardState::default()
        }),
        Change::Calibration(Calibration { matches: 3, mismatches: 1, in_place_refused: true }),
        Change::Synced(1_800_000_002),
    ]
}
