//! Who is told: sinks that take it, hang, or answer nonsense.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use icloudds::status::DaemonState;
use serde_json::Value;

use crate::e2e::rig::Rig;
use crate::run::daemon::{Daemon, hurry, quick};

/// A request as a sink sees it: first line, headers, body.
#[derive(Debug)]
struct Posted {
    line: String,
    head: String,
    body: String,
}

/// A sink: its URL, and what arrives. `status` says what it answers to the n-th request.
fn sink(path: &str, status: impl Fn(usize) -> u16 + Send + 'static) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}{path}", listener.local_addr().expect("an address"));
    let (told, arrived) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            if take(stream, status(number), &told).is_none() {
                return;
            }
        }
    });
    (url, arrived)
}

fn take(stream: TcpStream, status: u16, told: &Sender<Posted>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 2 {}
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    told.send(Posted {
        line: line.trim().to_owned(),
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
    .ok()
}

#[track_caller]
fn next(arrived: &Receiver<Posted>) -> Posted {
    arrived.recv_timeout(Duration::from_secs(90)).expect("something arrives")
}

fn json(posted: &Posted) -> Value {
    serde_json::from_str(&posted.body).unwrap_or_else(|error| panic!("{error}: {posted:?}"))
}

#[test]
fn a_needed_code_is_told_once_over_restarts_and_its_end_once() {
    let (url, arrived) = sink("/hook?key=1", |_| 200);
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.set_text("notify.webhook", &url);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    let first = next(&arrived);
    assert_eq!(first.line, "POST /hook?key=1 HTTP/1.1");
    assert!(first.head.to_lowercase().contains("content-type: application/json"), "{first:?}");
    let told = json(&first);
    assert_eq!((&told["event"], &told["state"]), (&"sign-in-needed".into(), &"needs-code".into()), "{told}");
    let message = told["message"].as_str().expect("a text");
    assert!(message.contains("icloudds code"), "{told}");
    let log = daemon.stop();
    assert!(!log.contains(&url), "{log}");

    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.login();
    daemon.settle();
    let last = json(&next(&arrived));
    assert_eq!((&last["event"], &last["about"]), (&"recovered".into(), &"sign-in-needed".into()), "{last}");
    daemon.stop();
    assert!(arrived.try_recv().is_err(), "nothing was told twice");
}

#[test]
fn a_template_shapes_the_body_and_a_user_in_the_url_becomes_a_header() {
    let (url, arrived) = sink("/topic", |number| if number == 0 { 500 } else { 200 });
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.set_text("notify.webhook", &url.replace("http://", "http://me:word@"));
    rig.set_text("notify.body", "{\"text\": \"{event}: {message}\"}");
    let daemon = Daemon::start(&rig);
    daemon.wait_log("the webhook could not be told: it answered HTTP 500; the next try is in 10 s");
    let (refused, taken) = (next(&arrived), next(&arrived));
    assert_eq!(refused.body, taken.body, "the same once more");
    let text = json(&taken)["text"].as_str().map(str::to_owned).expect("a text");
    assert!(text.starts_with("sign-in-needed: icloudds waits"), "{text}");
    assert!(taken.head.to_lowercase().contains("authorization: basic bwu6d29yza=="), "{taken:?}");
    let log = daemon.stop();
    assert!(!log.contains("me:word"), "{log}");
}

#[test]
fn a_sink_that_hangs_keeps_nobody_from_syncing_or_stopping() {
    let hung = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (ping, pinged) = sink("/ping", |_| 200);
    let mut rig = quick();
    rig.set_text("notify.webhook", &format!("http://{}/", hung.local_addr().expect("an address")));
    rig.set_text("notify.ping", &ping);
    rig.set("guard.max_deletes", "1");
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        rig.there().write(name, name).expect("a file");
    }
    let daemon = Daemon::synced(&rig);
    let asked = next(&pinged);
    assert_eq!((asked.line.as_str(), asked.body.as_str()), ("GET /ping HTTP/1.1", ""), "{asked:?}");
    rig.rm("a");
    rig.rm("b");
    daemon.wait_state(DaemonState::Guarded);
    // The sink was reached, and says nothing.
    let (stream, _) = hung.accept().expect("it is called");
    rig.write("i", "i");
    daemon.wait("the file on iCloud", || rig.there().tree().contains_key("i"));
    daemon.stop();
    drop(stream);
}
