//! Where nothing has an identity: inode numbers that say nothing.

use super::*;

/// Takes the identity from everything in the base and here.
fn blinded(mut both: Both) -> Both {
    for item in both.base.walk(Node::ROOT).skip(1).collect::<Vec<_>>() {
        both.base.update(item, |entry| entry.local.stamp.identity = Identity::default());
    }
    for node in both.local.walk(Node::ROOT).skip(1).collect::<Vec<_>>() {
        both.local.get_mut(node).stamp.identity = Identity::default();
    }
    both
}

fn blind_stamp(size: u64, mtime: i64) -> LocalStamp {
    LocalStamp { identity: Identity::default(), ..stamp(size, mtime, 1000, 0) }
}

#[test]
fn the_place_decides_as_long_as_something_of_that_kind_holds_it() {
    let mut both = blinded(Both::new(None));
    assert_eq!([both.fate("d"), both.fate("d/f"), both.fate("g")], ["d Same", "d/f Same", "g Same"]);
    let g = both.node("g");
    both.local.get_mut(g).stamp = blind_stamp(12, 5);
    assert_eq!(both.fate("g"), "g Edited");
    // Another kind is a deletion and a new item.
    both.local.remove(g);
    both.put("g", true, blind_stamp(0, 5));
    assert_eq!(both.fate("g"), "Deleted");
    // Where one side has an identity and the other has none, it is not the same by that; by its place it is all the same.
    let mut both = blinded(Both::new(None));
    let g = both.node("g");
    both.local.get_mut(g).stamp = stamp(10, 1000, 1000, 4);
    both.put("h", false, blind_stamp(10, 1000));
    assert_eq!(both.fate("g"), "h Unread");
}

#[test]
fn a_file_is_found_elsewhere_by_size_and_time_and_then_by_its_content() {
    let moved = |size, mtime, read: Option<u8>| {
        let mut both = blinded(Both::new(None));
        both.local.remove(both.node("g"));
        both.put("h", false, blind_stamp(size, mtime));
        let h = both.node("h");
        both.local.get_mut(h).signature = read.map(|byte| Signature([byte; 20])).into();
        both.fate("g")
    };
    assert_eq!(moved(10, 1000, None), "h Unread", "only its content tells");
    assert_eq!(moved(10, 1000, Some(1)), "h Same");
    assert_eq!(moved(10, 1000, Some(2)), "Deleted");
    assert_eq!(moved(11, 1000, None), "Deleted");
    assert_eq!(moved(10, 1001, None), "Deleted");
}

#[test]
fn what_has_no_signature_is_found_elsewhere_by_size_and_time_alone() {
    let mut both = blinded(Both::new(None));
    let item = both.base.find(&crate::model::RelPath::parse("g").unwrap()).unwrap();
    both.base.update(item, |entry| entry.signature = None);
    both.rename("g", "h");
    assert_eq!(both.fate("g"), "h Same");
}

#[test]
fn a_folder_is_found_elsewhere_by_half_of_what_it_held() {
    // What the folder held: files of that size, and a folder; how much of it stands in the one of another name.
    let fate = |held: &[u64], stands: &[(usize, u64, bool)], inner: Option<bool>| {
        let mut both = blinded(Both::new(None));
        let d = both.base.find(&crate::model::RelPath::parse("d").unwrap()).unwrap();
        let f = both.base.find(&crate::model::RelPath::parse("d/f").unwrap()).unwrap();
        both.base.remove(f);
        both.local.remove(both.node("d"));
        both.put("e", true, blind_stamp(0, 7));
        let put = |both: &mut Both, name: &str, folder, size| {
            let id = ItemId::new(Zone::CloudDocs, name);
            let stamp = blind_stamp(size, 1000);
            let entry = BaseEntry { id, folder, local_name: name.into(), ..agreed(stamp) };
            both.base.insert(d, name, entry);
        };
        for (number, size) in held.iter().enumerate() {
            put(&mut both, &format!("x{number}"), false, *size);
        }
        for (number, size, folder) in stands {
            both.put(&format!("e/x{number}"), *folder, blind_stamp(*size, 1000));
        }
        if let Some(is_there) = inner {
            put(&mut both, "inner", true, 0);
            if is_there {
                both.put("e/inner", true, blind_stamp(0, 9));
            }
        }
        both.fate("d")
    };
    let (found, gone) = ("e Same", "Deleted");
    assert_eq!(fate(&[5, 6], &[(0, 5, false), (1, 6, false)], None), found);
    assert_eq!(fate(&[5, 6], &[(0, 5, false)], None), found, "half of it");
    assert_eq!(fate(&[5, 6, 7], &[(0, 5, false)], None), gone, "less than half of it");
    assert_eq!(fate(&[5, 6, 7, 8, 9], &[(0, 5, false), (1, 6, false)], None), gone);
    assert_eq!(fate(&[5], &[(0, 6, false)], None), gone, "one file of a common name proves nothing");
    assert_eq!(fate(&[5], &[(0, 5, true)], None), gone, "another kind");
    assert_eq!(fate(&[], &[], None), gone, "what held nothing is known by nothing");
    // A folder counts by its name, whatever its time.
    assert_eq!(fate(&[], &[], Some(true)), found);
    assert_eq!(fate(&[], &[], Some(false)), gone);
}

#[test]
fn no_folder_was_moved_to_where_a_volume_is_mounted() {
    let fate = |was_mounted, is_mounted| {
        let mut both = blinded(Both::new(None));
        let d = both.base.find(&crate::model::RelPath::parse("d").unwrap()).unwrap();
        both.base.update(d, |entry| entry.local.stamp.is_mount = was_mounted);
        both.local.remove(both.node("d"));
        let held = LocalStamp { is_mount: is_mounted, ..blind_stamp(0, 7) };
        both.put("e", true, held);
        both.put("e/f", false, both.base.get(both.base.children(d)[0]).local.stamp);
        both.fate("d")
    };
    assert_eq!(fate(false, false), "e Same");
    assert_eq!(fate(true, true), "e Same", "the volume is mounted elsewhere");
    assert_eq!(fate(false, true), "Deleted");
}

#[test]
fn a_folder_on_a_volume_that_is_away_is_not_found_elsewhere_by_what_it_held() {
    let fate = |is_away: bool| {
        let mut both = blinded(Both::new(None));
        let on_volume = LocalStamp { on_root_fs: false, ..blind_stamp(0, 7) };
        let d = both.base.find(&crate::model::RelPath::parse("d").unwrap()).unwrap();
        both.base.update(d, |entry| entry.local.stamp = LocalStamp { is_mount: true, ..on_volume });
        for (parent, name) in [("d", "in"), ("d/in", "common")] {
            let parent = both.base.find(&crate::model::RelPath::parse(parent).unwrap()).unwrap();
            let id = ItemId::new(Zone::CloudDocs, name);
            let entry = BaseEntry { id, folder: true, local_name: name.into(), ..agreed(on_volume) };
            both.base.insert(parent, name, entry);
        }
        let at = both.node("d");
        both.local.get_mut(at).stamp = match is_away {
            true => blind_stamp(0, 7),
            false => LocalStamp { is_mount: true, ..on_volume },
        };
        both.put("e", true, blind_stamp(0, 7));
        both.put("e/common", true, blind_stamp(0, 7));
        both.fate("d/in")
    };
    assert_eq!(fate(false), "e Same", "the volume is there, and it is not on it");
    assert_ne!(fate(true), "e Same", "nobody can see where it is");
}
