//! The status in Prometheus' text format.

use std::fmt::{Display, Write as _};

use crate::control::Counters;
use crate::status::{DaemonState, StatusDocument, WatchedBy};

/// One family of metrics after the other, each with its help and type.
struct Page(String);

impl Page {
    fn family<L: Labels>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, impl Display)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing into a String cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{name}{} {value}", labels.text());
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("gauge", name, help, [((), value)]);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("counter", name, help, [((), value)]);
    }
}

/// What stands between braces.
trait Labels {
    fn text(&self) -> String;
}

impl Labels for () {
    fn text(&self) -> String {
        String::new()
    }
}

impl<const N: usize> Labels for [(&str, &str); N] {
    fn text(&self) -> String {
        let pairs: Vec<String> =
            self.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        format!("{{{}}}", pairs.join(","))
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics. `resident` is the memory of the process in bytes.
pub(super) fn text(status: &StatusDocument, counters: &Counters, resident: Option<u64>) -> String {
    let mut page = Page(String::new());
    now(&mut page, status);
    left(&mut page, status);
    since_start(&mut page, status);
    calls(&mut page, counters);
    let complete = counters.walk_complete.map(u8::from);
    page.family(
        "gauge",
        "icloudds_walk_complete",
        "Whether the last walk through iCloud read every folder and each one added up.",
        complete.map(|complete| ((), complete)),
    );
    page.counter(
        "icloudds_feed_disagreements_total",
        "Changes that a walk through iCloud saw and its change feed did not tell.",
        counters.feed_disagreements,
    );
    page.counter(
        "icloudds_etag_disagreements_total",
        "Changes on iCloud below a folder whose etag stayed although it was relied on.",
        counters.etag_disagreements,
    );
    page.family(
        "gauge",
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        resident.map(|resident| ((), resident)),
    );
    page.gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        status.started.seconds(),
    );
    page.0
}

fn now(page: &mut Page, status: &StatusDocument) {
    page.family(
        "gauge",
        "icloudds_info",
        "The version; always 1.",
        [([("version", status.version.as_str())], 1)],
    );
    page.family(
        "gauge",
        "icloudds_state",
        "What it is doing: 1 for the state that it is in, 0 for the others.",
        DaemonState::ALL.map(|state| ([("state", state.as_str())], u8::from(state == status.state))),
    );
    page.gauge(
        "icloudds_in_sync",
        "Whether both sides are equal and nothing waits.",
        u8::from(status.in_sync),
    );
    page.gauge(
        "icloudds_disk_hangs",
        "Whether a call to the local disk does not come back, as on a mount whose server is away.",
        u8::from(status.disk_hangs.is_some()),
    );
    page.family(
        "gauge",
        "icloudds_remote_watch",
        "How changes on iCloud are noticed: 1 for the way that is in use, 0 for the others.",
        WatchedBy::ALL.map(|by| ([("by", by.as_str())], u8::from(by == status.remote_watch))),
    );
    page.family(
        "gauge",
        "icloudds_last_success_timestamp_seconds",
        "When both sides were last found equal.",
        status.last_sync.map(|at| ((), at.seconds())),
    );
    page.family(
        "gauge",
        "icloudds_session_expiry_timestamp_seconds",
        "When the trust in the session is expected to run out.",
        status.session_expires.map(|at| ((), at.seconds())),
    );
    let sides = [
        ("local", status.looked.local, status.counts.local),
        ("remote", status.looked.remote, status.counts.remote),
    ];
    let sides: Vec<_> = sides.into_iter().filter(|(_, looked, _)| *looked).collect();
    let of = |count: fn(&crate::status::SideCounts) -> u64| {
        sides.iter().map(move |(side, _, counts)| ([("side", *side)], count(counts))).collect::<Vec<_>>()
    };
    page.family("gauge", "icloudds_files", "Files on each side.", of(|side| side.files));
    page.family("gauge", "icloudds_folders", "Folders on each side.", of(|side| side.folders));
    page.family("gauge", "icloudds_size_bytes", "Bytes of all files on each side.", of(|side| side.bytes));
}

/// What waits, and for whom.
fn left(page: &mut Page, status: &StatusDocument) {
    let pending = &status.pending;
    page.family(
        "gauge",
        "icloudds_pending",
        "Operations that are not over yet, by kind.",
        [
            ("upload", pending.uploads),
            ("download", pending.downloads),
            ("move", pending.moves),
            ("delete", pending.deletes),
            ("folder", pending.folders),
            ("other", pending.other),
        ]
        .map(|(kind, count)| ([("kind", kind)], count)),
    );
    let left = status.progress.map(|progress| progress.bytes_total.saturating_sub(progress.bytes_done));
    page.gauge(
        "icloudds_pending_bytes",
        "Bytes that the running pass still has to transfer.",
        left.unwrap_or(0),
    );
    page.gauge("icloudds_held_deletes", "Deletions that wait for a person.", status.held_deletes);
    page.gauge("icloudds_set_aside", "Items that cannot be synced for now.", status.set_aside.len());
    page.gauge("icloudds_skipped", "Items that are left alone by rule.", status.skipped.len());
    page.gauge("icloudds_unsettled", "Items of which too little is known for now.", status.unsettled.len());
}

fn since_start(page: &mut Page, status: &StatusDocument) {
    let totals = &status.totals;
    page.family(
        "counter",
        "icloudds_transfers_total",
        "Files transferred since the start, by direction.",
        [("upload", totals.uploads), ("download", totals.downloads)]
            .map(|(kind, count)| ([("kind", kind)], count)),
    );
    page.counter(
        "icloudds_transferred_bytes_total",
        "Bytes transferred since the start, both ways.",
        totals.bytes,
    );
    page.family(
        "counter",
        "icloudds_changes_total",
        "Changes made since the start that transfer nothing, by kind and side.",
        [
            ("move", "local", totals.moved_local),
            ("move", "remote", totals.moved_remote),
            ("delete", "local", totals.deleted_local),
            ("delete", "remote", totals.deleted_remote),
            ("folder", "local", totals.folders_local),
            ("folder", "remote", totals.folders_remote),
        ]
        .map(|(kind, side, count)| ([("kind", kind), ("side", side)], count)),
    );
    page.counter("icloudds_conflicts_total", "Conflicts settled since the start.", totals.conflicts);
    page.counter("icloudds_passes_total", "Passes that ended well since the start.", totals.passes);
    page.counter(
        "icloudds_failures_total",
        "Passes and looks that failed as a whole since the start.",
        totals.failures,
    );
}

fn calls(page: &mut Page, counters: &Counters) {
    let requests = &counters.requests;
    page.family(
        "counter",
        "icloudds_requests_total",
        "Requests sent to iCloud since the start, by kind of call.",
        requests.iter().map(|call| ([("kind", call.kind.as_str())], call.sent)),
    );
    page.family(
        "counter",
        "icloudds_request_failures_total",
        "Requests that brought no answer, or one that is no success, by kind of call.",
        requests.iter().map(|call| ([("kind", call.kind.as_str())], call.failed)),
    );
    page.family(
        "counter",
        "icloudds_request_seconds_total",
        "Seconds until answers began, all together, by kind of call.",
        requests.iter().map(|call| {
            let seconds = format!("{}.{:03}", call.millis / 1000, call.millis % 1000);
            ([("kind", call.kind.as_str())], seconds)
        }),
    );
}

/// The memory of this process in bytes, where the system says.
pub(super) fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
