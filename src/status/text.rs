//! The status for a terminal.

use std::fmt::Write as _;

pub use crate::model::plain::plain;

use super::{DaemonState, Pending, Progress, SideCounts, StatusDocument, Totals, When};

/// How many items of a list are shown.
const SHOWN: usize = 10;
/// Columns of the progress bar between its brackets.
const BAR: u64 = 30;
/// Columns of the labels on the left.
pub(super) const LABEL: usize = 12;

/// Where the document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the running daemon.
    Live,
    /// From the file that a daemon wrote at that time (Unix seconds) and that is not running any more.
    Stored {
        /// When.
        at: i64,
    },
}

/// Renders `status` as it is to be read at `now` (Unix seconds); every line ends.
pub fn render(status: &StatusDocument, source: Source, now: i64) -> String {
    let mut page = Page(String::new());
    let stored = matches!(source, Source::Stored { .. });
    if let Source::Stored { at } = source {
        page.plain(&format!("the daemon is not running; this is what it told last, {}", ago(at, now)));
        page.plain("");
    }
    page.plain(&format!(
        "icloudds {}: {} and iCloud Drive {} of {}",
        plain(&status.version),
        plain(&status.directory),
        plain(&status.remote_root),
        plain(&status.account)
    ));
    page.plain("");
    let was = if stored { "was " } else { "" };
    page.line("state", &format!("{was}{}, since {}", status.state, moment(status.since, now)));
    if !stored && status.state.sentence() != status.state.as_str() {
        page.line("", status.state.sentence());
    }
    if let Some(progress) = &status.progress {
        page.line("progress", &bar(progress));
        page.line("", &figures(progress, stored));
    }
    let pending = pending(&status.pending);
    page.line(
        "in sync",
        match (status.in_sync, pending.is_empty()) {
            (true, _) => "yes".to_owned(),
            (false, true) => "no".to_owned(),
            (false, false) => format!("no; pending: {pending}"),
        }
        .as_str(),
    );
    page.line("last sync", &status.last_sync.map_or_else(|| "never".to_owned(), |at| moment(at, now)));
    if let Some(at) = status.next_try.filter(|_| !stored) {
        page.line("next try", &moment(at, now));
    }
    let seen = |looked: bool, counts: &SideCounts| {
        // Counts that are there come from an earlier version, which did not say whether it had looked.
        let known = looked || *counts != SideCounts::default();
        if known { side(counts) } else { "not looked at yet".to_owned() }
    };
    page.line("here", &seen(status.looked.local, &status.counts.local));
    page.line("on iCloud", &seen(status.looked.remote, &status.counts.remote));
    if !status.watch.is_empty() {
        page.line("watching", &plain(&status.watch));
        let by = status.remote_watch.as_str();
        let because = status.remote_watch_because.as_ref();
        page.line(
            "from iCloud",
            &because.map_or_else(|| by.to_owned(), |why| format!("{by}: {}", plain(why))),
        );
    }
    if let Some(file_system) = &status.file_system {
        page.line("file system", &plain(file_system));
    }
    page.line("session", &session(status, now));
    if let Some(at) = status.session_began.filter(|_| !is_signed_out(status)) {
        page.line("", &format!("signed in {}", moment(at, now)));
    }
    let done = totals(&status.totals);
    if !done.is_empty() {
        page.line("since start", &done);
    }
    if let Some(error) = &status.last_error {
        page.line("last error", &plain(error));
    }
    if status.held_deletes > 0 {
        let what = format!(
            "{} until `icloudds approve` or `icloudds approve --reject`",
            count(status.held_deletes, "deletion", "deletions")
        );
        page.line("held", &what);
        page.list(status.held.iter().map(|path| plain(path)), status.held_deletes);
    }
    let set_aside = status.set_aside.iter().map(|item| match item.next_try {
        Some(at) => {
            format!("{}: {} (next try {})", plain(&item.path), plain(&item.reason), ago(at.seconds(), now))
        }
        None => format!("{}: {} (tried again when it changes)", plain(&item.path), plain(&item.reason)),
    });
    page.section("set aside", set_aside, status.set_aside.len());
    let unsettled =
        status.unsettled.iter().map(|item| format!("{}: {}", plain(&item.path), plain(&item.reason)));
    page.section("left for now", unsettled, status.unsettled.len());
    let conflicts = status.conflicts.iter().map(|item| match &item.copy {
        Some(copy) => format!("{}: the other version is {}", plain(&item.path), plain(copy)),
        None => format!("{}: the other version is in the trash", plain(&item.path)),
    });
    page.section("conflicts", conflicts, status.conflicts.len());
    let skipped = status.skipped.iter().map(|item| format!("{}: {}", plain(&item.path), plain(&item.reason)));
    page.section("skipped", skipped, status.skipped.len());
    page.0
}

struct Page(String);

impl Page {
    fn plain(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn line(&mut self, label: &str, text: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{label:LABEL$} {text}");
    }

    fn section(&mut self, label: &str, items: impl Iterator<Item = String>, total: usize) {
        if total > 0 {
            self.line(label, &total.to_string());
            self.list(items, total as u64);
        }
    }

    /// The first of `items`, and how many of `total` are not shown.
    fn list(&mut self, items: impl Iterator<Item = String>, total: u64) {
        let mut shown = 0;
        for item in items.take(SHOWN) {
            self.line("", &format!("  {item}"));
            shown += 1;
        }
        if total > shown {
            self.line("", &format!("  … and {} more", total - shown));
        }
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Bytes in decimal units, `1.5 MB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit: u128 = 1000;
    for name in UNITS {
        let tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
        // What would be shown as 1000.0 is 1.0 of the next unit.
        if tenths < 10_000 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    // Not reached: 64 bits end at 18 EB.
    format!("{bytes} B")
}

/// A span in the largest unit that fits, `3 min`.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// When `at` was or will be, seen from `now`.
fn ago(at: i64, now: i64) -> String {
    match at.abs_diff(now) {
        0..=1 => "now".to_owned(),
        away if at < now => format!("{} ago", span(away)),
        away => format!("in {}", span(away)),
    }
}

fn moment(at: When, now: i64) -> String {
    format!("{} ({})", at.local(), ago(at.seconds(), now))
}

fn bar(progress: &Progress) -> String {
    let (done, total) = if progress.bytes_total > 0 {
        (progress.bytes_done, progress.bytes_total)
    } else {
        (progress.items_done, progress.items_total)
    };
    let part = |of: u64| {
        let share = u128::from(done.min(total)) * u128::from(of);
        share.checked_div(u128::from(total)).map_or(of, |part| u64::try_from(part).unwrap_or(of))
    };
    let filled = part(BAR);
    let column = |at| if at < filled { '#' } else { '-' };
    format!("[{}] {} %", (0..BAR).map(column).collect::<String>(), part(100))
}

fn figures(progress: &Progress, stored: bool) -> String {
    let mut line = format!("{} of {}", progress.items_done, count(progress.items_total, "item", "items"));
    if progress.bytes_total > 0 {
        let _ = write!(line, ", {} of {}", bytes(progress.bytes_done), bytes(progress.bytes_total));
    }
    if !stored && progress.rate > 0 {
        let _ = write!(line, ", {}/s", bytes(progress.rate));
        if let Some(left) = progress.seconds_left {
            let _ = write!(line, ", {} left", span(left));
        }
    }
    line
}

fn joined(parts: &[(u64, &str, &str)]) -> String {
    let shown = parts.iter().filter(|(number, ..)| *number > 0);
    shown.map(|(number, one, many)| count(*number, one, many)).collect::<Vec<_>>().join(", ")
}

fn pending(pending: &Pending) -> String {
    joined(&[
        (pending.uploads, "upload", "uploads"),
        (pending.downloads, "download", "downloads"),
        (pending.moves, "move", "moves"),
        (pending.deletes, "deletion", "deletions"),
        (pending.folders, "folder", "folders"),
        (pending.other, "other", "others"),
    ])
}

fn totals(totals: &Totals) -> String {
    let mut line = joined(&[
        (totals.uploads, "upload", "uploads"),
        (totals.downloads, "download", "downloads"),
        (totals.moved_local.saturating_add(totals.moved_remote), "move", "moves"),
        (totals.deleted_local.saturating_add(totals.deleted_remote), "deletion", "deletions"),
        (totals.folders_local.saturating_add(totals.folders_remote), "folder", "folders"),
        (totals.conflicts, "conflict", "conflicts"),
    ]);
    if totals.bytes > 0 {
        let _ = write!(line, "{}{}", if line.is_empty() { "" } else { ", " }, bytes(totals.bytes));
    }
    line
}

fn side(side: &SideCounts) -> String {
    format!(
        "{} in {}, {}",
        count(side.files, "file", "files"),
        count(side.folders, "folder", "folders"),
        bytes(side.bytes)
    )
}

/// A trust that is renewed in time never comes so near to its end.
const TRUST_SOON_SECS: i64 = 15 * 86_400;

fn is_signed_out(status: &StatusDocument) -> bool {
    matches!(status.state, DaemonState::NeedsCode | DaemonState::NeedsPassword)
}

fn session(status: &StatusDocument, now: i64) -> String {
    if is_signed_out(status) {
        return "not signed in".to_owned();
    }
    let Some(at) = status.session_expires else {
        let signed_in = status.last_sync.is_some_and(|at| at.seconds() >= status.started.seconds());
        let told =
            if signed_in { "signed in; iCloud does not say for how long" } else { "not signed in yet" };
        return told.to_owned();
    };
    let estimated = if status.session_expires_estimated { ", estimated" } else { "" };
    let what = if at.seconds() > now { "trusted until" } else { "trust ran out" };
    let soon = (0..=TRUST_SOON_SECS).contains(&at.seconds().saturating_sub(now));
    let advice = if soon { ": run `icloudds login` before then" } else { "" };
    format!("{what} {}{estimated}{advice}", moment(at, now))
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
