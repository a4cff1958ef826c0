//! Who uses whom: a walk over all that the modules name, and the measures that follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::paths::{Names, Written, written};
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

/// The crates of the workspace.
const CRATES: &[&str] = &["src", "simulator/src"];

/// The module that a file is, without the crate's name; `None` for tests and for what helps them.
fn module(path: &Path) -> Option<Names> {
    module_in("src", path)
}

/// The same of a crate whose sources are in this folder.
fn module_in(folder: &str, path: &Path) -> Option<Names> {
    let path = path.strip_prefix(folder).ok()?.with_extension("");
    let mut names: Names = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    let is_test = |name: &String| name == "tests" || name == "testing" || name.ends_with("_tests");
    let is_program = names == ["main"];
    (!is_program && !names.iter().any(is_test)).then_some(names)
}

/// A path as it is written in a module, from the crate's root; `None` if it leads elsewhere or is its own.
fn absolute(at: &[String], path: &[String], is_known: &dyn Fn(&Names) -> bool) -> Option<Names> {
    let mut base = at.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while rest.get(1).is_some_and(|name| name == "super") {
                rest = &rest[1..];
                base.pop();
            }
            base.pop();
        }
        name => {
            let child = [at, &[name.to_owned()]].concat();
            return is_known(&child).then(|| [at, path].concat());
        }
    }
    Some([&base[..], &rest[1..]].concat())
}

/// What a module names, in its `use` lines and in its bodies.
fn named_in(at: &Names, written: &Written, modules: &BTreeMap<Names, Written>) -> Vec<Named> {
    let is_known = |names: &Names| modules.contains_key(names);
    let mut found = Vec::new();
    for line in &written.uses {
        if let Some(path) = absolute(&[&at[..], &line.within].concat(), &line.path, &is_known) {
            found.push(Named { is_public: line.is_public, path, bound: line.bound.clone() });
        }
    }
    for (within, path) in &written.paths {
        // A name that a `use` line brought in stands before a module of that name.
        let brought = found.iter().find(|named: &&Named| named.bound == path[0]);
        let path = match brought {
            Some(named) => Some([&named.path[..], &path[1..]].concat()),
            None => absolute(&[&at[..], within].concat(), path, &is_known),
        };
        found.extend(path.map(|path| Named { is_public: false, path, bound: String::new() }));
    }
    found
}

/// A path that a module names, from the crate's root.
struct Named {
    /// Whether it only hands it on.
    is_public: bool,
    path: Names,
    /// The name that it has here.
    bound: String,
}

/// The modules of a crate and whom each one uses.
pub struct Modules {
    files: BTreeMap<Names, Vec<Named>>,
}

impl Modules {
    /// As the sources of a crate are.
    pub fn read(folder: &str) -> Self {
        let sources = sources(&[folder]).into_iter();
        let modules = sources.filter_map(|(path, text)| Some((module_in(folder, &path)?, written(&text))));
        Self::of(modules.collect())
    }

    /// Of what the files name. Those that nobody declares outside tests are left out.
    fn of(mut modules: BTreeMap<Names, Written>) -> Self {
        let declared: BTreeSet<Names> = modules
            .iter()
            .flat_map(|(at, written)| {
                written.modules.iter().map(|name| [&at[..], std::slice::from_ref(name)].concat())
            })
            .collect();
        modules.retain(|names, _| (1..=names.len()).all(|length| declared.contains(&names[..length])));
        let named = |(at, written): (&Names, &Written)| (at.clone(), named_in(at, written, &modules));
        Self { files: modules.iter().map(named).collect() }
    }

    /// The module in which that is defined: what a module only hands on is another one's.
    fn home(&self, path: &[String], depth: usize) -> Names {
        let is_known = |length: &usize| self.files.contains_key(&path[..*length]);
        let length = (0..=path.len()).rev().find(is_known).unwrap_or_default();
        let (module, rest) = path.split_at(length);
        if let (Some(wanted), true) = (rest.first(), depth < 8) {
            let handed_on = self.files.get(module).into_iter().flatten().filter(|named| named.is_public);
            for from in handed_on {
                if from.bound == *wanted {
                    return self.home(&[&from.path[..], &rest[1..]].concat(), depth + 1);
                }
            }
        }
        module.to_vec()
    }

    /// Whom a module uses, and a path by which it does; the crate's root is nobody.
    fn uses(&self, module: &Names) -> BTreeMap<Names, String> {
        let named = self.files[module].iter().filter(|named| !named.is_public);
        named
            .map(|named| (self.home(&named.path, 0), named.path.join("::")))
            .filter(|(home, _)| home != module && !home.is_empty())
            .collect()
    }

    /// All modules that use each other in the end, each group in order. Methods are not followed: a name alone does not tell whose
    /// they are.
    pub fn circles(&self) -> Vec<Vec<Names>> {
        let uses: BTreeMap<_, _> = self.files.keys().map(|module| (module, self.uses(module))).collect();
        let reached = |from: &Names| {
            let (mut seen, mut left) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = left.pop() {
                let next = uses.get(&at).into_iter().flatten();
                left.extend(next.map(|(next, _)| next).filter(|next| seen.insert((*next).clone())).cloned());
            }
            seen
        };
        let reached: BTreeMap<_, _> = self.files.keys().map(|module| (module, reached(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, all) in &reached {
            let is_with = |other: &&Names| reached.get(other).is_some_and(|back| back.contains(*module));
            let circle: Vec<_> = all.iter().filter(is_with).cloned().collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// Who in a circle uses whom, and by which path.
    fn shown(&self, circle: &[Names]) -> String {
        let mut lines = String::new();
        for from in circle {
            for (to, path) in self.uses(from).into_iter().filter(|(to, _)| circle.contains(to)) {
                lines += &format!("  {} -> {} by {path}\n", from.join("::"), to.join("::"));
            }
        }
        lines
    }
}

#[test]
fn no_modules_go_round() {
    for folder in CRATES {
        let modules = Modules::read(folder);
        assert!(modules.files.len() > 20, "only {} modules were found in {folder}", modules.files.len());
        let circles: Vec<_> = modules.circles().iter().map(|circle| modules.shown(circle)).collect();
        assert!(circles.is_empty(), "in {folder}, these use each other in a circle:\n{}", circles.join("\n"));
    }
}

/// The circles among files of these texts, by name.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let names = |path: &str| path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let modules = Modules::of(files.iter().map(|(path, text)| (names(path), written(text))).collect());
    let joined = |circle: &Vec<Names>| circle.iter().map(|names| names.join("::")).collect();
    modules.circles().iter().map(joined).collect()
}

#[test]
fn a_circle_is_found_by_what_bodies_name() {
    let root = ("", "pub mod a; mod b;");
    let a = |text| ("a", text);
    // A folder's module and a part of it, which it calls by its name or by one that a line brought in.
    for call in ["mod c; fn x() { c::f() }", "mod c; use c::f;", "mod c; fn x() { crate::a::c::f::<u8>() }"] {
        let helped = ("a::c", "fn f() { super::g() }");
        assert_eq!(circles_of(&[root, a(call), helped, ("b", "")]), [["a", "a::c"]], "{call}");
        assert!(circles_of(&[root, a(call), ("a::c", "fn f() {}"), ("b", "")]).is_empty());
    }
    // What is only handed on is another one's.
    let b = ("b", "use crate::a::T; fn f() { T::new() }");
    let c = ("a::c", "use crate::b::f;");
    assert_eq!(circles_of(&[root, a("mod c; pub use c::T;"), b, c]), [["a::c", "b"]]);
    // A method, a field and a variable may be called as a module is.
    let b = ("b", "fn f(a: u8) { let x = a.b; Self::a(x, a) }");
    assert!(circles_of(&[root, a("fn f() { crate::b::f() }"), b]).is_empty());
    // Who is declared for tests alone does not count.
    assert!(
        circles_of(&[("", "mod b; #[cfg(test)] mod a;"), a("use crate::b::f;"), ("b", "use crate::a::x;")])
            .is_empty()
    );
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

/// The files of one part that have the name of another file in it, `mod.rs` left out.
fn file_names_twice() -> Vec<String> {
    let mut seen = BTreeMap::<_, Vec<String>>::new();
    for folder in CRATES {
        for (path, _) in sources(&[folder]) {
            let in_part = module_in(folder, &path).filter(|names| names.len() > 1);
            if let Some(names) = in_part.filter(|_| !path.ends_with("mod.rs")) {
                let part_and_name = (*folder, names[0].clone(), names[names.len() - 1].clone());
                seen.entry(part_and_name).or_default().push(path.display().to_string());
            }
        }
    }
    seen.into_values().filter(|paths| paths.len() > 1).map(|paths| paths.join(", ")).collect()
}

#[test]
fn no_two_files_of_a_part_have_one_name() {
    let twice = file_names_twice();
    assert!(twice.is_empty(), "who says one of these names means which file? {twice:#?}");
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
    let go_round: usize =
        CRATES.iter().flat_map(|folder| Modules::read(folder).circles()).map(|circle| circle.len()).sum();
    let measures = [
        ("fields of Lane", fields("src/engine/execute/lane.rs", "Lane<'a>"), 9),
        ("fields of Ledger", fields("src/engine/execute/ledger.rs", "Ledger<'a>"), 15),
        ("uses of the ledger beside the lane", ledger, 8),
        ("modules that go round", go_round, 0),
        ("file names twice in one part", file_names_twice().len(), 0),
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
