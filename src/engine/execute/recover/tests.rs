//! Whose doing a place is.

use super::*;
use crate::model::{Etag, FolderState, RemoteEntry, RemoteKind};

fn id(text: &str) -> ItemId {
    ItemId::new(ItemId::drive_root().zone().clone(), text)
}

fn item(name: &str, parent: RemoteParent) -> RemoteItem {
    let entry = RemoteEntry {
        id: id("item"),
        kind: RemoteKind::File,
        name: name.into(),
        etag: Etag::new("1::1"),
        size: Some(3).into(),
        mtime: Some(ServerTime(7)).into(),
        signature: None.into(),
        state: FolderState::Unread,
        file_count: None.into(),
    };
    RemoteItem { entry, parent }
}

#[test]
fn only_a_place_that_our_calls_can_have_brought_it_to_is_our_doing() {
    let (from, to) = ((id("f"), "old.txt".into()), (id("g"), "new.txt".into()));
    let within = |folder: &str| RemoteParent::Folder(id(folder));
    for (name, parent, expected) in [
        ("old.txt", within("f"), true),
        ("old.txt", within("g"), true),
        ("new.txt", within("f"), true),
        ("new 2.txt", within("g"), true),
        (".icloudds-moving-0-new.txt", within("f"), true),
        ("lent", within("g"), true),
        ("a person's.txt", within("g"), false),
        ("new.txt", within("elsewhere"), false),
        ("old.txt", RemoteParent::Trash, false),
        ("old.txt", RemoteParent::Untold, false),
    ] {
        let shown = item(name, parent.clone());
        assert_eq!(is_our_doing(&shown, &from, &to, Some("lent")), expected, "{name} in {parent:?}");
    }
    assert!(!is_our_doing(&item("lent", within("g")), &from, &to, None), "a name that nobody lent");
}
