//! Every control and format character through every output: a name, or a word of the service, must not move the cursor of
//! a terminal, turn the direction of reading, or be unseen.

use std::fs;

use icloudds_simulator::fault::{Effect, FaultBody};

use crate::e2e::rig::{Rig, shown};
use crate::run::daemon::{Daemon, hurry};

/// What Unicode calls a control, a format character or a separator of lines.
fn hidden() -> Vec<char> {
    let class = regex::Regex::new(r"\A[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]\z").expect("a class");
    let all: Vec<char> = ('\0'..=char::MAX).filter(|c| class.is_match(c.encode_utf8(&mut [0; 4]))).collect();
    assert!(all.len() > 200 && all.contains(&'\u{61c}') && all.contains(&'\u{9b}'), "{}", all.len());
    all
}

/// Names that hold all of them but NUL, which no disk takes.
fn names() -> Vec<String> {
    let all = hidden();
    let named = all.iter().filter(|c| **c != '\0').copied().collect::<Vec<_>>();
    named
        .chunks(40)
        .enumerate()
        .map(|(at, part)| format!("n{at} {}", part.iter().collect::<String>()))
        .collect()
}

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let hidden = hidden();
    if let Some(bad) = text.chars().find(|c| *c != '\n' && hidden.contains(c)) {
        panic!("{what} holds U+{:04X} as it is:\n{text:?}", u32::from(bad));
    }
}

#[track_caller]
fn assert_tells(what: &str, text: &str, names: &[String]) {
    assert_clean(what, text);
    for at in 0..names.len() {
        assert!(text.contains(&format!("n{at} ")), "{what} does not tell n{at}:\n{text}");
    }
}

#[test]
fn names_pass_through_every_output_escaped() {
    let names = names();
    let mut rig = Rig::signed_in();
    rig.forgiving = true;
    hurry(&mut rig);
    let log = rig.aside().join("log/icloudds.log");
    rig.set_text("log.file", &shown(&log)).set("log.state_dump", "true").set_text("log.level", "debug");
    for name in &names {
        rig.write(name, "x");
    }
    let plan = rig.run(&["plan"]).expect(0);
    assert_tells("plan", &plan.stdout, &names);
    assert_clean("plan, standard error", &plan.stderr);
    let json = rig.run(&["plan", "--json"]).expect(0).stdout;
    assert_tells("plan --json", &json, &names);
    let told: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let paths: Vec<_> =
        told["operations"].as_array().expect("a list").iter().map(|line| &line["path"]).collect();
    assert!(names.iter().all(|name| paths.contains(&&serde_json::json!(name))), "{paths:?}");

    let once = rig.run(&["once"]);
    assert!([0, 12].contains(&once.exit), "{}", once.stderr);
    assert_tells("once", &once.stderr, &names);
    rig.set_text("log.format", "json").set_text("log.file_format", "json");
    for name in &names {
        fs::write(rig.at(name), "edited").expect("written");
    }
    let daemon = Daemon::start(&rig);
    daemon
        .wait("the edits are told", || (0..names.len()).all(|at| daemon.log().contains(&format!("n{at} "))));
    daemon.wait("a pass is over", || daemon.status().totals.passes > 0);
    for arguments in [&["status"][..], &["status", "--json"], &["health"], &["plan"], &["plan", "--json"]] {
        let ran = rig.run(arguments);
        assert_clean(&arguments.join(" "), &ran.stdout);
        assert_clean(&arguments.join(" "), &ran.stderr);
    }
    for name in &names {
        assert_clean("why beside a daemon", &rig.run(&["why", name]).expect(0).stdout);
    }
    assert_tells("the log of run, as JSON", &daemon.stop(), &names);
    assert_clean("status.json", &fs::read_to_string(rig.state().join("status.json")).expect("a status"));

    for name in &names {
        assert_clean("why", &rig.run(&["why", name]).expect(0).stdout);
        rig.rm(name);
    }
    rig.set_text("log.format", "text").set_text("log.file_format", "text");
    let once = rig.run(&["once"]);
    assert_clean("once", &once.stderr);
    let held = rig.run(&["approve"]).expect(0);
    assert_clean("approve", &held.stdout);
    rig.run(&["once"]);
    for name in &names {
        let ran = rig.run(&["trash", "restore", name]);
        assert_clean("trash restore", &format!("{}{}", ran.stdout, ran.stderr));
    }
    assert_clean("trash list", &rig.run(&["trash", "list"]).expect(0).stdout);
    let mut files = 0;
    for entry in fs::read_dir(log.parent().expect("a folder")).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_clean(&shown(&path), &fs::read_to_string(&path).expect("a text"));
        files += 1;
    }
    assert!(files >= 6, "the log and five state files: {files}");
}

#[test]
fn words_of_the_service_are_escaped() {
    let words: String = hidden().into_iter().collect();
    let rig = Rig::signed_in();
    for kind in ["listing", "validate"] {
        let code = Some(format!("say {words} said"));
        let effect = Effect::Answer {
            status: 421,
            body: FaultBody::Json,
            retry_after: None,
            code,
            headers: Vec::new(),
        };
        rig.sim.switches(|switches| switches.faults.clear());
        rig.fault(Some(kind), 0, 1000, effect);
        for command in ["once", "plan"] {
            let ran = rig.run(&[command]);
            assert_clean(&format!("{command} after {kind}"), &ran.stderr);
        }
    }
}

#[test]
fn words_of_the_command_line_and_the_configuration_are_escaped() {
    let mut rig = Rig::new();
    let words: String = hidden().into_iter().filter(|c| *c != '\0').collect();
    for arguments in [
        &["why", &words][..],
        &[&words],
        &["status", &words],
        &["trash", "restore", &words],
        &["--config", &words, "once"],
    ] {
        let ran = rig.run(arguments);
        // A path may be called so; the others are refused.
        assert!(ran.exit != 0 || arguments[0] == "why", "{arguments:?}");
        assert_clean("a refusal", &format!("{}{}", ran.stdout, ran.stderr));
    }
    rig.set("sync.ignore", &toml::Value::from(vec![regex::escape(&format!("a{words}"))]).to_string());
    let shown = rig.run(&["check-config"]).expect(0).stdout;
    assert_clean("check-config", &shown);
    assert!(shown.contains("\\u202E"), "{shown}");
    for key in ["log.level", "sync.directory", "sync.mode", "limits.max_file_size"] {
        rig.set_text(key, &words);
        let ran = rig.run(&["check-config"]);
        assert_ne!(ran.exit, 0, "{key}");
        assert_clean(key, &format!("{}{}", ran.stdout, ran.stderr));
        rig.unset(key);
    }
}
