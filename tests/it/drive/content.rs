//! Contents, both ways.

use super::*;
use icloudds::engine::ports::{Fetched, Offer, RemoteParent};
use icloudds::model::Signature;
use icloudds_simulator::drive::package::Member;
use icloudds_simulator::switches::{CommitTwice, Mtime, Package, Quota, Range, Sig, UrlDead, ZeroUp};
use sha1::{Digest, Sha1};

fn signature(content: &[u8]) -> Signature {
    let salted = Sha1::new().chain_update(b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0");
    Signature(salted.chain_update(content).finalize().into())
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|at| b'a' + (at / 7 % 26) as u8).collect()
}

fn offer(world: &World, path: &str) -> Offer {
    world.drive.offers(&[world.id(path)]).pop().unwrap().expect("an offer")
}

fn fetch_from(
    world: &World,
    offer: &Offer,
    size: usize,
    start: &[u8],
) -> (Result<Fetched, RemoteError>, Memory) {
    let mut sink = Memory { bytes: start.to_vec(), restarts: 0 };
    let result = world.drive.fetch(offer, Some(size as u64), start.len() as u64, &mut sink);
    (result, sink)
}

#[test]
fn many_offers_come_in_one_batch_and_bear_etag_and_signature() {
    for sig in Sig::ALL {
        let world = World::new(|switches| switches.sig = *sig);
        let names: Vec<_> = (0..5).map(|at| format!("f{at}")).collect();
        names.iter().for_each(|name| world.write(name, name));
        let ids: Vec<_> = names.iter().map(|name| world.id(name)).collect();
        for (offer, name) in world.drive.offers(&ids).into_iter().zip(&names) {
            let offer = offer.unwrap();
            assert_eq!((&offer.id, &offer.etag), (&world.id(name), &world.version(name, false).etag));
            assert!(!offer.package);
            match sig {
                Sig::Formula => assert_eq!(offer.signature, Some(signature(name.as_bytes()))),
                Sig::OtherPrefix | Sig::Absent => assert_eq!(offer.signature, None),
                Sig::Random => {}
            }
            let (result, sink) = fetch_from(&world, &offer, name.len(), b"");
            assert_eq!(result, Ok(Fetched { from: 0, written: name.len() as u64 }));
            assert_eq!(sink.bytes, name.as_bytes());
        }
        assert_eq!(world.sim.count("download.info"), 1);
        world.check();
    }
}

#[test]
fn a_refused_batch_of_offers_is_asked_one_by_one_and_gone_is_told() {
    let world = World::new(|_| {});
    world.write("a", "x");
    world.write("b", "y");
    let gone = ItemId::new(Zone::CloudDocs, "00000000-0000-4000-8000-000000000000");
    let ids = [world.id("a"), gone, world.id("b")];
    let offers = world.drive.offers(&ids);
    assert!(offers[0].is_ok() && offers[2].is_ok(), "{offers:?}");
    assert_eq!(offers[1], Err(RemoteError::Gone));
    world.fault("download.info", 1, answer(400, None, None));
    assert!(world.drive.offers(&[ids[0].clone(), ids[2].clone()]).iter().all(Result::is_ok));
}

#[test]
fn a_download_is_resumed_exactly_or_started_over() {
    let content = text(300_000);
    for range in Range::ALL {
        let world = World::new(|switches| switches.range = *range);
        world.sim.drive().write("a", content.clone()).unwrap();
        let (result, sink) = fetch_from(&world, &offer(&world, "a"), content.len(), &content[..100_000]);
        let from = if *range == Range::Ok { 100_000 } else { 0 };
        assert_eq!(result, Ok(Fetched { from, written: 300_000 - from }), "{range:?}");
        assert!(sink.bytes == content, "{range:?}");
        assert_eq!(sink.restarts, u32::from(*range != Range::Ok));
    }
}

#[test]
fn a_download_that_gets_on_is_not_given_up_however_often_it_breaks() {
    let content = text(3_000_000);
    for range in Range::ALL {
        let world = World::new(|switches| switches.range = *range);
        world.sim.drive().write("a", content.clone()).unwrap();
        world.fault("download.content", u64::MAX, Effect::CutBodyAfter(100_000));
        let (result, sink) = fetch_from(&world, &offer(&world, "a"), content.len(), b"");
        if *range == Range::Ok {
            assert_eq!(result, Ok(Fetched { from: 0, written: 3_000_000 }));
            assert!(sink.bytes == content && sink.restarts == 0);
            assert!(
                world.clock.waited() > Duration::from_secs(5),
                "far more waits than one call has without progress"
            );
        } else {
            // What begins anew each time does not get on.
            assert!(matches!(result, Err(RemoteError::Damaged(_))), "{range:?}: {result:?}");
            assert!(world.sim.count("download.content") < 20, "{range:?}");
        }
    }
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let content = text(300_000);
    for effect in [
        Effect::CutBodyAfter(100_000),
        Effect::WrongLength(-5),
        Effect::WrongLength(5),
        answer(503, None, None),
    ] {
        let world = World::new(|_| {});
        world.sim.drive().write("a", content.clone()).unwrap();
        world.fault("download.content", 1, effect.clone());
        let (result, sink) = fetch_from(&world, &offer(&world, "a"), content.len(), b"");
        assert_eq!(result, Ok(Fetched { from: 0, written: 300_000 }), "{effect:?}");
        assert!(sink.bytes == content);
    }
    let world = World::new(|_| {});
    world.sim.drive().write("a", content.clone()).unwrap();
    world.fault("download.content", u64::MAX, Effect::CutBodyAfter(10));
    let (result, _) = fetch_from(&world, &offer(&world, "a"), content.len(), b"");
    assert!(matches!(result, Err(RemoteError::Damaged(_))), "{result:?}");
}

#[test]
fn a_wrong_size_is_never_a_success() {
    let world = World::new(|_| {});
    world.write("a", "hello");
    for size in [4, 6] {
        let (result, _) = fetch_from(&world, &offer(&world, "a"), size, b"");
        assert!(matches!(result, Err(RemoteError::Damaged(_))), "{result:?}");
    }
}

#[test]
fn a_dead_address_is_renewed_once_and_a_new_version_is_stale() {
    for dead in UrlDead::ALL {
        let world = World::new(|switches| switches.url_dead = *dead);
        world.write("a", "hello");
        let old = offer(&world, "a");
        world.sim.advance(Duration::from_secs(7200));
        let (result, sink) = fetch_from(&world, &old, 5, b"");
        assert_eq!(result, Ok(Fetched { from: 0, written: 5 }), "{dead:?}");
        assert_eq!(sink.bytes, b"hello");
        world.write("a", "HELLO");
        world.sim.advance(Duration::from_secs(7200));
        assert_eq!(fetch_from(&world, &old, 5, b"").0, Err(RemoteError::Stale));
        world.fault("download.content", u64::MAX, answer(403, None, None));
        let (result, _) = fetch_from(&world, &offer(&world, "a"), 5, b"");
        assert!(matches!(result, Err(RemoteError::Damaged(_))));
    }
}

#[test]
fn redirects_are_followed_and_gzip_is_undone() {
    for status in [302, 330] {
        let world =
            World::new(|switches| (switches.content_redirect, switches.content_gzip) = (Some(status), true));
        let content = "a text that is easy to press together ".repeat(20);
        world.write("a.txt", &content);
        let offer = offer(&world, "a.txt");
        let (result, sink) = fetch_from(&world, &offer, content.len(), b"");
        assert_eq!(result.map(|fetched| fetched.written), Ok(content.len() as u64));
        assert_eq!(sink.bytes, content.as_bytes());
        let (result, sink) = fetch_from(&world, &offer, content.len(), &content.as_bytes()[..100]);
        assert_eq!(result, Ok(Fetched { from: 100, written: content.len() as u64 - 100 }));
        assert_eq!(sink.bytes, content.as_bytes());
    }
    let world = World::new(|_| {});
    world.write("a", "x");
    let elsewhere = Offer { url: "http://127.0.0.2:1/x".to_owned(), ..offer(&world, "a") };
    assert!(matches!(fetch_from(&world, &elsewhere, 1, b"").0, Err(RemoteError::Refused(_))));
}

#[test]
fn packages_arrive_as_plain_zips() {
    for package in Package::ALL {
        let world = World::new(|switches| switches.package = *package);
        let member = Member { path: "index.xml".to_owned(), content: "<x/>".into() };
        world.sim.drive().package("Deck.key", vec![member]).unwrap();
        let offer = offer(&world, "Deck.key");
        assert!(offer.package && offer.signature.is_none());
        for start in [&b""[..], &b"rubbish"[..]] {
            let mut sink = Memory { bytes: start.to_vec(), restarts: 0 };
            let fetched = world.drive.fetch(&offer, None, start.len() as u64, &mut sink).unwrap();
            assert!(sink.bytes.starts_with(b"PK\x03\x04"), "{package:?}");
            assert_eq!(fetched, Fetched { from: 0, written: sink.bytes.len() as u64 });
        }
        world.fault("download.content", 1, Effect::CutBodyAfter(30));
        let mut sink = Memory::default();
        world.drive.fetch(&offer, None, 0, &mut sink).unwrap();
        assert_eq!(sink.restarts, 1);
        assert!(sink.bytes.ends_with(b"\0\0"), "the whole zip, to the end of its directory");
    }
}

#[test]
fn an_upload_becomes_a_file_with_everything_it_was_given() {
    for size in [0, 1, 5, 300_000, 2_000_000] {
        let world = World::new(|_| {});
        world.sim.drive().folder("d").unwrap();
        let content = text(size);
        let staged = world.stage("Report \"ü\".pdf", &content).unwrap();
        assert_eq!(staged.signature, Some(signature(&content)));
        assert!(world.names(&world.id("d")).is_empty());
        let item = world.commit(&staged, &world.id("d"), "Report \"ü\".pdf", None).unwrap();
        let path = "d/Report \"ü\".pdf";
        assert_eq!(item.entry.id, world.id(path));
        assert_eq!(item.parent, RemoteParent::Folder(world.id("d")));
        assert_eq!(
            (item.entry.size.get(), item.entry.mtime.get()),
            (Some(size as u64), Some(ServerTime(1_772_450_553)))
        );
        assert_eq!(item.entry.etag, world.version(path, false).etag);
        assert!(world.sim.drive().content(path).unwrap().unwrap() == content);
        assert_eq!(found(world.look(&item.entry.id, false)).etag, item.entry.etag);
        world.check();
    }
}

#[test]
fn in_place_replacement_keeps_the_id() {
    for mtime in Mtime::ALL {
        let world = World::new(|switches| switches.mtime = *mtime);
        world.write("a", "old");
        let id = world.id("a");
        let staged = world.stage("a", b"new").unwrap();
        let item = world.commit(&staged, &root(), "a", Some(&id)).unwrap();
        assert_eq!(item.entry.id, id);
        assert_eq!(world.sim.drive().content("a").unwrap().unwrap(), b"new");
    }
}

#[test]
fn a_taken_name_and_a_missing_folder_are_told() {
    let world = World::new(|_| {});
    world.write("a", "x");
    assert_eq!(world.upload(&root(), "a", b"new"), Err(RemoteError::NameTaken));
    let nowhere = ItemId::new(Zone::CloudDocs, "00000000-0000-4000-8000-000000000000");
    assert_eq!(world.upload(&nowhere, "a", b"new"), Err(RemoteError::Gone));
    let library = ItemId::new(Zone::new("iCloud.x"), "documents");
    world.sim.drive().library("iCloud.x", "X", false);
    assert!(matches!(world.upload(&library, "a", b"new"), Err(RemoteError::Damaged(_))));
    let staged = world.drive.stage(library.zone(), "a", 3, &mut &b"new"[..]).unwrap();
    let item = world.commit(&staged, &library, "a", None).unwrap();
    assert_eq!(item.entry.id.zone(), library.zone());
    assert_eq!(world.sim.drive().content("X/a").unwrap().unwrap(), b"new");
}

#[test]
fn a_lost_commit_is_uncertain_and_never_repeated_by_itself() {
    for twice in CommitTwice::ALL {
        for effect in [Effect::AppliedReplyLost, Effect::NotAppliedReplyLost] {
            let world = World::new(|switches| switches.commit_twice = *twice);
            let staged = world.stage("a", b"x").unwrap();
            world.fault("commit", 1, effect.clone());
            let error = world.commit(&staged, &root(), "a", None).unwrap_err();
            assert!(matches!(error, RemoteError::Uncertain(_)), "{error:?}");
            assert_eq!(world.sim.count("commit"), 1);
            let id = ItemId::new(Zone::CloudDocs, &staged.document);
            let is_there = matches!(world.look(&id, false), LookUp::Found(_));
            assert_eq!(is_there, effect == Effect::AppliedReplyLost);
        }
    }
}

#[test]
fn a_full_storage_is_told_as_such() {
    for quota in Quota::ALL.iter().filter(|quota| **quota != Quota::None) {
        for size in [10, 1_000_000] {
            let world = World::new(|switches| (switches.quota, switches.quota_left) = (*quota, 0));
            let error = world.upload(&root(), "a", &text(size)).unwrap_err();
            assert!(matches!(error, RemoteError::Quota(_)), "{quota:?} {size}: {error:?}");
        }
    }
}

#[test]
fn a_refusing_content_server_gets_a_new_slot_when_the_content_can_be_sent_again() {
    let world = World::new(|_| {});
    world.fault("upload.content", 2, answer(403, None, None));
    world.upload(&root(), "small", b"x").unwrap();
    assert_eq!(world.sim.count("upload.slot"), 3);
    world.fault("upload.content", 1, answer(503, None, None));
    let error = world.upload(&root(), "large", &text(1_000_000)).unwrap_err();
    assert!(matches!(error, RemoteError::Busy { .. }), "{error:?}");
    world.upload(&root(), "large", &text(1_000_000)).unwrap();
    let world = World::new(|switches| switches.zero_up = ZeroUp::Status4xx);
    assert!(matches!(world.upload(&root(), "empty", b""), Err(RemoteError::Refused(_))));
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_not_staged() {
    let world = World::new(|_| {});
    for size in [100, 1_000_000_u64] {
        let short = text(50);
        let error = world.drive.stage(&Zone::CloudDocs, "a", size, &mut short.as_slice()).unwrap_err();
        assert!(
            matches!(&error, RemoteError::Busy { message, .. } if message.contains("shorter")),
            "{error:?}"
        );
    }
}

#[test]
fn old_staged_content_is_not_committed() {
    let world = World::new(|switches| switches.slot_life = Duration::from_secs(5));
    let staged = world.stage("a", b"x").unwrap();
    world.clock.pause(Duration::from_secs(10)).unwrap();
    let error = world.commit(&staged, &root(), "a", None).unwrap_err();
    assert!(!matches!(error, RemoteError::Uncertain(_) | RemoteError::NameTaken), "{error:?}");
    let staged = world.stage("a", b"x").unwrap();
    world.clock.pause(Duration::from_secs(4000)).unwrap();
    assert!(matches!(world.commit(&staged, &root(), "a", None), Err(RemoteError::Damaged(_))));
}

#[test]
fn rates_hold() {
    let options = DriveOptions { download_rate: 100_000, upload_rate: 50_000, ..DriveOptions::default() };
    let world = World::with(|_| {}, options);
    let content = text(300_000);
    world.upload(&root(), "a", &content).unwrap();
    let up = world.clock.waited();
    assert!(up >= Duration::from_secs(5) && up < Duration::from_secs(7), "{up:?}");
    let (result, _) = fetch_from(&world, &offer(&world, "a"), content.len(), b"");
    result.unwrap();
    let down = world.clock.waited() - up;
    assert!(down >= Duration::from_millis(2500) && down < Duration::from_secs(4), "{down:?}");
}

#[test]
fn contents_go_up_as_they_are_and_nothing_goes_up_as_a_part() {
    let world = World::new(|_| {});
    for (name, content) in [("empty", &b""[..]), ("full.txt", b"hello")] {
        world.upload(&root(), name, content).unwrap();
    }
    let forms = world.sim.core().state().drive.staging.forms.clone();
    assert_eq!(forms, ["multipart/form-data", "text/plain"]);
}

#[test]
fn an_address_is_renewed_a_minute_before_its_end() {
    let world = World::new(|_| {});
    world.write("a", "hello");
    let old = offer(&world, "a");
    let asked = world.sim.count("download.info");
    assert_eq!(fetch_from(&world, &old, 5, b"").0.map(|fetched| fetched.written), Ok(5));
    assert_eq!(world.sim.count("download.info"), asked, "it is fresh");
    // Still good, but for less than a minute: a large file would not come to its end.
    world.clock.pause(Duration::from_secs(3600 - 50)).unwrap();
    assert_eq!(fetch_from(&world, &old, 5, b"").0.map(|fetched| fetched.written), Ok(5));
    assert_eq!(world.sim.count("download.info"), asked + 1);
    // A clock that is wrong makes every address look over: the fresh one is used all the same.
    *world.clock.ahead.lock().unwrap() += Duration::from_secs(86_400);
    assert_eq!(fetch_from(&world, &offer(&world, "a"), 5, b"").0.map(|fetched| fetched.written), Ok(5));
    world.check();
}

#[test]
fn an_address_that_ends_within_a_long_transfer_is_renewed_each_time() {
    let content = text(300_000);
    let world = World::new(|_| {});
    world.sim.drive().write("a", content.clone()).unwrap();
    let first = offer(&world, "a");
    for _ in 0..3 {
        world.fault("download.content", 1, answer(410, None, None));
        world.fault("download.content", 1, Effect::CutBodyAfter(60_000));
    }
    let (result, sink) = fetch_from(&world, &first, content.len(), b"");
    assert!(result.is_ok(), "{result:?}");
    assert!(sink.bytes == content);
}

#[test]
fn too_large_and_full_are_one_sentence_and_downloads_go_on() {
    for quota in [Quota::Slot413, Quota::Content413, Quota::Slot507, Quota::Content507, Quota::InBodyAtCommit]
    {
        let world = World::new(|switches| (switches.quota, switches.quota_left) = (quota, 3));
        world.write("there", "hello");
        let refused = world.upload(&root(), "a", b"hello").unwrap_err();
        assert!(matches!(refused, RemoteError::Quota(_)), "{quota:?}: {refused:?}");
        assert!(refused.to_string().contains("larger than the service takes"), "{refused}");
        assert!(world.upload(&root(), "b", b"one").is_ok(), "what fits goes up, {quota:?}");
        assert!(fetch_from(&world, &offer(&world, "there"), 5, b"").0.is_ok());
    }
}
