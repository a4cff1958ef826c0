use std::cell::RefCell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::*;
use crate::engine::observe::local::{observe_local, rescan, signatures};
use crate::engine::ports::{Clock, DiskError, Stopped};
use crate::engine::view::LocalView;
use crate::model::{DiskTime, FolderState, LocalKind, Node};

/// A clock that shows what it is set to.
struct Hand(AtomicI64);

impl Hand {
    fn now_and(seconds: i64) -> Self {
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap();
        Self(AtomicI64::new(now + seconds * 1_000_000_000))
    }
}

impl Clock for Hand {
    fn now(&self) -> DiskTime {
        DiskTime(self.0.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }

    fn boot(&self) -> u64 {
        1
    }

    fn pause(&self, _: Duration) -> Result<(), Stopped> {
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        0.0
    }
}

fn paths(view: &LocalView) -> Vec<String> {
    let tree = &view.tree;
    tree.walk(Node::ROOT).skip(1).map(|node| tree.path(node).as_str().to_owned()).collect()
}

fn at(view: &LocalView, text: &str) -> Node {
    view.tree.find(&path(text)).unwrap_or_else(|| panic!("{text} is not in {:?}", paths(view)))
}

#[test]
fn a_scan_sees_all_that_is_there() {
    let drive = Drive::new();
    fs::create_dir_all(drive.full("a/b/.icloudds/tmp")).unwrap();
    drive.write("a/b/c", "c");
    drive.folder("empty");
    drive.folder("skipped/inner");
    std::os::unix::fs::symlink("/", drive.full("link")).unwrap();
    fs::write(drive.full("a").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    let asked = RefCell::new(Vec::new());
    let skip = |at: &RelPath| {
        asked.borrow_mut().push(at.as_str().to_owned());
        at.as_str() == "skipped"
    };
    let view = observe_local(&drive.disk, &Hand::now_and(0), &skip).unwrap();
    assert_eq!(paths(&view), ["a", "a/b", "a/b/c", "empty", "link", "skipped"]);
    let entry = |text| view.tree.get(at(&view, text));
    assert_eq!(entry("empty").state, FolderState::Complete);
    assert_eq!(entry("skipped").state, FolderState::Unread);
    assert_eq!(entry("link").kind, LocalKind::Special);
    assert!(entry("a").holds_unnameable && !entry("a/b").holds_unnameable);
    assert_eq!(view.unnameable, [(path("a"), "\u{fffd}".to_owned())]);
    assert_eq!(view.failed, []);
    assert!(entry("a/b/c").racy);
    asked.borrow_mut().sort();
    assert_eq!(*asked.borrow(), ["a", "a/b", "empty", "skipped"]);
}

#[test]
fn only_a_recent_stamp_is_racy() {
    let drive = Drive::new();
    drive.write("a", "x");
    let view = observe_local(&drive.disk, &Hand::now_and(1), &|_| false).unwrap();
    assert!(view.tree.get(at(&view, "a")).racy);
    // An old modification time does not hide that the inode changed now.
    let file = fs::File::open(drive.full("a")).unwrap();
    filetime::set_file_handle_times(&file, None, Some(filetime::FileTime::from_unix_time(1, 0))).unwrap();
    let view = observe_local(&drive.disk, &Hand::now_and(0), &|_| false).unwrap();
    assert!(view.tree.get(at(&view, "a")).racy);
}

/// Makes every stamp so far old: nothing is racy in a view any more.
fn settle(view: &mut LocalView) {
    let nodes: Vec<Node> = view.tree.walk(Node::ROOT).collect();
    for node in nodes {
        view.tree.get_mut(node).racy = false;
    }
}

#[test]
fn a_rescan_reads_only_what_it_is_told_and_keeps_signatures() {
    let drive = Drive::new();
    drive.folder("f/inner");
    drive.write("f/kept", "kept");
    drive.write("f/edited", "old");
    drive.write("f/gone", "gone");
    drive.write("f/inner/deep", "deep");
    drive.write("other", "other");
    let clock = Hand::now_and(0);
    let mut view = observe_local(&drive.disk, &clock, &|_| false).unwrap();
    let files: Vec<Node> = view.tree.walk(Node::ROOT).collect();
    assert!(signatures(&drive.disk, &clock, &mut view.tree, &files, 3).is_empty());
    let signed = |view: &LocalView, text| view.tree.get(at(view, text)).signature.get();
    assert_eq!(signed(&view, "f/kept"), Some(signature_of("kept")));
    assert_eq!(signed(&view, "f/inner/deep"), Some(signature_of("deep")));
    settle(&mut view);

    drive.write("f/edited", "newer");
    fs::remove_file(drive.full("f/gone")).unwrap();
    drive.folder("f/new/inner");
    drive.write("f/new/inner/x", "x");
    drive.write("other", "unseen");
    rescan(&drive.disk, &clock, &mut view, &[path("f")], &|_| false).unwrap();
    let expected = [
        "f",
        "f/edited",
        "f/inner",
        "f/inner/deep",
        "f/kept",
        "f/new",
        "f/new/inner",
        "f/new/inner/x",
        "other",
    ];
    assert_eq!(paths(&view), expected);
    assert_eq!(signed(&view, "f/kept"), Some(signature_of("kept")));
    assert_eq!(signed(&view, "f/inner/deep"), Some(signature_of("deep")));
    assert_eq!(signed(&view, "f/edited"), None);
    assert_eq!(signed(&view, "other"), Some(signature_of("other")), "nobody said to look there");

    // A racy stamp vouches for nothing.
    let kept = at(&view, "f/kept");
    view.tree.get_mut(kept).racy = true;
    rescan(&drive.disk, &clock, &mut view, &[path("f")], &|_| false).unwrap();
    assert_eq!(signed(&view, "f/kept"), None);
}

#[test]
fn a_rescan_finds_what_became_of_a_folder() {
    let drive = Drive::new();
    drive.folder("a/b/c");
    drive.write("a/b/c/x", "x");
    let clock = Hand::now_and(0);
    let mut view = observe_local(&drive.disk, &clock, &|_| false).unwrap();
    // Gone with what held it, and asked for by its old name.
    fs::remove_dir_all(drive.full("a/b")).unwrap();
    rescan(&drive.disk, &clock, &mut view, &[path("a/b/c")], &|_| false).unwrap();
    assert_eq!(paths(&view), ["a"]);
    // New, and asked for by a name that nobody knows yet.
    drive.folder("n/m");
    drive.write("n/m/y", "y");
    rescan(&drive.disk, &clock, &mut view, &[path("n/m"), path("n")], &|_| false).unwrap();
    assert_eq!(paths(&view), ["a", "n", "n/m", "n/m/y"]);
    // A folder became a file, and another folder took the place of one.
    fs::remove_dir(drive.full("a")).unwrap();
    drive.write("a", "file now");
    fs::rename(drive.full("n/m"), drive.full("old-m")).unwrap();
    drive.folder("n/m");
    rescan(&drive.disk, &clock, &mut view, &[path("a"), path("n")], &|_| false).unwrap();
    assert_eq!(paths(&view), ["a", "n", "n/m", "old-m", "old-m/y"]);
    assert_eq!(view.tree.get(at(&view, "a")).kind, LocalKind::File);
    let fresh = observe_local(&drive.disk, &clock, &|_| false).unwrap();
    assert_eq!(paths(&view), paths(&fresh));
}

#[test]
fn a_folder_that_cannot_be_read_is_incomplete() {
    use std::os::unix::fs::PermissionsExt;
    let drive = Drive::new();
    drive.folder("locked");
    drive.write("locked/x", "x");
    if !permissions_bind() {
        return;
    }
    fs::set_permissions(drive.full("locked"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut view = observe_local(&drive.disk, &Hand::now_and(0), &|_| false).unwrap();
    assert_eq!(view.tree.get(at(&view, "locked")).state, FolderState::Incomplete);
    assert_eq!(view.failed.len(), 1);
    fs::set_permissions(drive.full("locked"), fs::Permissions::from_mode(0o700)).unwrap();
    rescan(&drive.disk, &Hand::now_and(0), &mut view, &[RelPath::root()], &|_| false).unwrap();
    assert_eq!((paths(&view).len(), view.failed.len()), (2, 0));
}

#[test]
fn nothing_is_said_of_a_wrong_root() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("drive");
    fs::create_dir(&folder).unwrap();
    let disk = LocalDisk::open(&folder, Options::default()).unwrap();
    let clock = Hand::now_and(0);
    let mut view = observe_local(&disk, &clock, &|_| false).unwrap();
    fs::remove_dir(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    let wrong = observe_local(&disk, &clock, &|_| false).unwrap_err();
    assert!(matches!(wrong, DiskError::WrongRoot(_)), "{wrong}");
    assert!(rescan(&disk, &clock, &mut view, &[RelPath::root()], &|_| false).is_err());
}

#[test]
fn a_file_that_changed_since_the_scan_stays_unsigned() {
    let drive = Drive::new();
    drive.write("a", "x");
    drive.write("b", "y");
    drive.write("c", "z");
    let mut view = observe_local(&drive.disk, &Hand::now_and(0), &|_| false).unwrap();
    drive.write("a", "changed");
    fs::remove_file(drive.full("b")).unwrap();
    let wanted = ["a", "b", "c"].map(|text| at(&view, text));
    assert!(signatures(&drive.disk, &Hand::now_and(0), &mut view.tree, &wanted, 8).is_empty());
    let signed = wanted.map(|node| view.tree.get(node).signature.get());
    assert_eq!(signed, [None, None, Some(signature_of("z"))]);
}

#[test]
fn a_rescan_of_a_folder_whose_place_another_one_took_finds_out() {
    let drive = Drive::new();
    drive.folder("a");
    drive.write("a/x", "x");
    let clock = Hand::now_and(0);
    let mut view = observe_local(&drive.disk, &clock, &|_| false).unwrap();
    let before = view.tree.get(at(&view, "a")).stamp;
    // As when a volume is unmounted: another folder shows, and what it lacks is not missing.
    fs::rename(drive.full("a"), drive.full("away")).unwrap();
    drive.folder("a");
    drive.write("a/y", "y");
    rescan(&drive.disk, &clock, &mut view, &[path("a")], &|_| false).unwrap();
    assert_ne!(view.tree.get(at(&view, "a")).stamp.identity, before.identity);
    assert_eq!(paths(&view), ["a", "a/y", "away", "away/x"]);
}

/// A chain of folders in the drive, made without long paths; `rm` knows how to remove it, the standard library does not.
struct Chain<'a>(&'a Drive);

impl<'a> Chain<'a> {
    fn make(drive: &'a Drive, folders: usize) -> Self {
        use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut folder = openat(CWD, drive.root(), flags, Mode::empty()).unwrap();
        for _ in 0..folders {
            mkdirat(&folder, "c", Mode::RWXU).unwrap();
            folder = openat(&folder, "c", flags, Mode::empty()).unwrap();
        }
        Self(drive)
    }
}

impl Drop for Chain<'_> {
    fn drop(&mut self) {
        let removed = std::process::Command::new("rm").arg("-rf").arg(self.0.full("c")).status();
        assert!(removed.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_chain_deeper_than_the_scan_goes_is_told_and_not_taken_for_empty() {
    use crate::model::path::DEEPEST;
    for (folders, is_left) in [(3000, false), (DEEPEST + 5, true)] {
        let drive = Drive::new();
        let _chain = Chain::make(&drive, folders);
        let clock = Hand::now_and(0);
        let mut view = observe_local(&drive.disk, &clock, &|_| false).unwrap();
        assert_eq!(view.tree.len() - 1, folders.min(DEEPEST));
        let deepest = path(&vec!["c"; DEEPEST].join("/"));
        let told: Vec<_> = is_left.then_some(deepest.clone()).into_iter().collect();
        assert_eq!((&view.too_deep, &view.failed), (&told, &vec![]));
        // A change below the limit, as the watcher tells it, changes nothing.
        rescan(&drive.disk, &clock, &mut view, std::slice::from_ref(&deepest), &|_| false).unwrap();
        assert_eq!((view.tree.len() - 1, &view.too_deep), (folders.min(DEEPEST), &told));
        if is_left {
            let node = at(&view, deepest.as_str());
            assert_eq!(view.tree.get(node).state, FolderState::Incomplete);
        }
    }
}
