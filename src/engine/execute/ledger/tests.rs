//! What is durable before what is stored, and what is stored together.

mod counted;
mod durable;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Mutex;

use super::super::testing::{entry, folder, id, local_entry, path, signature, stamp, state};
use super::*;
use crate::engine::ports::{
    DiskError, Displaced, Download, DownloadKey, FolderReading, Ready, Source, Stopped, StoreError,
};
use crate::model::{BaseEntry, DiskTime, LocalEntry, LocalKind};

/// Files and folders made durable together, by their paths.
type Synced = (Vec<String>, Vec<String>);

/// A disk that notes what is made durable, and can do nothing else.
#[derive(Default)]
struct Durable {
    synced: Mutex<Vec<Synced>>,
    /// What stands there; anything else is as whoever asks expects it to be gone.
    stamps: HashMap<RelPath, LocalStamp>,
    /// What a sync fails with.
    fails: Option<fn() -> DiskError>,
    /// What a look fails with.
    blind: bool,
}

/// What this disk is never asked.
fn not_asked<T>() -> Result<T, DiskError> {
    Err(DiskError::WrongRoot("nobody asks that here".into()))
}

impl Disk for Durable {
    fn check_root(&self) -> Result<(), DiskError> {
        not_asked()
    }
    fn folds_case(&self) -> bool {
        false
    }
    fn read_folder(&self, _: &RelPath) -> Result<FolderReading, DiskError> {
        not_asked()
    }
    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        if self.blind {
            return Err(DiskError::Folder { path: path.clone() });
        }
        Ok(self.stamps.get(path).map(|stamp| local_entry(LocalKind::File, *stamp)))
    }
    fn open(&self, _: &RelPath, _: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        not_asked()
    }
    fn make_folder(&self, _: &RelPath) -> Result<LocalEntry, DiskError> {
        not_asked()
    }
    fn download(&self, _: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        not_asked()
    }
    fn place(&self, _: &Ready, _: &RelPath) -> Result<LocalEntry, DiskError> {
        not_asked()
    }
    fn replace(&self, _: &Ready, _: &RelPath, _: &LocalStamp) -> Result<(LocalEntry, Displaced), DiskError> {
        not_asked()
    }
    fn discard(&self, _: &Ready) {}
    fn rescue(&self, _: &str, _: &RelPath) -> Result<LocalEntry, DiskError> {
        not_asked()
    }
    fn rename(&self, _: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        not_asked()
    }
    fn move_across(&self, _: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        not_asked()
    }
    fn trash(&self, _: &RelPath, _: &LocalStamp) -> Result<(), DiskError> {
        not_asked()
    }
    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError> {
        let files = files.iter().map(|(path, _)| path.to_string()).collect();
        let folders = folders.iter().map(ToString::to_string).collect();
        self.synced.lock().unwrap().push((files, folders));
        self.fails.map_or(Ok(()), |error| Err(error()))
    }
}

/// A clock that stands still until it is set.
#[derive(Default)]
struct Still(Mutex<u64>);

impl Clock for Still {
    fn now(&self) -> DiskTime {
        DiskTime::new(1_000_000 + i64::try_from(*self.0.lock().unwrap()).unwrap(), 0)
    }
    fn uptime(&self) -> Duration {
        Duration::from_secs(*self.0.lock().unwrap())
    }
    fn boot(&self) -> u64 {
        1
    }
    fn pause(&self, _: Duration) -> Result<(), Stopped> {
        Err(Stopped)
    }
    fn unit_random(&self) -> f64 {
        0.0
    }
}

/// A store that keeps the groups, or takes none.
#[derive(Clone, Default)]
struct Groups {
    kept: Rc<RefCell<Vec<Vec<Change>>>>,
    refuses: bool,
}

impl Store for Groups {
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        if self.refuses {
            return Err(StoreError::Failed("it refuses".into()));
        }
        self.kept.borrow_mut().push(changes.to_vec());
        Ok(())
    }
}

/// All that a ledger is made of.
#[derive(Default)]
struct Desk {
    disk: Durable,
    clock: Still,
    store: Groups,
}

impl Desk {
    /// Does something with a ledger over `state`, which stores ten changes, or what is older than five seconds.
    fn over<T>(&mut self, state: &mut State, work: impl FnOnce(&mut Ledger<'_>, &Still) -> T) -> T {
        let mut store = self.store.clone();
        let age = Duration::from_secs(5);
        let mut ledger = Ledger::new(&self.disk, &self.clock, state, &mut store, 10, age);
        work(&mut ledger, &self.clock)
    }

    fn groups(&self) -> Vec<Vec<Change>> {
        self.store.kept.borrow().clone()
    }

    fn synced(&self) -> Vec<Synced> {
        self.disk.synced.lock().unwrap().clone()
    }
}

/// The folder `d` with the files `d/a` and `d/b`.
fn base() -> State {
    state([
        ("top", folder("folder", "d", 9)),
        ("folder", entry("item", "a", stamp(1, 1), "1::1")),
        ("folder", entry("other", "b", stamp(2, 1), "1::1")),
    ])
}

fn put_of(parent: &str, entry: BaseEntry) -> Lesson {
    Lesson::Put { parent: id(parent), entry: Box::new(entry), written: false }
}

fn put(of: &str, name: &str, stamp: LocalStamp) -> Lesson {
    put_of("folder", entry(of, name, stamp, "2::2"))
}

fn ids_put(changes: &[Change]) -> Vec<(ItemId, ItemId, String)> {
    let puts = changes.iter().filter_map(|change| match change {
        Change::Put { parent, entry } => {
            Some((parent.clone(), entry.id.clone(), entry.local_name.to_string()))
        }
        _ => None,
    });
    puts.collect()
}

#[test]
fn a_group_is_stored_once_it_is_old_or_large_and_then_applied() {
    let synced = |count: usize| (0..count).map(|_| Lesson::Change(Change::Synced(7))).collect::<Vec<_>>();
    for (count, seconds, is_due) in
        [(0, 60, false), (1, 4, false), (1, 5, true), (9, 4, false), (10, 0, true), (11, 0, true)]
    {
        let (mut desk, mut state) = (Desk::default(), base());
        desk.over(&mut state, |ledger, clock| {
            // Time that went by before the first change does not count.
            *clock.0.lock().unwrap() = 100;
            ledger.learn(synced(count.min(1))).unwrap();
            *clock.0.lock().unwrap() = 100 + seconds;
            ledger.learn(synced(count.saturating_sub(1))).unwrap();
            ledger.flush_if_due().unwrap();
            assert_eq!(ledger.take_stored().len(), if is_due { count } else { 0 }, "{count} {seconds}");
            assert_eq!(ledger.take_stored(), [], "once only");
            // The next group begins anew.
            ledger.learn(synced(usize::from(is_due))).unwrap();
            ledger.flush_if_due().unwrap();
        });
        assert_eq!(desk.groups().len(), usize::from(is_due), "{count} {seconds}");
        assert_eq!(state.last_sync, is_due.then_some(7), "{count} {seconds}");
        assert_eq!(desk.synced(), [], "nothing on the disk is concerned");
    }
}

#[test]
fn any_lesson_begins_the_age_of_a_group() {
    let beside = Lesson::KeptBeside(path("d/copy"), stamp(3, 1));
    let touched = Lesson::Touched(path("d"));
    for lesson in [touched, beside, Lesson::InPlaceRefused, Lesson::Change(Change::End(1))] {
        let (mut desk, mut state) = (Desk::default(), base());
        desk.over(&mut state, |ledger, clock| {
            ledger.learn(vec![lesson.clone()]).unwrap();
            *clock.0.lock().unwrap() = 5;
            ledger.flush_if_due().unwrap();
        });
        assert_eq!(desk.groups().len() + desk.synced().len(), 1, "{lesson:?}");
    }
}

#[test]
fn what_has_no_folder_in_the_base_is_planned_again_or_passed_over() {
    let (mut desk, mut state) = (Desk::default(), base());
    let stray = || Box::new(entry("new", "n", stamp(3, 1), "1::1"));
    desk.over(&mut state, |ledger, _| {
        let possible = Lesson::PutIfPossible { parent: id("nobody"), entry: stray() };
        ledger.learn(vec![possible]).unwrap();
        let lessons = vec![put_of("nobody", *stray()), Lesson::Change(Change::Synced(7))];
        assert!(matches!(ledger.learn(lessons), Err(StepFailure::Replan(_))));
        ledger.flush().unwrap();
    });
    assert_eq!(desk.groups().len(), 0, "what comes after it is not learnt either");
    desk.over(&mut state, |ledger, _| {
        let possible = Lesson::PutIfPossible { parent: id("folder"), entry: stray() };
        ledger.learn(vec![possible, Lesson::Forget(id("item")), Lesson::Forget(id("nobody"))]).unwrap();
        ledger.flush().unwrap();
    });
    let [group] = &desk.groups()[..] else { panic!("one group") };
    assert_eq!(ids_put(group), [(id("folder"), id("new"), "n".to_owned())]);
    assert_eq!(group.last(), Some(&Change::Remove(id("item"))));
    assert!(state.base.by_id(&id("item")).is_none() && state.base.by_id(&id("new")).is_some());
}

#[test]
fn an_intent_is_stored_under_the_next_number_before_it_is_acted_on() {
    let intent = || Intent::TrashHere { items: Vec::new() };
    let (mut desk, mut state) = (Desk::default(), base());
    state.apply(&Change::Begin(7, intent()));
    let numbers = desk.over(&mut state, |ledger, _| {
        let mut prepare = |before| ledger.prepare(before).unwrap();
        let noted = || Before::Noted(Box::new(intent()));
        [prepare(Before::Nothing), prepare(noted()), prepare(noted())]
    });
    assert_eq!(numbers, [None, Some(8), Some(9)]);
    assert_eq!(desk.groups(), [vec![Change::Begin(8, intent())], vec![Change::Begin(9, intent())]]);
    let stored =
        desk.over(&mut state, |ledger, _| ledger.prepare(Before::Stored(vec![Change::Synced(3)])).unwrap());
    assert_eq!((stored, state.last_sync), (None, Some(3)));
    let first =
        Desk::default().over(&mut base(), |ledger, _| ledger.prepare(Before::Noted(Box::new(intent()))));
    assert_eq!(first.unwrap(), Some(0));
}

#[test]
fn what_is_known_of_signatures_goes_by_what_is_pending() {
    let (mut desk, mut state) = (Desk::default(), base());
    state.calibration = Calibration { matches: 3, ..Calibration::default() };
    let expected = Calibration { matches: 5, mismatches: 1, in_place_refused: true };
    desk.over(&mut state, |ledger, _| {
        let lessons = [true, false, true].map(Lesson::Calibrated);
        ledger.learn([&lessons[..], &[Lesson::InPlaceRefused]].concat()).unwrap();
        assert_eq!(ledger.calibration(), expected);
        assert_eq!(ledger.state().calibration.matches, 3, "not stored yet");
        ledger.learn(vec![Lesson::Flush]).unwrap();
        ledger.flush().unwrap();
    });
    assert_eq!(desk.groups(), [vec![Change::Calibration(expected)]]);
    assert_eq!(state.calibration, expected);
}

#[test]
fn a_local_path_belongs_to_one_item_of_the_base() {
    // Its file was another one: who had the name is put aside.
    let (mut desk, mut state) = (Desk::default(), base());
    desk.over(&mut state, |ledger, _| ledger.learn(vec![put("new", "a", stamp(3, 1)), Lesson::Flush]))
        .unwrap();
    let aside = crate::model::name::temporary_name("a", 0);
    let named = |of: &str, name: &str| (id("folder"), id(of), name.to_owned());
    assert_eq!(ids_put(&desk.groups()[0]), [named("item", &aside), named("new", "a")]);
    // Under a name that nobody has there.
    let (mut desk, mut state) = (Desk::default(), base());
    state.apply(&Change::Put {
        parent: id("folder"),
        entry: Box::new(entry("third", &aside, stamp(8, 1), "1::1")),
    });
    desk.over(&mut state, |ledger, _| ledger.learn(vec![put("new", "a", stamp(3, 1)), Lesson::Flush]))
        .unwrap();
    let next = crate::model::name::temporary_name("a", 1);
    assert_eq!(ids_put(&desk.groups()[0]), [named("item", &next), named("new", "a")]);
    // Its file is the same one: the item is another one now.
    let (mut desk, mut state) = (Desk::default(), base());
    desk.over(&mut state, |ledger, _| ledger.learn(vec![put("new", "a", stamp(1, 1)), Lesson::Flush]))
        .unwrap();
    assert_eq!(ids_put(&desk.groups()[0]), [named("new", "a")]);
    assert!(desk.groups()[0].contains(&Change::Remove(id("item"))));
    // A folder that comes into one that was in it: that left it before.
    let (mut desk, mut state) = (Desk::default(), base());
    state.apply(&Change::Put { parent: id("folder"), entry: Box::new(folder("inner", "i", 11)) });
    let moved = put_of("inner", folder("folder", "d", 9));
    desk.over(&mut state, |ledger, _| ledger.learn(vec![moved, Lesson::Flush])).unwrap();
    let top = ItemId::drive_root();
    let left = (top, id("inner"), crate::model::name::temporary_name("i", 0));
    assert_eq!(ids_put(&desk.groups()[0]), [left, (id("inner"), id("folder"), "d".to_owned())]);
}

#[test]
fn the_time_that_was_lived_through_is_stored_with_what_is_stored() {
    let (mut desk, mut state) = (Desk::default(), base());
    state.time = Some(crate::model::LivedTime::begin(Still::default().reading()));
    desk.over(&mut state, |ledger, clock| {
        *clock.0.lock().unwrap() = 30;
        ledger.flush().unwrap();
        ledger.learn(vec![Lesson::Change(Change::Synced(3)), Lesson::Flush]).unwrap();
    });
    let [group] = &desk.groups()[..] else { panic!("an empty group is none") };
    assert!(matches!(group[..], [Change::Synced(3), Change::Time(_)]), "{group:?}");
}

#[test]
fn what_could_not_be_stored_is_lost_and_applied_to_nothing() {
    let (mut desk, mut state) = (Desk::default(), base());
    desk.store.refuses = true;
    desk.over(&mut state, |ledger, _| {
        ledger.learn(vec![Lesson::Change(Change::Synced(3)), put("new", "n", stamp(3, 1))]).unwrap();
        assert!(!ledger.has_lost() && ledger.moment().base.entry(&id("new")).is_some());
        assert!(matches!(ledger.close(), Err(StepFailure::End(End::Store(_)))));
        assert!(ledger.has_lost());
        assert_eq!(ledger.take_stored(), []);
        assert!(ledger.moment().base.entry(&id("new")).is_none());
        assert!(ledger.close().is_ok(), "nothing of it is left");
    });
    assert_eq!(state.last_sync, None);
}
