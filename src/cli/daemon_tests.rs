use std::path::PathBuf;

use crossbeam::channel::bounded;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::*;
use crate::config::{self, Sources};
use crate::control::ControlServer;
use crate::model::State;
use crate::secret::Secret;
use crate::status::file::StatusFile;
use crate::status::{Facts, Tracker};

struct World {
    _temp: TempDir,
    config: Config,
}

fn world() -> World {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let folder = |name: &str| -> PathBuf {
        let path = temp.path().join(name);
        std::fs::create_dir(&path).expect("a folder");
        path
    };
    let file = folder("etc").join("config.toml");
    let text = format!(
        "[account]\nusername = \"you@example.com\"\n[sync]\ndirectory = {:?}\nstate_directory = {:?}\n",
        folder("drive"),
        folder("state")
    );
    std::fs::write(&file, text).expect("write");
    let sources = Sources { file: Some(file), variables: Vec::new() };
    let config = config::load(&sources).expect("a configuration").config;
    World { _temp: temp, config }
}

/// Runs `command` beside a daemon whose loop answers each request with what `answer` says.
fn with_daemon<T>(
    world: &World,
    answer: impl Fn(&ControlRequest) -> ControlReply + Send,
    command: impl FnOnce() -> T,
) -> T {
    let (send, calls) = bounded(4);
    let server = ControlServer::start(&world.config.sync.state_directory, send).expect("a server");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for call in calls {
                let reply = answer(&call.request);
                call.answer(reply);
            }
        });
        let result = command();
        drop(server);
        result
    })
}

fn document(config: &Config) -> StatusDocument {
    let facts = Facts {
        username: config.account.username.clone(),
        directory: "/drive".to_owned(),
        remote_root: "/".to_owned(),
        watch: "events".to_owned(),
        file_system: None,
        pid: 1,
    };
    Tracker::new(facts, 1000).document(&State::empty(), &TimeZone::UTC)
}

#[test]
fn without_a_daemon_commands_end_with_their_codes() {
    let world = world();
    let code = |result: Result<ExitCode, CliError>| result.unwrap_or_else(|error| error.exit_code());
    assert_eq!(code(steer(&world.config, &ControlRequest::SyncNow)), ExitCode::NoDaemon);
    assert_eq!(code(super::code(&world.config, CodeRequest::List)), ExitCode::NoDaemon);
    assert_eq!(code(status(&world.config, StatusHow::Once)), ExitCode::NoDaemon);
    assert_eq!(code(health(&world.config, false)), ExitCode::Busy);
    assert!(plan(&world.config, false).expect("no failure").is_none());
    assert!(held(&world.config, 0).expect("no failure").is_none());
    assert!(!tell(&world.config, &ControlRequest::SessionChanged).expect("no failure"));
    let mut asked = None;
    let stored = |path: &RelPath| {
        asked = Some(path.clone());
        Ok("it is in the base\n".to_owned())
    };
    assert_eq!(code(why(&world.config, OsStr::new("./a//b/"), stored)), ExitCode::Success);
    assert_eq!(asked, RelPath::parse("a/b").ok());
}

#[test]
fn status_comes_from_the_daemon_else_from_its_file() {
    let world = world();
    let written = document(&world.config);
    StatusFile::start(&world.config.sync.state_directory).expect("a thread").finish(written.clone());
    let (text, exit) = status_text(&world.config, false, 1000).expect("the last known state");
    assert!(text.starts_with("the daemon is not running;"), "{text}");
    assert_eq!(exit, ExitCode::Success);
    let (text, _) = status_text(&world.config, true, 1000).expect("the last known state");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&json["running"], &json["state"]), (&false.into(), &"starting".into()));

    let live = ControlReply::Status { status: Box::new(written) };
    let (text, _) =
        with_daemon(&world, |_| live.clone(), || status_text(&world.config, true, 1000)).expect("live");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["running"], true);
}

#[test]
fn refusals_bring_their_exit_code_and_advice() {
    let world = world();
    let refused = |_: &ControlRequest| {
        ControlReply::refused(ExitCode::TwoFactorCode, "the code was not accepted", "try the newest")
    };
    let give = || code_text(&world.config, CodeRequest::Give(Secret::new("615243")));
    let error = with_daemon(&world, refused, give).expect_err("refused");
    assert_eq!(error.to_string(), "the code was not accepted; try the newest");
    assert_eq!(error.exit_code(), ExitCode::TwoFactorCode);
}

#[test]
fn health_says_what_the_daemon_says() {
    let world = world();
    for (healthy, expected) in [(true, ExitCode::Success), (false, ExitCode::Busy)] {
        let answer = |request: &ControlRequest| {
            assert_eq!(*request, ControlRequest::Health { ready: true });
            ControlReply::Health { healthy, why: "because".to_owned() }
        };
        let exit = with_daemon(&world, answer, || health(&world.config, true)).expect("an answer");
        assert_eq!(exit, expected);
    }
}

#[test]
fn an_answer_names_the_list_that_was_shown() {
    let world = world();
    let (asked, requests) = bounded(4);
    let answer = move |request: &ControlRequest| {
        asked.send(request.clone()).expect("room for all");
        match request {
            ControlRequest::Held { .. } => ControlReply::Held {
                held: Held { count: 25, deletions: Vec::new(), list: "0f1e".to_owned() },
            },
            _ => ControlReply::done("25 deletions are restored"),
        }
    };
    let said = with_daemon(&world, answer, || {
        let held = held(&world.config, 7).expect("an answer").expect("a daemon");
        decide(&world.config, true, &held.list).expect("an answer")
    });
    assert_eq!(said.as_deref(), Some("25 deletions are restored\n"));
    let asked: Vec<ControlRequest> = requests.try_iter().collect();
    let list = Some("0f1e".to_owned());
    assert_eq!(asked, [ControlRequest::Held { skip: 7 }, ControlRequest::Approve { reject: true, list }]);
}

#[test]
fn ways_are_listed_as_commands_to_type() {
    let ways = CodeWays {
        device: true,
        numbers: vec!["•••• 12".to_owned(), "•••• 34".to_owned()],
        voice: vec![2],
        two_step: false,
    };
    assert_eq!(
        ways_text(&ways),
        "\
ways to get a code:
  icloudds code --send device   shown on the trusted devices
  icloudds code --send sms 1     by SMS to •••• 12
  icloudds code --send sms 2     by a call to •••• 34
  icloudds code --send voice N  by a call to the N-th number
then: icloudds code CODE
"
    );
    assert!(ways_text(&CodeWays::default()).contains("no way"));
}

#[test]
fn exit_codes_come_back_from_their_numbers() {
    for number in 0..=u8::MAX {
        let known = number <= 13 || matches!(number, 129 | 130 | 143);
        assert_eq!(ExitCode::from_code(number).map(ExitCode::code), known.then_some(number));
    }
}
