//! `check-config`: the effective configuration with each value's origin.

use figment::value::Value;
use toml::Value as Toml;

use super::error::{ConfigError, Origin, one_line, without_user};
use super::layer::Effective;
use super::schema::{self, Key, Kind};
use super::{Loaded, Sources, check, places};
use crate::model::plain::is_hidden;
use crate::secret::MASKED;

/// The width to which values are padded, so that the origins stand below each other.
const ORIGIN_COLUMN: usize = 40;

/// The effective configuration as TOML, each value with its origin as a comment, secrets masked.
///
/// # Errors
///
/// None for a configuration that was loaded; the type is that of the merged values.
pub fn effective(sources: &Sources, loaded: &Loaded) -> Result<String, ConfigError> {
    let mut text = String::new();
    for section in schema::sections() {
        text.push_str(&format!("{}[{section}]\n", if text.is_empty() { "" } else { "\n" }));
        for key in schema::KEYS.iter().filter(|key| key.section == section) {
            let value = loaded.effective.value(key)?;
            text.push_str(&line(sources, loaded, key, &value));
        }
    }
    Ok(text)
}

fn line(sources: &Sources, loaded: &Loaded, key: &Key, value: &Value) -> String {
    let dotted = key.dotted();
    let mut origin = loaded.effective.origin(&dotted);
    let mut shown = masked(sources, key, value);
    // Two values can come from beside the keys: the password from systemd, the proxy from its usual variable.
    let unset = matches!(value, Value::String(_, text) if text.is_empty());
    if unset && dotted == "account.password" && loaded.config.account.password.is_some() {
        let file =
            schema::by_dotted("account.password_file").map(|key| loaded.effective.origin(&key.dotted()));
        if file == Some(Origin::Default)
            && let Some(path) = check::credential(sources)
        {
            origin = Origin::Credential(path);
            shown = Toml::String(MASKED.to_owned());
        }
    }
    if unset
        && dotted == "proxy.url"
        && let Some(proxy) = &loaded.config.proxy
    {
        let upper = sources.variable("HTTPS_PROXY").is_some();
        origin = Origin::Variable(if upper { "HTTPS_PROXY" } else { "https_proxy" }.to_owned());
        shown = Toml::String(without_user(proxy.url.expose()));
    }
    let pair = format!("{} = {}", key.name, on_one_line(&shown));
    let origins = match key.kind {
        Kind::Levels => parts(&loaded.effective, &dotted, value, origin),
        _ => origin.to_string(),
    };
    format!("{pair:<ORIGIN_COLUMN$} # {origins}\n")
}

/// `value` as TOML. The crate would write a text with line breaks over several lines, which leaves no place for a
/// comment that belongs to it.
fn on_one_line(value: &Toml) -> String {
    match value {
        Toml::String(text) if text.contains(is_hidden) => {
            let escape = |character: char| match character {
                '"' | '\\' => format!("\\{character}"),
                hidden if hidden > '\u{ffff}' && is_hidden(hidden) => format!("\\U{:08X}", u32::from(hidden)),
                hidden if is_hidden(hidden) => format!("\\u{:04X}", u32::from(hidden)),
                other => other.to_string(),
            };
            format!("\"{}\"", text.chars().map(escape).collect::<String>())
        }
        Toml::Array(items) => format!("[{}]", items.iter().map(on_one_line).collect::<Vec<_>>().join(", ")),
        other => one_line(&other.to_string()),
    }
}

/// The origins of a table's parts, which may differ.
fn parts(effective: &Effective, dotted: &str, value: &Value, whole: Origin) -> String {
    match value {
        Value::Dict(_, dict) if !dict.is_empty() => {
            let part =
                |name: &String| format!("{name} from {}", effective.origin(&format!("{dotted}.{name}")));
            dict.keys().map(part).collect::<Vec<_>>().join(", ")
        }
        _ => whole.to_string(),
    }
}

fn masked(sources: &Sources, key: &Key, value: &Value) -> Toml {
    match (key.kind, value) {
        (Kind::Secret, Value::String(_, text)) if !text.is_empty() => Toml::String(MASKED.to_owned()),
        (Kind::Url, Value::String(_, text)) => Toml::String(without_user(text)),
        (Kind::Path, Value::String(_, text)) if text.starts_with('~') => {
            let whole = places::absolute(text, sources.home());
            Toml::String(whole.map_or_else(|_| text.clone(), |path| path.display().to_string()))
        }
        (_, value) => to_toml(value),
    }
}

fn to_toml(value: &Value) -> Toml {
    match value {
        Value::String(_, text) => Toml::String(text.clone()),
        Value::Char(_, one) => Toml::String(one.to_string()),
        Value::Bool(_, flag) => Toml::Boolean(*flag),
        Value::Num(_, number) => match number.to_i128().and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Toml::Integer(number),
            None => Toml::Float(number.to_f64().unwrap_or(f64::NAN)),
        },
        Value::Empty(..) => Toml::String(String::new()),
        Value::Array(_, items) => Toml::Array(items.iter().map(to_toml).collect()),
        Value::Dict(_, dict) => {
            Toml::Table(dict.iter().map(|(key, value)| (key.clone(), to_toml(value))).collect())
        }
    }
}
