//! A simulated iCloud in a process of its own, a folder, and the binary, whose cost is taken alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::fault::mix;
use icloudds_simulator::{SimConfig, Simulator};
use serde_json::{Value, json};

/// Set for the process that serves: what it is to be, as JSON.
const SERVE: &str = "FIRST_SYNC_SERVES";
/// Files are of up to so many bytes, evenly: the median is half of it.
pub const LARGEST: u64 = 20_000;
const FILES_EACH: u64 = 10;
const FOLDERS_EACH: u64 = 50;
/// 1 March 2026, the content time of files on iCloud, in milliseconds since 1970.
const SPRING_MS: i64 = 1_772_323_200_000;
/// How often the memory of the measured process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What iCloud holds at the start.
#[derive(Clone, Copy)]
pub enum Fill {
    Nothing,
    /// So many small files, in folders of ten.
    Many(usize),
    /// One file of so many bytes.
    Large(u64),
}

/// System calls by name.
pub type Calls = BTreeMap<String, u64>;

/// What one run of the binary cost.
pub struct Cost {
    pub wall: Duration,
    /// Seconds of CPU, of the process alone.
    pub user: f64,
    pub system: f64,
    pub peak_kib: u64,
    /// Requests by kind.
    pub counts: BTreeMap<String, u64>,
}

impl Cost {
    pub fn requests(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Serves until its standard input ends, where this process was started for that.
pub fn serve_if_asked() -> bool {
    let Ok(asked) = std::env::var(SERVE) else { return false };
    let asked: Value = serde_json::from_str(&asked).expect("what to serve");
    let number = |name: &str| asked[name].as_u64();
    let mut config = SimConfig::default();
    config.account.iterations = 10;
    config.switches.latency = Duration::from_millis(number("latency_ms").unwrap_or(0));
    config.switches.bandwidth = number("bandwidth");
    let (name, password) = (config.account.name.clone(), config.account.password.clone());
    let sim = Simulator::start(config).expect("a simulator on loopback");
    if let Some(files) = number("files") {
        for file in 0..files {
            let (folder, len) = (file / FILES_EACH, mix(file) % LARGEST);
            let path = format!("part {}/folder {folder}/file {file}", folder / FOLDERS_EACH);
            sim.drive().write_at(&path, Content::Generated { seed: file, len }, SPRING_MS).expect("a file");
        }
    }
    if let Some(len) = number("large") {
        sim.drive().write("down.bin", Content::Generated { seed: 1, len }).expect("a file");
    }
    let mut out = std::io::stdout();
    let mut say = |value: Value| writeln!(out, "{value}").and_then(|()| out.flush()).expect("somebody reads");
    say(
        json!({ "home": sim.home(), "setup": sim.setup(), "auth": sim.auth(), "name": name, "password": password }),
    );
    for line in std::io::stdin().lines() {
        match line.expect("a line").as_str() {
            "code" => say(json!(sim.device_code())),
            _ => say(json!(sim.counts())),
        }
    }
    true
}

/// The kind of the file system of a folder.
pub fn kind_of(folder: &Path) -> String {
    match rustix::fs::statfs(folder).map(|fs| fs.f_type) {
        Ok(0xef53) => "ext4".to_owned(),
        Ok(0x0102_1994) => "tmpfs".to_owned(),
        Ok(other) => format!("0x{other:x}"),
        Err(error) => error.to_string(),
    }
}

/// The process that serves.
struct Served {
    child: Child,
    asks: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
    account: Value,
}

impl Served {
    fn start(asked: &Value) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(SERVE, asked.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let asks = child.stdin.take();
        let says = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut served = Self { child, asks, says, account: Value::Null };
        served.account = served.read();
        served
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.says.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).expect("an answer in JSON")
    }

    fn ask(&mut self, what: &str) -> Value {
        writeln!(self.asks.as_mut().expect("a pipe"), "{what}").expect("it reads");
        self.read()
    }

    /// Requests by kind so far.
    fn counts(&mut self) -> BTreeMap<String, u64> {
        let mut counts: BTreeMap<String, u64> = serde_json::from_value(self.ask("counts")).expect("counts");
        // Folders, not requests.
        counts.remove("listing.folders");
        counts
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.asks.take());
        let _ = self.child.wait();
    }
}

/// One user's world, signed in.
pub struct World {
    served: std::cell::RefCell<Served>,
    temp: tempfile::TempDir,
    workers: u32,
}

impl World {
    pub fn new(parent: &Path, workers: u32, latency: Duration, bandwidth: Option<u64>, fill: Fill) -> Self {
        let mut asked = json!({ "latency_ms": latency.as_millis() as u64, "bandwidth": bandwidth });
        match fill {
            Fill::Nothing => {}
            Fill::Many(files) => asked["files"] = json!(files),
            Fill::Large(bytes) => asked["large"] = json!(bytes),
        }
        let served = std::cell::RefCell::new(Served::start(&asked));
        let temp = tempfile::tempdir_in(parent).expect("a temporary folder");
        let world = Self { served, temp, workers };
        fs::create_dir(world.drive()).expect("the drive's folder");
        world.login();
        world
    }

    fn login(&self) {
        let mut child = self.command(&[], "login").stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut answers = child.stdin.take().expect("a pipe");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        writeln!(answers, "0").expect("it reads");
        let mut heard = String::new();
        while !heard.contains("Sent to your trusted devices.") {
            assert_ne!(said.read_line(&mut heard).expect("text"), 0, "login ended early: {heard}");
        }
        let code = self.served.borrow_mut().ask("code");
        writeln!(answers, "{}", code.as_str().expect("a code")).expect("it reads");
        drop(answers);
        assert!(child.wait().expect("it ends").success(), "login failed");
    }

    pub fn drive(&self) -> PathBuf {
        self.temp.path().join("drive")
    }

    /// The binary with one command, run by `by`.
    fn command(&self, by: &[&str], name: &str) -> Command {
        let binary = std::env::var("BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_icloudds").to_owned());
        let words: Vec<&str> = by.iter().copied().chain([&*binary, name]).collect();
        let served = self.served.borrow();
        let account = |name: &str| served.account[name].as_str().expect("a text").to_owned();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("ICLOUDDS_CONFIG", "/dev/null")
            .env("ICLOUDDS_ACCOUNT__USERNAME", account("name"))
            .env("ICLOUDDS_ACCOUNT__PASSWORD", account("password"))
            .env("ICLOUDDS_SYNC__DIRECTORY", self.drive())
            .env("ICLOUDDS_SYNC__STATE_DIRECTORY", self.temp.path().join("state"))
            .env("ICLOUDDS_SYNC__MAX_WORKERS", self.workers.to_string())
            .env("ICLOUDDS_ICLOUD__HOME", account("home"))
            .env("ICLOUDDS_ICLOUD__SETUP", account("setup"))
            .env("ICLOUDDS_ICLOUD__AUTH", account("auth"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// What `once` costs until both are equal.
    pub fn once(&self) -> Cost {
        let before = self.served.borrow_mut().counts();
        let begun = Instant::now();
        let mut child = self.command(&[], "once").stderr(self.said()).spawn().expect("the binary starts");
        let peak_kib = watch_until_exit(&child);
        let wall = begun.elapsed();
        let (user, system) = cpu_of(&child);
        self.finish(&mut child);
        let mut counts = self.served.borrow_mut().counts();
        for (kind, count) in &mut counts {
            *count -= before.get(kind).copied().unwrap_or(0);
        }
        counts.retain(|_, count| *count > 0);
        Cost { wall, user, system, peak_kib, counts }
    }

    /// Where a run says what it does: nobody reads a pipe meanwhile.
    fn said(&self) -> fs::File {
        fs::File::create(self.temp.path().join("said")).expect("a file")
    }

    fn finish(&self, child: &mut Child) {
        let is_success = child.wait().expect("it ends").success();
        assert!(is_success, "{}", fs::read_to_string(self.temp.path().join("said")).expect("text"));
    }

    /// The system calls of `once`.
    pub fn traced(&self) -> Calls {
        let file = self.temp.path().join("calls");
        let name = file.to_str().expect("a temporary folder has a plain name");
        let mut child =
            match self.command(&["strace", "-f", "-c", "-o", name], "once").stderr(self.said()).spawn() {
                Ok(child) => child,
                Err(error) => {
                    println!("  strace: {error}");
                    return Calls::new();
                }
            };
        self.finish(&mut child);
        let text = fs::read_to_string(&file).expect("what strace counted");
        // % time, seconds, usecs/call, calls, errors where there are any, syscall.
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let calls = words.get(3)?.parse().ok()?;
            let name = words.get(4..)?.last()?;
            (*name != "total").then(|| ((*name).to_owned(), calls))
        };
        text.lines().filter_map(line).collect()
    }
}

/// Waits until the process has ended, and leaves it to be asked; the most memory that was resident, in KiB.
fn watch_until_exit(child: &Child) -> u64 {
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak).max(peak);
        if status.lines().any(|line| line.starts_with("State:") && line.contains('Z')) || status.is_empty() {
            return peak;
        }
        std::thread::sleep(LOOK);
    }
}

/// Seconds of user and system time of a process that has ended and was not waited for.
fn cpu_of(child: &Child) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("an ended process");
    // After the name, which may hold anything but ends with the last parenthesis: the 14th and 15th of all.
    let rest = text.rsplit_once(')').expect("a name in parentheses").1;
    let words: Vec<&str> = rest.split_whitespace().collect();
    // Linux counts them in hundredths on every platform.
    let ticks = 100.0;
    let seconds = |at: usize| words[at].parse::<f64>().expect("a number") / ticks;
    (seconds(11), seconds(12))
}
