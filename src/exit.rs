//! The program's exit codes, fixed by `docs/contract.md`, "Exit codes".

use crate::model::AccountProblem;

/// With which code the program ends, and what scripts may conclude from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done; for `once`: in sync.
    Success = 0,
    /// Another instance is running; for `health`: unhealthy.
    Busy = 1,
    /// An unexpected failure, a panic included.
    Unexpected = 2,
    /// The configuration or the command line is wrong.
    Configuration = 3,
    /// The local directory is missing, not a directory, not writable, or not the one of this state.
    LocalDirectory = 4,
    /// Something required is missing: user name or password.
    Missing = 5,
    /// Sign-in failed: wrong user name or password, or a locked account.
    SignIn = 6,
    /// The iCloud service failed or refused.
    Service = 7,
    /// A second factor is needed and nobody is there to give it.
    SecondFactor = 8,
    /// A code could not be sent.
    CodeNotSent = 9,
    /// The two-step code was wrong.
    TwoStepCode = 10,
    /// The two-factor code was wrong.
    TwoFactorCode = 11,
    /// `once` finished, but items are set aside or left for now, or deletions are held.
    Unfinished = 12,
    /// The command needs a running daemon and there is none.
    NoDaemon = 13,
    /// SIGHUP ended a command: its terminal was closed. 128 and the signal's number, as shells tell it.
    HungUp = 129,
    /// SIGINT ended a command.
    Interrupted = 130,
    /// SIGTERM ended a command.
    Terminated = 143,
}

impl ExitCode {
    /// The code of that number, `None` for one that the contract does not know.
    pub fn from_code(code: u8) -> Option<Self> {
        const ALL: [ExitCode; 17] = [
            ExitCode::Success,
            ExitCode::Busy,
            ExitCode::Unexpected,
            ExitCode::Configuration,
            ExitCode::LocalDirectory,
            ExitCode::Missing,
            ExitCode::SignIn,
            ExitCode::Service,
            ExitCode::SecondFactor,
            ExitCode::CodeNotSent,
            ExitCode::TwoStepCode,
            ExitCode::TwoFactorCode,
            ExitCode::Unfinished,
            ExitCode::NoDaemon,
            ExitCode::HungUp,
            ExitCode::Interrupted,
            ExitCode::Terminated,
        ];
        ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// The number that the caller sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<AccountProblem> for ExitCode {
    fn from(problem: AccountProblem) -> Self {
        match problem {
            AccountProblem::Credentials => Self::Missing,
            AccountProblem::SignIn => Self::SignIn,
            AccountProblem::SecondFactor => Self::SecondFactor,
            AccountProblem::Drive => Self::Service,
            AccountProblem::Configuration => Self::Configuration,
            AccountProblem::Machine => Self::Unexpected,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(exit: ExitCode) -> Self {
        Self::from(exit.code())
    }
}
