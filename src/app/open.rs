//! Opens the edges in the order that keeps foreign files untouched: the state and its lock, the
//! drive's folder and whose it is, the account, the folder on iCloud; only then is anything made.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::AppError;
use super::local_root::LocalRoot;
use super::purpose::Purpose;
use crate::clock::{Stop, SystemClock};
use crate::config::{self, Config};
use crate::disk::{self, LocalDisk, Lock};
use crate::engine::conflict::sanitise_host;
use crate::engine::guard::GuardLimits;
use crate::engine::pass::{Engine, Settings};
use crate::engine::ports::Ports;
use crate::exit::ExitCode;
use crate::icloud::drive::ICloudDrive;
use crate::icloud::env::Env;
use crate::icloud::options::IcloudOptions;
use crate::icloud::service::Service;
use crate::icloud::signin::Initiative;
use crate::icloud::signin::interactive::login_here;
use crate::model::plain::plain;
use crate::panics;
use crate::secret::mask;
use crate::store;
use crate::terminal;

/// The state directory, locked, with what is stored there.
pub struct StateDir {
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
    pub state_dir: StateDir,
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

impl StateDir {
    /// Makes the state directory if it is missing, locks it and loads the state.
    ///
    /// # Errors
    ///
    /// [`AppError::Locked`] beside another instance, and when the directory or the state cannot be used.
    pub fn open(config: &Config) -> Result<Self, AppError> {
        let directory = &config.sync.state_directory;
        make_private(directory)?;
        check_user(directory, true)?;
        disk::check_writable(directory)?;
        if let Some(mode) = config::readable_by_others(directory) {
            log::warn!(
                "others can read the state directory {} (mode {mode:o}): chmod 700 {0}",
                directory.display()
            );
        }
        let lock = disk::lock_state(directory)?;
        let opened = open_state(&directory.join("state.redb"))?;
        if let Some(damage) = &opened.damage {
            report(damage);
        }
        Ok(Self { lock, engine: Engine::new(opened.state, Box::new(opened.store)) })
    }
}

impl StateDir {
    /// The lock, which must outlive the engine's use, and the engine.
    pub fn into_parts(self) -> (Lock, Engine) {
        (self.lock, self.engine)
    }
}

/// Opens the state. Damage that the database itself does not survive ends this run and begins it again without the damaged file.
fn open_state(path: &Path) -> Result<store::Opened, store::OpenError> {
    if !path.exists() {
        // What breaks off with nothing to read would do so again and again.
        return store::open(path);
    }
    let damaged = path.to_owned();
    let start_over = move |words: &str| match store::keep_broken_file(
        &damaged,
        &format!("the database broke off: {words}"),
    ) {
        Ok(damage) => {
            report(&damage);
            log::error!("cannot start over: {}", panics::start_over());
        }
        Err(error) => log::error!("{error}"),
    };
    panics::rescued(start_over, || store::open(path))
}

fn report(damage: &store::Damage) {
    log::error!(
        "the sync state was damaged ({}); it was moved to {} and is rebuilt as on a first run: nothing is deleted, what \
         differs is kept on both sides",
        damage.why,
        damage.moved_to.display()
    );
}

/// Makes a directory, and those above it, that only this user may enter.
fn make_private(directory: &Path) -> Result<(), AppError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|source| AppError::Io {
        what: "cannot create the state directory",
        path: directory.to_owned(),
        source,
    })
}

/// Files of the state directory that only their owner may write.
const OWNED: [&str; 4] = ["session.json", "state.redb", "lock", "status.json"];

/// Refuses to write into a state directory for another user, who could not go on with it then. `serves` says that this may
/// be the service itself, which may begin in another's empty directory, as a container does.
///
/// # Errors
///
/// [`AppError::Refused`], naming the user to run as.
pub fn check_user(directory: &Path, serves: bool) -> Result<(), AppError> {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    let owner = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
    let files: Vec<_> = OWNED.iter().filter_map(|name| owner(&directory.join(name))).collect();
    let stranger = files.iter().copied().find(|uid| *uid != us);
    let begins = if serves || files.contains(&us) { None } else { owner(directory).filter(|uid| *uid != us) };
    let Some(uid) = stranger.or(begins) else { return Ok(()) };
    Err(AppError::Refused {
        message: format!(
            "the state in {} belongs to {}, and this is {}: run it as that user, as in `sudo -u '#{uid}' icloudds …`, or \
             change the owner of the directory and all in it",
            directory.display(),
            user(uid),
            user(us)
        ),
        exit: ExitCode::LocalDirectory,
    })
}

/// A user's name and number, as far as this machine knows the name.
fn user(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
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
        region: config.account.region,
        home: config.icloud.home.clone(),
        setup: config.icloud.setup.clone(),
        auth: config.icloud.auth.clone(),
        ca_file: config.ca_file.clone(),
        proxy: config.proxy.as_ref().map(|proxy| proxy.url.expose().to_owned()),
        state_directory: config.sync.state_directory.clone(),
    };
    let service = Service::open(options, Env::system(clock.clone()))?;
    service.account().set_password(config.account.password.clone());
    Ok(Arc::new(service))
}

/// Signs in; on a terminal a person is asked for what is missing.
///
/// # Errors
///
/// [`AppError::SignIn`].
pub fn sign_in(service: &Service) -> Result<(), AppError> {
    match service.sign_in(Initiative::Unattended) {
        Err(error) if (error.needs_code() || error.needs_password()) && terminal::is_ours() => {
            eprintln!("icloudds: {}", plain(&mask(&error.to_string())));
            Ok(login_here(service)?)
        }
        other => Ok(other?),
    }
}

/// Renews the trust of this machine where that is due, and tells when it ends soon. A failure is no reason not to sync.
pub fn keep_trust(service: &Service) {
    match service.prolong_trust() {
        Ok(true) => log::info!("the trust of this machine was renewed"),
        Ok(false) => {}
        Err(error) => log::warn!("the trust of this machine could not be renewed: {error}"),
    }
    if let Some(days) = service.account().state().trust_days_left {
        log::warn!("the trust of this machine ends in {days} days: run `icloudds login` before then");
    }
}

/// What of the configuration concerns passes.
pub fn settings(config: &Config) -> Settings {
    let sync = &config.sync;
    Settings {
        mode: sync.mode,
        conflict: sync.conflict,
        replacement: sync.remote_replace,
        packages: sync.packages,
        max_file_size: config.limits.max_file_size,
        filter: sync.filter.clone(),
        app_libraries: sync.app_libraries.clone(),
        root_is_library: false,
        remote_delete_permanent: sync.remote_delete == config::RemoteDelete::Permanent,
        workers: sync.max_workers,
        parallel_writes: sync.parallel_writes,
        guard: GuardLimits {
            max_deletes: config
                .guard
                .max_deletes
                .map_or(0, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            max_delete_percent: config.guard.max_delete_percent.map_or(0, usize::from),
        },
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
        let mut state_dir = StateDir::open(&config)?;
        let mut root = LocalRoot::open(&config, state_dir.engine.state(), purpose)?;
        let service = service(&config, &clock)?;
        sign_in(&service)?;
        if purpose == Purpose::Sync {
            keep_trust(&service);
        }
        let connected = root.connect(&config, &service, &clock, &mut state_dir.engine, purpose)?;
        if purpose == Purpose::Sync {
            root.clean_up(state_dir.engine.state(), &conflict_mark(&zone))?;
        }
        let settings = Settings { root_is_library: connected.root_is_library, ..settings(&config) };
        let (disk, lock) = root.into_parts();
        Ok(Self {
            config,
            settings,
            state_dir,
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
        (&mut self.state_dir.engine, ports, &self.settings)
    }
}

/// `YYYY-MM-DD HH-MM-SS HOST`, now, for conflict copies.
pub fn conflict_mark(zone: &TimeZone) -> String {
    let now = jiff::Timestamp::now().to_zoned(zone.clone());
    format!("{} {}", now.strftime("%Y-%m-%d %H-%M-%S"), host())
}

/// The name of this machine, fit for file names.
pub fn host() -> String {
    sanitise_host(&rustix::system::uname().nodename().to_string_lossy())
}
