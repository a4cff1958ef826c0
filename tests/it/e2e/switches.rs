//! Every switch of `docs/protocol-open-questions.md`, each value: a first sync, changes on both sides, and quiet.

use std::fmt::Debug;
use std::time::Duration;

use icloudds_simulator::drive::package::Member;
use icloudds_simulator::switches as sw;
use icloudds_simulator::{SimConfig, Switches};

use super::rig::Rig;
use crate::cases::side_by_side;

/// A first sync of a small tree, both sides changed in every way, and a second pass that changes nothing.
fn story(name: &str, set: impl Fn(&mut Switches)) {
    eprintln!("{name}");
    let rig = Rig::signed_in_with(|config: &mut SimConfig| set(&mut config.switches));
    let there = rig.there();
    for path in ["a/one.txt", "a/two.txt", "b/three.txt", "b/deep/Größe.txt", "go/four.txt", "zero.txt"] {
        there.write(path, if path == "zero.txt" { "" } else { path }).expect("a file");
    }
    there.folder("empty").expect("a folder");
    there
        .package("Letter.pages", vec![Member { path: "Index.xml".to_owned(), content: "<x/>".into() }])
        .expect("a package");
    there.library("iCloud.com.example.app", "App", false);
    there.write("App/inside.txt", "i").expect("a file");
    rig.write("a/mine.txt", "mine");
    rig.write("a/two.txt", "a/two.txt");
    rig.write("empty here.txt", "");
    rig.once();
    assert_eq!(rig.read_there("a/mine.txt"), "mine", "{name}");
    assert_eq!(rig.read("b/deep/Größe.txt"), "b/deep/Größe.txt", "{name}");
    assert_eq!(rig.here().len(), 14, "{name}: {:?}", rig.here().keys());

    rig.write("a/one.txt", "edited here");
    there.write("b/three.txt", "edited there").expect("an edit");
    rig.mv("a/two.txt", "b/two.txt");
    there.rename("b/deep", "deeper").expect("a rename");
    rig.rm("go");
    there.trash("zero.txt").expect("a deletion");
    rig.write("new/here.txt", "n");
    there.write("new/there.txt", "n").expect("a file");
    rig.once();
    assert_eq!(rig.read_there("a/one.txt"), "edited here", "{name}");
    assert_eq!(rig.read("b/three.txt"), "edited there", "{name}");
    assert_eq!(rig.read_there("b/two.txt"), "a/two.txt", "{name}");
    assert_eq!(rig.read("b/deeper/Größe.txt"), "b/deep/Größe.txt", "{name}");
    assert!(there.entry("go").is_none() && !rig.at("zero.txt").exists(), "{name}");
    rig.assert_quiet(0);
    let mut on_icloud = rig.on_icloud();
    on_icloud.retain(|path, _| path != "App" && !path.starts_with("App/"));
    assert_eq!(super::tree::differences(&rig.here(), &on_icloud), "", "{name}");
}

fn each<T: Copy + Debug + Send>(switch: &str, values: &[T], set: impl Fn(&mut Switches, T) + Sync) {
    side_by_side(values.iter().copied(), |value| {
        story(&format!("{switch} = {value:?}"), |switches| set(switches, value));
    });
}

#[test]
fn listings() {
    use sw::Batch;
    let batches = [Batch::RefuseOver(3), Batch::Status400, Batch::DropSome, Batch::Shuffle];
    each("S-batch", &batches, |switches, value| switches.batch = value);
    each("S-etag-up", sw::EtagUp::ALL, |switches, value| switches.etag_up = value);
    let lags = [sw::CountLag::After(Duration::from_secs(5)), sw::CountLag::Stuck];
    each("S-applib-count", sw::ApplibCount::ALL, |switches, value| switches.applib_count = value);
    each("S-applib-empty", sw::ApplibEmpty::ALL, |switches, value| switches.applib_empty = value);
    each("S-gone", sw::Gone::ALL, |switches, value| switches.gone = value);
    each("S-flap", sw::Flap::ALL, |switches, value| switches.flap = value);
    each("S-purge", sw::Purge::ALL, |switches, value| switches.purge = value);
    // Where counts lag, a deletion waits until they add up; what is new must come at once.
    side_by_side(lags, |lag| {
        let rig = Rig::signed_in_with(|config| config.switches.count_lag = lag);
        rig.there().write("a/b.txt", "b").expect("a file");
        rig.write("c.txt", "c");
        rig.run(&["once"]);
        rig.assert_equal();
    });
}

#[test]
fn short_listings_delete_nothing() {
    side_by_side([sw::Short::AnnounceMore, sw::Short::SilentlyFewer], |short| {
        let rig = Rig::signed_in();
        for number in 0..12 {
            rig.there().write(&format!("f{}/{number}.txt", number % 3), "x").expect("a file");
        }
        rig.once();
        let (here, there) = (rig.here(), rig.on_icloud());
        rig.sim.switches(|switches| switches.short = short);
        rig.write("new.txt", "n");
        rig.run(&["once"]);
        for (path, node) in &here {
            assert_eq!(rig.here().get(path), Some(node), "{short:?}: {path} is gone here");
        }
        for (path, node) in &there {
            assert_eq!(rig.on_icloud().get(path), Some(node), "{short:?}: {path} is gone on iCloud");
        }
        rig.sim.switches(|switches| switches.short = sw::Short::Never);
        rig.once();
        rig.assert_settled();
    });
}

#[test]
fn late_listings_make_nothing_come_back() {
    let rig = Rig::signed_in_with(|config| config.switches.visible = Duration::from_secs(3));
    rig.there().write("a.txt", "a").expect("a file");
    rig.there().write("b.txt", "b").expect("a file");
    rig.sim.advance(Duration::from_secs(10));
    rig.once();
    rig.write("c.txt", "c");
    rig.rm("a.txt");
    rig.mv("b.txt", "d.txt");
    rig.once();
    rig.assert_settled();
    rig.sim.advance(Duration::from_secs(10));
    rig.assert_settled();
}

#[test]
fn changes() {
    each("S-cas-move", sw::CasMove::ALL, |switches, value| switches.cas_move = value);
    each("S-cas-rename", sw::CasRename::ALL, |switches, value| switches.cas_rename = value);
    each("S-cas-folder", sw::CasFolder::ALL, |switches, value| switches.cas_folder = value);
    each("S-name-taken", sw::NameTaken::ALL, |switches, value| switches.name_taken = value);
    let busy = [sw::Busy::OnOverlapWithUpload, sw::Busy::Random(0.2)];
    each("S-busy", &busy, |switches, value| switches.busy = value);
}

#[test]
fn names_and_deletions() {
    each("S-folder-ext", sw::FolderExt::ALL, |switches, value| switches.folder_ext = value);
    each("S-leading-dot", sw::LeadingDot::ALL, |switches, value| switches.leading_dot = value);
    each("S-names", sw::Names::ALL, |switches, value| switches.names = value);
    each("S-name-limit", sw::NameLimit::ALL, |switches, value| switches.name_limit = value);
    each("S-name-bad", sw::NameBad::ALL, |switches, value| switches.name_bad = value);
    each("S-cas-delete", sw::CasDelete::ALL, |switches, value| switches.cas_delete = value);
    each("S-putback", sw::Putback::ALL, |switches, value| switches.putback = value);
}

#[test]
fn refused_names_are_set_aside() {
    for answer in sw::NameBadAnswer::ALL {
        let rig = Rig::signed_in_with(|config| {
            config.switches.name_bad = sw::NameBad::AlsoColonBackslash;
            config.switches.name_bad_answer = *answer;
        });
        rig.write("good.txt", "g");
        rig.write("bad:name.txt", "b");
        rig.write("bad\\folder/inside.txt", "i");
        let ran = rig.once_unfinished();
        assert!(ran.stderr.contains("bad:name.txt"), "{answer:?}: {}", ran.stderr);
        assert_eq!(rig.on_icloud().into_keys().collect::<Vec<_>>(), ["good.txt"], "{answer:?}");
        assert_eq!(rig.here().len(), 4, "{answer:?}");
    }
}

#[test]
fn contents() {
    each("S-sig", sw::Sig::ALL, |switches, value| switches.sig = value);
    each("S-zero", sw::Zero::ALL, |switches, value| switches.zero = value);
    each("S-range", sw::Range::ALL, |switches, value| switches.range = value);
    each("S-url-dead", sw::UrlDead::ALL, |switches, value| {
        switches.url_dead = value;
        switches.url_life = Duration::ZERO.max(Duration::from_millis(5));
    });
    each("S-commit-twice", sw::CommitTwice::ALL, |switches, value| switches.commit_twice = value);
    each("S-mtime", sw::Mtime::ALL, |switches, value| switches.mtime = value);
    each("S-package", sw::Package::ALL, |switches, value| switches.package = value);
    each("content-redirect", &[302_u16, 307, 308], |switches, value| switches.content_redirect = Some(value));
    story("content-gzip", |switches| switches.content_gzip = true);
}

#[test]
fn empty_files_that_the_upload_refuses_are_set_aside_or_synced() {
    let rig = Rig::signed_in_with(|config| config.switches.zero_up = sw::ZeroUp::Status4xx);
    rig.write("empty.txt", "");
    rig.write("full.txt", "f");
    let ran = rig.run(&["once"]);
    assert!([0, 12].contains(&ran.exit), "{}", ran.stderr);
    assert_eq!(rig.read_there("full.txt"), "f");
    rig.assert_unchanged(ran.exit);
}

#[test]
fn sessions() {
    each("S-session", sw::SessionTrouble::ALL, |switches, value| switches.session = value);
    let srp = [sw::Srp::Padded, sw::Srp::Both];
    each("S-srp", &srp, |switches, value| switches.srp = value);
    let codes = [sw::TwoFactor::Status409Token, sw::TwoFactor::Status409TrustWorks];
    each("S-2fa", &codes, |switches, value| switches.two_factor = value);
    each("S-escrow", sw::Escrow::ALL, |switches, value| switches.escrow = value);
    each("S-retrust", sw::Retrust::ALL, |switches, value| switches.retrust = value);
    each("S-hc", sw::Hashcash::ALL, |switches, value| switches.hashcash = value);
}

#[test]
fn shared_items() {
    each("S-shared", sw::Shared::ALL, |switches, value| switches.shared = value);
}
