//! Looks at the folders whose etag moved.

use super::*;

/// `a/b/x`, `a/b/c/y` and `d/z`.
const DEEP: [(&str, &str); 7] =
    [("root", "a/"), ("a", "b/"), ("b", "x"), ("b", "c/"), ("c", "y"), ("root", "d/"), ("d", "z")];

/// What a look by etag shows after `before`, and the calls that it took.
fn look(fake: &Fake, base: &BaseTree, before: &RemoteView) -> (Glance, Vec<String>) {
    fake.calls.lock().unwrap().clear();
    let glance = observe_by_etag(fake, &Still::default(), base, &scope(&|_| false), before).unwrap();
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

/// Something changed in these folders, and their etags with it.
fn moved(fake: &mut Fake, folders: &[&str]) {
    for folder in folders {
        let (_, entry) = fake.items.get_mut(*folder).unwrap();
        entry.etag = Etag::new(&format!("{}+", entry.etag.as_str()));
    }
}

#[test]
fn only_folders_whose_etag_moved_are_read_and_the_rest_is_as_it_was() {
    let (mut fake, base) = (Fake::new(&DEEP), base(&DEEP));
    let before = observe(&fake, &base);
    let (nothing, calls) = look(&fake, &base, &before);
    assert_eq!(calls, ["list root"]);
    assert_eq!(paths(&seen(nothing)), paths(&before));
    fake.items.get_mut("y").unwrap().1.etag = Etag::new("2::2");
    moved(&mut fake, &["a", "b", "c"]);
    let (glance, calls) = look(&fake, &base, &before);
    let view = seen(glance);
    assert_eq!(calls, ["list root", "brief a", "list a", "brief b", "list b", "brief c", "list c"]);
    assert_eq!(view.tree.get(view.tree.by_id(&id("y")).unwrap()).etag.as_str(), "2::2");
    assert!(view.complete && view.absent.is_empty());
    // It is known now.
    let (glance, calls) = look(&fake, &base, &view);
    assert_eq!(calls, ["list root"]);
    assert_eq!(paths(&seen(glance)), paths(&before));
}

#[test]
fn what_is_not_read_is_never_gone_and_what_moved_out_of_it_is_where_it_is_shown() {
    let (mut fake, base) = (Fake::new(&DEEP), base(&DEEP));
    let before = observe(&fake, &base);
    // A deletion that moves no etag is not seen, and one that is seen is asked for.
    fake.trash_it("y");
    let (glance, calls) = look(&fake, &base, &before);
    assert_eq!((paths(&seen(glance)), calls), (paths(&before), vec!["list root".to_owned()]));
    fake.trash_it("z");
    moved(&mut fake, &["d"]);
    let (glance, calls) = look(&fake, &base, &before);
    let view = seen(glance);
    assert_eq!(view.absent, HashMap::from([(id("z"), Absence::Trashed)]));
    assert_eq!(calls, ["list root", "brief d", "list d", "look z"]);
    // The folder that it came from says nothing.
    fake.items.get_mut("x").unwrap().0 = "d".to_owned();
    moved(&mut fake, &["d"]);
    let (glance, _) = look(&fake, &base, &before);
    assert_eq!(paths(&seen(glance)), ["a", "a/b", "a/b/c", "a/b/c/y", "d", "d/x"]);
}

#[test]
fn an_etag_that_was_shown_after_its_folder_was_read_spares_nothing() {
    let (mut fake, base) = (Fake::new(&DEEP), base(&DEEP));
    let before = observe(&fake, &base);
    // A look at the root alone shows another etag of `a`, and not what is below it.
    fake.items.get_mut("y").unwrap().1.etag = Etag::new("2::2");
    moved(&mut fake, &["a", "b", "c"]);
    let record = Record {
        doc: "d".to_owned(),
        kind: RecordKind::Folder,
        place: RecordPlace::In("root".to_owned()),
        tag: None,
        name: None,
    };
    let hint = Touched { zone: Zone::CloudDocs, records: vec![record], spares_root: false };
    let glance =
        observe_touched(&fake, &Still::default(), &base, &scope(&|_| false), &before, &hint).unwrap();
    let part = seen(glance);
    assert_eq!(part.tree.get(part.tree.by_id(&id("a")).unwrap()).etag.as_str(), "1::1+");
    let view = seen(look(&fake, &base, &part).0);
    assert_eq!(view.tree.get(view.tree.by_id(&id("y")).unwrap()).etag.as_str(), "2::2");
}

#[test]
fn whatever_leaves_a_doubt_takes_a_whole_walk() {
    let (mut fake, base) = (Fake::new(&DEEP), base(&DEEP));
    let before = observe(&fake, &base);
    let too_little = |fake: &Fake, before: &RemoteView| {
        assert!(matches!(look(fake, &base, before).0, Glance::TooLittle(_)));
    };
    too_little(&fake, &RemoteView { complete: false, ..before.clone() });
    too_little(&fake, &RemoteView { hollow: HashSet::from([id("x")]), ..before.clone() });
    moved(&mut fake, &["d"]);
    fake.short.lock().unwrap().insert("d".to_owned(), 3);
    too_little(&fake, &before);
    // Nobody says what became of it.
    let mut fake = Fake::new(&DEEP);
    fake.silent.insert("z".to_owned());
    fake.items.remove("z");
    moved(&mut fake, &["d"]);
    too_little(&fake, &before);
}

#[test]
fn what_takes_part_now_is_read_although_its_folder_is_not() {
    let (fake, base) = (Fake::new(&DEEP), base(&[("root", "a/"), ("a", "b/"), ("b", "x")]));
    let skips = |path: &RelPath| path.as_str() == "a/b/c";
    let before = observe_remote(&fake, &Still::default(), &base, &scope(&skips), None).unwrap();
    assert_eq!(before.tree.by_id(&id("y")), None);
    let (glance, calls) = look(&fake, &base, &before);
    assert_eq!(calls.iter().filter(|call| call.ends_with(" c")).count(), 1, "{calls:?}");
    assert!(seen(glance).tree.by_id(&id("y")).is_some());
}
