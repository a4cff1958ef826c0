//! Where things lie on this machine: nothing of ours inside the synced folder.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// The name of the control socket in the state directory.
pub const SOCKET_NAME: &str = "control.sock";

/// The longest path that a Unix socket can have, in bytes.
pub const SOCKET_PATH_BYTES: usize = 107;

/// `path` as an absolute one, from the working directory.
pub(super) fn absolute(path: &str) -> Result<PathBuf, String> {
    if path.contains('\0') {
        return Err("must be a path without NUL".to_owned());
    }
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
