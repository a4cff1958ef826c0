//! What a failure means: which side it keeps from syncing, what state that is, and when it is tried again.

use std::time::{Duration, Instant};

use super::main_loop::Loop;
use super::roots::SideProblem;
use crate::app::AppError;
use crate::app::told::state_here;
use crate::engine::pass::PassError;
use crate::engine::ports::{Clock as _, RemoteError};
use crate::exit::ExitCode;
use crate::model::Side;
use crate::status::DaemonState;

/// How often an account is asked again when only a person can cure it elsewhere (terms, web access).
const ACCOUNT_LOOK: Duration = Duration::from_secs(60 * 60);

/// What a failure of iCloud, or of reaching it, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RemoteFailure {
    /// This program stops: nothing failed.
    Stopped,
    NeedsCode,
    NeedsPassword,
    /// The folder is missing, or another one's.
    Missing,
    /// Signing in is refused until a person does something elsewhere.
    Refused,
    /// Nobody answers, or the service wants to be left alone, for that long where it says so.
    Away(Option<Duration>),
}

/// iCloud's word in an error, where it is one.
fn of_icloud(error: &AppError) -> Option<&RemoteError> {
    match error {
        AppError::Remote(error) | AppError::Pass(PassError::Remote(error)) => Some(error),
        _ => None,
    }
}

impl RemoteFailure {
    /// What `error` says; `rest` is how long the service wants to be left alone by its last answers.
    fn of(error: &AppError, rest: Option<Duration>) -> Self {
        match (error, error.exit_code()) {
            _ if matches!(of_icloud(error), Some(RemoteError::Stopped)) => Self::Stopped,
            (_, ExitCode::SecondFactor) => Self::NeedsCode,
            (_, ExitCode::Missing | ExitCode::SignIn) => Self::NeedsPassword,
            (AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_), _) => Self::Missing,
            (AppError::SignIn(error), _) if !error.is_transient() => Self::Refused,
            _ => Self::Away(match of_icloud(error) {
                Some(RemoteError::Account { .. }) => Some(ACCOUNT_LOOK),
                Some(RemoteError::Busy { retry_after, .. }) => *retry_after,
                _ => rest,
            }),
        }
    }

    fn state(self) -> DaemonState {
        match self {
            Self::NeedsCode => DaemonState::NeedsCode,
            Self::NeedsPassword => DaemonState::NeedsPassword,
            Self::Missing => DaemonState::WrongFolder,
            Self::Refused | Self::Away(_) | Self::Stopped => DaemonState::Offline,
        }
    }
}

/// Whether the handle of the local root may lead to what was there before.
fn loses_root(error: &AppError) -> bool {
    matches!(error, AppError::Pass(PassError::WrongFolder(_)) | AppError::Foreign(_) | AppError::Drive(_))
}

impl Loop {
    /// Signing in, finding the folder on iCloud, a look at it, or a pass that needed it failed.
    pub(super) fn remote_failed(&mut self, error: &AppError, now: Instant) {
        let failure = RemoteFailure::of(error, self.remote.rest());
        if failure == RemoteFailure::Stopped {
            return;
        }
        self.remote.is_doubtful();
        self.work.give_up();
        let chance = self.ports.clock.unit_random();
        let wait = match failure {
            RemoteFailure::NeedsCode | RemoteFailure::NeedsPassword | RemoteFailure::Stopped => {
                self.remote.waits_for_person(now);
                None
            }
            RemoteFailure::Missing => Some(self.remote.is_missing(chance, now)),
            RemoteFailure::Refused => Some(self.remote.is_refused(ACCOUNT_LOOK, chance, now)),
            RemoteFailure::Away(asked) => {
                let asked = self.ports.service.account().rest_left().or(asked);
                Some(self.remote.is_away(asked, chance, now))
            }
        };
        self.tell_failure(Side::Remote, error, failure.state(), wait);
    }

    /// The local root, its disk, or the store failed.
    pub(super) fn local_failed(&mut self, error: &AppError, now: Instant) {
        let wait = if loses_root(error) {
            self.engine.forget_local_view();
            self.local.lost(now)
        } else {
            self.local.failed(self.ports.clock.unit_random(), now)
        };
        self.tell_failure(Side::Local, error, state_here(error), Some(wait));
    }

    /// Names the failure, and when it is tried again.
    fn tell_failure(&mut self, side: Side, error: &AppError, state: DaemonState, wait: Option<Duration>) {
        if self.requests.stopping_since().is_some() {
            log::debug!("cut short: {error}");
            return;
        }
        let advice = error.advice();
        let text = if advice.is_empty() { error.to_string() } else { format!("{error}: {advice}") };
        let problem = match side {
            Side::Local => self.local.problem_mut(),
            Side::Remote => self.remote.problem_mut(),
        };
        let before = std::mem::replace(problem, SideProblem { state: Some(state), said: text.clone() });
        // How the right folder is missing, or iCloud does not answer, may change with each try; that it is so is told once.
        let lasts = matches!(state, DaemonState::Offline | DaemonState::WrongFolder);
        let known = before.state == Some(state) && (lasts || before.said == text);
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
        let seconds = |wait: Duration| i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
        let now = self.ports.clock.now().whole_seconds();
        self.status.failed(text, wait.map(|wait| now + seconds(wait)));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;
    use crate::engine::ports::{DiskError, StoreError};
    use crate::icloud::signin::error::SignInError;
    use crate::model::RelPath;

    fn io_error(kind: io::ErrorKind) -> DiskError {
        DiskError::Io { what: "write", path: RelPath::root(), source: kind.into() }
    }

    fn out_of_files() -> DiskError {
        let source = rustix::io::Errno::MFILE.into();
        DiskError::Io { what: "read", path: RelPath::root(), source }
    }

    #[test]
    fn a_failure_of_icloud_says_who_is_needed_or_how_long_to_wait() {
        use RemoteFailure as F;
        let (second, rest) = (Duration::from_secs(1), Some(Duration::from_secs(7)));
        let busy =
            |retry_after| AppError::Remote(RemoteError::Busy { message: "busy".to_owned(), retry_after });
        let unreachable = || RemoteError::Unreachable("no route".to_owned());
        for (error, failure, state) in [
            (AppError::Remote(RemoteError::Stopped), F::Stopped, "offline"),
            (AppError::Pass(PassError::Remote(RemoteError::Stopped)), F::Stopped, "offline"),
            (AppError::SignIn(SignInError::CodeExpired), F::NeedsCode, "needs-code"),
            (AppError::SignIn(SignInError::MissingPassword), F::NeedsPassword, "needs-password"),
            (AppError::SignIn(SignInError::RejectedBefore), F::NeedsPassword, "needs-password"),
            (AppError::SignIn(SignInError::Terms), F::Refused, "offline"),
            (AppError::SignIn(SignInError::Throttled { left: second }), F::Away(rest), "offline"),
            (AppError::Foreign("another one".to_owned()), F::Missing, "wrong-folder"),
            (AppError::Pass(PassError::WrongFolder("gone".to_owned())), F::Missing, "wrong-folder"),
            (AppError::Remote(unreachable()), F::Away(rest), "offline"),
            (AppError::Pass(PassError::Remote(unreachable())), F::Away(rest), "offline"),
            (busy(Some(second)), F::Away(Some(second)), "offline"),
            (busy(None), F::Away(None), "offline"),
        ] {
            let found = RemoteFailure::of(&error, rest);
            assert_eq!((found, found.state().as_str()), (failure, state), "{error}");
        }
    }

    #[test]
    fn only_what_says_that_the_folder_is_another_one_lets_it_go() {
        let missing = || AppError::Drive(crate::disk::OpenError::Missing(PathBuf::from("/d")));
        assert!(loses_root(&missing()) && loses_root(&AppError::Foreign("another one".to_owned())));
        assert!(loses_root(&AppError::Pass(PassError::WrongFolder("gone".to_owned()))));
        assert!(!loses_root(&AppError::Disk(out_of_files())));
        assert!(!loses_root(&AppError::Store(StoreError::Full("no space".to_owned()))));
    }

    #[test]
    fn only_a_full_disk_is_told_to_be_full() {
        let full = || DiskError::Full { path: RelPath::root() };
        let state_full = || crate::store::OpenError::Full {
            path: PathBuf::from("/s/state.redb"),
            why: "no space".to_owned(),
            room: 1,
        };
        for (error, state) in [
            (AppError::Disk(full()), DaemonState::DiskFull),
            (AppError::Pass(full().into()), DaemonState::DiskFull),
            (AppError::Store(StoreError::Full("no space".to_owned())), DaemonState::DiskFull),
            (AppError::State(state_full()), DaemonState::DiskFull),
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
