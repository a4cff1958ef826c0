//! A pass that asks iCloud nothing: what it does, and what it leaves.

use icloudds::engine::execute::Packages;
use icloudds::engine::guard::GuardLimits;
use icloudds::engine::operation::{Action, Operation, Replacement};
use icloudds::engine::pass::{Engine, LocalLook, Look, PassObserver, PassOptions, Settings};
use icloudds::engine::plan::{ConflictPolicy, Mode};
use icloudds::model::filter::Filter;
use icloudds::model::{Change, Intent, SetAside, Signature, Upload};

use super::{Bench, path};

fn settings() -> Settings {
    Settings {
        mode: Mode::TwoWay,
        conflict: ConflictPolicy::KeepBoth,
        replacement: Replacement::InPlace,
        packages: Packages::Zip,
        max_file_size: None,
        filter: Filter::compile(&[], &[]).unwrap(),
        app_libraries: Vec::new(),
        root_is_library: false,
        remote_delete_permanent: false,
        workers: 1,
        parallel_writes: 1,
        guard: GuardLimits { max_deletes: 0, max_delete_percent: 0 },
    }
}

fn engine(bench: &Bench) -> Engine {
    Engine::new(bench.world.store.durable(), Box::new(bench.world.store.clone()))
}

fn pass_here(bench: &Bench, engine: &mut Engine) -> Vec<Operation> {
    let options = PassOptions::new("mark");
    bench.world.fuse.forget_calls();
    let report = engine
        .pass_here(
            &*bench.world.disk,
            &*bench.world.clock,
            &settings(),
            &LocalLook::Whole,
            &options,
            &mut |_| {},
        )
        .unwrap();
    report.waiting
}

fn full_passes(bench: &Bench, engine: &mut Engine) {
    for _ in 0..4 {
        bench.later();
        let ports = Bench::ports(&bench.world);
        engine.pass(&ports, &settings(), &Look::whole(), &PassOptions::new("mark"), &mut |_| {}).unwrap();
    }
    bench.world.assert_equal_sides();
    bench.world.assert_nothing_lost();
}

fn waits(waiting: &[Operation], at: &str, is: impl Fn(&Action) -> bool) -> bool {
    waiting.iter().any(|operation| operation.path == path(at) && is(&operation.action))
}

#[test]
fn what_icloud_had_shown_is_followed_here_and_nothing_is_deleted_or_sent() {
    let mut bench = Bench::new(1);
    for name in ["old", "gone", "edited"] {
        bench.file(name, name.as_bytes());
    }
    bench.later();
    let mut engine = engine(&bench);
    assert!(bench.world.drive.mkdir("folder").is_some());
    assert!(bench.world.drive.person_rename("old", "new"));
    assert!(bench.world.drive.person_trash("gone"));
    assert!(bench.world.drive.create("fresh", b"fresh").is_some());
    bench.later();
    engine.look(&Bench::ports(&bench.world), &settings(), &Look::whole()).unwrap();
    assert!(bench.world.disk.write("edited", b"edited here"));

    let waiting = pass_here(&bench, &mut engine);
    assert_eq!((bench.read("new"), bench.read("old")), ("old".to_owned(), "nothing".to_owned()));
    assert!(bench.world.disk.tree().contains_key("folder"));
    assert_eq!(bench.read("gone"), "gone", "nothing is deleted on an old look");
    assert!(waits(&waiting, "gone", |action| matches!(action, Action::TrashLocal { .. })));
    assert!(waits(&waiting, "fresh", |action| matches!(action, Action::Download { .. })));
    assert!(waits(&waiting, "edited", |action| matches!(action, Action::Upload { .. })));
    assert_eq!(waiting.len(), 3, "{waiting:?}");
    assert_eq!(bench.read_remote("edited"), "edited");
    let agreed = engine.state().base.find(&path("new")).expect("the base learnt of the move");
    assert_eq!(engine.state().base.get(agreed).remote.id, bench.id("new"));
    full_passes(&bench, &mut engine);
    assert_eq!(bench.read("gone"), "nothing");
}

#[test]
fn before_the_first_look_icloud_counts_as_agreed_and_nothing_is_done() {
    let mut bench = Bench::new(2);
    bench.file("kept", b"kept");
    bench.file("lost", b"lost");
    bench.later();
    let mut engine = engine(&bench);
    assert!(bench.world.drive.person_rename("kept", "renamed there"));
    assert!(bench.world.disk.write("new", b"new"));
    assert!(bench.world.disk.delete("lost"));
    let waiting = pass_here(&bench, &mut engine);
    assert!(waits(&waiting, "new", |action| matches!(action, Action::Upload { .. })));
    assert!(waits(&waiting, "lost", |action| matches!(action, Action::TrashRemote { .. })));
    assert_eq!(waiting.len(), 2, "{waiting:?}");
    assert!(engine.remote_view().is_none(), "what was assumed is not taken for seen");
    full_passes(&bench, &mut engine);
    assert_eq!(bench.read("renamed there"), "kept");
}

#[test]
fn a_first_run_says_nothing_before_both_sides_were_compared() {
    let bench = Bench::new(3);
    assert!(bench.world.disk.write("here", b"here"));
    assert!(bench.world.drive.create("here", b"here").is_some());
    let mut engine = engine(&bench);
    assert!(pass_here(&bench, &mut engine).is_empty());
    full_passes(&bench, &mut engine);
}

/// Says whether anything changes here while a pass goes on.
struct Settled(bool);

impl PassObserver for Settled {
    fn is_settled_here(&self) -> bool {
        self.0
    }
}

#[test]
fn half_of_a_move_holds_nothing_for_a_person() {
    let mut bench = Bench::new(1);
    bench.folder("away");
    bench.folder("d");
    (0..30).for_each(|number| bench.file(&format!("d/f{number}"), b"content"));
    bench.later();
    let mut engine = engine(&bench);
    let guarded = Settings { guard: GuardLimits { max_deletes: 10, max_delete_percent: 0 }, ..settings() };
    let mut pass = |look: &Look, is_settled: bool| {
        bench.later();
        let options = PassOptions { observer: &Settled(is_settled), ..PassOptions::new("mark") };
        engine.pass(&Bench::ports(&bench.world), &guarded, look, &options, &mut |_| {}).unwrap()
    };
    pass(&Look::whole(), true);
    // The folder's new place was not to be read yet, but the look at the old one is not believed alone.
    let id = bench.world.drive.find("d/f7");
    assert!(bench.world.disk.mv("d", "away/d"));
    let half = Look { local: LocalLook::Folders(vec![path("")]), ..Look::default() };
    let report = pass(&half, false);
    assert_eq!(report.held, 0, "{:?}", report.notes);
    assert_eq!(bench.world.drive.find("away/d/f7"), id);
    // While something changes here nothing counts as deleted.
    assert!(bench.world.disk.delete("away"));
    let before = bench.world.store.groups();
    let report = pass(&half, false);
    assert_eq!((report.held, report.pending), (0, true), "{:?}", report.notes);
    assert_eq!(bench.world.store.groups(), before);
    // A deletion that waits goes on waiting while other things happen.
    assert_eq!(pass(&Look::whole(), true).held, 32);
    assert_eq!(pass(&half, false).held, 32);
    assert!(bench.world.drive.find("away/d/f7").is_some());
}

#[test]
fn a_move_that_was_set_aside_is_no_reason_to_plan_again() {
    let mut bench = Bench::new(3);
    bench.file("old", b"content");
    bench.later();
    let mut engine = engine(&bench);
    assert!(bench.world.drive.person_rename("old", "new"));
    let next_try = Some(bench.world.clock.seconds() + 20_000);
    let aside = SetAside { reason: "another file system".into(), attempts: 1, next_try, since: 7 };
    engine.commit(&[Change::SetAside(path("new"), Some(aside))]).unwrap();
    bench.later();
    let ports = Bench::ports(&bench.world);
    let pass = |engine: &mut Engine, options: &PassOptions<'_>| {
        engine.pass(&ports, &settings(), &Look::whole(), options, &mut |_| {}).unwrap()
    };
    let report = pass(&mut engine, &PassOptions::new("mark"));
    assert!(report.quiet && report.planned == 0, "{:?}", report.outcome);
    assert_eq!(bench.read("old"), "content");
    // Nor does a pass without iCloud try it.
    assert!(pass_here(&bench, &mut engine).is_empty());
    assert_eq!(bench.read("old"), "content");
    // A person who asks does not wait.
    let report = pass(&mut engine, &PassOptions { ignore_next_try: true, ..PassOptions::new("mark") });
    assert_eq!(report.outcome.counts.moved_local, 1, "{:?}", report.outcome);
    assert!(engine.state().set_aside.is_empty());
}

/// What each kind of stored intent keeps from being followed here: all that it names, what lies in that, and the folders that hold it.
#[test]
fn what_a_stored_intent_is_about_is_left_alone_and_nothing_else() {
    type Stored = fn(&Bench) -> Intent;
    let intents: [(&str, Stored); 5] = [
        ("a file", |bench| Intent::Trash { ids: vec![bench.id("d/f")] }),
        ("a file in its place here", |bench| Intent::TrashHere {
            items: vec![(bench.id("d/f"), path("d/f"), bench.local("d/f").stamp)],
        }),
        ("a move", |bench| Intent::Place {
            id: bench.id("d/f"),
            folder: false,
            from: (bench.id("d"), "f".into()),
            to: (bench.id("d"), "other".into()),
            temporary: None,
            here: None,
        }),
        ("an upload", |bench| Intent::Upload {
            files: vec![Upload {
                document: "FILE".into(),
                over: Some((bench.id("d/f"), bench.remote("d/f").etag)),
                parent: bench.id("d"),
                name: "f".into(),
                path: path("d/f"),
                stamp: bench.local("d/f").stamp,
                signature: Signature([1; 20]),
            }],
        }),
        ("folders", |bench| Intent::MakeFolders {
            parent: bench.id("d"),
            strangers: Vec::new(),
            folders: vec![("f".into(), path("d/f"), bench.local("d").stamp)],
        }),
    ];
    for (what, intent) in intents {
        let mut bench = Bench::new(5);
        for folder in ["d", "other"] {
            bench.folder(folder);
        }
        for file in ["d/f", "d/g", "other/f"] {
            bench.file(file, file.as_bytes());
        }
        bench.later();
        let mut engine = engine(&bench);
        let intent = intent(&bench);
        let rename = |from: &str, to: &str| assert!(bench.world.drive.person_rename(from, to), "{from}");
        rename("d/f", "f2");
        rename("d/g", "g2");
        rename("other/f", "f2");
        bench.later();
        engine.look(&Bench::ports(&bench.world), &settings(), &Look::whole()).unwrap();
        engine.commit(&[Change::Begin(7, intent)]).unwrap();
        let waiting = pass_here(&bench, &mut engine);
        let tree = bench.world.disk.tree();
        let is_there = |at: &str| tree.contains_key(at);
        assert!(is_there("d/f") && is_there("d/g2") && is_there("other/f2"), "{what}: {waiting:#?}");
        assert!(waits(&waiting, "d/f2", |action| matches!(action, Action::MoveLocal { .. })), "{what}");
        assert!(waiting.iter().all(|operation| operation.path == path("d/f2")), "{what}: {waiting:?}");

        // The folder that holds it stays as well, and one that does not goes.
        rename("d", "d2");
        rename("other", "other2");
        bench.later();
        engine.look(&Bench::ports(&bench.world), &settings(), &Look::whole()).unwrap_or_else(|error| {
            panic!("{what}: {error}");
        });
        pass_here(&bench, &mut engine);
        let tree = bench.world.disk.tree();
        assert!(tree.contains_key("d/f") && tree.contains_key("other2/f2"), "{what}: {tree:?}");
        full_passes(&bench, &mut engine);
        assert!(engine.state().intents.is_empty(), "{what}");
    }
}
