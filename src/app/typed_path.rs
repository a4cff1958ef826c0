//! Paths as people type them.

use std::ffi::OsStr;
use std::path::{Component, Path};

use crate::model::RelPath;
use crate::model::plain::plain;

/// What was typed is no path in the local root.
#[derive(Debug, thiserror::Error)]
#[error("{path}: not a path in {directory}")]
pub struct NotInRoot {
    /// As given, as well as it can be shown.
    path: String,
    /// `sync.directory`.
    directory: String,
}

/// The path that a person typed, relative to `directory` or absolute and below it, as one of ours.
///
/// # Errors
///
/// When it is none, or not UTF-8.
pub fn typed_path(directory: &Path, given: &OsStr) -> Result<RelPath, NotInRoot> {
    let refused = || NotInRoot {
        path: plain(&given.to_string_lossy()),
        directory: plain(&directory.display().to_string()),
    };
    let path = Path::new(given);
    let below = if path.is_absolute() { path.strip_prefix(directory).map_err(|_| refused())? } else { path };
    // Drops `.` and doubled or closing slashes; `..` stays and is refused.
    let clean: Vec<&str> = below
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| part.as_os_str().to_str().ok_or_else(refused))
        .collect::<Result<_, _>>()?;
    RelPath::parse(&clean.join("/")).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_people_type_them() {
        for (given, expected) in [
            ("a/b", Some("a/b")),
            ("./a/b/", Some("a/b")),
            ("/drive/a", Some("a")),
            ("/drive", Some("")),
            (".", Some("")),
            ("/driven/a", None),
            ("../a", None),
            ("a/../b", None),
        ] {
            let path = typed_path(Path::new("/drive"), OsStr::new(given));
            assert_eq!(path.as_ref().ok().map(RelPath::as_str), expected, "{given}");
        }
    }
}
