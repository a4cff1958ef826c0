//! Secrets that others on this machine can read.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use figment::value::Value;

use super::error::Origin;
use super::layer::Effective;
use super::schema::{self, Kind};
use super::sources::Sources;
use super::{check, places};
use crate::private_file::is_our_group;

/// A sentence for each file that holds a secret and that others can read, by name.
pub(super) fn warnings(effective: &Effective, sources: &Sources, file: Option<&Path>) -> Vec<String> {
    let mut holders: Vec<(&str, PathBuf)> = Vec::new();
    let written = |dotted: &str| match schema::by_dotted(dotted).map(|key| effective.value(key)) {
        Some(Ok(Value::String(_, text))) if !text.is_empty() => Some(text),
        _ => None,
    };
    for (secret, in_file) in [
        ("account.password", "account.password_file"),
        ("web.token", "web.token_file"),
        ("notify.webhook", "notify.webhook_file"),
        ("notify.ping", "notify.ping_file"),
    ] {
        let named = written(in_file).and_then(|path| places::absolute(&path, sources.home()).ok());
        holders.extend(named.map(|path| (in_file, path)));
        if written(secret).is_some() && matches!(effective.origin(secret), Origin::File { .. }) {
            holders.extend(file.map(|path| (secret, path.to_owned())));
        }
    }
    if let Some(path) = check::credential(sources) {
        holders.push(("account.password", path));
    }
    debug_assert!(holders.iter().all(|(dotted, _)| {
        schema::by_dotted(dotted).is_some_and(|key| matches!(key.kind, Kind::Secret | Kind::Path))
    }));
    let open = holders.into_iter().filter_map(|(dotted, path)| {
        let mode = readable_by_others(&path)?;
        Some(format!("{dotted}: others can read {} (mode {mode:o}): chmod 600 {0}", path.display()))
    });
    open.collect()
}

/// The mode of a file or folder that others than its owner and this process can read; `None` where they cannot.
pub fn readable_by_others(path: &Path) -> Option<u32> {
    // Process 1 of a container has no neighbours.
    if std::process::id() == 1 {
        return None;
    }
    let seen = fs::metadata(path).ok()?;
    let folder = fs::metadata(path.parent()?).ok()?;
    let group = seen.mode() & 0o040 != 0 && !is_our_group(seen.gid()) && folder.mode() & 0o011 != 0;
    let all = seen.mode() & 0o004 != 0 && folder.mode() & 0o001 != 0;
    (group || all).then_some(seen.mode() & 0o7777)
}
