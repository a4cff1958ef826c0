//! Recognising again by what differs says the same as recognising everything.

use super::*;
use crate::model::RelPath;
use std::sync::Arc;

/// Changes of a base and a disk.
type Step = fn(&mut Both);

fn item(both: &Both, path: &str) -> Node {
    both.base.find(&RelPath::parse(path).unwrap()).unwrap()
}

fn new_item(both: &mut Both, path: &str, inode: u64) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let at = item(both, folder);
    let id = ItemId::new(Zone::CloudDocs, path);
    let entry = BaseEntry { id, local_name: name.into(), ..agreed(stamp(10, 1000, 1000, inode)) };
    both.base.insert(at, name, entry);
}

const STEPS: [(&str, Step); 15] = [
    ("nothing", |_| {}),
    ("a new file here", |both| both.put("h", false, stamp(1, 1, 1, 40))),
    ("a new file in a folder", |both| both.put("d/h", false, stamp(1, 1, 1, 41))),
    ("an edit", |both| {
        let g = both.node("g");
        both.local.get_mut(g).stamp = stamp(12, 5, 5, 4);
    }),
    ("a file that must be read", |both| {
        let g = both.node("g");
        both.local.get_mut(g).stamp = stamp(10, 5, 5, 4);
    }),
    ("a rename", |both| both.rename("g", "x")),
    ("a folder is renamed", |both| both.rename("d", "e")),
    ("a file leaves its folder", |both| both.rename("d/f", "y")),
    ("a deletion", |both| drop(both.local.remove(both.node("g")))),
    ("a folder is deleted", |both| drop(both.local.remove(both.node("d")))),
    ("an editor replaces a file", |both| {
        both.local.remove(both.node("g"));
        both.put("g", false, stamp(12, 5, 5, 42));
    }),
    ("an editor keeps a backup", |both| {
        both.rename("g", "g~");
        both.put("g", false, stamp(12, 5, 5, 42));
    }),
    ("the base learns a file that stands here", |both| {
        both.put("n", false, stamp(10, 1000, 1000, 43));
        new_item(both, "n", 43);
    }),
    ("the base forgets a file", |both| {
        let g = item(both, "g");
        both.base.remove(g);
    }),
    ("the base learns of a rename", |both| {
        let g = item(both, "g");
        let entry = BaseEntry { local_name: "x".into(), ..both.base.get(g).to_entry() };
        both.base.replace(g, entry);
        both.rename("g", "x");
    }),
];

pub(super) fn assert_same(again: &Recognition, both: &Both, case: &str) {
    let whole = recognise(&both.base, &both.local);
    for node in both.base.walk(Node::ROOT) {
        assert_eq!(again.of_base[node], whole.of_base[node], "{case}: {}", both.base.path(node));
    }
    for node in both.local.walk(Node::ROOT) {
        assert_eq!(again.of_local[node], whole.of_local[node], "{case}: {}", both.local.path(node));
    }
    assert_eq!(again.unsigned, whole.unsigned, "{case}");
    if let (Some(again), Some(whole)) = (&again.rest, &whole.rest) {
        let of = |rest: &Rest| (rest.loose().base.clone(), rest.loose().local.clone());
        assert_eq!(of(again), of(whole), "{case}");
    }
}

#[test]
fn what_differs_is_recognised_as_everything_would_be_and_back_again() {
    for birth in [Some(DiskTime(1)), None] {
        for (name, step) in STEPS {
            let mut both = Both::new(birth);
            let before = (both.base.clone(), both.local.clone());
            let recognised = Recognised::first(&Arc::new(both.base.clone()), &both.local).planned();
            assert!(recognised.local().is_some(), "a small drive is known by its changes");
            step(&mut both);
            let recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
            assert_same(recognised.recognition(), &both, name);
            let changes = recognised.changes().unwrap_or_else(|| panic!("{name}: everything anew"));
            let count = changes.base.len() + changes.local.len();
            assert_eq!(count == 0, name == "nothing", "{name}");
            // And what it was before.
            let both = Both { base: before.0, local: before.1 };
            let recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
            assert_same(recognised.recognition(), &both, name);
        }
    }
}

#[test]
fn whoever_may_be_known_as_something_else_is_told() {
    let mut both = Both::new(Some(DiskTime(1)));
    let recognised = Recognised::first(&Arc::new(both.base.clone()), &both.local).planned();
    let (g, item) = (both.node("g"), item(&both, "g"));
    both.rename("g", "x");
    let recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
    let said = &recognised.changes().unwrap().said;
    assert!(said.base.contains(&item) && said.local.contains(&g), "{said:?}");
    assert!(!said.local.contains(&both.node("d")), "{said:?}");
}

#[test]
fn nothing_is_known_by_its_changes_where_a_rule_looks_further() {
    let blind = |both: &mut Both| {
        let g = both.node("g");
        both.local.get_mut(g).stamp.identity = Identity::default();
    };
    let elsewhere = |both: &mut Both| {
        let g = both.node("g");
        both.local.get_mut(g).stamp.on_root_fs = false;
    };
    let unread = |both: &mut Both| {
        let d = both.node("d");
        both.local.get_mut(d).state = FolderState::Incomplete;
    };
    let blind_base = |both: &mut Both| {
        let g = item(both, "g");
        both.base.update(g, |entry| entry.local.stamp.identity = Identity::default());
    };
    let base_elsewhere = |both: &mut Both| {
        let g = item(both, "g");
        both.base.update(g, |entry| entry.local.stamp.on_root_fs = false);
    };
    let moved_over = |both: &mut Both| {
        both.local.remove(both.node("g"));
        both.rename("d/f", "g");
    };
    let steps: [(&str, Step, bool); 6] = [
        ("a file without an identity", blind, false),
        ("a file on another file system", elsewhere, false),
        ("a folder that could not be read", unread, false),
        ("an item without an identity", blind_base, false),
        ("an item on another file system", base_elsewhere, false),
        // Once it is over the place alone counts.
        ("a file moved over another", moved_over, true),
    ];
    for (name, step, begins) in steps {
        let mut both = Both::new(Some(DiskTime(1)));
        let recognised = Recognised::first(&Arc::new(both.base.clone()), &both.local).planned();
        step(&mut both);
        let recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
        assert_same(recognised.recognition(), &both, name);
        assert!(recognised.changes().is_none(), "{name}");
        assert_eq!(recognised.local().is_some(), begins, "{name}");
    }
    // Of an item that is agreed to be absent here no identity is expected, nor of the drive's folder itself.
    let mut both = Both::new(Some(DiskTime(1)));
    let d = item(&both, "d");
    both.base.update(d, |entry| {
        entry.presence = Presence::RemoteOnly;
        entry.local.stamp.identity = Identity::default();
    });
    both.local.get_mut(Node::ROOT).stamp.identity = Identity::default();
    assert!(Recognised::first(&Arc::new(both.base.clone()), &both.local).local().is_some());
}

#[test]
fn without_birth_times_what_a_folder_holds_may_tell_whether_it_is_the_known_one() {
    let born = Some(DiskTime(1));
    for (then, now) in [(None, None), (born, None), (None, born)] {
        let with_folder = || {
            let mut both = Both::new(None);
            let with = |birth: Option<DiskTime>| {
                let mut stamp = stamp(0, 1000, 1000, 50);
                stamp.identity.birth = birth.into();
                stamp
            };
            both.put("e", true, with(now));
            let id = ItemId::new(Zone::CloudDocs, "e");
            let entry = BaseEntry { id, folder: true, local_name: "e".into(), ..agreed(with(then)) };
            both.base.insert(Node::ROOT, "e", entry);
            both
        };
        let comes_here: Step = |both| both.put("e/x", false, stamp(10, 1000, 1000, 51));
        let is_learnt: Step = |both| new_item(both, "e/x", 52);
        let goes_here: Step = |both| drop(both.local.remove(both.node("e/x")));
        let is_forgotten: Step = |both| {
            let x = item(both, "e/x");
            both.base.remove(x);
        };
        let renamed_here: Step = |both| {
            let (x, e) = (both.node("e/x"), both.node("e"));
            both.local.relink(x, e, "y");
        };
        let back_here: Step = |both| {
            let (y, e) = (both.node("e/y"), both.node("e"));
            both.local.relink(y, e, "x");
        };
        let renamed_there: Step = |both| {
            let x = item(both, "e/x");
            let entry = BaseEntry { local_name: "y".into(), ..both.base.get(x).to_entry() };
            both.base.replace(x, entry);
        };
        let rows: [(&str, &[Step], Step); 8] = [
            // The folder itself is as before then.
            ("it takes the known name here", &[comes_here, is_learnt, renamed_here], back_here),
            ("it takes another name here", &[comes_here, is_learnt], renamed_here),
            ("the base learns its name", &[comes_here, is_learnt, renamed_here], renamed_there),
            ("the base learns another name", &[comes_here, is_learnt], renamed_there),
            ("the base learns of it", &[comes_here], is_learnt),
            ("it comes here", &[is_learnt], comes_here),
            ("it goes here", &[comes_here, is_learnt], goes_here),
            ("the base forgets it", &[comes_here, is_learnt], is_forgotten),
        ];
        for (name, first, then) in rows {
            let mut both = with_folder();
            first.iter().for_each(|step| step(&mut both));
            let recognised = Recognised::first(&Arc::new(both.base.clone()), &both.local).planned();
            then(&mut both);
            let recognised = recognised.again(&Arc::new(both.base.clone()), &both.local);
            assert!(recognised.changes().is_some(), "{name}");
            assert_same(recognised.recognition(), &both, name);
        }
    }
}

#[test]
fn the_nodes_of_an_inode_number_are_among_those_that_are_looked_up() {
    let both = Both::new(Some(DiskTime(1)));
    let recognition = recognise(&both.base, &both.local);
    let rest = recognition.rest.unwrap();
    let with = |inode| rest.with_inodes(&both.local, std::iter::once(inode)).collect::<Vec<_>>();
    assert_eq!(with(4), [both.node("g")]);
    assert_eq!(with(3), [both.node("d/f")]);
    assert_eq!(with(77), []);
    // One that is gone is not looked up any more, and one that came is.
    let mut later = Both { base: both.base.clone(), local: both.local.clone() };
    let recognised = Recognised::first(&Arc::new(later.base.clone()), &later.local);
    later.local.remove(later.node("g"));
    let recognised = recognised.again(&Arc::new(later.base.clone()), &later.local);
    let with = |of: &Recognised, both: &Both, inode| {
        let rest = of.recognition().rest.as_ref().unwrap();
        rest.with_inodes(&both.local, std::iter::once(inode)).collect::<Vec<_>>()
    };
    assert_eq!(with(&recognised, &later, 4), []);
    later.put("n", false, stamp(1, 1, 1, 77));
    let recognised = recognised.again(&Arc::new(later.base.clone()), &later.local);
    assert_eq!(with(&recognised, &later, 77), [later.node("n")]);
    assert!(rest.loose().base.is_empty() && rest.loose().local.is_empty(), "everything is at its place");
}
