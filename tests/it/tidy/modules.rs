//! Who uses whom: a walk over the `use` lines of all modules, and the measures that follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{named, root, sources};

/// The parts of the crate, each above those that it may use.
const LAYERS: &[&str] = &[
    "model",
    "clock",
    "chance",
    "secret",
    "exit",
    "terminal",
    "ca_file",
    "private_file",
    "descriptors",
    "state_dump",
    "notify_systemd",
    "status",
    "engine",
    "store",
    "config",
    "logging",
    "panics",
    "control",
    "icloud",
    "signals",
    "disk",
    "webhook",
    "web",
    "app",
    "diagnose",
    "daemon",
    "cli",
];

/// A path of names below the crate.
type Names = Vec<String>;

/// The module that a file is, without the crate's name; `None` for tests and for what helps them.
fn module(path: &Path) -> Option<Names> {
    let path = path.strip_prefix("src").ok()?.with_extension("");
    let mut names: Names = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    let is_test = |name: &String| name == "tests" || name == "testing" || name.ends_with("_tests");
    let is_program = names == ["main"];
    (!is_program && !names.iter().any(is_test)).then_some(names)
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_owned()];
    };
    let inside = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for c in inside.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(part)).map(|part| format!("{before}{part}")).collect()
}

/// What a file names in its `use` lines, before its tests: whether it hands it on, and the path.
fn used(text: &str) -> Vec<(bool, String)> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in code.lines() {
        let statement = match &mut open {
            Some((_, statement)) => statement,
            None => {
                let (is_public, rest) = match line.strip_prefix("pub") {
                    Some(rest) => (true, rest.split_once(' ').map_or("", |(_, rest)| rest)),
                    None => (false, line),
                };
                let Some(rest) = rest.strip_prefix("use ") else { continue };
                &mut open.insert((is_public, rest.to_owned())).1
            }
        };
        if !line.contains("use ") {
            statement.push_str(line.trim());
        }
        if line.trim_end().ends_with(';')
            && let Some((is_public, statement)) = open.take()
        {
            let paths = expanded(statement.trim_end_matches(';'));
            found.extend(paths.into_iter().map(|path| (is_public, path)));
        }
    }
    found
}

/// The modules of the crate and whom each one uses.
pub struct Modules {
    files: BTreeMap<Names, Vec<(bool, Names)>>,
}

impl Modules {
    /// As the sources are.
    pub fn read() -> Self {
        let sources = sources(&["src"]);
        let modules: Vec<_> = sources.iter().filter_map(|(path, text)| Some((module(path)?, text))).collect();
        let known: BTreeSet<_> = modules.iter().map(|(names, _)| names.clone()).collect();
        let absolute = |at: &Names, path: &str| -> Option<Names> {
            let mut names: Names = path.split("::").map(|name| name.trim().to_owned()).collect();
            let mut base = at.clone();
            match names[0].as_str() {
                "crate" => base.clear(),
                "self" => {}
                "super" => {
                    while names.get(1).is_some_and(|name| name == "super") {
                        names.remove(0);
                        base.pop();
                    }
                    base.pop();
                }
                name => {
                    let child: Names = at.iter().cloned().chain([name.to_owned()]).collect();
                    return known.contains(&child).then(|| [&at[..], &names[..]].concat());
                }
            }
            Some([&base[..], &names[1..]].concat())
        };
        let named = |(names, text): &(Names, &String)| {
            let paths = used(text).into_iter();
            paths.filter_map(|(is_public, path)| Some((is_public, absolute(names, &path)?))).collect()
        };
        Self { files: modules.iter().map(|module| (module.0.clone(), named(module))).collect() }
    }

    /// The module in which that is defined: what a module only hands on is another one's.
    fn home(&self, path: &[String], depth: usize) -> Names {
        let is_known = |length: &usize| self.files.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(is_known).unwrap_or_default();
        let (module, rest) = path.split_at(length);
        if let (Some(wanted), true) = (rest.first(), depth < 8) {
            let handed_on = self.files.get(module).into_iter().flatten().filter(|(is_public, _)| *is_public);
            for (_, from) in handed_on {
                if from.last() == Some(wanted) {
                    return self.home(&[&from[..], &rest[1..]].concat(), depth + 1);
                }
            }
        }
        module.to_vec()
    }

    /// Whom a module uses; the crate's root is nobody.
    fn uses(&self, module: &Names) -> BTreeSet<Names> {
        let named = self.files[module].iter().filter(|(is_public, _)| !is_public);
        named.map(|(_, path)| self.home(path, 0)).filter(|home| home != module && !home.is_empty()).collect()
    }

    /// All modules that use each other in the end, each group in order.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let uses: BTreeMap<_, _> = self.files.keys().map(|module| (module, self.uses(module))).collect();
        let reached = |from: &Names| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = left.pop() {
                let next = uses.get(&at).into_iter().flatten();
                left.extend(next.filter(|next| seen.insert((*next).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<_, _> = self.files.keys().map(|module| (module, reached(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            let is_with = |other: &&Names| reached.get(other).is_some_and(|back| back.contains(*module));
            let circle: Vec<_> = all.iter().filter(is_with).map(|names| names.join("::")).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

#[test]
fn no_modules_go_round() {
    let circles = Modules::read().circles();
    assert!(circles.is_empty(), "these use each other in a circle:\n{circles:#?}");
}

#[test]
fn what_a_use_line_names_is_seen_however_it_is_written() {
    let text = "use super::a;\npub(super) use b::{c, d::{e, f as g}};\nuse crate::{\n    h,\n    i::j,\n};\nfn x() {}\n";
    let paths: Vec<_> = used(text).into_iter().collect();
    let expected = [
        (false, "super::a"),
        (true, "b::c"),
        (true, "b::d::e"),
        (true, "b::d::f"),
        (false, "crate::h"),
        (false, "crate::i::j"),
    ];
    assert_eq!(paths, expected.map(|(is_public, path)| (is_public, path.to_owned())));
}

/// The part of the crate that a file belongs to, and its code before its tests.
fn parts() -> Vec<(String, String)> {
    let all = sources(&["src"]).into_iter();
    let part = |(path, text): (std::path::PathBuf, String)| {
        let part = module(&path)?.first()?.clone();
        Some((part, text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()))
    };
    all.filter_map(part).collect()
}

#[test]
fn each_part_uses_only_those_below_it() {
    let height = |part: &str| LAYERS.iter().position(|known| *known == part);
    let mut wrong = BTreeSet::new();
    for (part, text) in parts() {
        let own = height(&part).unwrap_or_else(|| panic!("{part} has its place in no layer"));
        for line in text.lines() {
            assert!(!line.contains("crate::{"), "this could name anything: {line}");
            let above = named(line).into_iter().filter(|used| height(used).is_none_or(|at| at > own));
            wrong.extend(above.map(|used| format!("{part} uses {used}")));
        }
    }
    assert!(wrong.is_empty(), "these name a part above them: {wrong:#?}");
}

#[test]
fn no_two_public_types_of_a_part_have_one_name() {
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for (part, text) in parts() {
        for line in text.lines() {
            let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
            let Some(rest) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
            let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
            if !seen.insert((part.clone(), name.clone())) {
                twice.insert((part.clone(), name));
            }
        }
    }
    assert!(twice.is_empty(), "one word for one thing: {twice:#?}");
}

#[test]
fn the_parts_of_the_log_name_modules_that_exist() {
    let text = std::fs::read_to_string(root().join("src/model/log_part.rs")).expect("the parts");
    let parts = text.split("const PARTS").nth(1).and_then(|rest| rest.split("];").next()).expect("the list");
    let named: Vec<_> = parts.split('"').filter_map(|word| word.strip_prefix("icloudds::")).collect();
    assert!(named.len() > 10, "only {named:?} were found");
    let files: BTreeSet<_> =
        sources(&["src"]).iter().filter_map(|(path, _)| Some(module(path)?.join("::"))).collect();
    let missing: Vec<_> = named.iter().filter(|name| !files.contains(**name)).collect();
    assert!(missing.is_empty(), "a level that is set for these changes nothing: {missing:?}");
}

/// How many fields a struct has.
fn fields(file: &str, name: &str) -> usize {
    let text = std::fs::read_to_string(root().join(file)).expect(file);
    let body = text.split(&format!("struct {name}")).nth(1).unwrap_or_else(|| panic!("{name} is in {file}"));
    let body = body.lines().skip(1).take_while(|line| !line.starts_with('}'));
    body.filter(|line| line.starts_with("    ") && line.contains(": ") && !line.trim().starts_with("//"))
        .count()
}

/// `cargo test --test it tidy::modules::the_measures -- --nocapture` prints them.
#[test]
fn the_measures_of_the_house_are_kept() {
    let executor = sources(&["src/engine/execute"]);
    let tests: usize = executor.iter().map(|(_, text)| text.matches("#[test]").count()).sum();
    let is_lane = |path: &Path| path.ends_with("lane.rs") || path.ends_with("dispatch.rs");
    let elsewhere = executor.iter().filter(|(path, _)| !is_lane(path));
    let ledger: usize = elsewhere.map(|(_, text)| text.matches("self.ledger").count()).sum();
    let go_round: usize = Modules::read().circles().iter().map(Vec::len).sum();
    let measures = [
        ("fields of Lane", fields("src/engine/execute/lane.rs", "Lane<'a>"), 9),
        ("fields of Ledger", fields("src/engine/execute/ledger.rs", "Ledger<'a>"), 15),
        ("uses of the ledger beside the lane", ledger, 8),
        ("modules that go round", go_round, 0),
        ("fields of the largest owner of the daemon", super::owners::largest().0, 15),
    ];
    println!("{:4}  (at least 40) unit tests of the executor", tests);
    for (what, value, most) in measures {
        println!("{value:4}  (at most {most}) {what}");
    }
    assert!(tests >= 40, "{tests} unit tests of the executor");
    let over: Vec<_> = measures.iter().filter(|(_, value, most)| value > most).collect();
    assert!(over.is_empty(), "these have grown: {over:?}");
}
