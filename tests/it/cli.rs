//! The binary's command line: exit codes, streams, and what is never shown.

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn icloudds() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icloudds"));
    // An empty file, lest the machine's own configuration be read.
    command.env_clear().env("ICLOUDDS_CONFIG", "/dev/null").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    icloudds().args(arguments).envs(variables.iter().copied()).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = run(&["-V"], &[]);
    assert_eq!(
        (version.status.code(), text(&version.stdout)),
        (Some(0), format!("icloudds {}\n", env!("CARGO_PKG_VERSION")))
    );
    let help = run(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(text(&help.stdout).contains("usage: icloudds [--config FILE] [COMMAND]"));
    let help = run(&["approve", "-h"], &[]);
    assert!(text(&help.stdout).starts_with("usage: icloudds [--config FILE] approve"));
}

#[test]
fn licences_name_everything_that_is_linked() {
    let output = run(&["licences"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    // Whatever the lock file calls a direct dependency is there, with its version.
    let lock =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).expect("the lock file");
    let manifest =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("the manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let lock: toml::Table = lock.parse().expect("TOML");
    let packages = lock["package"].as_array().expect("a list");
    for name in manifest["dependencies"].as_table().expect("a table").keys() {
        let is_told =
            packages.iter().filter(|package| package["name"].as_str() == Some(name)).any(|package| {
                told.contains(&format!("\n{name} {} (", package["version"].as_str().expect("a version")))
            });
        assert!(is_told, "{name}");
    }
    for words in [
        "Permission is hereby granted, free of charge",
        "Copyright (c) 2005-2020 Rich Felker, et al.",
        "Copyright (c) The Rust Project Contributors",
        "BoringSSL",
        "CDLA",
        "UNICODE LICENSE V3",
        "Apache License",
    ] {
        assert!(told.to_lowercase().contains(&words.to_lowercase()), "{words}");
    }
    assert!(told.len() < 130_000, "{}", told.len());
}

#[test]
fn usage_errors_are_one_line_on_stderr_and_exit_3() {
    for (arguments, line) in [
        (
            &["stats"][..],
            "icloudds: unknown command \"stats\", did you mean status?; see `icloudds --help`\n",
        ),
        (
            &["-u", "you"],
            "icloudds: the option -u of the Python tool is replaced by the key account.username\n",
        ),
    ] {
        let output = run(arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(3), line.to_owned()));
        assert!(output.stdout.is_empty());
    }
    for arguments in [&["-phunter2hunter2"][..], &["--password=hunter2hunter2"], &["-p", "hunter2hunter2"]] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(3));
        assert!(!text(&output.stderr).contains("hunter2"), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("account.password"), "{}", text(&output.stderr));
    }
}

#[test]
fn check_config_prints_what_is_in_effect() {
    let output = run(
        &["check-config"],
        &[
            ("ICLOUDDS_ACCOUNT__USERNAME", "you@example.com"),
            ("ICLOUDDS_ACCOUNT__PASSWORD", "hunter2hunter2"),
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("# configuration file: /dev/null"), "{printed}");
    let line = |key: &str| printed.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("username").ends_with("# ICLOUDDS_ACCOUNT__USERNAME"), "{printed}");
    assert!(line("password = \"***\"").ends_with("# ICLOUDDS_ACCOUNT__PASSWORD"), "{printed}");
    assert!(line("directory").ends_with("# default"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn check_config_tells_wrong_from_missing() {
    let missing = run(&["check-config"], &[]);
    assert_eq!(missing.status.code(), Some(5));
    assert!(text(&missing.stderr).starts_with("icloudds: account.username is missing"));
    let wrong = run(&["check-config"], &[("ICLOUDDS_SYNC__MODE", "both")]);
    assert_eq!(wrong.status.code(), Some(3));
    let expected = "icloudds: ICLOUDDS_SYNC__MODE: sync.mode = \"both\": must be \"two-way\", \"download-only\" or \"upload-only\"\n";
    assert_eq!(text(&wrong.stderr), expected);
    let absent = run(&["--config", "/nonexistent/config.toml", "check-config"], &[]);
    assert_eq!(absent.status.code(), Some(3));
    let expected =
        "icloudds: configuration file /nonexistent/config.toml: No such file or directory (os error 2)\n";
    assert_eq!(text(&absent.stderr), expected);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child =
        icloudds().arg("--help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    let mut said = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = icloudds().arg("--help").stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("icloudds: cannot write to standard output: No space left"), "{said}");
}
