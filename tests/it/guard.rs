//! The guards, sentence by sentence (`docs/sync.md` §8).

use icloudds::engine::guard::{GuardLimits, apply, is_exempt};
use icloudds::engine::operation::{
    Action, LocalSeen, NoteKind, Operation, Parent, Plan, Reason, RemoteSeen, Replacement, UploadTarget,
};
use icloudds::model::state::{CarriedOut, GuardState, Verdict};
use icloudds::model::{BaseEntry, BaseTree, Etag, ItemId, LocalStamp, Node, Presence, RelPath, Side, Zone};

use crate::passes::Bench;
use crate::sim::Call;

const NOW: i64 = 1_000_000;
const LIMITS: GuardLimits = GuardLimits { max_deletes: 100, max_delete_percent: 25 };

fn id(name: &str) -> ItemId {
    ItemId::new(Zone::CloudDocs, name)
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// A base of files `f0`, `f1`…, all of which were created where and when `created` says.
fn base(count: usize, created: Option<(Side, i64)>) -> BaseTree {
    let mut tree = BaseTree::new(BaseEntry::root(ItemId::drive_root()));
    for number in 0..count {
        let name = format!("f{number}");
        let entry = BaseEntry {
            id: id(&name),
            folder: false,
            local_name: name.as_str().into(),
            created_on: created.into(),
            presence: Presence::Both,
            ..BaseEntry::root(id(&name))
        };
        tree.insert(Node::ROOT, &name, entry);
    }
    tree
}

fn remote(name: &str, folder: bool) -> RemoteSeen {
    RemoteSeen {
        id: id(name),
        folder,
        package: false,
        etag: Etag::new("1::1"),
        parent: ItemId::drive_root(),
        name: name.into(),
        size: None,
        mtime: None,
        signature: None,
    }
}

fn local(name: &str) -> LocalSeen {
    LocalSeen { path: path(name), stamp: LocalStamp::default(), racy: false, signature: None }
}

fn op(action: Action, at: &str) -> Operation {
    Operation { action, path: path(at), reason: Reason::Deleted(Side::Local), after: Default::default() }
}

fn trash(on: Side, name: &str) -> Operation {
    match on {
        Side::Local => op(Action::TrashLocal { id: Some(id(name)), local: local(name), folder: false }, name),
        Side::Remote => op(
            Action::TrashRemote { remote: remote(name, false).into(), subtree: Vec::new(), absent: None },
            name,
        ),
    }
}

fn deletes(on: Side, numbers: std::ops::Range<usize>) -> Plan {
    let operations = numbers.map(|number| trash(on, &format!("f{number}"))).collect();
    Plan { operations, notes: Vec::new() }
}

fn recent(on: Side, count: usize, at: i64) -> GuardState {
    let recent = (count > 0).then_some(CarriedOut { on, at, count: count as u64 }).into_iter().collect();
    GuardState { recent, ..GuardState::default() }
}

#[test]
fn many_deletions_are_held_on_either_side() {
    for on in [Side::Local, Side::Remote] {
        for (base_len, planned, before, held) in [
            (1000, 100, 0, false),
            (1000, 101, 0, true),
            // A rolling window: what was carried out counts.
            (1000, 60, 40, false),
            (1000, 60, 41, true),
            // The percentage counts from twenty items on.
            (30, 19, 0, false),
            (30, 20, 0, true),
            (80, 20, 0, false),
            (80, 21, 0, true),
        ] {
            let guard = recent(on, before, NOW - 100);
            let (plan, guard, notes) =
                apply(deletes(on, 0..planned), &guard, &LIMITS, &base(base_len, None), NOW);
            let case = format!("{on:?} {planned} of {base_len} after {before}");
            assert_eq!(plan.operations.is_empty(), held, "{case}");
            assert_eq!(guard.held.len(), if held { planned } else { 0 }, "{case}");
            assert_eq!(notes.iter().filter(|note| note.kind == NoteKind::Held(on)).count(), guard.held.len());
        }
    }
}

#[test]
fn zero_means_no_limit() {
    for (max_deletes, max_delete_percent, held) in [(0, 0, false), (0, 25, true), (100, 0, true)] {
        let limits = GuardLimits { max_deletes, max_delete_percent };
        let (plan, ..) =
            apply(deletes(Side::Local, 0..300), &GuardState::default(), &limits, &base(300, None), NOW);
        assert_eq!(plan.operations.is_empty(), held);
    }
}

#[test]
fn each_side_counts_by_itself_and_old_deletions_no_longer() {
    let base = base(1000, None);
    let (plan, ..) =
        apply(deletes(Side::Local, 0..60), &recent(Side::Remote, 60, NOW - 1), &LIMITS, &base, NOW);
    assert_eq!(plan.operations.len(), 60);
    let day_ago = recent(Side::Local, 60, NOW - 24 * 3600);
    let (plan, guard, _) = apply(deletes(Side::Local, 0..60), &day_ago, &LIMITS, &base, NOW);
    assert_eq!((plan.operations.len(), guard.recent.len()), (60, 0));
}

#[test]
fn a_folder_counts_with_all_in_it() {
    let subtree = (0..101).map(|number| (id(&format!("f{number}")), Etag::default())).collect();
    let action = Action::TrashRemote { remote: remote("d", true).into(), subtree, absent: None };
    let plan = Plan { operations: vec![op(action, "d")], notes: Vec::new() };
    let (plan, guard, _) = apply(plan, &GuardState::default(), &LIMITS, &base(1000, None), NOW);
    assert!(plan.operations.is_empty());
    assert_eq!(guard.held.len(), 102);
    assert!(guard.held.iter().any(|held| held.path == "f7"));
}

#[test]
fn what_the_same_person_made_there_today_does_not_count() {
    // Deleted here means carried out on iCloud.
    for (created, on, exempt) in [
        (Some((Side::Local, NOW - 10)), Side::Remote, true),
        (Some((Side::Remote, NOW - 10)), Side::Local, true),
        (Some((Side::Remote, NOW - 10)), Side::Remote, false),
        (Some((Side::Local, NOW - 10)), Side::Local, false),
        (Some((Side::Local, NOW - 24 * 3600)), Side::Remote, false),
        (None, Side::Remote, false),
    ] {
        let base = base(300, created);
        assert_eq!(is_exempt(base.get(base.by_id(&id("f0")).unwrap()), on, NOW), exempt);
        let (plan, ..) = apply(deletes(on, 0..200), &GuardState::default(), &LIMITS, &base, NOW);
        assert_eq!(plan.operations.len(), if exempt { 200 } else { 0 }, "{created:?} {on:?}");
    }
}

#[test]
fn everything_else_goes_on_but_what_builds_on_a_held_deletion() {
    let mut plan = deletes(Side::Local, 0..101);
    let make =
        |at: &str, parent| op(Action::MakeRemoteFolder { local: local(at), parent, name: at.into() }, at);
    plan.operations.push(make("free", Parent::Known(ItemId::drive_root())));
    let mut inside = make("inside", Parent::Made(101));
    inside.after = vec![101].into();
    plan.operations.push(inside);
    let mut waits = make("f0", Parent::Known(ItemId::drive_root()));
    waits.after = vec![0].into();
    plan.operations.push(waits);
    let (plan, _, notes) = apply(plan, &GuardState::default(), &LIMITS, &base(1000, None), NOW);
    assert_eq!(plan.operations.len(), 2);
    assert_eq!(*plan.operations[1].after, [0]);
    assert!(matches!(&plan.operations[1].action, Action::MakeRemoteFolder { parent: Parent::Made(0), .. }));
    assert_eq!(notes.iter().filter(|note| matches!(note.kind, NoteKind::Unsettled(_))).count(), 1);
}

#[test]
fn the_held_set_absorbs_survives_and_dissolves() {
    let base = base(1000, None);
    let on = Side::Remote;
    let (_, guard, _) = apply(deletes(on, 0..101), &GuardState::default(), &LIMITS, &base, NOW);
    // A single further deletion joins, and the old ones keep their time.
    let (plan, guard, _) = apply(deletes(on, 0..102), &guard, &LIMITS, &base, NOW + 5);
    assert!(plan.operations.is_empty());
    assert_eq!(guard.held.iter().filter(|held| held.at == NOW).count(), 101);
    // Some files come back: the rest still waits.
    let (plan, guard, _) = apply(deletes(on, 0..10), &guard, &LIMITS, &base, NOW + 6);
    assert!(plan.operations.is_empty());
    assert_eq!(guard.held.len(), 10);
    // All come back: nothing is held, and a small deletion goes through again.
    let (_, guard, _) = apply(deletes(on, 0..0), &guard, &LIMITS, &base, NOW + 7);
    assert!(guard.held.is_empty());
    let (plan, ..) = apply(deletes(on, 0..10), &guard, &LIMITS, &base, NOW + 8);
    assert_eq!(plan.operations.len(), 10);
}

fn decided(on: Side, verdict: Verdict, before: usize) -> GuardState {
    let base = base(1000, None);
    let guard = recent(on, before, NOW - 100);
    let (_, mut guard, _) = apply(deletes(on, 0..101), &guard, &LIMITS, &base, NOW);
    guard.verdict = Some(verdict);
    guard
}

#[test]
fn an_approval_lets_go_and_resets_the_window_until_all_is_carried_out() {
    let base = base(1000, None);
    for on in [Side::Local, Side::Remote] {
        let guard = decided(on, Verdict::Approved, 50);
        let (plan, guard, notes) = apply(deletes(on, 0..101), &guard, &LIMITS, &base, NOW + 10);
        assert_eq!((plan.operations.len(), notes.len()), (101, 0));
        assert!(guard.recent.is_empty(), "the window begins anew");
        assert_eq!((guard.decided.len(), guard.held.len()), (101, 0));
        // A pass that was interrupted asks nobody again.
        let (plan, guard, _) = apply(deletes(on, 40..101), &guard, &LIMITS, &base, NOW + 20);
        assert_eq!((plan.operations.len(), guard.decided.len()), (61, 61));
        // Others are judged, and asked about, by themselves meanwhile.
        let (plan, guard, _) = apply(deletes(on, 100..250), &guard, &LIMITS, &base, NOW + 25);
        assert_eq!((plan.operations.len(), guard.decided.len(), guard.held.len()), (1, 1, 149));
        let (_, guard, _) = apply(deletes(on, 0..0), &guard, &LIMITS, &base, NOW + 30);
        assert_eq!(guard, GuardState::default());
    }
}

#[test]
fn a_rejection_makes_the_base_forget() {
    let base = base(1000, None);
    for on in [Side::Local, Side::Remote] {
        let guard = decided(on, Verdict::Rejected, 0);
        let (plan, guard, _) = apply(deletes(on, 0..102), &guard, &LIMITS, &base, NOW + 10);
        let forgotten = plan
            .operations
            .iter()
            .filter(|operation| matches!(operation.action, Action::Forget { .. }))
            .count();
        assert_eq!((forgotten, plan.operations.len()), (101, 102), "one that nobody was asked about goes on");
        assert!(guard.decided.iter().all(|known| known.verdict == Verdict::Rejected));
        assert_eq!((guard.decided.len(), guard.verdict), (101, None));
        let (_, guard, _) = apply(Plan::default(), &guard, &LIMITS, &base, NOW + 20);
        assert_eq!(guard, GuardState::default());
    }
}

#[test]
fn many_overwrites_go_by_way_of_the_trash_and_are_told() {
    for (planned, before, at, softened) in
        [(100, 0, 0, false), (101, 0, 0, true), (60, 41, NOW - 10, true), (60, 41, NOW - 3600, false)]
    {
        let upload = |number: usize| {
            let name = format!("f{number}");
            let target =
                UploadTarget::Over { remote: remote(&name, false).into(), way: Replacement::InPlace };
            op(Action::Upload { local: local(&name), target }, &name)
        };
        let plan = Plan { operations: (0..planned).map(upload).collect(), notes: Vec::new() };
        let guard = GuardState { overwrites: vec![at; before], ..GuardState::default() };
        let (plan, guard, notes) = apply(plan, &guard, &LIMITS, &base(1000, None), NOW);
        let by_trash = plan.operations.iter().filter(|operation| {
            matches!(
                &operation.action,
                Action::Upload { target: UploadTarget::Over { way: Replacement::Trash, .. }, .. }
            )
        });
        assert_eq!(by_trash.count(), if softened { planned } else { 0 });
        assert_eq!(notes.len(), usize::from(softened));
        assert_eq!(guard.overwrites.len(), if at > NOW - 3600 { before } else { 0 });
    }
}

/// A deletion of the folder `d` on iCloud with some of the files in it.
fn folder(numbers: std::ops::Range<usize>) -> Plan {
    let subtree = numbers.map(|number| (id(&format!("f{number}")), Etag::default())).collect();
    let action = Action::TrashRemote { remote: remote("d", true).into(), subtree, absent: None };
    Plan { operations: vec![op(action, "d")], notes: Vec::new() }
}

fn shown_and(verdict: Verdict, plan: Plan, base: &BaseTree) -> GuardState {
    let (_, mut guard, _) = apply(plan, &GuardState::default(), &LIMITS, base, NOW);
    let shown = guard.held.clone();
    assert_eq!(guard.decide(verdict, &shown), shown.len());
    guard
}

#[test]
fn an_approval_covers_no_more_of_a_folder_than_was_shown() {
    let base = base(100, None);
    // 26 files of a folder are shown and approved; then all of the folder is deleted.
    let guard = shown_and(Verdict::Approved, deletes(Side::Remote, 0..26), &base);
    let (plan, guard, notes) = apply(folder(0..100), &guard, &LIMITS, &base, NOW + 5);
    assert!(plan.operations.is_empty());
    assert_eq!((guard.held.len(), guard.decided.len()), (101, 26));
    assert!(notes.iter().any(|note| note.kind == NoteKind::Held(Side::Remote)));
    // Asked anew, all of it goes.
    let mut guard = guard;
    let shown = guard.held.clone();
    guard.decide(Verdict::Approved, &shown);
    let (plan, guard, _) = apply(folder(0..100), &guard, &LIMITS, &base, NOW + 9);
    assert_eq!((plan.operations.len(), guard.held.len(), guard.decided.len()), (1, 0, 101));
}

#[test]
fn a_few_more_in_a_folder_that_was_approved_are_no_question() {
    let base = base(400, None);
    let guard = shown_and(Verdict::Approved, deletes(Side::Remote, 0..101), &base);
    let (plan, guard, _) = apply(folder(0..104), &guard, &LIMITS, &base, NOW + 5);
    assert_eq!((plan.operations.len(), guard.held.len()), (1, 0), "three files and the folder are no many");
}

#[test]
fn what_joins_the_held_ones_after_they_were_shown_goes_on_waiting() {
    for verdict in [Verdict::Approved, Verdict::Rejected] {
        for on in [Side::Local, Side::Remote] {
            let base = base(1000, None);
            let (_, shown, _) = apply(deletes(on, 0..101), &GuardState::default(), &LIMITS, &base, NOW);
            // A pass that runs while the person reads takes in two more.
            let (_, mut guard, _) = apply(deletes(on, 0..103), &shown, &LIMITS, &base, NOW + 3);
            assert_ne!(shown.list_name(), guard.list_name());
            assert_eq!(guard.decide(verdict, &shown.held), 101);
            assert_eq!(guard.held.len(), 2);
            let (plan, guard, _) = apply(deletes(on, 0..103), &guard, &LIMITS, &base, NOW + 6);
            assert_eq!((plan.operations.len(), guard.held.len(), guard.decided.len()), (101, 2, 101));
            let forgets = |operation: &&Operation| matches!(operation.action, Action::Forget { .. });
            let forgotten = plan.operations.iter().filter(forgets).count();
            assert_eq!(forgotten, if verdict == Verdict::Rejected { 101 } else { 0 });
        }
    }
}

#[test]
fn a_part_of_the_list_is_decided_alone() {
    let base = base(1000, None);
    let on = Side::Local;
    let (_, mut guard, _) = apply(deletes(on, 0..150), &GuardState::default(), &LIMITS, &base, NOW);
    let part = guard.held[..30].to_vec();
    assert_eq!(guard.decide(Verdict::Approved, &part), 30);
    let (plan, guard, _) = apply(deletes(on, 0..150), &guard, &LIMITS, &base, NOW + 1);
    assert_eq!((plan.operations.len(), guard.held.len()), (30, 120));
}

#[test]
fn a_newer_version_at_the_same_path_is_asked_about_anew() {
    for on in [Side::Local, Side::Remote] {
        let old = base(1000, None);
        let guard = shown_and(Verdict::Approved, deletes(on, 0..101), &old);
        let mut new = base(1000, None);
        for number in 0..101 {
            let node = new.by_id(&id(&format!("f{number}"))).unwrap();
            new.update(node, |entry| entry.remote.etag = Etag::new("7::another"));
        }
        let (plan, guard, _) = apply(deletes(on, 0..101), &guard, &LIMITS, &new, NOW + 5);
        assert_eq!((plan.operations.len(), guard.held.len()), (0, 101));
        // A new name alone is no new version.
        let guard = shown_and(Verdict::Approved, deletes(on, 0..101), &old);
        let mut renamed = base(1000, None);
        for number in 0..101 {
            let node = renamed.by_id(&id(&format!("f{number}"))).unwrap();
            renamed.update(node, |entry| entry.remote.etag = Etag::new("99::"));
        }
        let (plan, ..) = apply(deletes(on, 0..101), &guard, &LIMITS, &renamed, NOW + 5);
        assert_eq!(plan.operations.len(), 101);
    }
}

#[test]
fn of_a_folder_only_what_was_rejected_is_restored() {
    let base = base(100, None);
    let guard = shown_and(Verdict::Rejected, deletes(Side::Remote, 0..26), &base);
    let (plan, guard, _) = apply(folder(0..100), &guard, &LIMITS, &base, NOW + 5);
    assert_eq!(plan.operations.len(), 26);
    assert!(plan.operations.iter().all(|operation| matches!(operation.action, Action::Forget { .. })));
    assert_eq!((guard.held.len(), guard.decided.len()), (0, 26));
}

#[test]
fn what_was_decided_holds_only_while_it_is_planned() {
    let base = base(1000, None);
    let on = Side::Remote;
    let guard = shown_and(Verdict::Approved, deletes(on, 0..101), &base);
    // They came back, and nothing is to be deleted; later they go again.
    let (_, guard, _) = apply(Plan::default(), &guard, &LIMITS, &base, NOW + 5);
    assert_eq!(guard, GuardState::default());
    let (plan, guard, _) = apply(deletes(on, 0..101), &guard, &LIMITS, &base, NOW + 9);
    assert_eq!((plan.operations.len(), guard.held.len()), (0, 101));
    // While something changes here nobody can say: it holds on.
    let mut guard = shown_and(Verdict::Approved, deletes(on, 0..101), &base);
    let before = guard.clone();
    guard.decided.clear();
    icloudds::engine::guard::goes_on_waiting(&mut guard, &before, on);
    assert_eq!(guard, before);
}

#[test]
fn what_falls_out_of_the_windows_is_forgotten_and_no_reason_to_store() {
    let mut bench = Bench::with_files(1, 4);
    bench.wait(90_000);
    for number in 0..2 {
        assert!(bench.world.disk.write(&format!("f{number}"), b"another content"));
    }
    bench.delete(2..3);
    bench.wait(100);
    bench.settle();
    let stored = || bench.world.store.durable().guard;
    assert_eq!((stored().overwrites.len(), stored().recent.len()), (2, 1));
    bench.wait(90_000);
    bench.world.fuse.forget_calls();
    assert!(bench.pass().rests());
    let calls = bench.world.fuse.trace();
    let is_change = |(call, about): &(Call, String)| *call == Call::Store && about != "Time";
    assert!(!calls.iter().any(is_change), "{calls:?}");
    // What is stored next is without it.
    bench.delete(3..4);
    bench.settle();
    let stored = bench.world.store.durable().guard;
    assert_eq!((stored.overwrites.len(), stored.recent.len()), (0, 1));
}
