//! What is known of one item, in each of the three trees (`docs/sync.md` §2).

use super::name::Name;
use super::{DiskTime, Etag, ItemId, Maybe, Rare, SeenAt, ServerTime, Side};

/// SHA-1 over the service's salt and the content: 20 bytes (`docs/protocol.md` §13).
///
/// Equal signatures mean equal content. It is computed locally for every file that is
/// transferred, so the base knows it also where the service tells none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; 20]);

/// What tells two local items apart though they have the same path: inode and birth time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Inode number.
    pub inode: u64,
    /// Birth time, where the file system has one.
    pub birth: Maybe<DiskTime>,
}

/// The fingerprint of a local item: what one `statx` says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalStamp {
    /// Size in bytes; 0 for folders.
    pub size: u64,
    /// Time of the last change of content.
    pub mtime: DiskTime,
    /// Time of the last change of inode or content; nobody can forge it.
    pub ctime: DiskTime,
    /// Inode and birth time.
    pub identity: Identity,
    /// Whether it lies on the file system of the drive's root; false below a mount point.
    pub on_root_fs: bool,
    /// Whether a volume begins there: it is on another file system than the folder that holds it (a mount point, a subvolume).
    pub is_mount: bool,
}

/// A change this close to a look could leave the stamp as the look saw it, in seconds.
const RACY_SECONDS: i64 = 2;

impl LocalStamp {
    /// Whether it proves nothing by itself, as it was seen at `at`: a change right after could have left it so (`docs/sync.md` §3).
    pub fn is_racy(&self, at: &SeenAt) -> bool {
        at.is_within(RACY_SECONDS, self.mtime) || at.is_within(RACY_SECONDS, self.ctime)
    }
}

/// How far the children of a folder are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FolderState {
    /// All children are known.
    Complete,
    /// Reading failed or did not add up: what is there may be used, what is missing proves nothing.
    Incomplete,
    /// Not read: ignored by rule with all it can hold, or not listed yet.
    #[default]
    Unread,
}

/// The kind of a local item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, socket, device or FIFO: never opened, followed, uploaded or deleted; holds its name.
    Special,
}

/// One item on the local disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalEntry {
    /// File, folder or neither.
    pub kind: LocalKind,
    /// Its fingerprint.
    pub stamp: LocalStamp,
    /// Whether a change right after the scan could have left the stamp as it is (`docs/sync.md` §3, racy).
    pub racy: bool,
    /// Signature of the content that `stamp` belongs to, once it was read.
    pub signature: Rare<Signature>,
    /// Folders: how far the children are known. Files: meaningless, `Unread`. Of what is neither, `Incomplete` says that it
    /// is a folder of the volume itself (`lost+found`), of which nobody needs to be told.
    pub state: FolderState,
    /// Folders: whether it holds something that the tree cannot show (a name that is not UTF-8).
    pub holds_unnameable: bool,
}

/// The kind of an item on iCloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteKind {
    /// A file, or a package, which only a look-up tells apart (`docs/protocol.md` §11.5).
    File,
    /// An ordinary folder.
    Folder,
    /// An app library (`docs/protocol.md` §14): a folder with a zone of its own.
    AppLibrary,
    /// Shared to the account, or a type that we do not know: not synced, holds its name.
    Foreign,
}

/// One item on iCloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteEntry {
    /// Its id.
    pub id: ItemId,
    /// Its kind.
    pub kind: RemoteKind,
    /// Full name with extension, byte for byte as the service gave it.
    pub name: Name,
    /// Version mark.
    pub etag: Etag,
    /// Bytes; `None` for folders and where the service gave none.
    pub size: Maybe<u64>,
    /// Modification time of the content; folders have none.
    pub mtime: Maybe<ServerTime>,
    /// Signature, where a look-up told it.
    pub signature: Rare<Signature>,
    /// Folders: how far the children are known.
    pub state: FolderState,
}

/// On which sides an item of the base stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// On both, as ever.
    #[default]
    Both,
    /// A folder that was deleted on iCloud and is kept here only for contents that do not take part.
    LocalOnly,
    /// A folder that was deleted here and is kept on iCloud only for contents that do not take part.
    RemoteOnly,
}

/// The last state of one item that both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseEntry {
    /// Its id on iCloud.
    pub id: ItemId,
    /// Whether it is a folder.
    pub folder: bool,
    /// Whether it is a package, kept as one opaque zip.
    pub package: bool,
    /// Where it stands; `Both` for every file.
    pub presence: Presence,
    /// Name on the local disk. The parent is the tree's.
    pub local_name: Name,
    /// Name on iCloud, exact; often the same text in another normalisation.
    pub remote_name: Name,
    /// Etag of the agreed remote version.
    pub etag: Etag,
    /// Size on iCloud in bytes, where it gave one.
    pub remote_size: Maybe<u64>,
    /// Modification time on iCloud.
    pub remote_mtime: Maybe<ServerTime>,
    /// Local fingerprint.
    pub stamp: LocalStamp,
    /// Whether `stamp` cannot be trusted alone (`docs/sync.md` §3, racy).
    pub racy: bool,
    /// Signature of the agreed content; `None` for folders.
    pub signature: Option<Signature>,
    /// The side on which a person created it, and when we first saw it there, in lived seconds (`docs/sync.md` §8,
    /// many deletions); `None` where nobody knows.
    pub created_on: Maybe<(Side, i64)>,
    /// When our own write to iCloud was answered, in lived seconds; listings that contradict it soon
    /// after are settled by a look-up (`docs/sync.md` §7).
    pub written_at: Maybe<i64>,
}

/// A [`BaseEntry`] as the base's tree keeps it: what it says of each side is what a look at that side says of the item while nothing has
/// changed, so that the trees of those looks need not say it again (`docs/size.md`, What an item weighs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What iCloud shows of the agreed version.
    pub remote: RemoteEntry,
    /// What the disk shows of it.
    pub local: LocalEntry,
    /// As [`BaseEntry::local_name`].
    pub local_name: Name,
    /// As [`BaseEntry::folder`].
    pub folder: bool,
    /// As [`BaseEntry::package`].
    pub package: bool,
    /// As [`BaseEntry::presence`].
    pub presence: Presence,
    /// As [`BaseEntry::racy`].
    pub racy: bool,
    /// As [`BaseEntry::signature`].
    pub signature: Option<Signature>,
    /// As [`BaseEntry::created_on`].
    pub created_on: Maybe<(Side, i64)>,
    /// As [`BaseEntry::written_at`].
    pub written_at: Maybe<i64>,
}

impl From<BaseEntry> for Agreed {
    fn from(entry: BaseEntry) -> Self {
        let state = if entry.folder { FolderState::Complete } else { FolderState::Unread };
        Self {
            remote: RemoteEntry {
                id: entry.id,
                kind: if entry.folder { RemoteKind::Folder } else { RemoteKind::File },
                name: entry.remote_name,
                etag: entry.etag,
                size: entry.remote_size,
                mtime: entry.remote_mtime,
                signature: Rare::NONE,
                state,
            },
            local: LocalEntry {
                kind: if entry.folder { LocalKind::Folder } else { LocalKind::File },
                stamp: entry.stamp,
                racy: false,
                signature: Rare::NONE,
                state,
                holds_unnameable: false,
            },
            local_name: entry.local_name,
            folder: entry.folder,
            package: entry.package,
            presence: entry.presence,
            racy: entry.racy,
            signature: entry.signature,
            created_on: entry.created_on,
            written_at: entry.written_at,
        }
    }
}

impl From<Agreed> for BaseEntry {
    fn from(agreed: Agreed) -> Self {
        Self {
            id: agreed.remote.id,
            folder: agreed.folder,
            package: agreed.package,
            presence: agreed.presence,
            local_name: agreed.local_name,
            remote_name: agreed.remote.name,
            etag: agreed.remote.etag,
            remote_size: agreed.remote.size,
            remote_mtime: agreed.remote.mtime,
            stamp: agreed.local.stamp,
            racy: agreed.racy,
            signature: agreed.signature,
            created_on: agreed.created_on,
            written_at: agreed.written_at,
        }
    }
}

impl Agreed {
    /// What it says, by itself.
    pub fn to_entry(&self) -> BaseEntry {
        self.clone().into()
    }
}

impl RemoteEntry {
    /// Whether its children are listed: an ordinary folder or an app library.
    pub fn is_folder(&self) -> bool {
        matches!(self.kind, RemoteKind::Folder | RemoteKind::AppLibrary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_within_two_seconds_of_the_look_cannot_be_trusted_alone() {
        let at = |seconds, nanos| DiskTime::new(seconds, nanos);
        let stamp = |mtime, ctime| LocalStamp { mtime, ctime, ..LocalStamp::default() };
        for (mtime, ctime, expected) in [
            (at(100, 0), at(100, 0), true),
            (at(98, 0), at(50, 0), true),
            (at(50, 0), at(98, 0), true),
            (at(102, 0), at(50, 0), true),
            (at(50, 0), at(50, 0), false),
            (at(97, 0), at(97, 0), false),
            (at(1000, 0), at(50, 0), false),
        ] {
            assert_eq!(stamp(mtime, ctime).is_racy(&at(100, 0).into()), expected, "{mtime:?} {ctime:?}");
        }
    }
}
