//! Where things lie on this machine: nothing of ours inside the synced folder.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use super::error::quote;

/// The name of the control socket in the state directory.
pub const SOCKET_NAME: &str = "control.sock";

/// The longest path that a Unix socket can have, in bytes.
pub const SOCKET_PATH_BYTES: usize = 107;

/// `path` as an absolute one; `~` at its start is `home`, the content of `HOME`. A relative path is refused: the working directory of a
/// service is not where somebody wrote the configuration.
pub(super) fn absolute(path: &str, home: Option<&OsStr>) -> Result<PathBuf, String> {
    if path.contains('\0') {
        return Err("must be a path without NUL".to_owned());
    }
    if let Some(rest) = path.strip_prefix('~') {
        let rest = match rest.strip_prefix('/') {
            Some(rest) => rest.trim_start_matches('/'),
            None if rest.is_empty() => "",
            None => return Err("names another user's folder: write its whole path, from / on".to_owned()),
        };
        let home = home.map(Path::new).filter(|home| home.is_absolute());
        let home =
            home.ok_or("begins with ~, and HOME names no folder here: write the whole path, from / on")?;
        return absolute_of(&home.join(rest));
    }
    let path = Path::new(path);
    if path.is_absolute() {
        return absolute_of(path);
    }
    let meant = std::path::absolute(path).map_or_else(|_| "/…".to_owned(), |path| path.display().to_string());
    Err(format!("must be an absolute path, from / or ~/ on; did you mean {}?", quote(&meant)))
}

fn absolute_of(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("is not a usable path: {error}"))
}

/// Whether `inner` is `outer` or lies below it, links resolved as far as the paths exist.
pub(super) fn is_inside(inner: &Path, outer: &Path) -> bool {
    resolved(inner).starts_with(resolved(outer))
}

/// `path` with every link of its existing part followed, and `.` and `..` gone from the rest.
fn resolved(path: &Path) -> PathBuf {
    let mut existing = path.to_owned();
    let mut missing: Vec<OsString> = Vec::new();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return missing.iter().rev().fold(real, |path, part| path.join(part));
        }
        // A `..` behind something that does not exist can only be taken literally.
        match existing.components().next_back() {
            Some(Component::Normal(name)) => missing.push(name.to_owned()),
            Some(Component::ParentDir) => {
                existing.pop();
            }
            Some(Component::CurDir) => {}
            _ => return path.to_owned(),
        }
        existing.pop();
    }
}

/// Whether the control socket's path fits into a socket address.
pub(super) fn socket_fits(state_directory: &Path) -> bool {
    state_directory.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_and_a_relative_path_is_none() {
        let home = Some(OsStr::new("/home/you"));
        for (written, path) in [
            ("/drive", "/drive"),
            ("/drive//x/./y", "/drive/x/y"),
            ("~", "/home/you"),
            ("~/", "/home/you"),
            ("~/iCloud", "/home/you/iCloud"),
            ("~//iCloud/x y", "/home/you/iCloud/x y"),
            ("/a/~/b", "/a/~/b"),
        ] {
            assert_eq!(absolute(written, home), Ok(PathBuf::from(path)), "{written}");
        }
        assert!(absolute("~you/x", home).is_err_and(|why| why.contains("another user's")));
        for none in [None, Some(OsStr::new("")), Some(OsStr::new("home"))] {
            assert!(absolute("~/x", none).is_err_and(|why| why.contains("HOME")));
        }
        let here = std::env::current_dir().expect("a working directory");
        for relative in ["iCloud", "./iCloud", "iCloud/~"] {
            let meant = std::path::absolute(relative).expect("a path");
            assert!(meant.starts_with(&here));
            let why = absolute(relative, home).expect_err("relative");
            assert!(why.contains(&format!("did you mean \"{}\"?", meant.display())), "{why}");
        }
    }

    #[test]
    fn nesting_is_seen_through_links_and_missing_parts() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let root = temp.path();
        std::fs::create_dir_all(root.join("drive/sub")).expect("folders");
        std::os::unix::fs::symlink(root.join("drive"), root.join("link")).expect("a link");
        for (inner, outer, inside) in [
            ("drive", "drive", true),
            ("drive/state", "drive", true),
            ("drive/sub/new/deep", "drive", true),
            ("link/sub", "drive", true),
            ("link/missing", "drive", true),
            ("drive/../state", "drive", false),
            ("missing/../drive/x", "drive", true),
            ("drives", "drive", false),
            ("state", "drive", false),
        ] {
            assert_eq!(is_inside(&root.join(inner), &root.join(outer)), inside, "{inner} in {outer}");
        }
    }

    #[test]
    fn the_socket_limit_counts_its_name() {
        let fits = format!("/{}", "x".repeat(SOCKET_PATH_BYTES - SOCKET_NAME.len() - 2));
        assert!(socket_fits(Path::new(&fits)));
        assert!(!socket_fits(Path::new(&format!("{fits}x"))));
    }
}
