//! What can be wrong with a configuration, each as one line.

use std::fmt;
use std::path::PathBuf;

use figment::value::Value;

use super::schema::{self, Key, Kind};
use crate::exit::ExitCode;
use crate::secret::MASKED;

/// Longer values are cut in messages, which are one line for a person.
const SHOWN_CHARS: usize = 120;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line, from 1, of the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A systemd credential.
    Credential(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", one_line(&path.display().to_string())),
            Self::Variable(name) => f.write_str(&one_line(name)),
            Self::Credential(path) => write!(f, "credential {}", one_line(&path.display().to_string())),
        }
    }
}

/// Why there is no configuration to run with. Each message is one line without a secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value that is not allowed.
    #[error("{origin}: {key} = {value}: {problem}")]
    Invalid {
        /// The dotted key.
        key: String,
        /// The value as it may be shown.
        value: String,
        /// Where it was written.
        origin: Origin,
        /// What is allowed, or what is wrong.
        problem: String,
    },
    /// A key or section that does not exist.
    #[error("{origin}: {key}{value}: {problem}")]
    Unknown {
        /// The dotted key, or the section in brackets.
        key: String,
        /// ` = VALUE`, or nothing where the value could be a secret.
        value: String,
        /// Where it was written.
        origin: Origin,
        /// The nearest known one, or the list of them.
        problem: String,
    },
    /// A configuration file that cannot be read.
    #[error("configuration file {path}: {problem}")]
    File {
        /// The file as it was named.
        path: String,
        /// Why.
        problem: String,
    },
    /// A configuration file that is not TOML.
    #[error("{path}:{line}: {problem}")]
    Syntax {
        /// The file as it was named.
        path: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        problem: String,
    },
    /// The layers do not make a configuration together.
    #[error("configuration: {0}")]
    Merge(String),
    /// No account is named.
    #[error("account.username is missing; set it in the configuration file or as ICLOUDDS_ACCOUNT__USERNAME")]
    MissingUsername,
}

impl ConfigError {
    /// A value of `key` that is not allowed.
    pub(super) fn invalid(key: &Key, value: &Value, origin: Origin, problem: impl Into<String>) -> Self {
        Self::Invalid { key: key.dotted(), value: show(key.kind, value), origin, problem: problem.into() }
    }

    /// With which code the program ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::MissingUsername => ExitCode::Missing,
            Self::Invalid { .. }
            | Self::Unknown { .. }
            | Self::File { .. }
            | Self::Syntax { .. }
            | Self::Merge(_) => ExitCode::Configuration,
        }
    }
}

/// `value` as messages show it: one line, cut, without secrets.
pub(super) fn show(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Secret, Value::String(_, text)) if text.is_empty() => "\"\"".to_owned(),
        (Kind::Secret, _) => MASKED.to_owned(),
        (Kind::Url, Value::String(_, text)) => quote(&without_user(text)),
        (_, value) => plain(value),
    }
}

/// `value` as a message shows it, whatever key it belongs to.
pub(super) fn plain(value: &Value) -> String {
    let shown = match value {
        Value::String(_, text) => return quote(text),
        Value::Char(_, one) => format!("{one:?}"),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) => number.to_string(),
            _ => "a number".to_owned(),
        },
        Value::Empty(..) => "nothing".to_owned(),
        Value::Array(_, items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Dict(_, dict) => {
            let pairs: Vec<String> =
                dict.iter().map(|(key, value)| format!("{key} = {}", plain(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    };
    cut(&one_line(&shown))
}

/// `text` in quotes, on one line, cut.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", cut(&one_line(text)))
}

/// A URL without the user and password that may be in it.
pub(super) fn without_user(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    match url[start..].rfind('@') {
        Some(at) => format!("{}{MASKED}{}", &url[..start], &url[start + at..]),
        None => url.to_owned(),
    }
}

/// `text` with all that cannot be seen escaped.
pub(super) fn one_line(text: &str) -> String {
    crate::model::plain::plain(text)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// What to say of a key of a known section that does not exist.
pub(super) fn unknown_key(section: &str, name: &str) -> String {
    let of_section = || schema::KEYS.iter().filter(|key| key.section == section);
    if let Some(near) = super::nearest(name, of_section().map(|key| key.name)) {
        return format!("unknown key, did you mean {section}.{near}?");
    }
    if let Some(elsewhere) = schema::KEYS.iter().find(|key| key.name == name) {
        return format!("unknown key, did you mean {}?", elsewhere.dotted());
    }
    let known: Vec<&str> = of_section().map(|key| key.name).collect();
    format!("unknown key, [{section}] knows {}", known.join(", "))
}

/// What to say of a section that does not exist, or of a key outside of any.
pub(super) fn unknown_section(name: &str) -> String {
    if let Some(near) = super::nearest(name, schema::sections()) {
        return format!("unknown section, did you mean [{near}]?");
    }
    if let Some(key) = schema::KEYS.iter().find(|key| key.name == name) {
        return format!("unknown section; the key {name} belongs into [{}]", key.section);
    }
    format!("unknown section, there are {}", schema::sections().join(", "))
}
