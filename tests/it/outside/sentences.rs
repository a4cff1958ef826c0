//! Sentences that were read over, in the situations in which people meet them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;
use icloudds_simulator::switches::UrlHost;

use crate::e2e::rig::{Rig, not_tried};
use crate::run::daemon::{Daemon, hurry};

#[test]
fn once_beside_a_daemon_names_the_command_to_use() {
    let mut rig = Rig::signed_in();
    hurry(&mut rig);
    let daemon = Daemon::synced(&rig);
    let ran = rig.run(&["once"]).expect(1);
    assert!(ran.sentence().starts_with("icloudds: another instance is running: pid "), "{}", ran.stderr);
    assert!(ran.stderr.contains("use `icloudds sync-now`"), "{}", ran.stderr);
    daemon.stop();
}

#[test]
fn a_dead_proxy_is_what_cannot_be_reached() {
    let mut rig = Rig::signed_in();
    rig.forgiving = true;
    // A port of loopback where nobody listens any more.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port").port();
    rig.set_text("proxy.url", &format!("http://127.0.0.1:{port}"));
    rig.sim.expire(icloudds_simulator::control::Expire::Session);
    let ran = rig.run(&["login"]).expect(7);
    assert!(ran.stderr.contains(&format!("not through the proxy 127.0.0.1:{port}")), "{}", ran.stderr);
}

/// A proxy that answers every request with these words, as long as the test runs; where it listens.
fn proxy_that_says(words: &'static str) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("a port");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = BufReader::new(stream.try_clone().expect("a stream"));
            let mut line = String::new();
            while asked.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            let _ = stream.write_all(words.as_bytes());
        }
    });
    at
}

#[test]
fn a_proxy_that_wants_a_name_and_a_password_says_so_and_those_it_refuses_are_not_shown() {
    const WANTS: &str = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"the way out\"\r\n\
                         Content-Length: 0\r\nConnection: close\r\n\r\n";
    let at = proxy_that_says(WANTS);
    for user in ["", "somebody:s3cret-of-the-proxy@"] {
        let mut rig = Rig::new();
        rig.forgiving = true;
        rig.set_text("proxy.url", &format!("http://{user}{at}"));
        // Names that exist nowhere: whoever does not ask the proxy reaches nobody.
        for key in ["home", "setup", "auth"] {
            rig.set_text(&format!("icloud.{key}"), &format!("https://{key}.icloud.invalid"));
        }
        let ran = rig.run(&["login"]).expect(7);
        let sentence = ran.sentence();
        assert!(sentence.contains("the proxy wants a name and password"), "{}", ran.stderr);
        assert!(sentence.contains("check proxy.url or HTTPS_PROXY"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret-of-the-proxy"), "{}", ran.stderr);
    }
}

#[test]
fn an_address_that_is_not_apple_s_is_named_and_never_asked() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    rig.there().write("b.txt", "content of b").expect("a file");
    rig.sim.switches(|switches| switches.url_host = UrlHost::Elsewhere);
    let ran = rig.once_unfinished();
    let sentence = "not fetched: iCloud gave an address that is not Apple's (content.example.net)";
    assert!(ran.stderr.contains(sentence), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("refuses").count(), 0, "iCloud refused nothing: {}", ran.stderr);
    assert!(!rig.at("b.txt").exists());
    rig.sim.switches(|switches| switches.url_host = UrlHost::Own);
    rig.run(&["once"]);
    assert_eq!(rig.read("b.txt"), "content of b");
}

#[test]
fn a_lock_that_belongs_to_another_user_names_both() {
    use std::os::unix::process::CommandExt as _;
    let rig = Rig::synced(&[("a.txt", "a")]);
    let parent = rig.drive().parent().expect("above").to_owned();
    let given = Command::new("chown").args(["-R", "12345:12345"]).arg(parent).status();
    let lock = rig.at(".icloudds/lock");
    std::fs::set_permissions(&lock, PermissionsExt::from_mode(0o600)).expect("a mode");
    let is_given = given.is_ok_and(|status| status.success()) && chown(&lock, Some(0), Some(0)).is_ok();
    if !is_given {
        not_tried("a lock of another user's: only root can give a file away");
        return;
    }
    let ran = rig.finish(rig.command(&["once"]).uid(12_345).gid(12_345).spawn().expect("the binary starts"));
    let ran = ran.expect(4);
    let sentence = ran.sentence();
    for part in
        ["cannot lock ", ".icloudds/lock", "belongs to uid 0", "runs as uid 12345", "run it as that user"]
    {
        assert!(sentence.contains(part), "{part} is not in {sentence}");
    }
}

#[test]
fn no_sentence_is_told_at_two_levels() {
    let mut rig = Rig::signed_in();
    hurry(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    // Away, back, without a session, and back again.
    rig.fault(None, 0, 40, Effect::NotAppliedReplyLost);
    daemon.wait_state(DaemonState::Offline);
    rig.sim.switches(|switches| switches.faults.clear());
    daemon.settle();
    for what in [
        icloudds_simulator::control::Expire::Session,
        icloudds_simulator::control::Expire::SessionToken,
        icloudds_simulator::control::Expire::Trust,
    ] {
        rig.sim.expire(what);
    }
    daemon.wait_state(DaemonState::NeedsCode);
    let said = daemon.stop();
    let mut levels: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in said.lines() {
        let mut words = line.splitn(4, ' ');
        let (Some(_), Some(_), Some(level), Some(text)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        if ["ERROR", "WARN", "INFO"].contains(&level) {
            let known = levels.entry(text.trim().to_owned()).or_default();
            if !known.contains(&level) {
                known.push(level);
            }
        }
    }
    assert!(levels.len() > 10, "too few lines to be a test: {said}");
    let twice: Vec<_> = levels.iter().filter(|(_, levels)| levels.len() > 1).collect();
    assert!(twice.is_empty(), "told at two levels: {twice:#?}");
    let doubled: Vec<_> = levels
        .keys()
        .filter(|text| text.split_once(": ").is_some_and(|(state, rest)| state == rest))
        .collect();
    assert!(doubled.is_empty(), "a word told twice: {doubled:?}");
}
