//! iCloud where nothing may be changed there.

use std::io::Read;

use super::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Ports, Remote, RemoteError, RemoteItem, Sink,
    Staged,
};
use crate::model::policy::Mode;
use crate::model::{ItemId, Zone};

/// Answers every call that would change the drive with [`RemoteError::Refused`], also those that finish what was begun in another mode:
/// whoever configured `download-only` has nothing changed there (`docs/sync.md` §4).
#[derive(Clone, Copy)]
pub struct ReadOnly<'a>(pub &'a dyn Remote);

impl<'a> ReadOnly<'a> {
    /// The ports of a pass in that mode: this one instead of its iCloud where the mode changes nothing there.
    pub fn unless_changed_in(&'a self, mode: Mode, ports: Ports<'a>) -> Ports<'a> {
        match mode {
            Mode::DownloadOnly => Ports { remote: self, ..ports },
            Mode::TwoWay | Mode::UploadOnly => ports,
        }
    }
}

fn refused() -> RemoteError {
    RemoteError::Refused("sync.mode is download-only, so nothing is changed there".to_owned())
}

fn each<T>(count: usize) -> Vec<Result<T, RemoteError>> {
    (0..count).map(|_| Err(refused())).collect()
}

impl Remote for ReadOnly<'_> {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        self.0.list(folders, brief)
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.0.list_trash()
    }

    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        self.0.look_up(items)
    }

    fn create_folders(&self, _: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        each(names.len())
    }

    fn rename(&self, _: &ItemVersion, _: &str) -> Result<RemoteItem, RemoteError> {
        Err(refused())
    }

    fn move_into(&self, _: &ItemId, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        each(items.len())
    }

    fn trash(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        each(items.len())
    }

    fn delete_trashed(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        each(items.len())
    }

    fn put_back(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        each(items.len())
    }

    fn offers(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        self.0.offers(items)
    }

    fn fetch(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        self.0.fetch(offer, size, from, sink)
    }

    fn stage(&self, _: &Zone, _: &str, _: u64, _: &mut (dyn Read + Send)) -> Result<Staged, RemoteError> {
        Err(refused())
    }

    fn commit(&self, _: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        Err(refused())
    }
}
