//! What a large account does: its root and its trash take half a minute to list (`docs/protocol.md` §8.1, §9).

use std::time::{Duration, Instant};

use icloudds_simulator::drive::package::Member;
use icloudds_simulator::switches::BodyLag;

use super::rig::Rig;
use crate::cases::side_by_side;

#[test]
fn nothing_waits_for_the_trash() {
    let rig = Rig::signed_in_with(|config| config.switches.slow_trash = Duration::from_secs(3600));
    for path in ["a.txt", "gone/b.txt", "gone/deep/c.txt", "kept/d.txt"] {
        rig.there().write(path, path).expect("a file");
    }
    rig.once();
    rig.there().trash("a.txt").expect("a deletion");
    rig.there().trash("gone").expect("a deletion");
    rig.rm("kept/d.txt");
    rig.write("kept/e.txt", "new");
    let begun = Instant::now();
    rig.once();
    assert!(!rig.at("a.txt").exists() && !rig.at("gone").exists(), "{:?}", rig.here().keys());
    rig.assert_settled();
    assert!(begun.elapsed() < Duration::from_secs(600));
    let asked = rig.there().asked();
    assert_eq!((asked.trash, asked.mixed), (0, 0), "look-ups say what became of what is missing");
}

#[test]
fn the_root_is_asked_by_itself_and_not_to_confirm_a_write() {
    let rig = Rig::signed_in_with(|config| config.switches.slow_root = Duration::from_millis(1500));
    for number in 0..25 {
        rig.there().write(&format!("d{number}/f.txt"), "x").expect("a file");
    }
    rig.once();
    rig.write("d1/new.txt", "new");
    rig.write("d2/f.txt", "edited");
    rig.rm("d3/f.txt");
    let before = rig.there().asked();
    rig.once();
    let asked = rig.there().asked();
    // The start finds the root, and each of the two passes looks once.
    assert!(asked.root - before.root <= 3, "{asked:?} after {before:?}");
    assert_eq!(asked.mixed, 0);
    rig.assert_settled();
}

#[test]
fn a_content_that_lags_behind_its_listing_is_waited_for() {
    side_by_side(BodyLag::ALL, |lag| {
        let rig = Rig::synced(&[("a.txt", "the first version")]);
        rig.sim.switches(|switches| {
            switches.body_lag = *lag;
            switches.body_lag_time = Duration::from_secs(3600);
        });
        rig.there().write("a.txt", "the second version").expect("an edit");
        rig.there().write("b.txt", "a new file").expect("a file");
        rig.run(&["once"]);
        if *lag != BodyLag::None {
            assert_eq!(rig.read("a.txt"), "the first version", "{lag:?}");
            assert!(!rig.at("b.txt").exists(), "{lag:?}");
        }
        rig.sim.advance(Duration::from_secs(7200));
        rig.once();
        assert_eq!(
            (rig.read("a.txt").as_str(), rig.read("b.txt").as_str()),
            ("the second version", "a new file")
        );
        rig.assert_settled();
    });
}

#[test]
fn opening_on_the_web_downloads_nothing_and_a_flat_document_may_become_a_package() {
    let rig = Rig::synced(&[("Sheet.numbers", "a flat document"), ("Deck.key", "another one")]);
    rig.there().open("Sheet.numbers").expect("a file");
    let requests = rig.requests(|| drop(rig.once()));
    assert_eq!(requests.get("download.content"), None, "{requests:?}");
    rig.assert_settled();
    let members = || vec![Member { path: "Index.zip".to_owned(), content: "index".into() }];
    rig.there().flip("Sheet.numbers", members()).expect("a file");
    rig.there().open("Deck.key").expect("a file");
    rig.write("Deck.key", "edited here");
    rig.once();
    let bytes = std::fs::read(rig.at("Sheet.numbers")).expect("a file");
    assert!(bytes.starts_with(b"PK"), "the form is asked at every download");
    assert_eq!(rig.read_there("Deck.key"), "edited here");
    rig.assert_quiet(0);
    // Of a document that both sides changed, and that is a package by now, nothing is lost.
    rig.write("Deck.key", "edited here again");
    rig.there().flip("Deck.key", members()).expect("a file");
    rig.run(&["once"]);
    let kept = rig.here().into_keys().any(|path| path.starts_with("Deck (conflict"));
    assert!(kept, "{:?}", rig.here().keys());
    assert!(std::fs::read(rig.at("Deck.key")).expect("a file").starts_with(b"PK"));
}

#[test]
fn the_numbered_name_of_the_trash_is_put_right_and_never_taken_for_the_item() {
    let rig = Rig::synced(&[("x.txt", "first"), ("d/x.txt", "second")]);
    rig.rm("x.txt");
    rig.rm("d/x.txt");
    rig.once();
    rig.there().put_back("d/x.txt").expect("an item of the trash");
    rig.once();
    // The service gave it the name that it had in the trash: that is where it is now, on both sides.
    rig.assert_settled();
    assert_eq!(rig.on_icloud().len(), 2);
    rig.there().put_back("x.txt").expect("an item of the trash");
    rig.once();
    rig.assert_settled();
}
