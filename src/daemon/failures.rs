//! What a failure means: which side it keeps from syncing, what state that is, and when it is tried again.

use std::time::{Duration, Instant};

use crossbeam::channel::never;

use super::events::SESSION_LOOK;
use super::main_loop::{Loop, SideProblem};
use crate::app::AppError;
use crate::app::told::state_here;
use crate::engine::pass::PassError;
use crate::engine::ports::{Clock as _, RemoteError};
use crate::exit::ExitCode;
use crate::status::DaemonState;

/// How often an account is asked again when only a person can cure it elsewhere (terms, web access).
const ACCOUNT_LOOK: Duration = Duration::from_secs(60 * 60);
/// How often a missing drive folder is looked for.
const FOLDER_LOOK: Duration = Duration::from_secs(5);

/// The two sides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Here,
    There,
}

/// iCloud's word in an error, where it is one.
fn of_icloud(error: &AppError) -> Option<&RemoteError> {
    match error {
        AppError::Remote(error) | AppError::Pass(PassError::Remote(error)) => Some(error),
        _ => None,
    }
}

impl Loop {
    /// Signing in, finding the folder on iCloud, a look at it, or a pass that needed it failed.
    pub(super) fn fail_there(&mut self, error: &AppError, now: Instant) {
        if matches!(of_icloud(error), Some(RemoteError::Stopped)) {
            return;
        }
        self.there_ok = false;
        self.asked = false;
        let chance = self.clock.unit_random();
        let (state, wait) = match (error, error.exit_code()) {
            (_, ExitCode::SecondFactor) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsCode, None)
            }
            (_, ExitCode::Missing | ExitCode::SignIn) => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::NeedsPassword, None)
            }
            (AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_), _) => {
                (DaemonState::WrongFolder, Some(self.schedule.missing_there(chance, now)))
            }
            (AppError::SignIn(error), _) if !error.is_transient() => {
                self.session_look = Some(now + SESSION_LOOK);
                (DaemonState::Offline, Some(self.schedule.failed_there(Some(ACCOUNT_LOOK), chance, now)))
            }
            _ => {
                self.away = true;
                let asked = match of_icloud(error) {
                    Some(RemoteError::Account { .. }) => Some(ACCOUNT_LOOK),
                    Some(RemoteError::Busy { retry_after, .. }) => *retry_after,
                    _ => self.there.as_ref().and_then(|there| there.remote.rest()),
                };
                let asked = self.service.account().rest_left().or(asked);
                (DaemonState::Offline, Some(self.schedule.failed_there(asked, chance, now)))
            }
        };
        self.tell_failure(At::There, error, state, wait);
    }

    /// The drive's folder, its disk, or the store failed.
    pub(super) fn fail_here(&mut self, error: &AppError, now: Instant) {
        let chance = self.clock.unit_random();
        let state = state_here(error);
        let wait = match error {
            AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_) | AppError::Drive(_) => {
                // The handle may lead to what was there before: everything is opened anew.
                self.here = None;
                self.drive = None;
                self.watcher = None;
                self.watch = never();
                self.watch_again = false;
                if let Some(engine) = self.engine.as_mut() {
                    engine.local = None;
                }
                self.schedule.here.not_before = Some(now + FOLDER_LOOK);
                FOLDER_LOOK
            }
            _ => self.schedule.failed_here(chance, now),
        };
        self.tell_failure(At::Here, error, state, Some(wait));
    }

    /// Names the failure, and when it is tried again.
    fn tell_failure(&mut self, at: At, error: &AppError, state: DaemonState, wait: Option<Duration>) {
        if self.stopping.is_some() {
            log::debug!("cut short: {error}");
            return;
        }
        let advice = error.advice();
        let text = if advice.is_empty() { error.to_string() } else { format!("{error}: {advice}") };
        let trouble = match at {
            At::Here => &mut self.local_problem,
            At::There => &mut self.remote_problem,
        };
        let before = std::mem::replace(trouble, SideProblem { state: Some(state), told: text.clone() });
        // How the right folder is missing, or iCloud does not answer, may change with each try; that it is so is told once.
        let lasts = matches!(state, DaemonState::Offline | DaemonState::WrongFolder);
        let known = before.state == Some(state) && (lasts || before.told == text);
        let needs_person = matches!(state, DaemonState::NeedsCode | DaemonState::NeedsPassword);
        let asks = needs_person && before.state != Some(state);
        match state {
            _ if known => log::debug!("{text}"),
            DaemonState::Offline => log::warn!("{text}"),
            _ => log::error!("{text}"),
        }
        if asks {
            self.ask_at_terminal();
        }
        self.tracker.failed(text.clone());
        // Whether both sides are equal is unknown until a pass ends well.
        self.tracker.last_pass_quiet = false;
        self.last_pass_failed = Some(text);
        self.tracker.next_try = wait
            .map(|wait| self.clock.now().whole_seconds() + i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::engine::ports::{DiskError, StoreError};
    use crate::model::RelPath;

    fn io_error(kind: io::ErrorKind) -> DiskError {
        DiskError::Io { what: "write", path: RelPath::root(), source: kind.into() }
    }

    fn out_of_files() -> DiskError {
        let source = rustix::io::Errno::MFILE.into();
        DiskError::Io { what: "read", path: RelPath::root(), source }
    }

    #[test]
    fn only_a_full_disk_is_told_to_be_full() {
        let full = || DiskError::Full { path: RelPath::root() };
        for (error, state) in [
            (AppError::Disk(full()), DaemonState::DiskFull),
            (AppError::Pass(full().into()), DaemonState::DiskFull),
            (AppError::Store(StoreError::Full("no space".to_owned())), DaemonState::DiskFull),
            (AppError::Store(StoreError::Failed("input/output error".to_owned())), DaemonState::WrongFolder),
            (AppError::Disk(io_error(io::ErrorKind::ReadOnlyFilesystem)), DaemonState::WrongFolder),
            (AppError::Pass(io_error(io::ErrorKind::PermissionDenied).into()), DaemonState::WrongFolder),
            (AppError::Drive(crate::disk::OpenError::Missing(PathBuf::from("/d"))), DaemonState::WrongFolder),
            (AppError::Foreign("another one".to_owned()), DaemonState::WrongFolder),
            // Out of descriptors: that is waited for, and is no word about the folder.
            (AppError::Disk(out_of_files()), DaemonState::Scanning),
            (AppError::Pass(out_of_files().into()), DaemonState::Scanning),
        ] {
            assert_eq!(state_here(&error), state, "{error}");
        }
    }
}
