use std::fs;

use super::*;
use crate::disk::{LockError, inspect_drive, inspect_state, lock_drive, lock_state};

#[test]
fn the_second_instance_learns_who_the_first_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(inspect_state(folder.path()).unwrap(), None);
    assert_eq!(inspect_drive(folder.path()).unwrap(), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "looking makes nothing");
    for (lock, inspect) in
        [(lock_state as fn(&Path) -> _, inspect_state as fn(&Path) -> _), (lock_drive, inspect_drive)]
    {
        let held = lock(folder.path()).unwrap();
        let error = lock(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let expected = format!("another instance is running: pid {} on ", std::process::id());
        assert!(error.to_string().starts_with(&expected), "{error}");
        let LockError::Held { holder: Some(holder), .. } = error else { panic!("{error}") };
        assert!(!holder.host.is_empty());
        assert_eq!(inspect(folder.path()).unwrap(), Some(holder));
        drop(held);
        // The file that is left behind, whatever it says, keeps nobody out.
        assert_eq!(inspect(folder.path()).unwrap(), None);
        drop(lock(folder.path()).unwrap());
    }
    fs::write(folder.path().join("lock"), "rubbish").unwrap();
    let _held = lock_state(folder.path()).unwrap();
}

#[test]
fn a_lock_that_cannot_be_made_says_why() {
    let error = lock_state(Path::new("/nonexistent/folder")).unwrap_err();
    assert!(matches!(error, LockError::Io { .. }) && error.exit_code() == 4, "{error}");
}
