//! Editors that rename the version that they replace: what stands at the path is the item.

use super::*;
use crate::model::RelPath;

fn item(both: &Both, path: &str) -> Node {
    both.base.find(&RelPath::parse(path).unwrap()).unwrap()
}

/// An item at the top, of that inode, which does not stand here.
fn know(both: &mut Both, name: &str, inode: u64) {
    let id = ItemId::new(Zone::CloudDocs, name);
    let entry = BaseEntry { id, local_name: name.into(), ..agreed(stamp(10, 1000, 1000, inode)) };
    both.base.insert(Node::ROOT, name, entry);
}

/// `g` is saved: what it was gets that name, and a new file is written.
fn save(both: &mut Both, backup: &str, inode: u64) {
    if let Some(older) = both.local.child(Node::ROOT, backup) {
        both.local.remove(older);
    }
    both.rename("g", backup);
    both.put("g", false, stamp(12, 5, 5, inode));
}

fn is_new(both: &Both, path: &str) -> bool {
    recognise(&both.base, &both.local).of_local[both.node(path)].is_none()
}

#[test]
fn what_stands_at_the_path_is_the_item_where_what_it_was_is_its_backup() {
    for backup in ["g~", "G~", "g.~1~", "g.bak", "~WRL0001.tmp"] {
        let mut both = Both::new(Some(DiskTime(1)));
        save(&mut both, backup, 9);
        assert_eq!(both.fate("g"), "g Edited", "{backup}");
        assert!(is_new(&both, backup), "{backup}");
        // And once more before anything was agreed on.
        if backup == "g~" {
            save(&mut both, backup, 10);
            assert_eq!(both.fate("g"), "g Edited");
            assert!(is_new(&both, backup));
        }
    }
    // The same content again is none: it has to be read first.
    let mut both = Both::new(Some(DiskTime(1)));
    both.rename("g", "g~");
    both.put("g", false, stamp(10, 5, 5, 9));
    assert_eq!(both.fate("g"), "g Unread");
}

#[test]
fn an_older_backup_that_is_an_item_is_edited_by_what_takes_its_place() {
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "g~", 8);
    both.put("g~", false, stamp(10, 1000, 1000, 8));
    save(&mut both, "g~", 9);
    assert_eq!([both.fate("g"), both.fate("g~")], ["g Edited", "g~ Unread"]);
    // Once the backup was agreed on, and the item not yet, the next backup still is one.
    let known = item(&both, "g~");
    both.base.update(known, |entry| entry.local.stamp = stamp(10, 1000, 2000, 4));
    assert_eq!([both.fate("g"), both.fate("g~")], ["g Edited", "g~ Unread"]);
    save(&mut both, "g~", 10);
    assert_eq!([both.fate("g"), both.fate("g~")], ["g Edited", "g~ Edited"]);
}

#[test]
fn a_row_of_backups_keeps_each_item_at_its_path() {
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "g~", 8);
    both.put("g~", false, stamp(10, 1000, 1000, 8));
    both.rename("g~", "g~~");
    save(&mut both, "g~", 9);
    assert_eq!([both.fate("g"), both.fate("g~")], ["g Edited", "g~ Unread"]);
    assert!(is_new(&both, "g~~"));
}

#[test]
fn what_an_item_left_as_its_backup_is_not_who_had_the_file_before() {
    // `g` was saved, and what it was agreed on as `g~`; that is saved in its turn, and what stood at `g` is gone.
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "g~", 4);
    let known = item(&both, "g~");
    both.base.update(known, |entry| entry.local.stamp = stamp(10, 1000, 2000, 4));
    both.rename("g", "g~~");
    both.put("g~", false, stamp(12, 5, 5, 9));
    assert_eq!([both.fate("g"), both.fate("g~")], ["Deleted", "g~ Edited"]);
    assert!(is_new(&both, "g~~"));
}

#[test]
fn in_a_folder_that_was_moved_it_holds_too() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.rename("d", "e");
    let (f, e) = (both.node("e/f"), both.node("e"));
    both.local.relink(f, e, "f~");
    both.put("e/f", false, stamp(12, 5, 5, 9));
    assert_eq!([both.fate("d"), both.fate("d/f")], ["e Same", "e/f Edited"]);
    assert!(is_new(&both, "e/f~"));
}

#[test]
fn without_times_of_birth_it_holds_too() {
    let mut both = Both::new(None);
    let mut written = stamp(12, 5, 5, 9);
    written.identity.birth = None.into();
    both.rename("g", "g~");
    both.put("g", false, written);
    assert_eq!(both.fate("g"), "g Edited");
    assert!(is_new(&both, "g~"));
}

#[test]
fn the_new_file_may_differ_in_case() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.rename("g", "g~");
    both.put("G", false, stamp(12, 5, 5, 9));
    assert_eq!(both.fate("g"), "G Edited");
    // Not where that is another item's place, nor where there are two.
    know(&mut both, "G", 30);
    assert_eq!([both.fate("g"), both.fate("G")], ["g~ Same", "G Edited"]);
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "M\u{dc}", 4);
    let known = item(&both, "g");
    both.base.remove(known);
    both.rename("g", "m\u{fc}~");
    both.put("m\u{fc}", false, stamp(12, 5, 5, 9));
    assert_eq!(both.fate("M\u{dc}"), "m\u{fc} Edited");
    both.put("mu\u{308}", false, stamp(12, 5, 5, 10));
    assert_eq!(both.fate("M\u{dc}"), "m\u{fc}~ Same");
}

#[test]
fn an_inode_number_that_was_given_away_again_says_nothing() {
    let born_later = |inode| {
        let mut stamp = stamp(12, 5, 5, inode);
        stamp.identity.birth = Some(DiskTime(2)).into();
        stamp
    };
    // What is written has that of an item that is gone.
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "h", 9);
    both.rename("g", "g~");
    both.put("g", false, born_later(9));
    assert_eq!([both.fate("g"), both.fate("h")], ["g Edited", "Deleted"]);
    // What has the name of a backup has that of the item.
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    both.put("g~", false, born_later(4));
    both.put("G", false, born_later(9));
    assert_eq!(both.fate("g"), "Deleted");
}

#[test]
fn what_is_no_save_stays_a_move() {
    let born = Some(DiskTime(1));
    // Nothing new at its path; a folder there; a link there.
    let mut both = Both::new(born);
    both.rename("g", "g~");
    assert_eq!(both.fate("g"), "g~ Same");
    both.put("g", true, stamp(0, 5, 5, 9));
    assert_eq!(both.fate("g"), "g~ Same");
    both.local.remove(both.node("g"));
    both.put("g", false, stamp(0, 5, 5, 9));
    let link = both.node("g");
    both.local.get_mut(link).kind = LocalKind::Special;
    assert_eq!(both.fate("g"), "g~ Same");
    // No name of a backup, or another folder.
    let mut both = Both::new(born);
    save(&mut both, "h", 9);
    assert_eq!(both.fate("g"), "h Same");
    let mut both = Both::new(born);
    let (g, d) = (both.node("g"), both.node("d"));
    both.local.relink(g, d, "g~");
    both.put("g", false, stamp(12, 5, 5, 9));
    assert_eq!(both.fate("g"), "d/g~ Same");
    // What stands at its path is another item, which was moved there.
    let mut both = Both::new(born);
    both.rename("g", "g~");
    both.rename("d/f", "g");
    assert_eq!([both.fate("g"), both.fate("d/f")], ["g~ Same", "g Same"]);
    // Two that change names.
    let mut both = Both::new(born);
    know(&mut both, "g~", 8);
    both.rename("g", "g~");
    both.put("g", false, stamp(10, 1000, 1000, 8));
    assert_eq!([both.fate("g"), both.fate("g~")], ["g~ Same", "g Same"]);
    // A folder.
    let mut both = Both::new(born);
    both.rename("d", "d~");
    both.put("d", false, stamp(12, 5, 5, 9));
    assert_eq!([both.fate("d"), both.fate("d/f")], ["d~ Same", "d~/f Same"]);
    both.local.remove(both.node("d"));
    both.put("d", true, stamp(0, 5, 5, 9));
    assert_eq!([both.fate("d"), both.fate("d/f")], ["d~ Same", "d~/f Same"]);
}
