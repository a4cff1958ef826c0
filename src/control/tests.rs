//! Real sockets in temporary folders.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use tempfile::TempDir;

use super::*;
use crate::config::{SOCKET_NAME, SOCKET_PATH_BYTES};
use crate::secret::Secret;

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);

fn long(_: &ControlRequest) -> Duration {
    PATIENCE
}

fn short(_: &ControlRequest) -> Duration {
    SHORT
}

struct Daemon {
    state: TempDir,
    calls: Receiver<ControlCall>,
    server: ControlServer,
}

impl Daemon {
    fn with(limit: fn(&ControlRequest) -> Duration, patience: Duration) -> Self {
        let state = tempfile::tempdir().expect("a temporary folder");
        let (send, calls) = bounded(2);
        let server =
            ControlServer::start_with(state.path(), send, limit, (patience, SHORT)).expect("a server");
        Self { state, calls, server }
    }

    fn client(&self) -> ControlClient {
        ControlClient::connect(self.state.path()).expect("reachable").expect("listening")
    }

    fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(self.state.path().join(SOCKET_NAME)).expect("listening");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Takes the next call, as the loop would.
    fn take(&self) -> ControlCall {
        self.calls.recv_timeout(PATIENCE).expect("a call")
    }
}

/// Everything the daemon sends until it closes.
fn rest(mut stream: &UnixStream) -> String {
    let mut text = String::new();
    // A reset after the last byte is a close too.
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn requests_reach_the_loop_and_answers_come_back() {
    let daemon = Daemon::with(long, PATIENCE);
    let mut client = daemon.client();
    let requests = [
        ControlRequest::Status,
        ControlRequest::Health { ready: true },
        ControlRequest::Why { path: "a/ü \"b\"\n.txt".to_owned() },
        ControlRequest::Plan { json: true },
        ControlRequest::Approve { reject: true, list: Some("0f1e".to_owned()) },
        ControlRequest::Code { code: Secret::new("739154") },
        ControlRequest::CodeSend { how: SendHow::Sms { number: Some(2) } },
        ControlRequest::SessionChanged,
    ];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for expected in &requests {
                let call = daemon.take();
                assert_eq!(&call.request, expected);
                call.answer(ControlReply::done(format!("did it\n{}", requests.len())));
            }
        });
        for request in &requests {
            let reply = client.call(request).expect("an answer");
            assert_eq!(reply, ControlReply::done("did it\n8"));
        }
    });
}

#[test]
fn the_wire_is_one_json_object_a_line() {
    let daemon = Daemon::with(long, PATIENCE);
    let mut stream = daemon.raw();
    stream.write_all(b"{\"do\":\"code-send\",\"how\":{\"by\":\"sms\"}}\n{\"do\":\"pause\"}\n").expect("sent");
    let call = daemon.take();
    assert_eq!(call.request, ControlRequest::CodeSend { how: SendHow::Sms { number: None } });
    call.answer(ControlReply::refused(ExitCode::CodeNotSent, "no", "another way"));
    let call = daemon.take();
    assert_eq!(call.request, ControlRequest::Pause);
    call.answer(ControlReply::done("paused"));
    let mut lines = BufReader::new(&stream).lines();
    let mut next = || lines.next().expect("a line").expect("read");
    assert_eq!(
        next(),
        "{\"answer\":\"refused\",\"refusal\":{\"exit\":9,\"message\":\"no\",\"advice\":\"another way\"}}"
    );
    assert_eq!(next(), "{\"answer\":\"done\",\"said\":\"paused\"}");
}

#[test]
fn a_socket_that_somebody_removed_is_there_again() {
    let daemon = Daemon::with(long, PATIENCE);
    let before = daemon.raw();
    fs::remove_file(daemon.state.path().join(SOCKET_NAME)).expect("removed");
    let limit = Instant::now() + PATIENCE;
    let again = loop {
        match ControlClient::connect(daemon.state.path()) {
            Ok(Some(client)) => break client,
            _ => assert!(Instant::now() < limit, "it is not there again"),
        }
        std::thread::yield_now();
    };
    drop(again);
    let mode =
        fs::symlink_metadata(daemon.state.path().join(SOCKET_NAME)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(before);
    drop(daemon.server);
    assert_eq!(fs::read_dir(daemon.state.path()).expect("read").count(), 0, "it goes with its server");
}

#[test]
fn without_a_daemon_there_is_no_client() {
    let state = tempfile::tempdir().expect("a temporary folder");
    assert!(ControlClient::connect(state.path()).expect("no failure").is_none());
    assert!(ControlClient::connect(&state.path().join("missing")).expect("no failure").is_none());
    // A daemon that was killed leaves its socket behind.
    drop(UnixListener::bind(state.path().join(SOCKET_NAME)).expect("bound"));
    assert!(ControlClient::connect(state.path()).expect("no failure").is_none());
}

#[test]
fn the_socket_is_private_replaces_a_dead_one_and_goes_with_its_server() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let path = state.path().join(SOCKET_NAME);
    drop(UnixListener::bind(&path).expect("bound"));
    fs::create_dir(state.path().join(".bind")).expect("left by a crash");
    fs::write(state.path().join(".bind/s"), "").expect("left by a crash");
    let server = ControlServer::start(state.path(), bounded(1).0).expect("a server");
    assert_eq!(fs::symlink_metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(state.path()).expect("read").count(), 1);
    let second = ControlServer::start(state.path(), bounded(1).0).expect_err("one is listening");
    assert_eq!(second.exit_code(), ExitCode::Busy);
    drop(server);
    assert!(!path.exists());
    fs::write(&path, "precious").expect("write");
    let error = ControlServer::start(state.path(), bounded(1).0).expect_err("a file is in the way");
    assert!(error.to_string().contains("in the way"), "{error}");
    assert_eq!(fs::read_to_string(&path).expect("untouched"), "precious");
}

#[test]
fn the_longest_path_that_the_system_takes_works_and_the_next_is_named() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let room = SOCKET_PATH_BYTES - SOCKET_NAME.len() - 2 - temp.path().as_os_str().len();
    let longest = temp.path().join("x".repeat(room));
    fs::create_dir(&longest).expect("a folder");
    let server = ControlServer::start(&longest, bounded(1).0).expect("it fits");
    assert!(ControlClient::connect(&longest).expect("reachable").is_some());
    drop(server);
    let beyond = temp.path().join("x".repeat(room + 1));
    fs::create_dir(&beyond).expect("a folder");
    let error = ControlServer::start(&beyond, bounded(1).0).expect_err("too long");
    assert_eq!(error.exit_code(), ExitCode::Configuration);
    assert!(matches!(ControlClient::connect(&beyond), Err(ControlError::TooLong { .. })));
}

#[test]
fn a_stuck_loop_makes_health_fail_instead_of_hang() {
    let daemon = Daemon::with(short, PATIENCE);
    // Two calls fill the channel, the third does not even fit.
    for _ in 0..3 {
        match daemon.client().call(&ControlRequest::Health { ready: false }).expect("an answer") {
            ControlReply::Health { healthy: false, why } => {
                assert!(why.contains("has not answered"), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }
    let reply = daemon.client().call(&ControlRequest::SyncNow).expect("an answer");
    assert!(matches!(reply, ControlReply::Refused { .. }), "{reply:?}");
    // The loop comes back: late answers harm nobody, new calls are served.
    while let Ok(call) = daemon.calls.try_recv() {
        call.answer(ControlReply::done("late"));
    }
}

#[test]
fn a_daemon_that_says_nothing_is_given_up() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let _listener = UnixListener::bind(state.path().join(SOCKET_NAME)).expect("bound");
    let mut client = ControlClient::connect(state.path()).expect("reachable").expect("listening");
    let error = client.call_within(&ControlRequest::Status, SHORT).expect_err("nobody accepts");
    assert!(matches!(error, ControlError::Silent { .. }), "{error}");
}

#[test]
fn broken_requests_are_refused_without_repeating_them() {
    let daemon = Daemon::with(long, PATIENCE);
    for line in ["{\"do\":\"fly\"}\n", "{\"do\":\"code\",\"code\":918273}\n", "918273\n", "\n", "\u{0}\n"] {
        let mut stream = daemon.raw();
        stream.write_all(line.as_bytes()).expect("sent");
        let answer = rest(&stream);
        assert!(answer.contains("\"refused\"") && !answer.contains("918273"), "{line:?} {answer}");
    }
    let mut stream = daemon.raw();
    // The daemon may close before all of it was sent.
    let _ = stream.write_all(&vec![b'x'; 1024 * 1024]);
    let answer = rest(&stream);
    assert!(answer.is_empty() || answer.contains("longer than"), "{answer}");
    assert!(daemon.calls.is_empty());
}

#[test]
fn clients_that_are_slow_or_silent_are_sent_away_and_others_served() {
    let daemon = Daemon::with(long, SHORT);
    let silent = daemon.raw();
    let mut halfway = daemon.raw();
    halfway.write_all(b"{\"do\":").expect("sent");
    let cut = daemon.raw();
    drop(cut);
    std::thread::scope(|scope| {
        scope.spawn(|| daemon.take().answer(ControlReply::done("here")));
        assert_eq!(
            daemon.client().call(&ControlRequest::Pause).expect("an answer"),
            ControlReply::done("here")
        );
    });
    assert_eq!(rest(&silent), "");
    assert_eq!(rest(&halfway), "");
}

#[test]
fn one_client_too_many_is_told_so_and_room_comes_back() {
    let daemon = Daemon::with(long, PATIENCE);
    let mut held: Vec<UnixStream> = (0..MAX_CONNECTIONS).map(|_| daemon.raw()).collect();
    let reply = daemon.client().call(&ControlRequest::Status).expect("an answer");
    assert!(
        matches!(&reply, ControlReply::Refused { refusal } if refusal.message.contains("too many")),
        "{reply:?}"
    );
    drop(held.pop());
    std::thread::scope(|scope| {
        scope.spawn(|| daemon.take().answer(ControlReply::done("here")));
        // The place is free once the thread of the one that left has ended.
        loop {
            match daemon.client().call(&ControlRequest::Pause).expect("an answer") {
                ControlReply::Refused { .. } => std::thread::yield_now(),
                reply => break assert_eq!(reply, ControlReply::done("here")),
            }
        }
    });
}

#[test]
fn stopping_ends_every_connection_at_once() {
    let daemon = Daemon::with(long, PATIENCE);
    let silent = daemon.raw();
    let mut waiting = daemon.raw();
    waiting.write_all(b"{\"do\":\"plan\"}\n").expect("sent");
    // The loop holds the call and never answers it.
    let _call = daemon.take();
    drop(daemon.server);
    assert_eq!(rest(&silent), "");
    let answer = rest(&waiting);
    assert!(answer.is_empty() || answer.contains("stopping"), "{answer}");
    assert!(!Path::new(&daemon.state.path().join(SOCKET_NAME)).exists());
}

#[test]
fn a_loop_that_drops_a_call_or_is_gone_is_told_as_stopping() {
    let daemon = Daemon::with(long, PATIENCE);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(daemon.take()));
        let reply = daemon.client().call(&ControlRequest::SyncNow).expect("an answer");
        assert!(matches!(&reply, ControlReply::Refused { refusal } if refusal.message.contains("stopping")));
    });
    let (state, server) = (daemon.state, daemon.server);
    drop(daemon.calls);
    let mut client = ControlClient::connect(state.path()).expect("reachable").expect("listening");
    let reply = client.call(&ControlRequest::Health { ready: false }).expect("an answer");
    assert!(matches!(reply, ControlReply::Health { healthy: false, .. }));
    drop(server);
}

#[test]
fn a_code_is_never_shown() {
    let request = ControlRequest::Code { code: Secret::new("402817") };
    assert!(!format!("{request:?}").contains("402817"));
}
