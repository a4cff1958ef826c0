//! What not being found means (promise P2).

use super::*;
use crate::model::RelPath;

fn item(both: &Both, path: &str) -> Node {
    both.base.find(&RelPath::parse(path).unwrap()).unwrap()
}

#[test]
fn what_something_that_is_never_synced_stands_in_the_way_of_is_held() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("d"));
    both.put("d", false, stamp(0, 1, 1, 9));
    let link = both.node("d");
    both.local.get_mut(link).kind = LocalKind::Special;
    assert_eq!([both.fate("d"), both.fate("d/f"), both.fate("g")], ["Held", "Held", "g Same"]);
    // Not even where it has the identity of an item that is sought.
    both.local.get_mut(link).stamp = stamp(0, 1000, 1000, 2);
    assert_eq!(both.fate("d"), "Held");
}

#[test]
fn while_a_folder_cannot_be_read_an_item_may_be_there_whose_place_another_one_took() {
    let moved_over = |reads: bool| {
        let mut both = Both::new(Some(DiskTime(1)));
        both.local.remove(both.node("g"));
        both.rename("d/f", "g");
        both.put("e", true, stamp(0, 1, 1, 9));
        if !reads {
            let e = both.node("e");
            both.local.get_mut(e).state = FolderState::Incomplete;
        }
        [both.fate("g"), both.fate("d/f")]
    };
    assert_eq!(moved_over(true), ["g Unread", "Deleted"]);
    assert_eq!(moved_over(false), ["Unknown", "g Same"]);
    // Where nobody took its place it was deleted, as far as its own folder was read.
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    both.put("e", true, stamp(0, 1, 1, 9));
    let e = both.node("e");
    both.local.get_mut(e).state = FolderState::Incomplete;
    assert_eq!(both.fate("g"), "Deleted");
}

#[test]
fn what_is_missing_with_its_volume_was_not_deleted() {
    // Whether the folder was, and is, on the drive's file system; its identity then and now; whether the item was, and was a mount.
    type Row = ((bool, bool), (u64, u64), (bool, bool), &'static str);
    let rows: [Row; 10] = [
        ((true, true), (2, 2), (true, false), "Deleted"),
        ((true, true), (2, 2), (false, false), "Missing"),
        ((true, true), (2, 2), (true, true), "Missing"),
        ((false, false), (2, 2), (false, false), "Deleted"),
        // A mount within a volume that is there.
        ((false, false), (2, 2), (false, true), "Missing"),
        // Another volume is there than the one that it was on: nobody can say.
        ((false, false), (2, 5), (false, false), "Unknown"),
        ((false, false), (2, 5), (false, true), "Unknown"),
        // On the drive's file system, in a folder that is not.
        ((false, false), (2, 2), (true, false), "Unknown"),
        ((true, false), (2, 2), (true, false), "Unknown"),
        ((true, false), (2, 2), (false, false), "Unknown"),
    ];
    for (on_root, inodes, (item_on_root, item_is_mount), expected) in rows {
        let mut both = Both::new(Some(DiskTime(1)));
        let (d, f) = (item(&both, "d"), item(&both, "d/f"));
        // Another item in it is found there, so the folder itself is no mount point without its volume.
        let other = BaseEntry {
            id: ItemId::new(Zone::CloudDocs, "d/x"),
            local_name: "x".into(),
            ..agreed(stamp(10, 1000, 1000, 8))
        };
        both.base.insert(d, "x", other);
        both.put("d/x", false, stamp(10, 1000, 1000, 8));
        both.base.update(d, |entry| {
            entry.local.stamp.on_root_fs = on_root.0;
            entry.local.stamp.identity.inode = inodes.0;
        });
        both.base.update(f, |entry| {
            entry.local.stamp.on_root_fs = item_on_root;
            entry.local.stamp.is_mount = item_is_mount;
        });
        both.local.remove(both.node("d/f"));
        let here = both.node("d");
        let found = &mut both.local.get_mut(here).stamp;
        (found.on_root_fs, found.identity.inode) = (on_root.1, inodes.1);
        assert_eq!(both.fate("d/f"), expected, "{on_root:?} {inodes:?} {item_on_root} {item_is_mount}");
    }
}

#[test]
fn nobody_can_say_what_became_of_a_volume_in_whose_place_something_else_stands() {
    let mut both = Both::new(Some(DiskTime(1)));
    let g = item(&both, "g");
    both.base.update(g, |entry| entry.local.stamp.on_root_fs = false);
    both.local.remove(both.node("g"));
    assert_eq!(both.fate("g"), "Missing");
    both.put("g", true, stamp(0, 1, 1, 9));
    assert_eq!(both.fate("g"), "Unknown");
}

#[test]
fn a_folder_that_stays_on_icloud_alone_is_the_one_that_is_made_anew_here() {
    let mut both = Both::new(Some(DiskTime(1)));
    let d = item(&both, "d");
    both.base.update(d, |entry| entry.presence = Presence::RemoteOnly);
    let f = item(&both, "d/f");
    both.base.remove(f);
    assert_eq!(both.fate("d"), "d Same", "one that is there");
    both.local.remove(both.node("d"));
    assert_eq!(both.fate("d"), "Agreed");
    both.put("d", false, stamp(1, 1, 1, 9));
    assert_eq!(both.fate("d"), "Agreed", "a file is none");
    // What is another item, moved there, is that one.
    both.local.remove(both.node("d"));
    let other = BaseEntry {
        id: ItemId::new(Zone::CloudDocs, "o"),
        folder: true,
        local_name: "o".into(),
        ..agreed(stamp(0, 1000, 1000, 8))
    };
    both.base.insert(Node::ROOT, "o", other);
    both.put("d", true, stamp(0, 1000, 1000, 8));
    assert_eq!([both.fate("d"), both.fate("o")], ["Agreed", "d Same"]);
    // Where its folder was not read nobody can say.
    both.local.remove(both.node("d"));
    both.local.get_mut(Node::ROOT).state = FolderState::Incomplete;
    assert_eq!(both.fate("d"), "Unknown");
}

#[test]
fn a_folder_whose_inode_lies_is_not_found_within_itself() {
    let mut both = Both::new(Some(DiskTime(1)));
    // `d/f` is a folder now that holds one with the inode of `d`, which stands nowhere else.
    let f = item(&both, "d/f");
    both.base.update(f, |entry| entry.folder = true);
    both.local.remove(both.node("d"));
    both.put("d", true, stamp(0, 1, 1, 20));
    both.put("d/f", true, stamp(0, 1000, 1000, 3));
    both.put("d/f/deep", true, stamp(0, 1000, 1000, 2));
    assert_eq!([both.fate("d"), both.fate("d/f")], ["d/f/deep Same", "d/f Same"]);
    both.put("d/f/deep/f", true, stamp(0, 1000, 1000, 21));
    assert_eq!(both.fate("d/f"), "d/f Same", "rule 2 goes before the place");
}

#[test]
fn of_two_items_of_one_path_the_one_at_home_stays() {
    let mut both = Both::new(Some(DiskTime(1)));
    let twin = BaseEntry {
        id: ItemId::new(Zone::CloudDocs, "twin"),
        local_name: "g".into(),
        ..agreed(stamp(10, 1000, 1000, 30))
    };
    let twin = both.base.insert(Node::ROOT, "g", twin);
    let found = recognise(&both.base, &both.local);
    let g = both.node("g");
    let of_twin = found.of_base[twin];
    assert_eq!((found.of_local[g].is_some(), of_twin), (true, LocalFate::Deleted));
}
