//! The environment's layer: `ICLOUDDS_SECTION__KEY`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use figment::value::{Dict, Tag, Value};
use toml::de::DeValue;

use super::error::{self, ConfigError, Origin};
use super::file::typed;
use super::layer::Layer;
use super::nesting::too_deep;
use super::schema::{self, Key, Kind, VARIABLE_PREFIX};
use super::sources::Sources;

/// Names the file, and is no key.
const CONFIG_VARIABLE: &str = "ICLOUDDS_CONFIG";

/// What the name of a variable for one part's log level starts with.
const LEVEL_PREFIX: &str = "ICLOUDDS_LOG__LEVELS__";

/// Reads every variable with our prefix; also returns what was passed over, for the log.
pub(super) fn read(sources: &Sources) -> Result<(Layer, Vec<String>), ConfigError> {
    let mut layer = Layer::named("environment");
    let mut injected = Vec::new();
    let ours = |name: &OsStr| name.as_bytes().starts_with(VARIABLE_PREFIX.as_bytes());
    let mut variables: Vec<_> = sources.variables.iter().filter(|(name, _)| ours(name)).collect();
    // In a fixed order, so that the same mistakes always give the same message; `ICLOUDDS_LOG__LEVELS` as a whole
    // comes before its single parts, which therefore win.
    variables.sort();
    for (name, value) in variables {
        let shown_name = name.to_string_lossy().into_owned();
        if name == CONFIG_VARIABLE {
            continue;
        }
        let is_blank = value.to_str().is_some_and(|value| value.trim().is_empty());
        let is_known = schema::KEYS.iter().any(|key| name == key.variable().as_str())
            || shown_name.starts_with(LEVEL_PREFIX);
        // A line `NAME=` of a file of variables, or a Compose variable that is not set, says nothing.
        if is_blank && is_known {
            continue;
        }
        if let Some(key) = schema::KEYS.iter().find(|key| name == key.variable().as_str()) {
            let origin = Origin::Variable(shown_name);
            let value = parse(key, value, &origin)?;
            if let Value::Dict(_, parts) = &value {
                for part in parts.keys() {
                    layer.note(format!("{}.{part}", key.dotted()), origin.clone());
                }
            }
            layer.set(key, value, origin);
        } else if let (Some(part), Some(key)) =
            (shown_name.strip_prefix(LEVEL_PREFIX), schema::find("log", "levels"))
        {
            let part = part.to_lowercase();
            let origin = Origin::Variable(shown_name.clone());
            let level = text(key, value, &origin)?;
            layer.note(format!("{}.{part}", key.dotted()), origin.clone());
            layer.set(key, Value::Dict(Tag::Default, Dict::from([(part, Value::from(level))])), origin);
        } else if is_injected(&shown_name) {
            injected.push(shown_name);
        } else {
            return Err(unknown(&shown_name, value));
        }
    }
    let notes = match injected.is_empty() {
        true => Vec::new(),
        false => vec![format!("passed over service variables of Kubernetes: {}", injected.join(" "))],
    };
    Ok((layer, notes))
}

/// The value of the variable for `key`: verbatim for a text, parsed as TOML for the rest.
fn parse(key: &Key, value: &OsStr, origin: &Origin) -> Result<Value, ConfigError> {
    let text = text(key, value, origin)?;
    if key.kind.is_verbatim() {
        return Ok(Value::from(text));
    }
    let refused = |problem: String| ConfigError::invalid(key, &Value::from(text), origin.clone(), problem);
    if too_deep(text).is_some() {
        return Err(refused(allowed(key.kind)));
    }
    let parsed = DeValue::parse(text.trim()).map_err(|_| refused(allowed(key.kind)))?;
    typed(key, parsed.get_ref()).map_err(|_| refused(allowed(key.kind)))
}

fn allowed(kind: Kind) -> String {
    match kind {
        Kind::List => "must be a TOML list of texts, such as ['a', 'b']".to_owned(),
        Kind::Levels => "must be a TOML table of parts and levels, such as { signin = 'debug' }".to_owned(),
        other => other.allowed(),
    }
}

fn text<'a>(key: &Key, value: &'a OsStr, origin: &Origin) -> Result<&'a str, ConfigError> {
    value.to_str().ok_or_else(|| {
        let shown = Value::from(value.to_string_lossy().into_owned());
        ConfigError::invalid(key, &shown, origin.clone(), "is not UTF-8")
    })
}

fn unknown(name: &str, value: &OsStr) -> ConfigError {
    let rest = name.strip_prefix(VARIABLE_PREFIX).unwrap_or(name).to_lowercase();
    let known: Vec<String> = schema::KEYS.iter().map(Key::variable).collect();
    let flat = |key: &&Key| format!("{}_{}", key.section, key.name) == rest || key.name == rest;
    let meant = match schema::KEYS.iter().find(flat) {
        Some(key) => Some(key.variable()),
        None => nearest_variable(name, &known),
    };
    let problem = match meant {
        Some(meant) => format!("unknown variable, did you mean {meant}?"),
        None => "unknown variable, the names are ICLOUDDS_SECTION__KEY".to_owned(),
    };
    let (section, key) = rest.split_once("__").unwrap_or(("", &rest));
    let value = match schema::may_hold_secret(section, key) {
        true => String::new(),
        false => format!(" = {}", error::quote(&value.to_string_lossy())),
    };
    let origin = Origin::Variable(name.to_owned());
    let key = match section {
        "" => key.to_owned(),
        section => format!("{section}.{key}"),
    };
    ConfigError::Unknown { key: error::one_line(&key), value, origin, problem }
}

fn nearest_variable(name: &str, known: &[String]) -> Option<String> {
    // The prefix is the same for all, and must not make every two names look alike.
    let tail = |name: &str| name.strip_prefix(VARIABLE_PREFIX).unwrap_or(name).to_lowercase();
    let tails: Vec<String> = known.iter().map(|name| tail(name)).collect();
    let near = super::nearest(&tail(name), tails.iter().map(String::as_str))?;
    Some(format!("{VARIABLE_PREFIX}{}", near.to_uppercase()))
}

/// Whether Kubernetes puts a variable of this name into every container beside a Service called `icloudds`, or
/// `icloudds-…`: `ICLOUDDS_SERVICE_HOST`, `ICLOUDDS_WEB_PORT_8384_TCP_ADDR` and the like.
fn is_injected(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("ICLOUDDS") else { return false };
    let of_service_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    // `ICLOUDDS_WEB__PORT` is somebody's mistake about the section `[web]`, not a Service's.
    let of_section = |section: &str| rest.starts_with(&format!("_{}__", section.to_uppercase()));
    if !of_service_name(rest) || schema::sections().into_iter().any(of_section) {
        return false;
    }
    if rest.ends_with("_SERVICE_HOST") || rest.ends_with("_SERVICE_PORT") || rest.ends_with("_PORT") {
        return true;
    }
    if rest.contains("_SERVICE_PORT_") {
        return true;
    }
    let Some((_, port)) = rest.rsplit_once("_PORT_") else { return false };
    let mut parts = port.split('_');
    let number = parts.next().is_some_and(|digits| digits.parse::<u16>().is_ok());
    let protocol = parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"));
    let detail = parts.next().is_none_or(|detail| matches!(detail, "PROTO" | "PORT" | "ADDR"));
    number && protocol && detail && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_variables_are_recognised_and_mistakes_are_not() {
        for (name, injected) in [
            ("ICLOUDDS_PORT", true),
            ("ICLOUDDS_SERVICE_HOST", true),
            ("ICLOUDDS_SERVICE_PORT", true),
            ("ICLOUDDS_SERVICE_PORT_HTTP", true),
            ("ICLOUDDS_PORT_8384_TCP", true),
            ("ICLOUDDS_PORT_8384_TCP_PROTO", true),
            ("ICLOUDDS_PORT_8384_TCP_PORT", true),
            ("ICLOUDDS_PORT_8384_TCP_ADDR", true),
            ("ICLOUDDS_PORT_53_UDP", true),
            ("ICLOUDDS_WEB_PORT", true),
            ("ICLOUDDS_WEB_SERVICE_HOST", true),
            ("ICLOUDDS_WEB_PORT_8384_TCP_ADDR", true),
            ("ICLOUDDS_MY_PORT_9_PORT_80_TCP", true),
            ("ICLOUDDS_WEB__PORT", false),
            ("ICLOUDDS_SYNC__PORT", false),
            ("ICLOUDDS_PORT_8384", false),
            ("ICLOUDDS_PORT_8384_TCP_NAME", false),
            ("ICLOUDDS_PORT_99999_TCP", false),
            ("ICLOUDDS_PASSWORD", false),
            ("ICLOUDDS_Web_PORT", false),
            ("ICLOUDDSPORT", false),
        ] {
            assert_eq!(is_injected(name), injected, "{name}");
        }
    }
}
