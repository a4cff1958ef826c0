//! `check-config`: validates, and prints the effective configuration.

use super::error::CliError;
use super::print;
use crate::config::{self, Sources};
use crate::exit::ExitCode;

/// Prints the effective configuration as TOML, each value with its origin, secrets masked.
///
/// # Errors
///
/// What is wrong with the configuration, exit 3; a missing user name, exit 5.
pub(super) fn run(sources: &Sources) -> Result<ExitCode, CliError> {
    let loaded = config::load(sources)?;
    let mut text = match &loaded.file {
        Some(file) => format!("# configuration file: {}\n", file.display().to_string().escape_debug()),
        None => format!("# configuration file: none ({} is absent)\n", config::DEFAULT_FILE),
    };
    for note in &loaded.notes {
        text.push_str(&format!("# {note}\n"));
    }
    for warning in &loaded.warnings {
        text.push_str(&format!("# warning: {warning}\n"));
    }
    text.push('\n');
    text.push_str(&config::print_effective(sources, &loaded)?);
    print(text)?;
    Ok(ExitCode::Success)
}
