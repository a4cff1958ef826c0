//! The port to the local drive.

use std::io::Read;

use super::{DiskError, Sink};
use crate::model::name::Name;
use crate::model::{Etag, Identity, ItemId, LocalEntry, LocalStamp, RelPath, ServerTime, Signature, Skews};

/// What one folder holds, on the file system the entries say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderReading {
    /// What the folder itself was known by while it was read, where it has anything that lasts.
    pub identity: Identity,
    /// Whether it was on the file system of the drive's root then.
    pub on_root_fs: bool,
    /// Children whose names are UTF-8, sorted by the bytes of the name. Folders have state `Unread`.
    pub entries: Vec<(Name, LocalEntry)>,
    /// Children whose names no path can hold (not UTF-8), shown as well as can be.
    pub unnameable: Vec<String>,
    /// Children that nobody can look at now, with the reason: a mount point whose server is gone, say. What the folder lacks may be one
    /// of them, so nothing counts as missing.
    pub unseen: Vec<(Name, String)>,
}

impl FolderReading {
    /// Whether the folder that was read can be the one that was seen with that stamp: no volume was mounted there since, or taken away.
    pub fn is_of(&self, seen: &LocalStamp) -> bool {
        let (was, now) = (seen.identity, self.identity);
        let is_unknown = was == Identity::default() || now == Identity::default();
        let births = was.birth.get().zip(now.birth.get());
        let is_it = was.inode == now.inode && births.is_none_or(|(was, now)| was == now);
        seen.on_root_fs == self.on_root_fs && (is_unknown || is_it)
    }
}

/// What a download is known by while it waits in the drive's `.icloudds/tmp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadKey {
    /// The item.
    pub id: ItemId,
    /// The version; another one starts over.
    pub etag: Etag,
    /// The service's signature text; another one starts over (`docs/protocol.md` §11.4).
    pub signature_text: String,
    /// The whole size where known; space is checked against it.
    pub size: Option<u64>,
    /// Where the file will stand: it is written on that file system.
    pub path: RelPath,
}

/// A file that is being downloaded. Dropping it keeps what was written for a later resume.
pub trait Download: Sink + Send {
    /// Bytes that are there already.
    fn offset(&self) -> u64;

    /// Cuts nothing, sets the modification time and makes the content durable.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    fn finish(self: Box<Self>, mtime: Option<ServerTime>) -> Result<Ready, DiskError>;
}

/// A complete file that is not visible under a real name yet. It is durable before it gets one; until then it may go with a
/// crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Opaque name of it, for [`Disk::place`].
    pub slot: String,
    /// The file system it lies on, as its place's path.
    pub path: RelPath,
    /// Bytes.
    pub size: u64,
    /// Signature of the content.
    pub signature: Signature,
    /// What it keeps when it gets its name, where its file system keeps that.
    pub identity: Option<Identity>,
}

/// What putting a file in place displaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Displaced {
    /// The planned version; it is in the trash.
    AsPlanned,
    /// Somebody had changed it in between; it waits in that slot of the trash and must be rescued.
    Changed {
        /// Opaque name, for [`Disk::rescue`].
        slot: String,
    },
}

/// A local file open for reading.
pub trait Source: Read + Send {
    /// Signature of all that was read.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when the file is not the planned one any more, or was not read to its end.
    fn finish(self: Box<Self>) -> Result<Signature, DiskError>;
}

/// The local drive. Nothing follows a symbolic link, nothing leaves the drive's root.
///
/// Every change is visible at once; it is durable after [`Disk::sync`].
pub trait Disk: Sync {
    /// Checks through the root's handle that the folder is still the one of this state.
    ///
    /// # Errors
    ///
    /// [`DiskError::WrongRoot`] with the sentence for the owner.
    fn check_root(&self) -> Result<(), DiskError>;

    /// Whether the drive's file system cannot hold names apart that differ only in case.
    fn folds_case(&self) -> bool;

    /// How far the clocks that stamps of the drive come from are ahead of this machine's, now.
    fn skews(&self) -> Skews {
        Skews::default()
    }

    /// A number for each mount of a file system of the drive, which is another one whenever it is mounted anew; sorted. Those to which
    /// the system gives none are left out.
    fn mounts(&self) -> Vec<u64> {
        Vec::new()
    }

    /// Reads one folder.
    ///
    /// # Errors
    ///
    /// Any: then nothing is known of its children.
    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError>;

    /// Looks at one item; `None` when its folder is readable and it is not there.
    ///
    /// # Errors
    ///
    /// When nobody can say.
    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError>;

    /// Opens the file that `stamp` describes for reading.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when it is another one now.
    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError>;

    /// Makes a folder in an existing one.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`] when the name is taken.
    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Begins or resumes a download.
    ///
    /// # Errors
    ///
    /// [`DiskError::Full`] when it cannot fit.
    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError>;

    /// Puts a finished download under a free name.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`]: the download waits on.
    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Puts a finished download in the place of the file that `stamp` describes, which goes to the
    /// trash; mode, extended attributes, ACLs and owner are kept.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`] when another file is there already at the first look.
    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError>;

    /// Drops a finished download that nobody wants any more.
    fn discard(&self, ready: &Ready);

    /// Gives up unfinished downloads that nobody wants any more. Where it fails they wait for the next start.
    fn forget_unwanted(&self, is_wanted: &dyn Fn(&DownloadKey) -> bool) {
        let _ = is_wanted;
    }

    /// Brings a displaced version from its slot in the trash to a free name.
    ///
    /// # Errors
    ///
    /// [`DiskError::Taken`]: it stays in the trash.
    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError>;

    /// Renames within the drive, to a free name. Of `stamp` kind and identity must fit, for files size, mtime and ctime
    /// too.
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`], [`DiskError::Taken`].
    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError>;

    /// As [`Disk::rename`], where that says [`DiskError::crosses`]: what is there is copied to the other file system, read again,
    /// made durable and put in place, and its original goes to the trash. Its identity is another one then. After a crash start-up
    /// has finished or undone it.
    ///
    /// # Errors
    ///
    /// As [`Disk::rename`]; the original is where it was.
    fn move_across(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError>;

    /// Moves a file to the local trash, or removes an empty folder (junk such as `.DS_Store` in it goes to the trash).
    ///
    /// # Errors
    ///
    /// [`DiskError::Changed`]; [`DiskError::Folder`] when the folder holds something.
    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError>;

    /// Makes durable: content, size and times of each of these files, wherever it is by now, also what a person's program
    /// wrote and never synced; all changes so far in these folders; the content of all that went to the trash so far.
    ///
    /// # Errors
    ///
    /// Any: then the base must not be committed. [`DiskError::Folder`] when the volume of a file is not there any more.
    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError>;
}
