//! Every key of the contract: its section, its kind, what is allowed.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A path; relative ones count from the working directory.
    Path,
    /// A URL; a user and password in it are never shown.
    Url,
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A whole number within these bounds, in this unit.
    Number {
        /// The smallest value.
        min: u64,
        /// The largest value.
        max: u64,
        /// The unit, empty for a count.
        unit: &'static str,
    },
    /// A number of bytes, or a text such as `10GB`.
    Size,
    /// A whole number from 1 to this, or `"auto"`.
    Width {
        /// The largest value.
        max: u64,
    },
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List,
    /// A table of parts of the program and their log levels.
    Levels,
}

impl Kind {
    /// Whether a variable for such a key is taken verbatim, byte for byte.
    pub fn is_verbatim(self) -> bool {
        match self {
            Self::Text | Self::Secret | Self::Path | Self::Url | Self::Choice(_) => true,
            Self::Size | Self::Width { .. } => true,
            Self::Number { .. } | Self::Flag | Self::List | Self::Levels => false,
        }
    }

    /// What is allowed, as the end of an error line.
    pub fn allowed(self) -> String {
        match self {
            Self::Text | Self::Secret => "must be a text in quotes".to_owned(),
            Self::Path => "must be a path in quotes".to_owned(),
            Self::Url => "must be a URL in quotes, such as \"http://host:port\"".to_owned(),
            Self::Choice(choices) => format!("must be {}", one_of(choices)),
            Self::Number { min, max, unit } => {
                let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
                match max {
                    u64::MAX => format!("must be a whole number of at least {min}{unit}"),
                    _ => format!("must be a whole number from {min} to {max}{unit}"),
                }
            }
            Self::Size => {
                "must be a number of bytes, or a text like \"10GB\" (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)"
                    .to_owned()
            }
            Self::Width { max } => format!("must be a whole number from 1 to {max}, or \"auto\""),
            Self::Flag => "must be true or false".to_owned(),
            Self::List => "must be a list of texts, such as [\"a\", \"b\"]".to_owned(),
            Self::Levels => "must be a table of parts and levels, such as { signin = \"debug\" }".to_owned(),
        }
    }
}

/// `"a", "b" or "c"`, for messages.
pub fn one_of(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("{choice:?}")).collect();
    match quoted.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        other => other.concat(),
    }
}

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The section's name, `sync`.
    pub section: &'static str,
    /// The key's name inside it, `directory`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Key {
    /// `section.name`, as messages write it.
    pub fn dotted(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// The variable that sets it.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}__{}", self.section.to_uppercase(), self.name.to_uppercase())
    }
}

/// What the name of every variable of ours starts with.
pub const VARIABLE_PREFIX: &str = "ICLOUDDS_";

/// What `sync.parallel_writes` is at most, and `"auto"` stands for.
pub const MOST_WRITES: usize = 8;

/// The log levels, from none to everything.
pub const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// A year: no period needs to be longer, and every sum of such periods stays far from overflowing.
const YEAR_SECS: u64 = 365 * 24 * 3600;

const fn seconds(min: u64) -> Kind {
    Kind::Number { min, max: YEAR_SECS, unit: "seconds" }
}

const fn key(section: &'static str, name: &'static str, kind: Kind) -> Key {
    Key { section, name, kind }
}

/// Every key, in the contract's order.
pub const KEYS: &[Key] = &[
    key("account", "username", Kind::Text),
    key("account", "password", Kind::Secret),
    key("account", "password_file", Kind::Path),
    key("account", "region", Kind::Choice(&["global", "china"])),
    key("sync", "directory", Kind::Path),
    key("sync", "state_directory", Kind::Path),
    key("sync", "remote_root", Kind::Text),
    key("sync", "mode", Kind::Choice(&["two-way", "download-only", "upload-only"])),
    key("sync", "ignore", Kind::List),
    key("sync", "include", Kind::List),
    key("sync", "check_period", seconds(20)),
    key("sync", "refresh_period", seconds(90)),
    key("sync", "debounce_period", seconds(10)),
    key("sync", "max_workers", Kind::Number { min: 1, max: 1000, unit: "" }),
    key("sync", "parallel_writes", Kind::Width { max: MOST_WRITES as u64 }),
    key("sync", "watch", Kind::Choice(&["auto", "poll", "off"])),
    key("sync", "poll_period", seconds(1)),
    key("sync", "remote_watch", Kind::Choice(&["auto", "poll"])),
    key("sync", "conflict", Kind::Choice(&["keep-both", "newest"])),
    key("sync", "remote_delete", Kind::Choice(&["trash", "permanent"])),
    key("sync", "remote_replace", Kind::Choice(&["in-place", "trash"])),
    key("sync", "packages", Kind::Choice(&["zip", "skip"])),
    key("sync", "app_libraries", Kind::List),
    key("guard", "max_deletes", Kind::Number { min: 0, max: u64::MAX, unit: "" }),
    key("guard", "max_delete_percent", Kind::Number { min: 0, max: 100, unit: "" }),
    key("trash", "keep_days", Kind::Number { min: 0, max: 36_500, unit: "days" }),
    key("trash", "max_size", Kind::Size),
    key("limits", "upload_rate", Kind::Size),
    key("limits", "download_rate", Kind::Size),
    key("limits", "max_file_size", Kind::Size),
    key("limits", "keep_free", Kind::Size),
    key("log", "level", Kind::Choice(LEVELS)),
    key("log", "levels", Kind::Levels),
    key("log", "format", Kind::Choice(&["text", "json"])),
    key("log", "file", Kind::Path),
    key("log", "file_format", Kind::Choice(&["", "text", "json"])),
    key("log", "file_level", Kind::Choice(LEVELS)),
    key("log", "file_max_size", Kind::Size),
    key("log", "file_keep", Kind::Number { min: 0, max: 1000, unit: "" }),
    key("log", "state_dump", Kind::Flag),
    key("web", "listen", Kind::Text),
    key("web", "token", Kind::Secret),
    key("web", "token_file", Kind::Path),
    key("web", "allowed_hosts", Kind::List),
    key("notify", "webhook", Kind::Secret),
    key("notify", "webhook_file", Kind::Path),
    key("notify", "body", Kind::Text),
    key("notify", "ping", Kind::Secret),
    key("notify", "ping_file", Kind::Path),
    key("tls", "ca_file", Kind::Path),
    key("proxy", "url", Kind::Url),
    key("icloud", "home", Kind::Url),
    key("icloud", "setup", Kind::Url),
    key("icloud", "auth", Kind::Url),
];

/// The key of this section and name.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// The key with this dotted name.
pub fn by_dotted(dotted: &str) -> Option<&'static Key> {
    let (section, name) = dotted.split_once('.')?;
    find(section, name)
}

/// The sections, in the contract's order.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&'static str> = KEYS.iter().map(|key| key.section).collect();
    sections.dedup();
    sections
}

/// Whether the value of a key that is *not* known must be kept out of messages.
///
/// Somebody who misspells `password` has still written a password.
pub(super) fn may_hold_secret(section: &str, name: &str) -> bool {
    let beside_a_secret =
        KEYS.iter().any(|key| key.section == section && matches!(key.kind, Kind::Secret | Kind::Url));
    let telling = ["pass", "pw", "secret", "token", "hook", "key", "code", "cookie", "auth", "cred", "url"];
    let name = name.to_lowercase();
    beside_a_secret || telling.iter().any(|word| name.contains(word)) || !sections().contains(&section)
}
