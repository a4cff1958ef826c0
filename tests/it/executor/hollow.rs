//! Files that are suddenly empty on iCloud, and contents that lag behind their records.

use std::time::Duration;

use icloudds::engine::operation::Action;

use super::{Bench, assert_clean, assert_planned_again, op, plan};
use crate::passes::Bench as Passes;
use crate::sim::drive::switches::Signatures;

fn fetch(bench: &Bench, at: &str) -> Action {
    Action::Download { remote: bench.remote(at), over: None }
}

fn fetch_over(bench: &Bench, at: &str) -> Action {
    Action::Download { remote: bench.remote(at), over: Some(bench.local(at).into()) }
}

#[test]
fn content_that_the_base_does_not_know_is_replaced_by_nothing_only_after_two_looks() {
    let bench_with_both = || {
        let bench = Bench::new(1);
        assert!(bench.world.disk.write("f", b"content here"));
        bench.world.drive.create("f", b"").unwrap();
        bench.later();
        bench
    };
    let mut bench = bench_with_both();
    let (action, before) = (fetch_over(&bench, "f"), bench.world.clock.seconds());
    assert_clean(&bench.one(action, "f"));
    assert!(bench.world.clock.seconds() - before >= 10);
    bench.assert_agreed();
    // The content comes at any moment: before the first look, or between both.
    let mut late = 0;
    for step in 1..12 {
        let mut bench = bench_with_both();
        let action = fetch_over(&bench, "f");
        let (drive, before) = (bench.world.drive.clone(), bench.world.clock.seconds());
        bench.world.fuse.interject(step, move || assert!(drive.edit("f", b"content there")));
        let outcome = bench.one(action, "f");
        if bench.read_remote("f") == "content there" && outcome.counts.downloads == 0 {
            assert_planned_again(&outcome);
            assert_eq!(bench.read("f"), "content here", "step {step}");
            late += u32::from(bench.world.clock.seconds() - before >= 10);
        }
    }
    assert!(late > 0, "no content came between the two looks");
}

#[test]
fn a_body_that_lags_behind_its_record_waits_and_is_never_stored() {
    for (lag, content) in
        [(20, &b"the whole of it"[..]), (20, b"ab"), (500, b"the whole of it"), (500, b"ab")]
    {
        let mut bench = Bench::new(1);
        bench.world.drive.switch(|switches| switches.body_lag = lag);
        bench.file("old", b"as agreed");
        bench.world.drive.create("f", content).unwrap();
        assert!(bench.world.drive.edit("old", content));
        let whole = plan(vec![op(fetch(&bench, "f"), "f"), op(fetch_over(&bench, "old"), "old")]);
        let outcome = bench.run(&whole);
        if lag == 500 {
            assert_eq!(outcome.counts.set_aside, 2, "{outcome:?}");
            assert_eq!((bench.read("f"), bench.read("old")), ("nothing".into(), "as agreed".into()));
            bench.world.clock.advance(Duration::from_secs(600));
            assert_clean(&bench.run(&whole));
        } else {
            assert_clean(&outcome);
        }
        bench.assert_agreed();
    }
}

#[test]
fn a_size_that_is_never_told_again_is_not_the_size_nothing() {
    for signs in [true, false] {
        let mut bench = Passes::new(1);
        if !signs {
            bench.world.drive.switch(|switches| switches.signatures = Signatures::OtherForm);
        }
        let before =
            [("same", &b"as it was"[..]), ("full", b"before"), ("empty", b""), ("emptied", b"before")];
        for (name, content) in before {
            bench.world.drive.create(name, content).unwrap();
        }
        bench.settle();
        bench.world.drive.switch(|switches| switches.sizes_untold = true);
        for (name, content) in [("full", &b"edited there"[..]), ("empty", b"filled there"), ("emptied", b"")]
        {
            assert!(bench.world.drive.edit(name, content));
        }
        for _ in 0..4 {
            bench.pass();
        }
        let contents =
            |name: &str| String::from_utf8_lossy(&bench.world.disk.read(name).expect("a file")).into_owned();
        assert_eq!((contents("same"), contents("emptied")), ("as it was".into(), String::new()));
        if signs {
            assert_eq!(contents("full"), "edited there");
            assert_eq!(contents("empty"), "filled there");
            assert!(bench.pass().rests());
        } else {
            // Nobody can tell whether they came whole.
            assert_eq!(contents("full"), "before");
            assert_eq!(contents("empty"), "");
            assert_eq!(bench.engine.state().set_aside.len(), 2);
        }
    }
}
