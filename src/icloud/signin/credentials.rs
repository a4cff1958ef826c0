//! Where the password comes from: the configuration, its file, a systemd credential.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::SignInError;
use crate::secret::Secret;

/// The name of the systemd credential.
pub const CREDENTIAL: &str = "icloud-password";

/// The places to look at, in this order; the caller's prompt comes after all of them.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// `account.password`.
    pub password: Option<Secret>,
    /// `account.password_file`; its trailing newline is dropped.
    pub password_file: Option<PathBuf>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub directory: Option<PathBuf>,
}

impl Credentials {
    /// The first password found; `None` when there is none anywhere.
    ///
    /// # Errors
    ///
    /// [`SignInError::PasswordFile`] when the named file, or an existing credential, cannot be
    /// read, is not text, or is empty.
    pub fn password(&self) -> Result<Option<Secret>, SignInError> {
        if let Some(password) = self.password.as_ref().filter(|text| !text.is_empty()) {
            return Ok(Some(password.clone()));
        }
        if let Some(path) = &self.password_file {
            return read(path).map(Some);
        }
        let Some(directory) = &self.directory else { return Ok(None) };
        let path = directory.join(CREDENTIAL);
        if path.exists() { read(&path).map(Some) } else { Ok(None) }
    }
}

fn read(path: &Path) -> Result<Secret, SignInError> {
    let failed = |reason: String| SignInError::PasswordFile { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => failed("it is not UTF-8 text".to_owned()),
        _ => failed(error.to_string()),
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(failed("it is empty".to_owned()));
    }
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_source_wins_and_only_the_last_newline_goes() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("pw");
        fs::write(&file, " from file \n\n").expect("written");
        fs::write(folder.path().join(CREDENTIAL), "from-systemd\r\n").expect("written");
        let mut places = Credentials {
            password: Some(Secret::new("from-config")),
            password_file: Some(file.clone()),
            directory: Some(folder.path().to_owned()),
        };
        let found =
            |places: &Credentials| places.password().expect("readable").expect("one").expose().to_owned();
        assert_eq!(found(&places), "from-config");
        places.password = None;
        assert_eq!(found(&places), " from file \n");
        places.password_file = None;
        assert_eq!(found(&places), "from-systemd");
        places.directory = Some(folder.path().join("none"));
        assert!(places.password().expect("readable").is_none());
        places.password_file = Some(folder.path().join("missing"));
        assert_eq!(places.password().expect_err("missing").exit_code(), 5);
        fs::write(&file, "\n").expect("written");
        places.password_file = Some(file);
        assert!(places.password().expect_err("empty").to_string().contains("empty"));
    }
}
