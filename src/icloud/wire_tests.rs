use serde_json::json;

use super::*;

fn item(value: Value) -> Item {
    serde_json::from_value(value).unwrap()
}

fn file(extra: Value) -> Item {
    let mut value = json!({
        "drivewsid": "FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E",
        "name": "Report", "extension": "pdf", "type": "FILE", "etag": "32::2x", "size": 20480,
        "dateModified": "2026-03-02T11:22:33Z", "parentId": "FOLDER::com.apple.CloudDocs::root",
    });
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    item(value)
}

#[test]
fn a_file_becomes_an_entry_with_its_full_name() {
    let found = file(json!({})).to_remote().unwrap();
    assert_eq!(&*found.entry.name, "Report.pdf");
    assert_eq!(found.entry.kind, RemoteKind::File);
    assert_eq!(found.entry.size, Some(20480));
    assert_eq!(found.entry.mtime, Some(ServerTime(1_772_450_553)));
    assert_eq!(found.entry.etag, Etag::new("32::2x"));
    assert_eq!(found.parent, RemoteParent::Folder(ItemId::drive_root()));
}

#[test]
fn a_number_is_the_same_however_json_writes_it() {
    for (size, expected) in [
        (json!(3.0), Some(3)),
        (serde_json::from_str("3e0").unwrap(), Some(3)),
        (json!("3"), Some(3)),
        (json!(0.0), Some(0)),
        (json!(3.5), None),
        (json!(1e300), None),
        (json!(-1.0), None),
    ] {
        assert_eq!(file(json!({"size": size})).to_remote().unwrap().entry.size.get(), expected, "{size}");
    }
}

#[test]
fn names_are_joined_as_the_service_splits_them() {
    for (name, extension, kind, expected) in [
        ("a.tar", json!("gz"), "FILE", "a.tar.gz"),
        ("", json!("bashrc"), "FILE", ".bashrc"),
        (".bashrc", json!(""), "FILE", ".bashrc"),
        ("plain", json!(null), "FILE", "plain"),
        ("v1.2", json!(null), "FOLDER", "v1.2"),
        ("v1", json!("2"), "FOLDER", "v1.2"),
        ("x.tar", json!("gz"), "FOLDER", "x.tar.gz"),
        ("", json!("config"), "FOLDER", ".config"),
        (".config", json!(""), "FOLDER", ".config"),
        ("a.", json!(null), "FOLDER", "a."),
        ("v1 2", json!("2"), "FOLDER", "v1 2.2"),
        ("Final", json!("Cut"), "APP_LIBRARY", "Final.Cut"),
        ("share", json!("d"), "SHARED_FOLDER", "share.d"),
        ("n", json!(7), "FILE", "n.7"),
    ] {
        let shown = file(json!({"name": name, "extension": extension, "type": kind}));
        assert_eq!(shown.full_name(), expected);
    }
}

#[test]
fn kinds_follow_type_share_and_prefix() {
    let id = |prefix: &str| format!("{prefix}::iCloud.md.obsidian::documents");
    for (value, expected) in [
        (json!({"type": "FILE"}), RemoteKind::File),
        (json!({"type": "file"}), RemoteKind::File),
        (json!({"type": "FOLDER", "drivewsid": "FOLDER::com.apple.CloudDocs::A"}), RemoteKind::Folder),
        (json!({"type": "APP_LIBRARY", "drivewsid": id("FOLDER")}), RemoteKind::AppLibrary),
        (json!({"type": "APP_CONTAINER", "drivewsid": id("FOLDER")}), RemoteKind::AppLibrary),
        (json!({"type": null, "drivewsid": id("FOLDER")}), RemoteKind::AppLibrary),
        (json!({"type": null}), RemoteKind::File),
        (json!({"type": "SHARED_FOLDER"}), RemoteKind::Foreign),
        (json!({"drivewsid": "FILE_IN_SHARED_FOLDER::com.apple.CloudDocs::A"}), RemoteKind::Foreign),
        (json!({"share": "TO_ME"}), RemoteKind::Foreign),
        (json!({"share": "BY_ME", "shareCount": 1}), RemoteKind::File),
        (json!({"type": "SOMETHING_NEW"}), RemoteKind::Foreign),
    ] {
        assert_eq!(file(value.clone()).entry().unwrap().kind, expected, "{value}");
    }
}

#[test]
fn odd_members_are_taken_as_far_as_they_say_something() {
    let odd = file(json!({"size": "123", "dateModified": "2026-03-02T04:22:35-07:00", "etag": "null",
        "isDeleted": true, "icons": [{"deep": [1]}], "parentId": "FOLDER::com.apple.CloudDocs::TRASH_ROOT"}));
    let found = odd.to_remote().unwrap();
    assert_eq!(found.entry.size, Some(123));
    assert_eq!(found.entry.mtime, Some(ServerTime(1_772_450_555)));
    assert_eq!(found.entry.etag, Etag::default());
    assert_eq!(found.parent, RemoteParent::Trash);
    assert!(odd.is_deleted);
    for value in [json!({"size": -5}), json!({"size": [1]}), json!({"size": null}), json!({"size": 1.5})] {
        assert_eq!(file(value).entry().unwrap().size, None);
    }
    for when in ["", "yesterday", "2026-03-02"] {
        assert_eq!(file(json!({"dateModified": when})).entry().unwrap().mtime, None);
    }
}

#[test]
fn an_id_comes_from_its_parts_where_the_whole_is_missing() {
    let parts = item(json!({"zone": "com.apple.Pages", "docwsid": "documents", "type": "APP_LIBRARY"}));
    assert_eq!(parts.id(), Some(ItemId::new(Zone::new("com.apple.Pages"), "documents")));
    assert_eq!(item(json!({"drivewsid": "TRASH_ROOT"})).id(), None);
    assert!(item(json!({"drivewsid": "TRASH_ROOT"})).is_trash());
}

fn listing(extra: Value) -> Listing {
    let mut value = json!({"drivewsid": "FOLDER::com.apple.CloudDocs::root", "name": "", "etag": "31",
        "type": "FOLDER", "numberOfItems": 1, "status": "OK",
        "items": [{"drivewsid": "FILE::com.apple.CloudDocs::A", "name": "a", "type": "FILE", "etag": "1::1"}]});
    value.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    item(value).listing(&RemoteParent::Folder(ItemId::drive_root()), false).unwrap()
}

#[test]
fn a_listing_is_complete_only_when_it_adds_up() {
    let twice = json!([{"drivewsid": "FILE::z::A", "name": "a"}, {"drivewsid": "FILE::z::A", "name": "a"}]);
    for (extra, expected) in [
        (json!({}), FolderState::Complete),
        (json!({"status": null}), FolderState::Complete),
        (json!({"numberOfItems": "1"}), FolderState::Complete),
        (json!({"numberOfItems": 2}), FolderState::Incomplete),
        (json!({"numberOfItems": 0}), FolderState::Incomplete),
        (json!({"numberOfItems": null}), FolderState::Incomplete),
        (json!({"items": null, "numberOfItems": 0}), FolderState::Incomplete),
        (json!({"items": [], "numberOfItems": 0}), FolderState::Complete),
        (json!({"status": "SOMETHING"}), FolderState::Incomplete),
        (json!({"errorCode": 421}), FolderState::Incomplete),
        (json!({"items": twice, "numberOfItems": 2}), FolderState::Incomplete),
    ] {
        assert_eq!(listing(extra.clone()).folder.state, expected, "{extra}");
    }
}

#[test]
fn what_no_path_can_hold_is_told_and_kept_out() {
    let names = ["..", ".", "a/b", "a\0b", ""];
    let items: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| json!({"drivewsid": format!("FILE::z::{at}"), "name": name, "type": "FILE"}))
        .chain([json!({"name": "homeless"})])
        .collect();
    let shown = listing(json!({"numberOfItems": items.len(), "items": items}));
    assert!(shown.items.is_empty());
    let told: Vec<_> = shown.unusable.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["..", ".", "a/b", "a\0b", "", "homeless"]);
    assert_eq!(shown.folder.state, FolderState::Complete);
}

#[test]
fn brief_children_need_no_name() {
    let shown = item(json!({"drivewsid": "FOLDER::z::F", "numberOfItems": 1,
        "items": [{"drivewsid": "FILE::z::A", "docwsid": "A", "etag": "7::3"}]}))
    .listing(&RemoteParent::Folder(ItemId::new(Zone::new("z"), "F")), true)
    .unwrap();
    assert_eq!(shown.items.len(), 1);
    assert_eq!(shown.items[0].entry.etag, Etag::new("7::3"));
}

#[test]
fn the_trash_lists_without_an_id_of_its_own() {
    let shown = item(json!({"drivewsid": "TRASH_ROOT", "numberOfItems": 1, "items": [
        {"drivewsid": "FILE::z::A", "name": "a", "parentId": "TRASH_ROOT", "type": "FILE"}]}))
    .listing(&RemoteParent::Trash, false)
    .unwrap();
    assert_eq!(shown.items[0].parent, RemoteParent::Trash);
    assert_eq!(shown.folder.state, FolderState::Complete);
}

/// `unit` again and again between two texts.
fn repeated(head: &str, unit: &str, times: usize, tail: &str) -> impl Read {
    struct Units(String, usize, usize);
    impl Read for Units {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = if self.2 == 0 { 0 } else { buffer.len().min(self.0.len() - self.1) };
            buffer[..count].copy_from_slice(&self.0.as_bytes()[self.1..self.1 + count]);
            self.1 += count;
            if count > 0 && self.1 == self.0.len() {
                (self.1, self.2) = (0, self.2 - 1);
            }
            Ok(count)
        }
    }
    let text = |text: &str| io::Cursor::new(text.to_owned().into_bytes());
    text(head).chain(Units(unit.to_owned(), 0, times)).chain(text(tail))
}

const ROOT: &str =
    r#"[{"drivewsid":"FOLDER::com.apple.CloudDocs::root","type":"FOLDER","name":"","etag":"1","items":["#;

#[test]
fn a_folder_of_eighty_thousand_is_read_and_one_of_too_many_is_refused() {
    let child = r#"{"drivewsid":"FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E","docwsid":"x","zone":"com.apple.CloudDocs",
        "parentId":"FOLDER::com.apple.CloudDocs::root","name":"IMG_00001","extension":"jpg","type":"FILE","etag":"32::2x","size":20480},"#;
    let read =
        |times| read_entries(repeated(ROOT, child, times, &format!("{}]}}]", child.trim_end_matches(','))));
    let entries = read(80_000).unwrap().unwrap();
    assert_eq!(entries[0].items.as_ref().unwrap().count, 80_001);
    assert!(super::super::bounded::is_too_much(&read(400_000).unwrap_err()));
    // The next answer has its own allowance.
    assert!(read(10).unwrap().is_some());
    for (unit, tail) in [("{},", "{}]}]"), (r#"{"items":[{}]},"#, "{}]}]"), (r#"{"name":"x"},"#, "{}]}]")] {
        let refused = read_entries(repeated(ROOT, unit, 20_000_000, tail)).unwrap_err();
        assert!(super::super::bounded::is_too_much(&refused), "{unit}");
    }
    let entries = read_entries(repeated("[", "{},", 20_000_000, "{}]")).unwrap_err();
    assert!(super::super::bounded::is_too_much(&entries));
}

#[test]
fn what_is_no_listing_is_none_and_a_broken_stream_is_an_error() {
    for text in ["", "nonsense", "[1,2]", "[{\"items\":7}]", "[{}", "[]x"] {
        assert!(read_entries(text.as_bytes()).is_ok_and(|read| read.is_none()), "{text}");
    }
    assert_eq!(read_entries(&b"{\"status\":\"OK\"}"[..]).unwrap().unwrap().len(), 1);
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let error = read_entries((&b"[{\"items\":["[..]).chain(Broken)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_child_without_a_name_is_unknown_and_never_named_by_its_extension() {
    let items = json!([
        {"drivewsid": "FILE::z::A", "extension": "txt", "type": "FILE", "etag": "1::1", "size": 3},
        {"drivewsid": "FILE::z::B", "name": null, "extension": "md", "type": "FILE", "etag": "1::1", "size": 3},
        {"drivewsid": "FILE::z::C", "name": "", "extension": "bashrc", "type": "FILE", "etag": "1::1", "size": 3},
    ]);
    let shown = listing(json!({"numberOfItems": 3, "items": items.clone()}));
    let names: Vec<_> = shown.items.iter().map(|item| &*item.entry.name).collect();
    assert_eq!(names, [".bashrc"]);
    assert!(shown.unusable.is_empty());
    assert_eq!(shown.folder.state, FolderState::Incomplete, "what is missing proves nothing");
    assert!(item(items[0].clone()).to_remote().is_none() && item(items[2].clone()).to_remote().is_some());
}
