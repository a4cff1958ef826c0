//! Uploads whose calls iCloud answered with an error, or not at all, and carries out later: a gateway gives up waiting (504) while the
//! service goes on.

use std::time::Duration;

use crate::engine::execute::agree::agree;
use crate::engine::execute::done::Done;
use crate::engine::execute::fresh::FreshRemote;
use crate::engine::execute::ledger::Ledger;
use crate::engine::execute::pending::{Moment, PendingBase};
use crate::engine::execute::report::{End, StepFailure};
use crate::engine::execute::verified_calls;
use crate::engine::ports::{LookUp, Ports, RemoteParent, Store};
use crate::model::{Intent, State, Upload};

use super::arrivals::{replaced_in_place, settle_uploads};

/// The uploads that an intent notes.
pub(super) fn uploads(state: &State, number: u64) -> Vec<Upload> {
    match state.intents.get(&number) {
        Some(Intent::Upload { files }) => files.clone(),
        _ => Vec::new(),
    }
}

/// Whether a call for that upload may still do something, once its note was settled: what made a new file makes no second one, and what
/// replaces a version may do so again.
pub(super) fn may_come(base: PendingBase<'_>, file: &Upload) -> bool {
    let id = file.over.as_ref().map_or_else(|| file.new_id(), |(old, _)| old.clone());
    base.entry(&id).is_some() == file.over.is_some()
}

/// What a look shows of uploads that had not come is agreed on as it was sent: whatever a person did since, on either side, is a change of
/// that. Says why the first of those of which nothing can be told now has to wait.
///
/// # Errors
///
/// [`End`] when nothing more can be done now.
pub fn settle_late(
    ports: &Ports<'_>,
    state: &mut State,
    store: &mut dyn Store,
    files: &[Upload],
) -> Result<Option<String>, End> {
    let remote = FreshRemote::new(ports.remote, ports.clock);
    let ports = &Ports { remote: &remote, ..*ports };
    let mut ledger = Ledger::new(ports.disk, ports.clock, state, store, 64, Duration::from_secs(1));
    let mut waiting = None;
    for file in files {
        let mut found = Vec::new();
        let mut settled = settle(ports, &ledger.moment(), file, &mut found);
        for done in found {
            let learned = agree(&done, None, &ledger.moment(), &ports.seen_at());
            settled = settled.and(ledger.learn(learned.lessons));
        }
        match settled {
            Err(StepFailure::End(end)) => return Err(end),
            Err(failure) => waiting = waiting.or_else(|| Some(format!("{}: {failure}", file.path))),
            Ok(()) => {}
        }
    }
    match ledger.flush() {
        Err(StepFailure::End(end)) => Err(end),
        Ok(()) | Err(_) => Ok(waiting),
    }
}

fn settle(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    file: &Upload,
    done: &mut Vec<Done>,
) -> Result<(), StepFailure> {
    let Some((old, etag)) = &file.over else {
        return settle_uploads(ports, moment, std::slice::from_ref(file), done).map(drop);
    };
    match verified_calls::look(ports.remote, old, false)? {
        LookUp::Found(now) if now.parent != RemoteParent::Trash => {
            if replaced_in_place(ports, moment, file, (old, etag), (&now, done)) {
                log::info!("{}: what iCloud had answered with an error took effect later", file.path);
            }
            Ok(())
        }
        LookUp::Found(_) | LookUp::Gone => Ok(()),
        LookUp::Unknown => Err(StepFailure::again("iCloud does not say what became of it")),
    }
}
