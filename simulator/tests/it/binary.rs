//! The command.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_icloudds-simulator"))
}

#[test]
fn it_prints_where_it_is_and_ends_with_its_input() {
    let mut child = command()
        .args(["--stop-on-eof", "--switch", "S-2fa=409+token", "--latency-ms", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(6).map(Result::unwrap).collect();
    let url = lines[0].strip_prefix("url ").unwrap();
    assert_eq!(lines[2], format!("setup {url}/setup/ws/1"));
    assert_eq!(lines[3], format!("auth {url}/appleauth/auth"));
    assert_eq!(lines[4], "account sync.test@example.com");
    assert_eq!(lines[5], "password Tr0ub4dor&3-icloudds");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn alone_it_is_as_slow_as_the_service_and_help_says_so() {
    let printed = |arguments: &[&str]| {
        let output = command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let switches = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&printed(&[arguments, &["--switches"]].concat())).unwrap()
    };
    assert_eq!(
        (&switches(&[])["S-slow-root"], &switches(&[])["S-slow-trash"]),
        (&"30s".into(), &"30s".into())
    );
    assert_eq!(switches(&["--quick"])["S-slow-root"], "0s");
    assert_eq!(switches(&["--quick", "--switch", "S-slow-trash=5s"])["S-slow-trash"], "5s");
    let help = printed(&["--help"]);
    let document = include_str!("../../../docs/simulator.md");
    for word in
        ["--quick", "--ca-file", "--listen", "--control", "--switch", "--account", "--name", "--lifelike"]
    {
        assert!(help.contains(word) && document.contains(word), "{word}");
    }
    for (_, call, _) in icloudds_simulator::control::CALLS {
        assert!(help.contains(&format!("/_sim{call}")), "{call}");
    }
    for word in ["docs/simulator.md", "/_sim/drive/seed", "applied-reply-lost", "\"every\"", "\"trust_life\""]
    {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn its_authority_lies_in_the_file_that_was_asked_for() {
    let folder = std::env::temp_dir().join(format!("icloudds-authority-{}", std::process::id()));
    let mut child = command()
        .args(["--stop-on-eof", "--name", "icloud.test", "--ca-file"])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(8).map(Result::unwrap).collect();
    let url = lines[0].strip_prefix("url ").unwrap();
    assert_eq!(&lines[6..], [format!("control {url}"), format!("proxy {url}")]);
    let text = std::fs::read_to_string(&folder).unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----\n"), "{text}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    std::fs::remove_file(folder).unwrap();
}

#[test]
fn mistakes_are_named() {
    for (arguments, named) in [
        (["--switch", "S-nothing=1"], "S-nothing"),
        (["--switch", "S-2fa"], "NAME=VALUE"),
        (["--account", "/nonexistent.json"], "/nonexistent.json"),
        (["--listen", "somewhere"], "socket address"),
        (["--listen", "somewhere"], "127.0.0.1:0"),
        (["--control", "0.0.0.0:0"], "loopback only"),
        (["--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
        (["--ca-file", "/nonexistent/ca.pem"], "/nonexistent/ca.pem"),
        (["--name", "no host name – at all"], "no host name – at all"),
    ] {
        let output = command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(named), "{text}");
    }
}
