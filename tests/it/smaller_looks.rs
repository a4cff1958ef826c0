//! A look at some folders of iCloud beside a pass that writes there: what it does not show yet is unknown, and never gone.

use icloudds::engine::observe::remote::{Record, RecordKind, RecordPlace, Touched};
use icloudds::engine::pass::{Look, RemoteLook, Sight};
use icloudds::model::Zone;

use crate::passes::{Bench, settings};
use crate::sim::drive::switches::EtagUp;

/// How the look goes.
#[derive(Clone, Copy, Debug)]
enum By {
    Hint,
    Etag,
    Walk,
}

/// Files in folders on both sides.
fn bench() -> Bench {
    let mut bench = Bench::new(1);
    bench.world.drive.switch(|drive| drive.etag_up = EtagUp::Always);
    for folder in ["a", "a/b", "c"] {
        assert!(bench.world.disk.mkdir(folder));
        for name in ["edited", "renamed", "going", "kept"] {
            let path = format!("{folder}/{name}");
            assert!(bench.world.disk.write(&path, path.as_bytes()));
        }
    }
    bench.wait(100);
    bench.settle();
    bench
}

/// A look at iCloud now, after a change in `c` there.
fn look(bench: &Bench, by: By) -> Sight {
    let world = &bench.world;
    let walk = bench.engine.walk();
    let id = world.drive.find("c/kept").expect("it is there");
    let folder = world.drive.find("c").expect("it is there");
    let record = Record {
        doc: id.doc(),
        kind: RecordKind::File,
        place: RecordPlace::In(folder.doc()),
        tag: None,
        name: None,
    };
    let touched = Touched { zone: Zone::CloudDocs, records: vec![record], spares_root: false };
    let (drive, clock) = (&*world.drive, &*world.clock);
    let sight = match by {
        By::Hint => walk.run_where(&touched, drive, clock, &settings()),
        By::Etag => walk.run_by_etag(drive, clock, &settings()),
        By::Walk => walk.run(drive, clock, &settings()).map(Sight::Whole),
    };
    let sight = sight.expect("a look");
    assert!(
        matches!((by, &sight), (By::Walk, Sight::Whole(_)) | (By::Hint | By::Etag, Sight::Part(_))),
        "{by:?}"
    );
    sight
}

#[test]
fn what_a_pass_wrote_meanwhile_is_unknown_to_the_look_and_stays() {
    let nothing_there = Look { remote: RemoteLook::Nothing, ..Look::whole() };
    for by in [By::Hint, By::Etag, By::Walk] {
        let mut bench = bench();
        assert!(bench.world.drive.edit("c/kept", b"theirs"));
        let sight = look(&bench, by);
        let disk = bench.world.disk.clone();
        for folder in ["a", "a/b", "c"] {
            assert!(disk.write(&format!("{folder}/new"), format!("new in {folder}").as_bytes()));
            assert!(disk.write(&format!("{folder}/edited"), format!("edited in {folder}").as_bytes()));
            assert!(disk.mv(&format!("{folder}/renamed"), &format!("{folder}/other name")));
            assert!(disk.delete(&format!("{folder}/going")));
        }
        assert!(disk.mkdir("a/made") && disk.write("a/made/inside", b"inside"));
        bench.wait(100);
        let done = bench.pass_by(&nothing_there, &settings());
        assert!(done.outcome.failed.is_empty() && done.planned > 12, "{by:?}: {done:?}");
        bench.engine.saw_there(sight, &*bench.world.clock);
        let mine = || {
            let texts =
                ["a", "a/b", "c"].map(|folder| [format!("new in {folder}"), format!("edited in {folder}")]);
            texts.into_iter().flatten().chain(["inside".to_owned()])
        };
        for _ in 0..3 {
            bench.pass_by(&nothing_there, &settings());
            for text in mine() {
                assert!(disk.in_trash(text.as_bytes()).is_empty(), "{by:?}: {text} was taken for deleted");
                let is_here = disk.all_contents().iter().any(|content| **content == *text.as_bytes());
                assert!(is_here, "{by:?}: {text}");
            }
        }
        bench.settle();
        bench.world.assert_equal_sides();
        let there = bench.world.drive.live_contents();
        for text in mine().chain(["theirs".to_owned()]) {
            assert!(there.iter().any(|content| **content == *text.as_bytes()), "{by:?}: {text} is on iCloud");
        }
        for folder in ["a", "a/b", "c"] {
            assert!(bench.world.drive.find(&format!("{folder}/other name")).is_some(), "{by:?}: {folder}");
            assert!(bench.world.drive.find(&format!("{folder}/going")).is_none(), "{by:?}: {folder}");
        }
    }
}
