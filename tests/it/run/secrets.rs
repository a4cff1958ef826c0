//! A whole session at `debug`, every output searched for every secret.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use icloudds::control::{ControlReply, ControlRequest, SendHow};
use icloudds::secret::Secret;
use icloudds::status::DaemonState;
use icloudds_simulator::control::Expire;
use icloudds_simulator::fault::Effect;
use rustix::process::Signal;

use super::daemon::{Daemon, hurry};
use crate::e2e::rig::{Rig, html, noise};

/// What must not be seen anywhere: a name for the failure, and the text.
type Secrets = BTreeSet<(String, String)>;

/// Everything secret that `session.json` holds: the texts below `tokens`, and the values of cookies.
fn stored(session: &Path, into: &mut Secrets) {
    let text = fs::read_to_string(session).expect("a session");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    gather("session.json", &json, into);
}

fn gather(place: &str, json: &serde_json::Value, into: &mut Secrets) {
    match json {
        serde_json::Value::Object(members) => {
            for (key, value) in members {
                gather(&format!("{place}/{key}"), value, into);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| gather(place, item, into)),
        serde_json::Value::String(text) => {
            let secret = place.contains("token")
                || place.contains("scnt")
                || place.contains("session_id")
                || place.contains("auth_attributes");
            if place.ends_with("raw_cookie") {
                let value = text
                    .split(';')
                    .next()
                    .and_then(|pair| pair.split_once('='))
                    .map_or("", |(_, value)| value);
                into.insert((place.to_owned(), value.trim_matches('"').to_owned()));
            } else if secret && !text.starts_with("http") && !text.starts_with("20") {
                into.insert((place.to_owned(), text.clone()));
            }
        }
        _ => {}
    }
    into.retain(|(_, text)| text.len() >= 6);
}

/// The simulator's own: live tokens and codes.
fn of_simulator(rig: &Rig, into: &mut Secrets) {
    let state = rig.sim.core().state();
    into.insert(("password".to_owned(), state.account.password.clone()));
    into.extend(state.auth.session_tokens.keys().map(|token| ("session token".to_owned(), token.clone())));
    into.extend(state.auth.trust_tokens.keys().map(|token| ("trust token".to_owned(), token.clone())));
    into.extend(state.auth.device_code.iter().map(|code| ("code".to_owned(), code.clone())));
    into.extend(state.auth.messages.iter().map(|message| ("code".to_owned(), message.code.clone())));
}

#[track_caller]
fn assert_clean(what: &str, text: &str, secrets: &Secrets) {
    for (name, secret) in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            // Digits of a code also occur in sizes and times; alone they are the code.
            let alone =
                |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.');
            let bytes = text.as_bytes();
            if secret.len() > 6
                || (alone(at.checked_sub(1).and_then(|at| bytes.get(at)))
                    && alone(bytes.get(at + secret.len())))
            {
                let line = text.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default();
                panic!("{name} is in {what}: {line}");
            }
        }
    }
    for word in ["X-APPLE-", "validationToken", "receipt=", "Cookie", "scnt"] {
        assert!(
            !text.contains(word),
            "{what} holds {word}: {}",
            text.lines().find(|line| line.contains(word)).unwrap_or_default()
        );
    }
}

#[test]
fn no_output_of_a_whole_session_at_debug_holds_a_secret() {
    for format in ["text", "json"] {
        let mut rig = Rig::new();
        hurry(&mut rig);
        let log = rig.aside().join("log/icloudds.log");
        rig.set_text("log.level", "debug").set_text("log.format", format);
        rig.set_text("log.file", &log.display().to_string()).set_text("log.file_level", "trace");
        rig.set_text("log.file_format", if format == "text" { "json" } else { "text" });
        rig.set("log.state_dump", "true");
        rig.there().write("a/one.txt", "1").expect("a file");
        rig.there().write("a/large.bin", noise(1, 300_000)).expect("a file");
        let mut secrets = Secrets::new();
        let mut said = String::new();

        let daemon = Daemon::start(&rig);
        daemon.wait_state(DaemonState::NeedsCode);
        of_simulator(&rig, &mut secrets);
        daemon.done(&ControlRequest::CodeSend { how: SendHow::Sms { number: Some(1) } });
        daemon.done(&ControlRequest::CodeSend { how: SendHow::Usual });
        of_simulator(&rig, &mut secrets);
        // A wrong code is as good as a right one to whoever reads over a shoulder.
        secrets.insert(("wrong code".to_owned(), "918273".to_owned()));
        let ControlReply::Refused { refusal } =
            daemon.ask(&ControlRequest::Code { code: Secret::new("918273") })
        else {
            panic!("a wrong code")
        };
        said.push_str(&format!("{refusal:?}\n"));
        let code = rig.sim.device_code().expect("a code");
        daemon.done(&ControlRequest::Code { code: Secret::new(code) });
        daemon.settle();
        of_simulator(&rig, &mut secrets);
        stored(&rig.state().join("session.json"), &mut secrets);

        // Every kind of work, failures, a renewal, and a sign-in that needs a person again.
        rig.write("b/two.txt", "2");
        rig.write("a/one.txt", "edited");
        rig.there().rename("a/large.bin", "renamed.bin").expect("a rename");
        daemon.settle();
        rig.fault(None, 0, 2, html(503));
        // Each answer lost while it is away lengthens the rest before the next try: few enough to be over soon.
        rig.fault(None, 4, 3, Effect::NotAppliedReplyLost);
        rig.write("b/three.txt", "3");
        daemon.settle();
        rig.sim.expire(Expire::Session);
        rig.write("b/four.txt", "4");
        daemon.settle();
        stored(&rig.state().join("session.json"), &mut secrets);
        of_simulator(&rig, &mut secrets);
        daemon.signal(Signal::USR2);
        for what in [Expire::Session, Expire::SessionToken, Expire::Trust] {
            rig.sim.expire(what);
        }
        daemon.wait_state(DaemonState::NeedsCode);
        of_simulator(&rig, &mut secrets);
        stored(&rig.state().join("session.json"), &mut secrets);
        said.push_str(&serde_json::to_string(&daemon.status()).expect("JSON"));
        said.push_str(&daemon.text(&ControlRequest::Why { path: "a/one.txt".to_owned() }));
        said.push_str(&daemon.health(true).1);
        said.push_str(&daemon.stop());

        assert!(secrets.len() > 10, "too few secrets to be a test: {secrets:?}");
        assert_clean("what it said", &said, &secrets);
        let mut searched = 0;
        for folder in [log.parent().expect("a folder").to_owned(), rig.state()] {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                if name == "session.json" || !path.is_file() {
                    continue;
                }
                searched += 1;
                let text = String::from_utf8_lossy(&fs::read(&path).expect("bytes")).into_owned();
                assert_clean(&name, &text, &secrets);
            }
        }
        assert!(searched >= 8, "only {searched} files were searched");
        let mode = fs::metadata(rig.state().join("session.json")).expect("a session").permissions().mode();
        assert_eq!(mode & 0o077, 0);
        let text = fs::read_to_string(&log).expect("the log");
        assert!(text.contains("TRACE") || text.contains("trace"), "the file's level was not taken");
        if format == "text" {
            for line in text.lines() {
                let json: serde_json::Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                for key in ["timestamp", "level", "target", "thread", "message"] {
                    assert!(json.get(key).is_some(), "{key}: {line}");
                }
            }
        }
    }
}

#[test]
fn the_log_file_is_rolled_and_only_so_many_are_kept() {
    let mut rig = super::daemon::quick();
    let log = rig.aside().join("log/icloudds.log");
    rig.set_text("log.file", &log.display().to_string()).set_text("log.file_level", "trace");
    rig.set_text("log.file_max_size", "20kB").set("log.file_keep", "2");
    let daemon = Daemon::synced(&rig);
    for number in 0..120 {
        rig.write(&format!("d{}/{number}.txt", number % 7), "x");
    }
    daemon.settle();
    daemon.wait("two rolled files", || log.with_extension("log.2").exists());
    daemon.stop();
    let names: BTreeSet<_> = fs::read_dir(log.parent().expect("a folder"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["icloudds.log", "icloudds.log.1", "icloudds.log.2"]);
    for suffix in ["log", "log.1", "log.2"] {
        let len = fs::metadata(log.with_extension(suffix)).expect("a file").len();
        assert!(len < 30_000, "{suffix} has {len} bytes");
    }
}
