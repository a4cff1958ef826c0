//! From the first probe to the last. The probes run on a thread of their own, so that a signal ends the program whatever they wait for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::ask::Asker;
use super::home::{self, Note, Notebook};
use super::report::{Line, Report};
use super::writes::{Writes, steps};
use super::{account, contents, feed, judge, machine, walk, written};
use crate::app::AppError;
use crate::app::open::{check_user, service};
use crate::chance::{SystemChance, random_hex};
use crate::clock::{Stop, SystemClock};
use crate::config::Config;
use crate::disk::{self, Lock, probe};
use crate::exit::ExitCode;
use crate::icloud::drive::{DriveOptions, ICloudDrive};
use crate::icloud::service::Service;
use crate::icloud::signin::error::SignInError;
use crate::icloud::signin::facts::AccountFacts;
use crate::icloud::throttle;
use crate::model::Stopped;

/// So many requests a diagnosis makes at most.
pub const MOST_REQUESTS: usize = 44;
/// So many with `--probe-writes`.
pub const MOST_WITH_WRITES: usize = 140;
/// How long what was made may take to be put away once the program is to end. The whole process has ten seconds.
const LAST_MOMENTS: Duration = Duration::from_millis(7500);
/// How often it is looked whether the program is to end.
const TICK: Duration = Duration::from_millis(100);

/// What the probes tell.
enum Event {
    /// What is looked at next.
    Next(String),
    /// Something of ours is there, by this name in the drive, or, without a name, on this disk; `None` once it is put away.
    Holds(Option<String>),
    /// All is done.
    Done(Box<Report>),
}

/// Looks at everything. What is looked at is told on standard error, line by line.
///
/// # Errors
///
/// [`AppError::Refused`] where the state directory is another user's, or for `probe_writes` beside a running instance;
/// [`AppError::SignIn`] when the program is told to stop.
pub fn run(config: &Config, stop: Arc<Stop>, probe_writes: bool) -> Result<Report, AppError> {
    check_user(&config.sync.state_directory, false)?;
    let lock = if probe_writes { Some(lock(config)?) } else { None };
    let (events, inbox) = channel();
    let (of_probes, ends) = (config.clone(), Arc::clone(&stop));
    let probes = move || {
        let report =
            Probes { config: of_probes, stop: ends, events: events.clone(), report: Report::default() }
                .all(lock);
        // Nobody listens any more when the program ends.
        let _ = events.send(Event::Done(Box::new(report)));
    };
    let spawned = std::thread::Builder::new().name("icloudds-diagnose".to_owned()).spawn(probes);
    spawned.map_err(|source| AppError::Io {
        what: "cannot start a thread",
        path: "/proc/self".into(),
        source,
    })?;
    listen(&inbox, &stop)
}

/// No daemon may sync what is made here, nor write meanwhile.
fn lock(config: &Config) -> Result<Lock, AppError> {
    let directory = &config.sync.state_directory;
    if !directory.exists() {
        return Err(SignInError::NotSignedIn.into());
    }
    disk::lock_state(directory).map_err(|error| AppError::Refused {
        message: format!(
            "{error}: --probe-writes would disturb it, so stop it first, or leave --probe-writes out (a diagnosis that only reads works beside it)"
        ),
        exit: ExitCode::Busy,
    })
}

fn listen(inbox: &Receiver<Event>, stop: &Stop) -> Result<Report, AppError> {
    let mut holds: Option<String> = None;
    let mut told_to_stop: Option<Instant> = None;
    loop {
        match inbox.recv_timeout(TICK) {
            Ok(Event::Next(what)) => eprintln!("looking at {what} …"),
            Ok(Event::Holds(what)) => holds = what,
            Ok(Event::Done(report)) if told_to_stop.is_none() => return Ok(*report),
            Ok(Event::Done(_)) => return Err(SignInError::Stopped(Stopped).into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(AppError::Refused {
                    message: "the diagnosis broke off".to_owned(),
                    exit: ExitCode::Unexpected,
                });
            }
        }
        if told_to_stop.is_none() && stop.wait(Duration::ZERO).is_err() {
            told_to_stop = Some(Instant::now());
        }
        let Some(since) = told_to_stop else { continue };
        match &holds {
            None => return Err(SignInError::Stopped(Stopped).into()),
            Some(name) if since.elapsed() >= LAST_MOMENTS => {
                if !name.is_empty() {
                    eprintln!(
                        "The folder \"{name}\" may still be in iCloud Drive: run `icloudds diagnose --probe-writes` again, which puts it away, \
                         or delete it there."
                    );
                }
                return Err(SignInError::Stopped(Stopped).into());
            }
            Some(_) => {}
        }
    }
}

/// The probes, on their own thread.
struct Probes {
    config: Config,
    stop: Arc<Stop>,
    events: Sender<Event>,
    report: Report,
}

impl Probes {
    fn next(&self, what: &str) {
        let _ = self.events.send(Event::Next(what.to_owned()));
    }

    fn holds(&self, what: Option<&str>) {
        let _ = self.events.send(Event::Holds(what.map(str::to_owned)));
    }

    /// Everything; what is locked is held until the end.
    fn all(mut self, lock: Option<Lock>) -> Report {
        self.machine();
        match self.session() {
            Ok(Some((service, clock))) => self.service(&service, &clock, lock.is_some()),
            Ok(None) => {}
            Err(error) => {
                let exit = AppError::SignIn(error.clone()).exit_code();
                self.report.leave_out(sentence(&error), exit);
            }
        }
        drop(lock);
        self.report
    }

    fn machine(&mut self) {
        self.next("this machine");
        let mut lines = machine::system_lines(probe::kernel_limits());
        self.holds(Some(""));
        let directory = &self.config.sync.directory;
        match probe::probe(directory) {
            Ok(found) => {
                let state = probe::room_of(&self.config.sync.state_directory).ok();
                lines.extend(machine::file_system_lines(&found, state));
            }
            Err(error) => {
                self.report.leave_out(machine::missing(directory, &error), ExitCode::LocalDirectory)
            }
        }
        self.holds(None);
        self.report.add("machine", "this machine", lines);
    }

    /// The stored session, where it may be used.
    fn session(&mut self) -> Result<Option<(Arc<Service>, SystemClock)>, SignInError> {
        if !self.config.sync.state_directory.exists() {
            return Err(SignInError::NotSignedIn);
        }
        let clock = SystemClock::new(Arc::clone(&self.stop));
        let service = match service(&self.config, &clock) {
            Ok(service) => service,
            Err(AppError::SignIn(error)) => return Err(error),
            Err(error) => {
                self.report.leave_out("the state directory cannot be used", error.exit_code());
                return Ok(None);
            }
        };
        let state = service.account().state();
        // No password is proven for a diagnosis.
        service.account().set_password(None);
        let now = jiff::Timestamp::now().as_second();
        self.report.add("session", "session", account::session_lines(&state, now));
        if let Some(left) = state.back_off {
            return Err(SignInError::Throttled { left });
        }
        if let Some(kind) = state.needs_code {
            return Err(SignInError::CodeNeeded { kind });
        }
        if !state.signed_in {
            return Err(SignInError::NotSignedIn);
        }
        Ok(Some((service, clock)))
    }

    fn service(&mut self, service: &Arc<Service>, clock: &SystemClock, probe_writes: bool) {
        let most = if probe_writes { MOST_WITH_WRITES } else { MOST_REQUESTS };
        let asker = Arc::new(Asker::new(Arc::clone(service), Arc::clone(&self.stop), most));
        match self.facts(&asker) {
            Ok(facts) => self.drive(&asker, clock, &facts, probe_writes),
            Err(error) => {
                let exit = AppError::SignIn(error.clone()).exit_code();
                self.report.leave_out(sentence(&error), exit);
            }
        }
        let (latencies, clocks) = asker.notes();
        let mut lines = latencies.lines();
        lines.extend(account::clock_line(&clocks));
        self.report.add("latency", "how long calls take", lines);
        self.report.requests = asker.made();
        if let Some(left) = service.account().rest_left() {
            let line =
                format!("the rest was not asked, for iCloud asked to be left alone {}", throttle::told(left));
            self.report.leave_out(line, ExitCode::Service);
        }
        if let Err(error) = service.account().flush() {
            log::debug!("{error}");
        }
    }

    /// What the service says of the account; a session that it does not accept is made anew from the same sign-in, once.
    fn facts(&mut self, asker: &Asker) -> Result<AccountFacts, SignInError> {
        self.next("the account");
        let account = asker.service().account();
        let stopped = |_| SignInError::Stopped(Stopped);
        let ask = || {
            asker.admit().map_err(stopped)?;
            asker.timed("validate", || account.facts(), |facts| matches!(facts, Ok(Some(_))))
        };
        let facts = match ask()? {
            Some(facts) => facts,
            None => {
                asker.service().renew_session()?;
                ask()?.ok_or(SignInError::SessionRefused { status: 401 })?
            }
        };
        asker.note_date(facts.date);
        let lines = account::account_lines(self.config.account.region.as_str(), &facts);
        self.report.add("account", "account", lines);
        Ok(facts)
    }

    fn drive(&mut self, asker: &Arc<Asker>, clock: &SystemClock, facts: &AccountFacts, probe_writes: bool) {
        let tell = |what: &str| self.next(what);
        let seen = walk::walk(asker, &tell);
        let (latencies, _) = asker.notes();
        self.report.add("listings", "listings", judge::listing_lines(&seen, &latencies));
        self.report.add("items", "items", judge::item_lines(&seen));
        if seen.root.held.is_none() {
            let why = format!("the Drive could not be looked at: its root is {}", seen.root.said);
            self.report.leave_out(why, ExitCode::Service);
            return;
        }
        self.next("ids that are not alive");
        let lines = contents::look_up_lines(asker, &seen);
        self.report.add("look_ups", "look-ups of ids that are not alive", lines);
        self.next("how contents come");
        self.report.add("contents", "contents", contents::content_lines(asker, clock, &seen));
        self.next("the change feed and the push channel");
        self.report.add("feed", "change feed and push", feed::lines(asker, facts));
        if probe_writes && !asker.is_stopped() {
            self.writes(asker, clock, facts);
        }
    }

    fn writes(&mut self, asker: &Arc<Asker>, clock: &SystemClock, facts: &AccountFacts) {
        let remote = ICloudDrive::new(Arc::clone(asker) as _, write_options(), Arc::new(clock.clone()));
        let notebook = Notebook::new(&self.config.sync.state_directory);
        if let Some(note) = notebook.read() {
            self.next("what an earlier diagnosis left");
            self.holds(Some(&note.name));
            self.put_away(asker, &notebook, &note);
        }
        if asker.is_stopped() {
            return;
        }
        let name = home::new_name(&random_hex::<4>(&SystemChance));
        self.next("a folder of our own");
        self.holds(Some(&name));
        let mut lines = Vec::new();
        match home::make(&remote, &notebook, &name) {
            Ok(home) => {
                let writes = Writes { asker, remote: &remote, facts, home: &home };
                for (what, step) in steps() {
                    if asker.is_stopped() {
                        break;
                    }
                    self.next(what);
                    lines.extend(step(&writes));
                }
            }
            Err(error) => {
                let why = format!("writing could not be tried: {}", written::words(&error));
                self.report.leave_out(why, ExitCode::Service);
            }
        }
        if let Some(note) = notebook.read() {
            self.next("the trash, where the folder goes");
            self.put_away(asker, &notebook, &note);
        }
        self.report.add("writes", "writing, in a folder of our own", lines);
    }

    fn put_away(&mut self, asker: &Arc<Asker>, notebook: &Notebook, note: &Note) {
        asker.clean_up(true);
        // Whoever tells the program to stop wants this done all the same.
        let clock = SystemClock::new(Arc::default());
        let remote = ICloudDrive::new(Arc::clone(asker) as _, write_options(), Arc::new(clock));
        let ended = home::put_away(&remote, notebook, note);
        asker.clean_up(false);
        match ended {
            Ok(()) => self.holds(None),
            Err(error) => {
                let why = format!(
                    "the folder \"{}\" could not be put away ({}): run this again, which tries it anew, or delete it in iCloud Drive",
                    note.name,
                    written::words(&error)
                );
                self.report.add(
                    "left",
                    "left in the drive",
                    vec![Line::new("folder", note.name.clone(), why.clone())],
                );
                self.report.leave_out(why, ExitCode::Service);
            }
        }
    }
}

fn write_options() -> DriveOptions {
    DriveOptions { max_workers: 1, patience: Some(Duration::from_secs(20)), ..DriveOptions::default() }
}

/// Why the service was not asked, and what to do, without the service's own words.
fn sentence(error: &SignInError) -> String {
    let what = match error {
        SignInError::NotSignedIn | SignInError::MissingPassword => {
            return "nobody is signed in here: run `icloudds login`, then this again".to_owned();
        }
        SignInError::Throttled { .. } => return format!("{error}; run this again then"),
        SignInError::Network(_) => "iCloud could not be reached".to_owned(),
        SignInError::Service { step, status, .. } | SignInError::Refused { step, status, .. } => {
            format!("iCloud failed ({step}, HTTP {status})")
        }
        SignInError::WrongRegion { .. } => "the account belongs to another region".to_owned(),
        SignInError::SessionFile { .. } => "the session cannot be read or written".to_owned(),
        error => error.to_string(),
    };
    match error.advice() {
        advice if advice.is_empty() => what,
        advice => format!("{what}: {advice}"),
    }
}
