//! Real events in temporary folders; nothing sleeps, everything is waited for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crossbeam::channel::{never, unbounded};
use notify::event::{CreateKind, EventKind, Flag};
use tempfile::TempDir;

use super::worker::End;
use super::*;
use crate::model::RelPath;

const PATIENCE: Duration = Duration::from_secs(20);

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("a path")
}

struct Watched {
    temp: TempDir,
    watcher: Watcher,
    messages: Receiver<WatchMessage>,
}

impl Watched {
    /// A watched drive that holds `folders`.
    fn with(folders: &[&str]) -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        for folder in folders {
            fs::create_dir_all(temp.path().join("drive").join(folder)).expect("a folder");
        }
        fs::create_dir_all(temp.path().join("drive")).expect("the drive");
        let (watcher, messages) =
            Watcher::start(&temp.path().join("drive"), Arc::default()).expect("a watcher");
        assert_eq!(messages.recv_timeout(PATIENCE), Ok(WatchMessage::Ready));
        Self { temp, watcher, messages }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.temp.path().join("drive").join(path)
    }

    /// Everything that is told to be dirty until all of `wanted` was.
    fn dirty_until(&self, wanted: &[&str]) -> BTreeSet<RelPath> {
        let wanted: BTreeSet<RelPath> = wanted.iter().map(|folder| path(folder)).collect();
        let mut seen = BTreeSet::new();
        while !wanted.is_subset(&seen) {
            match self.messages.recv_timeout(PATIENCE) {
                Ok(WatchMessage::Dirty(folders)) => seen.extend(folders),
                other => panic!("{other:?} after {seen:?}, while {wanted:?} should be told"),
            }
        }
        seen
    }
}

#[test]
fn every_kind_of_change_marks_its_folder() {
    let drive = Watched::with(&["a", "b", "last"]);
    let file = drive.at("a/file");
    fs::write(&file, "one").expect("write");
    drive.dirty_until(&["a"]);
    let handle = fs::OpenOptions::new().append(true).open(&file).expect("open");
    drive.messages.try_iter().for_each(drop);
    handle.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("times");
    drive.dirty_until(&["a"]);
    drop(handle);
    fs::remove_file(&file).expect("remove");
    fs::write(drive.at("top"), "x").expect("write");
    drive.dirty_until(&["a", ""]);
    fs::create_dir(drive.at("b/new")).expect("a folder");
    drive.dirty_until(&["b", "b/new"]);
    fs::remove_dir(drive.at("b/new")).expect("remove");
    drive.dirty_until(&["b"]);
}

#[test]
fn both_halves_of_a_rename_are_marked_and_the_folder_is_followed() {
    let drive = Watched::with(&["from/inner/deep", "to"]);
    fs::rename(drive.at("from/inner"), drive.at("to/moved")).expect("rename");
    drive.dirty_until(&["from", "to", "to/moved", "to/moved/deep"]);
    fs::write(drive.at("to/moved/deep/file"), "x").expect("write");
    drive.dirty_until(&["to/moved/deep"]);
    fs::rename(drive.at("to/moved"), drive.temp.path().join("outside")).expect("rename");
    drive.dirty_until(&["to"]);
    fs::write(drive.temp.path().join("outside/deep/file"), "y").expect("write");
    fs::rename(drive.temp.path().join("outside"), drive.at("from/back")).expect("rename");
    // Late doubles of what happened before may be told too, and do no harm.
    drive.dirty_until(&["from", "from/back", "from/back/deep"]);
}

#[test]
fn what_came_into_a_new_folder_before_its_watch_is_seen() {
    let drive = Watched::with(&[]);
    for n in 0..50 {
        let deep = format!("n{n}/a/b/c");
        fs::create_dir_all(drive.at(&deep)).expect("folders");
        fs::write(drive.at(&deep).join("file"), "x").expect("write");
        drive.dirty_until(&["", &deep]);
    }
}

#[test]
fn reading_makes_no_message() {
    let drive = Watched::with(&["read/inner", "last"]);
    fs::write(drive.at("read/inner/file"), "content").expect("write");
    drive.dirty_until(&["read/inner"]);
    fs::write(drive.at("last/fence"), "x").expect("write");
    // Everything about `read` was told before `last`, because the kernel keeps the order.
    drive.dirty_until(&["last"]);
    for _ in 0..100 {
        assert_eq!(fs::read(drive.at("read/inner/file")).expect("read"), b"content");
        assert_eq!(fs::read_dir(drive.at("read")).expect("read").count(), 1);
    }
    fs::write(drive.at("last/sentinel"), "x").expect("write");
    assert_eq!(drive.dirty_until(&["last"]), BTreeSet::from([path("last")]));
}

#[test]
fn links_are_not_followed_and_our_own_folder_is_not_watched() {
    let drive = Watched::with(&[".icloudds/tmp", "sub/.icloudds", "last"]);
    let outside = drive.temp.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, drive.at("link")).expect("a link");
    drive.dirty_until(&[""]);
    fs::write(outside.join("file"), "x").expect("write");
    fs::write(drive.at("link/other"), "x").expect("write");
    fs::write(drive.at(".icloudds/tmp/part"), "x").expect("write");
    fs::create_dir(drive.at(".icloudds/trash")).expect("a folder");
    fs::write(drive.at("sub/.icloudds/part"), "x").expect("write");
    fs::write(drive.at("last/sentinel"), "x").expect("write");
    let seen = drive.dirty_until(&["last"]);
    assert_eq!(seen, BTreeSet::from([path("last")]));
}

#[test]
fn what_moves_out_of_our_own_folder_is_seen_where_it_arrives() {
    let drive = Watched::with(&[".icloudds/tmp", "a"]);
    fs::write(drive.at(".icloudds/tmp/part"), "x").expect("write");
    fs::rename(drive.at(".icloudds/tmp/part"), drive.at("a/file")).expect("rename");
    assert_eq!(drive.dirty_until(&["a"]), BTreeSet::from([path("a")]));
}

#[test]
fn a_root_that_goes_ends_the_watch() {
    for remove in [true, false] {
        let drive = Watched::with(&["a"]);
        assert!(drive.watcher.sees_the_root());
        let root = drive.at("");
        if remove {
            fs::remove_dir_all(&root).expect("remove");
        } else {
            fs::rename(&root, drive.temp.path().join("elsewhere")).expect("rename");
            fs::create_dir(&root).expect("another folder");
        }
        loop {
            match drive.messages.recv_timeout(PATIENCE) {
                Ok(WatchMessage::Dirty(_)) => {}
                Ok(other) => break assert_eq!(other, WatchMessage::RootGone),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(drive.messages.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
        assert!(!drive.watcher.sees_the_root());
    }
}

#[test]
fn dropping_the_watcher_ends_its_thread_even_while_nobody_listens() {
    let drive = Watched::with(&["a"]);
    for n in 0..OUT_ROOM * 4 {
        fs::create_dir(drive.at(&format!("a/{n}"))).expect("a folder");
    }
    let Watched { watcher, messages, .. } = drive;
    drop(watcher);
    assert!(messages.iter().all(|message| matches!(message, WatchMessage::Dirty(_))));
}

#[test]
fn a_missing_root_is_named() {
    let error = Watcher::start(Path::new("/nonexistent-drive"), Arc::default()).expect_err("no such folder");
    assert_eq!(error.to_string(), "cannot watch /nonexistent-drive: entity not found");
}

/// A worker over `root` whose watches are added by `add`.
fn worker(root: &Path, add: impl FnMut(&Path) -> notify::Result<()> + Send + 'static) -> Worker {
    Worker { root: root.to_owned(), add: Box::new(add), pending: Pending::default(), calls: Arc::default() }
}

#[test]
fn the_limit_ends_the_watch_and_is_told() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    for n in 0..5 {
        fs::create_dir(temp.path().join(n.to_string())).expect("a folder");
    }
    let mut left = 3;
    let worker = worker(temp.path(), move |_| {
        left -= 1;
        if left == 0 { Err(notify::Error::new(ErrorKind::MaxFilesWatch)) } else { Ok(()) }
    });
    let ((_raw_in, raw), (_missed_in, missed)) = (bounded(1), bounded(1));
    let ((out, messages), (_stop, stop)) = (bounded(1), bounded(0));
    worker.run(&Inputs { raw, missed, mounts: never(), stop }, &out);
    assert_eq!(messages.try_recv(), Ok(WatchMessage::Limit));
    let sentence = limit_sentence(Duration::from_secs(60));
    assert!(sentence.contains("sysctl fs.inotify.max_user_watches="), "{sentence}");
    assert!(sentence.contains("every 60 s"), "{sentence}");
}

#[test]
fn folders_that_vanish_or_may_not_be_read_do_not_stop_the_rest() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    for name in ["gone", "secret", "plain"] {
        fs::create_dir(temp.path().join(name)).expect("a folder");
    }
    let (added, adds) = bounded(10);
    let worker = worker(temp.path(), move |folder| match folder.file_name().and_then(|name| name.to_str()) {
        Some("gone") => Err(notify::Error::new(ErrorKind::PathNotFound)),
        Some("secret") => Err(notify::Error::io(io::ErrorKind::PermissionDenied.into())),
        _ => added.send(folder.to_owned()).map_err(|error| notify::Error::generic(&error.to_string())),
    });
    let ((raw_in, raw), (_missed_in, missed)) = (bounded(1), bounded(1));
    let ((out, messages), (_stop, stop)) = (bounded(2), bounded(0));
    drop(raw_in);
    worker.run(&Inputs { raw, missed, mounts: never(), stop }, &out);
    let added: BTreeSet<PathBuf> = adds.try_iter().collect();
    assert_eq!(added, BTreeSet::from([temp.path().to_owned(), temp.path().join("plain")]));
    assert!(messages.try_iter().any(|message| matches!(message, WatchMessage::Failed(_))));
}

#[test]
fn events_that_find_no_room_lead_to_a_full_scan() {
    let root = Path::new("/drive");
    let (raw_in, raw) = bounded(1);
    let (missed_in, missed) = bounded(1);
    let handler = Handler { root: root.to_owned(), raw: raw_in, missed: missed_in };
    for name in ["one", "two", "three"] {
        handler.handle(Ok(notify::Event::new(EventKind::Create(CreateKind::File)).add_path(root.join(name))));
    }
    assert_eq!(missed.len(), 1);
    let worker = worker(root, |_| Ok(()));
    let ((out, messages), (stop, stopped)) = (bounded(4), bounded(0));
    // The handler's end stays open until the scan was asked for.
    let thread =
        std::thread::spawn(move || worker.run(&Inputs { raw, missed, mounts: never(), stop: stopped }, &out));
    let rescan = messages.iter().find(|message| matches!(message, WatchMessage::Rescan(_)));
    assert!(rescan.is_some());
    drop(stop);
    thread.join().expect("the thread ends");
    drop(handler);
}

#[test]
fn a_kernel_overflow_and_failures_are_told() {
    let root = Path::new("/drive");
    let overflow = notify::Event::new(EventKind::Other).set_flag(Flag::Rescan);
    assert_eq!(sort(root, Ok(overflow)), Some(Raw::Overflow));
    let (_stop, stopped) = bounded(0);
    let mut worker = worker(root, |_| Ok(()));
    assert_eq!(worker.take(Raw::Overflow, &stopped), Ok(()));
    assert!(matches!(worker.pending.next(), Some(WatchMessage::Rescan(_))));
    for (raw, told) in [
        (Raw::RootGone, WatchMessage::RootGone),
        (Raw::Limit, WatchMessage::Limit),
        (Raw::Failed("x".to_owned()), WatchMessage::Failed("x".to_owned())),
    ] {
        assert_eq!(worker.take(raw, &stopped), Err(End::Tell(told)));
    }
}

#[test]
fn the_setting_decides_and_auto_asks() {
    let poll = |because: &str| Watching::Poll { because: because.to_owned() };
    assert_eq!(decide(config::Watch::Auto, || Ok(None)), Watching::Events);
    assert_eq!(decide(config::Watch::Auto, || Ok(Some("NFS is silent"))), poll("NFS is silent"));
    assert!(matches!(
        decide(config::Watch::Auto, || Err(io::ErrorKind::Other.into())),
        Watching::Poll { .. }
    ));
    let never = || -> io::Result<Option<&'static str>> { panic!("nobody needs to ask") };
    assert_eq!(decide(config::Watch::Off, never), Watching::Off);
    assert_eq!(decide(config::Watch::Poll, never), poll("sync.watch is \"poll\""));
}

#[test]
fn a_file_that_is_closed_after_writing_is_named() {
    let drive = Watched::with(&["a"]);
    fs::write(drive.at("a/file"), "content").expect("a file");
    let written = drive.watcher.written();
    let mut seen = BTreeSet::new();
    while !seen.contains(&path("a/file")) {
        drive.messages.recv_timeout(PATIENCE).expect("a message");
        seen.extend(written.take());
    }
    assert!(written.take().is_empty(), "each is told once");
}

#[test]
fn a_volume_that_is_mounted_meanwhile_is_watched() {
    let drive = Watched::with(&["volume"]);
    let Some(mounted) = crate::disk::tests::Mounted::tmpfs(&drive.at("volume"), "1m") else { return };
    let is_rescan = |message: &WatchMessage| matches!(message, WatchMessage::Rescan(_));
    while !is_rescan(&drive.messages.recv_timeout(PATIENCE).expect("a message")) {}
    fs::write(drive.at("volume/file"), "on the volume").expect("a file");
    drive.dirty_until(&["volume"]);
    drop(mounted);
    while !is_rescan(&drive.messages.recv_timeout(PATIENCE).expect("a message")) {}
}

#[test]
fn each_look_at_a_folder_is_noted_while_it_lasts() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(temp.path().join("vol/sub")).expect("folders");
    let calls = Arc::<OpenCalls>::default();
    let (seen_in, seen) = unbounded();
    let noted = Arc::clone(&calls);
    let add = move |_: &Path| {
        seen_in.send(noted.all().first().map(|call| (call.what, call.path.to_string()))).expect("heard");
        Ok(())
    };
    let mut worker = worker::Worker { calls: Arc::clone(&calls), ..worker(temp.path(), add) };
    let (_open, stop) = bounded(0);
    worker.take(Raw::Appeared(temp.path().join("vol")), &stop).expect("it is watched");
    drop(worker);
    let seen: Vec<_> = seen.iter().flatten().collect();
    assert_eq!(seen, [("watch", "vol".to_owned()), ("watch", "vol/sub".to_owned())]);
    assert_eq!(calls.all(), []);
}

#[test]
fn who_drops_a_watcher_does_not_wait_for_a_disk_that_hangs() {
    let (stop, _stopped) = bounded(0);
    let (alive, ended) = bounded(0);
    let (answers, answer) = bounded::<()>(0);
    let (over_in, over) = bounded(1);
    let thread = std::thread::spawn(move || {
        // As in the kernel: nothing but the disk ends this.
        let _ = answer.recv();
        over_in.send(()).expect("room for one");
        drop(alive);
    });
    let watcher = Watcher {
        root: "/".into(),
        identity: (0, 0),
        stop: Some(stop),
        thread: Some(thread),
        ended,
        mounts: None,
        written: Arc::default(),
    };
    drop(watcher);
    assert!(over.is_empty(), "it still hangs");
    drop(answers);
    assert_eq!(over.recv(), Ok(()));
}
