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
fn mistakes_are_named() {
    for (arguments, named) in [
        (["--switch", "S-nothing=1"], "S-nothing"),
        (["--switch", "S-2fa"], "NAME=VALUE"),
        (["--account", "/nonexistent.json"], "/nonexistent.json"),
        (["--listen", "somewhere"], "socket address"),
    ] {
        let output = command().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(named), "{text}");
    }
}
