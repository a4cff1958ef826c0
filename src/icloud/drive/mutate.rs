//! Calls that change the drive (`docs/protocol.md` §10): one at a time, each result judged by itself,
//! and none of them repeated here: whatever waited must look again, and only the engine knows at what.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::client::CallKind;
use super::{ICloudDrive, Request, drivews};
use crate::engine::ports::{ItemVersion, RemoteError, RemoteItem, RemoteParent};
use crate::icloud::classify::{Class, classify_result};
use crate::icloud::http::Limits;
use crate::icloud::wire::{Item, drivewsid};
use crate::icloud::wire_send;
use crate::model::name::{same, split_extension};
use crate::model::{Etag, ItemId, RemoteKind};

/// A second call for one item follows an answer to the first that was under way no longer than this.
const LONGEST_UNSEEN: Duration = Duration::from_secs(2);
/// How long a folder may take to appear that the service was undecided about (§10.1).
const UNDECIDED_WAIT: Duration = Duration::from_secs(1);

/// One call on several items.
struct Change<'a> {
    path: &'a str,
    kind: &'static str,
    /// The member that holds the items, in request and answer.
    member: &'static str,
    /// The folder that the call names, if any.
    destination: Option<String>,
    /// What each item is known by in the answer: `drivewsid` or `clientId`.
    keys: Vec<String>,
    entries: Vec<Value>,
    limits: Limits,
}

impl ICloudDrive {
    /// Makes folders. One whose fate is open is looked for by name: the caller knows that it was not there
    /// before, and two folders of one name are one folder.
    pub(super) fn create(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        let mut results = self.create_at_once(parent, names);
        // The root is never listed to confirm a write: right after one that takes half a minute (§8.1).
        if *parent != ItemId::drive_root()
            && results.iter().any(|result| matches!(result, Err(RemoteError::Uncertain(_))))
            && self.client.clock.pause(UNDECIDED_WAIT).is_ok()
            && let Ok(listing) = self.list_alone(parent, false)
        {
            for (result, name) in results.iter_mut().zip(names) {
                if matches!(result, Err(RemoteError::Uncertain(_)))
                    && let Some(item) = folder_named(&listing.items, name)
                {
                    *result = Ok(item);
                }
            }
        }
        results
    }

    fn create_at_once(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        let keys: Vec<_> = (0..names.len()).map(|at| self.temporary_id(at)).collect();
        let entries = keys.iter().zip(names).map(|(key, name)| wire_send::new_folder(key, name)).collect();
        let change = Change {
            path: "/createFolders",
            kind: "createFolders",
            member: "folders",
            destination: Some(drivewsid(parent, true)),
            keys,
            entries,
            limits: Limits::JSON,
        };
        let made = self.change(&change).into_iter().map(|result| {
            let mut item = shown(&result?)?;
            if item.parent == RemoteParent::Untold {
                item.parent = RemoteParent::Folder(parent.clone());
            }
            Ok(item)
        });
        made.collect()
    }

    /// Renames; a name that the service split wrongly is put right once (§10.2).
    pub(super) fn rename_item(&self, item: &ItemVersion, name: &str) -> Result<RemoteItem, RemoteError> {
        let began = self.client.clock.uptime();
        let renamed = self.rename_as(item, &item.etag, name, None)?;
        // Whoever asked puts a wrong name right as well, with a look before: an answer that was long under way is none.
        let is_late = self.client.clock.uptime().saturating_sub(began) >= LONGEST_UNSEEN;
        if is_late || same(&renamed.entry.name, name) {
            return Ok(renamed);
        }
        let (stem, Some(extension)) = split_extension(name) else { return Ok(renamed) };
        let etag = &renamed.entry.etag;
        if same(&renamed.entry.name, &format!("{name}.{extension}")) {
            self.rename_as(item, etag, stem, Some(extension))
        } else if same(&renamed.entry.name, stem) {
            self.rename_as(item, etag, name, Some(extension))
        } else {
            Ok(renamed)
        }
    }

    fn rename_as(
        &self,
        item: &ItemVersion,
        etag: &Etag,
        name: &str,
        extension: Option<&str>,
    ) -> Result<RemoteItem, RemoteError> {
        let id = drivewsid(&item.id, item.folder);
        let entry = wire_send::renamed(&id, etag, name, extension);
        let change = Change {
            path: "/renameItems",
            kind: "renameItems",
            member: "items",
            destination: None,
            keys: vec![id],
            entries: vec![entry],
            limits: Limits::AFTER_LOOK,
        };
        shown(&self.change(&change).pop().unwrap_or_else(|| Err(unanswered()))?)
    }

    pub(super) fn move_items(
        &self,
        folder: &ItemId,
        items: &[ItemVersion],
    ) -> Vec<Result<RemoteItem, RemoteError>> {
        // The service cannot move between zones (§10.3), so nobody asks it to.
        let fits = |item: &ItemVersion| item.id.zone() == folder.zone();
        let movable: Vec<_> = items.iter().filter(|item| fits(item)).cloned().collect();
        let destination = Some(drivewsid(folder, true));
        let change = on_items("/moveItems", "moveItems", destination, &movable, Limits::AFTER_LOOK);
        let mut moved = self.change(&change).into_iter();
        let results = items.iter().map(|item| {
            if !fits(item) {
                let words = "items cannot move between iCloud's zones".to_owned();
                return Err(RemoteError::Refused(words));
            }
            let mut item = shown(&moved.next().unwrap_or_else(|| Err(unanswered()))?)?;
            match &item.parent {
                RemoteParent::Untold => item.parent = RemoteParent::Folder(folder.clone()),
                RemoteParent::Folder(parent) if parent == folder => {}
                _ => return Err(RemoteError::Uncertain("the answer shows another folder".to_owned())),
            }
            Ok(item)
        });
        results.collect()
    }

    /// To the trash: success is OK *and* a parent that is the trash (§10.4).
    pub(super) fn trash_items(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let change = on_items("/moveItemsToTrash", "moveItemsToTrash", None, items, Limits::JSON);
        let trashed = self.change(&change).into_iter().map(|result| {
            let item = shown(&result?)?;
            if item.parent != RemoteParent::Trash {
                return Err(RemoteError::Uncertain("the answer does not show it in the trash".to_owned()));
            }
            Ok(item)
        });
        trashed.collect()
    }

    pub(super) fn delete_items(&self, items: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        let change = on_items("/deleteItems", "deleteItems", None, items, Limits::AFTER_LOOK);
        self.change(&change).into_iter().map(|result| result.map(drop)).collect()
    }

    pub(super) fn put_back_items(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let change = on_items("/putBackItemsFromTrash", "putBackItemsFromTrash", None, items, Limits::JSON);
        let back = self.change(&change).into_iter().map(|result| {
            let item = shown(&result?)?;
            if item.parent == RemoteParent::Trash {
                return Err(RemoteError::Uncertain("the answer shows it in the trash still".to_owned()));
            }
            Ok(item)
        });
        back.collect()
    }

    /// Carries a change out, in calls of a bearable size. What the answer says of each item comes back
    /// as JSON when it is a success.
    fn change(&self, change: &Change<'_>) -> Vec<Result<Value, RemoteError>> {
        let mut results: Vec<Result<Value, RemoteError>> = Vec::with_capacity(change.keys.len());
        let all: Vec<usize> = (0..change.keys.len()).collect();
        let _turn = self.client.turn();
        for part in all.chunks(self.options.batch) {
            // Where no call would fare better, none is made.
            let ended = results
                .iter()
                .find_map(|result| result.as_ref().err().filter(|error| error.ends_pass()).cloned());
            match ended {
                Some(error) => results.extend(part.iter().map(|_| Err(error.clone()))),
                None => results.extend(self.change_part(change, part)),
            }
        }
        results
    }

    fn change_part(&self, change: &Change<'_>, part: &[usize]) -> Vec<Result<Value, RemoteError>> {
        let answer = match self.change_call(change, part) {
            Ok(answer) => answer,
            Err(failure) => {
                // One item of several, or their number, may be the reason, and nothing was done; "undecided" is not sure of that.
                let is_for_all =
                    part.len() > 1 && failure.may_blame_batch() && failure.class() != Some(Class::Undecided);
                let error = match RemoteError::from(failure) {
                    error if is_for_all => {
                        RemoteError::Busy { message: format!("{error}, asked together"), retry_after: None }
                    }
                    error => error,
                };
                return part.iter().map(|_| Err(error.clone())).collect();
            }
        };
        let result = |position| {
            let result = result_of(&answer, change, part, position).ok_or_else(unanswered)?;
            let classified = classify_result(result);
            if classified.class == Class::Ok {
                Ok(result.clone())
            } else {
                Err(classified.into_error(true, None))
            }
        };
        (0..part.len()).map(result).collect()
    }

    /// One call; gives the results that the answer holds.
    fn change_call(
        &self,
        change: &Change<'_>,
        wanted: &[usize],
    ) -> Result<Vec<Value>, super::client::Failure> {
        let entries: Vec<_> = wanted.iter().map(|at| change.entries[*at].clone()).collect();
        let body = wire_send::change(change.member, &entries, change.destination.as_deref());
        let ask = Request {
            changes: true,
            limits: change.limits,
            ..drivews(change.path, body.as_bytes(), change.kind)
        };
        let answer = self.client.json(&ask, CallKind::Change)?;
        Ok(wire_send::change_results(answer, change.member))
    }

    /// A `clientId` for a folder that has no id yet (§10.1); `at` keeps those of one call apart.
    fn temporary_id(&self, at: usize) -> String {
        let draw = |range: f64| (self.client.clock.unit_random() * range) as u64;
        let (a, b) = (draw(f64::from(u32::MAX)), draw(f64::from(u16::MAX)));
        format!("FOLDER::UNKNOWN_ZONE::TempId-{a:08x}-{b:04x}-4000-8000-{at:012x}")
    }
}

/// A change of items that exist.
fn on_items<'a>(
    path: &'a str,
    kind: &'static str,
    destination: Option<String>,
    items: &[ItemVersion],
    limits: Limits,
) -> Change<'a> {
    let keys: Vec<_> = items.iter().map(|item| drivewsid(&item.id, item.folder)).collect();
    let entries = items.iter().map(wire_send::changed).collect();
    Change { path, kind, member: "items", destination, keys, entries, limits }
}

/// The result for the item at `position` of a call: by its key, else by position where the answer has as
/// many results and this one is not another item's (a put-back item may bear a new id, §10.7).
fn result_of<'a>(
    answer: &'a [Value],
    change: &Change<'_>,
    wanted: &[usize],
    position: usize,
) -> Option<&'a Value> {
    let key = change.keys[wanted[position]].as_str();
    if let Some(result) = answer.iter().find(|result| wire_send::is_result_of(result, key)) {
        return Some(result);
    }
    let there = answer.get(position).filter(|_| answer.len() == wanted.len())?;
    wanted.iter().all(|other| !wire_send::is_result_of(there, &change.keys[*other])).then_some(there)
}

/// The item that a result shows; without one, nobody knows what was done.
fn shown(result: &Value) -> Result<RemoteItem, RemoteError> {
    Item::deserialize(result)
        .ok()
        .and_then(|item| item.to_remote())
        .filter(|item| !item.entry.name.is_empty())
        .ok_or_else(|| RemoteError::Uncertain("the answer does not show the item".to_owned()))
}

fn folder_named(items: &[RemoteItem], name: &str) -> Option<RemoteItem> {
    items.iter().find(|item| item.entry.kind == RemoteKind::Folder && same(&item.entry.name, name)).cloned()
}

fn unanswered() -> RemoteError {
    RemoteError::Uncertain("the answer lacks the item".to_owned())
}
