//! `login --import-session` and `--export-session`.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use super::AppError;
use super::open::{StateDir, service};
use crate::clock::{Stop, SystemClock};
use crate::config::Config;
use crate::exit::ExitCode;
use crate::icloud::signin::error::SignInError;
use crate::icloud::signin::foreign;

/// Takes a session from `file`, or from the standard input where it is `-`.
///
/// # Errors
///
/// [`AppError::SignIn`]; the session of before stays then.
pub fn take(config: &Config, file: &Path) -> Result<ExitCode, AppError> {
    let text = text_of(file)?;
    let refused = |reason: &str| SignInError::Import { reason: reason.to_owned() };
    let foreign = foreign::read(&text).map_err(refused)?;
    let service = service(config, &SystemClock::new(Arc::<Stop>::default()))?;
    service.account().import_session(foreign, owner(config).as_deref())?;
    service.account().flush()?;
    eprintln!("Signed in with the session that was taken.");
    Ok(ExitCode::Success)
}

/// The account that the stored state belongs to. Beside a running instance only the stored session tells.
fn owner(config: &Config) -> Option<String> {
    if !config.sync.state_directory.join("state.redb").exists() {
        return None;
    }
    StateDir::open(config).ok()?.engine.state().owner.as_ref().map(|owner| owner.account.clone())
}

fn text_of(file: &Path) -> Result<String, AppError> {
    let failed = |source| AppError::Io { what: "cannot read", path: file.to_owned(), source };
    let mut bytes = Vec::new();
    let limit = foreign::LARGEST as u64 + 1;
    if file == Path::new("-") {
        crate::terminal::Typed(io::stdin().lock()).take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let opened = fs::File::open(file).map_err(failed)?;
        if opened.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
            log::warn!(
                "{} can be read by others, and holds a whole session: delete it after this",
                file.display()
            );
        }
        opened.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    let refused = |reason: &str| SignInError::Import { reason: reason.to_owned() };
    if bytes.len() > foreign::LARGEST {
        return Err(refused("it is larger than any session").into());
    }
    String::from_utf8(bytes).map_err(|_| refused("it is no text").into())
}

/// Gives the session to `file`, readable by its owner only, or to the standard output where it is `-`.
///
/// # Errors
///
/// [`AppError::SignIn`] when nobody is signed in; [`AppError::Io`].
pub fn give(config: &Config, file: &Path) -> Result<ExitCode, AppError> {
    let service = service(config, &SystemClock::new(Arc::<Stop>::default()))?;
    let text = service.account().export_session()?;
    let failed = |source| AppError::Io { what: "cannot write", path: file.to_owned(), source };
    if file == Path::new("-") {
        let mut output = io::stdout().lock();
        output.write_all(&text).and_then(|()| output.flush()).map_err(failed)?;
        return Ok(ExitCode::Success);
    }
    // A file that is there may be readable by others, or lead elsewhere: it is never written through.
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut created =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    created.write_all(&text).and_then(|()| created.sync_all()).map_err(failed)?;
    eprintln!(
        "Whoever has {} has the account's Drive: move it by a safe way, then delete it.",
        file.display()
    );
    Ok(ExitCode::Success)
}
