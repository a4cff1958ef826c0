//! What a first sync costs, beside what the line allows: `cargo bench --bench first_sync`.
//!
//! The service is the simulated one in a process of its own, on loopback, with a latency for each answer. The bound of a
//! download spends nothing else: each request takes the latency, and the workers share them. That of an upload is the lane: what
//! changes the drive goes one call after the other, because the service takes no two at once (`docs/protocol.md` §10).
//! Printed, not asserted: the machine decides too.
//!
//! Variables: `FILES` (10000, ten in each folder; a fifth of it goes up), `LATENCY_MS` (30), `WORKERS` (32), `ONLY` (some of
//! `disk,tmpfs,up,large`), `STRACE=1` (counts the system calls of each in a second run), `BINARY` (another one than the one that
//! was built, such as the static one), `DISK` (a folder of the file system that counts as the disk; that of the build).

mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use icloudds_simulator::drive::model::content::Content;
use world::{Calls, Cost, Fill, LARGEST, World};

const FILES_EACH_UP: u64 = 20;
const LARGE: u64 = 1_000_000_000;
const LARGE_BANDWIDTH: u64 = 250_000_000;

fn main() {
    if world::serve_if_asked() {
        return;
    }
    let settings = Settings::read();
    println!(
        "{} files, {:?} for each answer, {} workers",
        settings.files, settings.latency, settings.workers
    );
    for (name, parent) in [("disk", settings.disk.clone()), ("tmpfs", PathBuf::from("/dev/shm"))] {
        if settings.wants(name) && parent.is_dir() {
            settings.many_down(name, &parent);
        }
    }
    if settings.wants("up") {
        settings.many_up();
    }
    if settings.wants("large") {
        settings.large_both_ways();
    }
}

/// What the environment asks for.
struct Settings {
    files: usize,
    latency: Duration,
    workers: u32,
    only: Option<String>,
    strace: bool,
    disk: PathBuf,
}

impl Settings {
    fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok();
        let number = |name: &str, default: usize| {
            text(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
        };
        Self {
            files: number("FILES", 10_000),
            latency: Duration::from_millis(number("LATENCY_MS", 30) as u64),
            workers: u32::try_from(number("WORKERS", 32)).expect("a number of workers"),
            only: text("ONLY"),
            strace: number("STRACE", 0) > 0,
            disk: text("DISK").map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from),
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|one| one == name))
    }

    fn world(&self, parent: &Path, fill: Fill) -> World {
        World::new(parent, self.workers, self.latency, None, fill)
    }

    fn many_down(&self, name: &str, parent: &Path) {
        let fill = Fill::Many(self.files);
        let cost = self.world(parent, fill).once();
        let bound = self.latency * u32::try_from(cost.requests()).unwrap_or(u32::MAX) / self.workers;
        tell(&format!("{} files down, {name} ({})", self.files, world::kind_of(parent)), &cost, bound);
        if self.strace {
            calls(&self.world(parent, fill).traced());
        }
    }

    fn many_up(&self) {
        let files = self.files as u64 / 5;
        let fill_here = |world: &World| {
            for file in 0..files {
                let path = world.drive().join(format!("folder {}", file / FILES_EACH_UP));
                fs::create_dir_all(&path).expect("a folder");
                let content = Content::Generated { seed: file, len: (file * 104_729) % LARGEST };
                fs::write(path.join(format!("file {file}")), content.to_vec().expect("bytes"))
                    .expect("a file");
            }
        };
        let world = self.world(&self.disk, Fill::Nothing);
        fill_here(&world);
        let cost = world.once();
        // A commit for each file.
        let commits = cost.counts.get("commit").copied().unwrap_or(0);
        let bound = self.latency * u32::try_from(commits).unwrap_or(u32::MAX);
        tell(&format!("{files} files up in {} folders", files.div_ceil(FILES_EACH_UP)), &cost, bound);
        if self.strace {
            let world = self.world(&self.disk, Fill::Nothing);
            fill_here(&world);
            calls(&world.traced());
        }
    }

    fn large_both_ways(&self) {
        let bound = Duration::from_secs_f64(LARGE as f64 / LARGE_BANDWIDTH as f64);
        let world =
            World::new(&self.disk, self.workers, Duration::ZERO, Some(LARGE_BANDWIDTH), Fill::Large(LARGE));
        tell("1 GB down at 250 MB/s", &world.once(), bound);
        let mut file = fs::File::create(world.drive().join("up.bin")).expect("a file");
        let up = Content::Generated { seed: 2, len: LARGE };
        std::io::copy(&mut up.reader(0, LARGE), &mut file).expect("a large file");
        tell("1 GB up at 250 MB/s", &world.once(), bound);
    }
}

fn tell(what: &str, cost: &Cost, bound: Duration) {
    println!("{what}");
    println!(
        "  {:.2} s, bound {:.2} s, ratio {:.2}; CPU {:.2} s (user {:.2}, system {:.2}); peak {:.1} MB; {} requests",
        cost.wall.as_secs_f64(),
        bound.as_secs_f64(),
        cost.wall.as_secs_f64() / bound.as_secs_f64(),
        cost.user + cost.system,
        cost.user,
        cost.system,
        cost.peak_kib as f64 * 1024.0 / 1e6,
        cost.requests(),
    );
    let kinds: Vec<_> = cost.counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("  {}", kinds.join(", "));
}

/// Prints what waits for the disk, what opens and looks, and what there is most of.
fn calls(calls: &Calls) {
    let of = |names: &[&str]| -> u64 { names.iter().filter_map(|name| calls.get(*name)).sum() };
    println!(
        "  system calls: {} in all; {} wait for the disk, {} open, {} look, {} rename or link, {} start a thread or process",
        calls.values().sum::<u64>(),
        of(&["fsync", "fdatasync", "syncfs", "sync_file_range"]),
        of(&["open", "openat", "openat2"]),
        of(&["statx", "fstat", "stat", "lstat", "newfstatat", "fstatfs", "statfs"]),
        of(&["rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat"]),
        of(&["clone", "clone3", "fork", "vfork"]),
    );
    let mut most: Vec<_> = calls.iter().collect::<BTreeMap<_, _>>().into_iter().collect();
    most.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let most: Vec<_> = most.iter().take(16).map(|(name, count)| format!("{name} {count}")).collect();
    println!("  most: {}", most.join(", "));
}
