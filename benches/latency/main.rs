//! How long a change on iCloud takes until it is on the local disk: `cargo bench --bench latency`.
//!
//! The service is the simulated one, with a latency for each answer, and the binary runs as the daemon that it is, with the periods that
//! it has by itself. A row for each way in which changes are noticed. Printed, not asserted: the machine decides too.
//!
//! Variables: `CHANGES` (30, of each way), `LATENCY_MS` (30), `ONLY` (some of `poll,feed,push`), `BINARY` (another one than the one that
//! was built).

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use icloudds_simulator::fault::mix;
use icloudds_simulator::switches::{Aps, Feed};
use icloudds_simulator::{SimConfig, Simulator};

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// A change that is not there by then is lost, and the bench with it.
const LONGEST: Duration = Duration::from_secs(600);

fn main() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let only = std::env::var("ONLY").ok();
    let (changes, latency) = (number("CHANGES", 30), Duration::from_millis(number("LATENCY_MS", 30)));
    println!("{changes} changes of each way, {latency:?} for each answer");
    for (way, watch, feed, aps) in [
        ("poll", "poll", Feed::Ok, Aps::Off),
        ("feed", "auto", Feed::Ok, Aps::Off),
        ("push", "auto", Feed::Ok, Aps::Ok),
        ("push without a feed", "auto", Feed::Off, Aps::Ok),
    ] {
        let first = way.split(' ').next().unwrap_or(way);
        if only.as_ref().is_some_and(|only| !only.split(',').any(|one| one == first)) {
            continue;
        }
        let world = World::new(watch, feed, aps, latency);
        let mut took = world.changes(changes);
        took.sort_unstable();
        // The nearest rank: a time that was really seen.
        let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64();
        println!("{way}: median {:.2} s, 95th percentile {:.2} s, longest {:.2} s", at(50), at(95), at(100));
    }
}

/// One user's world, signed in and in sync.
struct World {
    sim: Simulator,
    temp: tempfile::TempDir,
    watch: &'static str,
    daemon: Option<Child>,
}

impl World {
    fn new(watch: &'static str, feed: Feed, aps: Aps, latency: Duration) -> Self {
        let mut config = SimConfig::default();
        config.account.iterations = 10;
        (config.switches.feed, config.switches.aps) = (feed, aps);
        let sim = Simulator::start(config).expect("a simulator on loopback");
        let temp = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(temp.path().join("drive")).expect("the drive's folder");
        let mut world = Self { sim, temp, watch, daemon: None };
        world.login();
        for folder in 0..10 {
            for file in 0..10 {
                let path = format!("part {}/folder {folder}/file {file}", folder / 5);
                world.sim.drive().write(&path, "as it was").expect("a file");
            }
        }
        world.sim.switches(|switches| switches.latency = latency);
        world.daemon = Some(world.command("run").stderr(Stdio::null()).spawn().expect("the binary starts"));
        world.wait_for("part 1/folder 9/file 9", "as it was");
        // The first file of the changes below: by then it also knows how it is told of them.
        world.sim.drive().write("begin", "begin").expect("a file");
        world.wait_for("begin", "begin");
        world
    }

    fn command(&self, name: &str) -> Command {
        let binary = std::env::var("BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_icloudds").to_owned());
        let state = self.sim.core().state();
        let mut command = Command::new(binary);
        command
            .arg(name)
            .env_clear()
            .env("ICLOUDDS_CONFIG", "/dev/null")
            .env("ICLOUDDS_ACCOUNT__USERNAME", &state.account.name)
            .env("ICLOUDDS_ACCOUNT__PASSWORD", &state.account.password)
            .env("ICLOUDDS_SYNC__DIRECTORY", self.temp.path().join("drive"))
            .env("ICLOUDDS_SYNC__STATE_DIRECTORY", self.temp.path().join("state"))
            .env("ICLOUDDS_SYNC__REMOTE_WATCH", self.watch)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        drop(state);
        command
            .env("ICLOUDDS_ICLOUD__HOME", self.sim.home())
            .env("ICLOUDDS_ICLOUD__SETUP", self.sim.setup())
            .env("ICLOUDDS_ICLOUD__AUTH", self.sim.auth());
        command
    }

    fn login(&self) {
        let mut command = self.command("login");
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut answers = child.stdin.take().expect("a pipe");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        writeln!(answers, "0").expect("it reads");
        let mut heard = String::new();
        while !heard.contains("Sent to your trusted devices.") {
            assert_ne!(said.read_line(&mut heard).expect("text"), 0, "login ended early: {heard}");
        }
        writeln!(answers, "{}", self.sim.device_code().expect("a code")).expect("it reads");
        drop(answers);
        assert!(child.wait().expect("it ends").success(), "login failed");
    }

    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join("drive").join(path)
    }

    /// Waits until the file holds that; how long that took.
    fn wait_for(&self, path: &str, content: &str) -> Duration {
        let (begun, at) = (Instant::now(), self.at(path));
        while !fs::read_to_string(&at).is_ok_and(|text| text == content) {
            assert!(begun.elapsed() < LONGEST, "{path} does not come");
            std::thread::sleep(LOOK);
        }
        begun.elapsed()
    }

    /// Edits of files deep down, at moments that have nothing to do with any period.
    fn changes(&self, changes: u64) -> Vec<Duration> {
        let one = |change: u64| {
            std::thread::sleep(Duration::from_millis(2_000 + mix(change) % 7_000));
            let folder = mix(change + 1) % 10;
            let path = format!("part {}/folder {folder}/file {}", folder / 5, change % 10);
            let content = format!("change {change}");
            self.sim.drive().write(&path, &*content).expect("an edit");
            self.wait_for(&path, &content)
        };
        (0..changes).map(one).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
