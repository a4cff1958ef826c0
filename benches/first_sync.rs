//! How long a first sync takes, as a ratio to what latency and bandwidth allow: `cargo bench --bench first_sync`.
//!
//! The service is the simulated one, on loopback, with a latency for each answer and a bandwidth for each body, as a real
//! line has. The ideal spends nothing else: every level of folders is listed in one round; contents use all workers all the
//! time; what changes the drive goes one call after the other, because the service takes no two at once
//! (`docs/protocol.md` §10). Printed, not asserted: the machine decides too.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use icloudds_simulator::drive::generate::Scale;
use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::{SimConfig, Simulator};

const LATENCY: Duration = Duration::from_millis(50);
/// Bytes per second of each body.
const BANDWIDTH: u64 = 4_000_000;
const WORKERS: u32 = 32;
const ITEMS: usize = 2_000;
const LARGE: u64 = 1_000_000_000;

fn main() {
    println!("latency {LATENCY:?}, {} MB/s for each body, {WORKERS} workers", BANDWIDTH / 1_000_000);
    many_down();
    many_up();
    large_both_ways();
}

fn tell(what: &str, took: Duration, ideal: Duration) {
    let ratio = took.as_secs_f64() / ideal.as_secs_f64();
    println!(
        "{what:<34} {:>7.2} s, ideal {:>7.2} s, ratio {ratio:.2}",
        took.as_secs_f64(),
        ideal.as_secs_f64()
    );
}

/// Content over the line: latency and bytes of each, shared by the workers.
fn contents(sizes: &[u64], rounds: u32) -> Duration {
    let bytes: u64 = sizes.iter().sum();
    let count = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
    let all = LATENCY * rounds * count + Duration::from_secs_f64(bytes as f64 / BANDWIDTH as f64);
    // One file cannot be shared by workers.
    let largest = Duration::from_secs_f64(sizes.iter().max().copied().unwrap_or(0) as f64 / BANDWIDTH as f64);
    (all / WORKERS).max(LATENCY * rounds + largest)
}

fn many_down() {
    let world = World::new();
    world.sim.drive().fill(&Scale { max_file_bytes: 200_000, ..Scale::of(ITEMS, 1) });
    let tree = world.sim.drive().tree();
    let sizes: Vec<_> =
        tree.values().filter(|entry| !entry.kind.is_folder()).map(|entry| entry.size).collect();
    let levels = tree.keys().map(|path| path.matches('/').count() + 1).max().unwrap_or(1);
    let took = world.once();
    let ideal = LATENCY * u32::try_from(levels).unwrap_or(1) + LATENCY + contents(&sizes, 1);
    tell(&format!("{ITEMS} items down"), took, ideal);
}

fn many_up() {
    let world = World::new();
    let (folders, each) = (ITEMS as u64 / 20, 19);
    let mut sizes = Vec::new();
    for folder in 0..folders {
        let path = world.drive().join(format!("folder {folder}"));
        fs::create_dir(&path).expect("a folder");
        for file in 0..each {
            let content = Content::Generated {
                seed: folder * each + file,
                len: (folder * 7_919 + file * 104_729) % 200_000,
            };
            sizes.push(content.len());
            fs::write(path.join(format!("file {file}")), content.to_vec().expect("bytes")).expect("a file");
        }
    }
    let took = world.once();
    // A commit for each file and one call for all folders of a parent, one after the other.
    let lane = LATENCY * (u32::try_from(sizes.len()).unwrap_or(u32::MAX) + 1);
    tell(&format!("{ITEMS} items up"), took, lane.max(contents(&sizes, 2)) + LATENCY);
}

fn large_both_ways() {
    let world = World::with(|config| {
        config.switches.latency = Duration::ZERO;
        config.switches.bandwidth = Some(250_000_000);
    });
    let ideal = Duration::from_secs_f64(LARGE as f64 / 250_000_000.0);
    world.sim.drive().write("down.bin", Content::Generated { seed: 1, len: LARGE }).expect("a file");
    tell("1 GB down at 250 MB/s", world.once(), ideal);
    let mut file = fs::File::create(world.drive().join("up.bin")).expect("a file");
    let up = Content::Generated { seed: 2, len: LARGE };
    std::io::copy(&mut up.reader(0, LARGE), &mut file).expect("a large file");
    tell("1 GB up at 250 MB/s", world.once(), ideal);
}

struct World {
    sim: Simulator,
    temp: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(|config| {
            config.switches.latency = LATENCY;
            config.switches.bandwidth = Some(BANDWIDTH);
        })
    }

    /// A world that is signed in.
    fn with(change: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = SimConfig::default();
        change(&mut config);
        let sim = Simulator::start(config).expect("a simulator on loopback");
        let temp = tempfile::tempdir().expect("a temporary folder");
        let world = Self { sim, temp };
        fs::create_dir(world.drive()).expect("the drive's folder");
        let mut child = world.command("login").stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut answers = child.stdin.take().expect("a pipe");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        writeln!(answers, "0").expect("it reads");
        let mut heard = String::new();
        while !heard.contains("Sent to your trusted devices.") {
            assert_ne!(said.read_line(&mut heard).expect("text"), 0, "login ended early: {heard}");
        }
        writeln!(answers, "{}", world.sim.device_code().expect("a code")).expect("it reads");
        drop(answers);
        assert!(child.wait().expect("it ends").success(), "login failed");
        world
    }

    fn drive(&self) -> std::path::PathBuf {
        self.temp.path().join("drive")
    }

    fn command(&self, name: &str) -> Command {
        let (account, password) = {
            let state = self.sim.core().state();
            (state.account.name.clone(), state.account.password.clone())
        };
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_icloudds")));
        command
            .env_clear()
            .env("ICLOUDDS_CONFIG", "/dev/null")
            .env("ICLOUDDS_ACCOUNT__USERNAME", account)
            .env("ICLOUDDS_ACCOUNT__PASSWORD", password)
            .env("ICLOUDDS_SYNC__DIRECTORY", self.drive())
            .env("ICLOUDDS_SYNC__STATE_DIRECTORY", self.temp.path().join("state"))
            .env("ICLOUDDS_SYNC__MAX_WORKERS", WORKERS.to_string())
            .env("ICLOUDDS_ICLOUD__HOME", self.sim.home())
            .env("ICLOUDDS_ICLOUD__SETUP", self.sim.setup())
            .env("ICLOUDDS_ICLOUD__AUTH", self.sim.auth())
            .arg(name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// The time that `once` takes until it is in sync.
    fn once(&self) -> Duration {
        let begun = Instant::now();
        let output = self.command("once").output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        begun.elapsed()
    }
}
