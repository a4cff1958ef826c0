//! The configuration in force, and what of it can change while running.

use super::dumps::Dumps;
use super::etag_watch::EtagWatch;
use super::feed_watch::FeedWatch;
use super::timing::Periods;
use crate::app::feed_state::FeedState;
use crate::app::open::settings;
use crate::config::{self, Config, Loaded, Sources, schema};
use crate::engine::pass::Settings;

/// Keys, or whole sections, that only a restart changes.
const FIXED: [&str; 12] = [
    "account.username",
    "account.region",
    "sync.directory",
    "sync.state_directory",
    "sync.remote_root",
    "sync.watch",
    "log",
    "web",
    "icloud",
    "notify",
    "tls",
    "proxy",
];

/// Keys that the client of the drive is made with.
const OF_CLIENT: [&str; 3] = ["limits.upload_rate", "limits.download_rate", "sync.max_workers"];

/// The configuration in force.
pub(super) struct Setup {
    sources: Sources,
    loaded: Loaded,
    settings: Settings,
    /// Where the state files are written around passes.
    dumps: Option<Dumps>,
}

/// What a reload changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reloaded {
    pub password: bool,
    /// The client of the drive has to be made anew.
    pub client: bool,
}

impl Setup {
    /// As it was loaded at the start.
    pub fn new(sources: Sources, loaded: Loaded) -> Self {
        let settings = settings(&loaded.config);
        let dumps = Dumps::of(&loaded.config);
        Self { sources, loaded, settings, dumps }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// What of it concerns passes; `root_is_library` says whether `sync.remote_root` is an app's library.
    pub fn settings(&self, root_is_library: bool) -> Settings {
        Settings { root_is_library, ..self.settings.clone() }
    }

    /// Where the state files are written around passes; `None` where nobody wants them.
    pub fn dumps(&self) -> Option<Dumps> {
        self.dumps.clone()
    }

    /// How often iCloud is looked at.
    pub fn periods(&self) -> Periods {
        Periods { check: self.config().sync.check_period, refresh: self.config().sync.refresh_period }
    }

    /// The change feed and folders' etags, with what an earlier run knew of them.
    pub fn hints(&self) -> (FeedWatch, EtagWatch) {
        let state = FeedState::load(&self.config().sync.state_directory);
        let etags = EtagWatch::new(state.etags.clone());
        (FeedWatch::new(state, self.uses_feed()), etags)
    }

    /// Whether the change feed may be asked.
    pub fn uses_feed(&self) -> bool {
        self.config().sync.remote_watch == config::RemoteWatch::Auto
    }

    /// The configuration as its sources have it now; nothing is taken over.
    pub fn fresh(&self) -> Result<Loaded, config::ConfigError> {
        config::load(&self.sources)
    }

    /// Takes over what can change, and names what changed and what needs a restart.
    pub fn take_over(&mut self, fresh: Loaded) -> Reloaded {
        let value = |loaded: &Loaded, key| loaded.effective.value(key).ok();
        let changed: Vec<String> = schema::KEYS
            .iter()
            .filter(|key| value(&self.loaded, key) != value(&fresh, key))
            .map(schema::Key::dotted)
            .collect();
        for name in changed.iter().filter(|name| is_fixed(name)) {
            log::warn!("{name} changed, which needs a restart");
        }
        let what = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
        log::info!("the configuration was read again; changed: {what}");
        self.settings = settings(&fresh.config);
        let old = &mut self.loaded.config;
        // The parts that are fixed stay as they are in force.
        let (directory, state, root, watch) = (
            old.sync.directory.clone(),
            old.sync.state_directory.clone(),
            old.sync.remote_root.clone(),
            old.sync.watch,
        );
        old.sync =
            config::Sync { directory, state_directory: state, remote_root: root, watch, ..fresh.config.sync };
        old.guard = fresh.config.guard;
        old.trash = fresh.config.trash;
        old.limits = fresh.config.limits;
        Reloaded {
            password: changed.iter().any(|name| name.starts_with("account.password")),
            client: changed.iter().any(|name| OF_CLIENT.contains(&name.as_str())),
        }
    }
}

fn is_fixed(name: &str) -> bool {
    FIXED
        .iter()
        .any(|fixed| name == *fixed || name.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_single_keys_are_fixed() {
        for (name, fixed) in [
            ("log.level", true),
            ("limits.upload_rate", false),
            ("sync.watch", true),
            ("proxy.url", true),
            ("sync.directory", true),
            ("sync.ignore", false),
            ("guard.max_deletes", false),
            ("account.password", false),
        ] {
            assert_eq!(is_fixed(name), fixed, "{name}");
        }
    }
}
