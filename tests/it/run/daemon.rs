//! A running daemon, and ways to wait for what it does.

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use icloudds::control::{ControlClient, ControlReply, ControlRequest};
use icloudds::status::{DaemonState, StatusDocument};
use rustix::process::{Pid, Signal, kill_process};

use crate::e2e::rig::Rig;
use crate::e2e::tree;

/// How long anything may take on a busy machine before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How long anything may take that waits for nobody, on a machine that is busy with other tests: shorter than whatever it must not
/// wait for, which a test makes last longer than [`PATIENCE`].
pub const PROMPT: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(25);

/// A running `icloudds run`.
pub struct Daemon<'a> {
    pub rig: &'a Rig,
    child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// Signed in, nothing synced, with the shortest periods that the configuration takes.
pub fn quick() -> Rig {
    let mut rig = Rig::signed_in();
    hurry(&mut rig);
    rig
}

/// Short periods, and no push channel: a request that is held would count in whatever is counted.
pub fn hurry(rig: &mut Rig) {
    rig.sim.switches(|switches| switches.aps = icloudds_simulator::switches::Aps::Off);
    rig.set("sync.check_period", "1").set("sync.refresh_period", "3").set("sync.debounce_period", "1");
    rig.set("sync.poll_period", "1");
}

/// The pace of somebody outside: a person who writes, or the looks at another process, which tells nobody when it is
/// done. What happens in between is waited for by its condition.
pub fn pace(span: Duration) {
    thread::sleep(span);
}

/// Waits until `get` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, more: impl Fn() -> String, mut get: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}\n{}", more());
        pace(STEP);
    }
}

impl<'a> Daemon<'a> {
    /// Starts it and waits until it answers.
    #[track_caller]
    pub fn start(rig: &'a Rig) -> Self {
        let daemon = Self::launch(rig);
        daemon.wait("an answer on the control socket", || daemon.try_status().is_some());
        daemon
    }

    /// Starts it.
    pub fn launch(rig: &'a Rig) -> Self {
        Self::launch_with(rig, &[])
    }

    /// Starts it with variables in its environment.
    pub fn launch_with(rig: &'a Rig, variables: &[(&str, &str)]) -> Self {
        let mut command = rig.command(&["run"]);
        command.envs(variables.iter().copied());
        Self::spawn(rig, command)
    }

    /// Starts it where the system allows only so many inotify watches: in a user namespace of its own, which has its own
    /// limit. `None` where this machine has no user namespaces for us.
    pub fn launch_with_watches(rig: &'a Rig, watches: u32) -> Option<Self> {
        let script = |then: &str| format!("echo {watches} > /proc/sys/user/max_inotify_watches && {then}");
        let unshare = |then: &str| {
            let mut command = std::process::Command::new("unshare");
            command.args(["--user", "--map-root-user", "sh", "-c", &script(then), "sh"]);
            command
        };
        if !unshare("true").output().is_ok_and(|ran| ran.status.success()) {
            return None;
        }
        let plain = rig.command(&["run"]);
        let mut command = unshare("exec \"$@\"");
        command.arg(plain.get_program()).args(plain.get_args());
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
        command.stderr(std::process::Stdio::piped());
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
        Some(Self::spawn(rig, command))
    }

    fn spawn(rig: &'a Rig, mut command: std::process::Command) -> Self {
        let mut child = command.spawn().expect("the binary starts");
        let said = Arc::<Mutex<String>>::default();
        let mut stderr = child.stderr.take().expect("a pipe");
        let into = Arc::clone(&said);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len @ 1..) = stderr.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..len]);
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { rig, child, said, reader: Some(reader) }
    }

    /// Starts it and waits until both sides are equal and it says so.
    #[track_caller]
    pub fn synced(rig: &'a Rig) -> Self {
        let daemon = Self::start(rig);
        daemon.settle();
        daemon
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `condition` holds.
    #[track_caller]
    pub fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        wait_for(what, || self.evidence(), || condition().then_some(()));
    }

    /// Waits until the log holds `text`.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        self.wait(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// Waits for a state.
    #[track_caller]
    pub fn wait_state(&self, state: DaemonState) {
        self.wait(&format!("state {state}"), || {
            self.try_status().is_some_and(|status| status.state == state)
        });
    }

    /// Waits until both sides hold the same and the daemon says that it is in sync and idle.
    #[track_caller]
    pub fn settle(&self) {
        self.wait("both sides equal", || {
            let rests =
                self.try_status().is_some_and(|status| status.in_sync && status.state == DaemonState::Idle);
            rests && self.differences().is_empty()
        });
    }

    /// Waits until so many further passes that looked at both sides are over.
    #[track_caller]
    pub fn rounds(&self, passes: u64) {
        let now = self.status().totals.passes;
        self.wait("further passes", || self.status().totals.passes >= now + passes);
    }

    /// Waits until its own last writes have calmed down: eight checks in a row lead to no further pass.
    #[track_caller]
    pub fn calm(&self) {
        self.settle();
        let looks = || self.rig.sim.count("listing") + self.rig.sim.count("feed.database");
        let mut seen = (self.status().totals.passes, looks());
        self.wait("a calm", || {
            let (passes, checks) = (self.status().totals.passes, looks());
            if passes != seen.0 {
                seen = (passes, checks);
            }
            checks >= seen.1 + 8
        });
    }

    /// Where the sides differ; a tree that changes while it is read counts as different.
    pub fn differences(&self) -> String {
        let rig = self.rig;
        let read = std::panic::AssertUnwindSafe(|| tree::differences(&rig.here(), &rig.on_icloud()));
        std::panic::catch_unwind(read).unwrap_or_else(|_| "it changes while it is read".to_owned())
    }

    fn evidence(&self) -> String {
        let mut text = String::new();
        let status = self.try_status().map(|status| serde_json::to_string_pretty(&status).expect("JSON"));
        let _ = writeln!(text, "--- status\n{}", status.unwrap_or_else(|| "no answer".to_owned()));
        let _ = writeln!(text, "--- differences\n{}", self.differences());
        let _ = writeln!(text, "--- log\n{}", self.log());
        text
    }

    /// Asks through the control socket.
    #[track_caller]
    pub fn ask(&self, request: &ControlRequest) -> ControlReply {
        match self.try_ask(request) {
            Some(reply) => reply,
            None => panic!("no answer to {request:?}\n--- log\n{}", self.log()),
        }
    }

    /// As [`Daemon::ask`]; `None` when nobody answers.
    pub fn try_ask(&self, request: &ControlRequest) -> Option<ControlReply> {
        ControlClient::connect(&self.rig.state()).ok()??.call(request).ok()
    }

    /// The status document.
    #[track_caller]
    pub fn status(&self) -> StatusDocument {
        match self.try_status() {
            Some(status) => status,
            None => panic!("no status\n--- log\n{}", self.log()),
        }
    }

    /// As [`Daemon::status`].
    pub fn try_status(&self) -> Option<StatusDocument> {
        match self.try_ask(&ControlRequest::Status)? {
            ControlReply::Status { status } => Some(*status),
            _ => None,
        }
    }

    /// The answer to `health`: healthy, and why.
    #[track_caller]
    pub fn health(&self, ready: bool) -> (bool, String) {
        match self.ask(&ControlRequest::Health { ready }) {
            ControlReply::Health { healthy, why } => (healthy, why),
            other => panic!("{other:?}"),
        }
    }

    /// Asks for something that is to be done; the sentence.
    #[track_caller]
    pub fn done(&self, request: &ControlRequest) -> String {
        match self.ask(request) {
            ControlReply::Done { said } => said,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// Asks for a text.
    #[track_caller]
    pub fn text(&self, request: &ControlRequest) -> String {
        match self.ask(request) {
            ControlReply::Text { text } => text,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process id")).expect("not zero");
        kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end; the exit code and how long that took.
    #[track_caller]
    pub fn ended(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a state") {
                if let Some(reader) = self.reader.take() {
                    reader.join().expect("the reader ends");
                }
                return (status.code(), begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.log());
            pace(STEP);
        }
    }

    /// SIGTERM: it ends with exit 0 within ten seconds. Returns the log.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let (exit, took) = self.ended();
        assert_eq!(exit, Some(0), "{}", self.log());
        assert!(took < Duration::from_secs(10), "it took {took:?} to stop\n{}", self.log());
        self.log()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.ended();
    }

    /// CPU seconds, resident KiB, threads and open files of the process.
    pub fn usage(&self) -> Usage {
        let proc = format!("/proc/{}", self.pid());
        let stat = fs::read_to_string(format!("{proc}/stat")).unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
            .unwrap_or_default();
        let status = fs::read_to_string(format!("{proc}/status")).unwrap_or_default();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
        };
        Usage {
            // Hundredths of a second: USER_HZ on every Linux.
            cpu_centis: fields.get(11).unwrap_or(&0) + fields.get(12).unwrap_or(&0),
            resident_kib: of("VmRSS:"),
            threads: of("Threads:"),
            files: fs::read_dir(format!("{proc}/fd")).map_or(0, Iterator::count),
        }
    }
}

/// What a process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub cpu_centis: u64,
    pub resident_kib: u64,
    pub threads: u64,
    pub files: usize,
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // It has ended in most tests; where one failed, nothing may be left running.
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
        if !thread::panicking() {
            let log = self.log();
            assert!(!log.contains("panicked"), "{log}");
            let password = self.rig.sim.core().state().account.password.clone();
            assert!(!log.contains(&password), "the password is in the log:\n{log}");
        }
    }
}
