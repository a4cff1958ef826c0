//! What every file must keep to: the direction of dependencies, sizes, honest tests, documents that are true.

mod errors;
mod modules;
mod owners;
mod paths;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longer files hold a second idea.
const MOST_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below these folders, with its text; paths relative to the root.
fn sources(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut left: Vec<_> =
        folders.iter().map(|folder| root().join(folder)).filter(|path| path.exists()).collect();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                found.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folders:?}");
    found.sort();
    found
}

/// The modules of the crate that a line of code names as `crate::NAME`.
fn named(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    let names = code.split("crate::").skip(1);
    let ends = |c: char| !c.is_alphanumeric() && c != '_';
    names.map(|rest| rest.split(ends).next().unwrap_or_default()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn dependencies_run_one_way() {
    let mut wrong = Vec::new();
    for (layer, allowed) in [("src/model", &["model"][..]), ("src/engine", &["engine", "model"])] {
        for (path, text) in sources(&[layer]) {
            for (number, line) in text.lines().enumerate() {
                let names = named(line);
                // `use crate::{…}` could name anything, so the layers below do without it.
                if line.contains("crate::{") || names.iter().any(|name| !allowed.contains(name)) {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these name a module above them:\n{}", wrong.join("\n"));
}

#[test]
fn model_does_no_io_and_reads_no_clock() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src/model"]) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let forbidden =
                ["std::fs", "std::net", "std::thread", "Instant::now", "SystemTime::now", "log::"];
            if forbidden.iter().any(|word| code.contains(word)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "these touch the world:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_enough_to_hold_one_idea() {
    let long: Vec<_> = sources(&["src", "tests", "simulator", "examples", "benches"])
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {long:#?}");
}

#[test]
fn no_test_sleeps_or_keeps_a_core_busy_with_looking_and_none_is_left_out() {
    let mut wrong = Vec::new();
    // Written in two halves, so that this file does not find itself.
    let forbidden = [
        concat!("thread::", "sleep"),
        concat!("#[", "ignore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    for (path, text) in sources(&["src", "tests", "simulator/tests", "examples", "benches"]) {
        let in_tests = path.starts_with("tests") || path.starts_with("simulator");
        for (number, line) in text.lines().enumerate() {
            let relevant = if in_tests { &forbidden[..] } else { &forbidden[1..] };
            // The one place that keeps the pace of somebody outside: a writer, or another process that is polled.
            let paces = path.ends_with("tests/it/run/daemon.rs")
                && line.trim() == concat!("thread::", "sleep(span);");
            // What looks at the binary again and again without a pause keeps a core from the tests beside it.
            let spins = path.starts_with("tests") && line.contains(concat!("yield_", "now"));
            if spins || !paces && relevant.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The targets of the links in a document, those to the web left out.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchors that a document's headings have on a forge.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn links_in_the_documents_resolve() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(name)).expect(name);
        for link in links(&text) {
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(name) } else { root().join(file) };
            let there = match (target.exists(), anchor) {
                (false, _) => false,
                (true, "") => true,
                (true, anchor) => anchors(&fs::read_to_string(&target).expect("a document"))
                    .iter()
                    .any(|known| known == anchor),
            };
            if !there {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "these lead nowhere: {wrong:#?}");
    assert!(checked > 5, "only {checked} links were found");
}

/// `section.key` and its default, as `check-config` prints them.
fn defaults() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO_BIN_EXE_icloudds"))
        .env_clear()
        .env("ICLOUDDS_CONFIG", "/dev/null")
        .env("ICLOUDDS_ACCOUNT__USERNAME", "x")
        .arg("check-config")
        .output()
        .expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((key, rest)) = line.split_once(" = ") {
            let (value, origin) = rest.rsplit_once('#').expect("an origin");
            let value = if origin.trim() == "default" { value.trim() } else { "\"\"" };
            found.insert(format!("{section}.{key}"), value.to_owned());
        }
    }
    found
}

#[test]
fn the_table_of_keys_is_complete_and_true() {
    let table = fs::read_to_string(root().join("docs/keys.md")).expect("docs/keys.md");
    let mut written = BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, key, default, meaning, ..] = cells.as_slice() else { panic!("a row of three cells: {row}") };
        assert!(!meaning.is_empty(), "{key} is not explained");
        written.insert(key.trim_matches('`').to_owned(), default.trim_matches('`').to_owned());
    }
    assert_eq!(written, defaults());
}

#[test]
fn every_direct_dependency_is_documented_with_its_place() {
    let manifest: toml::Table =
        fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml").parse().expect("TOML");
    let text = fs::read_to_string(root().join("docs/dependencies.md")).expect("docs/dependencies.md");
    for name in manifest["dependencies"].as_table().expect("dependencies").keys() {
        assert!(text.contains(&format!("`{name}`")), "{name} is not in the table");
        let code = name.replace('-', "_");
        let used = sources(&["src"]).iter().any(|(_, text)| text.contains(&format!("{code}::")));
        // The one is named by the attribute of another name alone, the other only holds a version.
        let unseen = ["thiserror", "idna_adapter"];
        assert!(used || unseen.contains(&name.as_str()), "{name} is not used");
    }
}
