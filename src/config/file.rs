//! The file's layer: TOML with the line of every key.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use figment::value::{Tag, Value};
use toml::de::{DeTable, DeValue};

use super::error::{self, ConfigError, Origin, one_line};
use super::layer::Layer;
use super::nesting::too_deep;
use super::schema::{self, Key, Kind};
use super::sources::{DEFAULT_FILE, Sources};

/// A configuration is a page of text; whatever is larger is something else.
const LARGEST_BYTES: u64 = 1 << 20;

/// The file to read: `--config`, else `$ICLOUDDS_CONFIG`, else the default one if it is there.
pub(super) fn find(sources: &Sources) -> Result<Option<PathBuf>, ConfigError> {
    if let Some(named) = &sources.file {
        return Ok(Some(expanded(sources, named)));
    }
    if let Some(named) = sources.variable("ICLOUDDS_CONFIG") {
        return Ok(Some(expanded(sources, Path::new(named))));
    }
    let default = Path::new(DEFAULT_FILE);
    match default.try_exists() {
        Ok(true) => Ok(Some(default.to_owned())),
        Ok(false) => Ok(None),
        Err(problem) => Err(unreadable(default, problem.to_string())),
    }
}

/// What no shell has expanded: `--config=~/x`, and a variable that a service manager sets. A relative path is the caller's own.
fn expanded(sources: &Sources, named: &Path) -> PathBuf {
    match (named.strip_prefix("~"), sources.home()) {
        (Ok(rest), Some(home)) => Path::new(home).join(rest),
        _ => named.to_owned(),
    }
}

/// Reads and checks the file at `path`.
pub(super) fn read(path: &Path) -> Result<Layer, ConfigError> {
    parse(path, &text(path)?)
}

fn unreadable(path: &Path, problem: impl Into<String>) -> ConfigError {
    ConfigError::File { path: one_line(&path.display().to_string()), problem: problem.into() }
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let failed = |problem: std::io::Error| unreadable(path, problem.to_string());
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(unreadable(path, "is a directory, a file is needed"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_BYTES {
        return Err(unreadable(path, "is larger than 1 MiB, which no configuration is"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        syntax(path, line, "is not UTF-8")
    })
}

fn syntax(path: &Path, line: usize, problem: impl Into<String>) -> ConfigError {
    ConfigError::Syntax { path: one_line(&path.display().to_string()), line, problem: problem.into() }
}

/// Parses `text`, which was read from `path`, and checks every key's name and type.
///
/// # Errors
///
/// Of several mistakes the one that stands first.
pub(super) fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    // Editors on Windows put a byte order mark in front, which is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_of =
        |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
    if let Some(at) = too_deep(text) {
        return Err(syntax(
            path,
            line_of(at),
            "is nested too deeply: no key needs more than a section, its name and a list",
        ));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(span.start));
        let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join(", ");
        syntax(path, line, format!("is not valid TOML: {}", one_line(&message)))
    })?;

    let mut reader = Reader { path, layer: Layer::named(path.display().to_string()), mistakes: Vec::new() };
    for (name, value) in table.get_ref() {
        let at = line_of(name.span().start);
        let section = name.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(keys) if schema::sections().contains(&section) => {
                for (name, value) in keys {
                    let lines = |value: &toml::Spanned<DeValue<'_>>| line_of(value.span().start);
                    reader.key(section, name.get_ref(), value.get_ref(), line_of(name.span().start), &lines);
                }
            }
            _ if schema::sections().contains(&section) => {
                reader.mistake(
                    at,
                    &format!("[{section}]"),
                    "",
                    format!("must be a section, written [{section}]"),
                );
            }
            DeValue::Table(_) => {
                reader.mistake(at, &format!("[{section}]"), "", error::unknown_section(section))
            }
            _ => reader.mistake(at, section, "", error::unknown_section(section)),
        }
    }
    match reader.mistakes.into_iter().min_by_key(|(line, _)| *line) {
        Some((_, first)) => Err(first),
        None => Ok(reader.layer),
    }
}

/// Gathers the layer and what is wrong with it, so that the first mistake of the file can be told.
struct Reader<'a> {
    path: &'a Path,
    layer: Layer,
    mistakes: Vec<(usize, ConfigError)>,
}

impl Reader<'_> {
    fn origin(&self, line: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line }
    }

    fn mistake(&mut self, line: usize, key: &str, value: &str, problem: String) {
        let (key, value, origin) = (one_line(key), value.to_owned(), self.origin(line));
        self.mistakes.push((line, ConfigError::Unknown { key, value, origin, problem }));
    }

    fn key(
        &mut self,
        section: &str,
        name: &str,
        value: &DeValue<'_>,
        line: usize,
        lines: &dyn Fn(&toml::Spanned<DeValue<'_>>) -> usize,
    ) {
        let Some(key) = schema::find(section, name) else {
            let shown = match schema::may_hold_secret(section, name) {
                true => String::new(),
                false => format!(" = {}", error::plain(&any(value))),
            };
            self.mistake(line, &format!("{section}.{name}"), &shown, error::unknown_key(section, name));
            return;
        };
        let origin = self.origin(line);
        match typed(key, value) {
            Ok(typed) => {
                self.layer.set(key, typed, origin);
                if let DeValue::Array(entries) = value {
                    for (index, entry) in entries.iter().enumerate() {
                        let origin = self.origin(lines(entry));
                        self.layer.note(format!("{}[{index}]", key.dotted()), origin);
                    }
                }
                if let DeValue::Table(parts) = value {
                    for (part, level) in parts {
                        let origin = self.origin(lines(level));
                        self.layer.note(format!("{}.{}", key.dotted(), part.get_ref()), origin);
                    }
                }
            }
            Err(problem) => {
                self.mistakes.push((line, ConfigError::invalid(key, &any(value), origin, problem)))
            }
        }
    }
}

/// `value` if it has the type that `key` needs, else what is allowed.
pub(super) fn typed(key: &Key, value: &DeValue<'_>) -> Result<Value, String> {
    let fits = match (key.kind, value) {
        (Kind::Text | Kind::Secret | Kind::Path | Kind::Url | Kind::Choice(_), DeValue::String(_)) => true,
        (Kind::Number { .. }, DeValue::Integer(_)) => integer(value).is_some(),
        (Kind::Size | Kind::Width { .. }, DeValue::String(_)) => true,
        (Kind::Size | Kind::Width { .. }, DeValue::Integer(_)) => integer(value).is_some(),
        (Kind::Flag, DeValue::Boolean(_)) => true,
        (Kind::List, DeValue::Array(items)) => items.iter().all(|item| item.get_ref().is_str()),
        (Kind::Levels, DeValue::Table(parts)) => parts.values().all(|level| level.get_ref().is_str()),
        _ => false,
    };
    if fits { Ok(any(value)) } else { Err(key.kind.allowed()) }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Any TOML value as figment's, for merging and for messages.
fn any(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => match integer(value) {
            Some(number) => Value::from(number),
            None => Value::from(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(number.as_str()),
        },
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => {
            Value::Array(Tag::Default, items.iter().map(|item| any(item.get_ref())).collect())
        }
        DeValue::Table(table) => {
            let pair = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &toml::de::DeString<'_> = key.get_ref();
                (key.to_string(), any(value.get_ref()))
            };
            Value::Dict(Tag::Default, table.iter().map(pair).collect())
        }
    }
}
