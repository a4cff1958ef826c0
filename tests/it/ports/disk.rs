//! What a disk promises.

use std::io::{Read, Write};

use icloudds::engine::ports::{Disk, DiskError, Displaced, DownloadKey, Ready};
use icloudds::model::{Etag, FolderState, ItemId, LocalKind, LocalStamp, RelPath, ServerTime};

use super::DiskBench;
use crate::sim::journal::signature;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn stamp(disk: &dyn Disk, at: &str) -> LocalStamp {
    disk.look(&path(at)).unwrap().expect("it is there").stamp
}

fn key(at: &str, etag: &str, size: u64) -> DownloadKey {
    DownloadKey {
        id: ItemId::from_drivewsid("FILE::com.apple.CloudDocs::D0").unwrap(),
        etag: Etag::new(etag),
        signature_text: "S".into(),
        size: Some(size),
        path: path(at),
    }
}

fn ready(disk: &dyn Disk, at: &str, content: &[u8]) -> Ready {
    let mut download = disk.download(&key(at, "1::1", content.len() as u64)).unwrap();
    download.restart().unwrap();
    download.write_all(content).unwrap();
    download.finish(Some(ServerTime(1_700_000_000))).unwrap()
}

fn names(disk: &dyn Disk, folder: &str) -> Vec<String> {
    let reading = disk.read_folder(&path(folder)).unwrap();
    // The program's own folder is no business of the suite.
    reading.entries.iter().map(|(name, _)| name.to_string()).filter(|name| name != ".icloudds").collect()
}

pub fn a_folder_is_read_in_the_order_of_the_names(bench: &dyn DiskBench) {
    bench.mkdir("b");
    bench.write("a", b"1");
    bench.write("B", b"22");
    bench.special("c");
    let disk = bench.disk();
    assert_eq!(names(disk, ""), ["B", "a", "b", "c"]);
    let kind = |at: &str| disk.look(&path(at)).unwrap().unwrap().kind;
    assert_eq!((kind("a"), kind("b"), kind("c")), (LocalKind::File, LocalKind::Folder, LocalKind::Special));
    let entry = disk.look(&path("B")).unwrap().unwrap();
    assert_eq!((entry.stamp.size, entry.stamp.on_root_fs), (2, true));
    assert_eq!(stamp(disk, "b").size, 0);
    assert!(entry.racy, "it was written just now");
    let reading = disk.read_folder(&path("")).unwrap();
    let folder = reading.entries.iter().find(|(name, _)| &**name == "b").unwrap();
    assert_eq!(folder.1.state, FolderState::Unread);
    assert!(disk.read_folder(&path("missing")).is_err());
    assert!(disk.read_folder(&path("a")).is_err());
}

pub fn nothing_is_seen_where_nothing_is(bench: &dyn DiskBench) {
    assert!(bench.disk().check_root().is_ok());
    assert_eq!(bench.disk().look(&path("missing")).unwrap(), None);
    bench.mkdir("d");
    assert_eq!(bench.disk().look(&path("d/missing")).unwrap(), None);
    // Where the folder is missing, or is none, nobody can say.
    bench.write("file", b"a file");
    for below in ["missing/below", "file/below"] {
        let looked = bench.disk().look(&path(below));
        assert!(matches!(looked, Err(DiskError::Folder { .. })), "{below}: {looked:?}");
    }
    for none in ["missing", "file", "missing/below"] {
        let read = bench.disk().read_folder(&path(none)).map(drop);
        assert!(matches!(read, Err(DiskError::Folder { .. })), "{none}: {read:?}");
    }
}

pub fn a_file_is_read_whole_or_not_agreed(bench: &dyn DiskBench) {
    let disk = bench.disk();
    bench.write("a", b"a content of some length");
    let planned = stamp(disk, "a");
    let mut source = disk.open(&path("a"), &planned).unwrap();
    let mut content = Vec::new();
    source.read_to_end(&mut content).unwrap();
    assert_eq!(content, b"a content of some length");
    assert_eq!(source.finish().unwrap(), signature(b"a content of some length"));

    let mut source = disk.open(&path("a"), &planned).unwrap();
    source.read_exact(&mut [0; 3]).unwrap();
    assert!(matches!(source.finish(), Err(DiskError::Changed { .. })), "not read to its end");

    let mut source = disk.open(&path("a"), &planned).unwrap();
    source.read_exact(&mut [0; 3]).unwrap();
    bench.write("a", b"another content, of another length");
    source.read_to_end(&mut Vec::new()).unwrap();
    assert!(matches!(source.finish(), Err(DiskError::Changed { .. })), "changed on the way");
    assert!(matches!(disk.open(&path("a"), &planned), Err(DiskError::Changed { .. })));
    bench.remove("a");
    assert!(matches!(disk.open(&path("a"), &planned), Err(DiskError::Changed { .. })));
}

pub fn a_folder_is_made_under_a_free_name(bench: &dyn DiskBench) {
    let disk = bench.disk();
    assert_eq!(disk.make_folder(&path("d")).unwrap().kind, LocalKind::Folder);
    assert!(matches!(disk.make_folder(&path("d")), Err(DiskError::Taken { .. })));
    assert!(matches!(disk.make_folder(&path("x/y")), Err(DiskError::Folder { .. })));
    assert!(matches!(disk.make_folder(&path(&"x".repeat(256))), Err(DiskError::Name { .. })));
    disk.sync(&[], &[path("")]).unwrap();
}

pub fn a_download_shows_only_when_it_is_placed(bench: &dyn DiskBench) {
    let disk = bench.disk();
    let ready = ready(disk, "new", b"content");
    assert_eq!((ready.size, ready.signature), (7, signature(b"content")));
    assert!(names(disk, "").is_empty());
    bench.write("taken", b"mine");
    assert!(matches!(disk.place(&ready, &path("taken")), Err(DiskError::Taken { .. })));
    assert_eq!(bench.read("taken").unwrap(), b"mine");
    let entry = disk.place(&ready, &path("new")).unwrap();
    assert_eq!(bench.read("new").unwrap(), b"content");
    assert_eq!(entry.stamp.mtime.whole_seconds(), 1_700_000_000);
    assert_eq!(entry.stamp, stamp(disk, "new"));
}

pub fn a_download_resumes_while_it_is_of_one_version(bench: &dyn DiskBench) {
    let disk = bench.disk();
    // A disk may begin anew with one that is small: that costs less than to keep a record of it.
    let content: Vec<_> = (0..5_u32 << 20).map(|at| (at / 7) as u8).collect();
    let (size, part) = (content.len() as u64, 4 << 20);
    let mut download = disk.download(&key("new", "1::1", size)).unwrap();
    assert_eq!(download.offset(), 0);
    download.write_all(&content[..part]).unwrap();
    drop(download);
    let mut download = disk.download(&key("new", "1::1", size)).unwrap();
    assert_eq!(download.offset(), part as u64);
    download.write_all(&content[part..]).unwrap();
    assert_eq!(download.finish(None).unwrap().signature, signature(&content));
    let mut download = disk.download(&key("new", "2::2", size)).unwrap();
    assert_eq!(download.offset(), 0);
    download.write_all(&content[..part]).unwrap();
    drop(download);
    assert_eq!(disk.download(&key("new", "3::3", size)).unwrap().offset(), 0);
}

pub fn a_discarded_download_is_gone(bench: &dyn DiskBench) {
    let disk = bench.disk();
    let ready = ready(disk, "new", b"content");
    disk.discard(&ready);
    assert!(disk.place(&ready, &path("new")).is_err());
    assert!(names(disk, "").is_empty());
}

pub fn what_is_replaced_lies_in_the_trash(bench: &dyn DiskBench) {
    let disk = bench.disk();
    bench.write("a", b"old");
    let planned = stamp(disk, "a");
    let ready = ready(disk, "a", b"content");
    let (entry, displaced) = disk.replace(&ready, &path("a"), &planned).unwrap();
    assert_eq!(displaced, Displaced::AsPlanned);
    assert_eq!(entry.stamp, stamp(disk, "a"));
    assert_eq!(bench.read("a").unwrap(), b"content");
    assert_eq!(bench.trash(), [b"old".to_vec()]);
}

pub fn what_changed_is_not_replaced(bench: &dyn DiskBench) {
    let disk = bench.disk();
    bench.write("a", b"old");
    let planned = stamp(disk, "a");
    let ready = ready(disk, "a", b"content");
    bench.write("a", b"changed here");
    assert!(matches!(disk.replace(&ready, &path("a"), &planned), Err(DiskError::Changed { .. })));
    assert_eq!(bench.read("a").unwrap(), b"changed here");
    assert_eq!(disk.place(&ready, &path("b")).unwrap().stamp.size, 7, "the download waits on");
}

pub fn a_rename_needs_the_planned_item_and_a_free_name(bench: &dyn DiskBench) {
    let disk = bench.disk();
    bench.write("a", b"1");
    bench.write("taken", b"22");
    bench.mkdir("d");
    bench.write("d/inside", b"333");
    let planned = stamp(disk, "a");
    assert!(matches!(disk.rename(&path("a"), &path("taken"), &planned), Err(DiskError::Taken { .. })));
    assert!(matches!(disk.rename(&path("taken"), &path("b"), &planned), Err(DiskError::Changed { .. })));
    let moved = disk.rename(&path("a"), &path("d/b"), &planned).unwrap();
    assert_eq!(moved.stamp.identity, planned.identity);
    assert_eq!(moved.stamp, stamp(disk, "d/b"));
    disk.rename(&path("d"), &path("e"), &stamp(disk, "d")).unwrap();
    assert_eq!(bench.read("e/inside").unwrap(), b"333");
    let planned = stamp(disk, "e/b");
    bench.write("e/b", b"edited");
    assert!(matches!(disk.rename(&path("e/b"), &path("c"), &planned), Err(DiskError::Changed { .. })));
}

pub fn trashing_keeps_the_content_and_spares_full_folders(bench: &dyn DiskBench) {
    let disk = bench.disk();
    bench.mkdir("d");
    bench.write("d/a", b"1");
    bench.write("d/.DS_Store", b"junk");
    let folder = stamp(disk, "d");
    assert!(matches!(disk.trash(&path("d"), &folder), Err(DiskError::Folder { .. })));
    let planned = stamp(disk, "d/a");
    bench.write("d/a", b"edited");
    assert!(matches!(disk.trash(&path("d/a"), &planned), Err(DiskError::Changed { .. })));
    disk.trash(&path("d/a"), &stamp(disk, "d/a")).unwrap();
    assert_eq!(bench.read("d/a"), None);
    assert!(bench.trash().contains(&b"edited".to_vec()));
    disk.trash(&path("d"), &folder).unwrap();
    assert!(names(disk, "").is_empty());
    assert!(bench.trash().contains(&b"junk".to_vec()));
}

pub fn a_folder_that_is_gone_keeps_nothing_from_being_durable(bench: &dyn DiskBench) {
    let disk = bench.disk();
    disk.make_folder(&path("d")).unwrap();
    disk.make_folder(&path("d/gone")).unwrap();
    disk.trash(&path("d/gone"), &stamp(disk, "d/gone")).unwrap();
    disk.sync(&[], &[path("d"), path("d/gone")]).unwrap();
}
