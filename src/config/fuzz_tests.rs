//! The configuration as anybody may write it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use super::layer::Effective;
use super::{Sources, check, env, file};
use crate::fuzz_tests::fuzz;

fn label(error: &super::ConfigError) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n'), "an error is one line: {text:?}");
    text.chars().filter(|c| c.is_ascii_lowercase() || *c == ' ').take(60).collect()
}

#[test]
fn configuration_file() {
    let example = include_str!("../../config.example.toml");
    let set: String = example
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let small = "[account]\nusername = \"you@example.com\"\n[sync]\ndirectory = '/d'\nignore = [\"a\", 'b']\n[limits]\nmax_file_size = 0x10\n[log]\nlevels = {http = \"debug\"}\n[web]\ntoken = \"\"\"x\"\"\"\n";
    // Deeper than a stack, and each part of it within what the parser takes.
    let deep = format!("x = {}1{}\n", format!("{{{} = ", ["a"; 70].join(".")).repeat(70), "}".repeat(70));
    fuzz(
        "configuration_file",
        [example, &set, small, &deep, "\u{feff}a = 1979-05-27T07:32:00Z\n", "[sync]\nperiod = 1e3"],
        |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return "no text".to_owned() };
            let layer = match file::parse(Path::new("/c.toml"), text) {
                Ok(layer) => layer,
                Err(error) => return label(&error),
            };
            match Effective::merge([layer]) {
                Ok(effective) => check::check(&Sources::default(), &effective)
                    .map_or_else(|no| label(&no), |_| "good".to_owned()),
                Err(error) => label(&error),
            }
        },
    );
}

#[test]
fn environment() {
    let seeds = [
        "ICLOUDDS_SYNC__PERIOD=60\nICLOUDDS_SYNC__IGNORE=[\"a\"]\nHOME=/h",
        "ICLOUDDS_LOG__LEVELS__HTTP=debug\nICLOUDDS_LOG__LEVELS={a=\"b\"}\nICLOUDDS_PORT_80_TCP=tcp://1\nICLOUDDS_CONFIG=x",
        "ICLOUDDS_ACCOUNT__USERNAME=a@b\nICLOUDDS_WEB__LISTEN=0.0.0.0:1\nICLOUDDS_LIMITS__MAX_FILE_SIZE=\"10 GB\"",
    ];
    fuzz("environment", seeds, |bytes| {
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let pairs = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
            let at = line.iter().position(|byte| *byte == b'=')?;
            Some((os(&line[..at]), os(&line[at + 1..])))
        });
        let sources = Sources { file: None, variables: pairs.collect() };
        match env::read(&sources) {
            Err(error) => label(&error),
            Ok((layer, notes)) => {
                match Effective::merge([layer]).and_then(|all| check::check(&sources, &all)) {
                    Ok(_) => format!("good {}", notes.len()),
                    Err(error) => label(&error),
                }
            }
        }
    });
}
