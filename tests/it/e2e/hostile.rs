//! A service that answers with too much: in items, in depth, in one text, in a package (promise of bounded memory).

use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::drive::package::Member;
use icloudds_simulator::fault::{Effect, FaultBody};
use icloudds_simulator::switches::Package;

use super::rig::Rig;

/// What the program takes by itself in a debug build, and the 64 MB that one answer may cost.
const MOST_KIB: u64 = 130 << 10;

#[test]
fn one_answer_costs_at_most_64_mb_and_deletes_nothing() {
    for body in [FaultBody::EmptyItems, FaultBody::DeepJson, FaultBody::LongText] {
        let rig = Rig::synced(&[("a.txt", "a"), ("d/b.txt", "b")]);
        let here = rig.here();
        let answer = Effect::Answer { status: 200, body, retry_after: None, code: None, headers: Vec::new() };
        rig.fault(Some("listing"), 0, 1000, answer);
        let ran = rig.run(&["once"]);
        assert_ne!(ran.exit, 0, "{body:?}: {}", ran.stderr);
        assert!((1..MOST_KIB).contains(&ran.peak_kib), "{body:?}: {} KiB", ran.peak_kib);
        assert_eq!(rig.here(), here, "{body:?}");
        rig.sim.switches(|switches| switches.faults.clear());
        rig.assert_settled();
    }
}

#[test]
fn the_largest_size_holds_for_what_arrives() {
    let mut rig = Rig::signed_in_with(|config| config.switches.package = Package::GzipWrapped);
    rig.set_text("limits.max_file_size", "1MB");
    // The listing tells the size of its members; what a service lies about only the wire shows.
    let member =
        Member { path: "Index.xml".to_owned(), content: Content::Generated { seed: 1, len: 900_000 } };
    let many =
        (0..3).map(|number| Member { path: format!("m{number}"), content: "x".repeat(1000).as_str().into() });
    rig.there().package("Fits.pages", vec![member]).expect("a package");
    rig.there().write("b.txt", "b").expect("a file");
    rig.there().package("Small.key", many.collect()).expect("a package");
    rig.once();
    assert!(rig.at("Fits.pages").exists() && rig.at("Small.key").exists());
    rig.there().lie_about_size(Some(10));
    let large =
        Member { path: "Index.xml".to_owned(), content: Content::Generated { seed: 2, len: 50_000_000 } };
    rig.there().package("Lies.numbers", vec![large]).expect("a package");
    let ran = rig.run(&["once"]);
    assert!([0, 12].contains(&ran.exit), "{}", ran.stderr);
    assert!(!rig.at("Lies.numbers").exists());
    assert!(ran.peak_kib < MOST_KIB, "{} KiB", ran.peak_kib);
    let left = std::fs::read_dir(rig.drive().join(".icloudds/tmp")).map_or(0, |entries| {
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|entry| entry.len()).sum()
    });
    assert!(left < 1_000_000, "{left} bytes are left of what was refused");
}
