//! The checked configuration: typed, and nothing in it can be wrong any more.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::template::Template;
use crate::model::filter::Filter;
use crate::model::policy::words;
pub use crate::model::policy::{ConflictPolicy, Mode, Packages, Region, Replacement};
use crate::secret::Secret;

words! {
    /// `sync.watch`.
    Watch {
        /// Watched where the file system can be, else polled.
        Auto = "auto",
        /// Scanned every `poll_period`.
        Poll = "poll",
        /// Local changes are seen in full passes only.
        Off = "off",
    }
}
words! {
    /// `sync.remote_watch`.
    RemoteWatch {
        /// By what the account offers: notifications, the change feed, else looks every `check_period`.
        Auto = "auto",
        /// By looks every `check_period` alone.
        Poll = "poll",
    }
}
words! {
    /// `sync.remote_delete`.
    RemoteDelete {
        /// To Recently Deleted.
        Trash = "trash",
        /// For good.
        Permanent = "permanent",
    }
}
words! {
    /// `log.format` and `log.file_format`.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

/// The configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who signs in.
    pub account: Account,
    /// What is synced, and how.
    pub sync: Sync,
    /// When deletions wait for a person.
    pub guard: Guard,
    /// The local trash.
    pub trash: Trash,
    /// Bandwidth and size.
    pub limits: Limits,
    /// What is said where.
    pub log: Log,
    /// The status page.
    pub web: Web,
    /// Whom to tell.
    pub notify: Notify,
    /// An extra trusted certificate authority, PEM; the file was readable.
    pub ca_file: Option<PathBuf>,
    /// The way out, if not direct.
    pub proxy: Option<Proxy>,
    /// Other roots of the service.
    pub icloud: Icloud,
}

/// Who signs in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's name, never empty.
    pub username: String,
    /// The password, from whichever source; `None` where there is none.
    pub password: Option<Secret>,
    /// Where the account lives.
    pub region: Region,
}

/// What is synced, and how.
#[derive(Clone, Debug)]
pub struct Sync {
    /// The local folder, absolute. Whether it exists is found out when it is opened.
    pub directory: PathBuf,
    /// The state directory, absolute, apart from `directory`, short enough for the socket.
    pub state_directory: PathBuf,
    /// The parts of the drive's path that `directory` mirrors; empty for the whole drive.
    pub remote_root: Vec<String>,
    /// In which directions.
    pub mode: Mode,
    /// What takes part.
    pub filter: Filter,
    /// Between looks at whether anything changed on iCloud.
    pub check_period: Duration,
    /// Between complete listings.
    pub refresh_period: Duration,
    /// Quiet time before a local change is acted upon.
    pub debounce_period: Duration,
    /// Listings and transfers in parallel, at least 1.
    pub max_workers: usize,
    /// Commits of new files that may overlap on iCloud, 1 to 8; `"auto"` is 8.
    pub parallel_writes: usize,
    /// How local changes are noticed.
    pub watch: Watch,
    /// Between local scans when polling.
    pub poll_period: Duration,
    /// How changes on iCloud are noticed.
    pub remote_watch: RemoteWatch,
    /// What happens to a file edited on both sides.
    pub conflict: ConflictPolicy,
    /// What a local deletion does on iCloud.
    pub remote_delete: RemoteDelete,
    /// How an edited file replaces the one on iCloud.
    pub remote_replace: Replacement,
    /// What happens to document packages.
    pub packages: Packages,
    /// App folders to sync too.
    pub app_libraries: Vec<String>,
}

/// When deletions wait for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// More deletions than this are held; `None` for no limit.
    pub max_deletes: Option<u64>,
    /// A larger share than this of the base is held; `None` for no limit.
    pub max_delete_percent: Option<u8>,
}

/// The local trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trash {
    /// How long a version is kept; `None` for ever.
    pub keep: Option<Duration>,
    /// Bytes beyond which the oldest go first; `None` for no limit.
    pub max_size: Option<u64>,
}

/// Bandwidth and size; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes per second up.
    pub upload_rate: Option<u64>,
    /// Bytes per second down.
    pub download_rate: Option<u64>,
    /// Bytes; larger files are left alone.
    pub max_file_size: Option<u64>,
    /// Bytes that downloads leave free on the disk; `None` is the smaller of a hundredth of it and a gigabyte.
    pub keep_free: Option<u64>,
}

/// What is said where.
#[derive(Clone, Debug)]
pub struct Log {
    /// What goes to stderr.
    pub level: LevelFilter,
    /// Levels of single parts, by the short names of `model::log_part`.
    pub levels: BTreeMap<String, LevelFilter>,
    /// How lines on stderr look.
    pub format: LogFormat,
    /// The log file, absolute, outside the synced folder.
    pub file: Option<PathBuf>,
    /// How its lines look.
    pub file_format: LogFormat,
    /// What goes to it.
    pub file_level: LevelFilter,
    /// Bytes beyond which it is rolled; `None` for never.
    pub file_max_size: Option<u64>,
    /// How many rolled files stay.
    pub file_keep: usize,
    /// Whether the state files are written around passes.
    pub state_dump: bool,
}

/// The status page.
#[derive(Clone, Debug)]
pub struct Web {
    /// Where to listen; `None` for nowhere.
    pub listen: Option<SocketAddr>,
    /// What a caller must present; always there off loopback.
    pub token: Option<Secret>,
    /// Further names under which the page is reached, in lower case, without a port.
    pub hosts: Vec<String>,
}

/// Whom to tell.
#[derive(Clone, Debug)]
pub struct Notify {
    /// An `http` or `https` URL.
    pub webhook: Option<Secret>,
    /// What is posted to it.
    pub body: Template,
    /// An `http` or `https` URL that is asked while all is well.
    pub ping: Option<Secret>,
}

/// The way out.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The proxy's URL, which may hold a user and a password.
    pub url: Secret,
    /// The hosts of `NO_PROXY`, reached directly.
    pub no_proxy: Vec<String>,
}

/// Other roots of the service, each without a slash at its end; `None` for the real one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Icloud {
    /// In place of `https://www.icloud.com`.
    pub home: Option<String>,
    /// In place of `https://setup.icloud.com/setup/ws/1`.
    pub setup: Option<String>,
    /// In place of `https://idmsa.apple.com/appleauth/auth`.
    pub auth: Option<String>,
}
