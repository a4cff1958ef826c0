//! What goes wrong, with its exit code and its sentence.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use icloudds_simulator::account::WebAccess;
use icloudds_simulator::control::Expire;
use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::fault::Effect;
use icloudds_simulator::switches::{Quota, Throttle};

use super::rig::{Ran, Rig, html, noise, not_tried, shown};
use crate::cases::side_by_side;
use crate::run::daemon::pace;

/// One line that begins as all failures do, with what is named in it.
#[track_caller]
fn assert_says(ran: &Ran, words: &[&str]) {
    let sentence = ran.sentence();
    assert!(sentence.starts_with("icloudds: "), "no sentence: {}", ran.stderr);
    for word in words {
        assert!(sentence.to_lowercase().contains(&word.to_lowercase()), "lacks {word:?}: {sentence}");
    }
}

#[test]
fn a_wrong_password_is_exit_6_after_one_proof_and_never_sent_again() {
    let mut rig = Rig::new();
    rig.set_text("account.password", "not the right one");
    let ran = rig.run(&["once"]).expect(6);
    assert_says(&ran, &["password"]);
    assert_eq!(rig.sim.count("signin.complete"), 1);
    for _ in 0..3 {
        rig.run(&["once"]).expect(6);
    }
    assert_eq!(rig.sim.count("signin.complete"), 1, "a rejected password was sent again");
    assert!(
        !rig.drive().join(".icloudds/id").exists(),
        "nothing is made in the drive before the account is known"
    );
    // Another password is another chance.
    let password = rig.sim.core().state().account.password.clone();
    rig.sim.password_typed();
    rig.set_text("account.password", &password);
    rig.login();
    rig.once();
}

#[test]
fn a_locked_account_is_exit_6() {
    let rig = Rig::new();
    rig.sim.account(|account| account.locked = true);
    assert_says(&rig.run(&["once"]).expect(6), &["locked"]);
}

#[test]
fn a_missing_password_is_exit_5_and_needing_a_code_is_exit_8() {
    let mut rig = Rig::new();
    assert_says(&rig.run(&["once"]).expect(8), &["code", "icloudds login"]);
    assert_eq!(rig.sim.count("code.request"), 0, "nobody asked for a code to be sent");
    rig.unset("account.password");
    rig.run(&["logout"]).expect(0);
    assert_says(&rig.run(&["once"]).expect(5), &["password"]);
    rig.unset("account.username");
    assert_says(&rig.run(&["once"]).expect(5), &["account.username"]);
}

#[test]
fn a_wrong_code_is_told_and_asked_again() {
    let rig = Rig::new();
    let ran = rig.try_login(|answer| answer("000000")).expect(0);
    assert!(ran.stderr.contains("code"), "{}", ran.stderr);
    assert_eq!(rig.sim.count("code.submit"), 2);
    rig.once();
}

#[test]
fn only_wrong_codes_are_exit_11() {
    let rig = Rig::new();
    let ran = rig.try_login(|answer| {
        for code in ["000000", "111111", "222222"] {
            answer(code);
        }
    });
    assert_says(&ran.expect(11), &["code"]);
}

#[test]
fn no_network_is_exit_7() {
    let mut rig = Rig::new();
    // A port of loopback where nobody listens any more.
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for (key, path) in [("home", ""), ("setup", "/setup/ws/1"), ("auth", "/appleauth/auth")] {
        rig.set_text(&format!("icloud.{key}"), &format!("http://{nobody}{path}"));
    }
    assert_says(&rig.run(&["once"]).expect(7), &["icloud"]);
}

#[test]
fn no_network_with_a_session_is_exit_7_and_touches_nothing() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    rig.write("b.txt", "b");
    rig.fault(None, 0, u64::MAX, Effect::NotAppliedReplyLost);
    assert_says(&rig.run(&["once"]).expect(7), &["icloud"]);
    assert_eq!(rig.here().len(), 2);
    rig.sim.switches(|switches| switches.faults.clear());
    rig.once();
    rig.assert_settled();
}

#[test]
fn a_service_that_answers_html_is_exit_7() {
    let rig = Rig::new();
    rig.fault(None, 0, u64::MAX, html(200));
    assert_says(&rig.run(&["once"]).expect(7), &["icloud"]);
    let rig = Rig::signed_in();
    rig.fault(Some("listing"), 0, u64::MAX, html(200));
    assert_says(&rig.run(&["once"]).expect(7), &["icloud"]);
}

#[test]
fn a_storm_of_503_is_exit_7_and_a_squall_is_weathered() {
    let rig = Rig::signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    for number in 0..12 {
        rig.write(&format!("up {number}"), "u");
    }
    // Every kind of call fails twice, then works.
    for kind in ["listing", "commit", "upload.slot", "upload.content", "download.info", "download.content"] {
        rig.fault(Some(kind), 1, 2, html(503));
    }
    rig.once();
    rig.assert_settled();
    rig.fault(Some("listing"), 0, u64::MAX, html(503));
    assert_says(&rig.run(&["once"]).expect(7), &["503"]);
}

#[test]
fn throttling_is_weathered() {
    let rig = Rig::signed_in_with(|config| {
        config.switches.throttle = Throttle::Html503;
        config.switches.throttle_every = 12;
    });
    for number in 0..10 {
        rig.write(&format!("up {number}"), "u");
        rig.there().write(&format!("down {number}"), "d").expect("a file");
    }
    rig.once();
    rig.sim.switches(|switches| switches.throttle = Throttle::None);
    rig.assert_settled();
}

#[test]
fn a_session_that_ends_in_mid_pass_is_renewed_without_a_person() {
    let rig = Rig::signed_in();
    for number in 0..30 {
        rig.write(&format!("up/{number}"), "u");
    }
    let child = rig.spawn(&["once"]);
    while rig.sim.count("commit") < 3 {
        pace(Duration::from_millis(1));
    }
    rig.sim.expire(Expire::Session);
    rig.finish(child).expect(0);
    rig.assert_settled();
}

#[test]
fn a_session_that_is_over_for_good_is_exit_8() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    rig.sim.expire(Expire::Session);
    rig.sim.expire(Expire::SessionToken);
    rig.sim.expire(Expire::Trust);
    assert_says(&rig.run(&["once"]).expect(8), &["icloudds login"]);
    assert_eq!(rig.here().len(), 1);
    rig.login();
    rig.assert_settled();
}

#[test]
fn accounts_that_cannot_be_used_say_what_to_change() {
    for (change, words) in [
        (
            Box::new(|account: &mut icloudds_simulator::Account| account.security_keys = vec!["key".into()])
                as Box<dyn Fn(&mut icloudds_simulator::Account)>,
            &["security key"][..],
        ),
        (Box::new(|account| account.web_access = WebAccess::EmptyWebservices), &["web"]),
        // The same words mean throttling, so the sentence can only repeat them (`docs/protocol.md` §16.1).
        (Box::new(|account| account.web_access = WebAccess::AccessDenied), &["ACCESS_DENIED"]),
    ] {
        let rig = Rig::new();
        rig.sim.account(change);
        let ran = rig.try_login(|_| {});
        let ran = if ran.exit == 0 { rig.run(&["once"]) } else { ran };
        assert!([6, 7, 8].contains(&ran.exit), "{}: {}", ran.exit, ran.stderr);
        assert_says(&ran, words);
    }
}

#[test]
fn a_configuration_of_every_bad_kind_is_exit_3_and_one_line() {
    for (key, value, words) in [
        ("sync.mode", "'both'", &["sync.mode", "both", "two-way"][..]),
        ("sync.mode", "5", &["sync.mode"]),
        ("sync.chek_period", "20", &["chek_period"]),
        ("sync.check_period", "-1", &["sync.check_period"]),
        ("sync.max_workers", "0", &["sync.max_workers"]),
        ("sync.ignore", "['a(']", &["sync.ignore"]),
        ("sync.ignore", "['a(?=b)']", &["sync.ignore", "look"]),
        ("trash.max_size", "'10 bananas'", &["trash.max_size", "bananas"]),
        ("guard.max_delete_percent", "101", &["guard.max_delete_percent"]),
        ("log.level", "'verbose'", &["log.level", "verbose"]),
        ("elephant.grey", "true", &["elephant"]),
        ("account.password_file", "'/x'", &["account.password"]),
        ("tls.ca_file", "'/nonexistent.pem'", &["tls.ca_file", "/nonexistent.pem"]),
        ("web.listen", "'0.0.0.0:80'", &["web."]),
        ("sync.mode", "'two-way", &["config.toml"]),
    ] {
        let mut rig = Rig::new();
        rig.set(key, value);
        for command in ["once", "check-config"] {
            let ran = rig.run(&[command]).expect(3);
            assert_says(&ran, words);
            assert_eq!(ran.stderr.lines().count(), 1, "{key} = {value}: {}", ran.stderr);
        }
        assert!(rig.sim.counts().is_empty(), "a request was sent");
    }
    let mut rig = Rig::new();
    let inside = shown(&rig.at("state"));
    rig.set_text("sync.state_directory", &inside);
    assert_says(&rig.run(&["once"]).expect(3), &["state_directory", "directory"]);
    let ran = rig.run(&["--config", "/nonexistent", "once"]);
    assert_eq!(ran.exit, 3);
}

/// A file system of its own, when tests run as root and may mount.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: PathBuf, options: &str) -> Option<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "icloudds-test"]).arg(&at);
        match command.output() {
            Ok(output) if output.status.success() => Some(Self(at)),
            other => {
                not_tried(format_args!("mounting a small file system: {other:?}"));
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status().expect("mount");
        assert!(done.success(), "remount {options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn what_does_not_fit_on_the_disk_is_set_aside_and_the_rest_goes_on() {
    let rig = Rig::signed_in();
    let Some(mounted) = Mounted::new(rig.drive(), "size=4m") else { return };
    rig.there().write("too large.bin", Content::Generated { seed: 1, len: 9_000_000 }).expect("a file");
    rig.there().write("small.txt", "s").expect("a file");
    rig.write("mine.txt", "m");
    let ran = rig.once_unfinished();
    assert!(ran.stderr.contains("too large.bin") && ran.stderr.contains("space"), "{}", ran.stderr);
    assert_eq!((rig.read("small.txt"), rig.read_there("mine.txt")), ("s".to_owned(), "m".to_owned()));
    assert!(!rig.at("too large.bin").exists());
    mounted.remount("size=40m");
    rig.once();
    rig.assert_settled();
}

#[test]
fn a_file_system_that_is_read_only_is_exit_4() {
    let rig = Rig::synced(&[("a.txt", "a")]);
    let mut other = Rig::signed_in();
    let place = other.aside();
    let Some(mounted) = Mounted::new(place.clone(), "size=1m") else { return };
    fs::write(place.join("mine.txt"), "m").expect("a file");
    mounted.remount("ro");
    other.set_text("sync.directory", &shown(&place));
    assert_says(&other.run(&["once"]).expect(4), &[&shown(&place)]);
    assert!(other.on_icloud().is_empty());
    drop(mounted);
    rig.assert_settled();
}

#[test]
fn a_full_icloud_sets_the_uploads_aside_and_the_rest_goes_on() {
    side_by_side([Quota::Slot413, Quota::Slot507, Quota::Content507, Quota::InBodyAtCommit], |quota| {
        let rig = Rig::synced(&[("a.txt", "a")]);
        rig.sim.switches(|switches| {
            switches.quota = quota;
            switches.quota_left = 100;
        });
        rig.write("large.bin", noise(1, 5_000));
        rig.write("a.txt", noise(2, 6_000));
        rig.there().write("down.txt", "d").expect("a file");
        let ran = rig.once_unfinished();
        assert!(ran.stderr.contains("large.bin"), "{quota:?}: {}", ran.stderr);
        assert_eq!(rig.read("down.txt"), "d", "{quota:?}");
        assert_eq!(rig.read_there("a.txt"), "a", "{quota:?}");
        rig.sim.switches(|switches| switches.quota = Quota::None);
        rig.once();
        rig.assert_settled();
    });
}

#[test]
fn replies_that_never_came_double_nothing() {
    side_by_side([Effect::AppliedReplyLost, Effect::NotAppliedReplyLost, Effect::TruncateBody], |effect| {
        let rig = Rig::synced(&[
            ("old/edit.txt", "e"),
            ("old/rename.txt", "r"),
            ("old/move.txt", "m"),
            ("old/rm.txt", "x"),
        ]);
        rig.write("new/created.txt", "c");
        rig.write("old/edit.txt", "edited");
        rig.mv("old/rename.txt", "old/renamed.txt");
        rig.mkdir("target");
        rig.mv("old/move.txt", "target/move.txt");
        rig.rm("old/rm.txt");
        for kind in ["commit", "create", "rename", "move", "trash", "upload.slot", "upload.content"] {
            rig.fault(Some(kind), 0, 1, effect.clone());
        }
        rig.once();
        assert_eq!(rig.here().len(), 7, "{:?}", rig.here().keys());
        rig.assert_settled();
    });
}

#[test]
fn downloads_that_break_off_are_finished() {
    side_by_side(
        [Effect::CutBodyAfter(50_000), Effect::WrongLength(-7), Effect::TruncateBody, html(403), html(500)],
        |effect| {
            let rig = Rig::signed_in();
            rig.there().write("large.bin", Content::Generated { seed: 4, len: 300_000 }).expect("a file");
            rig.fault(Some("download.content"), 0, 2, effect.clone());
            rig.once();
            rig.assert_settled();
        },
    );
}
