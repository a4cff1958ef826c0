//! What the guard is told of what was carried out.

use super::*;
use crate::model::state::{Decided, Deletion, GuardState, Verdict};

/// What the guard remembers once these lessons are stored with the end of the pass.
fn remembered(lessons: Vec<Lesson>, state: &mut State) -> GuardState {
    Desk::default().over(state, |ledger, _| {
        ledger.learn(lessons).unwrap();
        ledger.close().unwrap();
    });
    state.guard.clone()
}

fn deleted(of: &str) -> Lesson {
    Lesson::Deleted(Side::Local, vec![id(of)])
}

/// The time of the clock that stands still.
const NOW: i64 = 1_000_000;

fn count(guard: &GuardState) -> u64 {
    guard.recent.iter().map(|done| done.count).sum()
}

#[test]
fn the_deletion_of_a_folder_counts_all_that_went_with_it() {
    let guard = remembered(vec![deleted("folder")], &mut base());
    assert_eq!(guard.recent, [CarriedOut { on: Side::Local, at: NOW, count: 3 }]);
    assert_eq!(remembered(vec![deleted("nobody")], &mut base()).recent, []);
}

/// On iCloud it was moved into the folder, which the base does not know yet.
#[test]
fn what_went_with_a_folder_counts_wherever_the_base_has_it() {
    let with = |ids: &[&str]| vec![Lesson::Deleted(Side::Local, ids.iter().map(|of| id(of)).collect())];
    let beside = || {
        let mut state = base();
        let entry = entry("beside", "b", stamp(2, 1), "1::1");
        state.apply(&Change::Put { parent: ItemId::drive_root(), entry: Box::new(entry) });
        state
    };
    assert_eq!(count(&remembered(with(&["folder"]), &mut beside())), 3);
    assert_eq!(count(&remembered(with(&["folder", "beside"]), &mut beside())), 4);
    assert_eq!(
        count(&remembered(with(&["folder", "beside", "item", "nobody"]), &mut beside())),
        4,
        "each once"
    );
    let alone =
        [deleted("beside"), Lesson::Forget(id("beside"))].into_iter().chain(with(&["folder", "beside"]));
    assert_eq!(count(&remembered(alone.collect(), &mut beside())), 4, "what was counted alone, too");
}

#[test]
fn what_left_a_folder_before_it_went_does_not_count_with_it() {
    let moved = || {
        Lesson::Change(Change::Put {
            parent: ItemId::drive_root(),
            entry: Box::new(entry("item", "a", stamp(1, 1), "1::1")),
        })
    };
    assert_eq!(count(&remembered(vec![moved(), deleted("folder")], &mut base())), 2);
    // What stays in it does.
    assert_eq!(count(&remembered(vec![put("item", "c", stamp(1, 1)), deleted("folder")], &mut base())), 3);
    // What was deleted alone was counted alone.
    let lessons = vec![deleted("item"), Lesson::Forget(id("item")), deleted("folder")];
    assert_eq!(count(&remembered(lessons, &mut base())), 3);
}

#[test]
fn what_the_other_side_made_today_or_a_person_approved_does_not_count() {
    for (created, expected) in [
        (Some((Side::Remote, NOW - 5)), 2),
        (Some((Side::Local, NOW - 5)), 3),
        (Some((Side::Remote, NOW - 24 * 3600)), 3),
        (None, 3),
    ] {
        let mut state = base();
        let made = BaseEntry { created_on: created.into(), ..entry("item", "a", stamp(1, 1), "1::1") };
        state.apply(&Change::Put { parent: id("folder"), entry: Box::new(made) });
        assert_eq!(count(&remembered(vec![deleted("folder")], &mut state)), expected, "{created:?}");
    }
    for (verdict, expected) in [(Verdict::Approved, 2), (Verdict::Rejected, 3)] {
        let mut state = base();
        let (on, id) = (Side::Local, id("item").to_string());
        let (path, version) = ("d/a".to_owned(), "1".to_owned());
        let deletion = Deletion { on, id, path, at: NOW - 9, version };
        state.guard.decided.push(Decided { deletion, verdict });
        assert_eq!(count(&remembered(vec![deleted("folder")], &mut state)), expected, "{verdict:?}");
    }
}

#[test]
fn the_deletion_of_what_does_not_count_alone_is_not_stored() {
    let mut state = base();
    let created_on = Some((Side::Remote, NOW)).into();
    let made = BaseEntry { created_on, ..entry("item", "a", stamp(1, 1), "1::1") };
    state.apply(&Change::Put { parent: id("folder"), entry: Box::new(made) });
    let mut desk = Desk::default();
    desk.over(&mut state, |ledger, _| {
        ledger.learn(vec![deleted("item")]).unwrap();
        ledger.close().unwrap();
    });
    assert_eq!(desk.groups().len(), 0);
}

#[test]
fn a_long_memory_is_not_stored_with_each_group_but_with_the_last() {
    for (known, is_closing, is_stored) in
        [(0, false, true), (10, false, true), (11, false, false), (11, true, true)]
    {
        let (mut desk, mut state) = (Desk::default(), base());
        // Half of each kind.
        let done = |at| CarriedOut { on: Side::Local, at, count: 1 };
        state.guard.recent = (0..known / 2).map(|second| done(NOW - 3 * second)).collect();
        state.guard.overwrites = vec![NOW - 1; usize::try_from(known - known / 2).unwrap()];
        let overwrites = state.guard.overwrites.len();
        desk.over(&mut state, |ledger, _| {
            ledger.learn(vec![Lesson::Overwrote, Lesson::Change(Change::Synced(1))]).unwrap();
            if is_closing { ledger.close() } else { ledger.flush() }.unwrap();
            // What was told once is not told again; what was not is told with the last.
            ledger.close().unwrap();
        });
        let guards = desk.groups().iter().map(|group| group.len()).collect::<Vec<_>>();
        assert_eq!(guards, if is_stored { vec![2] } else { vec![1, 1] }, "{known} {is_closing}");
        assert_eq!(state.guard.overwrites.len(), overwrites + 1, "{known} {is_closing}");
    }
}

#[test]
fn what_is_older_than_the_windows_is_forgotten_with_what_is_counted() {
    let mut state = base();
    state.guard.overwrites = vec![NOW - 3600, NOW - 3599];
    let guard = remembered(vec![Lesson::Overwrote], &mut state);
    assert_eq!(guard.overwrites, [NOW - 3599, NOW]);
}
