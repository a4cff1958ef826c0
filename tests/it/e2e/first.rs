//! The first sync, and the one after it.

use std::fs;
use std::time::{Duration, SystemTime};

use icloudds::store;
use icloudds_simulator::SimConfig;
use icloudds_simulator::drive::generate::Scale;

use super::rig::{Rig, noise};

/// A service that takes 20 ms for each answer.
fn slow(config: &mut SimConfig) {
    config.switches.latency = Duration::from_millis(20);
}

/// So many files and folders here, of the shape of the simulator's own generated drives.
fn fill_here(rig: &Rig, items: usize, top: &str) {
    let mut made = 0;
    let mut folder = 0;
    while made < items {
        let parent = format!("{top}/Ordner {folder:03}");
        rig.mkdir(&parent);
        made += 1;
        for file in 0..20.min(items - made) {
            let content = noise((made + file) as u64, (made * 37 + file * 911) % 16_384);
            rig.write(&format!("{parent}/Datei {file} ä.txt"), content);
        }
        made += 20.min(items - made);
        folder += 1;
    }
}

#[test]
fn first_sync_down_of_2000_items() {
    let rig = Rig::signed_in_with(slow);
    rig.there().fill(&Scale::of(2_000, 1));
    rig.once();
    assert_eq!(rig.here().len(), 2_000);
    rig.assert_times();
    rig.assert_settled();
}

#[test]
fn first_sync_up_of_2000_items() {
    let rig = Rig::signed_in_with(slow);
    fill_here(&rig, 2_000, "oben");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!(requests.get("download.content"), None);
    assert!(rig.on_icloud().len() > 2_000);
    rig.assert_times();
    rig.assert_settled();
}

#[test]
fn first_sync_of_2000_items_mixed() {
    let rig = Rig::signed_in_with(slow);
    rig.there().fill(&Scale::of(1_000, 2));
    fill_here(&rig, 1_000, "Folder 20");
    rig.once();
    assert!(rig.here().len() > 2_000 - 2);
    rig.assert_times();
    rig.assert_settled();
}

#[test]
fn a_life_like_drive_meets_a_folder_that_holds_files_of_its_own() {
    let rig = Rig::signed_in();
    rig.there().fill_lifelike().expect("a filled drive");
    rig.write("Documents/mine.txt", "mine");
    rig.write("Welcome.txt", "This drive is simulated.\n");
    rig.mkdir("An empty folder of mine");
    let plan = rig.run(&["plan"]).expect(0).stdout;
    assert!(plan.contains("Photos/holiday film.mov"), "{plan}");
    assert_eq!(rig.here().len(), 4, "plan changed something here");
    rig.once();
    assert_eq!(rig.read_there("Documents/mine.txt"), "mine");
    assert_eq!(rig.read("Projects/icloudds/notes/todo 🎉.txt"), "celebrate\n");
    rig.assert_settled();
    let plan = rig.run(&["plan"]).expect(0).stdout;
    assert!(!plan.contains("->"), "{plan}");
}

#[test]
fn a_second_run_only_lists_and_does_not_sign_in() {
    let rig = Rig::signed_in();
    rig.there().fill(&Scale::of(120, 3));
    rig.once();
    let requests = rig.requests(|| drop(rig.once()));
    for (kind, count) in &requests {
        assert!(
            ["listing", "listing.folders", "listing.trash", "validate"].contains(&kind.as_str()),
            "{count} requests of {kind}: {requests:?}"
        );
    }
    assert!(requests["listing"] <= 12, "{requests:?}");
    rig.assert_settled();
}

#[test]
fn ten_starts_sign_in_zero_times() {
    let rig = Rig::signed_in();
    let requests = rig.requests(|| {
        for _ in 0..10 {
            rig.once();
        }
    });
    let signing: Vec<_> = requests
        .keys()
        .filter(|kind| {
            kind.starts_with("signin") || ["accountLogin", "trust", "home"].contains(&kind.as_str())
        })
        .collect();
    assert!(signing.is_empty(), "{requests:?}");
}

#[test]
fn equal_files_are_adopted_without_a_transfer() {
    let rig = Rig::signed_in();
    for number in 0..30 {
        let path = format!("folder {}/file {number}", number % 3);
        let content = noise(number, 5_000);
        rig.write(&path, &content);
        // Another time on each side: contents decide.
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + number);
        fs::File::open(rig.at(&path)).and_then(|file| file.set_modified(old)).expect("an old time");
        rig.there().write(&path, content).expect("a file on iCloud");
    }
    // One upload calibrates the signatures; what is adopted after that needs no transfer.
    rig.write("calibration", "one file of ours");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!(requests.get("upload.content"), Some(&1), "{requests:?}");
    assert!(requests.get("download.content").copied().unwrap_or(0) <= 1, "{requests:?}");
    rig.assert_settled();
}

#[test]
fn a_lost_state_is_a_first_run_in_which_nothing_is_deleted() {
    let rig = Rig::synced(&[("a/b.txt", "b"), ("c.txt", "c"), ("d.txt", "d")]);
    fs::remove_file(rig.state().join("state.redb")).expect("the state was there");
    rig.rm("c.txt");
    rig.there().trash("d.txt").expect("it is there");
    rig.once();
    assert_eq!((rig.read("c.txt"), rig.read_there("d.txt")), ("c".to_owned(), "d".to_owned()));
    assert_eq!(rig.here().len(), 4);
    rig.assert_settled();
}

#[test]
fn reset_state_forgets_the_base_and_deletes_nothing() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    let said = rig.run(&["reset-state"]).expect(0).stdout;
    assert!(said.contains("deletes nothing"), "{said}");
    rig.rm("a.txt");
    rig.once();
    assert_eq!(rig.read("a.txt"), "a");
    rig.assert_settled();
}

#[test]
fn a_damaged_state_is_moved_aside_and_rebuilt() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    fs::write(rig.state().join("state.redb"), noise(7, 40_000)).expect("a damaged state");
    let ran = rig.once();
    assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
    assert_eq!(rig.here().len(), 2);
    rig.assert_settled();
}

#[test]
fn plan_changes_nothing_on_either_side_nor_the_base() {
    let rig = Rig::synced(&[("a.txt", "a"), ("b.txt", "b")]);
    rig.write("new here.txt", "n");
    rig.there().write("new there.txt", "n").expect("a file");
    // The file's own pages move with each opening; what is stored in it must not.
    let stored = || {
        let state = store::open(&rig.state().join("state.redb")).expect("the state").state;
        let text = format!("{state:#?}");
        // Maps have no order of their own.
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let state = stored();
    let (here, there) = (rig.here(), rig.on_icloud());
    let requests = rig.requests(|| {
        let plan = rig.run(&["plan"]).expect(0).stdout;
        assert!(plan.contains("new here.txt") && plan.contains("new there.txt"), "{plan}");
        let again = rig.run(&["plan"]).expect(0).stdout;
        assert_eq!(plan, again);
        let json = rig.run(&["plan", "--json"]).expect(0).stdout;
        let _: serde_json::Value =
            serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    });
    assert_eq!((rig.here(), rig.on_icloud()), (here, there));
    assert_eq!(stored(), state);
    for kind in ["commit", "create", "trash", "rename", "move", "upload.slot", "download.content"] {
        assert_eq!(requests.get(kind), None, "{requests:?}");
    }
    rig.once();
    rig.assert_settled();
}
