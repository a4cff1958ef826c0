//! Where contents can be fetched (`docs/protocol.md` §11.1).

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::client::CallKind;
use super::parallel::in_parallel;
use super::{ICloudDrive, learn, zone_in_path};
use crate::engine::ports::{Offer, RemoteError};
use crate::icloud::classify::Class;
use crate::icloud::http::{Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::wire::part;
use crate::icloud::wire_docs::Download;
use crate::icloud::wire_send;
use crate::model::{ItemId, Zone};

impl ICloudDrive {
    pub(super) fn offer_items(&self, items: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        let mut by_zone: HashMap<&Zone, Vec<usize>> = HashMap::new();
        for (at, id) in items.iter().enumerate() {
            by_zone.entry(id.zone()).or_default().push(at);
        }
        let batches: Vec<&[usize]> =
            by_zone.values().flat_map(|group| group.chunks(self.options.batch)).collect();
        let mut offers: Vec<Option<Result<Offer, RemoteError>>> = items.iter().map(|_| None).collect();
        let found = in_parallel(self.options.max_workers, &batches, |batch| self.offer_batch(items, batch));
        for (batch, found) in batches.into_iter().zip(found) {
            for (at, offer) in batch.iter().zip(found) {
                offers[*at] = offer;
            }
        }
        let open: Vec<usize> = (0..items.len()).filter(|at| offers[*at].is_none()).collect();
        let mut alone =
            in_parallel(self.options.max_workers, &open, |at| self.offer_alone(&items[*at])).into_iter();
        let missing = || Err(no_address());
        offers
            .into_iter()
            .map(|offer| offer.unwrap_or_else(|| alone.next().unwrap_or_else(missing)))
            .collect()
    }

    /// Asks for several of one zone; what is missing in the answer is asked for alone.
    fn offer_batch(&self, items: &[ItemId], batch: &[usize]) -> Vec<Option<Result<Offer, RemoteError>>> {
        let nothing = || batch.iter().map(|_| None).collect();
        if batch.len() < 2 || self.offers_singly.load(Ordering::Relaxed) {
            return nothing();
        }
        let path = format!("/ws/{}/download/batch", zone_in_path(items[batch[0]].zone()));
        let body = wire_send::downloads(batch.iter().map(|at| &items[*at]));
        let ask = Request {
            root: Root::Docws,
            method: Method::Post,
            path: &path,
            query: &[],
            body: body.as_bytes(),
            limits: Limits::JSON,
            kind: "download/batch",
            changes: false,
        };
        let parse = |body: &[u8]| serde_json::from_slice::<Vec<Value>>(body).ok();
        let answer = match self.client.call(&ask, CallKind::ReadOnce, parse) {
            Ok(answer) => answer,
            Err(failure) if failure.may_blame_batch() => {
                // "No such document" blames one of them, not their number.
                if failure.class() != Some(Class::Gone) {
                    learn(&self.offers_singly, "iCloud takes no batch of downloads; asking one by one");
                }
                return nothing();
            }
            Err(failure) => {
                let error = RemoteError::from(failure);
                return batch.iter().map(|_| Some(Err(error.clone()))).collect();
            }
        };
        let mut by_document: HashMap<String, Download> = answer
            .into_iter()
            .filter_map(|entry| part::<Download>(&entry))
            .filter_map(|download| Some((download.document_id.clone()?, download)))
            .collect();
        batch.iter().map(|at| by_document.remove(&items[*at].doc())?.offer(&items[*at]).map(Ok)).collect()
    }

    pub(super) fn offer_alone(&self, id: &ItemId) -> Result<Offer, RemoteError> {
        let path = format!("/ws/{}/download/by_id", zone_in_path(id.zone()));
        let ask = Request {
            root: Root::Docws,
            method: Method::Get,
            path: &path,
            query: &[("document_id", &id.doc())],
            body: &[],
            limits: Limits::JSON,
            kind: "download/by_id",
            changes: false,
        };
        let parse = |body: &[u8]| serde_json::from_slice::<Download>(body).ok();
        self.client.call(&ask, CallKind::Read, parse)?.offer(id).ok_or_else(no_address)
    }
}

fn no_address() -> RemoteError {
    RemoteError::Damaged("iCloud names no address for the content".to_owned())
}
