//! A simulated iCloud, a drive folder, a state directory, a configuration, and the binary.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use icloudds_simulator::drive::model::journal::What;
use icloudds_simulator::drive::person::Person;
use icloudds_simulator::fault::{Effect, Fault, FaultBody};
use icloudds_simulator::{SimConfig, Simulator};
use tempfile::TempDir;

use super::tree::{self, Tree};

/// What a pass may ask when there is nothing to do (`listing.folders` counts folders, not requests).
const LOOKS: [&str; 6] = ["listing", "listing.folders", "listing.trash", "details", "lookup", "validate"];

/// Says what this machine could not try, past the test harness, which keeps what passing tests print to itself. The gate counts these
/// lines.
pub fn not_tried(what: impl std::fmt::Display) {
    let line = what.to_string().replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "NOT TRIED: {line}");
}

/// One user's world.
pub struct Rig {
    pub sim: Simulator,
    temp: TempDir,
    config: BTreeMap<String, BTreeMap<String, String>>,
    /// Contents that a test wants lost or rules that it breaks on purpose are no failure.
    pub forgiving: bool,
    /// Persons edit on iCloud at any moment, also between a look of ours and the commit that follows it.
    pub racing: bool,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 after a signal.
    pub exit: i32,
    pub stdout: String,
    pub stderr: String,
    /// The most memory that was resident, in KiB; 0 when the run was too short to see.
    pub peak_kib: u64,
}

impl Ran {
    /// Panics with everything that was said unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "\n--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// The `icloudds:` line and the advice below it.
    pub fn sentence(&self) -> &str {
        // After a question it begins in the middle of a line.
        self.stderr.find("icloudds: ").map_or("", |at| &self.stderr[at..])
    }
}

impl Rig {
    /// Both sides empty, nobody signed in, the configuration complete.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// As [`Rig::new`] with another simulator.
    pub fn with(change: impl FnOnce(&mut SimConfig)) -> Self {
        let mut config = SimConfig::default();
        // The password's stretching is measured elsewhere; here it only costs time.
        config.account.iterations = 10;
        change(&mut config);
        let sim = Simulator::start(config).expect("a simulator on loopback");
        // /tmp may be a tmpfs without birth times or a small one: both are file systems that users have.
        let temp = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(temp.path().join("drive")).expect("the drive's folder");
        let mut rig = Self { sim, temp, config: BTreeMap::new(), forgiving: false, racing: false };
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let (name, password) = {
            let state = rig.sim.core().state();
            (state.account.name.clone(), state.account.password.clone())
        };
        for (key, value) in [
            ("account.username", quoted(&name)),
            ("account.password", quoted(&password)),
            ("sync.directory", quoted(&rig.drive().display().to_string())),
            ("sync.state_directory", quoted(&rig.state().display().to_string())),
            ("icloud.home", quoted(&rig.sim.home())),
            ("icloud.setup", quoted(&rig.sim.setup())),
            ("icloud.auth", quoted(&rig.sim.auth())),
        ] {
            rig.set(key, &value);
        }
        rig
    }

    /// Both sides empty, signed in by `icloudds login`.
    pub fn signed_in() -> Self {
        let rig = Self::new();
        rig.login();
        rig
    }

    /// As [`Rig::signed_in`] with another simulator.
    pub fn signed_in_with(change: impl FnOnce(&mut SimConfig)) -> Self {
        let rig = Self::with(change);
        rig.login();
        rig
    }

    /// Signed in, with these files on iCloud, synced once.
    pub fn synced(files: &[(&str, &str)]) -> Self {
        let rig = Self::signed_in();
        for (path, text) in files {
            rig.there().write(path, *text).expect("a file on iCloud");
        }
        rig.once();
        rig
    }

    /// Sets `section.key` to a TOML value.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        let (section, key) = key.split_once('.').expect("section.key");
        self.config.entry(section.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets `section.key` to a text.
    pub fn set_text(&mut self, key: &str, value: &str) -> &mut Self {
        self.set(key, &toml::Value::String(value.to_owned()).to_string())
    }

    /// Takes `section.key` away.
    pub fn unset(&mut self, key: &str) -> &mut Self {
        let (section, key) = key.split_once('.').expect("section.key");
        self.config.get_mut(section).and_then(|keys| keys.remove(key));
        self
    }

    /// The synced folder.
    pub fn drive(&self) -> PathBuf {
        self.temp.path().join("drive")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    /// A folder for whatever a test needs beside the two.
    pub fn aside(&self) -> PathBuf {
        let path = self.temp.path().join("aside");
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// A person at another device.
    pub fn there(&self) -> Person<'_> {
        self.sim.drive()
    }

    /// A place in the synced folder.
    pub fn at(&self, path: &str) -> PathBuf {
        self.drive().join(path)
    }

    /// Writes a file here, with missing folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().expect("a folder")).expect("a folder");
        fs::write(&at, content).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Makes a folder here, with those above it.
    pub fn mkdir(&self, path: &str) {
        fs::create_dir_all(self.at(path)).expect("a folder");
    }

    /// Renames or moves here.
    pub fn mv(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
    }

    /// Deletes here, a folder with what is in it.
    pub fn rm(&self, path: &str) {
        let at = self.at(path);
        let removed = if at.is_dir() { fs::remove_dir_all(&at) } else { fs::remove_file(&at) };
        removed.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The text of a file here.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        match fs::read_to_string(self.at(path)) {
            Ok(text) => text,
            Err(error) => panic!("{path}: {error}; here is {:?}", self.here().keys().collect::<Vec<_>>()),
        }
    }

    /// The text of a file on iCloud.
    #[track_caller]
    pub fn read_there(&self, path: &str) -> String {
        match self.there().content(path).expect("a readable content") {
            Some(bytes) => String::from_utf8(bytes).expect("a text"),
            None => panic!("{path}: not on iCloud, which holds {:?}", self.there().tree().keys()),
        }
    }

    /// The id of an item on iCloud.
    #[track_caller]
    pub fn id(&self, path: &str) -> String {
        match self.there().entry(path) {
            Some(entry) => entry.docwsid,
            None => panic!("{path}: not on iCloud, which holds {:?}", self.there().tree().keys()),
        }
    }

    /// What is in the synced folder.
    pub fn here(&self) -> Tree {
        tree::local(&self.drive())
    }

    /// What iCloud Drive holds.
    pub fn on_icloud(&self) -> Tree {
        tree::remote(&self.sim)
    }

    /// The paths in the local trash, as `trash list` prints them.
    pub fn trash_here(&self) -> String {
        self.run(&["trash", "list"]).expect(0).stdout
    }

    /// The paths in iCloud's Recently Deleted.
    pub fn trash_there(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.there().trash_contents().into_iter().map(|(path, _)| path).collect();
        paths.sort();
        paths
    }

    /// The command, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut text = String::new();
        for (section, keys) in &self.config {
            let _ = writeln!(text, "[{section}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        let file = self.temp.path().join("config.toml");
        fs::write(&file, text).expect("the configuration file");
        // It holds the password.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        let mut command = Command::new(env!("CARGO_BIN_EXE_icloudds"));
        command.env_clear().arg("--config").arg(file).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the binary starts")
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.finish(self.spawn(arguments))
    }

    /// Waits for a started one.
    pub fn finish(&self, child: Child) -> Ran {
        let status_file = format!("/proc/{}/status", child.id());
        let (ended, end) = mpsc::channel();
        let waiter = thread::spawn(move || {
            let output = child.wait_with_output().expect("the binary ends");
            // The other side waits for this before it goes away.
            let _ = ended.send(output);
        });
        let mut peak_kib = 0;
        let output = loop {
            // First, and often: what a refusal ends takes a few milliseconds.
            peak_kib = peak_kib.max(resident_peak(&status_file));
            if let Ok(output) = end.recv_timeout(Duration::from_millis(2)) {
                break output;
            }
        };
        waiter.join().expect("the waiting thread ends");
        let ran = Ran {
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
            peak_kib,
        };
        self.assert_no_secret(&ran);
        ran
    }

    fn assert_no_secret(&self, ran: &Ran) {
        let password = self.sim.core().state().account.password.clone();
        assert!(!ran.stdout.contains(&password), "the password is on stdout:\n{}", ran.stdout);
        assert!(!ran.stderr.contains(&password), "the password is on stderr:\n{}", ran.stderr);
    }

    /// `login` through a pipe: asks for a code on the devices and types it.
    pub fn login(&self) {
        let ran = self.try_login(|_| {});
        assert_eq!(ran.exit, 0, "{}", ran.stderr);
    }

    /// As [`Rig::login`], whatever comes of it; `wrong` may type something before the right code.
    pub fn try_login(&self, wrong: impl FnOnce(&mut dyn FnMut(&str))) -> Ran {
        self.login_typing(&["0"], wrong)
    }

    /// As [`Rig::try_login`], with what is typed before a code was sent.
    pub fn login_typing(&self, first: &[&str], wrong: impl FnOnce(&mut dyn FnMut(&str))) -> Ran {
        let mut command = self.command(&["login"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the binary starts");
        let mut answers = child.stdin.take().expect("a pipe");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut stderr = String::new();
        // A child that ended before it asked no longer reads; what it said tells why.
        let mut answer = |text: &str| drop(writeln!(answers, "{text}"));
        first.iter().for_each(|line| answer(line));
        while !stderr.contains("Sent to your trusted devices.") {
            if said.read_line(&mut stderr).expect("UTF-8") == 0 {
                break;
            }
        }
        wrong(&mut answer);
        answer(&self.sim.device_code().unwrap_or_default());
        drop(answers);
        said.read_to_string(&mut stderr).expect("UTF-8");
        let ran = self.finish(child);
        Ran { stderr, ..ran }
    }

    /// `once` that ends in sync.
    #[track_caller]
    pub fn once(&self) -> Ran {
        self.run(&["once"]).expect(0)
    }

    /// `once` that ends with items set aside or deletions held.
    #[track_caller]
    pub fn once_unfinished(&self) -> Ran {
        self.run(&["once"]).expect(12)
    }

    /// The requests that `act` caused, by kind.
    pub fn requests(&self, act: impl FnOnce()) -> BTreeMap<String, u64> {
        let before = self.sim.counts();
        act();
        let mut after = self.sim.counts();
        for (kind, count) in before {
            if let Some(now) = after.get_mut(&kind) {
                *now -= count;
            }
        }
        after.retain(|_, count| *count > 0);
        after
    }

    /// Both sides hold the same paths with the same contents.
    #[track_caller]
    pub fn assert_equal(&self) {
        let differences = tree::differences(&self.here(), &self.on_icloud());
        assert!(differences.is_empty(), "the sides differ:\n{differences}");
    }

    /// Both sides hold the same paths with the same contents, and a further pass only looks: it ends with `exit`,
    /// changes nothing on either side, and does not sign in.
    #[track_caller]
    pub fn assert_settled(&self) {
        self.assert_equal();
        self.assert_quiet(0);
    }

    /// A further pass ends with `exit`, only looks, and leaves both sides as they are.
    #[track_caller]
    pub fn assert_quiet(&self, exit: i32) {
        let requests = self.requests(|| self.assert_unchanged(exit));
        let more: Vec<_> = requests.iter().filter(|(kind, _)| !LOOKS.contains(&kind.as_str())).collect();
        assert!(more.is_empty(), "the second pass did more than look: {more:?}");
    }

    /// A further pass ends with `exit` and leaves both sides as they are. It may try set-aside items again, as `once` does.
    #[track_caller]
    pub fn assert_unchanged(&self, exit: i32) {
        let here = tree::local_marks(&self.drive());
        let there = tree::remote_marks(&self.sim);
        self.run(&["once"]).expect(exit);
        assert_eq!(tree::local_marks(&self.drive()), here, "the second pass changed something here");
        assert_eq!(tree::remote_marks(&self.sim), there, "the second pass changed something on iCloud");
    }

    /// Modification times agree to the second.
    #[track_caller]
    pub fn assert_times(&self) {
        for (path, entry) in self.there().tree() {
            if entry.content.is_some() {
                let seen = fs::metadata(self.at(&path)).expect("a file here").modified().expect("a time");
                let seconds = seen.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
                assert_eq!(seconds as i64, entry.mtime_ms.div_euclid(1000), "modification time of {path}");
            }
        }
    }

    /// Adds an entry to the simulator's fault plan.
    pub fn fault(&self, kind: Option<&str>, skip: u64, count: u64, effect: Effect) {
        let fault = Fault {
            kind: kind.map(str::to_owned),
            path: None,
            skip,
            count,
            every: 1,
            probability: 1.0,
            seed: 0,
            effect,
        };
        self.sim.switches(|switches| switches.faults.push(fault));
    }
}

/// An answer with this status and an HTML page.
pub fn html(status: u16) -> Effect {
    Effect::Answer { status, body: FaultBody::Html, retry_after: None, code: None, headers: Vec::new() }
}

/// Contents that are as good as unique, of this length.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut state = seed;
    while bytes.len() < len {
        state = icloudds_simulator::fault::mix(state);
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn resident_peak(status_file: &str) -> u64 {
    let text = fs::read_to_string(status_file).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Whether tests run as root, who may read and write everywhere.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A path as text.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl Drop for Rig {
    fn drop(&mut self) {
        if self.forgiving || thread::panicking() {
            return;
        }
        let mut violations = self.sim.violations();
        // The one exception of `docs/sync.md` §6: who edits between our look and our commit is overwritten.
        violations.retain(|broken| !(self.racing && broken.ends_with("though its etag was never shown")));
        assert!(violations.is_empty(), "rules of the protocol were broken: {violations:#?}");
        let mut lost = self.there().lost_contents().expect("readable contents");
        if self.racing {
            let all = lost.len();
            lost.retain(|lost| lost.how != What::ReplacedUnseen);
            eprintln!("{} versions were replaced that came between a look and a commit", all - lost.len());
        }
        assert!(lost.is_empty(), "contents were lost: {lost:#?}");
    }
}
