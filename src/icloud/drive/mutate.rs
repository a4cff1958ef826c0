//! Calls that change the drive (`docs/protocol.md` §10): one at a time, each result judged by itself,
//! nothing repeated whose fate is unknown.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::client::Treat;
use super::{ICloudDrive, drivews};
use crate::engine::ports::{ItemVersion, RemoteError, RemoteItem, RemoteParent};
use crate::icloud::classify::{Class, classify_result};
use crate::icloud::wire::{Item, drivewsid};
use crate::icloud::wire_send;
use crate::model::name::{same, split_extension};
use crate::model::{Etag, ItemId, RemoteKind};

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
    /// Whether a refusal of the whole call is answered by asking for each item alone.
    splits: bool,
}

impl ICloudDrive {
    /// Makes folders. One whose fate is open is looked for by name: the caller knows that it was not there
    /// before, and two folders of one name are one folder.
    pub(super) fn create(&self, parent: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        let mut results = self.create_at_once(parent, names);
        let refused = |result: &Result<RemoteItem, RemoteError>| {
            matches!(result, Err(RemoteError::Refused(_) | RemoteError::NameTaken | RemoteError::Quota(_)))
        };
        if names.len() > 1 && results.iter().all(refused) {
            // One bad name may have spoilt the call; what was made nevertheless is adopted below.
            let known = self.list_alone(parent, false).ok();
            for (result, name) in results.iter_mut().zip(names) {
                let made = known.as_ref().and_then(|listing| folder_named(&listing.items, name));
                *result = match made {
                    Some(item) => Ok(item),
                    None => self.create_at_once(parent, &[name]).pop().unwrap_or_else(|| Err(unanswered())),
                };
            }
        }
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
            splits: false,
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
        let renamed = self.rename_as(item, &item.etag, name, None)?;
        if same(&renamed.entry.name, name) {
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
            splits: true,
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
        let change = self.on_items("/moveItems", "moveItems", Some(drivewsid(folder, true)), &movable);
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
        let change = self.on_items("/moveItemsToTrash", "moveItemsToTrash", None, items);
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
        let change = self.on_items("/deleteItems", "deleteItems", None, items);
        self.change(&change).into_iter().map(|result| result.map(drop)).collect()
    }

    pub(super) fn put_back_items(&self, items: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        let change = self.on_items("/putBackItemsFromTrash", "putBackItemsFromTrash", None, items);
        let back = self.change(&change).into_iter().map(|result| {
            let item = shown(&result?)?;
            if item.parent == RemoteParent::Trash {
                return Err(RemoteError::Uncertain("the answer shows it in the trash still".to_owned()));
            }
            Ok(item)
        });
        back.collect()
    }

    fn on_items<'a>(
        &self,
        path: &'a str,
        kind: &'static str,
        destination: Option<String>,
        items: &[ItemVersion],
    ) -> Change<'a> {
        let keys: Vec<_> = items.iter().map(|item| drivewsid(&item.id, item.folder)).collect();
        let entries = items.iter().map(wire_send::changed).collect();
        Change { path, kind, member: "items", destination, keys, entries, splits: true }
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
        let mut results: Vec<_> = part.iter().map(|_| Err(unanswered())).collect();
        let mut pending: Vec<usize> = (0..part.len()).collect();
        let mut backoff = self.client.backoff();
        while !pending.is_empty() {
            let wanted: Vec<usize> = pending.iter().map(|at| part[*at]).collect();
            let answer = match self.change_call(change, &wanted) {
                Ok(answer) => answer,
                // A refusal means that nothing was done; "undecided" does not.
                Err(failure)
                    if change.splits
                        && pending.len() > 1
                        && failure.may_blame_batch()
                        && failure.class() != Some(Class::Undecided) =>
                {
                    for at in pending {
                        let alone = self.change_part(change, &[part[at]]).pop();
                        results[at] = alone.unwrap_or_else(|| Err(unanswered()));
                    }
                    return results;
                }
                Err(failure) => {
                    let error = RemoteError::from(failure);
                    for at in pending {
                        results[at] = Err(error.clone());
                    }
                    return results;
                }
            };
            let mut busy = Vec::new();
            for (position, at) in pending.iter().enumerate() {
                let Some(result) = result_of(&answer, change, &wanted, position) else { continue };
                let verdict = classify_result(result);
                if verdict.class == Class::ZoneBusy {
                    busy.push(*at);
                }
                results[*at] = match verdict.class {
                    Class::Ok => Ok(result.clone()),
                    _ => Err(verdict.into_error(true, None)),
                };
            }
            if busy.is_empty() {
                break;
            }
            match backoff.wait(&*self.client.clock, None) {
                Ok(true) => pending = busy,
                Ok(false) => break,
                Err(error) => {
                    for at in busy {
                        results[at] = Err(error.clone());
                    }
                    break;
                }
            }
        }
        results
    }

    /// One call; gives the results that the answer holds.
    fn change_call(
        &self,
        change: &Change<'_>,
        wanted: &[usize],
    ) -> Result<Vec<Value>, super::client::Failure> {
        let entries: Vec<_> = wanted.iter().map(|at| change.entries[*at].clone()).collect();
        let body = wire_send::change(change.member, &entries, change.destination.as_deref());
        let ask = drivews(change.path, body.as_bytes(), change.kind);
        let answer = self.client.json(&ask, Treat::Change)?;
        Ok(wire_send::change_results(answer, change.member))
    }

    /// A `clientId` for a folder that has no id yet (§10.1); `at` keeps those of one call apart.
    fn temporary_id(&self, at: usize) -> String {
        let draw = |range: f64| (self.client.clock.unit_random() * range) as u64;
        let (a, b) = (draw(f64::from(u32::MAX)), draw(f64::from(u16::MAX)));
        format!("FOLDER::UNKNOWN_ZONE::TempId-{a:08x}-{b:04x}-4000-8000-{at:012x}")
    }
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
