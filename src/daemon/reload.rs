//! SIGHUP: reads the configuration again; what cannot change while running is named.

use super::main_loop::{Loop, periods};
use crate::app::open::settings;
use crate::config::{self, schema};
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

impl Loop {
    /// Reads the password from its source again where none is at hand: a code may have to be followed by it.
    pub(super) fn fetch_password(&mut self) {
        let account = self.service.account();
        if account.state().has_password {
            return;
        }
        if let Ok(fresh) = config::load(&self.sources) {
            account.set_password(fresh.config.account.password.clone());
        }
    }

    /// Reads the configuration again and takes over what can change.
    pub(super) fn reload(&mut self) {
        let fresh = match config::load(&self.sources) {
            Ok(fresh) => fresh,
            Err(error) => {
                log::error!("the configuration was not reloaded, the old one stays: {error}");
                return;
            }
        };
        let value = |loaded: &config::Loaded, key| loaded.effective.value(key).ok();
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
        if changed.iter().any(|name| name.starts_with("account.password")) {
            self.service.account().set_password(fresh.config.account.password.clone());
            self.session_changed();
        }
        let root_is_library = self.settings.root_is_library;
        self.settings = Settings { root_is_library, ..settings(&fresh.config) };
        self.schedule.periods = periods(&fresh.config);
        self.debounce.set_quiet(fresh.config.sync.debounce_period);
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
        if let Some(here) = &self.here {
            here.disk.keep_free(fresh.config.limits.keep_free);
        }
        let of_client = ["limits.upload_rate", "limits.download_rate", "sync.max_workers"];
        if changed.iter().any(|name| of_client.contains(&name.as_str())) {
            // The client of the drive is made anew with them; a pass that runs keeps its own.
            self.there = None;
            self.there_ok = false;
        }
        self.sync_now();
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
