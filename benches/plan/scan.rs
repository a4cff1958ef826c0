//! A scan of a folder that is really there, beside `find -printf` of the same fields of the same entries.

use std::fs::{File, create_dir};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use icloudds::disk::{LocalDisk, Options};
use icloudds::engine::pass::{LocalLook, Look};
use icloudds::engine::ports::Ports;

use crate::measure::{Cost, cost};
use crate::world::{Cloud, Numbers, Still, name};

/// Each is measured so many times, in turn, and the cheapest counts.
const TIMES: usize = 5;

/// So long is the unit in which the system tells what children took.
const TICK: Duration = Duration::from_millis(10);

/// A hundred entries in each folder, the files empty.
fn fill(folder: &Path, items: usize) {
    for number in 1..=items {
        let above = Numbers::folder_of(number);
        let path =
            if above == 0 { folder.join(name(number)) } else { folder.join(name(above)).join(name(number)) };
        let made = if Numbers::is_folder(number) { create_dir(&path) } else { File::create(&path).map(drop) };
        made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// CPU time of all children that have ended.
fn children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let ticks = rest.split_whitespace().skip(13).take(2);
    ticks.map(|text| TICK * text.parse::<u32>().expect("a number of ticks")).sum()
}

fn find(folder: &Path) -> Cost {
    let (before, start) = (children(), Instant::now());
    let mut find = Command::new("find");
    find.arg(folder).args(["-printf", "%y %s %T@ %C@ %B@ %i %D %f\\n"]).stdout(Stdio::null());
    assert!(find.status().expect("findutils is installed").success());
    Cost { time: start.elapsed(), cpu: children().saturating_sub(before), peak: 0 }
}

fn scan(folder: &Path, items: usize) -> Cost {
    let disk = LocalDisk::open(folder, Options::default()).expect("a folder");
    let (cloud, settings) = (Cloud::new(0), crate::settings());
    let ports = Ports { remote: &cloud, disk: &disk, clock: &Still };
    let mut engine = crate::engine(0, false);
    let look = Look { local: LocalLook::Whole, ..Look::default() };
    let (_, cost) = cost(|| engine.look(&ports, &settings, &look).expect("the folder can be read"));
    let seen = engine.local_view().expect("it was scanned").tree.len();
    assert_eq!(seen, items + 1, "all is seen, and the folder itself");
    cost
}

/// Prints both, and how many times as much the scan takes; the bound is 1.5.
pub fn beside_find(items: usize) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder beside the build");
    fill(folder.path(), items);
    let runs: Vec<_> = (0..TIMES).map(|_| (find(folder.path()), scan(folder.path(), items))).collect();
    let least = |of: fn(&(Cost, Cost)) -> Duration| {
        runs.iter().map(of).min().expect("it ran more than once").as_secs_f64() * 1e3
    };
    let cpu = (least(|run| run.0.cpu), least(|run| run.1.cpu));
    let time = (least(|run| run.0.time), least(|run| run.1.time));
    println!(
        "{items} entries on the disk: find -printf {:.0} ms of CPU, {:.0} ms; scan {:.0} ms of CPU, {:.0} ms, {:.1} MB: \
         {:.2} x the CPU, {:.2} x the time",
        cpu.0,
        time.0,
        cpu.1,
        time.1,
        runs[0].1.peak as f64 / 1e6,
        cpu.1 / cpu.0,
        time.1 / time.0,
    );
}
