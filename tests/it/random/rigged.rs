//! The ports with the oracle's eyes in them, and, on purpose, with the faults of a bad engine.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::sync::{Arc, Mutex};

use icloudds::engine::pass::Engine;
use icloudds::engine::ports::{
    Commit, Disk, DiskError, Displaced, Download, DownloadKey, Fetched, FolderReading, ItemVersion, Listing,
    LookUp, Offer, Ready, Remote, RemoteError, RemoteItem, Sink, Source, Staged,
};
use icloudds::model::{
    FolderState, Identity, ItemId, LocalEntry, LocalStamp, Node, Presence, RelPath, ServerTime, Side, Skews,
    Zone,
};

use crate::sim::drive::Place;
use crate::sim::fuse::lock;
use crate::sim::{SimDisk, SimDrive};

/// A way in which an engine could be bad. Each must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A file leaves its place here until its upload is committed.
    DeleteBeforeUpload,
    /// What stands here is not compared with what was planned for.
    NoLocalPrecondition,
    /// A look-up just before a change answers what the first one said.
    NoRemotePrecondition,
    /// Deletions on iCloud name whatever etag is there now, after no fresh look.
    DeleteWithoutEtag,
    /// The base is committed before the effects.
    BaseFirst,
    /// Nothing is made durable here.
    NoSync,
    /// Names are made durable here, and contents are not.
    NoContentSync,
    /// What a download replaces is not kept.
    NoTrash,
    /// A download shows under its name before it is whole.
    VisibleParts,
    /// Every pass writes something.
    NeverQuiet,
    /// The guard lets everything through.
    NoGuard,
    /// Half of the changes are not carried out, and nobody is told.
    Lazy,
    /// A listing that does not add up counts as whole, and what it leaves out as gone.
    PartialAsWhole,
    /// What is answered to one of two commits side by side counts as the answer to the other.
    MixedAnswers,
    /// What the change feed says is deleted counts as deleted.
    FeedDeletes,
    /// Folders that were not listed, since the feed said nothing of them, count as empty.
    UnlistedIsEmpty,
    /// Once everything was seen the feed alone says what changed.
    FeedAlone,
}

/// What the ports saw of the engine that the state of the world does not show.
#[derive(Default)]
pub struct Seen {
    /// Items that the engine took away, by side: ids there, paths here.
    pub deleted: Mutex<BTreeSet<(Side, String)>>,
    /// Where the engine's last deletion of an item on iCloud found it: the trash may give it another name.
    found_at: Mutex<HashMap<ItemId, (Place, String)>>,
    /// Items that were to go to the trash for a new one to take their name, and that new one.
    pub replacing: Mutex<HashMap<String, ItemId>>,
    /// Items whose deletion counts for the guard: ids there, paths here.
    pub counting: Mutex<BTreeSet<(Side, String)>>,
    /// What the base knew when the pass began.
    pub known: Mutex<HashMap<Identity, Vec<(ItemId, RelPath)>>>,
    /// What the engine took away here though it stands on iCloud as it ever did.
    pub unasked: Mutex<Vec<String>>,
    withheld: Mutex<BTreeSet<ItemId>>,
    looked: Mutex<HashMap<ItemId, LookUp>>,
    opened: Mutex<Option<(RelPath, LocalStamp)>>,
}

/// The drive as an engine sees it.
pub struct RiggedDrive<'a> {
    /// The drive.
    pub inner: &'a SimDrive,
    /// The disk, for faults that need both.
    pub disk: &'a SimDisk,
    /// What is bad.
    pub sabotage: Option<Sabotage>,
    /// What is seen.
    pub seen: Arc<Seen>,
}

impl RiggedDrive<'_> {
    fn is(&self, sabotage: Sabotage) -> bool {
        self.sabotage == Some(sabotage)
    }

    /// An old version that went to the trash for a new one to take its name was overwritten, not deleted. What was done counts, also
    /// where the answer that tells of it was lost; and what iCloud confirmed counts, also where it did nothing.
    fn replaced(&self, parent: &ItemId, name: &str, confirmed: bool) {
        let stands = |id: &ItemId| self.inner.item(id).is_some_and(|item| item.name == name);
        if !confirmed && !self.inner.within(parent).iter().any(stands) {
            return;
        }
        let was =
            |(place, called): &(Place, String)| *place == Place::Folder(parent.clone()) && called == name;
        let found_at = lock(&self.seen.found_at);
        let is_trashed =
            |id: &ItemId| self.inner.item(id).is_some_and(|item| matches!(item.place, Place::Trash(_)));
        for (id, _) in found_at.iter().filter(|(id, found)| was(found) && is_trashed(id)) {
            lock(&self.seen.deleted).remove(&(Side::Remote, id.to_string()));
        }
    }
}

impl Remote for RiggedDrive<'_> {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        let mut answers = self.inner.list(folders, brief);
        if self.is(Sabotage::PartialAsWhole) {
            for (folder, listing) in folders.iter().zip(&mut answers) {
                let Ok(listing) = listing else { continue };
                listing.folder.state = FolderState::Complete;
                let mut withheld = lock(&self.seen.withheld);
                withheld.extend(self.inner.within(folder));
                for item in &listing.items {
                    withheld.remove(&item.entry.id);
                }
            }
        }
        answers
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.inner.list_trash()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        let answers = self.inner.look_up(items)?;
        if self.is(Sabotage::NoRemotePrecondition) || self.is(Sabotage::DeleteWithoutEtag) {
            let mut looked = lock(&self.seen.looked);
            let first = |((id, _), answer): (&(ItemId, bool), LookUp)| {
                looked.entry(id.clone()).or_insert(answer).clone()
            };
            return Ok(items.iter().zip(answers).map(first).collect());
        }
        if self.is(Sabotage::PartialAsWhole) {
            let withheld = lock(&self.seen.withheld);
            let said = |((id, _), answer): (&(ItemId, bool), LookUp)| {
                if withheld.contains(id) { LookUp::Gone } else { answer }
            };
            return Ok(items.iter().zip(answers).map(said).collect());
        }
        Ok(answers)
    }

    fn create_folders(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.inner.create_folders(parent, names)
    }

    fn rename(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        let answer = self.inner.rename(item, name);
        if let Some(Place::Folder(parent)) = self.inner.item(&item.id).map(|item| item.place) {
            self.replaced(&parent, name, answer.is_ok());
        }
        answer
    }

    fn move_into(&self, folder: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        self.inner.move_into(folder, items)
    }

    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let mut items = items.to_vec();
        for item in &mut items {
            if self.is(Sabotage::DeleteWithoutEtag)
                && let Some(now) = self.inner.item(&item.id)
            {
                item.etag = now.etag();
            }
        }
        let below: Vec<_> = items.iter().map(|item| self.inner.below(&item.id)).collect();
        for item in &items {
            if let Some(now) = self.inner.item(&item.id) {
                lock(&self.seen.found_at).insert(item.id.clone(), (now.place, now.name));
            }
        }
        let answers = self.inner.trash(&items);
        for (ids, answer) in below.into_iter().zip(&answers) {
            if answer.is_ok() {
                lock(&self.seen.deleted).extend(ids.into_iter().map(|id| (Side::Remote, id.to_string())));
            }
        }
        answers
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        self.inner.delete_trashed(items)
    }

    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let answers = self.inner.put_back(items);
        // A folder comes back with all that went with it.
        for (item, _) in items.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()) {
            let mut deleted = lock(&self.seen.deleted);
            for id in self.inner.below(&item.id).into_iter().chain([item.id.clone()]) {
                deleted.remove(&(Side::Remote, id.to_string()));
            }
        }
        answers
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        self.inner.offers(items)
    }

    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        self.inner.fetch(offer, size, from, sink)
    }

    fn stage(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Staged, RemoteError> {
        self.inner.stage(zone, name, size, body)
    }

    fn commit_side_by_side(&self, commits: &[Commit<'_>]) -> Vec<Result<RemoteItem, RemoteError>> {
        if self.is(Sabotage::DeleteBeforeUpload) {
            return commits.iter().map(|commit| self.commit(commit)).collect();
        }
        let mut answers = self.inner.commit_side_by_side(commits);
        for (commit, answer) in commits.iter().zip(&answers) {
            self.replaced(commit.parent, commit.name, answer.is_ok());
        }
        if let (true, [Ok(one), Ok(other), ..]) = (self.is(Sabotage::MixedAnswers), answers.as_mut_slice()) {
            std::mem::swap(one, other);
            std::mem::swap(&mut one.entry.name, &mut other.entry.name);
            std::mem::swap(&mut one.entry.size, &mut other.entry.size);
            std::mem::swap(&mut one.parent, &mut other.parent);
        }
        answers
    }

    fn commit(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        let opened = lock(&self.seen.opened).take();
        let Some((path, stamp)) = opened.filter(|_| self.is(Sabotage::DeleteBeforeUpload)) else {
            let answer = self.inner.commit(commit);
            self.replaced(commit.parent, commit.name, answer.is_ok());
            return answer;
        };
        let content = self.disk.read(path.as_str());
        let went = self.disk.trash(&path, &stamp).is_ok();
        let answer = self.inner.commit(commit);
        if went && let Some(content) = content {
            let key = DownloadKey {
                id: ItemId::new(Zone::CloudDocs, path.as_str()),
                etag: icloudds::model::Etag::new("1"),
                signature_text: String::new(),
                size: None,
                path: path.clone(),
            };
            let restored = self.disk.download(&key).and_then(|mut download| {
                drop(std::io::Write::write_all(&mut *download, &content));
                download.finish(Some(ServerTime(stamp.mtime.whole_seconds())))
            });
            drop(restored.and_then(|ready| self.disk.place(&ready, &path)));
        }
        answer
    }
}

/// The disk as an engine sees it.
pub struct RiggedDisk<'a> {
    /// The disk.
    pub inner: &'a SimDisk,
    /// The drive, for what the oracle compares.
    pub drive: &'a SimDrive,
    /// What is bad.
    pub sabotage: Option<Sabotage>,
    /// What is seen.
    pub seen: Arc<Seen>,
}

impl RiggedDisk<'_> {
    /// The stamp that counts as planned.
    fn planned(&self, path: &RelPath, stamp: &LocalStamp) -> LocalStamp {
        if self.sabotage != Some(Sabotage::NoLocalPrecondition) {
            return *stamp;
        }
        self.inner.look(path).ok().flatten().map_or(*stamp, |entry| entry.stamp)
    }
}

impl Disk for RiggedDisk<'_> {
    fn check_root(&self) -> Result<(), DiskError> {
        self.inner.check_root()
    }

    fn folds_case(&self) -> bool {
        self.inner.folds_case()
    }

    fn skews(&self) -> Skews {
        self.inner.skews()
    }

    fn mounts(&self) -> Vec<u64> {
        self.inner.mounts()
    }

    fn read_folder(&self, folder: &RelPath) -> Result<FolderReading, DiskError> {
        self.inner.read_folder(folder)
    }

    fn look(&self, path: &RelPath) -> Result<Option<LocalEntry>, DiskError> {
        self.inner.look(path)
    }

    fn open(&self, path: &RelPath, stamp: &LocalStamp) -> Result<Box<dyn Source>, DiskError> {
        *lock(&self.seen.opened) = Some((path.clone(), *stamp));
        self.inner.open(path, stamp)
    }

    fn make_folder(&self, path: &RelPath) -> Result<LocalEntry, DiskError> {
        self.inner.make_folder(path)
    }

    fn download(&self, key: &DownloadKey) -> Result<Box<dyn Download>, DiskError> {
        if self.sabotage == Some(Sabotage::VisibleParts) {
            self.inner.show_part(&key.path);
        }
        self.inner.download(key)
    }

    fn place(&self, ready: &Ready, to: &RelPath) -> Result<LocalEntry, DiskError> {
        if self.sabotage == Some(Sabotage::VisibleParts) {
            self.inner.hide_part(to);
        }
        self.inner.place(ready, to)
    }

    fn replace(
        &self,
        ready: &Ready,
        at: &RelPath,
        stamp: &LocalStamp,
    ) -> Result<(LocalEntry, Displaced), DiskError> {
        let done = self.inner.replace(ready, at, &self.planned(at, stamp))?;
        if self.sabotage == Some(Sabotage::NoTrash) {
            self.inner.forget_newest_trash();
            return Ok((done.0, Displaced::AsPlanned));
        }
        Ok(done)
    }

    fn discard(&self, ready: &Ready) {
        self.inner.discard(ready);
    }

    fn rescue(&self, slot: &str, to: &RelPath) -> Result<LocalEntry, DiskError> {
        self.inner.rescue(slot, to)
    }

    fn rename(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.inner.rename(from, to, &self.planned(from, stamp))
    }

    fn move_across(&self, from: &RelPath, to: &RelPath, stamp: &LocalStamp) -> Result<LocalEntry, DiskError> {
        self.inner.move_across(from, to, &self.planned(from, stamp))
    }

    fn trash(&self, path: &RelPath, stamp: &LocalStamp) -> Result<(), DiskError> {
        self.inner.trash(path, &self.planned(path, stamp))?;
        lock(&self.seen.deleted).insert((Side::Local, path.as_str().to_owned()));
        // Where persons moved one file over another here, one file may stand for another item, or for several.
        if let Some(ids) = lock(&self.seen.known).get(&stamp.identity)
            && ids.iter().all(|(id, known)| known == path && self.drive.has_stayed(id))
        {
            lock(&self.seen.unasked).push(path.to_string());
        }
        Ok(())
    }

    fn sync(&self, files: &[(RelPath, LocalStamp)], folders: &[RelPath]) -> Result<(), DiskError> {
        match self.sabotage {
            Some(Sabotage::NoSync) => Ok(()),
            Some(Sabotage::NoContentSync) => self.inner.sync(&[], folders),
            _ => self.inner.sync(files, folders),
        }
    }
}

/// Which item of iCloud each local one is, as far as identities can be told apart.
pub fn known(engine: &Engine) -> HashMap<Identity, Vec<(ItemId, RelPath)>> {
    let base = &engine.state().base;
    let mut known: HashMap<_, Vec<_>> = HashMap::new();
    for node in base.walk(Node::ROOT) {
        let entry = base.get(node);
        if entry.presence == Presence::Both {
            let at = (entry.remote.id.clone(), base.path(node));
            known.entry(entry.local.stamp.identity).or_default().push(at);
        }
    }
    known
}
