//! The owners of the daemon's state: small, each in its file, and alone with what they own.

use std::collections::BTreeMap;

use super::sources;

/// More fields than a reader can hold in mind.
const MOST_FIELDS: usize = 15;

/// The one type whose fields others use: all of them are owners.
const ROOT: &str = "Loop";

/// A struct: its fields as they are written, without comments.
struct Struct {
    file: String,
    fields: Vec<String>,
}

/// The name at the beginning of a text.
fn name(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The lines of a block that begins with a line of no indent, up to its end.
fn block<'a>(lines: &[&'a str], start: usize) -> Vec<&'a str> {
    let body = lines[start + 1..].iter().take_while(|line| !line.starts_with('}'));
    body.map(|line| line.trim_end()).collect()
}

/// The structs of a folder with their fields, and which of them are changed through `&mut self` in which files.
fn owners(folder: &str) -> (BTreeMap<String, Struct>, BTreeMap<String, Vec<String>>) {
    let (mut structs, mut changed) = (BTreeMap::new(), BTreeMap::<String, Vec<String>>::new());
    for (path, text) in sources(&[folder]) {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines: Vec<_> = code.lines().collect();
        let file = path.display().to_string();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.ends_with('{')) {
            if let Some((_, rest)) = line.split_once("struct ") {
                let is_field = |line: &&str| {
                    let indented =
                        line.strip_prefix("    ").is_some_and(|rest| !rest.starts_with([' ', '/', '#']));
                    indented && line.contains(": ")
                };
                let fields = block(&lines, number).into_iter().filter(is_field);
                let fields = fields.map(|line| line.trim().to_owned()).collect();
                structs.insert(name(rest).to_owned(), Struct { file: file.clone(), fields });
            }
            if let Some(rest) = line.strip_prefix("impl ")
                && block(&lines, number).iter().any(|line| line.contains("&mut self"))
            {
                let of = rest.split_once(" for ").map_or(rest, |(_, of)| of);
                changed.entry(name(of).to_owned()).or_default().push(file.clone());
            }
        }
    }
    (structs, changed)
}

/// How many fields the largest struct of the daemon has, and which one that is.
pub fn largest() -> (usize, String) {
    let (structs, _) = owners("src/daemon");
    structs.into_iter().map(|(name, found)| (found.fields.len(), name)).max().unwrap_or_default()
}

#[test]
fn no_two_types_of_the_daemon_have_one_name() {
    let mut seen = BTreeMap::new();
    for (path, text) in sources(&["src/daemon"]) {
        for line in text.lines().filter(|line| !line.starts_with(' ')) {
            let Some((_, rest)) = line.split_once("struct ").or_else(|| line.split_once("enum ")) else {
                continue;
            };
            if line.starts_with("//") {
                continue;
            }
            let before = seen.insert(name(rest).to_owned(), path.clone());
            assert_eq!(before, None, "{} in {} too", name(rest), path.display());
        }
    }
    assert!(seen.len() > 40, "only {} types were found", seen.len());
}

#[test]
fn no_struct_of_the_daemon_has_more_fields_than_a_reader_can_hold() {
    let (structs, _) = owners("src/daemon");
    assert!(structs.len() > 20, "only {} structs were found", structs.len());
    for (name, found) in structs {
        let count = found.fields.len();
        assert!(count <= MOST_FIELDS, "{name} in {} has {count} fields", found.file);
    }
}

#[test]
fn whoever_changes_by_itself_has_no_more_fields_than_a_reader_can_hold() {
    let mut parts: Vec<_> = sources(&["src"])
        .into_iter()
        .filter_map(|(path, _)| Some(path.strip_prefix("src").ok()?.parent()?.to_owned()))
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.iter().any(|name| name == "tests"))
        .map(|folder| format!("src/{}", folder.iter().next().unwrap_or_default().to_string_lossy()))
        .collect();
    parts.sort();
    parts.dedup();
    assert!(parts.len() > 15, "only {parts:?} were found");
    let mut wrong = Vec::new();
    for part in parts {
        let (structs, changed) = owners(&part);
        let large = structs.into_iter().filter(|(name, found)| {
            changed.contains_key(name) && found.fields.len() > MOST_FIELDS && !found.file.contains("/tests/")
        });
        wrong.extend(
            large.map(|(name, found)| format!("{name} in {} has {}", found.file, found.fields.len())),
        );
    }
    assert!(wrong.is_empty(), "owners with more than {MOST_FIELDS} fields: {wrong:#?}");
}

#[test]
fn an_owner_of_the_daemon_changes_in_its_file_alone() {
    let (structs, changed) = owners("src/daemon");
    let owners: Vec<_> = structs.iter().filter(|(name, _)| changed.contains_key(*name)).collect();
    let names: Vec<_> = owners.iter().map(|(name, _)| name.as_str()).collect();
    for expected in [ROOT, "LocalSide", "LocalWatch", "RemoteSide", "Work", "Requests", "StatusView", "Setup"]
    {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
    let mut wrong = Vec::new();
    for (name, owner) in owners.into_iter().filter(|(name, _)| *name != ROOT) {
        let open = owner.fields.iter().filter(|field| field.starts_with("pub"));
        wrong.extend(open.map(|field| format!("{name} shows {field}")));
        let elsewhere = changed[name].iter().filter(|file| **file != owner.file);
        wrong.extend(elsewhere.map(|file| format!("{name} changes in {file}")));
    }
    let flags = structs[ROOT].fields.iter().filter(|field| field.contains("bool"));
    wrong.extend(flags.map(|field| format!("{ROOT} has a flag that all its files write: {field}")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_loop_waits_in_one_place_and_asks_for_the_time_once_a_turn() {
    let code: Vec<_> = sources(&["src/daemon"])
        .into_iter()
        .map(|(path, text)| {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), code)
        })
        .filter(|(file, _)| file != "tests.rs")
        .collect();
    let naming = |word: &str| -> Vec<&str> {
        code.iter().filter(|(_, code)| code.contains(word)).map(|(file, _)| file.as_str()).collect()
    };
    assert_eq!(naming("select! {"), ["events.rs"]);
    // A job tells how long its walk took.
    assert_eq!(naming("Instant::now()"), ["look_jobs.rs", "main_loop.rs"]);
    assert_eq!(naming("panic!("), ["testing.rs"]);
}
