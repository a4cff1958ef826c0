//! Logging of a whole process: each test starts itself once more as a child, since a process has one logger.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use icloudds::config::{Config, Sources, load};
use icloudds::logging::{self, zone};
use icloudds::{panics, secret};

/// Tells the child which of [`child`]'s scenes to play; without it that test does nothing.
const SCENE: &str = "TEST_SCENE";

fn play(scene: &str, log_file: &Path) -> Output {
    let test = std::env::current_exe().expect("this test binary");
    let mut command = Command::new(test);
    command.args(["logging::child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(SCENE, scene).env("TZ", "Asia/Tokyo").env("ICLOUDDS_CONFIG", "/dev/null");
    command.env("ICLOUDDS_ACCOUNT__USERNAME", "you").env("ICLOUDDS_ACCOUNT__PASSWORD", "hunter2hunter2");
    command.env("ICLOUDDS_LOG__FILE", log_file).env("ICLOUDDS_LOG__FILE_FORMAT", "json");
    command.output().expect("the child starts")
}

fn configured() -> Config {
    load(&Sources::of_process(None)).unwrap_or_else(|error| panic!("{error}")).config
}

#[test]
fn child() {
    let Ok(scene) = std::env::var(SCENE) else { return };
    logging::init(&configured().log, zone::of_process().0).expect("logging starts");
    panics::install();
    match scene.as_str() {
        "panic" => {
            let name = "icloudds-test".to_owned();
            let thread =
                std::thread::Builder::new().name(name).spawn(|| panic!("at hunter2hunter2\nsecond line"));
            let _ = thread.expect("a thread").join();
        }
        "full" => {
            for n in 0..3 {
                log::info!(target: "icloudds::store", n; "event");
            }
        }
        "rescue" => {
            let bad = configured().log.file.expect("a log file").with_extension("bad");
            if !bad.exists() {
                log::info!(target: "icloudds::store", "begun again");
                return;
            }
            let rescue = move |words: &str| {
                fs::rename(&bad, bad.with_extension(words)).expect("moved");
                panic!("not begun again: {}", panics::start_over());
            };
            panics::rescued(rescue, || panic!("page-{}", 7));
        }
        "rescued" => {
            assert_eq!(panics::rescued(|_| panic!("too late"), || 7), 7);
            panic!("nothing to do with it");
        }
        other => panic!("no scene {other}"),
    }
}

/// The lines of the program itself, without those of the test harness.
fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stderr.clone()).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_panic_is_one_masked_line_in_every_log_and_exit_2() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let file = temp.path().join("log");
    let output = play("panic", &file);
    assert_eq!(output.status.code(), Some(2), "{:?}", lines(&output));
    let expected = r"panicked at tests/it/logging.rs:";
    let said = lines(&output);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(" ERROR thread icloudds-test ") && said[0].contains(expected), "{said:?}");
    assert!(said[0].ends_with(r": at ***\nsecond line"), "{said:?}");
    let text = fs::read_to_string(file).expect("the log file");
    let event: serde_json::Value = serde_json::from_str(text.trim_end()).expect("one JSON line");
    assert_eq!((event["level"].as_str(), event["thread"].as_str()), (Some("error"), Some("icloudds-test")));
    assert!(
        event["message"].as_str().is_some_and(|message| message.ends_with(": at ***\nsecond line")),
        "{event}"
    );
    // The file's JSON is in UTC, the text on stderr in the zone of TZ.
    let written: jiff::Timestamp = event["timestamp"].as_str().expect("a time").parse().expect("RFC 3339");
    let local = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", &said[0][..19]).expect("a time");
    let shown = local.in_tz("Asia/Tokyo").expect("a zone").timestamp();
    assert!(written.duration_since(shown).as_secs().abs() < 60, "{written} {shown}");
    assert!(!text.contains("hunter2") && secret::mask(&text) == text.as_str());
}

#[test]
fn what_cannot_be_read_is_moved_away_and_the_program_begins_again() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    fs::write(temp.path().join("the.bad"), "damaged").expect("written");
    let output = play("rescue", &temp.path().join("the.log"));
    let said = lines(&output);
    assert_eq!(output.status.code(), Some(0), "{said:?}");
    assert!(said.len() == 1 && said[0].ends_with("begun again"), "{said:?}");
    assert_eq!(fs::read_to_string(temp.path().join("the.page-7")).expect("moved"), "damaged");
}

#[test]
fn a_rescue_that_is_over_has_no_part_in_later_panics() {
    let temp = tempfile::tempdir().expect("a temporary directory");
    let output = play("rescued", &temp.path().join("log"));
    let said = lines(&output);
    assert_eq!(output.status.code(), Some(2), "{said:?}");
    assert!(said.len() == 1 && said[0].ends_with("nothing to do with it"), "{said:?}");
}

#[test]
fn a_full_disk_is_said_once_and_the_program_goes_on() {
    let output = play("full", Path::new("/dev/full"));
    assert_eq!(output.status.code(), Some(0), "{:?}", lines(&output));
    let said = lines(&output);
    assert_eq!(
        said.iter().filter(|line| line.contains("cannot write to the log file /dev/full")).count(),
        1,
        "{said:?}"
    );
    assert_eq!(said.iter().filter(|line| line.contains(" INFO event n=")).count(), 3, "{said:?}");
    assert_eq!(said.len(), 4, "{said:?}");
}
