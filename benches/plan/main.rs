//! What the trees, the planner and the store cost, and how that grows.
//!
//! `cargo bench --bench plan` measures 10,000 and 100,000 items; `PLAN_MILLION=1` adds a million, `PLAN_ITEMS=N` measures that number alone.
//! Each figure comes from a process of its own, so that nothing is resident that another one left. The library works on a drive and a
//! disk that are made up while they are read: no network, no file but the store's, and those of the scan that is compared with `find`.

mod measure;
mod scan;
mod trees;
mod world;

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::Arc;

use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::Replacement;
use icloudds::engine::pass::{Engine, LocalLook, Look, PassOptions, RemoteLook, Settings};
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::engine::ports::{Ports, Shrunk, Store, StoreError};
use icloudds::model::filter::Filter;
use icloudds::model::{BaseEntry, Change, RelPath, RemoteEntry, Signature, State};
use measure::{Cost, cost, memory};
use world::{Cloud, Folder, Numbers, Still, here, name, there};

/// One line: a piece of work, its cost, and a number of its own.
struct Line {
    what: &'static str,
    cost: Cost,
    each: Option<f64>,
}

/// The pieces of work, each measured by a process of its own.
const CASES: [&str; 5] = ["first", "rest", "commit", "store", "walk"];

struct Nowhere;

impl Store for Nowhere {
    fn commit(&mut self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn settings() -> Settings {
    Settings {
        mode: Mode::TwoWay,
        conflict: ConflictPolicy::KeepBoth,
        replacement: Replacement::InPlace,
        packages: Default::default(),
        max_file_size: None,
        filter: Filter::built_in(),
        app_libraries: Vec::new(),
        root_is_library: false,
        remote_delete_permanent: false,
        workers: 1,
        parallel_writes: 1,
        guard: GuardLimits { max_deletes: 50, max_delete_percent: 25 },
    }
}

/// What both sides agree on of one item, as a transfer leaves it.
fn agreed(number: usize) -> Change {
    let folder = Numbers::is_folder(number);
    let RemoteEntry { id, name: remote_name, etag, size, mtime, .. } = there(number);
    let entry = BaseEntry {
        folder,
        local_name: name(number).as_str().into(),
        remote_name,
        etag,
        remote_size: size,
        remote_mtime: mtime,
        stamp: here(number, folder).stamp,
        racy: false,
        signature: (!folder).then_some(Signature([(number % 251) as u8; 20])),
        created_on: Some((icloudds::model::Side::Remote, 1_796_000_000)).into(),
        ..BaseEntry::root(id)
    };
    Change::Put { parent: world::id(Numbers::folder_of(number)), entry: Box::new(entry) }
}

fn engine(items: usize, agreed_too: bool) -> Engine {
    let mut state = State::empty();
    if agreed_too {
        for number in 1..=items {
            assert!(state.apply(&agreed(number)), "each folder comes before what it holds");
        }
    }
    Engine::new(state, Box::new(Nowhere))
}

fn line(what: &'static str, (_, cost): ((), Cost)) -> Line {
    Line { what, cost, each: None }
}

/// A first run: everything is on iCloud, nothing here.
fn first(items: usize) -> Vec<Line> {
    let (cloud, folder, settings) =
        (Cloud::new(items), Folder { numbers: Numbers { items: 0 }, new: 0 }, settings());
    let ports = Ports { remote: &cloud, disk: &folder, clock: &Still };
    let mut engine = engine(items, false);
    let before = memory().resident;
    let (_, looked) =
        cost(|| engine.look(&ports, &settings, &Look::whole()).expect("both sides can be read"));
    let (planned, planning) =
        cost(|| engine.plan(&ports, &settings, &PassOptions::new("2026-11-29 22-00-00 nas")));
    assert_eq!(planned.plan.operations.len(), items, "each is to be brought here");
    let peak = memory().peak.saturating_sub(before).max(looked.peak);
    vec![
        line("first look", ((), looked)),
        line("first plan", ((), planning)),
        line("both", ((), Cost { time: looked.time + planning.time, cpu: looked.cpu + planning.cpu, peak })),
    ]
}

/// Everything agreed: what is resident, a plan without a change, and one after a file came.
fn rest(items: usize) -> Vec<Line> {
    let (cloud, settings) = (Cloud::new(items), settings());
    let folder = Folder { numbers: Numbers { items }, new: 0 };
    let ports = Ports { remote: &cloud, disk: &folder, clock: &Still };
    let start = memory().resident;
    let mut engine = engine(items, true);
    let options = PassOptions::new("2026-11-29 22-00-00 nas");
    let base = memory().resident - start;
    engine.look(&ports, &settings, &Look::whole()).expect("both sides can be read");
    let resident = memory().resident - start;
    let (planned, same) = cost(|| engine.plan(&ports, &settings, &options));
    assert!(
        planned.plan.operations.is_empty(),
        "nothing is to be done: {:?}",
        planned.plan.operations.first()
    );
    let folder = Folder { numbers: Numbers { items }, new: 1 };
    let ports = Ports { disk: &folder, ..ports };
    let local = LocalLook::Folders(vec![RelPath::parse(&name(1)).expect("a path")]);
    let look = Look { local, ..Look::default() };
    let (planned, one) = cost(|| {
        engine.look(&ports, &settings, &look).expect("a folder can be read");
        engine.plan(&ports, &settings, &options)
    });
    assert_eq!(planned.plan.operations.len(), 1, "the new file goes up");
    let each = |bytes: u64| Some(bytes as f64 / items as f64);
    let bytes =
        |what, bytes: u64| Line { what, cost: Cost { peak: bytes, ..Cost::default() }, each: each(bytes) };
    vec![
        bytes("resident: the base", base),
        bytes("resident: all trees", resident),
        line("plan, all agreed", ((), same)),
        line("plan, one new file", ((), one)),
    ]
}

/// The first commit of a pass while somebody else reads the trees.
fn commit(items: usize) -> Vec<Line> {
    let mut engine = engine(items, true);
    let reader = Arc::clone(&engine.state().base);
    let change = agreed(items / 2);
    let (_, first) = cost(|| engine.commit(&[change]).expect("the store keeps nothing"));
    drop(reader);
    vec![line("commit beside a reader", ((), first))]
}

/// The store: how large, how long a start takes.
fn store(items: usize) -> Vec<Line> {
    let folder = tempfile::tempdir().expect("a folder for the store");
    let path = folder.path().join("state.redb");
    let mut opened = icloudds::store::open(&path).expect("a new store");
    let (_, filled) = cost(|| {
        for first in (1..=items).step_by(256) {
            let group: Vec<_> = (first..(first + 256).min(items + 1)).map(agreed).collect();
            opened.store.commit(&group).expect("a group is stored");
        }
    });
    // What it takes of the disk, and its length, which counts the holes too.
    let sizes = || std::fs::metadata(&path).map_or((0, 0), |file| (file.blocks() * 512, file.len()));
    let filled_to = sizes();
    let wasteful = opened.store.is_wasteful();
    let (shrunk, shrinking) = cost(|| opened.store.shrink(&Arc::default()));
    assert_eq!(shrunk, Shrunk::Done, "there is room");
    let small = sizes();
    opened.store.commit(&[agreed(1)]).expect("a group is stored");
    let after = sizes();
    drop(opened);
    let (opened, started) = cost(|| icloudds::store::open(&path).expect("the store of just now"));
    assert_eq!(opened.state.base.len(), items + 1, "everything comes back");
    drop(opened);
    let worth = if wasteful { "making it smaller, due" } else { "making it smaller, not due" };
    let file = |what, bytes| Line {
        what,
        cost: Cost { peak: bytes, ..Cost::default() },
        each: Some(bytes as f64 / items as f64),
    };
    vec![
        line("store, filling it", ((), filled)),
        file("store, as it was filled", filled_to.0),
        file("its length", filled_to.1),
        line(worth, ((), shrinking)),
        file("store", small.0),
        file("after another commit", after.0),
        file("its length then", after.1),
        line("store, start-up", ((), started)),
    ]
}

/// A walk through a drive that was seen before.
fn walk(items: usize) -> Vec<Line> {
    let (cloud, settings) = (Cloud::new(items), settings());
    let folder = Folder { numbers: Numbers { items }, new: 0 };
    let ports = Ports { remote: &cloud, disk: &folder, clock: &Still };
    let mut engine = engine(items, true);
    engine.look(&ports, &settings, &Look::whole()).expect("both sides can be read");
    let again = Look { local: LocalLook::Folders(Vec::new()), remote: RemoteLook::Whole };
    let (_, refreshed) = cost(|| engine.look(&ports, &settings, &again).expect("iCloud can be read"));
    let scan = Look { local: LocalLook::Whole, ..Look::default() };
    let (_, scanned) = cost(|| engine.look(&ports, &settings, &scan).expect("the disk can be read"));
    vec![line("walk, nothing new", ((), refreshed)), line("scan, nothing new", ((), scanned))]
}

fn run(case: &str, items: usize) {
    let lines = match case {
        "first" => first(items),
        "rest" => rest(items),
        "commit" => commit(items),
        "store" => store(items),
        _ => walk(items),
    };
    for Line { what, cost, each } in lines {
        println!(
            "{what}|{}|{}|{}|{}",
            cost.time.as_secs_f64() * 1e3,
            cost.cpu.as_secs_f64() * 1e3,
            cost.peak as f64 / 1e6,
            each.unwrap_or(f64::NAN)
        );
    }
}

/// What each case says at each size, in a table with the exponents between one size and the next.
fn table(sizes: &[usize]) {
    let program = std::env::current_exe().expect("this program");
    println!(
        "{:<26} {:>9} {:>11} {:>11} {:>9} {:>11}   exponents of time, CPU, memory",
        "what", "items", "time ms", "CPU ms", "MB", "bytes/item"
    );
    for case in CASES {
        let mut before: Vec<[f64; 3]> = Vec::new();
        for (nth, items) in sizes.iter().enumerate() {
            let done =
                Command::new(&program).args(["--case", case, &items.to_string()]).output().expect("it runs");
            assert!(done.status.success(), "{case}: {}", String::from_utf8_lossy(&done.stderr));
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            let mut figures = Vec::new();
            for (at, line) in text.lines().enumerate() {
                let parts: Vec<&str> = line.split('|').collect();
                let number = |at: usize| parts.get(at).and_then(|part| part.parse().ok()).unwrap_or(f64::NAN);
                let now = [number(1), number(2), number(3)];
                let each = Some(number(4)).filter(|each| each.is_finite());
                let growth = (nth > 0).then(|| {
                    let steps = (*items as f64 / sizes[nth - 1] as f64).ln();
                    let exponent = |which: usize| (now[which] / before[at][which]).ln() / steps;
                    [0, 1, 2].map(|which| match exponent(which) {
                        finite if finite.is_finite() => format!("{finite:5.2}"),
                        _ => "    -".to_owned(),
                    })
                });
                println!(
                    "{:<26} {items:>9} {:>11.1} {:>11.1} {:>9.1} {:>11}   {}",
                    parts.first().unwrap_or(&""),
                    now[0],
                    now[1],
                    now[2],
                    each.map_or_else(String::new, |each| format!("{each:.0}")),
                    growth.map_or_else(String::new, |growth| growth.join(" ")),
                );
                figures.push(now);
            }
            before = figures;
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--case") {
        return run(&arguments[at + 1], arguments[at + 2].parse().expect("a number of items"));
    }
    let wanted = std::env::var("PLAN_ITEMS").ok().and_then(|text| text.parse().ok());
    let mut sizes = wanted.map_or_else(|| vec![10_000, 100_000], |items| vec![items]);
    if std::env::var_os("PLAN_MILLION").is_some() {
        sizes.push(1_000_000);
    }
    table(&sizes);
    trees::compare(*sizes.last().expect("there is one size at least").min(&100_000));
    scan::beside_find(*sizes.last().expect("there is one size at least"));
}
