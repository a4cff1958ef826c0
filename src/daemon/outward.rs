//! What a running daemon shows and tells to others: the web page and the notifications. Both are clients of the loop.

use crossbeam::channel::Sender;

use crate::app::AppError;
use crate::config::Config;
use crate::control::ControlCall;
use crate::exit::ExitCode;
use crate::icloud::http::{Http, HttpOptions};
use crate::web::WebServer;
use crate::webhook::Notifier;

/// Both, where they are configured. Dropping it ends them.
pub(super) struct Outward {
    _web: Option<WebServer>,
    _notifier: Option<Notifier>,
}

impl Outward {
    /// Starts them; `calls` leads to the loop.
    ///
    /// # Errors
    ///
    /// [`AppError::Refused`] when the page's address cannot be used.
    pub(super) fn start(config: &Config, calls: &Sender<ControlCall>) -> Result<Self, AppError> {
        let web = WebServer::start(&config.web, calls.clone())
            .map_err(|error| AppError::Refused { message: error.to_string(), exit: error.exit_code() })?;
        let tells = config.notify.webhook.is_some() || config.notify.ping.is_some();
        let notifier = if tells { notifier(config, calls)? } else { None };
        Ok(Self { _web: web, _notifier: notifier })
    }
}

fn notifier(config: &Config, calls: &Sender<ControlCall>) -> Result<Option<Notifier>, AppError> {
    let options = HttpOptions {
        ca_file: config.ca_file.clone(),
        proxy: config.proxy.as_ref().map(|proxy| proxy.url.expose().to_owned()),
        user_agent: concat!("icloudds/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let http = Http::new(&options)
        .map_err(|error| AppError::Refused { message: error.to_string(), exit: ExitCode::Configuration })?;
    let state = &config.sync.state_directory;
    Notifier::start(&config.notify, calls.clone(), http, state).map_err(|source| AppError::Io {
        what: "cannot start a thread for notifications in",
        path: state.clone(),
        source,
    })
}
