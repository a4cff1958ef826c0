//! Answers what is asked of the local trash, beside the loop, and what is counted for monitoring.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::jobs;
use super::main_loop::Loop;
use super::roots::OwnRoot;
use crate::control::{ControlCall, ControlReply, ControlRequest, Counters, TrashList, TrashVersion};
use crate::engine::ports::DiskError;
use crate::exit::ExitCode;
use crate::model::RelPath;
use crate::model::plain::plain;
use crate::status::When;

impl Loop {
    /// Reading the trash may take a while, so it is done beside the loop.
    pub(super) fn trash_call(&mut self, call: ControlCall) {
        let Some(here) = self.local.root().cloned() else {
            return call.answer(ControlReply::refused(
                ExitCode::LocalDirectory,
                "the local folder is not open, so its trash cannot be reached",
                "`icloudds status` tells why",
            ));
        };
        let zone = self.ports.zone.clone();
        let work = move || {
            let reply = match &call.request {
                ControlRequest::Restore { path, version } => restore(&here, path, version.as_deref()),
                _ => list(&here, &zone),
            };
            call.answer(reply);
        };
        if let Err(error) = jobs::errand("icloudds-trash", work) {
            log::warn!("cannot start a thread: {error}");
        }
    }

    pub(super) fn counters(&self) -> Counters {
        let walk_complete = self.engine.seen().1.map(|view| view.complete);
        Counters {
            requests: self.ports.service.http().tally(),
            walk_complete,
            feed_disagreements: self.remote.feed().disagreements(),
            etag_disagreements: self.remote.etags().disagreements(),
        }
    }
}

fn list(here: &Arc<OwnRoot>, zone: &TimeZone) -> ControlReply {
    let items = match here.disk.list_trash() {
        Ok(items) => items,
        Err(error) => return failed(&error),
    };
    let count = items.len() as u64;
    let newest = items.into_iter().rev().take(TrashList::NAMED);
    let versions = newest
        .map(|item| TrashVersion {
            path: item.path.to_string(),
            version: item.version,
            at: When::new(item.when.as_second(), zone),
            size: item.size,
        })
        .collect();
    ControlReply::Trash { trash: TrashList { count, versions } }
}

fn restore(here: &Arc<OwnRoot>, path: &str, version: Option<&str>) -> ControlReply {
    let path = match RelPath::parse(path) {
        Ok(path) => path,
        Err(error) => return ControlReply::refused(ExitCode::Configuration, error.to_string(), ""),
    };
    match here.disk.restore(&path, version) {
        Ok(to) => {
            let to = plain(&to.to_string());
            log::info!("restored from the local trash as {to}");
            ControlReply::done(format!("restored as {to}"))
        }
        Err(DiskError::Changed { .. }) => ControlReply::refused(
            ExitCode::Configuration,
            format!("the local trash holds no such version of {}", plain(&path.to_string())),
            "`icloudds trash list` shows what it holds",
        ),
        Err(error) => failed(&error),
    }
}

fn failed(error: &DiskError) -> ControlReply {
    ControlReply::refused(ExitCode::LocalDirectory, error.to_string(), "")
}
