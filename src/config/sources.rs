//! Where the configuration comes from.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The file that is read when neither `--config` nor `ICLOUDDS_CONFIG` names one. It may be absent.
pub const DEFAULT_FILE: &str = "/etc/icloudds/config.toml";

/// Where the configuration comes from. Only the command line fills this from the process; tests fill it by hand.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// The environment, whole.
    pub variables: Vec<(OsString, OsString)>,
}

impl Sources {
    /// Of this process: its environment, and the file of `--config` if one was given.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        Self { file, variables: std::env::vars_os().collect() }
    }

    /// The user's own folder, as `HOME` says.
    pub(super) fn home(&self) -> Option<&OsStr> {
        self.variable("HOME").map(OsString::as_os_str)
    }

    /// The value of a variable, `None` where it is unset or empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsString> {
        self.variables
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value)
    }
}
