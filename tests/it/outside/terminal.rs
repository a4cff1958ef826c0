//! At a terminal, and ended by a signal. `script` gives the program a terminal of its own.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use icloudds_simulator::fault::Effect;
use rustix::process::{Pid, Signal, kill_process};

use crate::cases::side_by_side;
use crate::e2e::rig::{Rig, noise, not_tried};
use crate::run::daemon::{Daemon, hurry, wait_for};

/// A command at a terminal, and what it shows there.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    /// Everything that it was sent.
    pub shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs a line of the shell; `$P` is the program with its configuration.
    pub fn run(rig: &Rig, line: &str) -> Self {
        let program = rig.command(&[]);
        let mut words = vec![program.get_program().to_string_lossy().into_owned()];
        words.extend(program.get_args().map(|word| word.to_string_lossy().into_owned()));
        // The shell must outlive the interrupt that ends the program, to tell how that was.
        let line = format!("trap : INT; P='{}'; {line}", words.join(" "));
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &line, "/dev/null"]);
        command.env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("script, of util-linux");
        let keys = child.stdin.take().expect("a pipe");
        let mut screen = child.stdout.take().expect("a pipe");
        let shown = Arc::<Mutex<String>>::default();
        let told = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                told.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { child, keys, shown }
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it shows the text.
    #[track_caller]
    pub fn wait(&self, text: &str) {
        wait_for(text, || self.shown(), || self.shown().contains(text).then_some(()));
    }

    /// Types at it.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("it reads");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> String {
        wait_for(
            "the end",
            || self.shown.lock().expect("no panic").clone(),
            || self.child.try_wait().expect("a child"),
        );
        self.shown()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_interrupt_at_the_password_leaves_the_terminal_as_it_was() {
    let mut rig = Rig::new();
    rig.unset("account.password");
    let mut terminal = Terminal::run(&rig, "$P login; echo \"exit $?\"; stty -a; echo done");
    terminal.wait("assword");
    terminal.type_keys("\u{3}");
    terminal.wait("done");
    let shown = terminal.end();
    assert!(shown.contains("exit 130"), "{shown}");
    let modes = shown.split_once("exit 130").expect("told").1;
    assert!(modes.contains(" echo ") && modes.contains(" icanon "), "{shown}");
}

#[test]
fn run_asks_for_password_and_code_at_its_terminal() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    rig.unset("account.password");
    rig.there().write("a.txt", "a").expect("a file");
    let password = rig.sim.core().state().account.password.clone();
    let mut terminal = Terminal::run(&rig, "$P run; echo \"exit $?\"; stty -a; echo done");
    terminal.wait("assword:");
    terminal.type_keys(&format!("{password}\n"));
    let screen = Arc::clone(&terminal.shown);
    let shown = || screen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let code = wait_for("a code that was asked for", shown, || {
        // Whatever the dialogue asks first, Enter takes what it proposes.
        if let Some(code) = rig.sim.device_code() {
            return Some(code);
        }
        terminal.keys.write_all(b"0\n").expect("it reads");
        crate::run::daemon::pace(Duration::from_millis(500));
        None
    });
    terminal.wait("Code");
    terminal.type_keys(&format!("{code}\n"));
    wait_for("the file", || terminal.shown(), || rig.at("a.txt").exists().then_some(()));
    terminal.type_keys("\u{3}");
    terminal.wait("done");
    let shown = terminal.end();
    assert!(!shown.contains(&password), "the password was shown: {shown}");
    assert!(shown.contains("exit 0") && shown.contains(" echo "), "{shown}");
}

#[test]
fn a_password_that_is_pasted_at_sight_of_the_question_is_not_shown() {
    let rig = {
        let mut rig = Rig::new();
        rig.unset("account.password");
        rig
    };
    let password = rig.sim.core().state().account.password.clone();
    // The calls that hide what is typed take so long that whoever answers at once is faster.
    let slow = "strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=150000";
    let mut terminal =
        Terminal::run(&rig, &format!("{slow} $P login || echo \"exit $?\"; stty -a; echo done"));
    let screen = Arc::clone(&terminal.shown);
    let shown = || screen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let question = wait_for("the question, or a tracer that may not", shown, || {
        let shown = shown();
        (shown.contains("assword:") || shown.contains("done")).then(|| shown.contains("assword:"))
    });
    if !question {
        not_tried(format_args!("a terminal under a tracer: {}", shown()));
        return;
    }
    terminal.type_keys(&format!("{password}\n"));
    terminal.wait("s for SMS");
    terminal.type_keys("\u{3}");
    terminal.wait("done");
    let shown = terminal.end();
    assert!(!shown.contains(&password), "the password was shown: {shown}");
    assert!(shown.contains(" echo ") && shown.contains(" icanon "), "{shown}");
}

#[test]
fn login_at_a_terminal_takes_a_message_a_wrong_code_and_the_second_proof() {
    let mut rig = Rig::new();
    rig.unset("account.password");
    rig.sim.switches(|switches| switches.escrow = icloudds_simulator::switches::Escrow::OnCode);
    let password = rig.sim.core().state().account.password.clone();
    let mut terminal = Terminal::run(&rig, "$P login; echo \"exit $?\"; stty -a; echo done");
    terminal.wait("assword:");
    terminal.type_keys(&format!("{password}\n"));
    terminal.wait("s for SMS");
    terminal.type_keys("1\n");
    terminal.wait("Sent by SMS to ");
    let code = rig.sim.messages().last().expect("a message").code.clone();
    terminal.wait("Code (");
    let wrong = if code == "000000" { "111111" } else { "000000" };
    terminal.type_keys(&format!("{wrong}\n"));
    terminal.wait("Wrong code: ");
    terminal.type_keys(&format!("{code}\n"));
    terminal.wait("done");
    let shown = terminal.end();
    assert!(shown.contains("Signed in.") && shown.contains("exit 0") && shown.contains(" echo "), "{shown}");
    assert_eq!(shown.matches("assword:").count(), 1, "the second proof needs no second typing: {shown}");
    assert!(!shown.contains(&password), "the password was shown: {shown}");
    rig.once();
}

/// What stands on one line at a time, without the sequences that move the cursor.
fn lines_drawn(shown: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut characters = shown.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                // `ESC [ … letter`
                let _ = characters.by_ref().find(|c| c.is_ascii_alphabetic());
            }
            '\r' | '\n' => lines.push(String::new()),
            other => lines.last_mut().expect("one line at least").push(other),
        }
    }
    lines
}

#[test]
fn progress_fits_eighty_columns_in_decimal_units() {
    let rig = Rig::signed_in();
    for number in 0..12 {
        rig.there().write(&format!("film {number}.mp4"), noise(number, 400_000)).expect("a file");
    }
    rig.sim.switches(|switches| switches.bandwidth = Some(900_000));
    let terminal = Terminal::run(&rig, "stty cols 80 rows 24; $P once; echo \"exit $?\"");
    terminal.wait("exit ");
    let shown = terminal.end();
    assert!(shown.contains("exit 0"), "{shown}");
    let drawn = lines_drawn(&shown);
    let bars: Vec<_> = drawn.iter().filter(|line| line.contains(" items ")).collect();
    assert!(!bars.is_empty(), "no progress was shown: {shown}");
    assert!(bars.iter().any(|bar| bar.contains(" MB/")), "{bars:?}");
    for bar in bars {
        assert!(bar.chars().count() <= 80 && !bar.contains("iB"), "{bar:?}");
    }
}

#[test]
fn a_session_is_pasted_at_a_terminal() {
    let mut rig = Rig::signed_in();
    let export = rig.run(&["login", "--export-session", "-"]).expect(0).stdout;
    let state = rig.aside().join("elsewhere");
    rig.set_text("sync.state_directory", &state.display().to_string()).unset("account.password");
    let mut terminal = Terminal::run(&rig, "$P login --import-session -; echo \"exit $?\"");
    // As cookies of a browser they are lines of a length that a terminal takes.
    let value: serde_json::Value = serde_json::from_str(&export).expect("JSON");
    let mut typed = String::new();
    for cookie in value["cookies"].as_array().expect("cookies") {
        let text = |name: &str| cookie[name].as_str().expect("a text");
        typed.push_str(&format!(".icloud.com\tTRUE\t/\tTRUE\t0\t{}\t{}\n", text("name"), text("value")));
    }
    crate::run::daemon::pace(Duration::from_millis(300));
    terminal.type_keys(&typed);
    terminal.type_keys("\u{4}");
    terminal.wait("exit ");
    let shown = terminal.end();
    assert!(shown.contains("exit 0") && shown.contains("Signed in"), "{shown}");
}

#[test]
fn an_account_with_security_keys_is_told_the_way_in_in_one_sentence() {
    let rig = Rig::new();
    rig.sim.account(|account| account.security_keys = vec!["Key".to_owned()]);
    let terminal = Terminal::run(&rig, "$P login; echo \"exit $?\"");
    terminal.wait("exit ");
    let shown = terminal.end();
    assert!(shown.contains("exit 8"), "{shown}");
    assert!(shown.contains("this account wants a security key"), "{shown}");
    assert_eq!(shown.matches("--import-session").count(), 1, "{shown}");
    assert!(!shown.contains("Code"), "no code is asked for: {shown}");
}

/// Runs a command to where the service holds it up, sends the signal, and says how it ended and how long that took.
#[track_caller]
fn ended_by(rig: &Rig, arguments: &[&str], kind: &str, signal: Signal) -> (i32, Duration, String) {
    let before = rig.sim.count(kind);
    let child = rig.spawn(arguments);
    wait_for("the request", String::new, || (rig.sim.count(kind) > before).then_some(()));
    let begun = Instant::now();
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("a process");
    kill_process(pid, signal).expect("the signal");
    let ran = rig.finish(child);
    (ran.exit, begun.elapsed(), ran.stderr)
}

#[test]
fn commands_that_are_interrupted_end_in_time_and_say_so() {
    side_by_side(
        [
            (&["once"][..], "listing", Signal::TERM, 143),
            (&["once"], "listing", Signal::INT, 130),
            (&["plan"], "listing", Signal::TERM, 143),
            (&["plan"], "listing", Signal::HUP, 129),
        ],
        |(arguments, kind, signal, exit)| {
            let mut rig = Rig::signed_in();
            rig.forgiving = true;
            rig.there().write("a.txt", "a").expect("a file");
            rig.fault(Some(kind), 0, 100, Effect::StallMs(15_000));
            let (code, took, said) = ended_by(&rig, arguments, kind, signal);
            assert_eq!(code, exit, "{arguments:?}: {said}");
            assert!(took < Duration::from_secs(10), "{arguments:?}: {took:?}");
            rig.sim.switches(|switches| switches.faults.clear());
        },
    );
}

#[test]
fn once_that_is_interrupted_in_a_transfer_goes_on_the_next_time() {
    let rig = Rig::signed_in();
    rig.there().write("large.bin", noise(1, 4_000_000)).expect("a file");
    rig.sim.switches(|switches| switches.bandwidth = Some(200_000));
    let (code, took, said) = ended_by(&rig, &["once"], "download.content", Signal::TERM);
    assert_eq!(code, 143, "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    rig.sim.switches(|switches| switches.bandwidth = None);
    rig.once();
    rig.assert_settled();
}

#[test]
fn what_was_started_to_ignore_a_hangup_ignores_it() {
    let rig = Rig::signed_in();
    rig.there().write("a.txt", "a").expect("a file");
    rig.fault(Some("listing"), 0, 1, Effect::StallMs(3_000));
    let before = rig.sim.count("listing");
    let plain = rig.command(&["once"]);
    let mut command = Command::new("nohup");
    command.arg(plain.get_program()).args(plain.get_args()).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("nohup, of coreutils");
    wait_for("the request", String::new, || (rig.sim.count("listing") > before).then_some(()));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("a process");
    kill_process(pid, Signal::HUP).expect("the signal");
    rig.finish(child).expect(0);
    assert_eq!(rig.read("a.txt"), "a");
}

#[test]
fn process_one_of_a_container_ends_on_a_signal() {
    let mut rig = Rig::signed_in();
    rig.forgiving = true;
    rig.fault(Some("listing"), 0, 100, Effect::StallMs(15_000));
    let inside = |rest: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]).args(rest);
        command
    };
    if !inside(&["true"]).output().is_ok_and(|ran| ran.status.success()) {
        not_tried("being process one: no process namespaces here");
        return;
    }
    for arguments in ["plan", "once"] {
        let plain = rig.command(&[arguments]);
        let before = rig.sim.count("listing");
        let mut command = inside(&[&plain.get_program().to_string_lossy()]);
        command.args(plain.get_args()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("unshare");
        wait_for("the request", String::new, || (rig.sim.count("listing") > before).then_some(()));
        // The program is the child of `unshare`.
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let inner: i32 =
            std::fs::read_to_string(children).expect("children").trim().parse().expect("one child");
        let begun = Instant::now();
        kill_process(Pid::from_raw(inner).expect("a process"), Signal::TERM).expect("the signal");
        let status = wait_for("its end", String::new, || child.try_wait().expect("a child"));
        assert_eq!(status.code(), Some(143), "{arguments}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{arguments}: {:?}", begun.elapsed());
    }
}

#[test]
fn status_at_a_terminal_fits_it_and_colours_what_needs_a_person_unless_that_is_refused() {
    let mut rig = Rig::new();
    hurry(&mut rig);
    let daemon = Daemon::start(&rig);
    daemon.wait_state(icloudds::status::DaemonState::NeedsCode);
    let shown = Terminal::run(&rig, "stty cols 80 rows 24; $P status").end();
    assert!(shown.contains("\u{1b}[33mstate        needs-code"), "{shown:?}");
    let plain: String = shown.replace("\u{1b}[33m", "").replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
    assert!(plain.lines().all(|line| line.trim_end().chars().count() <= 80), "{plain}");
    let refused = Terminal::run(&rig, "NO_COLOR=1 $P status").end();
    assert!(!refused.contains('\u{1b}'), "{refused:?}");
    // Elsewhere nothing is broken or coloured.
    let piped = rig.run(&["status"]).expect(0).stdout;
    assert!(!piped.contains('\u{1b}') && piped.lines().any(|line| line.len() > 80), "{piped}");
    let refused = rig.run(&["status", "--watch"]).expect(3);
    assert!(refused.sentence().contains("--watch needs a terminal"), "{}", refused.stderr);
    // It stays, and shows what changes.
    let mut watched = Terminal::run(&rig, "$P status --watch; echo ended with $?");
    watched.wait("needs-code");
    rig.login();
    watched.wait("idle");
    watched.type_keys("\u{3}");
    let shown = watched.end();
    assert!(shown.contains("ended with 130"), "{shown:?}");
    daemon.stop();
}
