//! A person at the terminal that `run` was started from is asked there, beside the other ways to give a password or a code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::main_loop::Loop;
use crate::app::commands;
use crate::clock::Stop;
use crate::config::Config;
use crate::control::{ControlClient, ControlRequest};
use crate::model::plain::plain;
use crate::secret::mask;
use crate::terminal;

/// Whether somebody is being asked: a process has one terminal.
static ASKING: AtomicBool = AtomicBool::new(false);

impl Loop {
    /// Signs in as `icloudds login` does, on a thread of its own, and lets the loop look at the session that is stored then. Nothing happens
    /// without a terminal in whose foreground this process is, or while it asks already.
    pub(super) fn ask_at_terminal(&self) {
        if self.requests.stopping_since().is_some()
            || !terminal::is_ours()
            || ASKING.swap(true, Ordering::SeqCst)
        {
            return;
        }
        let (config, stop) = (self.setup.config().clone(), Arc::clone(&self.ports.stop));
        let asked = std::thread::Builder::new().name("icloudds-terminal".to_owned()).spawn(move || {
            if let Err(error) = ask(&config, stop) {
                eprintln!("icloudds: {}; `icloudds login` asks again", plain(&mask(&error)));
            }
            ASKING.store(false, Ordering::SeqCst);
        });
        if let Err(error) = asked {
            ASKING.store(false, Ordering::SeqCst);
            log::warn!("nobody can be asked at the terminal: {error}");
        }
    }
}

fn ask(config: &Config, stop: Arc<Stop>) -> Result<(), String> {
    commands::login(config, false, stop).map_err(|error| error.to_string())?;
    // The loop looks by itself too, only later.
    if let Ok(Some(mut client)) = ControlClient::connect(&config.sync.state_directory) {
        let _ = client.call(&ControlRequest::SessionChanged);
    }
    Ok(())
}
