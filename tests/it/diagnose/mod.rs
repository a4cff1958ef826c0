//! `icloudds diagnose`, the built binary against the simulated iCloud: the right answer to each open question, and nothing private.

mod ends;
mod private;
mod questions;
mod writes;

use std::time::Duration;

use icloudds_simulator::Switches;
use serde_json::Value;

use crate::e2e::rig::Rig;

/// Signed in; whoever listens for a push is answered at once.
fn signed_in() -> Rig {
    let rig = Rig::signed_in();
    rig.sim.switches(|switches| switches.aps_hold = Duration::ZERO);
    rig
}

/// So many folders in the root, with a file in every tenth.
fn with_folders(rig: &Rig, count: usize) {
    for number in 0..count {
        rig.there().folder(&format!("Folder {number:03}")).expect("a folder");
        if number % 10 == 0 {
            rig.there().write(&format!("Folder {number:03}/file.txt"), "some text").expect("a file");
        }
    }
}

/// Sets switches by their names, as the simulator's command line does.
fn set(rig: &Rig, switches: &[(&str, &str)]) {
    rig.sim.switches(|all: &mut Switches| {
        for (name, value) in switches {
            all.set(name, value).unwrap_or_else(|error| panic!("{error}"));
        }
    });
}

/// Runs it with `--json` to that exit code.
#[track_caller]
fn report(rig: &Rig, arguments: &[&str], exit: i32) -> Value {
    let mut all = vec!["diagnose", "--json"];
    all.extend(arguments);
    let ran = rig.run(&all).expect(exit);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

/// What the report says of a question in that line; empty where it says nothing.
fn answer(report: &Value, section: &str, line: &str, question: u64) -> String {
    let answers = report["sections"][section][line]["answers"].as_array().cloned().unwrap_or_default();
    let found = answers.iter().find(|answer| answer["question"] == question);
    found.and_then(|answer| answer["follows"].as_str()).unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_answers(report: &Value, expected: &[(&str, &str, u64, &str)]) {
    for (section, line, question, follows) in expected {
        let found = answer(report, section, line, *question);
        assert!(
            found.contains(follows),
            "question {question} in {section}/{line}: {found:?}, not {follows:?}: {:#}",
            report["sections"][section]
        );
    }
}
