//! The remote root: finding it, and whose it is.

use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use super::purpose::{Purpose, root_path};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::exit::ExitCode;
use crate::icloud::drive::{DriveOptions, ICloudDrive};
use crate::icloud::service::Service;
use crate::model::{Owner, RemoteKind};

/// Whose the folder on iCloud is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteOwner {
    /// The account's `dsid`.
    pub account: String,
    /// Zone and `docwsid` of the folder.
    pub root_id: String,
}

/// The drive on iCloud, once the account and the folder are known to be this state's.
pub struct Found {
    /// The drive on iCloud.
    pub remote: ICloudDrive,
    /// Whether `sync.remote_root` is an app's library.
    pub root_is_library: bool,
    /// Whose it is.
    pub whose: RemoteOwner,
}

impl RemoteOwner {
    /// Whose the state is.
    pub fn of(owner: &Owner) -> Self {
        Self { account: owner.account.clone(), root_id: owner.root_id.clone() }
    }
}

/// Finds the folder on iCloud, which a first run makes where it may, and checks that it is the one of `owner`. The
/// service is signed in. `patience` is that of [`DriveOptions`].
///
/// # Errors
///
/// [`AppError`]; it may be tried again.
pub fn find(
    config: &Config,
    service: &Arc<Service>,
    clock: &SystemClock,
    owner: Option<&Owner>,
    purpose: Purpose,
    patience: Option<Duration>,
) -> Result<Found, AppError> {
    let options = DriveOptions {
        max_workers: config.sync.max_workers,
        download_rate: config.limits.download_rate.unwrap_or(0),
        upload_rate: config.limits.upload_rate.unwrap_or(0),
        patience,
        was_used: owner.is_some(),
        ..DriveOptions::default()
    };
    let account = service.account_dsid();
    if owner.is_some_and(|owner| owner.account != account) {
        return Err(AppError::Foreign(
            "the sync state belongs to another Apple account: sign in with that one, or run `icloudds reset-state` to start \
             over (nothing is deleted by that)"
                .to_owned(),
        ));
    }
    let remote = ICloudDrive::new(Arc::clone(service) as _, options, Arc::new(clock.clone()));
    let makes = owner.is_none() && purpose == Purpose::Sync && config.sync.mode != config::Mode::DownloadOnly;
    let written = root_path(config);
    let root = match remote.resolve_root(&written, false)? {
        Some(root) => root,
        None if owner.is_some() => return Err(no_root(&written, false)),
        None => {
            // Whoever writes `/documents` for `/Documents` wants no second folder beside it.
            if let Some(near) = remote.near_root(&written)? {
                return Err(AppError::Foreign(format!(
                    "the folder sync.remote_root = {written:?} does not exist on iCloud, but {near:?} does: write it so, or create the \
                     other one there if you mean both"
                )));
            }
            remote.resolve_root(&written, makes)?.ok_or_else(|| no_root(&written, true))?
        }
    };
    let whose = RemoteOwner { account, root_id: root.entry.id.to_string() };
    if owner.is_some_and(|owner| owner.root_id != whose.root_id) {
        return Err(AppError::Foreign(format!(
            "the folder {written} on iCloud is not the one that was synced, another one has its name: put the old one back, or \
             run `icloudds reset-state` to start over (nothing is deleted by that)"
        )));
    }
    Ok(Found { remote, root_is_library: root.entry.kind == RemoteKind::AppLibrary, whose })
}

fn no_root(path: &str, first: bool) -> AppError {
    if first {
        return AppError::Refused {
            message: format!(
                "the folder sync.remote_root = {path:?} does not exist on iCloud: create it there, or let `icloudds once` create \
                 it in a mode that may change iCloud"
            ),
            exit: ExitCode::Service,
        };
    }
    AppError::Foreign(format!(
        "the folder {path} that was synced is not on iCloud any more: restore it there, or run `icloudds reset-state` to start \
         over (nothing is deleted by that)"
    ))
}
