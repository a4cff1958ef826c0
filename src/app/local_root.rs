//! The local root: whose it is, and making it the state's.

use std::sync::Arc;

use super::AppError;
use super::purpose::{Purpose, root_path};
use super::remote_root::{Found, RemoteOwner, find};
use crate::chance::{SystemChance, random_hex};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::disk::{self, LocalDisk, Lock, Marker};
use crate::engine::conflict::conflict_name;
use crate::engine::pass::Engine;
use crate::engine::ports::{Disk as _, DiskError, DownloadKey};
use crate::icloud::service::Service;
use crate::model::{Change, Owner, State};

/// The drive's folder, checked to be this state's or nobody's. Nothing has been made in it.
pub struct LocalRoot {
    /// The folder.
    pub disk: LocalDisk,
    /// The marker that is there.
    found: Option<Marker>,
    /// Held until this is dropped; none when only looking.
    lock: Option<Lock>,
}

impl LocalRoot {
    /// Opens the drive's folder and checks whose it is, before anything is made there.
    ///
    /// # Errors
    ///
    /// [`AppError::Drive`], [`AppError::Foreign`], [`AppError::Locked`].
    pub fn open(config: &Config, state: &State, purpose: Purpose) -> Result<Self, AppError> {
        let expected = check_owner(config, state)?;
        let writes = purpose == Purpose::Sync;
        let disk = LocalDisk::open(
            &config.sync.directory,
            disk::Options { writes, marker: None, ..disk::Options::default() },
        )?;
        disk.keep_free(config.limits.keep_free);
        let found = disk.read_marker()?;
        check_marker(config, expected.as_ref(), found.as_ref(), state)?;
        let lock = if writes { Some(disk::lock_root(&config.sync.directory)?) } else { None };
        Ok(Self { disk, found, lock })
    }

    /// Finds the folder on iCloud, and makes state and drive the account's.
    ///
    /// # Errors
    ///
    /// [`AppError`]; it may be tried again.
    pub fn connect(
        &mut self,
        config: &Config,
        service: &Arc<Service>,
        clock: &SystemClock,
        engine: &mut Engine,
        purpose: Purpose,
    ) -> Result<Found, AppError> {
        let found = find(config, service, clock, engine.state().owner.as_ref(), purpose, None)?;
        self.own(config, engine, &found.whose, purpose)?;
        Ok(found)
    }

    /// What a killed predecessor left in the drive's `.icloudds`. `mark` names conflict copies.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn clean_up(&self, state: &State, mark: &str) -> Result<(), AppError> {
        let recovered = self.disk.recover()?;
        for path in &recovered.repaired {
            log::info!("put right after the program was cut short {path}");
        }
        for record in &recovered.left_alone {
            log::warn!(
                "left alone {}: {}; a move or a replacement that it may speak of was not finished: remove it once you know whose it is",
                record.path,
                record.why
            );
        }
        for stray in &recovered.strays {
            rescue(&self.disk, stray, mark);
        }
        let base = &state.base;
        let wanted = |key: &DownloadKey| {
            base.by_id(&key.id).is_none_or(|node| !base.get(node).remote.etag.same_content(&key.etag))
        };
        self.disk.forget_downloads(&wanted)?;
        Ok(())
    }

    /// Gives up what only opening needed: the folder, and its lock.
    pub fn into_parts(self) -> (LocalDisk, Option<Lock>) {
        (self.disk, self.lock)
    }
}

/// Brings a version that a crash left in the trash, though nobody planned to delete it, beside its place, or into the next
/// folder above that is still there.
fn rescue(disk: &LocalDisk, stray: &disk::Stray, mark: &str) {
    let mut why = String::from("no name is free");
    let mut folder = stray.path.parent();
    while let Some(beside) = folder {
        for nth in 1..1000 {
            let Ok(to) = beside.join(&conflict_name(stray.path.name(), mark, nth)) else { break };
            match disk.rescue(&stray.slot, &to) {
                Ok(_) => {
                    log::warn!(
                        "the program was cut short while {} was replaced; the version from here is now {to}",
                        stray.path
                    );
                    return;
                }
                Err(DiskError::Taken { .. }) => {}
                Err(error) => {
                    why = error.to_string();
                    break;
                }
            }
        }
        folder = beside.parent();
    }
    log::warn!(
        "a version of {} from here stays in the local trash, see `icloudds trash list`: {why}; the next start tries again",
        stray.path
    );
}

/// The state belongs to one directory and `remote_root`. Returns the marker that the drive must bear.
fn check_owner(config: &Config, state: &State) -> Result<Option<Marker>, AppError> {
    let Some(owner) = &state.owner else { return Ok(None) };
    let directory = config.sync.directory.display().to_string();
    for (key, known, now) in [
        ("sync.directory", &owner.directory, &directory),
        ("sync.remote_root", &owner.remote_root, &root_path(config)),
    ] {
        if known != now {
            return Err(AppError::Foreign(format!(
                "the sync state belongs to {key} = {known:?}, not {now:?}: set it back, or run `icloudds reset-state` to \
                 start over (nothing is deleted by that)"
            )));
        }
    }
    Ok(Some(Marker {
        id: owner.marker.clone(),
        account: owner.account.clone(),
        remote_root: owner.remote_root.clone(),
    }))
}

/// The drive's marker is this state's, or there is no base and it is nobody else's.
fn check_marker(
    config: &Config,
    expected: Option<&Marker>,
    found: Option<&Marker>,
    state: &State,
) -> Result<(), AppError> {
    let directory = config.sync.directory.display();
    match (expected, found) {
        (Some(expected), Some(found)) if expected.id == found.id => Ok(()),
        (Some(_), None) if state.base.is_empty() => Ok(()),
        (Some(_), None) => Err(AppError::Foreign(format!(
            "{directory} is not the folder that was synced: its marker .icloudds/id is missing (is its volume mounted?). \
             Bring the right folder back, or run `icloudds reset-state` to start over (nothing is deleted by that)"
        ))),
        (Some(_), Some(_)) => Err(AppError::Foreign(format!(
            "{directory} is not the folder that was synced: its marker .icloudds/id is another one's. Bring the right folder \
             back, or run `icloudds reset-state` to start over (nothing is deleted by that)"
        ))),
        (None, Some(found)) if found.remote_root != root_path(config) => Err(AppError::Foreign(format!(
            "{directory} was synced with sync.remote_root = {:?}: choose another directory, or remove {directory}/.icloudds/id \
             to make it this one's (nothing is deleted by that)",
            found.remote_root
        ))),
        (None, _) => Ok(()),
    }
}

impl LocalRoot {
    /// Makes the state the account's and marks the drive; with [`Purpose::Look`] only in memory. A state that has an owner
    /// stays that one's.
    ///
    /// # Errors
    ///
    /// [`AppError::Foreign`], and when store or disk fail.
    pub fn own(
        &mut self,
        config: &Config,
        engine: &mut Engine,
        whose: &RemoteOwner,
        purpose: Purpose,
    ) -> Result<(), AppError> {
        let found = self.found.clone();
        if let (None, Some(found)) = (&engine.state().owner, &found)
            && found.account != whose.account
        {
            return Err(AppError::Foreign(
                "this folder was synced with another Apple account: choose another sync.directory, or remove its .icloudds/id \
                 to make it this account's (nothing is deleted by that)"
                    .to_owned(),
            ));
        }
        if purpose == Purpose::Look {
            self.disk.recall_traits();
            if engine.state().owner.is_none()
                && let Some(root) = crate::model::ItemId::from_text(&whose.root_id)
            {
                engine.adopt_root(root);
            }
            return Ok(());
        }
        let owner = match &engine.state().owner {
            Some(owner) => owner.clone(),
            None => {
                let owner = Owner {
                    marker: found
                        .as_ref()
                        .map(|marker| marker.id.clone())
                        .unwrap_or_else(|| random_hex::<16>(&SystemChance)),
                    account: whose.account.clone(),
                    directory: config.sync.directory.display().to_string(),
                    remote_root: root_path(config),
                    root_id: whose.root_id.clone(),
                };
                engine.commit(&[Change::Owner(owner.clone())])?;
                owner
            }
        };
        let marker = Marker { id: owner.marker, account: owner.account, remote_root: owner.remote_root };
        let disk = &mut self.disk;
        if found.as_ref() == Some(&marker) {
            disk.expect_marker(marker);
        } else {
            disk.write_marker(&marker)?;
        }
        disk.prepare()?;
        if let Some(told) = disk.file_system() {
            log::info!("the file system of {}: {told}", config.sync.directory.display());
        }
        Ok(())
    }
}
