//! A drive and a disk that are made up while they are read, so that they take no memory themselves: a hundred files in each folder.

use std::time::Duration;

use icloudds::engine::ports::{
    Away, Clock, Commit, Disk, DiskError, Displaced, Download, DownloadKey, Fetched, FolderReading,
    ItemVersion, Listing, LookUp, Offer, Ready, Remote, RemoteError, RemoteItem, RemoteParent, Sink, Source,
    Staged, Stopped,
};
use icloudds::model::name::Name;
use icloudds::model::{
    DiskTime, Etag, FolderState, Identity, ItemId, LocalEntry, LocalKind, LocalStamp, RelPath, RemoteEntry,
    RemoteKind, ServerTime, Zone,
};

/// Items in a folder, the folder among them.
pub const IN_A_FOLDER: usize = 100;

/// A Friday in 2026, nanoseconds since 1970.
const NOW: i64 = 1_796_000_000_000_000_000;

/// So many items, every hundredth of them a folder of the root.
#[derive(Clone, Copy)]
pub struct Numbers {
    pub items: usize,
}

impl Numbers {
    pub fn is_folder(number: usize) -> bool {
        number % IN_A_FOLDER == 1
    }

    /// The folder that holds an item; 0 is the root.
    pub fn folder_of(number: usize) -> usize {
        if Self::is_folder(number) { 0 } else { (number - 1) / IN_A_FOLDER * IN_A_FOLDER + 1 }
    }

    /// What a folder holds.
    pub fn held_by(self, folder: usize) -> Vec<usize> {
        if folder == 0 {
            (1..=self.items).step_by(IN_A_FOLDER).collect()
        } else {
            (folder + 1..(folder + IN_A_FOLDER).min(self.items + 1)).collect()
        }
    }
}

/// Half of the names are those of a camera, half those of a person; all in byte order of their numbers.
pub fn name(number: usize) -> String {
    if Numbers::is_folder(number) {
        format!("Album {number:07}")
    } else if number.is_multiple_of(2) {
        format!("IMG_{number:07}.HEIC")
    } else {
        format!("IMG_{number:07} holiday in July.jpeg")
    }
}

/// A number that looks drawn by lot, the same each time.
fn lot(number: usize) -> u64 {
    let mut value = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value ^ (value >> 27)
}

pub fn id(number: usize) -> ItemId {
    if number == 0 {
        return ItemId::drive_root();
    }
    let (high, low) = (lot(number), lot(number + 1_000_000_007));
    let text = format!(
        "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    ItemId::new(Zone::CloudDocs, &text)
}

pub fn there(number: usize) -> RemoteEntry {
    let folder = number == 0 || Numbers::is_folder(number);
    let name = if number == 0 { String::new() } else { name(number) };
    RemoteEntry {
        id: id(number),
        kind: if folder { RemoteKind::Folder } else { RemoteKind::File },
        name: name.as_str().into(),
        etag: Etag::new(&format!("{:x}::{:x}", number % 5000, number % 4000)),
        size: (!folder).then(|| lot(number) % 5_000_000).into(),
        mtime: (!folder).then(|| ServerTime(NOW / 1_000_000_000 - (lot(number) % 100_000_000) as i64)).into(),
        signature: None.into(),
        state: if folder { FolderState::Complete } else { FolderState::Unread },
    }
}

pub fn here(number: usize, folder: bool) -> LocalEntry {
    let drawn = (lot(number) % 1_000_000_000) as i64;
    LocalEntry {
        kind: if folder { LocalKind::Folder } else { LocalKind::File },
        stamp: LocalStamp {
            size: if folder { 0 } else { lot(number) % 5_000_000 },
            mtime: DiskTime(NOW - (lot(number) % 100_000_000) as i64 * 1_000_000_000),
            ctime: DiskTime(NOW - 86_400_000_000_000 + drawn),
            identity: Identity {
                inode: 1_000_000 + number as u64,
                birth: Some(DiskTime(NOW - 86_400_000_000_000 + drawn - 30_000_000)).into(),
            },
            on_root_fs: true,
            is_mount: false,
        },
        racy: false,
        signature: None.into(),
        state: FolderState::Unread,
        holds_unnameable: false,
    }
}

/// iCloud.
pub struct Cloud {
    pub numbers: Numbers,
    /// Folders by id, and the root.
    folders: std::collections::HashMap<ItemId, u32>,
}

impl Cloud {
    pub fn new(items: usize) -> Self {
        let folders = (1..=items).step_by(IN_A_FOLDER).chain([0]);
        let folders = folders.map(|number| (id(number), number as u32)).collect();
        Self { numbers: Numbers { items }, folders }
    }
}

fn refused<T>() -> Result<T, RemoteError> {
    Err(RemoteError::Unreachable("only looks are answered".to_owned()))
}

impl Remote for Cloud {
    fn list(&self, folders: &[ItemId], _: bool) -> Vec<Result<Listing, RemoteError>> {
        let listing = |folder: &ItemId| {
            let Some(&number) = self.folders.get(folder) else { return refused() };
            let item =
                |number| RemoteItem { entry: there(number), parent: RemoteParent::Folder(folder.clone()) };
            let items = self.numbers.held_by(number as usize).into_iter().map(item).collect();
            Ok(Listing { folder: there(number as usize), items, unusable: Vec::new(), file_count: None })
        };
        folders.iter().map(listing).collect()
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        refused()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        Ok(items.iter().map(|_| LookUp::Unknown).collect())
    }

    fn create_folders(&self, folder: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        Away.create_folders(folder, names)
    }

    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        Away.rename(item, name)
    }

    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Away.move_into(folder, items)
    }

    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Away.trash(items)
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        Away.delete_trashed(items)
    }

    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Away.put_back(items)
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        Away.offers(items)
    }

    fn fetch(&self, _: &Offer, _: Option<u64>, _: u64, _: &mut dyn Sink) -> Result<Fetched, RemoteError> {
        refused()
    }

    fn stage(
        &self,
        _: &Zone,
        _: &str,
        _: u64,
        _: &mut (dyn std::io::Read + Send),
    ) -> Result<Staged, RemoteError> {
        refused()
    }

    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        Away.commit(commit)
    }
}

/// The folder here: empty, or all that iCloud has, and then some new files in its first folder.
pub struct Folder {
    pub numbers: Numbers,
    pub new: usize,
}

fn none<T>(path: &RelPath) -> Result<T, DiskError> {
    Err(DiskError::Folder { path: path.clone() })
}

impl Folder {
    fn number(&self, path: &RelPath) -> Option<usize> {
        if path.is_root() {
            return Some(0);
        }
        let digits =
            |name: &str| name.chars().skip_while(|c| !c.is_ascii_digit()).take(7).collect::<String>();
        digits(path.name()).parse().ok().filter(|number| *number <= self.numbers.items)
    }
}

impl Disk for Folder {
    fn check_root(&self) -> Result<(), DiskError> {
        Ok(())
    }

    fn folds_case(&self) -> bool {
        false
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        let Some(number) = self.number(folder) else { return none(folder) };
        let entry = |number: usize| (name(number).as_str().into(), here(number, Numbers::is_folder(number)));
        let mut entries: Vec<(Name, _)> = self.numbers.held_by(number).into_iter().map(entry).collect();
        if number == 1 {
            let fresh = |new| (format!("new {new:04}.txt").as_str().into(), here(100_000_000 + new, false));
            entries.extend((0..self.new).map(fresh));
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(FolderReading { on_root_fs: true, entries, ..FolderReading::default() })
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        Ok(self.number(path).map(|number| here(number, number == 0 || Numbers::is_folder(number))))
    }

    fn open(&self, path: &RelPath, _: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        none(path)
    }

    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        none(path)
    }

    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        none(&key.path)
    }

    fn place(&self, _: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        none(to)
    }

    fn replace(&self, _: &Ready, at: &RelPath, _: &LocalStamp) -> Result<(LocalEntry, Displaced), DiskError> {
        none(at)
    }

    fn discard(&self, _: &Ready) {}

    fn rescue(&self, _: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        none(to)
    }

    fn rename(&self, from: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        none(from)
    }

    fn move_across(&self, from: &RelPath, _: &RelPath, _: &LocalStamp) -> Result<LocalEntry, DiskError> {
        none(from)
    }

    fn trash(&self, path: &RelPath, _: &LocalStamp) -> Result<(), DiskError> {
        none(path)
    }

    fn sync(&self, _: &[(RelPath, LocalStamp)], _: &[RelPath]) -> Result<(), DiskError> {
        Ok(())
    }
}

/// A clock that stands.
pub struct Still;

impl Clock for Still {
    fn now(&self) -> DiskTime {
        DiskTime(NOW)
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn boot(&self) -> u64 {
        1
    }

    fn pause(&self, _: Duration) -> Result<(), Stopped> {
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        0.5
    }
}
