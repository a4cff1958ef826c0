use super::*;
use crate::engine::operation::{LocalSeen, Reason, RemoteSeen};
use crate::model::state::{CarriedOut, Decided};
use crate::model::{BaseEntry, Etag, LocalStamp, Node};

const LIMITS: GuardLimits = GuardLimits { max_deletes: 1, max_delete_percent: 0 };

fn id(text: &str) -> ItemId {
    ItemId::new(ItemId::drive_root().zone().clone(), text)
}

/// A base with these folders.
fn base(names: &[&str]) -> BaseTree {
    let mut base = BaseTree::new(BaseEntry::root(ItemId::drive_root()));
    for name in names {
        let entry = BaseEntry { local_name: (*name).into(), ..BaseEntry::root(id(name)) };
        base.insert(Node::ROOT, name, entry);
    }
    base
}

/// A folder was deleted here, and `after` has to come first.
fn trash(name: &str, after: Vec<usize>) -> Operation {
    let remote = RemoteSeen {
        id: id(name),
        folder: true,
        package: false,
        etag: Etag::new("1"),
        parent: ItemId::drive_root(),
        name: name.into(),
        size: None,
        mtime: None,
        signature: None,
    };
    Operation {
        path: RelPath::parse(name).unwrap(),
        reason: Reason::Deleted(Side::Local),
        action: Action::TrashRemote { remote: remote.into(), subtree: Vec::new(), absent: None },
        after: after.into(),
    }
}

fn deletion(name: &str) -> Deletion {
    Deletion { on: Side::Remote, id: id(name).to_string(), path: name.into(), at: 0, version: String::new() }
}

#[test]
fn a_rejected_deletion_is_taken_back_though_what_it_waited_for_is_held() {
    let plan = Plan {
        operations: vec![trash("open", vec![]), trash("more", vec![]), trash("rejected", vec![0])],
        ..Plan::default()
    };
    let rejected = Decided { verdict: Verdict::Rejected, deletion: deletion("rejected") };
    let guard = GuardState { decided: vec![rejected], ..GuardState::default() };
    let (plan, guard, _) = apply(plan, &guard, &LIMITS, &base(&["open", "more", "rejected"]), 1);
    let left: Vec<_> = plan.operations.iter().map(|left| (left.path.as_str(), left.after.len())).collect();
    assert_eq!(left, [("rejected", 0)]);
    assert!(
        matches!(&plan.operations[0].action, Action::Forget { id: forgotten } if *forgotten == id("rejected"))
    );
    assert_eq!(guard.held.iter().map(|held| &*held.path).collect::<Vec<_>>(), ["open", "more"]);
}

fn local(name: &str) -> LocalSeen {
    LocalSeen {
        path: RelPath::parse(name).unwrap(),
        stamp: LocalStamp::default(),
        racy: false,
        signature: None,
    }
}

/// What goes up, new or over another version, once `after` is done.
fn upload(name: &str, target: UploadTarget, after: Vec<usize>) -> Operation {
    let action = Action::Upload { local: local(name), target };
    Operation {
        path: RelPath::parse(name).unwrap(),
        reason: Reason::New(Side::Local),
        action,
        after: after.into(),
    }
}

fn over(name: &str, way: Replacement) -> Operation {
    let Action::TrashRemote { remote, .. } = trash(name, Vec::new()).action else { unreachable!() };
    upload(name, UploadTarget::Over { remote, way }, Vec::new())
}

fn paths(plan: &Plan) -> Vec<&str> {
    plan.operations.iter().map(|left| left.path.as_str()).collect()
}

fn plan(operations: Vec<Operation>) -> Plan {
    Plan { operations, ..Plan::default() }
}

#[test]
fn what_another_clock_put_into_the_future_counts_from_now_on_and_no_longer() {
    let recent = vec![CarriedOut { on: Side::Remote, at: 9_000_000, count: 1 }];
    let guard = GuardState { recent, overwrites: vec![9_000_000], ..GuardState::default() };
    let (_, guard, _) = apply(Plan::default(), &guard, &LIMITS, &base(&[]), 1000);
    assert_eq!((guard.recent[0].at, &guard.overwrites[..]), (1000, &[1000][..]));
    let (_, guard, _) = apply(Plan::default(), &guard, &LIMITS, &base(&[]), 1000 + DELETION_WINDOW);
    assert!(guard.recent.is_empty() && guard.overwrites.is_empty());
}

#[test]
fn the_root_is_no_item_of_which_a_share_may_go() {
    let names: Vec<String> = (0..83).map(|number| format!("f{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let limits = GuardLimits { max_deletes: 0, max_delete_percent: 25 };
    let operations = names[..21].iter().map(|name| trash(name, Vec::new())).collect();
    let (left, ..) = apply(plan(operations), &GuardState::default(), &limits, &base(&names), 1);
    assert!(left.operations.is_empty(), "21 of 83 are more than a quarter, and of 84 are not");
}

#[test]
fn an_approval_covers_what_was_carried_out_up_to_its_own_second() {
    let approved = Decided { verdict: Verdict::Approved, deletion: Deletion { at: 100, ..deletion("said") } };
    let recent = |at| vec![CarriedOut { on: Side::Remote, at, count: 1 }];
    for (at, goes) in [(99, true), (100, true), (101, false)] {
        let guard =
            GuardState { decided: vec![approved.clone()], recent: recent(at), ..GuardState::default() };
        let operations = vec![trash("said", vec![]), trash("new", vec![])];
        let (left, guard, _) = apply(plan(operations), &guard, &LIMITS, &base(&["said", "new"]), 200);
        assert_eq!(
            paths(&left),
            if goes { vec!["said", "new"] } else { vec!["said"] },
            "carried out at {at}"
        );
        assert_eq!(guard.recent.is_empty(), goes, "carried out at {at}");
    }
}

#[test]
fn a_word_on_all_that_waited_holds_for_each_while_nobody_can_judge() {
    let before = GuardState {
        held: vec![deletion("open")],
        verdict: Some(Verdict::Approved),
        ..GuardState::default()
    };
    let mut guard = GuardState::default();
    goes_on_waiting(&mut guard, &before, Side::Remote);
    assert!(guard.held.is_empty());
    let decided: Vec<_> = guard.decided.iter().map(|known| (known.verdict, &*known.deletion.path)).collect();
    assert_eq!(decided, [(Verdict::Approved, "open")]);
    // The other side was judged: what it knows stays.
    let mut guard = GuardState { held: vec![deletion("other")], ..GuardState::default() };
    goes_on_waiting(&mut guard, &before, Side::Local);
    assert_eq!(guard.held, [deletion("other")]);
    assert!(guard.decided.is_empty());
}

#[test]
fn overwriting_that_was_recoverable_anyway_is_not_told() {
    for (way, notes) in [(Replacement::InPlace, 1), (Replacement::Trash, 0)] {
        let operations = ["a", "b"].map(|name| over(name, way)).into();
        let (left, _, told) = apply(plan(operations), &GuardState::default(), &LIMITS, &base(&["a", "b"]), 1);
        assert_eq!(told.len(), notes, "{way:?}");
        let softened = |operation: &Operation| {
            matches!(
                operation.action,
                Action::Upload { target: UploadTarget::Over { way: Replacement::Trash, .. }, .. }
            )
        };
        assert!(left.operations.len() == 2 && left.operations.iter().all(softened), "{way:?}");
    }
}

#[test]
fn what_builds_on_a_deletion_that_waits_or_is_taken_back_waits_too() {
    let made = |name: &str, after: Vec<usize>| {
        let action = Action::MakeRemoteFolder {
            local: local(name),
            parent: Parent::Known(ItemId::drive_root()),
            name: name.into(),
        };
        Operation {
            path: RelPath::parse(name).unwrap(),
            reason: Reason::New(Side::Local),
            action,
            after: after.into(),
        }
    };
    let into = |index| UploadTarget::New { parent: Parent::Made(index), name: "file".into() };
    let operations = |name| {
        vec![
            trash(name, vec![]),
            made("folder", vec![0]),
            upload("folder/file", into(1), vec![]),
            made("free", vec![]),
            upload("free/file", into(3), vec![]),
        ]
    };
    let known = base(&["held", "held too", "rejected"]);
    let mut held = operations("held");
    held.push(trash("held too", vec![]));
    let (left, guard, notes) = apply(plan(held), &GuardState::default(), &LIMITS, &known, 1);
    assert_eq!(paths(&left), ["free", "free/file"]);
    assert_eq!(guard.held.len(), 2);
    let waits = notes.iter().filter(|note| matches!(note.kind, NoteKind::Unsettled(_)));
    assert_eq!(waits.map(|note| note.path.as_str()).collect::<Vec<_>>(), ["folder", "folder/file"]);

    let rejected = Decided { verdict: Verdict::Rejected, deletion: deletion("rejected") };
    let guard = GuardState { decided: vec![rejected], ..GuardState::default() };
    let (left, ..) = apply(plan(operations("rejected")), &guard, &LIMITS, &known, 1);
    assert_eq!(paths(&left), ["rejected", "free", "free/file"]);
}

#[test]
fn what_is_taken_back_waits_for_nothing() {
    let rejected = Decided { verdict: Verdict::Rejected, deletion: deletion("rejected") };
    let guard = GuardState { decided: vec![rejected], ..GuardState::default() };
    let operations = vec![over("first", Replacement::InPlace), trash("rejected", vec![0])];
    let (left, ..) = apply(plan(operations), &guard, &LIMITS, &base(&["first", "rejected"]), 1);
    let waits: Vec<_> = left.operations.iter().map(|left| (left.path.as_str(), left.after.len())).collect();
    assert_eq!(waits, [("first", 0), ("rejected", 0)]);
}

fn on(side: Side, name: &str) -> Deletion {
    Deletion { on: side, ..deletion(name) }
}

fn said(verdict: Verdict, deletion: Deletion) -> Decided {
    Decided { verdict, deletion }
}

fn names<'a>(deletions: impl Iterator<Item = &'a Deletion>) -> Vec<(Side, &'a str)> {
    deletions.map(|deletion| (deletion.on, &*deletion.path)).collect()
}

#[test]
fn what_waits_on_a_side_that_nobody_can_judge_is_what_waited_there_before() {
    let both = |name: &str| [on(Side::Local, name), on(Side::Remote, name)];
    let all = |name: &str| GuardState {
        held: both(name).into(),
        decided: both(name).map(|deletion| said(Verdict::Rejected, deletion)).into(),
        ..GuardState::default()
    };
    let mut guard = all("now");
    goes_on_waiting(&mut guard, &all("before"), Side::Remote);
    let expected = [(Side::Local, "now"), (Side::Remote, "before")];
    assert_eq!(names(guard.held.iter()), expected);
    assert_eq!(names(guard.decided.iter().map(|known| &known.deletion)), expected);
}

/// What is left of the deletions of `said` and `new` on iCloud, one more of which was carried out at 99, after that decision.
fn left_after(known: Decided) -> (Vec<String>, GuardState) {
    let recent = vec![CarriedOut { on: Side::Remote, at: 99, count: 1 }];
    let guard = GuardState { decided: vec![known], recent, ..GuardState::default() };
    let operations = vec![trash("said", vec![]), trash("new", vec![])];
    let (left, guard, _) = apply(plan(operations), &guard, &LIMITS, &base(&["said", "new"]), 200);
    (paths(&left).into_iter().map(str::to_owned).collect(), guard)
}

#[test]
fn an_approval_alone_and_only_of_its_own_side_begins_the_window_anew() {
    let at = |side| Deletion { at: 100, ..on(side, "said") };
    let (left, guard) = left_after(said(Verdict::Approved, at(Side::Remote)));
    assert_eq!((left, guard.recent.len()), (vec!["said".into(), "new".into()], 0));
    let (left, guard) = left_after(said(Verdict::Rejected, at(Side::Remote)));
    assert_eq!((left, guard.recent.len()), (vec!["said".to_owned()], 1), "that one is restored");
    // What was said of an item here says nothing of it on iCloud.
    for verdict in [Verdict::Approved, Verdict::Rejected] {
        let (left, guard) = left_after(said(verdict, at(Side::Local)));
        assert_eq!((left.len(), guard.recent.len(), guard.held.len()), (0, 1, 2), "{verdict:?}");
    }
    // Nor does what begins on one side end on the other.
    let recent = [Side::Local, Side::Remote].map(|on| CarriedOut { on, at: 99, count: 1 });
    let decided = vec![said(Verdict::Approved, at(Side::Remote))];
    let guard = GuardState { decided, recent: recent.into(), ..GuardState::default() };
    let (_, guard, _) = apply(plan(vec![trash("said", vec![])]), &guard, &LIMITS, &base(&["said"]), 200);
    assert_eq!(guard.recent.iter().map(|done| done.on).collect::<Vec<_>>(), [Side::Local]);
}

#[test]
fn what_waits_here_does_not_make_the_same_item_wait_on_icloud() {
    for (side, goes) in [(Side::Local, 1), (Side::Remote, 0)] {
        let guard = GuardState { held: vec![on(side, "a")], ..GuardState::default() };
        let (left, ..) = apply(plan(vec![trash("a", vec![])]), &guard, &LIMITS, &base(&["a"]), 1);
        assert_eq!(left.operations.len(), goes, "{side:?}");
    }
}

#[test]
fn a_folder_is_shown_in_no_version_and_a_file_in_that_of_its_content() {
    let mut known = base(&["file", "folder"]);
    for (name, folder) in [("file", false), ("folder", true)] {
        let node = known.by_id(&id(name)).unwrap();
        known.update(node, |entry| (entry.folder, entry.remote.etag) = (folder, Etag::new("1::2")));
    }
    let operations = ["file", "folder"].map(|name| trash(name, vec![])).into();
    let (_, guard, _) = apply(plan(operations), &GuardState::default(), &LIMITS, &known, 1);
    let versions: Vec<_> = guard.held.iter().map(|held| (&*held.path, &*held.version)).collect();
    assert_eq!(versions, [("file", Etag::new("1::2").content()), ("folder", "")]);
}

#[test]
fn a_folder_that_waits_for_what_is_restored_first_is_told() {
    let mut operation = trash("folder", vec![]);
    let Action::TrashRemote { subtree, .. } = &mut operation.action else { unreachable!() };
    subtree.push((id("rejected"), Etag::new("1")));
    let decided = vec![said(Verdict::Rejected, deletion("rejected"))];
    let guard = GuardState { decided, ..GuardState::default() };
    let (left, _, notes) = apply(plan(vec![operation]), &guard, &LIMITS, &base(&["folder", "rejected"]), 1);
    assert!(
        matches!(&left.operations[..], [Operation { action: Action::Forget { id: of }, .. }] if *of == id("rejected"))
    );
    let [Note { path, kind: NoteKind::Unsettled(_) }] = &notes[..] else { panic!("{notes:?}") };
    assert_eq!(path.as_str(), "folder");
}

#[test]
fn a_deletion_that_waits_is_told_once_whatever_it_would_have_come_after() {
    let operations = vec![trash("a", vec![]), trash("b", vec![0])];
    let (left, _, notes) = apply(plan(operations), &GuardState::default(), &LIMITS, &base(&["a", "b"]), 1);
    let expected = ["a", "b"]
        .map(|name| Note { path: RelPath::parse(name).unwrap(), kind: NoteKind::Held(Side::Remote) });
    assert_eq!((left.operations.len(), notes), (0, expected.into()));
}

#[test]
fn what_is_new_overwrites_nothing() {
    let new = UploadTarget::New { parent: Parent::Known(ItemId::drive_root()), name: "new".into() };
    let operations = vec![over("a", Replacement::InPlace), upload("new", new, vec![])];
    let (left, _, notes) = apply(plan(operations), &GuardState::default(), &LIMITS, &base(&["a"]), 1);
    assert_eq!(notes, []);
    let in_place = |way: &Replacement| *way == Replacement::InPlace;
    assert!(matches!(
        &left.operations[0].action,
        Action::Upload { target: UploadTarget::Over { way, .. }, .. } if in_place(way)
    ));
}
