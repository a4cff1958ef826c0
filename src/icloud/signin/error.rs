//! Why there is no signed-in session, with the exit code and what to do about it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::exit::ExitCode;
use crate::icloud::http::HttpError;
use crate::icloud::options::RootError;
use crate::model::AccountProblem;
use crate::model::Stopped;

/// Which kind of second factor an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FactorKind {
    /// Two-factor authentication (`hsa2`): six digits, trusted devices and phones.
    TwoFactor,
    /// Two-step verification of old accounts: four digits, listed devices.
    TwoStep,
    /// Security keys, which this client cannot use (`docs/protocol.md` §4.6).
    SecurityKey,
}

/// A failure of signing in. `Display` is one plain sentence without a full stop;
/// [`SignInError::advice`] says what to do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SignInError {
    /// `account.username` is empty.
    #[error("account.username is not set")]
    MissingUsername,
    /// There is no session to go on with, and no password to start a new one.
    #[error("a password is needed to sign in, and none was given")]
    MissingPassword,
    /// A service root of the configuration cannot be used.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The proof was refused: name or password wrong.
    #[error("iCloud refused the username or the password: {message}")]
    WrongPassword {
        /// The service's own words.
        message: String,
    },
    /// The same password was refused before and is not tried again unattended.
    #[error("this password was refused by iCloud before and is not tried again")]
    RejectedBefore,
    /// The account is locked (`-20209`).
    #[error("Apple has locked this account for security reasons: {message}")]
    Locked {
        /// The service's own words.
        message: String,
    },
    /// Refused for a reason that only the service knows.
    #[error("iCloud refused the sign-in ({step}, HTTP {status}): {message}")]
    Refused {
        /// The step of the sign-in.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// The service's own words.
        message: String,
    },
    /// Throttled; nothing is sent until the wait is over, also after a restart.
    #[error("iCloud asks for fewer requests; none is sent {}", crate::icloud::throttle::told(*.left))]
    Throttled {
        /// The time left.
        left: Duration,
    },
    /// The account belongs to the other region.
    #[error("this account belongs to {domain}, not to the region \"{configured}\"")]
    WrongRegion {
        /// The domain that the service named, or `another region`.
        domain: String,
        /// The configured region.
        configured: &'static str,
        /// The region to set, when known.
        region: Option<&'static str>,
    },
    /// New terms must be accepted by a person (`docs/protocol.md` §6.4).
    #[error("Apple's new terms and conditions must be accepted first")]
    Terms,
    /// The account's Drive cannot be reached over the web (`docs/protocol.md` §3.6).
    #[error("this account offers no iCloud Drive on the web")]
    NoDrive,
    /// The account wants to be finished or repaired in a browser (HTTP 412).
    #[error("Apple wants something about this account to be completed first")]
    Repair,
    /// Access to iCloud data on the web is off for this account.
    #[error("access to iCloud data on the web is switched off for this account")]
    WebAccessOff,
    /// Advanced Data Protection: the keys for web access were not released.
    #[error("iCloud did not release the encrypted data: {reason}")]
    WebAccess {
        /// What was refused or did not come.
        reason: &'static str,
    },
    /// A second factor is needed and nobody gave it yet.
    #[error("a {} is needed", code_name(*.kind))]
    CodeNeeded {
        /// Its kind.
        kind: FactorKind,
    },
    /// Nothing waits for a code.
    #[error("no sign-in is waiting for a code")]
    NoCodeExpected,
    /// The half-open sign-in ended before the code came; a new one was started.
    #[error("the sign-in had expired before the code came, and a new one was started")]
    CodeExpired,
    /// The account uses security keys.
    #[error("this account wants a security key, which icloudds cannot ask for")]
    SecurityKeys,
    /// A code could not be sent.
    #[error("the code could not be sent: {message}")]
    CodeNotSent {
        /// The service's own words, or what is wrong with the choice.
        message: String,
    },
    /// The code was wrong, or is not one.
    #[error("wrong code: {message}")]
    WrongCode {
        /// The kind of code.
        kind: FactorKind,
        /// The service's own words.
        message: String,
    },
    /// Too many codes were sent or tried.
    #[error("Apple accepts no more codes for now")]
    CodesLocked {
        /// Whether it happened while asking for one, not while giving one.
        sending: bool,
    },
    /// The code was accepted, but the session still is not trusted.
    #[error("iCloud took the code but does not trust this session")]
    NotTrusted,
    /// A session from elsewhere was not taken.
    #[error("the session was not taken: {reason}")]
    Import {
        /// Why, without a word of it.
        reason: String,
    },
    /// There is no session to give.
    #[error("nobody is signed in here")]
    NotSignedIn,
    /// The service failed, or answered what no rule covers.
    #[error("iCloud failed ({step}, HTTP {status}): {message}")]
    Service {
        /// The step of the sign-in.
        step: &'static str,
        /// The HTTP status.
        status: u16,
        /// The service's own words, shortened.
        message: String,
    },
    /// An answer cannot be read: not JSON, or members missing.
    #[error("iCloud's answer cannot be understood ({step}): {reason}")]
    Unreadable {
        /// The step of the sign-in.
        step: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The drive calls keep being refused although signing in works.
    #[error("iCloud refuses the session although signing in succeeded (HTTP {status})")]
    SessionRefused {
        /// The HTTP status of the last refusal.
        status: u16,
    },
    /// No exchange took place.
    #[error(transparent)]
    Network(Arc<HttpError>),
    /// `session.json` cannot be read or written.
    #[error("cannot {action} {path}: {reason}")]
    SessionFile {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The dialogue ended before it was answered.
    #[error("no answer was given: {reason}")]
    NoAnswer {
        /// What ended.
        reason: String,
    },
    /// The program is stopping.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl From<HttpError> for SignInError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Resting { left } => Self::Throttled { left },
            error => Self::Network(Arc::new(error)),
        }
    }
}

impl SignInError {
    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::CodeNotSent { .. } | Self::CodesLocked { sending: true } => ExitCode::CodeNotSent,
            Self::WrongCode { kind: FactorKind::TwoStep, .. } => ExitCode::TwoStepCode,
            Self::WrongCode { .. } | Self::CodesLocked { sending: false } | Self::NotTrusted => {
                ExitCode::TwoFactorCode
            }
            _ => self.problem().into(),
        }
    }

    /// What the account needs first.
    pub fn problem(&self) -> AccountProblem {
        match self {
            Self::Root(_) => AccountProblem::Configuration,
            Self::MissingUsername | Self::MissingPassword | Self::NotSignedIn => AccountProblem::Credentials,
            Self::WrongPassword { .. }
            | Self::RejectedBefore
            | Self::Import { .. }
            | Self::Locked { .. }
            | Self::Refused { .. } => AccountProblem::SignIn,
            Self::Throttled { .. }
            | Self::WrongRegion { .. }
            | Self::Terms
            | Self::NoDrive
            | Self::Repair
            | Self::WebAccessOff
            | Self::WebAccess { .. }
            | Self::Service { .. }
            | Self::Unreadable { .. }
            | Self::SessionRefused { .. } => AccountProblem::Drive,
            Self::Network(error) => match **error {
                HttpError::CaFile { .. } => AccountProblem::Configuration,
                _ => AccountProblem::Drive,
            },
            Self::CodeNeeded { .. }
            | Self::CodeExpired
            | Self::SecurityKeys
            | Self::NoCodeExpected
            | Self::NoAnswer { .. }
            | Self::CodeNotSent { .. }
            | Self::CodesLocked { .. }
            | Self::WrongCode { .. }
            | Self::NotTrusted => AccountProblem::SecondFactor,
            Self::SessionFile { .. } | Self::Stopped(_) => AccountProblem::Machine,
        }
    }

    /// What the person should do, as one plain sentence; empty when nothing can be done.
    pub fn advice(&self) -> String {
        match self {
            Self::MissingUsername => "set account.username, or ICLOUDDS_ACCOUNT__USERNAME".to_owned(),
            Self::MissingPassword => "run `icloudds login`, or set account.password_file".to_owned(),
            Self::Root(_) => "correct this key, or remove it to use Apple's own address".to_owned(),
            Self::WrongPassword { .. } => {
                "check account.username and the password (the Apple Account's own, not an app-specific one), then run `icloudds login`".to_owned()
            }
            Self::RejectedBefore => "change the password in the configuration, or run `icloudds login`".to_owned(),
            Self::Locked { .. } => "unlock the account at iforgot.apple.com, then run `icloudds login`".to_owned(),
            Self::Refused { step: "signin/complete", status: 403, .. } => {
                "check account.username, which iCloud may not know, and sign in at icloud.com to see whether the account is locked; then run `icloudds login`".to_owned()
            }
            Self::Refused { .. } => "sign in at icloud.com to see what Apple wants, wait an hour, then run `icloudds login`".to_owned(),
            Self::Throttled { .. } => {
                "wait: trying more often makes it longer (`icloudds login --now` tries all the same)".to_owned()
            }
            Self::WrongRegion { region: Some(region), .. } => format!("set account.region = \"{region}\""),
            Self::WrongRegion { region: None, .. } => "set account.region to the other region".to_owned(),
            Self::Terms => "sign in at icloud.com in a browser and accept them there".to_owned(),
            Self::NoDrive => {
                "open icloud.com once and finish setting up iCloud Drive; in the device's settings, 'Access iCloud Data on the Web' must be on".to_owned()
            }
            Self::Repair => "sign in at icloud.com in a browser and finish what it asks for".to_owned(),
            Self::WebAccessOff => {
                "turn on 'Access iCloud Data on the Web' in the iCloud settings of a device".to_owned()
            }
            Self::WebAccess { .. } => {
                "turn on 'Access iCloud Data on the Web' in the iCloud settings of a device, and allow the request that it shows".to_owned()
            }
            Self::CodeNeeded { kind: FactorKind::TwoStep } => {
                "run `icloudds login`, or `icloudds code --send sms N` and then `icloudds code CODE`".to_owned()
            }
            Self::CodeNeeded { .. } => "run `icloudds login`, or `icloudds code --send` and then `icloudds code CODE`".to_owned(),
            Self::NoCodeExpected => "`icloudds status` tells what is needed, if anything is".to_owned(),
            Self::CodeExpired => "ask for a new code with `icloudds code --send`".to_owned(),
            Self::SecurityKeys => {
                "sign in at icloud.com in a browser with the key and \"Keep me signed in\", and take that session with `icloudds login --import-session FILE`; the security keys stay as they are".to_owned()
            }
            Self::CodeNotSent { .. } => "choose another way, for example `icloudds code --send sms`".to_owned(),
            Self::WrongCode { .. } => "use the newest one, sent the way you chose".to_owned(),
            Self::CodesLocked { .. } => "wait some hours before the next try".to_owned(),
            Self::NotTrusted => "run `icloudds login` and use a new code".to_owned(),
            Self::Import { .. } => {
                "sign in at icloud.com in a browser with \"Keep me signed in\", and take its cookies anew".to_owned()
            }
            Self::NotSignedIn => "run `icloudds login` first".to_owned(),
            Self::Service { .. } | Self::Unreadable { .. } => "try again later".to_owned(),
            Self::SessionRefused { .. } => {
                "open icloud.com once in a browser; if iCloud Drive works there, run `icloudds logout` and `icloudds login`".to_owned()
            }
            Self::Network(_) => String::new(),
            Self::SessionFile { .. } => "check that sync.state_directory belongs to this user and has free space".to_owned(),
            Self::NoAnswer { .. } => "run `icloudds login` on a terminal, or pipe in one answer a line".to_owned(),
            Self::Stopped(_) => String::new(),
        }
    }

    /// Whether the same attempt may succeed by itself later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network(error) => error.is_transient(),
            Self::Throttled { .. }
            | Self::Service { .. }
            | Self::Unreadable { .. }
            | Self::SessionRefused { .. } => true,
            _ => false,
        }
    }

    /// Whether a person must give a second factor.
    pub fn needs_code(&self) -> bool {
        matches!(self, Self::CodeNeeded { .. } | Self::CodeExpired)
    }

    /// Whether a person must give a password.
    pub fn needs_password(&self) -> bool {
        matches!(self, Self::MissingPassword | Self::WrongPassword { .. } | Self::RejectedBefore)
    }
}

fn code_name(kind: FactorKind) -> &'static str {
    match kind {
        FactorKind::TwoFactor => "two-factor code",
        FactorKind::TwoStep => "two-step code",
        FactorKind::SecurityKey => "security key",
    }
}
