//! Signing in while the daemon runs: it waits for people by name and goes on by itself.

use std::io::Write as _;

use icloudds::control::{ControlReply, ControlRequest, SendHow};
use icloudds::secret::Secret;
use icloudds::status::DaemonState;
use icloudds_simulator::control::Expire;
use icloudds_simulator::switches::Escrow;
use rustix::process::Signal;

use super::daemon::{Daemon, hurry, quick};
use crate::e2e::rig::Rig;

/// The proofs of the password that were sent. One exchange in a hundred is begun twice before its proof, because a number in
/// it begins with a zero byte.
fn proofs(rig: &Rig) -> u64 {
    rig.sim.count("signin.complete")
}

fn code(text: &str) -> ControlRequest {
    ControlRequest::Code { code: Secret::new(text) }
}

#[track_caller]
fn assert_needs_code(daemon: &Daemon<'_>) {
    daemon.wait_state(DaemonState::NeedsCode);
    let (alive, why) = daemon.health(false);
    assert!(alive && why.contains("code"), "{why}");
    let (ready, why) = daemon.health(true);
    assert!(!ready && why.contains("code"), "{why}");
    daemon.wait_log("icloudds code");
    // The file follows what the socket says.
    let file = daemon.rig.state().join("status.json");
    daemon.wait("the status file", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"needs-code\""))
    });
}

#[test]
fn a_daemon_without_a_session_waits_for_a_code_and_goes_on_with_it() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    rig.write("mine.txt", "m");
    let daemon = Daemon::start(&rig);
    assert_needs_code(&daemon);
    assert_eq!(rig.sim.count("code.request") + rig.sim.count("sms.request"), 0, "nobody asked for a code");
    assert_eq!(proofs(&rig), 1, "one sign-in: {:?}\n{}", rig.sim.counts(), daemon.log());
    // Waiting asks nothing of iCloud.
    let asked = rig.sim.counts();
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(5));
    assert_eq!(rig.sim.counts(), asked, "{}", daemon.log());
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);

    let ControlReply::Ways { ways } = daemon.ask(&ControlRequest::CodeWays) else { panic!("no ways") };
    assert!(ways.device && ways.numbers.len() == 2, "{ways:?}");
    assert_eq!(rig.sim.count("code.request"), 0, "listing the ways sends nothing");
    daemon.done(&ControlRequest::CodeSend { how: SendHow::Usual });
    assert_eq!(rig.sim.count("code.request"), 1);

    let ControlReply::Refused { refusal } = daemon.ask(&code("000000")) else { panic!("a wrong code") };
    assert_eq!(refusal.exit, 11, "{refusal:?}");
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);
    daemon.done(&code(&rig.sim.device_code().expect("a code")));
    daemon.settle();
    assert_eq!(proofs(&rig), 1, "{:?}", rig.sim.counts());
    assert!(daemon.health(true).0, "{:?}", daemon.health(true));
    assert_eq!(rig.read("a.txt"), "a");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_code_by_message() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    daemon.done(&ControlRequest::CodeSend { how: SendHow::Sms { number: Some(2) } });
    let message = rig.sim.messages().last().cloned().expect("a message");
    daemon.done(&code(&message.code));
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_login_by_another_process_lets_it_go_on() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.login();
    daemon.settle();
    assert_eq!(rig.read("a.txt"), "a");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn pausing_does_not_hide_that_a_code_is_needed() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    daemon.done(&ControlRequest::Pause);
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);
    daemon.done(&ControlRequest::Resume);
    assert_eq!(daemon.status().state, DaemonState::NeedsCode);
    daemon.done(&ControlRequest::SyncNow);
    daemon.signal(Signal::USR1);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.login();
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_wrong_password_is_tried_once_and_never_again() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let right = rig.sim.core().state().account.password.clone();
    rig.set_text("account.password", "not the right one");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsPassword);
    let (alive, why) = daemon.health(false);
    assert!(alive && why.contains("password"), "{why}");
    assert!(!daemon.health(true).0);
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(5));
    assert_eq!(rig.sim.count("signin.complete"), 1, "{}", daemon.log());
    daemon.stop();
    for _ in 0..3 {
        let daemon = Daemon::start(&rig);
        daemon.wait_state(DaemonState::NeedsPassword);
        daemon.stop();
    }
    assert_eq!(rig.sim.count("signin.complete"), 1, "a restart forgot that it was rejected");
    // The right one in the configuration, read again while it runs.
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsPassword);
    let file = rig.state().parent().expect("a folder").join("config.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration");
    std::fs::write(&file, text.replace("not the right one", &right)).expect("the configuration");
    rig.sim.password_typed();
    daemon.signal(Signal::HUP);
    daemon.wait_state(DaemonState::NeedsCode);
    assert_eq!(rig.sim.count("signin.complete"), 2);
    daemon.done(&ControlRequest::CodeSend { how: SendHow::Usual });
    daemon.done(&code(&rig.sim.device_code().expect("a code")));
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_daemon_without_password_and_session_needs_one() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.unset("account.password");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsPassword);
    assert_eq!(proofs(&rig) + rig.sim.count("signin.init"), 0);
    daemon.stop();
}

#[test]
fn a_daemon_that_lacks_the_password_says_so_before_a_code_is_spent() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.sim.switches(|switches| switches.escrow = Escrow::OnCode);
    let password = rig.sim.core().state().account.password.clone();
    rig.unset("account.password");
    // A person types the password and walks away at the question for the code.
    let mut child =
        rig.command(&["login"]).stdin(std::process::Stdio::piped()).spawn().expect("the binary starts");
    writeln!(child.stdin.take().expect("a pipe"), "{password}").expect("typed");
    rig.finish(child).expect(8);
    assert_eq!(proofs(&rig), 1);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsPassword);
    daemon.done(&ControlRequest::CodeSend { how: SendHow::Usual });
    let given = code(&rig.sim.device_code().expect("a code"));
    let ControlReply::Refused { refusal } = daemon.ask(&given) else { panic!("taken without the password") };
    assert_eq!(refusal.exit, 5, "{refusal:?}");
    assert_eq!(rig.sim.count("code.submit"), 0);
    // `login` asks for the password, and the same code is still good.
    let mut child =
        rig.command(&["login"]).stdin(std::process::Stdio::piped()).spawn().expect("the binary starts");
    let typed = format!("{password}\n{}\n", rig.sim.device_code().expect("a code"));
    child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("typed");
    rig.finish(child).expect(0);
    daemon.settle();
    assert_eq!((proofs(&rig), rig.sim.count("escrow.complete"), rig.sim.count("code.submit")), (1, 1, 1));
    assert_eq!(rig.sim.violations(), [""; 0]);
    daemon.stop();
}

#[test]
fn a_session_that_expires_while_it_runs_is_renewed_silently() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    let before = proofs(&rig);
    rig.sim.expire(Expire::Session);
    rig.there().write("b.txt", "b").expect("a file");
    rig.write("c.txt", "c");
    daemon.wait("both", || rig.at("b.txt").exists() && rig.there().entry("c.txt").is_some());
    daemon.settle();
    assert_eq!(proofs(&rig), before, "the tokens were enough\n{}", daemon.log());
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn when_all_tokens_are_void_it_signs_in_with_the_password_and_asks_for_a_code() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    for what in [Expire::Session, Expire::SessionToken, Expire::Trust] {
        rig.sim.expire(what);
    }
    rig.write("b.txt", "b");
    assert_needs_code(&daemon);
    daemon.done(&ControlRequest::CodeSend { how: SendHow::Usual });
    daemon.done(&code(&rig.sim.device_code().expect("a code")));
    daemon.settle();
    assert_eq!(rig.read_there("b.txt"), "b");
    daemon.stop();
    rig.assert_settled();
}

#[test]
fn a_changed_password_is_a_state_and_the_login_with_the_new_one_its_end() {
    let mut rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    Daemon::synced(&rig).stop();
    let daemon = Daemon::synced(&rig);
    rig.sim.change_password("another pass phrase");
    rig.write("b.txt", "b");
    daemon.wait_state(DaemonState::NeedsPassword);
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(4));
    assert!(daemon.status().state == DaemonState::NeedsPassword, "{}", daemon.log());
    daemon.stop();
    rig.sim.password_typed();
    rig.set_text("account.password", "another pass phrase");
    let daemon = Daemon::start(&rig);
    daemon.wait_state(DaemonState::NeedsCode);
    rig.login();
    daemon.settle();
    assert_eq!(rig.read_there("b.txt"), "b");
    daemon.stop();
}

#[test]
fn a_login_beside_the_daemon_asks_icloud_and_ends_the_wait_for_the_new_password() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    let daemon = Daemon::synced(&rig);
    // The session was confirmed a moment ago, which says nothing any more.
    rig.sim.change_password("another pass phrase");
    daemon.wait_state(DaemonState::NeedsPassword);
    let status = daemon.status();
    assert!(status.session_expires.is_none() && status.session_began.is_none(), "nothing is trusted now");
    rig.sim.password_typed();
    let ran = rig.login_typing(&["another pass phrase", "0"], |_| {}).expect(0);
    assert!(ran.stderr.contains("Signed in."), "{}", ran.stderr);
    daemon.settle();
    daemon.stop();
}

#[test]
fn a_mistyped_password_does_not_have_the_configured_one_sent_again() {
    let rig = quick();
    let daemon = Daemon::synced(&rig);
    rig.sim.change_password("another pass phrase");
    daemon.wait_state(DaemonState::NeedsPassword);
    let mut child =
        rig.command(&["login"]).stdin(std::process::Stdio::piped()).spawn().expect("the binary starts");
    rig.sim.password_typed();
    // The input ends after it, so nothing else is typed.
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"mistyped\n").expect("typed");
    let ran = rig.finish(child).expect(6);
    assert!(!ran.stderr.contains("Signed in."), "{}", ran.stderr);
    let sent = proofs(&rig);
    let ran = rig.run(&["login"]).expect(8);
    assert!(ran.stderr.contains("refused before"), "{}", ran.stderr);
    // The daemon heard of it, and looks a few times whether another process stored a session.
    let begun = std::time::Instant::now();
    daemon.wait("some time", || begun.elapsed() > std::time::Duration::from_secs(5));
    assert_eq!(proofs(&rig), sent, "{}", daemon.log());
    assert_eq!(daemon.status().state, DaemonState::NeedsPassword);
    daemon.stop();
}

#[test]
fn a_login_without_a_daemon_does_not_take_a_lost_session_for_a_good_one() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    for what in [Expire::Session, Expire::SessionToken, Expire::Trust] {
        rig.sim.expire(what);
    }
    let ran = rig.try_login(|_| {}).expect(0);
    assert!(ran.stderr.contains("Sent to your trusted devices."), "{}", ran.stderr);
    rig.once();
}

#[test]
fn ten_restarts_sign_in_zero_times() {
    let rig = quick();
    rig.there().write("a.txt", "a").expect("a file");
    Daemon::synced(&rig).stop();
    let before = (proofs(&rig), rig.sim.count("accountLogin"));
    for round in 0..10 {
        let daemon = Daemon::synced(&rig);
        if round % 2 == 0 {
            daemon.stop();
        } else {
            daemon.kill();
        }
    }
    assert_eq!((proofs(&rig), rig.sim.count("accountLogin")), before);
}
