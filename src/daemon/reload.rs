//! SIGHUP: reads the configuration again and hands what changed to its owners.

use std::time::Instant;

use super::main_loop::Loop;

impl Loop {
    /// Reads the password from its source again where none is at hand: a code may have to be followed by it.
    pub(super) fn fetch_password(&mut self) {
        let account = self.ports.service.account();
        if account.state().has_password {
            return;
        }
        if let Ok(fresh) = self.setup.fresh() {
            account.set_password(fresh.config.account.password.clone());
        }
    }

    /// Reads the configuration again and takes over what can change.
    pub(super) fn reload(&mut self, now: Instant) {
        let fresh = match self.setup.fresh() {
            Ok(fresh) => fresh,
            Err(error) => {
                log::error!("the configuration was not reloaded, the old one stays: {error}");
                return;
            }
        };
        let password = fresh.config.account.password.clone();
        let changed = self.setup.take_over(fresh);
        if changed.password {
            self.ports.service.account().set_password(password);
            self.session_changed(now);
        }
        let config = self.setup.config();
        self.remote.reload(self.setup.periods(), self.setup.uses_feed());
        self.local.reload(config.sync.debounce_period, config.sync.poll_period);
        if let Some(root) = self.local.root() {
            root.disk.keep_free(config.limits.keep_free);
        }
        self.use_push();
        if changed.client {
            self.remote.reach_anew();
        }
        self.sync_now(now);
    }
}
