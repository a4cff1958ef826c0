//! Nothing private is in a report, nor in what is said meanwhile.

use std::collections::BTreeSet;

use super::{set, signed_in};
use crate::e2e::rig::Rig;

/// A drive of names that nobody else should read, and all that must not be told of it.
fn private_drive(rig: &Rig) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for folder in ["Scheidung", "Befunde Onkologie", "K\u{fc}ndigung", "Projekt.Falke"] {
        for file in ["Gutachten Dr. Brandt.pdf", "Kontoauszug DE12.pdf", "Kontoauszug DE12 2.pdf", "leer.txt"]
        {
            let path = format!("{folder}/{file}");
            let content = if file == "leer.txt" { "" } else { "Geheimrezept der Tante Ottilie" };
            rig.there().write(&path, content).expect("a file");
        }
        secrets.insert(folder.to_owned());
    }
    for number in 0..45 {
        rig.there().folder(&format!("Mandant Nr{number:02} Huber")).expect("a folder");
    }
    rig.there().library("iCloud.com.dating.heimlich", "Heimlich", false);
    rig.there().write("Trennungsbrief.txt", "Liebe").expect("a file");
    rig.there().trash("Trennungsbrief.txt").expect("trashed");
    for word in [
        "Gutachten",
        "Kontoauszug",
        "leer.txt",
        "Brandt",
        "Ottilie",
        "Mandant",
        "Huber",
        "heimlich",
        "Heimlich",
        "dating",
        "Trennungsbrief",
        "ndigung",
        "Projekt",
        "Falke",
        "Geheimrezept",
    ] {
        secrets.insert(word.to_owned());
    }
    for entry in rig.there().tree().into_values() {
        secrets.insert(entry.docwsid.clone());
        secrets.insert(entry.docwsid.to_lowercase());
        secrets.insert(entry.etag);
    }
    let state = rig.sim.core().state();
    let account = &state.account;
    secrets.extend([account.dsid.clone(), account.password.clone(), account.name.clone()]);
    secrets.extend([account.first_name.clone(), account.last_name.clone()]);
    secrets.extend(state.auth.session_tokens.keys().cloned());
    secrets.extend(state.auth.trust_tokens.keys().cloned());
    drop(state);
    secrets.extend(stored_secrets(rig));
    // Every account has these ids.
    secrets.retain(|secret| secret.len() >= 4 && !["root", "documents"].contains(&secret.as_str()));
    secrets
}

/// Every text of the stored session that is not an ordinary word.
fn stored_secrets(rig: &Rig) -> Vec<String> {
    let text = std::fs::read_to_string(rig.state().join("session.json")).expect("a session");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut found = Vec::new();
    let mut left = vec![&json];
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::Object(members) => left.extend(members.values()),
            serde_json::Value::Array(members) => left.extend(members),
            serde_json::Value::String(text) if text.contains('=') => {
                let value = text.split(';').next().and_then(|pair| pair.split_once('='));
                found.extend(value.map(|(_, value)| value.trim_matches('"').to_owned()));
            }
            serde_json::Value::String(text) if !text.starts_with("http") => found.push(text.clone()),
            _ => {}
        }
    }
    found.retain(|text| text.len() >= 12);
    found
}

#[track_caller]
fn assert_clean(what: &str, text: &str, secrets: &BTreeSet<String>) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "{secret:?} is in {what}: {}", line.unwrap_or_default());
    }
}

#[test]
fn nothing_of_a_private_drive_is_in_a_report() {
    let mut rig = signed_in();
    let mut secrets = private_drive(&rig);
    assert!(secrets.len() > 80, "too few secrets to be a test: {}", secrets.len());
    rig.set_text("log.level", "debug");
    let places = [rig.drive(), rig.state(), rig.aside()].map(|path| path.display().to_string());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    for (arguments, switches) in [
        (&["diagnose"][..], &[][..]),
        (&["diagnose", "--json"], &[]),
        (
            &["diagnose"],
            &[("S-batch", "400"), ("S-gone", "404"), ("S-feed", "off"), ("S-applib-empty", "empty")],
        ),
        (
            &["diagnose", "--json"],
            &[("S-throttle", "503-throttled"), ("throttle-every", "6"), ("throttle-for", "40 s")],
        ),
    ] {
        set(&rig, switches);
        let ran = rig.run(arguments);
        assert!(matches!(ran.exit, 0 | 7), "{}", ran.stderr);
        assert!(ran.stdout.len() > 1000, "{arguments:?} told next to nothing: {}", ran.stdout);
        secrets.extend(stored_secrets(&rig));
        assert_clean("the report", &ran.stdout, &secrets);
        assert_clean("what it said", &ran.stderr, &secrets);
        // The report is for others: it names no place of this machine either.
        for place in places.iter().chain([&host]) {
            assert!(!ran.stdout.contains(place.as_str()), "{place} is in the report");
        }
        assert!(!ran.stdout.contains("127.0.0.1") && !ran.stdout.contains("http://"), "{}", ran.stdout);
        // What the daemon may be writing to is left alone.
        assert!(ran.stderr.contains("looking at"), "{}", ran.stderr);
    }
}

#[test]
fn nothing_of_a_private_drive_is_told_while_writing_is_tried() {
    let mut rig = signed_in();
    let secrets = private_drive(&rig);
    rig.set_text("log.level", "debug");
    let ran = rig.run(&["diagnose", "--probe-writes"]).expect(0);
    assert_clean("the report", &ran.stdout, &secrets);
    assert_clean("what it said", &ran.stderr, &secrets);
    rig.forgiving = true;
}
