//! Commands that ask the running daemon, through its control socket.

use std::ffi::OsStr;

use jiff::Timestamp;

use super::error::{CliError, DaemonError};
use super::print::print_drawn;
use super::screen::Screen;
use super::{CodeRequest, SendWay, StatusHow, UsageError, print};
use crate::app::typed_path::typed_path;
use crate::config::Config;
use crate::control::{CodeWays, ControlClient, ControlReply, ControlRequest, Held, SendHow};
use crate::exit::ExitCode;
use crate::model::RelPath;
use crate::model::plain::{plain, plain_json};
use crate::status::draw::draw;
use crate::status::text::{Source, render};
use crate::status::{StatusDocument, file};

/// Asks the daemon; `None` when there is none.
fn try_ask(config: &Config, request: &ControlRequest) -> Result<Option<ControlReply>, DaemonError> {
    let Some(mut client) = ControlClient::connect(&config.sync.state_directory)? else { return Ok(None) };
    match client.call(request)? {
        ControlReply::Refused { refusal } => Err(DaemonError::Refused(refusal)),
        reply => Ok(Some(reply)),
    }
}

/// Asks the daemon, which must be there.
fn ask(config: &Config, request: &ControlRequest) -> Result<ControlReply, DaemonError> {
    try_ask(config, request)?.ok_or_else(|| none(config))
}

fn none(config: &Config) -> DaemonError {
    DaemonError::None { state_directory: plain(&config.sync.state_directory.display().to_string()) }
}

/// What the command is to print, and its exit code.
type Outcome = Result<(String, ExitCode), DaemonError>;

fn show(outcome: Outcome) -> Result<ExitCode, CliError> {
    let (text, exit) = outcome?;
    print(text)?;
    Ok(exit)
}

/// `status`: from the daemon, else its last known state; without either, exit 13.
///
/// # Errors
///
/// [`DaemonError`], and output that cannot be written.
pub fn status(config: &Config, how: StatusHow) -> Result<ExitCode, CliError> {
    let screen = Screen::of_stdout();
    let text = || status_text(config, how == StatusHow::Json, Timestamp::now().as_second());
    match (how, screen) {
        (StatusHow::Watch, None) => Err(UsageError::Wrong {
            problem: "--watch needs a terminal".to_owned(),
            topic: "status ".to_owned(),
        }
        .into()),
        (StatusHow::Watch, Some(screen)) => loop {
            // The window may have another size each time.
            let screen = Screen::of_stdout().unwrap_or(screen);
            screen.show(&draw(&text()?.0, screen.look))?;
            Screen::rest();
        },
        (StatusHow::Once, Some(screen)) => {
            let (text, exit) = text()?;
            print_drawn(draw(&text, screen.look))?;
            Ok(exit)
        }
        _ => show(text()),
    }
}

fn status_text(config: &Config, json: bool, now: i64) -> Outcome {
    let (status, source) = match try_ask(config, &ControlRequest::Status)? {
        Some(ControlReply::Status { status }) => (*status, Source::Live),
        Some(_) => return Err(DaemonError::Answer),
        None => {
            let stored = file::stored(&config.sync.state_directory).map_err(|source| {
                let path = config.sync.state_directory.join(file::STATUS_NAME);
                DaemonError::Stored { path: plain(&path.display().to_string()), source }
            })?;
            let (status, at) = stored.ok_or_else(|| none(config))?;
            (status, Source::Stored { at })
        }
    };
    let text = if json { status_json(&status, source) } else { render(&status, source, now) };
    Ok((text, ExitCode::Success))
}

/// The document; `running` tells whether a daemon answered.
fn status_json(status: &StatusDocument, source: Source) -> String {
    // A struct of texts, numbers and lists always becomes JSON.
    let mut value = serde_json::to_value(status).unwrap_or_default();
    value["running"] = (source == Source::Live).into();
    format!("{}\n", plain_json(&format!("{value:#}")))
}

/// `health`: exit 0 or 1, and one line why. No daemon, or one that does not answer, is unhealthy.
///
/// # Errors
///
/// Output that cannot be written.
pub fn health(config: &Config, ready: bool) -> Result<ExitCode, CliError> {
    let (healthy, why) = match ask(config, &ControlRequest::Health { ready }) {
        Ok(ControlReply::Health { healthy, why }) => (healthy, why),
        Ok(_) => (false, DaemonError::Answer.to_string()),
        Err(error) => (false, with_cause(&error)),
    };
    print(format!("{}\n", plain(&why)))?;
    Ok(if healthy { ExitCode::Success } else { ExitCode::Busy })
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        // Most messages name their cause themselves.
        Some(source) if !error.to_string().contains(&source.to_string()) => {
            format!("{error}: {}", with_cause(source))
        }
        _ => error.to_string(),
    }
}

/// `sync-now`, `pause`, `resume`: asks and prints what the daemon says to it.
///
/// # Errors
///
/// [`DaemonError`], exit 13 without a daemon, and output that cannot be written.
pub fn steer(config: &Config, request: &ControlRequest) -> Result<ExitCode, CliError> {
    show(done(ask(config, request)?))
}

fn done(reply: ControlReply) -> Outcome {
    match reply {
        ControlReply::Done { said } => Ok((format!("{}\n", plain(&said)), ExitCode::Success)),
        _ => Err(DaemonError::Answer),
    }
}

/// Tells a running daemon, if there is one, that `login`, `logout` or a stored decision changed something it waits for.
///
/// # Errors
///
/// [`DaemonError`] when there is one that does not take it.
pub fn tell(config: &Config, request: &ControlRequest) -> Result<bool, DaemonError> {
    Ok(try_ask(config, request)?.is_some())
}

/// `plan` beside a running daemon, answered by it; `None` when there is none.
///
/// # Errors
///
/// As [`steer`].
pub fn plan(config: &Config, json: bool) -> Result<Option<ExitCode>, CliError> {
    text_of(try_ask(config, &ControlRequest::Plan { json })?)
}

/// Prints a reply that is text.
fn text_of(reply: Option<ControlReply>) -> Result<Option<ExitCode>, CliError> {
    match reply {
        Some(ControlReply::Text { text }) => {
            print(text)?;
            Ok(Some(ExitCode::Success))
        }
        Some(_) => Err(DaemonError::Answer.into()),
        None => Ok(None),
    }
}

/// `why PATH`: from the daemon, else what `stored` tells from the stored state.
///
/// # Errors
///
/// As [`steer`], what `stored` fails with, and exit 3 for a path that is not in the synced folder.
pub fn why(
    config: &Config,
    given: &OsStr,
    stored: impl FnOnce(&RelPath) -> Result<String, CliError>,
) -> Result<ExitCode, CliError> {
    let path = typed_path(&config.sync.directory, given).map_err(DaemonError::from)?;
    let request = ControlRequest::Why { path: path.as_str().to_owned() };
    match text_of(try_ask(config, &request)?)? {
        Some(exit) => Ok(exit),
        None => {
            print(stored(&path)?)?;
            Ok(ExitCode::Success)
        }
    }
}

/// The held deletions without the first `skip`, from the daemon; `None` when there is none.
///
/// # Errors
///
/// As [`steer`].
pub(super) fn held(config: &Config, skip: u64) -> Result<Option<Held>, DaemonError> {
    match try_ask(config, &ControlRequest::Held { skip })? {
        Some(ControlReply::Held { held }) => Ok(Some(held)),
        Some(_) => Err(DaemonError::Answer),
        None => Ok(None),
    }
}

/// Has the daemon decide on the list of that name; `None` when there is none. Says what it said to it.
///
/// # Errors
///
/// As [`steer`]; also when another list is held by now.
pub(super) fn decide(config: &Config, reject: bool, list: &str) -> Result<Option<String>, DaemonError> {
    let request = ControlRequest::Approve { reject, list: Some(list.to_owned()) };
    try_ask(config, &request)?.map(|reply| done(reply).map(|(text, _)| text)).transpose()
}

/// `code`: lists the ways, gives a code, or asks for one.
///
/// # Errors
///
/// As [`steer`]; the daemon's refusals bring the exit codes 8 to 11.
pub fn code(config: &Config, request: CodeRequest) -> Result<ExitCode, CliError> {
    show(code_text(config, request))
}

fn code_text(config: &Config, request: CodeRequest) -> Outcome {
    match request {
        CodeRequest::List => match ask(config, &ControlRequest::CodeWays)? {
            ControlReply::Ways { ways } => Ok((ways_text(&ways), ExitCode::Success)),
            _ => Err(DaemonError::Answer),
        },
        CodeRequest::Give(code) => done(ask(config, &ControlRequest::Code { code })?),
        CodeRequest::Send(way) => {
            let how = match way {
                SendWay::Usual => SendHow::Usual,
                SendWay::Device => SendHow::Device,
                SendWay::Sms(number) => SendHow::Sms { number },
                SendWay::Voice(number) => SendHow::Voice { number },
            };
            done(ask(config, &ControlRequest::CodeSend { how })?)
        }
    }
}

fn ways_text(ways: &CodeWays) -> String {
    if !ways.device && ways.numbers.is_empty() {
        return "iCloud lists no way to get a code; sign in at icloud.com once to see why\n".to_owned();
    }
    let mut text = "ways to get a code:\n".to_owned();
    if ways.device {
        text.push_str("  icloudds code --send device   shown on the trusted devices\n");
    }
    for (at, number) in (1..).zip(&ways.numbers) {
        let to = match () {
            () if ways.two_step => "to the device",
            () if ways.voice.contains(&at) => "by a call to",
            () => "by SMS to",
        };
        text.push_str(&format!("  icloudds code --send sms {at:<5} {to} {}\n", plain(number)));
    }
    if !ways.two_step && !ways.numbers.is_empty() {
        text.push_str("  icloudds code --send voice N  by a call to the N-th number\n");
    }
    text.push_str("then: icloudds code CODE\n");
    text
}

#[cfg(test)]
#[path = "daemon_tests.rs"]
mod tests;
