//! This machine: its kernel, its limits, and what the file system of the drive does.

use std::path::Path;

use serde_json::json;

use super::report::Line;
use crate::disk::Watch;
use crate::disk::probe::{KernelLimits, Probe, Room, Tried};
use crate::status::text::bytes;

/// What is known of the program and the kernel without trying.
pub fn system_lines(limits: KernelLimits) -> Vec<Line> {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    // A kernel's name may bear that of who built it.
    let release: String = release.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let limit = |value: Option<u64>| value.map_or_else(|| "not told".to_owned(), |value| value.to_string());
    vec![
        Line::new("kernel", json!(release), format!("Linux {release} on {}", std::env::consts::ARCH)),
        Line::new(
            "watches",
            json!(limits.watches),
            format!("{} folders at most, all programs of this user together", limit(limits.watches)),
        ),
        Line::new("watch_sets", json!(limits.watch_sets), format!("{} at most", limit(limits.watch_sets))),
        Line::new("open_files", json!(limits.open_files), format!("{} at most", limit(limits.open_files))),
    ]
}

/// What the file system of the drive does.
pub fn file_system_lines(probe: &Probe, state: Option<Room>) -> Vec<Line> {
    let watched = match probe.watch {
        Watch::Native => (true, "changes are seen as they happen".to_owned()),
        Watch::PollBecause(why) => (false, format!("polled: {why}")),
    };
    let mut lines = vec![
        Line::new("file_system", probe.kind.clone(), probe.kind.clone()),
        Line::new("watched", watched.0, watched.1),
    ];
    match &probe.tried {
        Some(tried) => lines.extend(tried_lines(tried)),
        None => {
            lines.push(Line::new("writable", false, "nothing may be written there, so nothing was tried"))
        }
    }
    lines.push(room_line("free_space", probe.room));
    lines.extend(state.map(|room| room_line("free_space_state", room)));
    lines
}

fn tried_lines(tried: &Tried) -> Vec<Line> {
    let flag = |key, is: bool, yes: &str, no: &str| Line::new(key, is, if is { yes } else { no });
    let traits = tried.traits;
    let micros = u64::try_from(tried.sync.as_micros()).unwrap_or(u64::MAX);
    vec![
        flag(
            "inodes_kept",
            traits.knows_files() && traits.knows_folders(),
            "kept over renames and restarts",
            "not kept: items are known by size, time and content",
        ),
        flag(
            "exchange",
            traits.exchange,
            "two names can be exchanged",
            "two names cannot be exchanged in one step",
        ),
        flag("links", traits.links, "hard links", "no hard links"),
        flag("birth_times", tried.birth_times, "kept", "not kept"),
        flag("fine_times", tried.fine_times, "times have parts of a second", "times are whole seconds"),
        flag(
            "folds_case",
            tried.folds_case,
            "names that differ only in case are one",
            "names that differ only in case are two",
        ),
        flag(
            "folds_forms",
            tried.folds_forms,
            "composed and decomposed names are one",
            "composed and decomposed names are two",
        ),
        flag("xattrs", tried.xattrs, "extended attributes are kept", "no extended attributes"),
        Line::new(
            "sync_us",
            micros,
            format!("{}.{:03} ms to make 4 KiB durable (median)", micros / 1000, micros % 1000),
        ),
    ]
}

fn room_line(key: &'static str, room: Room) -> Line {
    let inodes = if room.inodes == 0 {
        "any number of files".to_owned()
    } else {
        format!("{} more files", room.free_inodes)
    };
    let says = format!("{} of {}, {inodes}", bytes(room.free_bytes), bytes(room.bytes));
    let value = json!({"free_bytes": room.free_bytes, "bytes": room.bytes, "free_inodes": room.free_inodes, "inodes": room.inodes});
    Line::new(key, value, says)
}

/// Why the drive's folder could not be looked at, without its path.
pub fn missing(directory: &Path, error: &std::io::Error) -> String {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist",
        std::io::ErrorKind::NotADirectory => "it is not a directory",
        std::io::ErrorKind::PermissionDenied => "this program may not enter it",
        _ if directory.as_os_str().is_empty() => "it is not set",
        _ => "it cannot be opened",
    };
    format!("the folder of sync.directory: {what}; correct the key, or mount its volume")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::disk::FsTraits;

    #[test]
    fn each_trait_is_told() {
        let traits = FsTraits { files: false, exchange: false, ..FsTraits::default() };
        let tried = Tried {
            traits,
            birth_times: true,
            fine_times: false,
            folds_case: true,
            folds_forms: false,
            xattrs: true,
            sync: Duration::from_micros(1_234),
        };
        let room = Room { bytes: 2_000_000, free_bytes: 1_000_000, inodes: 0, free_inodes: 0 };
        let watch = Watch::PollBecause("it is far away");
        let probe = Probe { tried: Some(tried), kind: "FAT".to_owned(), watch, room };
        let lines = file_system_lines(&probe, Some(room));
        let value = |key: &str| lines.iter().find(|line| line.key == key).expect(key).value.clone();
        for (key, expected) in [
            ("inodes_kept", false),
            ("exchange", false),
            ("links", true),
            ("birth_times", true),
            ("fine_times", false),
            ("folds_case", true),
            ("watched", false),
        ] {
            assert_eq!(value(key), json!(expected), "{key}");
        }
        assert_eq!(value("sync_us"), json!(1234));
        assert!(lines.iter().any(|line| line.says.starts_with("1.0 MB of 2.0 MB, any number")), "{lines:?}");
        let unwritable = Probe { tried: None, ..probe };
        assert!(file_system_lines(&unwritable, None).iter().any(|line| line.key == "writable"));
    }
}
