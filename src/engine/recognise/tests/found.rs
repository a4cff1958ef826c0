//! Which of several is found as what.

use super::*;
use crate::model::RelPath;

fn item(both: &Both, path: &str) -> Node {
    both.base.find(&RelPath::parse(path).unwrap()).unwrap()
}

/// An item of the base that does not stand here.
fn know(both: &mut Both, path: &str, folder: bool, stamp: LocalStamp) -> Node {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let at = item(both, above);
    let id = ItemId::new(Zone::CloudDocs, path);
    let entry = BaseEntry { id, folder, local_name: name.into(), ..agreed(stamp) };
    both.base.insert(at, name, entry)
}

fn of(both: &Both) -> Recognition {
    recognise(&both.base, &both.local)
}

#[test]
fn who_gave_its_find_up_may_have_been_written_anew_at_its_old_place() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    both.rename("d/f", "g");
    both.put("d/f", false, stamp(12, 5, 5, 9));
    assert_eq!([both.fate("g"), both.fate("d/f")], ["g Unread", "d/f Edited"]);
}

#[test]
fn what_is_agreed_to_be_absent_here_is_not_sought() {
    let mut both = Both::new(Some(DiskTime(1)));
    let d = item(&both, "d");
    both.base.update(d, |entry| entry.presence = Presence::RemoteOnly);
    both.rename("d", "e");
    assert_eq!(both.fate("d"), "Agreed");
    assert_eq!(of(&both).of_local[both.node("e")], None);
}

#[test]
fn a_file_of_two_links_is_found_in_its_folder_and_once() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.put("b", false, stamp(10, 1000, 1000, 3));
    both.rename("d", "e");
    assert_eq!([both.fate("d"), both.fate("d/f")], ["e Same", "e/f Same"]);
    assert_eq!(of(&both).of_local[both.node("b")], None);
    // Found before its folder was, as the one that had the file last.
    know(&mut both, "a", false, stamp(10, 1000, 900, 3));
    assert_eq!([both.fate("d/f"), both.fate("a")], ["b Same", "e/f Unread"]);
}

#[test]
fn of_two_items_of_one_path_and_one_file_one_is_found() {
    let mut both = Both::new(Some(DiskTime(1)));
    let g = item(&both, "g");
    let known = BaseEntry { id: ItemId::new(Zone::CloudDocs, "twin"), ..both.base.get(g).to_entry() };
    let twin = both.base.insert(Node::ROOT, "g", known);
    let found = of(&both);
    let here = |item| matches!(found.of_base[item], LocalFate::There { .. });
    assert!(here(g) != here(twin), "{:?} {:?}", found.of_base[g], found.of_base[twin]);
    assert_eq!(found.of_local[both.node("g")], Some(if here(g) { g } else { twin }));
}

#[test]
fn of_two_folders_of_one_identity_the_outer_one_is_found_whenever_they_changed() {
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "d/inner", true, stamp(0, 1000, 2000, 2));
    both.rename("d", "e");
    assert_eq!([both.fate("d"), both.fate("d/inner")], ["e Same", "Deleted"]);
}

#[test]
fn what_was_moved_over_another_is_that_one_only_where_it_comes_from_elsewhere_and_is_a_file() {
    // From another folder, of the same name.
    let mut both = Both::new(Some(DiskTime(1)));
    know(&mut both, "d/g", false, stamp(10, 1000, 1000, 8));
    both.local.remove(both.node("g"));
    both.put("g", false, stamp(10, 1000, 1000, 8));
    assert_eq!([both.fate("g"), both.fate("d/g")], ["g Unread", "Deleted"]);
    // A file in the place of a folder that is gone.
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("d"));
    both.rename("g", "d");
    assert_eq!([both.fate("d"), both.fate("g")], ["Deleted", "d Same"]);
    // A folder in the place of a file that is gone.
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    both.rename("d", "g");
    assert_eq!([both.fate("g"), both.fate("d")], ["Deleted", "g Same"]);
}

#[test]
fn a_recycled_inode_at_the_place_itself_is_no_identity_either() {
    // Without birth times: the file at `g` has the size of one that is gone and had that inode too.
    let mut both = Both::new(None);
    let identity = Identity { inode: 4, birth: None.into() };
    let mover = know(&mut both, "d/k", false, LocalStamp { identity, ..stamp(12, 1000, 1000, 4) });
    let g = both.node("g");
    both.local.get_mut(g).stamp.size = 12;
    assert_eq!([both.fate("g"), both.fate("d/k")], ["g Edited", "Deleted"]);
    assert_eq!(of(&both).moved_over, [mover]);
}

#[test]
fn without_birth_times_a_folder_is_known_by_a_child_of_its_kind() {
    let mut both = Both::new(None);
    both.rename("d", "e");
    both.local.remove(both.node("e/f"));
    both.put("e/f", true, stamp(0, 1, 1, 9));
    assert_eq!(both.fate("d"), "Deleted");
}

#[test]
fn a_folder_or_a_file_that_was_replaced_is_no_missing_volume() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("d"));
    both.put("d", true, stamp(0, 1000, 1000, 9));
    assert_eq!([both.fate("d"), both.fate("d/f")], ["d Same", "Deleted"]);
    let mut both = Both::new(Some(DiskTime(1)));
    let elsewhere = |inode| LocalStamp { on_root_fs: false, ..stamp(10, 1000, 1000, inode) };
    let g = item(&both, "g");
    both.base.update(g, |entry| entry.local.stamp = elsewhere(4));
    both.local.remove(both.node("g"));
    both.put("g", false, elsewhere(9));
    assert_eq!(both.fate("g"), "g Unread");
}

#[test]
fn a_mount_point_is_told_by_what_it_is_and_by_what_stands_in_it() {
    let on = |inode, is_mount| LocalStamp { on_root_fs: false, is_mount, ..stamp(0, 1, 1, inode) };
    // A folder of the volume around it, of the same number.
    assert!(matches!(of_emptied(on(3, true), on(3, false), false), LocalFate::Unmounted(_)));
    // As a state from before `is_mount` knows it, and it does not say so now either.
    assert!(matches!(of_emptied(on(3, false), on(3, false), true), LocalFate::There { .. }));
    // Another volume where nothing is known any more: nothing of the former one can be missing.
    let mut both = Both::new(Some(DiskTime(1)));
    let (d, f) = (item(&both, "d"), item(&both, "d/f"));
    both.base.update(d, |entry| (entry.local.stamp.on_root_fs, entry.local.stamp.is_mount) = (false, true));
    drop(both.base.remove(f));
    both.local.remove(both.node("d"));
    for (is_mount, fate) in [(false, "Unmounted"), (true, "d Same")] {
        let stamp = LocalStamp { on_root_fs: !is_mount, is_mount, ..stamp(0, 1, 1, 9) };
        both.put("d", true, stamp);
        assert!(both.fate("d").starts_with(fate), "{}", both.fate("d"));
        both.local.remove(both.node("d"));
    }
    // What was in it stands elsewhere: that tells nothing of the volume.
    let mut both = Both::new(Some(DiskTime(1)));
    let d = item(&both, "d");
    both.base.update(d, |entry| (entry.local.stamp.on_root_fs, entry.local.stamp.is_mount) = (false, true));
    both.rename("d/f", "y");
    both.local.remove(both.node("d"));
    both.put("d", true, stamp(0, 1, 1, 9));
    assert!(both.fate("d").starts_with("Unmounted"), "{}", both.fate("d"));
}

#[test]
fn while_a_folder_cannot_be_read_who_has_an_unknown_thing_in_its_place_was_deleted() {
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    both.put("g", true, stamp(0, 1, 1, 9));
    both.put("e", true, stamp(0, 1, 1, 10));
    let e = both.node("e");
    both.local.get_mut(e).state = FolderState::Incomplete;
    assert_eq!(both.fate("g"), "Deleted");
}

#[test]
fn what_is_read_in_the_moment_of_a_change_is_no_edit_of_what_the_stamp_says() {
    let then = stamp(10, 1000, 1000, 7);
    let read = |racy| LocalEntry { racy, signature: Some(Signature([2; 20])).into(), ..seen(then) };
    assert_eq!(content(&agreed(then).into(), &read(true)), Content::Same);
    assert_eq!(content(&agreed(then).into(), &read(false)), Content::Edited);
}

#[test]
fn what_has_no_identity_is_at_its_place_before_it_is_sought_elsewhere() {
    let blind = |size| LocalStamp { identity: Identity::default(), ..stamp(size, 1000, 1000, 0) };
    // The file at `g` has the size of another one that is gone.
    let mut both = Both::new(None);
    let known = know(&mut both, "a", false, blind(12));
    let g = item(&both, "g");
    both.base.update(g, |entry| entry.local.stamp = blind(10));
    let here = both.node("g");
    both.local.get_mut(here).stamp = blind(12);
    assert_eq!([both.fate("g"), both.fate("a")], ["g Edited", "Deleted"]);
    assert_eq!(of(&both).moved_over, []);
    // Of two that are alike the first is found, whichever changed last.
    both.base.update(known, |entry| entry.local.stamp.ctime = DiskTime(1));
    both.base.update(g, |entry| entry.local.stamp = LocalStamp { ctime: DiskTime(2), ..blind(12) });
    both.rename("g", "x");
    assert_eq!([both.fate("a"), both.fate("g")], ["x Unread", "Deleted"]);
    // In another folder under the same name only its content tells.
    let mut both = Both::new(None);
    let f = item(&both, "d/f");
    both.base.update(f, |entry| entry.local.stamp = blind(10));
    let here = both.node("d/f");
    both.local.get_mut(here).stamp = blind(10);
    both.rename("d/f", "f");
    assert_eq!(both.fate("d/f"), "f Unread");
    // What was never read is known by size and time alone, whatever was read here.
    both.base.update(f, |entry| entry.signature = None);
    both.local.get_mut(here).signature = Some(Signature([2; 20])).into();
    assert_eq!(both.fate("d/f"), "f Same");
}
