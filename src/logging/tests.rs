use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use log::{Level, Log as _, Record};

use super::*;
use crate::exit::ExitCode;
use crate::secret;

fn options(file: &Path) -> Log {
    Log {
        level: LevelFilter::Off,
        levels: BTreeMap::new(),
        format: LogFormat::Text,
        file: Some(file.to_owned()),
        file_format: LogFormat::Text,
        file_level: LevelFilter::Debug,
        file_max_size: None,
        file_keep: 3,
        state_dump: false,
    }
}

/// Logs `events` of target, level and message, and returns what the file holds.
fn logged(options: &Log, events: &[(&str, Level, &str)]) -> String {
    let (_, logger) = dispatch(options, TimeZone::UTC).expect("the log starts").into_log();
    for (target, level, message) in events {
        let args = format_args!("{message}");
        logger.log(&Record::builder().target(target).level(*level).args(args).build());
    }
    fs::read_to_string(options.file.as_ref().expect("a file")).expect("the log file")
}

/// The lines without their time.
fn without_time(text: &str) -> Vec<&str> {
    text.lines().map(|line| &line["2026-11-22 10:00:00.123 ".len()..]).collect()
}

#[test]
fn levels_of_parts_win_over_the_outputs_level_and_others_say_only_warnings() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let mut options = options(&temp.path().join("a/b/log"));
    options.file_level = LevelFilter::Info;
    options.levels =
        BTreeMap::from([("signin".to_owned(), LevelFilter::Trace), ("http".to_owned(), LevelFilter::Off)]);
    let thread = std::thread::current();
    let thread = thread.name().expect("test threads have names");
    let text = logged(
        &options,
        &[
            ("icloudds::store", Level::Info, "shown 1"),
            ("icloudds::store", Level::Debug, "hidden"),
            ("icloudds::icloud::signin::srp", Level::Trace, "shown 2"),
            ("icloudds::icloud::http", Level::Error, "hidden"),
            ("icloudds::icloud", Level::Debug, "hidden"),
            ("ureq::run", Level::Info, "hidden"),
            ("ureq::run", Level::Warn, "shown 3"),
        ],
    );
    assert_eq!(
        without_time(&text),
        [
            format!("INFO {thread} store shown 1"),
            format!("TRACE {thread} signin shown 2"),
            format!("WARN {thread} run shown 3"),
        ]
    );
}

#[test]
fn an_event_is_one_masked_line_whatever_is_in_it() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let options = options(&temp.path().join("log"));
    let _held = secret::Secret::new("s3cr3t\nwith break");
    let text = logged(
        &options,
        &[
            ("icloudds", Level::Info, "a\nb\rc\td\u{1b}[31m\u{202e}\u{2028}"),
            ("icloudds", Level::Info, "token s3cr3t\nwith break end"),
        ],
    );
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(r"a\nb\rc\td\u{1b}[31m\u{202e}\u{2028}"), "{text}");
    assert!(text.contains("token *** end"), "{text}");
}

#[test]
fn json_carries_the_fixed_names_and_each_key() {
    let now: jiff::Timestamp = "2026-11-22T10:00:00.123456Z".parse().expect("a time");
    let _held = secret::Secret::new("json-\"secret\"");
    let pairs: &[(&str, log::kv::Value<'_>)] = &[
        ("bytes", 5_u64.into()),
        ("seconds", 0.5_f64.into()),
        ("path", "a \"b\"".into()),
        ("message", "other".into()),
        ("note", "has json-\"secret\"".into()),
        ("done", true.into()),
        ("code", 48_151_623_u64.into()),
    ];
    secret::register("48151623");
    let record = |line: fn(&Record<'_>) -> String| {
        line(
            &Record::builder()
                .target("icloudds::store")
                .level(Level::Warn)
                .args(format_args!("it json-\"secret\""))
                .key_values(&pairs)
                .build(),
        )
    };
    let json = {
        let text = record(|record| {
            let now: jiff::Timestamp = "2026-11-22T10:00:00.123456Z".parse().expect("a time");
            format::json(now, record.args(), record)
        });
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let thread = std::thread::current();
    let expected = serde_json::json!({
        "timestamp": "2026-11-22T10:00:00.123Z", "level": "warn", "target": "icloudds::store",
        "thread": thread.name().expect("test threads have names"), "message": "it ***",
        "bytes": 5, "seconds": 0.5, "path": "a \"b\"", "message_": "other", "note": "has ***", "done": true,
        "code": "***",
    });
    assert_eq!(json, expected);

    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let record = Record::builder()
        .target("icloudds::store")
        .level(Level::Warn)
        .args(format_args!("said"))
        .key_values(&pairs)
        .build();
    let text = format::text(now, &zone, format::Detail::Brief, record.args(), &record);
    let expected = r#"2026-11-22 11:00:00.123 WARN said bytes=5 seconds=0.5 path="a \"b\"" message=other note="has ***" done=true code=***"#;
    assert_eq!(text, expected);
}

#[test]
fn the_file_is_rolled_by_size_and_belongs_to_its_owner() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let path = temp.path().join("log");
    let name = |n: usize| temp.path().join(format!("log.{n}"));
    fs::write(&path, "from before\n").expect("an older log");
    // Somebody's own copy under a rolled name must not stop anything.
    let mut rolling = rolling::RollingFile::open(&path, Some(30), 2).expect("the log opens");
    fs::write(name(1), "foreign\n").expect("a copy");
    for n in 0..8 {
        rolling.write_line(&format!("line {n} of ten\n")).expect("a line");
    }
    assert_eq!(fs::read_to_string(&path).expect("log"), "line 7 of ten\n");
    assert_eq!(fs::read_to_string(name(1)).expect("log.1"), "line 5 of ten\nline 6 of ten\n");
    assert_eq!(fs::read_to_string(name(2)).expect("log.2"), "line 3 of ten\nline 4 of ten\n");
    assert!(!name(3).exists());
    for file in [path.clone(), name(2)] {
        assert_eq!(fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }

    fs::remove_file(&path).expect("somebody removes the log");
    rolling.write_line("after\n").expect("a line");
    assert_eq!(fs::read_to_string(&path).expect("log"), "after\n");
}

#[test]
fn none_is_kept_when_none_is_wanted() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let path = temp.path().join("log");
    let mut rolling = rolling::RollingFile::open(&path, Some(10), 0).expect("the log opens");
    for n in 0..3 {
        rolling.write_line(&format!("line {n}\n")).expect("a line");
    }
    assert_eq!(fs::read_to_string(&path).expect("log"), "line 2\n");
    assert_eq!(fs::read_dir(temp.path()).expect("a folder").count(), 1);
}

#[test]
fn a_file_that_cannot_be_opened_names_itself_and_ends_with_3() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    fs::write(temp.path().join("file"), "").expect("a file");
    for path in ["file/log", "."] {
        let Err(error) = dispatch(&options(&temp.path().join(path)), TimeZone::UTC) else {
            panic!("{path} was opened");
        };
        assert_eq!(error.exit_code(), ExitCode::Configuration, "{error}");
        assert!(error.to_string().starts_with("log.file: cannot "), "{error}");
    }
}

#[test]
fn a_file_that_fails_later_does_not_stop_the_program() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let folder = temp.path().join("logs");
    let mut rolling = rolling::RollingFile::open(&folder.join("log"), None, 1).expect("the log opens");
    fs::remove_dir_all(&folder).expect("the folder goes");
    fs::write(&folder, "").expect("a file takes its place");
    rolling.write_line("lost\n").expect_err("there is no folder");
    fs::remove_file(&folder).expect("the file goes");
    rolling.write_line("kept\n").expect("the folder is made again");
    assert_eq!(fs::read_to_string(folder.join("log")).expect("log"), "kept\n");
}
