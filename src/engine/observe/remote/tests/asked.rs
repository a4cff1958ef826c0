//! What the base does not know is asked for when it is new.

use super::*;

#[test]
fn a_folder_that_is_known_is_not_asked_for_whenever_something_in_it_changes() {
    let items = [("root", "agreed"), ("root", "d/"), ("d", "x")];
    let mut fake = Fake::new(&items);
    let (base, skip) = (base(&items[..1]), |path: &RelPath| path.as_str() == "d");
    let look = |fake: &Fake, before: Option<&RemoteView>| {
        fake.calls.lock().unwrap().clear();
        let view = observe_remote(fake, &Still::default(), &base, &scope(&skip), before).unwrap();
        (fake.calls("look d"), view)
    };
    let (asked, mut before) = look(&fake, None);
    assert_eq!(asked, 1, "it is new");
    for etag in ["2::1", "3::1"] {
        fake.items.get_mut("d").unwrap().1.etag = Etag::new(etag);
        let (asked, view) = look(&fake, Some(&before));
        assert_eq!(asked, 0, "its etag moves with what is in it");
        before = view;
    }
    fake.items.get_mut("d").unwrap().1.etag = Etag::new("4::1");
    fake.items.get_mut("d").unwrap().1.name = "other".into();
    let (asked, before) = look(&fake, Some(&before));
    assert_eq!(asked, 1, "it has another name");
    fake.items.get_mut("d").unwrap().1.kind = RemoteKind::File;
    fake.items.get_mut("d").unwrap().1.etag = Etag::new("5::1");
    let (asked, before) = look(&fake, Some(&before));
    assert_eq!(asked, 1, "it is no folder any more");
    assert_eq!(look(&fake, Some(&before)).0, 0);
    fake.items.get_mut("d").unwrap().1.etag = Etag::new("6::2");
    assert_eq!(look(&fake, Some(&before)).0, 1, "a file of another version may be as it was before");
}
