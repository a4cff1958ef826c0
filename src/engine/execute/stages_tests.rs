//! What each stage wants to be durable before it acts, and with which stage an operation begins.

use super::install::{Install, Purpose};
use super::known::OwnChanges;
use super::moves::{MakeWayThere, MoveLocal, MoveRemote};
use super::options::ExecuteOptions;
use super::pending::Overlay;
use super::remove::TrashLocal;
use super::report::{Counts, Effect, EffectKind, StepFailure};
use super::stage::{Before, Known, Stage};
use super::steps::{Start, needs_content, start};
use super::testing::{
    entry, folder, id, local, local_entry, moment, operation, path, remote, signature, stamp, state,
};
use super::transfer::{Arrived, Content, StagedContent};
use super::*;
use crate::engine::execute::done::Done;
use crate::engine::operation::{Action, Conflict, LocalSeen, Parent, Reason, Replacement, UploadTarget};
use crate::engine::ports::{Ready, Staged};
use crate::model::{Change, DiskTime, Identity, Intent, ItemId, LocalKind, RelPath, Side};

/// What `stage` wants stored first, where the base is `state` and this pass did `facts`.
fn before<'a>(stage: &dyn Stage<'a>, plan: &Plan, state: &State, facts: &[Done]) -> Before {
    let (conflict_name, is_junk) = (|path: &RelPath, _| path.clone(), |_: &str| false);
    let options = ExecuteOptions::new(&conflict_name, &is_junk);
    let mut own = OwnChanges::default();
    facts.iter().for_each(|done| own.learn(done));
    let overlay = Overlay::new();
    stage.before(&Known { plan, options: &options, own: &own, moment: moment(state, &overlay) })
}

fn base() -> State {
    state([
        ("top", folder("planned folder", "d", 9)),
        ("planned folder", entry("item", "a", stamp(1, 1), "1::1")),
        ("planned folder", entry("other", "b", stamp(2, 1), "1::1")),
    ])
}

fn content() -> Content {
    let ready =
        Ready { slot: "slot".into(), size: 3, signature: signature(1), path: path("d/a"), identity: None };
    Content { ready, package: false, matched: true }
}

fn staged() -> StagedContent {
    let (document, zone) = ("document".to_owned(), ItemId::drive_root().zone().clone());
    let receipt = serde_json::Value::Null;
    let staged = Staged { document, zone, size: 3, signature: None, receipt };
    StagedContent { staged, signature: signature(1), read_at: DiskTime::default().into() }
}

fn forget() -> Action {
    Action::Forget { id: id("item") }
}

#[test]
fn a_move_here_clears_the_identity_of_the_item_whose_file_it_takes_along() {
    let (operation, seen) = (operation(forget(), "e/a"), remote("1::1"));
    for (inode, expected) in [(1, None), (2, Some("other")), (7, Some("nobody"))] {
        let local = local("d/a", stamp(inode, 1));
        let stage = MoveLocal { index: 0, operation: &operation, remote: Some(&seen), local: &local };
        match (before(&stage, &Plan::default(), &base(), &[]), expected) {
            (Before::Nothing, None) => {}
            (Before::Stored(changes), Some("nobody")) => assert_eq!(changes, [], "stored all the same"),
            (Before::Stored(changes), Some(other)) => {
                let [Change::Put { entry, .. }] = &changes[..] else { panic!("{changes:?}") };
                assert_eq!((&entry.id, entry.stamp.identity), (&id(other), Identity::default()));
            }
            (before, expected) => panic!("{before:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn the_stamp_that_an_earlier_move_gave_is_the_items_own() {
    let (operation, seen) = (operation(forget(), "e/a"), remote("1::1"));
    let planned = local("e/t", stamp(1, 1));
    let stage = MoveLocal { index: 0, operation: &operation, remote: Some(&seen), local: &planned };
    let moved = Done::MovedLocal {
        local: local("d/a", stamp(1, 1)),
        to: path("e/t"),
        after: local_entry(LocalKind::File, stamp(8, 2)),
        remote: None,
    };
    assert!(matches!(before(&stage, &Plan::default(), &base(), &[]), Before::Nothing));
    assert!(matches!(before(&stage, &Plan::default(), &base(), &[moved]), Before::Stored(_)));
}

#[test]
fn a_version_that_gives_way_on_icloud_is_forgotten_first_also_where_that_is_pending() {
    let seen = remote("1::1");
    let stage = || {
        MakeWayThere(MoveRemote {
            index: 0,
            remote: &seen,
            local: None,
            parent: Parent::Known(id("planned folder")),
            name: "a (conflict)",
            temporary: false,
            settles: Some(None),
        })
    };
    let wanted = before(&stage(), &Plan::default(), &base(), &[]);
    assert_eq!(wanted, Before::Stored(vec![Change::Remove(id("item"))]));
    let wanted = before(&stage(), &Plan::default(), &State::empty(), &[]);
    assert_eq!(wanted, Before::Stored(Vec::new()), "what is pending is stored all the same");
}

#[test]
fn deletions_here_are_noted_together_and_only_once() {
    let trash = |of: &str, at: &str, inode| {
        operation(
            Action::TrashLocal { id: Some(id(of)), local: local(at, stamp(inode, 1)), folder: false },
            at,
        )
    };
    let plan = Plan { operations: vec![trash("item", "d/a", 1), trash("other", "d/b", 2)], notes: vec![] };
    let (item, seen) = (id("item"), local("d/a", stamp(1, 1)));
    let stage = TrashLocal { index: 0, id: Some(&item), local: &seen };
    let Before::Noted(intent) = before(&stage, &plan, &base(), &[]) else { panic!("nothing is noted") };
    let expected = vec![(id("item"), path("d/a"), stamp(1, 1)), (id("other"), path("d/b"), stamp(2, 1))];
    assert_eq!(*intent, Intent::TrashHere { items: expected });
    let noted = [Done::Announced { ids: vec![id("item")], intent: 3 }];
    assert_eq!(before(&stage, &plan, &base(), &noted), Before::Nothing);
    let stage = TrashLocal { index: 0, id: None, local: &seen };
    assert_eq!(before(&stage, &plan, &base(), &[]), Before::Nothing, "no base knows it");
}

#[test]
fn a_download_over_another_items_file_notes_whose_place_it_takes() {
    let (operation, seen) = (operation(forget(), "d/b"), remote("2::2"));
    for (over, expected) in [
        (None, None),
        (Some(local("d/b", stamp(2, 1))), Some("other")),
        // The file there is not the one that the base knows: nobody gives way.
        (Some(local("d/b", stamp(5, 1))), None),
    ] {
        let over: Option<&LocalSeen> = over.as_ref();
        let (content, purpose) = (content(), Purpose::Download);
        let stage = Install { index: 0, operation: &operation, remote: &seen, over, content, purpose };
        let noted = match before(&stage, &Plan::default(), &base(), &[]) {
            Before::Noted(intent) => match *intent {
                Intent::TakeOver { old, .. } => Some(old),
                other => panic!("{other:?}"),
            },
            _ => None,
        };
        assert_eq!(noted, expected.map(id), "{over:?}");
    }
}

fn compare(otherwise: Conflict) -> Action {
    Action::Compare { remote: remote("1::1").into(), local: local("d/a", stamp(1, 1)).into(), otherwise }
}

fn settle(conflict: Conflict) -> Action {
    Action::Settle { remote: remote("1::1").into(), local: local("d/a", stamp(1, 1)).into(), conflict }
}

#[test]
fn an_operation_begins_by_what_was_brought_for_it() {
    let keep_both = || Conflict::KeepBoth { copy: path("d/a (conflict)"), local_only: false };
    let keep_there = || Conflict::KeepBothThere { name: "a (conflict)".into() };
    let download = || Action::Download { remote: remote("1::1"), over: None };
    let upload = || {
        let target = UploadTarget::Over { remote: remote("1::1").into(), way: Replacement::InPlace };
        Action::Upload { local: local("d/a", stamp(1, 1)), target }
    };
    let came = || Some(Arrived::Content(content()));
    let differs = |content| Some(Arrived::Different(content));
    let equal = || Some(Arrived::Equal { signature: signature(1), package: false });
    let sent = || Some(Arrived::Staged(staged()));
    for (action, arrived, expected) in [
        (forget(), None, "stage"),
        (download(), came(), "stage"),
        (download(), None, "planned again"),
        (download(), sent(), "planned again"),
        (upload(), sent(), "stage"),
        (upload(), came(), "planned again"),
        (compare(keep_both()), equal(), "stage"),
        (compare(keep_both()), differs(None), "another transfer"),
        (compare(keep_both()), differs(Some(content())), "stage"),
        (compare(Conflict::TakeRemote), differs(None), "another transfer"),
        (compare(Conflict::TakeRemote), came(), "stage"),
        (compare(Conflict::TakeLocal), differs(None), "another transfer"),
        (compare(Conflict::TakeLocal), sent(), "stage"),
        (compare(keep_there()), differs(None), "stage"),
        (compare(Conflict::SetAside), differs(None), "set aside"),
        (compare(Conflict::SetAside), differs(Some(content())), "set aside"),
        (settle(keep_both()), came(), "stage"),
        (settle(keep_both()), None, "planned again"),
        (settle(Conflict::TakeLocal), sent(), "stage"),
        (settle(Conflict::TakeLocal), came(), "planned again"),
        (settle(keep_there()), None, "stage"),
        (settle(Conflict::SetAside), None, "set aside"),
    ] {
        let plan = Plan { operations: vec![operation(action.clone(), "d/a")], notes: vec![] };
        let begun = match start(&plan, 0, arrived.as_ref(), None) {
            Start::Stage(_) => "stage",
            Start::Decided(_) => "another transfer",
            Start::Failed(StepFailure::Aside(_)) => "set aside",
            Start::Failed(_) => "planned again",
        };
        assert_eq!(begun, expected, "{action:?} with {arrived:?}");
    }
}

#[test]
fn content_is_of_no_use_where_the_local_version_keeps_the_name() {
    for (action, expected) in [
        (compare(Conflict::TakeLocal), false),
        (compare(Conflict::KeepBothThere { name: "x".into() }), false),
        (compare(Conflict::TakeRemote), true),
        (compare(Conflict::KeepBoth { copy: path("c"), local_only: false }), true),
        (Action::Download { remote: remote("1::1"), over: None }, true),
    ] {
        assert_eq!(needs_content(&operation(action.clone(), "d/a")), expected, "{action:?}");
    }
}

#[test]
fn what_is_pending_hides_what_is_stored() {
    let state = base();
    let mut overlay = Overlay::new();
    let moved = entry("item", "z", stamp(1, 1), "2::1");
    overlay.insert(id("item"), Some((ItemId::drive_root(), moved)));
    overlay.insert(id("other"), None);
    let base = moment(&state, &overlay).base;
    assert_eq!(base.entry(&id("item")).map(|(parent, _)| parent), Some(ItemId::drive_root()));
    assert_eq!(base.entry(&id("other")), None);
    assert!(base.is_forgotten(&id("other")) && !base.is_forgotten(&id("item")));
    assert_eq!(base.at_path(&id("planned folder"), "a", None), None);
    assert_eq!(base.at_path(&ItemId::drive_root(), "z", None).map(|entry| entry.id), Some(id("item")));
    assert_eq!(base.at_path(&ItemId::drive_root(), "z", Some(&id("item"))), None);
    assert_eq!(base.held_by(&id("planned folder")), []);
    assert_eq!(base.path_in(&id("planned folder"), "x"), Some(path("d/x")));
    assert_eq!(base.removal(&id("other")), [], "it is out already");
    assert_eq!(base.stored_path(&id("item")), Some(path("d/a")), "as it is stored");
}

#[test]
fn what_goes_with_its_folder_needs_no_more_to_be_said_of_it() {
    let state = base();
    let identity = stamp(2, 1).identity;
    let none = Overlay::new();
    assert_eq!(moment(&state, &none).base.cleared(identity, &id("item")).len(), 1);
    assert_eq!(moment(&state, &none).base.cleared(identity, &id("other")), [], "it is its own");
    assert_eq!(moment(&state, &none).base.cleared(Identity::default(), &id("item")), []);
    let going: Overlay = [(id("planned folder"), None)].into();
    assert_eq!(moment(&state, &going).base.cleared(identity, &id("item")), []);
}

#[test]
fn folders_in_a_circle_end_a_search() {
    let state = base();
    let around = |of: &str, within: &str| (id(of), Some((id(within), folder(of, of, 5))));
    let overlay: Overlay = [around("p", "q"), around("q", "p")].into();
    let base = moment(&state, &overlay).base;
    assert!(!base.is_forgotten(&id("p")) && base.path_in(&id("p"), "x").is_none());
    assert!(base.is_within(&id("p"), &id("q")) && !base.is_within(&id("p"), &id("planned folder")));
    assert!(base.folders_of(&id("p")).len() <= super::pending::MOST_ABOVE);
}

#[test]
fn each_effect_counts_as_one_thing() {
    let counted = |kind, side| {
        let mut counts = Counts::default();
        let reason = Reason::Same;
        counts.add(&Effect { kind, side, path: path("a"), other: None, bytes: 3, reason });
        assert_eq!(counts.bytes, 3);
        Counts { bytes: 0, ..counts }
    };
    let (here, there) = (Some(Side::Local), Some(Side::Remote));
    let none = Counts::default();
    for (kind, side, expected) in [
        (EffectKind::Adopt, None, Counts { adopted: 1, ..none }),
        (EffectKind::Forget, None, none),
        (EffectKind::Keep, here, none),
        (EffectKind::MakeFolder, here, Counts { folders_local: 1, ..none }),
        (EffectKind::MakeFolder, there, Counts { folders_remote: 1, ..none }),
        (EffectKind::Download, here, Counts { downloads: 1, ..none }),
        (EffectKind::Upload, there, Counts { uploads: 1, ..none }),
        (EffectKind::Move, here, Counts { moved_local: 1, ..none }),
        (EffectKind::Rename, there, Counts { moved_remote: 1, ..none }),
        // A comparison that makes way on iCloud names no side before.
        (EffectKind::Rename, None, Counts { moved_remote: 1, ..none }),
        (EffectKind::Delete, here, Counts { deleted_local: 1, ..none }),
        (EffectKind::Delete, there, Counts { deleted_remote: 1, ..none }),
        (EffectKind::Conflict, None, Counts { conflicts: 1, ..none }),
    ] {
        assert_eq!(counted(kind, side), expected, "{kind:?} {side:?}");
    }
}
