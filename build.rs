//! Gathers the licences of everything that is linked into the binary, for `icloudds licences`: from the lock file and the sources
//! that cargo has unpacked already, without a network.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A licence's words, whoever holds the rights.
#[derive(Default)]
struct Group {
    /// The text without the lines that name somebody.
    text: String,
    /// What comes under it, each with the lines that name somebody.
    packages: Vec<(String, Vec<String>)>,
}

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-changed=LICENSE");
    println!("cargo::rerun-if-changed=build.rs");
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let own = fs::read_to_string(here.join("LICENSE"))?;
    add(&mut groups, "icloudds", &own, &[]);
    // They are in every static binary, and under the same words.
    add(
        &mut groups,
        "the Rust standard library (MIT OR Apache-2.0)",
        &own,
        &["Copyright (c) The Rust Project Contributors"],
    );
    add(&mut groups, "musl (MIT)", &own, &["Copyright (c) 2005-2020 Rich Felker, et al."]);
    for (name, version, licence) in packages(&here)? {
        let folder = sources(&here, &name, &version).ok_or_else(|| {
            format!("the sources of {name} {version} are not unpacked, so its licence cannot be told")
        })?;
        for file in chosen(&folder, &licence)? {
            let text = fs::read_to_string(folder.join(file))?;
            add(&mut groups, &format!("{name} {version} ({licence})"), &text, &[]);
        }
    }
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("licences.txt"), rendered(groups)?)?;
    Ok(())
}

/// Name, version and licence of each package that is linked for this target.
fn packages(here: &Path) -> Result<Vec<(String, String, String)>> {
    let output = Command::new(env::var("CARGO")?)
        .current_dir(here)
        // They name pipes of the cargo that runs this, which are not for another.
        .env_remove("CARGO_MAKEFLAGS")
        .env_remove("MAKEFLAGS")
        .args(["tree", "--offline", "--locked", "--package", "icloudds", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--format", "{p}|{l}", "--target", &env::var("TARGET")?])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut packages = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let mut words = package.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else { continue };
        if name != "icloudds" {
            let licence = licence.trim_end_matches(" (*)").trim();
            packages.push((name.to_owned(), version.trim_start_matches('v').to_owned(), licence.to_owned()));
        }
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Where cargo has unpacked a package, or somebody has vendored it.
fn sources(here: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let unpacked = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok()).into_iter().flatten();
    let registries = unpacked.filter_map(|entry| entry.ok()).map(|entry| entry.path());
    let vendored = [here.join("vendor").join(name), here.join("vendor").join(format!("{name}-{version}"))];
    registries
        .map(|registry| registry.join(format!("{name}-{version}")))
        .chain(vendored)
        .find(|folder| folder.is_dir())
}

/// The files that tell the licence that is made use of: MIT where there is a choice, else all.
fn chosen(folder: &Path, licence: &str) -> Result<Vec<String>> {
    let mut files: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let lower = name.to_lowercase();
        if ["licen", "copying", "unlicense", "notice"].iter().any(|start| lower.starts_with(start)) {
            files.push(name);
        }
    }
    files.sort();
    let has = |file: &String, word: &str| file.to_lowercase().contains(word);
    if files.iter().any(|file| has(file, "mit")) {
        let others = ["apache", "unlicense", "copying", "0bsd", "zlib", "isc"];
        files.retain(|file| !others.iter().any(|other| has(file, other)) && file.to_lowercase() != "license");
    }
    if files.is_empty() {
        return Err(format!("{} has no licence file ({licence})", folder.display()).into());
    }
    Ok(files)
}

/// Whether a line names who holds the rights.
fn is_notice(line: &str) -> bool {
    let lower = line.trim().to_lowercase();
    lower.starts_with("copyright")
        && (lower.contains("(c)") || lower.contains('©') || lower.bytes().any(|b| b.is_ascii_digit()))
}

fn add(groups: &mut BTreeMap<String, Group>, package: &str, text: &str, notices: &[&str]) {
    let (named, words): (Vec<&str>, Vec<&str>) =
        text.lines().map(str::trim_end).partition(|line| is_notice(line));
    let text = words.join("\n");
    let key: String = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let group = groups.entry(key).or_default();
    if group.text.is_empty() {
        group.text = text.trim().to_owned();
    }
    let notices = match notices {
        [] => named.iter().map(|line| line.trim().to_owned()).collect(),
        given => given.iter().map(|line| (*line).to_owned()).collect(),
    };
    group.packages.push((package.to_owned(), notices));
}

fn rendered(groups: BTreeMap<String, Group>) -> Result<String> {
    // What most come under first.
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        (std::cmp::Reverse(group.packages.len()), group.packages.first().map(|(name, _)| name.clone()))
    });
    let mut text = String::from("This program is made of these works, under these licences.\n");
    for group in groups {
        writeln!(text, "\n{}\n", "=".repeat(79))?;
        for (package, notices) in &group.packages {
            writeln!(text, "{package}")?;
            for notice in notices {
                writeln!(text, "    {notice}")?;
            }
        }
        writeln!(text, "\n{}", group.text)?;
    }
    Ok(text)
}
