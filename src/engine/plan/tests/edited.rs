//! What counts as an edit on iCloud (`docs/sync.md` §3).

use super::super::items::is_edited;
use crate::model::{BaseEntry, Etag, FolderState, ItemId, RemoteEntry, RemoteKind, ServerTime};

#[test]
fn an_edit_on_icloud_is_another_size_time_or_content_half_of_the_etag() {
    const FILE: (bool, bool) = (false, false);
    const PACKAGE: (bool, bool) = (false, true);
    const FOLDER: (bool, bool) = (true, false);
    let (size, time) = (Some(10), Some(1000));
    for (why, (folder, package), etag, size, time, expected) in [
        ("nothing happened", FILE, "1::1", size, time, false),
        ("only the version of its metadata", FILE, "2::1", size, time, false),
        ("another content", FILE, "2::2", size, time, true),
        ("another size", FILE, "2::1", Some(11), time, true),
        ("another time", FILE, "2::1", size, Some(1001), true),
        ("rounded otherwise, in the same version", FILE, "1::1", size, Some(1001), false),
        ("a package tells of its content by its etag", PACKAGE, "2::1", Some(11), Some(1001), false),
        ("another content of a package", PACKAGE, "2::2", size, time, true),
        ("a folder has no content", FOLDER, "2::2", None, None, false),
    ] {
        let id = ItemId::new(ItemId::drive_root().zone().clone(), "item");
        let known = BaseEntry {
            folder,
            package,
            etag: Etag::new("1::1"),
            remote_size: Some(10).into(),
            remote_mtime: Some(ServerTime(1000)).into(),
            ..BaseEntry::root(id.clone())
        };
        let entry = RemoteEntry {
            id,
            kind: if folder { RemoteKind::Folder } else { RemoteKind::File },
            name: "item".into(),
            etag: Etag::new(etag),
            size: size.into(),
            mtime: time.map(ServerTime).into(),
            signature: None.into(),
            state: FolderState::Unread,
        };
        assert_eq!(is_edited(&known.clone().into(), &entry), expected, "{why}");
        // A file without a size is empty.
        let unsized_then = BaseEntry { remote_size: None.into(), ..known };
        let empty_now = RemoteEntry { size: Some(0).into(), mtime: Some(ServerTime(1000)).into(), ..entry };
        assert_eq!(
            is_edited(&unsized_then.into(), &empty_now),
            etag.ends_with("::2") && !folder,
            "{why}, and empty"
        );
    }
}
