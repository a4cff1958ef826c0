//! The parts of the program by which log levels are set and which the log file names.

/// The target of every module of ours starts with this.
pub const ROOT: &str = "icloudds";

/// The short name of each part and the modules that it stands for.
///
/// A module below a listed one belongs to the part of the longest match.
const PARTS: &[(&str, &[&str])] = &[
    ("cli", &["icloudds::cli"]),
    ("config", &["icloudds::config"]),
    ("control", &["icloudds::control"]),
    ("daemon", &["icloudds::daemon"]),
    ("disk", &["icloudds::disk"]),
    ("drive", &["icloudds::icloud::drive"]),
    ("http", &["icloudds::icloud::http"]),
    ("icloud", &["icloudds::icloud"]),
    ("notify", &["icloudds::webhook"]),
    ("scan", &["icloudds::engine::observe", "icloudds::disk::read"]),
    ("session", &["icloudds::icloud::session"]),
    ("signin", &["icloudds::icloud::signin"]),
    ("store", &["icloudds::store"]),
    ("sync", &["icloudds::engine"]),
    ("transfer", &["icloudds::icloud::drive::fetch", "icloudds::icloud::drive::stage"]),
    ("trash", &["icloudds::disk::trash", "icloudds::app::trash"]),
    ("watch", &["icloudds::disk::watch"]),
    ("web", &["icloudds::web"]),
];

/// The short names, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PARTS.iter().map(|(name, _)| *name)
}

/// Whether a level can be set for `name`: a short name, or the path of a module of ours.
pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name) || is_own_module(name)
}

/// The module paths that `name` stands for.
pub fn modules(name: &str) -> Vec<String> {
    match PARTS.iter().find(|(known, _)| *known == name) {
        Some((_, modules)) => modules.iter().map(|module| (*module).to_owned()).collect(),
        None if is_own_module(name) => vec![name.to_owned()],
        None => Vec::new(),
    }
}

fn is_own_module(name: &str) -> bool {
    name.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with("::") && !rest.ends_with(':'))
}

/// The part that a log target belongs to: a short name, else the last segment of the module's path.
pub fn of_target(target: &str) -> &str {
    let below = |module: &str| {
        target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    PARTS
        .iter()
        .flat_map(|(name, modules)| modules.iter().map(move |module| (module.len(), *name, *module)))
        .filter(|(_, _, module)| below(module))
        .max_by_key(|(length, _, _)| *length)
        .map_or_else(|| target.rsplit("::").next().unwrap_or(target), |(_, name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_belong_to_the_part_of_their_longest_module() {
        for (target, part) in [
            ("icloudds", "icloudds"),
            ("icloudds::icloud", "icloud"),
            ("icloudds::icloud::wire", "icloud"),
            ("icloudds::icloud::signin::srp", "signin"),
            ("icloudds::engine::plan", "sync"),
            ("icloudds::engine::observe::local", "scan"),
            ("icloudds::icloud::drive::fetch", "transfer"),
            ("icloudds::iclouds", "iclouds"),
            ("ureq::run", "run"),
        ] {
            assert_eq!(of_target(target), part, "{target}");
        }
    }

    #[test]
    fn levels_can_be_set_for_our_parts_only() {
        for (name, known) in [
            ("signin", true),
            ("http", true),
            ("icloudds::disk::read", true),
            ("icloudds::", false),
            ("icloudds", false),
            ("ureq", false),
            ("rustls", false),
            ("", false),
        ] {
            assert_eq!(is_known(name), known, "{name}");
            assert_eq!(modules(name).is_empty(), !known, "{name}");
        }
    }
}
