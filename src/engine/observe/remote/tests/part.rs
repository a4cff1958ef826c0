//! Looks at some folders alone, where a hint says that something changed.

use super::super::touched::{Record, RecordKind, RecordPlace, Touched};
use super::*;

/// A hint that names items and the folders that they are said to be in.
fn hint(records: &[(&str, RecordPlace)]) -> Touched {
    let record = |(doc, place): &(&str, RecordPlace)| Record {
        doc: (*doc).to_owned(),
        kind: RecordKind::File,
        place: place.clone(),
        tag: None,
        name: None,
    };
    Touched { zone: Zone::CloudDocs, records: records.iter().map(record).collect(), spares_root: false }
}

fn within(folder: &str) -> RecordPlace {
    RecordPlace::In(folder.to_owned())
}

/// What a look at what is hinted shows after `before`, and the calls that it took.
fn glance(fake: &Fake, base: &BaseTree, before: &RemoteView, hint: &Touched) -> (Glance, Vec<String>) {
    fake.calls.lock().unwrap().clear();
    let glance = observe_touched(fake, &Still::default(), base, &scope(&|_| false), before, hint).unwrap();
    (glance, std::mem::take(&mut *fake.calls.lock().unwrap()))
}

#[track_caller]
fn seen(glance: Glance) -> RemoteView {
    match glance {
        Glance::Seen(view) => *view,
        Glance::Nothing => panic!("nothing was looked at"),
        Glance::TooLittle(why) => panic!("{why}"),
    }
}

#[test]
fn only_the_folders_of_what_is_hinted_are_listed_and_the_rest_stays() {
    let mut fake = Fake::new(&TREE);
    let base = base(&TREE);
    let before = observe(&fake, &base);
    fake.items.get_mut("c").unwrap().0 = "d".to_owned();
    let (glance, calls) = glance(&fake, &base, &before, &hint(&[("C", within("D"))]));
    let view = seen(glance);
    assert_eq!(paths(&view), ["a", "d", "d/b", "d/c", "d/e"]);
    assert!(view.complete && view.absent.is_empty());
    assert_eq!(calls, ["list d", "list e"]);
}

#[test]
fn what_is_said_to_be_deleted_is_so_only_where_a_look_up_agrees() {
    for (is_gone, twice) in [(true, 2), (false, 0)] {
        let mut fake = Fake::new(&TREE);
        let base = base(&TREE);
        let before = observe(&fake, &base);
        if is_gone {
            fake.items.remove("b");
        }
        let (glance, calls) = glance(&fake, &base, &before, &hint(&[("b", RecordPlace::Deleted)]));
        assert_eq!(calls.iter().filter(|call| *call == "look b").count(), twice);
        match glance {
            Glance::Seen(view) => assert_eq!(view.absent.get(&id("b")), Some(&Absence::Gone)),
            // The listing still shows it: either is wrong.
            Glance::TooLittle(_) => assert!(!is_gone),
            Glance::Nothing => panic!("nothing was looked at"),
        }
    }
}

#[test]
fn what_vanished_from_a_listed_folder_without_a_word_takes_a_whole_walk() {
    let mut fake = Fake::new(&TREE);
    let base = base(&TREE);
    let before = observe(&fake, &base);
    // It moved to a folder that the hint does not name.
    fake.items.get_mut("b").unwrap().0 = "e".to_owned();
    fake.items.insert("n".to_owned(), ("d".to_owned(), entry("n", RemoteKind::File, "1::1")));
    let (glance, _) = glance(&fake, &base, &before, &hint(&[("n", within("d"))]));
    if let Glance::Seen(view) = glance {
        assert_eq!(paths(&view), ["a", "d", "d/e", "d/e/b", "d/e/c", "d/n"]);
    }
}

#[test]
fn whatever_leaves_a_doubt_takes_a_whole_walk() {
    let base = base(&TREE);
    let too_little = |fake: &Fake, before: &RemoteView, records: &[(&str, RecordPlace)]| {
        assert!(matches!(glance(fake, &base, before, &hint(records)).0, Glance::TooLittle(_)), "{records:?}");
    };
    let fake = Fake::new(&TREE);
    let before = observe(&fake, &base);
    too_little(&fake, &before, &[("b", within("nobody knows"))]);
    // A listing that is older than the hint.
    too_little(&fake, &before, &[("b", within("e"))]);
    too_little(&fake, &before, &[("new", within("d"))]);
    // A look before that left something open.
    let open = RemoteView { complete: false, ..before.clone() };
    too_little(&fake, &open, &[("b", within("d"))]);
    let untold = RemoteView { absent: HashMap::from([(id("x"), Absence::Unknown)]), ..before.clone() };
    too_little(&fake, &untold, &[("b", within("d"))]);
    let hollow = RemoteView { hollow: HashSet::from([id("c")]), ..before.clone() };
    too_little(&fake, &hollow, &[("b", within("d"))]);
    // A listing that does not add up, or fails.
    let short = Fake::new(&TREE);
    short.short.lock().unwrap().insert("d".to_owned(), 1);
    too_little(&short, &before, &[("b", within("d"))]);
    let mut failing = Fake::new(&TREE);
    failing.failing.insert("d".to_owned(), RemoteError::Refused("no".to_owned()));
    too_little(&failing, &before, &[("b", within("d"))]);
    // The root is not to be listed.
    let spares_root = Touched { spares_root: true, ..hint(&[("a", within("root"))]) };
    assert!(matches!(glance(&fake, &base, &before, &spares_root).0, Glance::TooLittle(_)));
}

#[test]
fn an_edit_that_the_listing_does_not_show_yet_takes_a_whole_walk() {
    let base = base(&TREE);
    for kind in [RecordKind::File, RecordKind::Content] {
        let mut hint = hint(&[("b", within("d"))]);
        (hint.records[0].kind, hint.records[0].tag) = (kind, Some("of another version".to_owned()));
        let mut fake = Fake::new(&TREE);
        let before = observe(&fake, &base);
        assert!(matches!(glance(&fake, &base, &before, &hint).0, Glance::TooLittle(_)), "{kind:?}");
        fake.items.get_mut("b").unwrap().1.etag = Etag::new("another::one");
        let view = seen(glance(&fake, &base, &before, &hint).0);
        assert_eq!(view.tree.get(view.tree.by_id(&id("b")).unwrap()).etag.as_str(), "another::one");
    }
}

#[test]
fn what_no_record_gives_a_folder_is_asked_for() {
    let mut fake = Fake::new(&TREE);
    let base = base(&TREE);
    let before = observe(&fake, &base);
    fake.items.insert("n".to_owned(), ("e".to_owned(), entry("n", RemoteKind::File, "1::1")));
    let (seen_now, calls) = glance(&fake, &base, &before, &hint(&[("n", RecordPlace::Untold)]));
    assert_eq!(paths(&seen(seen_now)), ["a", "d", "d/b", "d/e", "d/e/c", "d/e/n"]);
    assert_eq!(calls, ["look n", "list e", "look n"]);
    fake.trash_it("n");
    let (nothing, calls) = glance(&fake, &base, &before, &hint(&[("n", RecordPlace::Untold)]));
    assert!(matches!(nothing, Glance::Nothing));
    assert_eq!(calls, ["look n"]);
}

#[test]
fn of_the_folder_that_is_synced_only_whether_it_is_there_is_asked() {
    let mut fake = Fake::new(&[("root", "s/")]);
    let base = BaseTree::new(BaseEntry::root(id("s")));
    let skip = |_: &RelPath| false;
    let scope = || Scope { root: id("s"), ..scope(&skip) };
    let before = observe_remote(&fake, &Still::default(), &base, &scope(), None).unwrap();
    let mut hint = hint(&[("s", within("root"))]);
    (hint.records[0].kind, hint.records[0].tag) = (RecordKind::Folder, Some("another".to_owned()));
    let look = |fake: &Fake, hint: &Touched| {
        fake.calls.lock().unwrap().clear();
        let glance = observe_touched(fake, &Still::default(), &base, &scope(), &before, hint);
        (glance, std::mem::take(&mut *fake.calls.lock().unwrap()))
    };
    let (glance, calls) = look(&fake, &hint);
    assert!(matches!(glance, Ok(Glance::Nothing)));
    assert_eq!(calls, ["look s"]);
    fake.trash_it("s");
    assert!(matches!(look(&fake, &hint).0, Err(RemoteError::Gone)));
}
