use std::io;
use std::sync::Arc;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::*;
use crate::engine::observe::local::observe_local;
use crate::engine::ports::{Attended, Clock, Disk, DiskError, Displaced, Download, DownloadKey};
use crate::engine::ports::{FolderReading, Ready, Source};
use crate::model::{DiskTime, LocalEntry, LocalStamp, Stopped};

/// A clock that stands still: nothing here goes by it.
struct Still;

impl Clock for Still {
    fn now(&self) -> DiskTime {
        DiskTime::new(1_000_000, 0)
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

/// A disk on a real folder, of which one folder is not read before the test lets it.
struct Hanging {
    inner: crate::disk::LocalDisk,
    at: RelPath,
    reached: Sender<()>,
    release: Receiver<()>,
}

fn never<T>() -> Result<T, DiskError> {
    Err(DiskError::Io { what: "use", path: RelPath::root(), source: io::Error::other("only looked at") })
}

impl Disk for Hanging {
    fn check_root(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn folds_case(&self) -> bool {
        false
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        if *folder == self.at {
            self.reached.send(()).expect("the test waits");
            self.release.recv().expect("the test releases it");
        }
        self.inner.read_folder(folder)
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        self.inner.look(path)
    }

    fn open(&self, _: &RelPath, _: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        never()
    }

    fn make_folder(&self, _: &RelPath) -> Result<LocalEntry, DiskError> {
        never()
    }

    fn download(&self, _: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        never()
    }

    fn place(&self, _: &Ready, _: &RelPath) -> Result<LocalEntry, DiskError> {
        never()
    }

    fn replace(&self, _: &Ready, _: &RelPath, _: &LocalStamp) -> Result<(LocalEntry, Displaced), DiskError> {
        never()
    }

    fn discard(&self, _: &Ready) {}

    fn rescue(&self, _: &str, _: &RelPath) -> Result<LocalEntry, DiskError> {
        never()
    }

    fn rename(&self, _: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        never()
    }

    fn move_across(&self, _: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        never()
    }

    fn trash(&self, _: &RelPath, _: &LocalStamp) -> Result<(), DiskError> {
        never()
    }

    fn sync(&self, _: &[(RelPath, LocalStamp)], _: &[RelPath]) -> Result<(), DiskError> {
        never()
    }
}

#[test]
fn a_scan_that_hangs_is_told_once_with_its_folder_and_recovers_by_itself() {
    let temp = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir_all(temp.path().join("a/vol")).expect("folders");
    std::fs::write(temp.path().join("a/vol/kept.txt"), "kept").expect("a file");
    let at = RelPath::parse("a/vol").expect("a path");
    let (reached, is_reached) = bounded(0);
    let (released, release) = bounded(0);
    let inner = crate::disk::LocalDisk::open(temp.path(), crate::disk::Options::default()).expect("a folder");
    let disk = Hanging { inner, at: at.clone(), reached, release };
    let mut patience = DiskPatience::default();
    let calls = Arc::clone(patience.calls());

    std::thread::scope(|scope| {
        let scan = scope.spawn(|| {
            let attended = Attended { disk: &disk, calls };
            observe_local(&attended, &Still, &|_| false)
        });
        is_reached.recv().expect("the scan gets there");
        let began = Instant::now();
        assert_eq!(patience.look(began), PatienceNews::Nothing);
        assert_eq!(patience.look_at(false, began), Some(began + LOOK), "it is looked at again");
        let almost = began + PATIENCE - Duration::from_millis(1);
        assert_eq!(patience.look(almost), PatienceNews::Nothing);
        let PatienceNews::Hangs(call) = patience.look(began + PATIENCE) else { panic!("it is not told") };
        assert_eq!((call.what, &call.path), ("read", &at));
        let sentence = DiskPatience::of(temp.path()).hang_sentence(temp.path(), &call);
        assert!(sentence.contains(&format!("cannot read {}/a/vol", temp.path().display())), "{sentence}");
        assert_eq!(patience.look(began + 2 * PATIENCE), PatienceNews::Nothing, "told once");

        released.send(()).expect("the scan waits");
        let view = scan.join().expect("no panic").expect("a view");
        let kept = RelPath::parse("a/vol/kept.txt").expect("a path");
        assert!(view.tree.find(&kept).is_some() && view.failed.is_empty(), "all is seen, late");
        let after = 3 * PATIENCE;
        assert_eq!(patience.look(began + after), PatienceNews::Answers { call, after });
        assert_eq!(patience.look(began + after), PatienceNews::Nothing);
        assert_eq!(patience.look_at(false, began), None, "nobody is at the disk");
    });
}

#[test]
fn many_short_calls_are_no_hang() {
    let mut patience = DiskPatience::default();
    let calls = Arc::clone(patience.calls());
    let mut now = Instant::now();
    for _ in 0..100 {
        let noted = calls.begins("read", &RelPath::root());
        assert_eq!(patience.look(now), PatienceNews::Nothing);
        drop(noted);
        now += PATIENCE / 2;
    }
    assert_eq!(patience.look(now), PatienceNews::Nothing);
}

#[test]
fn a_call_that_hangs_is_seen_behind_others_that_come_and_go() {
    let mut patience = DiskPatience::default();
    let calls = Arc::clone(patience.calls());
    let began = Instant::now();
    let path = RelPath::parse("stuck").expect("a path");
    let stuck = calls.begins("read", &path);
    for step in 0..6 {
        let _other = calls.begins("read", &RelPath::root());
        assert_eq!(patience.look(began + step * LOOK), PatienceNews::Nothing);
    }
    assert!(matches!(patience.look(began + PATIENCE), PatienceNews::Hangs(call) if call.path == path));
    drop(stuck);
    assert!(matches!(patience.look(began + PATIENCE), PatienceNews::Answers { .. }));
}

#[test]
fn where_two_calls_hang_the_disk_answers_once_both_have_come_back() {
    let mut patience = DiskPatience::default();
    let calls = Arc::clone(patience.calls());
    let began = Instant::now();
    let path = |name: &str| RelPath::parse(name).expect("a path");
    let first = calls.begins("read", &path("first"));
    assert_eq!(patience.look(began), PatienceNews::Nothing);
    let second = calls.begins("read", &path("second"));
    assert_eq!(patience.look(began + LOOK), PatienceNews::Nothing);
    let told = |news| if let PatienceNews::Hangs(call) = news { Some(call.path) } else { None };
    assert_eq!(told(patience.look(began + PATIENCE)), Some(path("first")));
    assert_eq!(patience.look(began + PATIENCE + LOOK), PatienceNews::Nothing, "one is told at a time");
    drop(first);
    assert_eq!(told(patience.look(began + PATIENCE + 2 * LOOK)), Some(path("second")));
    drop(second);
    let news = patience.look(began + 2 * PATIENCE);
    assert!(matches!(news, PatienceNews::Answers { call, .. } if call.path == path("second")));
}

#[test]
fn the_root_is_named_as_it_is_configured() {
    let call = OpenCall { serial: 1, what: "read", path: RelPath::root() };
    let sentence = DiskPatience::default().hang_sentence(Path::new("/nowhere/drive"), &call);
    assert!(sentence.contains("cannot read /nowhere/drive. Nothing"), "{sentence}");
}
