//! iCloud while nobody can, or may, ask it.

use std::io::Read;

use super::{
    Commit, Fetched, ItemVersion, Listing, LookUp, Offer, Remote, RemoteError, RemoteItem, Sink, Staged,
};
use crate::model::{ItemId, Zone};

/// Answers every call with [`RemoteError::Unreachable`], so that a pass without iCloud cannot ask it by mistake.
#[derive(Clone, Copy, Debug, Default)]
pub struct Away;

fn away() -> RemoteError {
    RemoteError::Unreachable("it is not asked now".to_owned())
}

fn each<T>(count: usize) -> Vec<Result<T, RemoteError>> {
    (0..count).map(|_| Err(away())).collect()
}

impl Remote for Away {
    fn list(&self, folders: &[ItemId], _: bool) -> Vec<Result<Listing, RemoteError>> {
        each(folders.len())
    }

    fn list_trash(&self) -> Result<Listing, RemoteError> {
        Err(away())
    }

    fn look_up(&self, _: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        Err(away())
    }

    fn create_folders(&self, _: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        each(names.len())
    }

    fn rename(&self, _: &ItemVersion, _: &str) -> Result<RemoteItem, RemoteError> {
        Err(away())
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
        each(items.len())
    }

    fn fetch(&self, _: &Offer, _: Option<u64>, _: u64, _: &mut dyn Sink) -> Result<Fetched, RemoteError> {
        Err(away())
    }

    fn stage(&self, _: &Zone, _: &str, _: u64, _: &mut (dyn Read + Send)) -> Result<Staged, RemoteError> {
        Err(away())
    }

    fn commit(&self, _: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        Err(away())
    }
}
