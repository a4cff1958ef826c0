//! Files whose size iCloud does not tell.

use super::*;

#[test]
fn items_without_a_size_are_looked_up_once_more() {
    let mut fake = Fake::new(&TREE);
    fake.items.get_mut("a").unwrap().1.size = None.into();
    observe(&fake, &base(&TREE));
    assert_eq!(fake.calls("look a"), 0, "the version that was agreed on is known");
    fake.items.get_mut("a").unwrap().1.etag = Etag::new("2::2");
    let view = observe(&fake, &base(&TREE));
    assert_eq!(fake.calls("look a"), 1);
    assert_eq!(view.tree.get(view.tree.by_id(&id("a")).unwrap()).size.get(), None);
    let again = observe_remote(&fake, &Still::default(), &base(&[]), &scope(&|_| false), Some(&view));
    assert!(again.is_ok());
    assert_eq!(fake.calls("look a"), 1);
}
