//! Commits of new files side by side: on services that take that and such that refuse it.

use std::time::Duration;

use icloudds::engine::execute::{Event, ExecuteOptions, Window};
use icloudds::engine::operation::{Action, Operation, Parent, Plan, UploadTarget};
use icloudds::engine::ports::Clock;

use super::{Bench, after, assert_clean, assert_planned_again, known, op, options, plan};
use crate::sim::{Call, Fault};

fn wide() -> ExecuteOptions<'static> {
    ExecuteOptions { window: Window::default().up_to(4), ..options() }
}

/// A new file of that content goes into that folder.
fn upload(bench: &Bench, at: &str, parent: Parent) -> Operation {
    assert!(bench.world.disk.write(at, format!("content of {at}").as_bytes()));
    let name = at.rsplit('/').next().expect("a name").into();
    op(Action::Upload { local: bench.local(at), target: UploadTarget::New { parent, name } }, at)
}

/// So many new files at the top.
fn many(bench: &Bench, count: usize) -> Plan {
    plan((0..count).map(|number| upload(bench, &format!("f{number}"), known(bench.id("")))).collect())
}

fn retries(bench: &Bench) -> usize {
    bench.events.iter().filter(|event| matches!(event, Event::Retry { .. })).count()
}

#[test]
fn the_window_opens_while_all_are_taken() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.takes_overlaps = true);
    let plan = many(&bench, 20);
    bench.later();
    let outcome = bench.run_with(&plan, &wide());
    assert_clean(&outcome);
    assert_eq!(bench.world.drive.widths(), [2, 3, 4, 4, 4, 2], "one, then wider and wider");
    assert_eq!(outcome.window.width(bench.world.clock.uptime()), 4);
    bench.assert_agreed();
}

#[test]
fn one_lane_is_one_lane() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.takes_overlaps = true);
    let plan = many(&bench, 8);
    bench.later();
    assert_clean(&bench.run(&plan));
    assert!(bench.world.drive.widths().is_empty());
}

#[test]
fn a_busy_zone_closes_it_and_all_come_one_by_one() {
    let mut bench = Bench::new(1);
    let plan = many(&bench, 20);
    bench.later();
    let outcome = bench.run_with(&plan, &wide());
    assert_clean(&outcome);
    assert_eq!(bench.world.drive.widths(), [2], "one attempt, then a rest");
    assert_eq!(retries(&bench), 1);
    let now = bench.world.clock.uptime();
    assert_eq!((outcome.window.width(now), outcome.window.width(now + Duration::from_secs(31))), (1, 1));
    bench.assert_agreed();
    // The next pass goes on where this one ended.
    let plan = many_more(&bench, 4);
    bench.later();
    let goes_on = ExecuteOptions { window: outcome.window, ..options() };
    assert_clean(&bench.run_with(&plan, &goes_on));
    assert_eq!(bench.world.drive.widths(), [2, 2], "after the rest once more");
    bench.assert_agreed();
}

fn many_more(bench: &Bench, count: usize) -> Plan {
    plan((0..count).map(|number| upload(bench, &format!("more {number}"), known(bench.id("")))).collect())
}

#[test]
fn one_of_several_that_fails_in_any_way_is_looked_at_and_tried_alone() {
    for fault in [Fault::Busy, Fault::LostAnswer, Fault::LostRequest, Fault::Rest] {
        for nth in 0..6 {
            let mut bench = Bench::new(nth);
            bench.world.drive.switch(|switches| switches.takes_overlaps = true);
            let plan = many(&bench, 9);
            bench.later();
            bench.world.fuse.script(Call::Commit, nth, fault);
            let outcome = bench.run_with(&plan, &wide());
            assert!(
                outcome.failed.is_empty() && outcome.plan_again.is_empty(),
                "{fault:?} {nth}: {outcome:?}"
            );
            assert_eq!(outcome.counts.uploads, 9, "{fault:?} {nth}");
            bench.assert_agreed();
        }
    }
}

#[test]
fn a_folder_that_is_deleted_while_a_busy_zone_is_waited_for_gets_nothing() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.into_trashed = true);
    bench.folder("d");
    bench.later();
    let into = known(bench.id("d"));
    let operations = (0..3).map(|number| upload(&bench, &format!("d/f{number}"), into.clone())).collect();
    bench.later();
    let drive = bench.world.drive.clone();
    // Others act while the refused one waits, which is less than any look would count for otherwise.
    bench.world.fuse.interject_at(Call::Pause, 0, move || assert!(drive.person_trash("d")));
    let folder = bench.id("d");
    let outcome = bench.run_with(&plan(operations), &wide());
    assert_eq!(bench.world.drive.widths(), [2]);
    assert_eq!(outcome.plan_again.len(), 3, "all that is in it is to be brought back: {outcome:?}");
    assert_eq!(bench.world.drive.within(&folder).len(), 2, "the refused one was not sent into the trash");
}

#[test]
fn a_file_that_is_edited_while_a_busy_zone_is_waited_for_is_planned_again() {
    let mut bench = Bench::new(1);
    let plan = many(&bench, 3);
    bench.later();
    let disk = bench.world.disk.clone();
    bench.world.fuse.interject_at(Call::Pause, 0, move || {
        for number in 0..3 {
            assert!(disk.write(&format!("f{number}"), b"edited"));
        }
    });
    let outcome = bench.run_with(&plan, &wide());
    assert_eq!(outcome.counts.uploads, 2);
    assert_planned_again(&outcome);
}

#[test]
fn names_that_differ_in_case_only_are_never_side_by_side() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.takes_overlaps = true);
    let names = ["x", "y", "Note", "note", "NOTE", "M\u{fc}ll", "Mu\u{308}ll", "m\u{fc}ll"];
    let operations = names.iter().map(|name| upload(&bench, name, known(bench.id("")))).collect();
    bench.later();
    bench.run_with(&plan(operations), &wide());
    assert!(!bench.world.drive.widths().is_empty());
    assert_eq!(bench.world.drive.overlaps(), 0, "the service would not know which of them to take");
}

#[test]
fn folders_are_made_before_and_nothing_else_overlaps() {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|switches| switches.takes_overlaps = true);
    bench.file("edited", b"old");
    bench.file("gone", b"old too");
    bench.later();
    assert!(bench.world.disk.mkdir("new") && bench.world.disk.write("edited", b"edited here"));
    assert!(bench.world.disk.delete("gone"));
    let folder = Action::MakeRemoteFolder {
        parent: known(bench.id("")),
        local: bench.local("new"),
        name: "new".into(),
    };
    let over = UploadTarget::Over {
        remote: bench.remote("edited").into(),
        way: icloudds::engine::operation::Replacement::InPlace,
    };
    let mut operations = vec![op(folder, "new")];
    for number in 0..6 {
        operations.push(after(upload(&bench, &format!("new/f{number}"), Parent::Made(0)), &[0]));
    }
    bench.later();
    operations.push(op(Action::Upload { local: bench.local("edited"), target: over }, "edited"));
    let remote = bench.remote("gone");
    let trash =
        Action::TrashRemote { remote: remote.into(), subtree: Vec::new(), absent: Some(super::path("gone")) };
    operations.push(op(trash, "gone"));
    assert_clean(&bench.run_with(&plan(operations), &wide()));
    assert_eq!(bench.world.drive.widths(), [2, 3]);
    bench.assert_agreed();
}
