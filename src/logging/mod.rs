//! Edge: logging. One fern dispatch tree with two outputs, each with its own level and format, both masked.
//!
//! What a line looks like is fixed by `docs/contract.md`, "Logging". Secrets are masked and control characters escaped
//! in both outputs, so that one event is always one line and never tells more than it should.

mod error;
mod format;
mod output;
mod rolling;
pub mod zone;

use fern::Dispatch;
use jiff::tz::TimeZone;
use log::LevelFilter;

use crate::config::{Log, LogFormat};
use crate::model::log_part;

pub use error::LogError;
pub use output::is_writing;

/// What other crates may say: they know nothing of our secrets and log whole requests below this level.
const FOREIGN_LEVEL: LevelFilter = LevelFilter::Warn;

/// Starts logging for the whole process. Times are shown in `zone`.
///
/// # Errors
///
/// [`LogError`] when the log file or its folder cannot be created or opened; nothing was started then.
pub fn init(options: &Log, zone: TimeZone) -> Result<(), LogError> {
    dispatch(options, zone)?.apply()?;
    Ok(())
}

/// The dispatch tree of `options`.
fn dispatch(options: &Log, zone: TimeZone) -> Result<Dispatch, LogError> {
    let mut root = Dispatch::new();
    let stderr = output::stderr();
    root = root.chain(
        branch(options, options.level, options.format, zone.clone(), format::Detail::Brief).chain(stderr),
    );
    if let Some(path) = &options.file {
        let file = output::file(path, options.file_max_size, options.file_keep)?;
        let branch = branch(options, options.file_level, options.file_format, zone, format::Detail::Full);
        root = root.chain(branch.chain(file));
    }
    Ok(root)
}

/// One output's part of the tree: which events, and how they look.
fn branch(
    options: &Log,
    level: LevelFilter,
    format: LogFormat,
    zone: TimeZone,
    detail: format::Detail,
) -> Dispatch {
    let mut branch = Dispatch::new().level(level.min(FOREIGN_LEVEL)).level_for(log_part::ROOT, level);
    // It warns of each folder that goes away while it is watched, which is no fault and nobody's concern.
    branch = branch.level_for("notify", level.min(LevelFilter::Error));
    for (name, level) in &options.levels {
        for module in log_part::modules(name) {
            branch = branch.level_for(module, *level);
        }
    }
    branch.format(move |out, message, record| {
        let now = jiff::Timestamp::now();
        let line = match format {
            LogFormat::Text => format::text(now, &zone, detail, message, record),
            LogFormat::Json => format::json(now, message, record),
        };
        out.finish(format_args!("{line}"));
    })
}

#[cfg(test)]
mod tests;
