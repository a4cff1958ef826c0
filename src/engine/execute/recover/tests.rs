//! Whose doing a place is.

use super::*;
use crate::model::{BaseEntry, Etag, FolderState, RemoteEntry, RemoteKind, ServerTime, Signature};

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

/// Takes everything, or nothing.
struct Takes(bool);

impl Store for Takes {
    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        if self.0 { Ok(()) } else { Err(StoreError::Failed("no".to_owned())) }
    }
}

fn under_way(intent: Intent) -> State {
    let mut state = State::empty();
    let entry = BaseEntry {
        folder: false,
        local_name: "f".into(),
        remote_name: "f".into(),
        ..BaseEntry::root(id("item"))
    };
    let put = Change::Put { parent: ItemId::drive_root(), entry: Box::new(entry) };
    assert!(state.apply(&put) && state.apply(&Change::Begin(1, intent)));
    state
}

#[test]
fn what_is_given_up_is_forgotten_but_for_what_bears_a_temporary_name() {
    let place = |temporary: Option<&str>| Intent::Place {
        id: id("item"),
        folder: false,
        from: (ItemId::drive_root(), "f".into()),
        to: (ItemId::drive_root(), "g".into()),
        temporary: temporary.map(Into::into),
        here: None,
    };
    let upload = |over: Option<ItemId>| crate::model::Upload {
        document: "FILE".into(),
        over: over.map(|old| (old, Etag::new("1::1"))),
        parent: ItemId::drive_root(),
        name: "f".into(),
        path: RelPath::parse("f").expect("a path"),
        stamp: LocalStamp::default(),
        signature: Signature([1; 20]),
    };
    let cases = [
        (place(None), false),
        (place(Some("lent")), true),
        (Intent::Trash { ids: vec![id("item")] }, false),
        (Intent::Trash { ids: vec![id("another")] }, true),
        (Intent::Upload { files: vec![upload(None)] }, true),
        (Intent::Upload { files: vec![upload(None), upload(Some(id("item")))] }, false),
        (Intent::MakeFolders { parent: id("item"), strangers: vec![id("item")], folders: Vec::new() }, true),
    ];
    for (intent, stays) in cases {
        let mut state = under_way(intent.clone());
        give_up(1, &mut state, &mut Takes(false)).expect_err("it is not stored");
        assert!(state.intents.contains_key(&1) && state.base.by_id(&id("item")).is_some(), "{intent:?}");
        give_up(1, &mut state, &mut Takes(true)).expect("it is stored");
        assert!(state.intents.is_empty(), "{intent:?}");
        assert_eq!(state.base.by_id(&id("item")).is_some(), stays, "{intent:?}");
    }
}
