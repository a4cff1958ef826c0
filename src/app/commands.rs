//! The commands that need no daemon.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::AppError;
use super::open::{Opened, StateDir, check_user, conflict_mark, service};
use super::purpose::Purpose;
use super::typed_path::typed_path;
use crate::clock::{Stop, SystemClock};
use crate::config::Config;
use crate::control::Held;
use crate::disk::{self, LocalDisk};
use crate::engine::pass::{Look, PassOptions};
use crate::exit::ExitCode;
use crate::icloud::signin::interactive::login_here;
use crate::model::filter::FilterMatch;
use crate::model::plain::{plain, plain_json};
use crate::model::state::Verdict;
use crate::model::{Change, Presence, RelPath, State};
use crate::status::text::bytes;
use crate::store;

/// `login`: signs in interactively and stores the session; with `now` also while iCloud asks to be left alone.
///
/// # Errors
///
/// [`AppError::SignIn`].
pub fn login(config: &Config, now: bool, stop: Arc<Stop>) -> Result<ExitCode, AppError> {
    check_user(&config.sync.state_directory, false)?;
    let clock = SystemClock::new(stop);
    let service = service(config, &clock)?;
    if now {
        service.account().end_rest()?;
    }
    login_here(&service)?;
    service.account().flush()?;
    Ok(ExitCode::Success)
}

/// `logout`: forgets the session and tokens on this machine.
///
/// # Errors
///
/// [`AppError::SignIn`] when the file cannot be written.
pub fn logout(config: &Config) -> Result<(ExitCode, String), AppError> {
    check_user(&config.sync.state_directory, false)?;
    let clock = SystemClock::new(Arc::<Stop>::default());
    service(config, &clock)?.account().logout()?;
    Ok((ExitCode::Success, "the session on this machine is forgotten\n".to_owned()))
}

/// `reset-state`: forgets the base; a later start is a first run, in which nothing is deleted.
///
/// # Errors
///
/// [`AppError::Locked`] beside a running instance.
pub fn reset_state(config: &Config) -> Result<(ExitCode, String), AppError> {
    let directory = &config.sync.state_directory;
    if !directory.exists() {
        return Ok((ExitCode::Success, format!("there is no sync state in {}\n", directory.display())));
    }
    check_user(directory, false)?;
    let _lock = disk::lock_state(directory)?;
    store::reset(&directory.join("state.redb"))?;
    Ok((
        ExitCode::Success,
        "the sync state is forgotten; the next start is a first run and deletes nothing\n".to_owned(),
    ))
}

/// `plan`: what a pass would do and why. Changes nothing on either side.
///
/// # Errors
///
/// [`AppError`] when a side cannot be looked at.
pub fn plan(
    config: Config,
    zone: TimeZone,
    stop: Arc<Stop>,
    json: bool,
) -> Result<(ExitCode, String), AppError> {
    let mut opened = Opened::open(config, zone, stop, Purpose::Look)?;
    let mark = conflict_mark(&opened.zone);
    let options = PassOptions { ignore_next_try: true, ..PassOptions::new(&mark) };
    let (engine, ports, settings) = opened.parts();
    engine.look(&ports, settings, &Look::whole())?;
    let planned = engine.plan(&ports, settings, &options);
    let text = plan_text(&planned.plan, json);
    Ok((ExitCode::Success, text))
}

/// A plan for people, or as JSON.
pub fn plan_text(plan: &crate::engine::operation::Plan, json: bool) -> String {
    let mut told = plan.told();
    if json {
        let text =
            serde_json::to_string_pretty(&told).expect("lines of text have no key that JSON cannot hold");
        return format!("{}\n", plain_json(&text));
    }
    // What only the stored state learns is no news for people; programs get it with `--json`.
    told.operations.retain(|line| line.side != "state" || matches!(line.verb, "compare" | "settle conflict"));
    if told.operations.is_empty() && told.notes.is_empty() {
        return "nothing to do\n".to_owned();
    }
    told.to_string()
}

/// The deletions that the stored state holds.
///
/// # Errors
///
/// [`AppError::Locked`] beside a running instance, which is asked instead.
pub fn held(config: &Config) -> Result<Held, AppError> {
    let state_dir = StateDir::open(config)?;
    let guard = &state_dir.engine.state().guard;
    Ok(Held { deletions: guard.held.clone(), ..Held::of(guard, 0) })
}

/// `approve` without a daemon: the decision on the list of that name is stored, and the next pass carries it out.
///
/// # Errors
///
/// [`AppError::Locked`] beside a running instance, and when another list is held by now.
pub fn approve(config: &Config, reject: bool, list: &str) -> Result<String, AppError> {
    let mut state_dir = StateDir::open(config)?;
    let mut guard = state_dir.engine.state().guard.clone();
    if guard.list_name() != list {
        return Err(AppError::Refused {
            message:
                "what is held has changed since it was shown, so nothing was decided; look at it again with \
                      `icloudds approve`"
                    .to_owned(),
            exit: ExitCode::Unfinished,
        });
    }
    let shown = guard.held.clone();
    guard.decide(if reject { Verdict::Rejected } else { Verdict::Approved }, &shown);
    state_dir.engine.commit(&[Change::Guard(guard)])?;
    Ok(if reject {
        "rejected: the next pass restores them\n".to_owned()
    } else {
        "approved: the next pass carries them out\n".to_owned()
    })
}

/// `why PATH` from the stored state.
///
/// # Errors
///
/// [`AppError`] when the state cannot be read.
pub fn why(config: &Config, path: &RelPath) -> Result<String, AppError> {
    let state_dir = StateDir::open(config)?;
    Ok(why_text(config, state_dir.engine.state(), path))
}

/// What the stored state and the filter say of one path.
pub fn why_text(config: &Config, state: &State, path: &RelPath) -> String {
    let mut text = format!("{}\n", plain(&path.to_string()));
    let filter = match config.sync.filter.verdict(path.as_str()) {
        FilterMatch::TakesPart { include: None } => "takes part: no ignore expression matches".to_owned(),
        FilterMatch::TakesPart { include: Some(expression) } => {
            format!("takes part: include {expression:?} matches")
        }
        FilterMatch::BuiltIn { expression } => format!("ignored by the built-in {expression:?}"),
        FilterMatch::Ignored { expression } => format!("ignored by {expression:?}"),
        FilterMatch::NotIncluded => "does not take part: no include expression matches".to_owned(),
    };
    let _ = writeln!(text, "  filter     {filter}");
    match state.base.find(path) {
        Some(node) => {
            let entry = state.base.get(node);
            let _ = writeln!(text, "  base       both sides agreed on it");
            let _ = writeln!(
                text,
                "  on iCloud  name {:?}, id {}, etag {}",
                entry.remote.name,
                plain(&entry.remote.id.to_string()),
                plain(entry.remote.etag.as_str())
            );
            if !entry.folder {
                let _ = writeln!(
                    text,
                    "  here       {} bytes, inode {}",
                    entry.local.stamp.size, entry.local.stamp.identity.inode
                );
            }
            match entry.presence {
                Presence::Both => {}
                Presence::LocalOnly => text.push_str(
                    "  kept here  deleted on iCloud, stays here for contents that do not take part\n",
                ),
                Presence::RemoteOnly => text.push_str(
                    "  kept there deleted here, stays on iCloud for contents that do not take part\n",
                ),
            }
        }
        None => text.push_str("  base       not known: never synced, or forgotten\n"),
    }
    if let Some(item) = state.set_aside.get(path) {
        let _ = writeln!(text, "  set aside  {} (tried {} times)", plain(&item.reason), item.attempts);
    }
    if state.local_only.contains(path) {
        text.push_str("  stays here a conflict copy that is never uploaded\n");
    }
    for held in state.guard.held.iter().filter(|held| held.path == path.as_str()) {
        let side = held.on.in_words();
        let _ = writeln!(text, "  held       its deletion {side} waits for `icloudds approve`");
    }
    text
}

/// `trash list`.
///
/// # Errors
///
/// When the drive's folder or its trash cannot be read.
pub fn trash_list(config: &Config, zone: &TimeZone) -> Result<(ExitCode, String), AppError> {
    let disk = LocalDisk::open(&config.sync.directory, disk::Options::default())?;
    let items = disk.list_trash()?;
    if items.is_empty() {
        return Ok((ExitCode::Success, "the local trash is empty\n".to_owned()));
    }
    let mut text = format!("{:<19}  {:>8}  PATH\n", "WHEN", "SIZE");
    for item in items {
        let when = item.when.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let _ = writeln!(
            text,
            "{when}  {:>8}  {}",
            bytes(item.size).replace(".0 ", " "),
            plain(&item.path.to_string())
        );
    }
    Ok((ExitCode::Success, text))
}

/// `trash restore PATH`: brings the newest version back, beside what is there now.
///
/// # Errors
///
/// When there is none, or the disk refuses.
pub fn trash_restore(config: &Config, path: &OsStr) -> Result<(ExitCode, String), AppError> {
    let path = typed_path(&config.sync.directory, path)?;
    check_user(&config.sync.state_directory, true)?;
    let disk =
        LocalDisk::open(&config.sync.directory, disk::Options { writes: true, ..disk::Options::default() })?;
    if !disk.list_trash()?.iter().any(|item| item.path == path) {
        return Err(AppError::Refused {
            message: format!(
                "the local trash holds no version of {path}: `icloudds trash list` shows what it holds"
            ),
            exit: ExitCode::Configuration,
        });
    }
    let to = disk.restore(&path, None)?;
    Ok((ExitCode::Success, format!("restored as {}\n", plain(&to.to_string()))))
}
