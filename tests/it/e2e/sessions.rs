//! `login --import-session` and `--export-session` with the built binary.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use icloudds_simulator::control::Expire;
use serde_json::Value;

use super::rig::{Ran, Rig, shown};

fn export(rig: &Rig) -> (PathBuf, String) {
    let file = rig.aside().join("session.json");
    rig.run(&["login", "--export-session", &shown(&file)]).expect(0);
    let text = fs::read_to_string(&file).expect("a session");
    (file, text)
}

/// The same session as a browser's cookie file, and as a line copied as cURL.
fn browser_forms(export: &str) -> [(&'static str, String); 2] {
    let value: Value = serde_json::from_str(export).expect("JSON");
    let (mut lines, mut pairs) = ("# Netscape HTTP Cookie File\n".to_owned(), Vec::new());
    for cookie in value["cookies"].as_array().expect("cookies") {
        let text = |name: &str| cookie[name].as_str().expect("a text");
        let expires = cookie["expires"].as_i64().unwrap_or(0);
        let (name, value) = (text("name"), text("value"));
        lines.push_str(&format!(".icloud.com\tTRUE\t/\tTRUE\t{expires}\t{name}\t{value}\n"));
        pairs.push(format!("{name}={value}"));
    }
    let line =
        format!("curl 'https://p31-drivews.icloud.com/x' -X POST \\\n -H 'Cookie: {}'", pairs.join("; "));
    [("cookies.txt", lines), ("curl.txt", line)]
}

/// Takes a session from the standard input.
fn import_piped(rig: &Rig, text: &str) -> Ran {
    let mut child =
        rig.command(&["login", "--import-session", "-"]).stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    rig.finish(child)
}

/// As on another machine, with no password.
fn elsewhere(rig: &mut Rig, name: &str) {
    let state = rig.aside().join(name);
    rig.set_text("sync.state_directory", &shown(&state)).unset("account.password");
}

#[test]
fn an_exported_session_is_for_its_owner_alone_and_works_elsewhere() {
    let mut rig = Rig::signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    // One that was there, readable by all, is not written through.
    fs::write(rig.aside().join("session.json"), "old").expect("a file");
    fs::set_permissions(rig.aside().join("session.json"), fs::Permissions::from_mode(0o644)).expect("a mode");
    let (file, text) = export(&rig);
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let piped = rig.run(&["login", "--export-session", "-"]).expect(0);
    let value: Value = serde_json::from_str(&piped.stdout).expect("JSON and nothing else");
    assert!(value["cookies"].as_array().is_some_and(|cookies| !cookies.is_empty()));
    let before = rig.sim.count("signin.init");
    let [netscape, curl] = browser_forms(&text);
    for (name, text) in [("ours.json", text), netscape, curl] {
        elsewhere(&mut rig, &format!("state-{name}"));
        let nobody = rig.run(&["login", "--export-session", "-"]).expect(5);
        assert!(nobody.stderr.contains("nobody is signed in here"), "{}", nobody.stderr);
        let file = rig.aside().join(name);
        fs::write(&file, text).expect("a file");
        let ran = rig.run(&["login", "--import-session", &shown(&file)]).expect(0);
        assert!(ran.stderr.contains("Signed in with the session that was taken."), "{}", ran.stderr);
        // The file was made readable by others, and holds all.
        assert!(ran.stderr.contains("can be read by others"), "{}", ran.stderr);
        rig.run(&["plan"]).expect(0);
    }
    elsewhere(&mut rig, "state-piped");
    import_piped(&rig, &piped.stdout).expect(0);
    rig.once();
    assert_eq!(rig.read("a.txt"), "a");
    assert_eq!(rig.sim.count("signin.init"), before, "the password was proven");
}

/// The one sentence, and the advice below it.
#[track_caller]
fn assert_refused(ran: Ran, expected: &str) {
    let ran = ran.expect(6);
    let lines: Vec<_> = ran.stderr.lines().filter(|line| !line.contains(" WARN ")).collect();
    assert!(
        lines[0].starts_with("icloudds: the session was not taken") && lines[0].contains(expected),
        "{lines:?}"
    );
    assert!(lines.len() <= 2, "{lines:?}");
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}

#[test]
fn what_is_no_session_of_this_account_is_refused_in_one_sentence_and_the_old_one_stays() {
    let mut rig = Rig::synced(&[("a.txt", "a")]);
    let (_, text) = export(&rig);
    for (input, expected) in [
        ("", "session"),
        ("my shopping list", "session"),
        (".icloud.com\tTRUE\t/\tTRUE\t0\tX-APPLE-WEBAUTH-USER\tx\n", "X-APPLE-WEBAUTH-TOKEN"),
        ("curl 'https://example.com' -H 'Cookie: a=b'", ""),
    ] {
        assert_refused(import_piped(&rig, input), expected);
    }
    rig.once();
    // Another account signs in at the same browser.
    let dsid = rig.sim.core().state().account.dsid.clone();
    rig.sim.account(|account| account.dsid = "20999999999".to_owned());
    let (own, other) = (shown(&rig.state()), shown(&rig.aside().join("state-other")));
    rig.set_text("sync.state_directory", &other);
    rig.login();
    let (_, others) = export(&rig);
    rig.set_text("sync.state_directory", &own);
    assert_refused(import_piped(&rig, &others), "another account");
    assert!(
        fs::read_to_string(rig.state().join("session.json")).expect("a session").contains(&dsid),
        "the old one stays"
    );
    // One that ran out.
    for what in [Expire::Session, Expire::SessionToken] {
        rig.sim.expire(what);
    }
    elsewhere(&mut rig, "state-late");
    assert_refused(import_piped(&rig, &text), "");
    let missing = rig.run(&["login", "--import-session", "/nonexistent-file"]);
    assert!(missing.exit != 0 && missing.stderr.contains("/nonexistent-file"), "{}", missing.stderr);
}

#[test]
fn the_readme_s_lines_about_sessions_work_as_they_are_printed() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let line = |starts: &str| {
        let found = readme.lines().map(str::trim).find(|line| line.starts_with(starts));
        let line = found.unwrap_or_else(|| panic!("no line of the README begins with {starts}"));
        line.split("  #").next().unwrap_or(line).trim().to_owned()
    };
    let rig = Rig::signed_in();
    let (_, text) = export(&rig);
    let [(_, cookies), _] = browser_forms(&text);
    let at = rig.aside();
    fs::write(at.join("cookies.txt"), cookies).expect("a file");
    let program = rig.command(&[]);
    let words: Vec<_> = program.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let function =
        format!("icloudds() {{ {} {} \"$@\"; }}", program.get_program().to_string_lossy(), words.join(" "));
    for starts in
        ["icloudds login --export-session", "icloudds login --import-session cookies.txt", "rm cookies.txt"]
    {
        let ran = std::process::Command::new("sh")
            .args(["-c", &format!("{function}; {}", line(starts))])
            .current_dir(&at)
            .output()
            .expect("a shell");
        assert!(ran.status.success(), "{starts}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    assert!(at.join("session.json").exists() && !at.join("cookies.txt").exists());
}
