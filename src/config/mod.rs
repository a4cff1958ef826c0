//! Edge: the configuration of `docs/contract.md` — written, merged, checked.
//!
//! Three layers are merged by figment, each over the one before: the defaults of [`RawConfig`], one TOML file, and the
//! environment (`ICLOUDDS_SECTION__KEY`). Each layer is checked against [`schema`] while it is read, so that a wrong
//! type is reported where it was written; the merged values are checked once more together and become a [`Config`],
//! after which nothing can be misconfigured.

mod check;
mod env;
mod error;
mod file;
#[cfg(test)]
mod fuzz_tests;
mod layer;
mod nearest;
mod nesting;
mod places;
mod print;
mod raw;
mod readable;
pub mod schema;
mod sources;
mod summary;
pub mod template;
mod types;
mod values;

use std::path::PathBuf;

pub use error::{ConfigError, Origin};
pub(crate) use nearest::nearest;
pub use places::{SOCKET_NAME, SOCKET_PATH_BYTES};
pub use print::effective as print_effective;
pub use raw::{RawConfig, RawSize};
pub use readable::readable_by_others;
pub use sources::{DEFAULT_FILE, Sources};
pub use summary::lines as start_lines;
pub use types::*;

use layer::Effective;

/// A configuration that was read without an error.
pub struct Loaded {
    /// What is meant.
    pub config: Config,
    /// What was written, and where.
    pub effective: Effective,
    /// The file that was read, `None` where the default one is absent.
    pub file: Option<PathBuf>,
    /// Things to say once at `debug`, such as variables that were passed over.
    pub notes: Vec<String>,
    /// Things to say once at `warn`: a secret that others can read.
    pub warnings: Vec<String>,
}

/// Reads, merges and checks the configuration.
///
/// # Errors
///
/// The first thing that is wrong, as one line that names key, value (never a secret's), origin and what is allowed;
/// [`ConfigError::exit_code`] says with which code to end.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let file = file::find(sources)?;
    let file_layer = match &file {
        Some(found) => file::read(found)?,
        None => layer::Layer::default(),
    };
    let (env_layer, notes) = env::read(sources)?;
    let effective = Effective::merge([file_layer, env_layer])?;
    let config = check::check(sources, &effective)?;
    let warnings = readable::warnings(&effective, sources, file.as_deref());
    Ok(Loaded { config, effective, file, notes, warnings })
}
