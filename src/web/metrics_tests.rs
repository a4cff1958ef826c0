//! The metrics, read by a parser that is stricter than Prometheus' own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::*;
use crate::model::State;
use crate::status::{CallCount, Facts, SideCounts, Tracker};

/// Families with their type and samples, each a name with labels and a value. Panics at the first line that the format or
/// its conventions forbid.
#[track_caller]
fn parsed(text: &str) -> BTreeMap<String, (String, Vec<(String, f64)>)> {
    let mut families: BTreeMap<String, (String, Vec<(String, f64)>)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut current = String::new();
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help text");
            let fits = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(fits), "{name}");
            assert!(help.ends_with('.') || help.ends_with("always 1."), "{line}");
            current = name.to_owned();
            assert!(families.insert(current.clone(), (String::new(), Vec::new())).is_none(), "{name} twice");
            continue;
        }
        let family = families.get_mut(&current).expect("a family begins with its help");
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(name, current);
            assert!(family.0.is_empty() && matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            family.0 = kind.to_owned();
            continue;
        }
        assert!(!family.0.is_empty() && !line.starts_with('#'), "{line}");
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(seen.insert(series.to_owned()), "{series} twice");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(family.0 != "counter" || value >= 0.0, "{line}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert_eq!(name, current);
        let labels = labels.strip_suffix('}').expect("a closing brace");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once('=').expect("a label");
            assert!(key.chars().all(|c| c.is_ascii_lowercase()), "{label}");
            let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("quotes");
            assert!(!inside.replace("\\\"", "").replace("\\\\", "").contains(['"', '\n']), "{label}");
        }
        family.1.push((series.to_owned(), value));
    }
    for (name, (_, samples)) in &families {
        assert!(!samples.is_empty(), "{name} has no sample");
    }
    families
}

fn tracker() -> Tracker {
    let facts = Facts {
        username: "you@example.com".to_owned(),
        directory: "/drive".to_owned(),
        remote_root: "/".to_owned(),
        watch: "events".to_owned(),
        file_system: None,
        pid: 1,
    };
    Tracker::new(facts, 1_795_341_600)
}

#[test]
fn a_fresh_start_says_nothing_that_it_does_not_know() {
    let status = tracker().document(&State::empty(), &TimeZone::UTC);
    let families = parsed(&text(&status, &Counters::default(), None));
    for absent in [
        "icloudds_files",
        "icloudds_last_success_timestamp_seconds",
        "icloudds_session_expiry_timestamp_seconds",
        "icloudds_requests_total",
        "icloudds_walk_complete",
        "process_resident_memory_bytes",
    ] {
        assert!(!families.contains_key(absent), "{absent}");
    }
    let states = &families["icloudds_state"].1;
    assert_eq!(states.len(), DaemonState::ALL.len());
    assert!((states.iter().map(|(_, value)| value).sum::<f64>() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn everything_that_is_known_is_told() {
    let mut tracker = tracker();
    tracker.set_state(DaemonState::Idle, 1_795_341_601);
    tracker.looked.local = true;
    tracker.counts.local = SideCounts { files: 12, folders: 3, bytes: u64::MAX };
    tracker.trust.expires = Some((1_800_000_000, true));
    tracker.totals.uploads = 7;
    tracker.failed("no", None);
    let mut stored = State::empty();
    stored.last_sync = Some(1_795_341_660);
    let status = tracker.document(&stored, &TimeZone::UTC);
    let odd = CallCount { kind: "odd \"kind\"\\\n".to_owned(), sent: 2, failed: 1, millis: 1_050 };
    let counters = Counters {
        requests: vec![odd],
        walk_complete: Some(false),
        feed_disagreements: 2,
        etag_disagreements: 3,
    };
    let families = parsed(&text(&status, &counters, Some(4096)));
    let odd = "{kind=\"odd \\\"kind\\\"\\\\\\n\"}";
    for (series, value) in [
        ("icloudds_state{state=\"idle\"}", 1.0),
        ("icloudds_files{side=\"local\"}", 12.0),
        ("icloudds_remote_watch{by=\"poll\"}", 1.0),
        ("icloudds_remote_watch{by=\"push\"}", 0.0),
        ("icloudds_last_success_timestamp_seconds", 1_795_341_660.0),
        ("icloudds_session_expiry_timestamp_seconds", 1_800_000_000.0),
        ("icloudds_transfers_total{kind=\"upload\"}", 7.0),
        ("icloudds_failures_total", 1.0),
        ("icloudds_walk_complete", 0.0),
        ("icloudds_feed_disagreements_total", 2.0),
        ("icloudds_etag_disagreements_total", 3.0),
        ("process_resident_memory_bytes", 4096.0),
        (&format!("icloudds_request_seconds_total{odd}"), 1.05),
        (&format!("icloudds_request_failures_total{odd}"), 1.0),
    ] {
        let all = families.values().flat_map(|(_, samples)| samples);
        let found = all.clone().find(|(name, _)| name == series).map(|(_, value)| *value);
        assert_eq!(found, Some(value), "{series}");
    }
    assert!(
        !families["icloudds_files"].1.iter().any(|(series, _)| series.contains("remote")),
        "not looked at yet"
    );
    assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let alerts = include_str!("../../deploy/prometheus/icloudds.rules.yaml");
    let dashboard = include_str!("../../deploy/grafana/icloudds.json");
    let source = include_str!("metrics.rs");
    let mut named = BTreeSet::new();
    for text in [alerts, dashboard] {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        named.extend(text.split(|c| !is_part(c)).filter(|word| word.starts_with("icloudds_")));
    }
    assert!(named.len() > 12, "{named:?}");
    for name in named {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is no metric");
    }
}
