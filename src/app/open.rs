//! Opens the edges in the order that keeps foreign files untouched: the state and its lock, the
//! drive's folder and whose it is, the account, the folder on iCloud; only then is anything made.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::AppError;
use super::clock::SystemClock;
use crate::config::{self, Config};
use crate::disk::{self, LocalDisk, Lock, Marker};
use crate::engine::conflict::{conflict_name, sanitise_host};
use crate::engine::execute::{Packages, Ports};
use crate::engine::guard::GuardLimits;
use crate::engine::operation::Replacement;
use crate::engine::pass::{Engine, Settings};
use crate::engine::plan::{ConflictPolicy, Mode};
use crate::engine::ports::{Disk as _, DiskError, DownloadKey};
use crate::exit::ExitCode;
use crate::icloud::drive::{DriveOptions, ICloudDrive};
use crate::icloud::env::Stop;
use crate::icloud::options::{IcloudOptions, Region};
use crate::icloud::service::Service;
use crate::icloud::signin::Initiative;
use crate::icloud::signin::interactive::login_here;
use crate::model::{BaseEntry, BaseTree, Change, Owner, RelPath, RemoteKind, State};
use crate::store;

/// What the edges are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sync: the drive is locked and marked.
    Sync,
    /// To look only: nothing is made in the drive or on iCloud, and the state stays as it is.
    Look,
}

/// The state directory, locked, with what is stored there.
pub struct Home {
    /// Held until this is dropped.
    lock: Lock,
    /// The three trees' owner.
    pub engine: Engine,
}

/// Everything that a pass needs.
pub struct Opened {
    /// The configuration.
    pub config: Config,
    /// What of it concerns passes.
    pub settings: Settings,
    /// The engine and the lock of the state.
    pub home: Home,
    /// The drive's folder.
    pub disk: LocalDisk,
    /// The account.
    pub service: Arc<Service>,
    /// The drive on iCloud.
    pub remote: ICloudDrive,
    /// Time and chance.
    pub clock: SystemClock,
    /// The zone in which people are shown times.
    pub zone: TimeZone,
    /// The drive's lock; none when only looking.
    _drive: Option<Lock>,
}

impl Home {
    /// Makes the state directory if it is missing, locks it and loads the state.
    ///
    /// # Errors
    ///
    /// [`AppError::Locked`] beside another instance, and when the directory or the state cannot be used.
    pub fn open(config: &Config) -> Result<Self, AppError> {
        let directory = &config.sync.state_directory;
        make_private(directory)?;
        let lock = disk::lock_state(directory)?;
        let opened = store::open(&directory.join("state.redb"))?;
        if let Some(damage) = &opened.damage {
            log::error!(
                "the sync state was damaged ({}); it was moved to {} and is rebuilt as on a first run: nothing is deleted, what \
                 differs is kept on both sides",
                damage.why,
                damage.moved_to.display()
            );
        }
        Ok(Self { lock, engine: Engine::new(opened.state, Box::new(opened.store)) })
    }
}

impl Home {
    /// The lock, which must outlive the engine's use, and the engine.
    pub fn into_parts(self) -> (Lock, Engine) {
        (self.lock, self.engine)
    }
}

/// Makes a directory, and those above it, that only this user may enter.
fn make_private(directory: &Path) -> Result<(), AppError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|source| AppError::Io {
        what: "cannot create the state directory",
        path: directory.to_owned(),
        source,
    })
}

/// The account's client.
///
/// # Errors
///
/// As [`Service::open`].
pub fn service(config: &Config, clock: &SystemClock) -> Result<Arc<Service>, AppError> {
    make_private(&config.sync.state_directory)?;
    let options = IcloudOptions {
        username: config.account.username.clone(),
        region: match config.account.region {
            config::Region::Global => Region::Global,
            config::Region::China => Region::China,
        },
        home: config.icloud.home.clone(),
        setup: config.icloud.setup.clone(),
        auth: config.icloud.auth.clone(),
        ca_file: config.ca_file.clone(),
        proxy: config.proxy.as_ref().map(|proxy| proxy.url.expose().to_owned()),
        state_directory: config.sync.state_directory.clone(),
    };
    let service = Service::open(options, clock.env())?;
    service.account().set_password(config.account.password.clone());
    Ok(Arc::new(service))
}

/// Signs in; on a terminal a person is asked for what is missing.
///
/// # Errors
///
/// [`AppError::SignIn`].
pub fn sign_in(service: &Service) -> Result<(), AppError> {
    use std::io::IsTerminal as _;
    match service.sign_in(Initiative::Unattended) {
        Err(error)
            if (error.needs_code() || error.needs_password())
                && std::io::stdin().is_terminal()
                && std::io::stderr().is_terminal() =>
        {
            eprintln!("icloudds: {error}");
            Ok(login_here(service)?)
        }
        other => Ok(other?),
    }
}

/// What of the configuration concerns passes.
pub fn settings(config: &Config) -> Settings {
    let sync = &config.sync;
    Settings {
        mode: match sync.mode {
            config::Mode::TwoWay => Mode::TwoWay,
            config::Mode::DownloadOnly => Mode::DownloadOnly,
            config::Mode::UploadOnly => Mode::UploadOnly,
        },
        conflict: match sync.conflict {
            config::Conflict::KeepBoth => ConflictPolicy::KeepBoth,
            config::Conflict::Newest => ConflictPolicy::Newest,
        },
        replacement: match sync.remote_replace {
            config::RemoteReplace::InPlace => Replacement::InPlace,
            config::RemoteReplace::Trash => Replacement::Trash,
        },
        packages: match sync.packages {
            config::Packages::Zip => Packages::Zip,
            config::Packages::Skip => Packages::Skip,
        },
        max_file_size: config.limits.max_file_size,
        filter: sync.filter.clone(),
        app_libraries: sync.app_libraries.clone(),
        root_is_library: false,
        remote_delete_permanent: sync.remote_delete == config::RemoteDelete::Permanent,
        workers: sync.max_workers,
        guard: GuardLimits {
            max_deletes: config
                .guard
                .max_deletes
                .map_or(0, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            max_delete_percent: config.guard.max_delete_percent.map_or(0, usize::from),
        },
    }
}

/// The drive's folder, checked to be this state's or nobody's. Nothing has been made in it.
pub struct Drive {
    /// The folder.
    pub disk: LocalDisk,
    /// The marker that the state expects.
    expected: Option<Marker>,
    /// The marker that is there.
    found: Option<Marker>,
    /// Held until this is dropped; none when only looking.
    lock: Option<Lock>,
}

/// The drive on iCloud, once the account and the folder are known to be this state's.
pub struct Connected {
    /// The drive on iCloud.
    pub remote: ICloudDrive,
    /// Whether `sync.remote_root` is an app's library.
    pub root_is_library: bool,
}

impl Drive {
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
        let found = disk.read_marker()?;
        check_marker(config, expected.as_ref(), found.as_ref(), state)?;
        let lock = if writes { Some(disk::lock_drive(&config.sync.directory)?) } else { None };
        Ok(Self { disk, expected, found, lock })
    }

    /// Signs in, finds the folder on iCloud, and makes state and drive the account's.
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
    ) -> Result<Connected, AppError> {
        let account = service.account_dsid();
        let looks = purpose == Purpose::Look;
        let options = DriveOptions {
            max_workers: config.sync.max_workers,
            download_rate: config.limits.download_rate.unwrap_or(0),
            upload_rate: config.limits.upload_rate.unwrap_or(0),
            ..DriveOptions::default()
        };
        let remote = ICloudDrive::new(Arc::clone(service) as _, options, Arc::new(clock.clone()));
        let first = engine.state.owner.is_none();
        let makes = first && !looks && config.sync.mode != config::Mode::DownloadOnly;
        let written = root_path(config);
        let root = remote.resolve_root(&written, makes)?.ok_or_else(|| no_root(&written, first))?;
        let id = self.expected.as_ref().or(self.found.as_ref()).map(|marker| marker.id.clone());
        let owner = Owner {
            marker: id.unwrap_or_else(|| {
                clock.env().random::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
            }),
            account,
            directory: config.sync.directory.display().to_string(),
            remote_root: written,
            root_id: root.entry.id.to_string(),
        };
        self.own(engine, owner, looks)?;
        Ok(Connected { remote, root_is_library: root.entry.kind == RemoteKind::AppLibrary })
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
        for stray in &recovered.strays {
            rescue(&self.disk, stray, mark)?;
        }
        let base = &state.base;
        let wanted = |key: &DownloadKey| {
            base.by_id(&key.id).is_none_or(|node| !base.get(node).etag.same_content(&key.etag))
        };
        self.disk.forget_downloads(&wanted)?;
        Ok(())
    }

    /// Gives up what only opening needed: the folder, and its lock.
    pub fn into_parts(self) -> (LocalDisk, Option<Lock>) {
        (self.disk, self.lock)
    }
}

impl Opened {
    /// Opens everything, signs in, and finds the folder on iCloud.
    ///
    /// # Errors
    ///
    /// [`AppError`]; nothing has been made in the drive or on iCloud then.
    pub fn open(config: Config, zone: TimeZone, stop: Arc<Stop>, purpose: Purpose) -> Result<Self, AppError> {
        let clock = SystemClock::new(stop);
        let mut home = Home::open(&config)?;
        let mut drive = Drive::open(&config, &home.engine.state, purpose)?;
        let service = service(&config, &clock)?;
        sign_in(&service)?;
        let connected = drive.connect(&config, &service, &clock, &mut home.engine, purpose)?;
        if purpose == Purpose::Sync {
            drive.clean_up(&home.engine.state, &conflict_mark(&zone))?;
        }
        let settings = Settings { root_is_library: connected.root_is_library, ..settings(&config) };
        let (disk, lock) = drive.into_parts();
        Ok(Self {
            config,
            settings,
            home,
            disk,
            service,
            remote: connected.remote,
            clock,
            zone,
            _drive: lock,
        })
    }

    /// The ports of the engine.
    pub fn ports(&self) -> Ports<'_> {
        Ports { remote: &self.remote, disk: &self.disk, clock: &self.clock }
    }

    /// The engine, and the ports that it works through.
    pub fn parts(&mut self) -> (&mut Engine, Ports<'_>, &Settings) {
        let ports = Ports { remote: &self.remote, disk: &self.disk, clock: &self.clock };
        (&mut self.home.engine, ports, &self.settings)
    }
}

/// `YYYY-MM-DD HH-MM-SS HOST`, now, for conflict copies.
pub fn conflict_mark(zone: &TimeZone) -> String {
    let now = jiff::Timestamp::now().to_zoned(zone.clone());
    format!("{} {}", now.strftime("%Y-%m-%d %H-%M-%S"), host())
}

/// Brings a version that a crash left in the trash, though nobody planned to delete it, beside its place.
fn rescue(disk: &LocalDisk, stray: &disk::Stray, mark: &str) -> Result<(), AppError> {
    for nth in 1..1000 {
        let name = conflict_name(stray.path.name(), mark, nth);
        let Some(to) = stray.path.parent().and_then(|folder| folder.join(&name).ok()) else { break };
        match disk.rescue(&stray.slot, &to) {
            Ok(_) => {
                log::warn!(
                    "the program was cut short while {} was replaced; the version from here is now {to}",
                    stray.path
                );
                return Ok(());
            }
            Err(DiskError::Taken { .. }) => {}
            Err(DiskError::Folder { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    log::warn!("a version of {} from here stays in the local trash, see `icloudds trash list`", stray.path);
    Ok(())
}

/// The name of this machine, fit for file names.
pub fn host() -> String {
    sanitise_host(&rustix::system::uname().nodename().to_string_lossy())
}

/// `sync.remote_root` as one path, `/` for the whole drive.
pub fn root_path(config: &Config) -> String {
    format!("/{}", config.sync.remote_root.join("/"))
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

impl Drive {
    /// Makes the state the account's and marks the drive; with `looks` only in memory.
    fn own(&mut self, engine: &mut Engine, owner: Owner, looks: bool) -> Result<(), AppError> {
        let found = self.found.clone();
        let disk = &mut self.disk;
        let known = engine.state.owner.as_ref();
        if let Some(known) = known
            && known.account != owner.account
        {
            return Err(AppError::Foreign(
            "the sync state belongs to another Apple account: sign in with that one, or run `icloudds reset-state` to start \
             over (nothing is deleted by that)"
                .to_owned(),
        ));
        }
        if let (None, Some(found)) = (known, &found)
            && found.account != owner.account
        {
            return Err(AppError::Foreign(
            "this folder was synced with another Apple account: choose another sync.directory, or remove its .icloudds/id to \
             make it this account's (nothing is deleted by that)"
                .to_owned(),
        ));
        }
        if known.is_some_and(|known| known.root_id != owner.root_id) {
            return Err(AppError::Foreign(format!(
                "the folder {} on iCloud is not the one that was synced, another one has its name: put the old one back, or run \
             `icloudds reset-state` to start over (nothing is deleted by that)",
                owner.remote_root
            )));
        }
        if looks {
            if known.is_none()
                && let Some(root) = crate::engine::pass::root_of(&owner.root_id)
            {
                engine.state.base = BaseTree::new(BaseEntry::root(root));
            }
            return Ok(());
        }
        if known.is_none() {
            engine.commit(&[Change::Owner(owner.clone())])?;
        }
        let marker = Marker { id: owner.marker, account: owner.account, remote_root: owner.remote_root };
        if found.as_ref() == Some(&marker) {
            disk.expect_marker(marker);
        } else {
            disk.write_marker(&marker)?;
        }
        disk.prepare()?;
        Ok(())
    }
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

/// The path of a command's argument: relative to the synced folder, or an absolute path inside it.
///
/// # Errors
///
/// When it is no path inside the folder.
pub fn path_of(config: &Config, given: &std::ffi::OsStr) -> Result<RelPath, AppError> {
    let refused = |why: String| AppError::Refused { message: why, exit: ExitCode::Configuration };
    let shown = given.to_string_lossy();
    let path = Path::new(given);
    let relative = path.strip_prefix(&config.sync.directory).unwrap_or(path);
    let text =
        relative.to_str().ok_or_else(|| refused(format!("{shown:?} is not UTF-8, so it is never synced")))?;
    let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    if Path::new(text).is_absolute() {
        return Err(refused(format!("{shown:?} is not inside {}", config.sync.directory.display())));
    }
    RelPath::parse(if text == "." { "" } else { text }).map_err(|error| refused(error.to_string()))
}
