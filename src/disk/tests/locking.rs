use std::fs;
use std::time::{Duration, Instant};

use super::*;
use crate::disk::{LockError, inspect_root, inspect_state, lock_root, lock_state};

#[test]
fn the_second_instance_learns_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(inspect_state(folder.path()).unwrap(), None);
    assert_eq!(inspect_root(folder.path()).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking makes nothing");
    for (lock, inspect) in
        [(lock_state as fn(&Path) -> _, inspect_state as fn(&Path) -> _), (lock_root, inspect_root)]
    {
        let held = lock(folder.path()).unwrap();
        let error = lock(folder.path()).unwrap_err();
        assert_eq!(error.exit_code().code(), 1);
        let expected = format!("another instance is running: pid {} on ", std::process::id());
        assert!(error.to_string().starts_with(&expected), "{error}");
        let LockError::Held { holder: Some(holder), .. } = error else { panic!("{error}") };
        assert!(!holder.host.is_empty());
        assert_eq!(inspect(folder.path()).unwrap(), Some(holder));
        drop(held);
        // The file that is left behind, whatever it says, keeps nobody out.
        released(|| inspect(folder.path()).unwrap().is_none());
        released(|| lock(folder.path()).is_ok());
    }
    fs::write(folder.path().join("lock"), "rubbish").unwrap();
    released(|| lock_state(folder.path()).is_ok());
}

/// Waits until a lock that was dropped is free. Other tests of this process start programs, and a child holds a copy of
/// every open file, with its lock, from its fork to its exec.
fn released(mut free: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !free() {
        assert!(Instant::now() < limit, "the lock outlives its holder");
        std::thread::yield_now();
    }
}

#[test]
fn a_lock_that_cannot_be_made_says_why() {
    let error = lock_state(Path::new("/nonexistent/folder")).unwrap_err();
    assert!(matches!(error, LockError::Io { .. }) && error.exit_code().code() == 4, "{error}");
}

#[test]
fn whoever_removes_the_file_lets_nobody_else_in() {
    for file in [".icloudds/lock", ".icloudds"] {
        let folder = tempfile::tempdir().unwrap();
        let held = lock_root(folder.path()).unwrap();
        let path = folder.path().join(file);
        std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path)).unwrap();
        assert!(matches!(lock_root(folder.path()), Err(LockError::Held { .. })), "{file}");
        drop(held);
        released(|| lock_root(folder.path()).is_ok());
    }
}
