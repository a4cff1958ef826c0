//! `docs/sync.md` §3, rule by rule: one file or folder, before and after.

mod absent;
mod again;
mod backup;
mod blind;
mod found;
mod histories;

use super::*;
use crate::model::{BaseEntry, DiskTime, Etag, ItemId, Signature, Zone};

const SECOND: i64 = 1_000_000_000;

fn stamp(size: u64, mtime: i64, ctime: i64, inode: u64) -> LocalStamp {
    LocalStamp {
        size,
        mtime: DiskTime(mtime * SECOND),
        ctime: DiskTime(ctime * SECOND),
        identity: Identity { inode, birth: Some(DiskTime(1)).into() },
        on_root_fs: true,
        is_mount: false,
    }
}

fn agreed(stamp: LocalStamp) -> BaseEntry {
    BaseEntry {
        folder: false,
        local_name: "f".into(),
        remote_name: "f".into(),
        etag: Etag::new("1::1"),
        stamp,
        racy: false,
        signature: Some(Signature([1; 20])),
        ..BaseEntry::root(ItemId::new(Zone::CloudDocs, "f"))
    }
}

fn seen(stamp: LocalStamp) -> LocalEntry {
    LocalEntry {
        kind: LocalKind::File,
        stamp,
        racy: false,
        signature: None.into(),
        state: FolderState::Unread,
        holds_unnameable: false,
    }
}

/// What a file is before and after it was read, when its content is the agreed one, and when it is not.
fn three_looks(entry: &BaseEntry, found: LocalStamp) -> (Content, Content, Content) {
    let read = |byte: u8| LocalEntry { signature: Some(Signature([byte; 20])).into(), ..seen(found) };
    let entry = &entry.clone().into();
    (content(entry, &seen(found)), content(entry, &read(1)), content(entry, &read(2)))
}

#[test]
fn times_alone_are_no_edit_in_whatever_direction_they_went() {
    let then = stamp(10, 1000, 1000, 7);
    let to_be_read = (Content::Unread, Content::Touched, Content::Edited);
    let other_size = (Content::Edited, Content::Edited, Content::Edited);
    let cases = [
        // Who writes through a memory map may change no time: what was read tells more than the stamp.
        (
            "nothing happened, or nothing that a time tells",
            then,
            (Content::Same, Content::Same, Content::Edited),
        ),
        ("touched", stamp(10, 2000, 2000, 7), to_be_read),
        ("mtime went back", stamp(10, 500, 2000, 7), to_be_read),
        ("mtime went back before 1970", stamp(10, -500, 2000, 7), to_be_read),
        ("mtime forged to what it was", stamp(10, 1000, 2000, 7), to_be_read),
        ("the clock went back, and ctime with it", stamp(10, 1000, 400, 7), to_be_read),
        ("a nanosecond", LocalStamp { mtime: DiskTime(1000 * SECOND + 1), ..then }, to_be_read),
        ("replaced by a copy with its times", stamp(10, 1000, 1000, 8), to_be_read),
        ("longer", stamp(11, 2000, 2000, 7), other_size),
        ("longer, with all its times", stamp(11, 1000, 1000, 7), other_size),
        ("longer, and mtime went back", stamp(11, 500, 2000, 7), other_size),
        ("emptied on purpose", stamp(0, 2000, 2000, 7), other_size),
        ("emptied on purpose, and mtime went back", stamp(0, 500, 2000, 7), other_size),
    ];
    for (name, now, expected) in cases {
        assert_eq!(three_looks(&agreed(then), now), expected, "{name}");
    }
}

#[test]
fn a_racy_stamp_proves_nothing() {
    let then = stamp(10, 1000, 1000, 7);
    let racy = BaseEntry { racy: true, ..agreed(then) };
    assert_eq!(three_looks(&racy, then), (Content::Unread, Content::Touched, Content::Edited));
    // What was racy when it was agreed is what counts, not whether it is now.
    let found = LocalEntry { racy: true, ..seen(then) };
    assert_eq!(content(&agreed(then).into(), &found), Content::Same);
    // Without a signature there is nothing to compare with.
    let unsigned = BaseEntry { signature: None, ..racy };
    assert_eq!(three_looks(&unsigned, then), (Content::Edited, Content::Edited, Content::Edited));
}

#[test]
fn a_file_emptied_with_its_old_time_is_the_trace_of_a_power_cut() {
    let then = stamp(10, 1000, 1000, 7);
    let cut = Content::PowerCut;
    for now in [stamp(0, 1000, 3000, 7), stamp(0, 1000, 1000, 7)] {
        assert_eq!(three_looks(&agreed(then), now), (cut, cut, cut));
        assert_eq!(three_looks(&BaseEntry { racy: true, ..agreed(then) }, now), (cut, cut, cut));
    }
    // One that was empty before is only touched.
    let empty = stamp(0, 1000, 1000, 7);
    assert_eq!(three_looks(&agreed(empty), empty).0, Content::Same);
}

/// A base and a disk that both hold the folder `d` with the file `d/f`, and the file `g`.
struct Both {
    base: BaseTree,
    local: LocalTree,
}

impl Both {
    fn new(birth: Option<DiskTime>) -> Self {
        let mut both = Self {
            base: BaseTree::new(BaseEntry::root(ItemId::drive_root())),
            local: LocalTree::new(LocalEntry {
                kind: LocalKind::Folder,
                state: FolderState::Complete,
                ..seen(stamp(0, 0, 0, 1))
            }),
        };
        for (path, inode) in [("d", 2), ("d/f", 3), ("g", 4)] {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let is_folder = path == "d";
            let mut stamp = stamp(if is_folder { 0 } else { 10 }, 1000, 1000, inode);
            stamp.identity.birth = birth.into();
            let at = both.base.find(&crate::model::RelPath::parse(folder).unwrap()).unwrap();
            let entry = BaseEntry {
                id: ItemId::new(Zone::CloudDocs, path),
                folder: is_folder,
                local_name: name.into(),
                ..agreed(stamp)
            };
            both.base.insert(at, name, entry);
            both.put(path, is_folder, stamp);
        }
        both
    }

    fn put(&mut self, path: &str, folder: bool, stamp: LocalStamp) {
        let path = crate::model::RelPath::parse(path).unwrap();
        let at = self.local.find(&path.parent().unwrap()).unwrap();
        let entry = match folder {
            true => LocalEntry { kind: LocalKind::Folder, state: FolderState::Complete, ..seen(stamp) },
            false => seen(stamp),
        };
        self.local.insert(at, path.name(), entry);
    }

    fn node(&self, path: &str) -> Node {
        self.local.find(&crate::model::RelPath::parse(path).unwrap()).unwrap()
    }

    fn rename(&mut self, from: &str, to: &str) {
        let node = self.node(from);
        self.local.relink(node, Node::ROOT, to);
    }

    /// Where the item of that path is found: its path here, or what became of it.
    fn fate(&self, path: &str) -> String {
        let item = self.base.find(&crate::model::RelPath::parse(path).unwrap()).unwrap();
        match recognise(&self.base, &self.local).of_base[item] {
            LocalFate::There { node, content } => format!("{} {content:?}", self.local.path(node)),
            other => format!("{other:?}"),
        }
    }
}

#[test]
fn identity_decides_in_the_order_of_the_rules() {
    let born = Some(DiskTime(1));
    let mut both = Both::new(born);
    assert_eq!([both.fate("d"), both.fate("d/f"), both.fate("g")], ["d Same", "d/f Same", "g Same"]);
    // 2: found elsewhere, and what it holds with it.
    both.rename("d", "e");
    assert_eq!([both.fate("d"), both.fate("d/f")], ["e Same", "e/f Same"]);
    // 1 before 2: another one in its place is a new item.
    both.put("d", true, stamp(0, 1, 1, 9));
    assert_eq!(both.fate("d"), "e Same");
    // 3: an editor's new file in its place.
    let mut both = Both::new(born);
    both.local.remove(both.node("g"));
    both.put("g", false, stamp(12, 5, 5, 9));
    assert_eq!(both.fate("g"), "g Edited");
    // 4: moved over: edited there, and the other one is deleted at its old place.
    let mut both = Both::new(born);
    both.local.remove(both.node("g"));
    let moved = both.node("d/f");
    both.local.relink(moved, Node::ROOT, "g");
    assert_eq!([both.fate("g"), both.fate("d/f")], ["g Unread", "Deleted"]);
    // 5: deleted, but only where its folder was read.
    let mut both = Both::new(born);
    both.local.remove(both.node("d/f"));
    assert_eq!(both.fate("d/f"), "Deleted");
    let folder = both.node("d");
    both.local.get_mut(folder).state = FolderState::Incomplete;
    assert_eq!(both.fate("d/f"), "Unknown");
    // A file that became a folder is a deletion and a new item.
    let mut both = Both::new(born);
    both.local.remove(both.node("g"));
    both.put("g", true, stamp(0, 5, 5, 4));
    assert_eq!(both.fate("g"), "Deleted");
}

#[test]
fn of_two_items_that_had_a_file_the_one_that_had_it_last_is_found_with_it() {
    // `d/f` was moved over `g` and agreed on there, and `d/f` is another file by now, not agreed on yet. Then `g` is renamed.
    for (of_f, of_g) in [(1000, 2000), (2000, 1000)] {
        let mut both = Both::new(Some(DiskTime(1)));
        for (path, ctime) in [("d/f", of_f), ("g", of_g)] {
            let item = both.base.find(&crate::model::RelPath::parse(path).unwrap()).unwrap();
            let entry = BaseEntry { stamp: stamp(10, 1000, ctime, 4), ..both.base.get(item).to_entry() };
            let folder = both.base.parent(item).unwrap();
            both.base.insert(folder, path.rsplit('/').next().unwrap(), entry);
        }
        both.local.remove(both.node("d/f"));
        both.rename("g", "x");
        let expected = if of_g > of_f { ["Deleted", "x Unread"] } else { ["x Unread", "Deleted"] };
        assert_eq!([both.fate("d/f"), both.fate("g")], expected);
    }
}

#[test]
fn a_recycled_inode_is_told_by_the_birth_time_and_without_one_by_more() {
    // With birth times: the same inode, born later, is another file.
    let mut both = Both::new(Some(DiskTime(1)));
    both.local.remove(both.node("g"));
    let mut recycled = stamp(10, 1000, 1000, 4);
    recycled.identity.birth = Some(DiskTime(2)).into();
    both.put("h", false, recycled);
    assert_eq!(both.fate("g"), "Deleted");
    // Without: a file needs equal size and mtime too, and elsewhere equal content; a folder a known child inside.
    for (size, mtime, read, expected) in [
        (10, 1000, None, "h Unread"),
        (10, 1000, Some(1), "h Same"),
        (10, 1000, Some(2), "Deleted"),
        (11, 1000, None, "Deleted"),
        (10, 999, None, "Deleted"),
    ] {
        let mut both = Both::new(None);
        both.local.remove(both.node("g"));
        let mut found = stamp(size, mtime, 1000, 4);
        found.identity.birth = None.into();
        both.put("h", false, found);
        let h = both.node("h");
        both.local.get_mut(h).signature = read.map(|byte| Signature([byte; 20])).into();
        assert_eq!(both.fate("g"), expected, "{size} {mtime} {read:?}");
    }
    let mut both = Both::new(None);
    both.rename("d", "e");
    assert_eq!(both.fate("d"), "e Same");
    both.local.remove(both.node("e/f"));
    assert_eq!(both.fate("d"), "Deleted");
}

/// What recognition says of a folder on another file system in which nothing stands, though the base knows a file there.
fn of_emptied(then: LocalStamp, now: LocalStamp, outer: bool) -> LocalFate {
    let base_folder = |stamp, id: &str| BaseEntry {
        folder: true,
        stamp,
        ..BaseEntry::root(ItemId::new(Zone::CloudDocs, id))
    };
    let found_folder =
        |stamp| LocalEntry { kind: LocalKind::Folder, state: FolderState::Complete, ..seen(stamp) };
    let root = stamp(0, 1, 1, 1);
    let volume = LocalStamp { on_root_fs: outer, ..stamp(0, 1, 1, 2) };
    let mut base = BaseTree::new(base_folder(root, "root"));
    let mut local = LocalTree::new(found_folder(root));
    let above = base.insert(Node::ROOT, "above", base_folder(volume, "above"));
    let above_here = local.insert(Node::ROOT, "above", found_folder(volume));
    let item = base.insert(above, "volume", base_folder(then, "volume"));
    base.insert(
        item,
        "f",
        BaseEntry { stamp: LocalStamp { identity: stamp(1, 1, 1, 9).identity, ..then }, ..agreed(then) },
    );
    local.insert(above_here, "volume", found_folder(now));
    recognise(&base, &local).of_base[item]
}

#[test]
fn an_empty_volume_is_no_missing_one_for_a_state_that_knew_of_no_mounts() {
    let on = |inode, is_mount| LocalStamp { on_root_fs: false, is_mount, ..stamp(0, 1, 1, inode) };
    let bare = |inode| LocalStamp { on_root_fs: true, ..stamp(0, 1, 1, inode) };
    // A volume in the drive itself, and one within a volume, as a state from before `is_mount` and one of today know them.
    for (outer, was_known) in [(true, false), (true, true), (false, false), (false, true)] {
        let case = format!("in the drive itself: {outer}, known as a mount: {was_known}");
        let same = of_emptied(on(3, was_known), on(3, true), outer);
        assert!(matches!(same, LocalFate::There { .. }), "{case}: {same:?}");
        let may_tell = outer || was_known;
        let another = of_emptied(on(3, was_known), on(4, true), outer);
        assert_eq!(matches!(another, LocalFate::Unmounted(_)), may_tell, "{case}: {another:?}");
        let below = if outer { bare(5) } else { on(5, false) };
        let away = of_emptied(on(3, was_known), below, outer);
        assert_eq!(matches!(away, LocalFate::Unmounted(_)), may_tell, "{case}: {away:?}");
    }
}
