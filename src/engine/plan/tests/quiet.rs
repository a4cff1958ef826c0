//! What a plan says of itself: whether it is quiet, and whether it has to be looked at again.

use super::fully::tell_fully;
use super::table::{happen, ignoring};
use super::world::World;
use crate::model::Side::{self, Local, Remote};

fn after(tree: &[&str], story: &[(Side, &str)]) -> World {
    let mut world = World::synced(tree);
    ignoring(&mut world);
    story.iter().for_each(|(side, script)| happen(&mut world, *side, script));
    world
}

#[test]
fn a_plan_is_quiet_that_changes_nothing_and_forgets_nothing() {
    for (tree, side, script, is_quiet) in [
        (&["f"][..], Local, "", true),
        (&["f"], Local, "touch f", true),
        (&["d/", "d/f"], Remote, "odd d; delete d/f; delete d", false),
        (&["d/"], Local, "new d/private; sync; odd d", true),
        (&["f"], Local, "edit f", false),
        (&["f"], Remote, "edit f", false),
        (&["f", "g"], Local, "touch f; edit g", false),
        // What is forgotten may be new to the next plan.
        (&["f"], Local, "ignore f", false),
    ] {
        let plan = after(tree, &[(side, script)]).plan();
        assert_eq!(plan.is_quiet(), is_quiet, "{script}: {:?}", tell_fully(&plan));
    }
    let kept = after(&["d/", "d/private"], &[(Remote, "delete d")]).plan();
    assert!(!kept.operations.is_empty() && !kept.is_quiet(), "{:?}", tell_fully(&kept));
    let kept = after(&["d/"], &[(Local, "new d/private"), (Remote, "delete d")]).plan();
    assert!(!kept.operations.is_empty() && kept.is_quiet(), "{:?}", tell_fully(&kept));
}

#[test]
fn a_plan_is_told_in_a_line_for_each_operation_and_note() {
    let told = after(&["f", "d/"], &[(Local, "edit f; hide d")]).plan().told();
    assert_eq!((told.operations.len(), told.notes.len()), (1, 1));
    assert_eq!(told.to_string(), format!("{}\n{}\n", told.operations[0], told.notes[0]));
}

#[test]
fn a_plan_is_unsettled_where_a_later_look_will_say_more() {
    for (tree, side, script, is_unsettled) in [
        (&["f"][..], Local, "", false),
        (&["f"], Local, "edit f", false),
        (&["d/", "d/f"], Local, "hide d", true),
        (&["d/", "d/f", "x"], Local, "hide d; most 0", true),
        (&["f"], Remote, "lend f", true),
        // These stay so until somebody does something.
        (&["f"], Remote, "untold f", false),
        (&["f"], Local, "most 0; edit f", false),
    ] {
        let plan = after(tree, &[(side, script)]).plan();
        assert_eq!(plan.is_unsettled(), is_unsettled, "{script}: {:?}", tell_fully(&plan));
    }
}
