//! What a drive promises.

use std::io::Write;

use icloudds::engine::ports::{
    Commit, ItemVersion, LookUp, Remote, RemoteError, RemoteItem, RemoteParent, Sink,
};
use icloudds::model::{FolderState, ItemId, RemoteKind, ServerTime, name};

use super::DriveBench;

fn root() -> ItemId {
    ItemId::drive_root()
}

fn version(item: &RemoteItem) -> ItemVersion {
    ItemVersion { id: item.entry.id.clone(), folder: item.entry.is_folder(), etag: item.entry.etag.clone() }
}

fn found(remote: &dyn Remote, id: &ItemId) -> RemoteItem {
    match remote.look_up(&[(id.clone(), false)]).unwrap().remove(0) {
        LookUp::Found(item) => item,
        other => panic!("{other:?}"),
    }
}

fn folder(remote: &dyn Remote, name: &str) -> RemoteItem {
    remote.create_folders(&root(), &[name]).remove(0).unwrap()
}

/// Where fetched bytes go in this suite.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for Bytes {
    fn restart(&mut self) -> std::io::Result<()> {
        self.0.clear();
        Ok(())
    }
}

fn fetch(remote: &dyn Remote, id: &ItemId) -> Vec<u8> {
    let offer = remote.offers(std::slice::from_ref(id)).remove(0).unwrap();
    let mut sink = Bytes::default();
    remote.fetch(&offer, None, 0, &mut sink).unwrap();
    sink.0
}

fn upload(
    remote: &dyn Remote,
    name: &str,
    content: &[u8],
    replaces: Option<&ItemId>,
) -> Result<RemoteItem, RemoteError> {
    let parent = root();
    let staged = remote.stage(parent.zone(), name, content.len() as u64, &mut &*content)?;
    remote.commit(&Commit {
        staged: &staged,
        parent: &parent,
        name,
        replaces,
        mtime: ServerTime(1_700_000_000),
        btime: ServerTime(1_600_000_000),
        executable: false,
    })
}

pub fn a_listing_answers_each_folder_in_order(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let made = folder(remote, "folder");
    let file = bench.create(&root(), "a.txt", b"12");
    let none = ItemId::from_drivewsid("FOLDER::com.apple.CloudDocs::none").unwrap();
    let answers = remote.list(&[made.entry.id.clone(), none, root()], false);
    assert_eq!(answers[0].as_ref().unwrap().items, []);
    assert!(answers[1].is_err());
    let listing = answers[2].as_ref().unwrap();
    assert_eq!((&listing.folder.id, listing.folder.state), (&root(), FolderState::Complete));
    let item = listing.items.iter().find(|item| item.entry.id == file).unwrap();
    assert_eq!((&*item.entry.name, item.entry.size.get()), ("a.txt", Some(2)));
    assert_eq!((&item.entry.kind, &item.parent), (&RemoteKind::File, &RemoteParent::Folder(root())));
    let brief = remote.list(&[root()], true).remove(0).unwrap();
    let ids = |items: &[RemoteItem]| {
        let mut ids: Vec<_> = items.iter().map(|i| (i.entry.id.clone(), i.entry.etag.to_string())).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&brief.items), ids(&listing.items));
}

pub fn a_look_up_tells_what_is_there_and_what_is_gone(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let (kept, gone) = (bench.create(&root(), "a", b"1"), bench.create(&root(), "b", b"2"));
    bench.erase(&gone);
    let answers = remote.look_up(&[(gone, false), (kept.clone(), false)]).unwrap();
    assert!(matches!(answers[0], LookUp::Gone));
    assert!(matches!(&answers[1], LookUp::Found(item) if item.entry.id == kept));
}

pub fn a_change_keeps_the_id_and_changes_the_etag(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let target = folder(remote, "target");
    let id = bench.create(&root(), "a.txt", b"1");
    let before = found(remote, &id);
    let renamed = remote.rename(&version(&before), "b.txt").unwrap();
    assert_eq!((&renamed.entry.id, &*renamed.entry.name), (&id, "b.txt"));
    assert_ne!(renamed.entry.etag, before.entry.etag);
    assert!(renamed.entry.etag.same_content(&before.entry.etag));
    let moved = remote.move_into(&target.entry.id, &[version(&renamed)]).remove(0).unwrap();
    assert_eq!((&moved.entry.id, &moved.parent), (&id, &RemoteParent::Folder(target.entry.id)));
    bench.edit(&id, b"22");
    let edited = found(remote, &id);
    assert!(!edited.entry.etag.same_content(&moved.entry.etag));
}

pub fn the_trash_takes_only_the_planned_version(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let id = bench.create(&root(), "a.txt", b"1");
    let planned = version(&found(remote, &id));
    bench.edit(&id, b"22");
    assert_eq!(remote.trash(&[planned]).remove(0), Err(RemoteError::Stale));
    assert_eq!(found(remote, &id).parent, RemoteParent::Folder(root()));
    let trashed = remote.trash(&[version(&found(remote, &id))]).remove(0).unwrap();
    assert_eq!((&trashed.entry.id, &trashed.parent), (&id, &RemoteParent::Trash));
    let listing = remote.list_trash().unwrap();
    assert!(listing.items.iter().any(|item| item.entry.id == id && item.parent == RemoteParent::Trash));
    assert_eq!(found(remote, &id).parent, RemoteParent::Trash);
    assert_eq!(fetch(remote, &id), b"22", "what is trashed can be had");
}

pub fn what_is_trashed_comes_back_or_goes_for_good(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let made = folder(remote, "folder");
    let inside = bench.create(&made.entry.id, "a.txt", b"1");
    let trash = || remote.trash(&[version(&found(remote, &made.entry.id))]).remove(0).unwrap();
    let back = remote.put_back(&[version(&trash())]).remove(0).unwrap();
    assert_eq!(back.parent, RemoteParent::Folder(root()));
    assert_eq!(found(remote, &inside).parent, RemoteParent::Folder(back.entry.id));
    remote.delete_trashed(&[version(&trash())]).remove(0).unwrap();
    let answers = remote.look_up(&[(made.entry.id.clone(), true), (root(), true)]).unwrap();
    assert!(matches!(answers[0], LookUp::Gone));
}

pub fn an_upload_shows_when_it_is_committed(bench: &dyn DriveBench) {
    let remote = bench.remote();
    remote.stage(root().zone(), "a.txt", 3, &mut b"abc".as_slice()).unwrap();
    assert_eq!(remote.list(&[root()], false).remove(0).unwrap().items, []);
    let item = upload(remote, "M\u{fc}ll.txt", b"abc", None).unwrap();
    assert!(name::same(&item.entry.name, "M\u{fc}ll.txt"));
    assert_eq!((item.entry.size.get(), item.entry.mtime.get()), (Some(3), Some(ServerTime(1_700_000_000))));
    assert_eq!(fetch(remote, &item.entry.id), b"abc");
    assert_eq!(upload(remote, "M\u{fc}ll.txt", b"other", None), Err(RemoteError::NameTaken));
    let empty = upload(remote, "empty", b"", None).unwrap();
    assert_eq!(empty.entry.size.get().unwrap_or(0), 0);
}

pub fn a_replacement_keeps_the_id(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let id = bench.create(&root(), "a.txt", b"old");
    let before = found(remote, &id);
    let after = upload(remote, "a.txt", b"newer", Some(&id)).unwrap();
    assert_eq!((&after.entry.id, after.entry.size.get()), (&id, Some(5)));
    assert!(!after.entry.etag.same_content(&before.entry.etag));
    assert_eq!(fetch(remote, &id), b"newer");
}

pub fn a_fetch_begins_where_it_is_asked_to(bench: &dyn DriveBench) {
    let remote = bench.remote();
    let id = bench.create(&root(), "a.txt", b"0123456789");
    let offer = remote.offers(std::slice::from_ref(&id)).remove(0).unwrap();
    assert_eq!((&offer.id, &offer.etag, offer.package), (&id, &found(remote, &id).entry.etag, false));
    let mut sink = Bytes(b"0123".to_vec());
    let fetched = remote.fetch(&offer, Some(10), 4, &mut sink).unwrap();
    assert!(fetched.from == 4 || fetched.from == 0);
    assert_eq!(fetched.from + fetched.written, 10);
    assert_eq!(sink.0, b"0123456789");
    let offer = remote.offers(&[id]).remove(0).unwrap();
    let short = remote.fetch(&offer, Some(11), 0, &mut Bytes::default());
    assert!(matches!(short, Err(RemoteError::Damaged(_))));
    let none = ItemId::from_drivewsid("FILE::com.apple.CloudDocs::none").unwrap();
    assert!(remote.offers(&[none]).remove(0).is_err());
}

pub fn a_body_of_another_length_is_not_staged(bench: &dyn DriveBench) {
    let staged = bench.remote().stage(root().zone(), "a", 5, &mut b"abc".as_slice());
    assert!(staged.is_err());
}
