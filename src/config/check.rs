//! From the merged values to a [`Config`]: every rule that needs more than a type.

mod outward;

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::Value;
use log::LevelFilter;

use super::error::{ConfigError, Origin, quote, without_user};
use super::layer::Effective;
use super::raw::{RawConfig, RawSize};
use super::schema::{self, Kind};
use super::sources::Sources;
use super::types::*;
use super::{places, values};
use crate::model::filter::Filter;
use crate::model::log_part;
use crate::secret::{Secret, register_lasting};

/// Checks everything; what is merely missing comes last.
pub(super) fn check(sources: &Sources, effective: &Effective) -> Result<Config, ConfigError> {
    let raw = effective.raw()?;
    let checker = Checker { sources, effective, relaxed: values::is_loopback(&raw.icloud.setup) };
    checker.choices_and_bounds()?;
    let config = Config {
        account: checker.account(&raw)?,
        sync: checker.sync(&raw)?,
        guard: Guard {
            max_deletes: nonzero(checker.number("guard.max_deletes", raw.guard.max_deletes)?),
            max_delete_percent: nonzero(
                checker.number("guard.max_delete_percent", raw.guard.max_delete_percent)?,
            ),
        },
        trash: Trash {
            keep: nonzero(checker.number("trash.keep_days", raw.trash.keep_days)?)
                .map(|days: u64| Duration::from_secs(days * 24 * 3600)),
            max_size: checker.size("trash.max_size", &raw.trash.max_size)?,
        },
        limits: Limits {
            upload_rate: checker.size("limits.upload_rate", &raw.limits.upload_rate)?,
            download_rate: checker.size("limits.download_rate", &raw.limits.download_rate)?,
            max_file_size: checker.size("limits.max_file_size", &raw.limits.max_file_size)?,
            keep_free: checker.keep_free(&raw.limits.keep_free)?,
        },
        log: checker.log(&raw)?,
        web: checker.web(&raw)?,
        notify: checker.notify(&raw)?,
        ca_file: checker.ca_file(&raw)?,
        proxy: checker.proxy(&raw)?,
        icloud: Icloud {
            home: checker.root("icloud.home", &raw.icloud.home)?,
            setup: checker.root("icloud.setup", &raw.icloud.setup)?,
            auth: checker.root("icloud.auth", &raw.icloud.auth)?,
        },
    };
    checker.places(&config)?;
    if config.account.username.trim().is_empty() {
        return Err(ConfigError::MissingUsername);
    }
    Ok(config)
}

fn nonzero<T: Default + PartialEq>(number: T) -> Option<T> {
    (number != T::default()).then_some(number)
}

struct Checker<'a> {
    sources: &'a Sources,
    effective: &'a Effective,
    /// Whether the service is a simulated one, which needs no protection by minimum periods.
    relaxed: bool,
}

impl Checker<'_> {
    /// The error for the value of the key `dotted`.
    fn invalid(&self, dotted: &str, problem: impl Into<String>) -> ConfigError {
        let key = match schema::by_dotted(dotted) {
            Some(key) => key,
            None => return ConfigError::Merge(format!("{dotted}: {}", problem.into())),
        };
        match self.effective.value(key) {
            Ok(value) => ConfigError::invalid(key, &value, self.effective.origin(dotted), problem),
            Err(error) => error,
        }
    }

    /// Checks every choice and every number against the schema.
    fn choices_and_bounds(&self) -> Result<(), ConfigError> {
        for key in schema::KEYS {
            let value = self.effective.value(key)?;
            let allowed = match (key.kind, &value) {
                (Kind::Choice(choices), Value::String(_, word)) => choices.contains(&word.as_str()),
                (Kind::Number { min, max, unit }, Value::Num(_, number)) => {
                    let min = if self.relaxed && unit == "seconds" { min.min(1) } else { min };
                    number
                        .to_i128()
                        .is_some_and(|number| (i128::from(min)..=i128::from(max)).contains(&number))
                }
                _ => true,
            };
            if !allowed {
                return Err(self.invalid(&key.dotted(), key.kind.allowed()));
            }
        }
        Ok(())
    }

    fn number<T: TryFrom<i64>>(&self, dotted: &str, number: i64) -> Result<T, ConfigError> {
        T::try_from(number).map_err(|_| self.invalid(dotted, "is out of range"))
    }

    fn seconds(&self, dotted: &str, number: i64) -> Result<Duration, ConfigError> {
        self.number(dotted, number).map(Duration::from_secs)
    }

    /// A size, where 0 is no limit.
    fn size(&self, dotted: &str, written: &RawSize) -> Result<Option<u64>, ConfigError> {
        let bytes = values::size(written).ok_or_else(|| self.invalid(dotted, Kind::Size.allowed()))?;
        Ok(nonzero(bytes))
    }

    /// A size of which 0 means nothing, and an empty text the default.
    fn keep_free(&self, written: &RawSize) -> Result<Option<u64>, ConfigError> {
        match written {
            RawSize::Text(text) if text.trim().is_empty() => Ok(None),
            other => values::size(other)
                .map(Some)
                .ok_or_else(|| self.invalid("limits.keep_free", Kind::Size.allowed())),
        }
    }

    fn word<T>(&self, dotted: &str, word: &str, from_word: fn(&str) -> Option<T>) -> Result<T, ConfigError> {
        let allowed = || schema::by_dotted(dotted).map_or_else(String::new, |key| key.kind.allowed());
        from_word(word).ok_or_else(|| self.invalid(dotted, allowed()))
    }

    fn path(&self, dotted: &str, written: &str) -> Result<Option<PathBuf>, ConfigError> {
        if written.is_empty() {
            return Ok(None);
        }
        places::absolute(written, self.sources.home())
            .map(Some)
            .map_err(|problem| self.invalid(dotted, problem))
    }

    fn required_path(&self, dotted: &str, written: &str) -> Result<PathBuf, ConfigError> {
        self.path(dotted, written)?.ok_or_else(|| self.invalid(dotted, "must not be empty"))
    }

    /// A secret that is written directly or stands in a file, but not both.
    fn secret(&self, dotted: &str, written: &str, file: &str) -> Result<Option<Secret>, ConfigError> {
        let file_key = format!("{dotted}_file");
        match (written.is_empty(), file.is_empty()) {
            (true, true) => Ok(None),
            (false, true) => Ok(Some(Secret::lasting(written))),
            (true, false) => {
                let path = self.required_path(&file_key, file)?;
                let text = values::secret_file(&path).map_err(|problem| self.invalid(&file_key, problem))?;
                Ok(Some(Secret::lasting(text)))
            }
            (false, false) => {
                let other = self.effective.origin(dotted);
                Err(self
                    .invalid(&file_key, format!("{dotted} is set too ({other}), only one of them may be")))
            }
        }
    }

    fn account(&self, raw: &RawConfig) -> Result<Account, ConfigError> {
        let mut password =
            self.secret("account.password", &raw.account.password, &raw.account.password_file)?;
        if password.is_none()
            && let Some(path) = credential(self.sources)
        {
            let refused = |problem| ConfigError::Invalid {
                key: "account.password".to_owned(),
                value: quote(&path.display().to_string()),
                origin: Origin::Credential(path.clone()),
                problem,
            };
            password = Some(Secret::lasting(values::secret_file(&path).map_err(refused)?));
        }
        let region = self.word("account.region", &raw.account.region, Region::from_word)?;
        let name = raw.account.username.trim();
        if name.len() > 1
            && ['"', '\''].iter().any(|quote| name.starts_with(*quote) && name.ends_with(*quote))
        {
            let problem =
                "holds quotes, which Compose and files of variables leave in a value: write it without them";
            return Err(self.invalid("account.username", problem));
        }
        Ok(Account { username: raw.account.username.clone(), password, region })
    }

    fn sync(&self, raw: &RawConfig) -> Result<Sync, ConfigError> {
        let sync = &raw.sync;
        let filter = Filter::compile(&sync.ignore, &sync.include).map_err(|error| {
            let key = format!("sync.{}[{}]", error.list, error.index);
            let origin = self.effective.origin(&key);
            ConfigError::Invalid { value: quote(&error.expression), origin, key, problem: error.problem }
        })?;
        for (index, name) in sync.app_libraries.iter().enumerate() {
            if name.is_empty() || name.contains(['/', '\0']) {
                let key = format!("sync.app_libraries[{index}]");
                let (origin, problem) =
                    (self.effective.origin(&key), "must be the name of an app's folder".to_owned());
                return Err(ConfigError::Invalid { key, value: quote(name), origin, problem });
            }
        }
        Ok(Sync {
            directory: self.required_path("sync.directory", &sync.directory)?,
            state_directory: self.required_path("sync.state_directory", &sync.state_directory)?,
            remote_root: values::remote_root(&sync.remote_root)
                .map_err(|problem| self.invalid("sync.remote_root", problem))?,
            mode: self.word("sync.mode", &sync.mode, Mode::from_word)?,
            filter,
            check_period: self.seconds("sync.check_period", sync.check_period)?,
            refresh_period: self.seconds("sync.refresh_period", sync.refresh_period)?,
            debounce_period: self.seconds("sync.debounce_period", sync.debounce_period)?,
            max_workers: self.number("sync.max_workers", sync.max_workers)?,
            parallel_writes: values::width(&sync.parallel_writes, schema::MOST_WRITES).ok_or_else(|| {
                self.invalid(
                    "sync.parallel_writes",
                    Kind::Width { max: schema::MOST_WRITES as u64 }.allowed(),
                )
            })?,
            watch: self.word("sync.watch", &sync.watch, Watch::from_word)?,
            poll_period: self.seconds("sync.poll_period", sync.poll_period)?,
            remote_watch: self.word("sync.remote_watch", &sync.remote_watch, RemoteWatch::from_word)?,
            conflict: self.word("sync.conflict", &sync.conflict, ConflictPolicy::from_word)?,
            remote_delete: self.word("sync.remote_delete", &sync.remote_delete, RemoteDelete::from_word)?,
            remote_replace: self.word("sync.remote_replace", &sync.remote_replace, Replacement::from_word)?,
            packages: self.word("sync.packages", &sync.packages, Packages::from_word)?,
            app_libraries: sync.app_libraries.clone(),
        })
    }

    fn log(&self, raw: &RawConfig) -> Result<Log, ConfigError> {
        let log = &raw.log;
        let level = |word: &str| word.parse::<LevelFilter>().ok().filter(|_| schema::LEVELS.contains(&word));
        let mut levels = std::collections::BTreeMap::new();
        for (name, word) in &log.levels {
            let key = format!("log.levels.{name}");
            let refused = |problem| ConfigError::Invalid {
                key: key.clone(),
                value: quote(word),
                origin: self.effective.origin(&key),
                problem,
            };
            if !log_part::is_known(name) {
                let parts = log_part::names().collect::<Vec<_>>().join(", ");
                return Err(refused(format!("no part of the program has this name, there are {parts}")));
            }
            let choices = || format!("must be {}", schema::one_of(schema::LEVELS));
            levels.insert(name.clone(), level(word).ok_or_else(|| refused(choices()))?);
        }
        let format = self.word("log.format", &log.format, LogFormat::from_word)?;
        let file_format = match log.file_format.as_str() {
            "" => format,
            word => self.word("log.file_format", word, LogFormat::from_word)?,
        };
        Ok(Log {
            level: self.word("log.level", &log.level, |word| word.parse().ok())?,
            levels,
            format,
            file: self.path("log.file", &log.file)?,
            file_format,
            file_level: self.word("log.file_level", &log.file_level, |word| word.parse().ok())?,
            file_max_size: self.size("log.file_max_size", &log.file_max_size)?,
            file_keep: self.number("log.file_keep", log.file_keep)?,
            state_dump: log.state_dump,
        })
    }

    fn ca_file(&self, raw: &RawConfig) -> Result<Option<PathBuf>, ConfigError> {
        let Some(path) = self.path("tls.ca_file", &raw.tls.ca_file)? else { return Ok(None) };
        crate::ca_file::read(&path).map_err(|problem| self.invalid("tls.ca_file", problem))?;
        Ok(Some(path))
    }

    fn root(&self, dotted: &str, written: &str) -> Result<Option<String>, ConfigError> {
        if written.is_empty() {
            return Ok(None);
        }
        values::root(written).map(Some).map_err(|problem| self.invalid(dotted, problem))
    }

    /// `proxy.url`, else `HTTPS_PROXY`, which tools write in either case and often without a scheme.
    fn proxy(&self, raw: &RawConfig) -> Result<Option<Proxy>, ConfigError> {
        let either = |upper: &str| {
            let names = [upper.to_owned(), upper.to_lowercase()];
            names
                .into_iter()
                .find_map(|name| Some((self.sources.variable(&name)?.to_string_lossy().into_owned(), name)))
        };
        let (written, variable) = match (raw.proxy.url.is_empty(), either("HTTPS_PROXY")) {
            (false, _) => (raw.proxy.url.clone(), None),
            (true, Some((written, name))) => (written, Some(name)),
            (true, None) => return Ok(None),
        };
        let with_scheme = if written.contains("://") { written.clone() } else { format!("http://{written}") };
        let url = values::http_url(&with_scheme).map_err(|problem| match variable {
            None => self.invalid("proxy.url", problem),
            Some(name) => ConfigError::Invalid {
                key: "proxy.url".to_owned(),
                value: quote(&without_user(&written)),
                origin: Origin::Variable(name),
                problem,
            },
        })?;
        if let Some(password) = url.password() {
            register_lasting(password);
        }
        let no_proxy = either("NO_PROXY").map_or_else(Vec::new, |(list, _)| {
            list.split([',', ' ']).filter(|host| !host.is_empty()).map(str::to_owned).collect()
        });
        Ok(Some(Proxy { url: Secret::lasting(with_scheme), no_proxy }))
    }

    /// Nothing of ours lies inside the synced folder, nor the other way round, and the socket's path is short enough.
    fn places(&self, config: &Config) -> Result<(), ConfigError> {
        let (directory, state) = (&config.sync.directory, &config.sync.state_directory);
        let shown = |path: &Path| quote(&path.display().to_string());
        if places::is_inside(state, directory) {
            let problem = format!("must not lie inside sync.directory, which is {}", shown(directory));
            return Err(self.invalid("sync.state_directory", problem));
        }
        if places::is_inside(directory, state) {
            let problem = format!("must not lie inside sync.state_directory, which is {}", shown(state));
            return Err(self.invalid("sync.directory", problem));
        }
        if let Some(file) = &config.log.file
            && places::is_inside(file, directory)
        {
            let problem = format!("must not lie inside sync.directory, which is {}", shown(directory));
            return Err(self.invalid("log.file", problem));
        }
        if let Some(file) = &config.log.file
            && places::is_inside(directory, file)
        {
            let problem = format!("must not lie inside log.file, which is {}", shown(file));
            return Err(self.invalid("sync.directory", problem));
        }
        if !places::socket_fits(state) {
            let problem = format!(
                "is too long: with /{} the path must not exceed {} bytes",
                places::SOCKET_NAME,
                places::SOCKET_PATH_BYTES
            );
            return Err(self.invalid("sync.state_directory", problem));
        }
        Ok(())
    }
}

/// The file of the systemd credential `icloud-password`, if systemd gave one.
pub(super) fn credential(sources: &Sources) -> Option<PathBuf> {
    let path = Path::new(sources.variable("CREDENTIALS_DIRECTORY")?).join("icloud-password");
    path.exists().then_some(path)
}
