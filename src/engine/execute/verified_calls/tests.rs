//! What answers and looks are taken for.

use super::*;
use crate::model::{Etag, RemoteEntry, RemoteKind};

fn id(text: &str) -> ItemId {
    ItemId::new(ItemId::drive_root().zone().clone(), text)
}

fn item(name: &str, etag: &str, parent: RemoteParent) -> RemoteItem {
    let entry = RemoteEntry {
        id: id("item"),
        kind: RemoteKind::File,
        name: name.into(),
        etag: Etag::new(etag),
        size: None.into(),
        mtime: None.into(),
        signature: None.into(),
        state: FolderState::Unread,
    };
    RemoteItem { entry, parent }
}

fn within(folder: &str) -> RemoteParent {
    RemoteParent::Folder(id(folder))
}

#[test]
fn an_item_hangs_where_it_is_shown_or_where_nothing_is_told() {
    for (parent, expected) in [
        (within("f"), true),
        (within("g"), false),
        (RemoteParent::Trash, false),
        (RemoteParent::Untold, true),
    ] {
        assert_eq!(hangs_in(&item("x", "1::1", parent.clone()), &id("f")), expected, "{parent:?}");
    }
}

#[test]
fn a_deletion_was_done_once_a_look_shows_it_or_the_answer_does_and_no_look_denies_it() {
    let asked = ItemVersion { id: id("item"), folder: false, etag: Etag::new("1::1") };
    let trashed_item = || item("x", "2::1", RemoteParent::Trash);
    let shown = |etag: &str, parent| LookUp::Found(item("x", etag, parent));
    for (said, look, expected) in [
        (Some(trashed_item()), shown("2::1", RemoteParent::Trash), "done"),
        (Some(trashed_item()), LookUp::Unknown, "done"),
        (Some(trashed_item()), LookUp::Gone, "done"),
        // An answer without an effect.
        (Some(trashed_item()), shown("1::1", within("f")), "again"),
        // A person put it back since.
        (Some(trashed_item()), shown("3::1", within("f")), "done"),
        // An answer that shows another place counts for nothing.
        (Some(item("x", "2::1", within("f"))), LookUp::Unknown, "again"),
        (None, shown("2::1", RemoteParent::Trash), "done"),
        (None, LookUp::Gone, "replan"),
        (None, LookUp::Unknown, "again"),
        (None, shown("1::1", within("f")), "again"),
    ] {
        let case = format!("{said:?}, {look:?}");
        let told = match trashed(&asked, said, look) {
            Ok(_) => "done",
            Err(StepFailure::Again { .. }) => "again",
            Err(StepFailure::Replan(_)) => "replan",
            Err(other) => panic!("{case}: {other:?}"),
        };
        assert_eq!(told, expected, "{case}");
    }
}

#[test]
fn what_is_repeated_must_find_the_item_as_it_was_left() {
    let before = item("x", "1::1", within("f"));
    for (now, as_file, as_folder) in [
        (item("x", "1::1", within("f")), true, true),
        (item("x", "2::1", within("f")), true, true),
        (item("x", "2::2", within("f")), false, true),
        (item("y", "1::1", within("f")), false, false),
        (item("x", "1::1", within("g")), false, false),
        (item("x", "1::1", RemoteParent::Trash), false, false),
    ] {
        assert_eq!(is_as_left(&now, &before, false), as_file, "{now:?}");
        assert_eq!(is_as_left(&now, &before, true), as_folder, "{now:?}");
    }
    let trashed = item("x", "1::1", RemoteParent::Trash);
    assert!(is_as_left(&trashed, &trashed, false) && !is_as_left(&before, &trashed, false));
}

#[test]
fn who_was_planned_for_must_be_shown_as_planned() {
    let seen = |folder| RemoteSeen {
        id: id("item"),
        folder,
        package: false,
        etag: Etag::new("1::1"),
        parent: id("f"),
        name: "x".into(),
        size: None,
        mtime: None,
        signature: None,
    };
    let is_replanned = |answer: LookUp| matches!(checked(&seen(false), answer), Err(StepFailure::Replan(_)));
    assert!(checked(&seen(false), LookUp::Found(item("x", "1::1", within("f")))).is_ok());
    assert!(is_replanned(LookUp::Found(item("x", "2::1", within("f")))), "another version");
    assert!(is_replanned(LookUp::Found(item("y", "1::1", within("f")))), "another name");
    assert!(is_replanned(LookUp::Found(item("x", "1::1", within("g")))), "another folder");
    assert!(is_replanned(LookUp::Found(item("x", "1::1", RemoteParent::Trash))), "the trash");
    assert!(is_replanned(LookUp::Gone));
    assert!(matches!(checked(&seen(false), LookUp::Unknown), Err(StepFailure::Again { .. })));
    let kind = LookUp::Found(item("x", "1::1", within("f")));
    assert!(matches!(checked(&seen(true), kind), Err(StepFailure::Replan(_))), "a file where a folder was");
}
