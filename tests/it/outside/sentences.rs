//! Sentences that were read over, in the situations in which people meet them.

use std::collections::BTreeMap;

use icloudds::status::DaemonState;
use icloudds_simulator::fault::Effect;

use crate::e2e::rig::Rig;
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
