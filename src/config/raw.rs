//! The configuration as written: every key with its default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Declares a section: its keys, their types, and the defaults that the contract gives them.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$key_doc:meta])* $key:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$key_doc])* pub $key: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default.into(),)* }
            }
        }
    };
}

/// A size, or another number that may be a text, as written: a number or a text such as `10GB` or `auto`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum RawSize {
    /// Bytes, or whatever the key counts.
    Bytes(i64),
    /// A number and its unit, or a word.
    Text(String),
}

impl From<i64> for RawSize {
    fn from(bytes: i64) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&str> for RawSize {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The file's sections, or what the environment says in their place. No `Debug`: it holds secrets in clear.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// `[account]`
    pub account: RawAccount,
    /// `[sync]`
    pub sync: RawSync,
    /// `[guard]`
    pub guard: RawGuard,
    /// `[trash]`
    pub trash: RawTrash,
    /// `[limits]`
    pub limits: RawLimits,
    /// `[log]`
    pub log: RawLog,
    /// `[web]`
    pub web: RawWeb,
    /// `[notify]`
    pub notify: RawNotify,
    /// `[tls]`
    pub tls: RawTls,
    /// `[proxy]`
    pub proxy: RawProxy,
    /// `[icloud]`
    pub icloud: RawIcloud,
}

section! {
    /// `[account]`: who signs in.
    RawAccount {
        /// The Apple account's name; required.
        username: String = "",
        /// Its password.
        password: String = "",
        /// A file that holds the password.
        password_file: String = "",
        /// Where the account lives.
        region: String = "global",
    }
}

section! {
    /// `[sync]`: what is synced, and how.
    RawSync {
        /// The local folder.
        directory: String = "/drive",
        /// The folder for session, database, lock and socket.
        state_directory: String = "/state",
        /// The folder of the drive that `directory` mirrors.
        remote_root: String = "/",
        /// In which directions.
        mode: String = "two-way",
        /// Expressions for what does not take part.
        ignore: Vec<String> = [],
        /// Expressions for what alone takes part.
        include: Vec<String> = [],
        /// Seconds between looks at whether anything changed on iCloud.
        check_period: i64 = 20,
        /// Seconds between complete listings of iCloud.
        refresh_period: i64 = 90,
        /// Seconds that a local change must be quiet before it is acted upon.
        debounce_period: i64 = 10,
        /// Listings and transfers in parallel.
        max_workers: i64 = 32,
        /// Commits of new files that may overlap on iCloud.
        parallel_writes: RawSize = 1,
        /// How local changes are noticed.
        watch: String = "auto",
        /// Seconds between local scans when polling.
        poll_period: i64 = 60,
        /// How changes on iCloud are noticed.
        remote_watch: String = "auto",
        /// What happens to a file edited on both sides.
        conflict: String = "keep-both",
        /// What a local deletion does on iCloud.
        remote_delete: String = "trash",
        /// How an edited file replaces the one on iCloud.
        remote_replace: String = "in-place",
        /// What happens to document packages.
        packages: String = "zip",
        /// Names of app folders to sync too.
        app_libraries: Vec<String> = [],
    }
}

section! {
    /// `[guard]`: when deletions wait for a person.
    RawGuard {
        /// More deletions than this within a day are held.
        max_deletes: i64 = 100,
        /// A larger share of all items than this is held.
        max_delete_percent: i64 = 25,
    }
}

section! {
    /// `[trash]`: the local trash.
    RawTrash {
        /// Days that a version is kept.
        keep_days: i64 = 30,
        /// Beyond this size the oldest versions go first.
        max_size: RawSize = "10GB",
    }
}

section! {
    /// `[limits]`: bandwidth and size.
    RawLimits {
        /// Bytes per second up.
        upload_rate: RawSize = 0,
        /// Bytes per second down.
        download_rate: RawSize = 0,
        /// Larger files are reported and left alone.
        max_file_size: RawSize = 0,
        /// Room on the disk that downloads leave free; empty means the smaller of 1 % and 1 GB.
        keep_free: RawSize = "",
    }
}

section! {
    /// `[log]`: what is said where.
    RawLog {
        /// What goes to stderr.
        level: String = "info",
        /// Levels of single parts, for both outputs.
        levels: BTreeMap<String, String> = BTreeMap::new(),
        /// How lines on stderr look.
        format: String = "text",
        /// The log file.
        file: String = "",
        /// How its lines look; empty means as `format`.
        file_format: String = "",
        /// What goes to it.
        file_level: String = "debug",
        /// Beyond this size it is rolled.
        file_max_size: RawSize = "10MB",
        /// How many rolled files stay.
        file_keep: i64 = 3,
        /// Whether the state files are written around passes.
        state_dump: bool = false,
    }
}

section! {
    /// `[web]`: the status page.
    RawWeb {
        /// Address and port to listen on.
        listen: String = "",
        /// What a caller must present.
        token: String = "",
        /// A file that holds the token.
        token_file: String = "",
        /// Names under which the page is reached, beside this machine's own and all addresses.
        allowed_hosts: Vec<String> = [],
    }
}

section! {
    /// `[notify]`: whom to tell.
    RawNotify {
        /// A URL that events are posted to.
        webhook: String = "",
        /// A file that holds the URL.
        webhook_file: String = "",
        /// What is posted; empty means JSON with all that is known.
        body: String = "",
        /// A URL that is asked while all is well.
        ping: String = "",
        /// A file that holds that URL.
        ping_file: String = "",
    }
}

section! {
    /// `[tls]`: trust.
    RawTls {
        /// An extra trusted certificate authority, PEM.
        ca_file: String = "",
    }
}

section! {
    /// `[proxy]`: the way out.
    RawProxy {
        /// The proxy's URL.
        url: String = "",
    }
}

section! {
    /// `[icloud]`: other roots of the service, for tests and for proxies.
    RawIcloud {
        /// In place of `https://www.icloud.com`.
        home: String = "",
        /// In place of `https://setup.icloud.com/setup/ws/1`.
        setup: String = "",
        /// In place of `https://idmsa.apple.com/appleauth/auth`.
        auth: String = "",
    }
}
