//! Looking items up by id (`docs/protocol.md` §8.2, §8.3).
//!
//! "Gone" is said only of an id that the service itself denies while it answers, in the same
//! breath, an id known to be good: a lost session or a broken front denies everything.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use super::client::{CallKind, Failure};
use super::parallel::in_parallel;
use super::{ICloudDrive, drivews, zone_in_path};
use crate::engine::ports::{LookUp, RemoteError};
use crate::icloud::classify::{Class, classify_result};
use crate::icloud::http::{Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::wire::{Item, parse_details};
use crate::icloud::wire_docs::Document;
use crate::icloud::wire_send;
use crate::model::ItemId;

impl ICloudDrive {
    pub(super) fn look_up_items(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        let batches: Vec<_> = items.chunks(self.options.batch).collect();
        let looked = in_parallel(self.options.max_workers, &batches, |batch| self.look_up_batch(batch));
        let mut answers = Vec::with_capacity(items.len());
        for batch in looked {
            answers.extend(batch?);
        }
        let open: Vec<usize> = (0..items.len()).filter(|at| answers[*at].is_none()).collect();
        let good = OnceLock::new();
        let alone = in_parallel(self.options.max_workers, &open, |at| self.look_up_alone(&items[*at], &good));
        for (at, answer) in open.into_iter().zip(alone) {
            answers[at] = Some(answer?);
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(LookUp::Unknown)).collect())
    }

    /// Looks several items up in one call; `None` for each that must be looked up alone.
    fn look_up_batch(&self, items: &[(ItemId, bool)]) -> Result<Vec<Option<LookUp>>, RemoteError> {
        match self.details(items) {
            Ok(answer) => {
                let good = knows_root(&answer);
                Ok(items.iter().map(|(id, _)| verdict(&answer, id, good)).collect())
            }
            Err(failure) if failure.may_blame_batch() => Ok(items.iter().map(|_| None).collect()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Looks one item up. `good` remembers whether the known id was answered just now.
    fn look_up_alone(&self, item: &(ItemId, bool), good: &OnceLock<bool>) -> Result<LookUp, RemoteError> {
        let failure = match self.details(std::slice::from_ref(item)) {
            Ok(answer) => {
                let good = knows_root(&answer);
                let missing = if good { LookUp::Gone } else { LookUp::Unknown };
                return Ok(verdict(&answer, &item.0, good).unwrap_or(missing));
            }
            Err(failure) => failure,
        };
        let is_good = || *good.get_or_init(|| self.details(&[]).is_ok_and(|answer| knows_root(&answer)));
        match failure.class() {
            // The whole call was denied because of this id; the session is proven by the next one.
            Some(Class::Gone) => Ok(if is_good() { LookUp::Gone } else { LookUp::Unknown }),
            // A 400 says nothing by itself; the other service may know.
            Some(Class::Spurious | Class::Refused) => match self.look_up_document(item)? {
                LookUp::Gone if !is_good() => Ok(LookUp::Unknown),
                answer => Ok(answer),
            },
            _ => Err(failure.into()),
        }
    }

    /// The details call for `items` and, beside them, the drive's root.
    fn details(&self, items: &[(ItemId, bool)]) -> Result<Vec<Item>, Failure> {
        let root = (ItemId::drive_root(), true);
        let mut forms = wire_send::details(items.iter().filter(|item| item.0 != root.0).chain([&root]));
        let array_first = self.details_as_array.load(Ordering::Relaxed);
        if array_first {
            forms.reverse();
        }
        let [first, second] = forms;
        match self.details_as(&first) {
            Err(failure) if failure.class() == Some(Class::Spurious) => {
                let answer = self.details_as(&second).map_err(|_| failure)?;
                self.details_as_array.store(!array_first, Ordering::Relaxed);
                Ok(answer)
            }
            other => other,
        }
    }

    fn details_as(&self, body: &str) -> Result<Vec<Item>, Failure> {
        let ask = drivews("/retrieveItemDetails", body.as_bytes(), "retrieveItemDetails");
        self.client.call(&ask, CallKind::ReadOnce, parse_details)
    }

    /// Asks `{docws}` for a document.
    fn look_up_document(&self, (id, _): &(ItemId, bool)) -> Result<LookUp, RemoteError> {
        let path = format!("/ws/{}/list/lookup_by_id", zone_in_path(id.zone()));
        let ask = Request {
            root: Root::Docws,
            method: Method::Get,
            path: &path,
            query: &[("document_id", &id.doc()), ("unified_format", "false")],
            body: &[],
            limits: Limits::JSON,
            kind: "lookup_by_id",
            changes: false,
        };
        match self.client.call(&ask, CallKind::ReadOnce, |body| serde_json::from_slice::<Document>(body).ok())
        {
            // Whether "deleted" means trashed or gone is not known here, so it proves neither.
            Ok(document) if document.deleted == Some(true) => Ok(LookUp::Unknown),
            Ok(document) => Ok(document
                .to_remote(id.zone())
                .filter(|found| found.entry.id == *id)
                .map_or(LookUp::Unknown, LookUp::Found)),
            Err(failure) => match failure.class() {
                Some(Class::Gone) => Ok(LookUp::Gone),
                Some(Class::Spurious | Class::Refused) => Ok(LookUp::Unknown),
                _ => Err(failure.into()),
            },
        }
    }
}

/// Whether the answer shows the drive's root alive.
fn knows_root(answer: &[Item]) -> bool {
    let root = ItemId::drive_root();
    answer
        .iter()
        .any(|item| item.id().as_ref() == Some(&root) && item.refusal().is_none() && !item.is_deleted)
}

/// What the answer says of `id`; `None` when it says nothing.
fn verdict(answer: &[Item], id: &ItemId, good: bool) -> Option<LookUp> {
    let item = answer.iter().find(|item| item.id().as_ref() == Some(id))?;
    let gone = if good { LookUp::Gone } else { LookUp::Unknown };
    if let Some(word) = item.refusal() {
        let class = classify_result(&wire_send::status(word)).class;
        return Some(if class == Class::Gone { gone } else { LookUp::Unknown });
    }
    if item.is_deleted {
        return Some(gone);
    }
    // Nothing but an id is no description of a living item.
    if item.full_name().is_empty() && *id != ItemId::drive_root() {
        return None;
    }
    Some(item.to_remote().map_or(LookUp::Unknown, LookUp::Found))
}
