//! What `info` says of the configuration at start.

use super::{DEFAULT_FILE, Loaded};
use crate::secret::mask_account;

/// The lines of `docs/contract.md`, "Logging", about the configuration: where it came from, directory, account, region,
/// mode, and each expression. How the folder is watched is known, and said, by whoever watches it.
pub fn lines(loaded: &Loaded) -> Vec<String> {
    let config = &loaded.config;
    let source = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => format!("the environment alone, {DEFAULT_FILE} is absent"),
    };
    let mut lines = vec![
        format!("configuration from {source}"),
        format!("directory {}", config.sync.directory.display()),
        format!("drive folder /{}", config.sync.remote_root.join("/")),
        format!("account {}", mask_account(&config.account.username)),
        format!("region {}", config.account.region),
        format!("mode {}", config.sync.mode),
    ];
    lines.extend(expressions("ignore", config.sync.filter.ignore()));
    lines.extend(expressions("include", config.sync.filter.include()));
    lines
}

fn expressions<'a>(name: &str, expressions: impl Iterator<Item = &'a str>) -> Vec<String> {
    let lines: Vec<String> = expressions.map(|expression| format!("{name} {expression}")).collect();
    if lines.is_empty() { vec![format!("{name} none")] } else { lines }
}
