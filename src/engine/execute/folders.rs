//! Making folders, here and on iCloud.

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::{LookUp, RemoteError, RemoteItem, RemoteParent};
use crate::model::{BaseEntry, Intent, ItemId, LocalKind, name};

use super::agree::{Here, as_seen, effect, is_racy};
use super::done::Done;
use super::lane::Lane;
use super::relocate::rename;
use super::report::{EffectKind, StepFailure};
use super::verified_calls;

impl Lane<'_> {
    /// Makes a folder here.
    pub(super) fn make_local_folder(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
    ) -> Result<(), StepFailure> {
        let remote = self.own.remote(remote);
        let entry = self.ports.disk.make_folder(&operation.path)?;
        self.ledger.touched(operation.path.parent());
        let here = self.here(operation.path.name(), &entry, None);
        let agreed = self.agreed(operation.reason, &remote, &here);
        self.ledger.put(&remote.parent, agreed)?;
        self.outcome.counts.folders_local += 1;
        self.told(effect(operation, EffectKind::MakeFolder, None));
        Ok(())
    }

    /// Makes folders on iCloud that have one parent.
    pub(super) fn make_remote_folders(
        &mut self,
        parent: &Parent,
        group: &[usize],
    ) -> Vec<(usize, Result<(), StepFailure>)> {
        let all = |failure: StepFailure| group.iter().map(|index| (*index, Err(failure.clone()))).collect();
        let folder = match self.own.parent(parent) {
            Ok(folder) => folder,
            Err(failure) => return all(failure),
        };
        if let Err(failure) = self.require_alive(&folder) {
            return all(failure);
        }
        // The service may make a second folder of a name that is taken (§10.1), so the parent is listed
        // first. One that we made in this pass is known to be empty but for what we put there.
        let again = group.iter().any(|index| self.was_tried(*index));
        let there = if matches!(parent, Parent::Made(_)) && !again {
            Vec::new()
        } else {
            match verified_calls::list(self.ports.remote, &folder) {
                Ok(listing) => listing.items,
                Err(failure) => return all(failure),
            }
        };
        let mut results = Vec::new();
        let mut wanted = Vec::new();
        for index in group {
            let Action::MakeRemoteFolder { local, name, .. } = &self.plan.operations[*index].action else {
                results.push((*index, Err(StepFailure::replan("it makes no folder"))));
                continue;
            };
            if let Err(failure) = self.is_folder_here(local) {
                results.push((*index, Err(failure)));
            } else if let Some(item) = there.iter().find(|item| name::same(&item.entry.name, name)) {
                let adopted = self.adopt_folder(*index, local, &folder, item.clone());
                results.push((*index, adopted));
            } else {
                wanted.push((*index, local, &**name));
            }
        }
        if wanted.is_empty() {
            return results;
        }
        let is_stranger = |item: &&RemoteItem| self.ledger.entry(&item.entry.id).is_none();
        let strangers = there.iter().filter(is_stranger).map(|item| item.entry.id.clone()).collect();
        let note =
            |(_, local, name): &(usize, &LocalSeen, &str)| ((*name).into(), local.path.clone(), local.stamp);
        let folders = wanted.iter().map(note).collect();
        let intent = Intent::MakeFolders { parent: folder.clone(), strangers, folders };
        let number = match self.ledger.begin(intent) {
            Ok(number) => number,
            Err(failure) => {
                results.extend(wanted.iter().map(|(index, ..)| (*index, Err(failure.clone()))));
                return results;
            }
        };
        // Storing that may have taken a while.
        wanted.retain(|(index, local, _)| match self.is_folder_here(local) {
            Ok(()) => true,
            Err(failure) => {
                results.push((*index, Err(failure)));
                false
            }
        });
        let names: Vec<_> = wanted.iter().map(|(_, _, name)| *name).collect();
        let answers =
            if names.is_empty() { Vec::new() } else { self.ports.remote.create_folders(&folder, &names) };
        let mut answers = answers.into_iter();
        for (index, local, name) in wanted {
            let answer = answers
                .next()
                .unwrap_or_else(|| Err(RemoteError::Uncertain("the answer names no folder".into())));
            // The answer may be a folder that stood there before, whose name differs in case only: it is nobody's new one.
            let is_elder = |item: &RemoteItem| {
                !name::same(&item.entry.name, name)
                    && (there.iter().any(|elder| elder.entry.id == item.entry.id)
                        || self.own.is_made(&item.entry.id))
            };
            let made = match answer {
                Ok(item) if is_elder(&item) => {
                    Err(StepFailure::Aside(verified_calls::one_name(&item.entry.name)))
                }
                answer => self.verify_folder(&folder, name, answer),
            };
            let result = made.and_then(|item| self.adopt_folder(index, local, &folder, item));
            results.push((index, result));
        }
        let is = |kind: fn(&StepFailure) -> bool| {
            results.iter().any(|(_, result)| result.as_ref().is_err_and(kind))
        };
        if is(|failure| matches!(failure, StepFailure::End(_))) {
            // The next recovery finds out what was made.
        } else if is(|failure| matches!(failure, StepFailure::Again { .. })) {
            // One may have been made and not be shown yet: the note stays until it is tried again, or the pass ends.
            self.own.learn(Done::Announced { ids: Vec::new(), intent: number });
        } else {
            self.ledger.end(number);
        }
        results
    }

    /// The local folder that is mirrored must still stand there.
    fn is_folder_here(&self, local: &LocalSeen) -> Result<(), StepFailure> {
        match self.ports.disk.look(&local.path)? {
            Some(entry)
                if entry.kind == LocalKind::Folder && entry.stamp.identity == local.stamp.identity =>
            {
                Ok(())
            }
            _ => Err(StepFailure::replan("the folder is gone here meanwhile")),
        }
    }

    /// Sees to it that there is one folder of that name, whatever the answer was.
    fn verify_folder(
        &self,
        parent: &ItemId,
        wanted: &str,
        answer: Result<RemoteItem, RemoteError>,
    ) -> Result<RemoteItem, StepFailure> {
        let remote = self.ports.remote;
        let made = match answer {
            Ok(item) => item,
            // It may have been made, or somebody else's has the name: either is the folder we want. A new
            // folder's id is unknown and listings may lag, so it is made again only when they must show it.
            Err(RemoteError::Uncertain(why)) if *parent == ItemId::drive_root() => {
                // Listing the root right after a write takes half a minute; the next look at iCloud shows it as well.
                return Err(StepFailure::Again { why, after: Some(verified_calls::LISTINGS_LAG) });
            }
            Err(RemoteError::Uncertain(why)) => {
                return match verified_calls::holder(remote, parent, wanted, None) {
                    Ok(Some(item)) => Ok(item),
                    // Of a parent that is new itself there may be no listing yet.
                    Ok(None) | Err(StepFailure::Replan(_)) => {
                        Err(StepFailure::Again { why, after: Some(verified_calls::LISTINGS_LAG) })
                    }
                    Err(failure) => Err(failure),
                };
            }
            Err(RemoteError::NameTaken) => {
                return match verified_calls::holder(remote, parent, wanted, None)? {
                    Some(item) => Ok(item),
                    None => Err(verified_calls::taken(remote, parent, wanted, None)?),
                };
            }
            Err(error) => return Err(error.into()),
        };
        if !verified_calls::hangs_in(&made, parent) {
            return Err(StepFailure::replan("the new folder came elsewhere on iCloud"));
        }
        if name::same(&made.entry.name, wanted) {
            return Ok(made);
        }
        verified_calls::patiently(&self.ports, &made, true, |made| {
            match verified_calls::holder(remote, parent, wanted, Some(&made.entry.id))? {
                None => match rename(&self.ports, made, true, wanted) {
                    Err(failure @ (StepFailure::Replan(_) | StepFailure::Aside(_))) => {
                        self.take_back(made)?;
                        Err(failure)
                    }
                    renamed => renamed,
                },
                Some(existing) => {
                    self.take_back(made)?;
                    Ok(existing)
                }
            }
        })
    }

    /// A folder that we made under a name that nobody asked for goes again, unless somebody uses it already.
    fn take_back(&self, made: &RemoteItem) -> Result<(), StepFailure> {
        let remote = self.ports.remote;
        let is_empty = match verified_calls::list(remote, &made.entry.id) {
            Ok(listing) => listing.items.is_empty() && listing.unusable.is_empty(),
            // So new that it is not listed yet.
            Err(StepFailure::Replan(_)) => true,
            Err(failure) => return Err(failure),
        };
        if !is_empty {
            return Ok(());
        }
        let LookUp::Found(now) = verified_calls::look(remote, &made.entry.id, true)? else { return Ok(()) };
        verified_calls::trash(remote, &now, true).map(drop)
    }

    fn adopt_folder(
        &mut self,
        index: usize,
        local: &LocalSeen,
        parent: &ItemId,
        item: RemoteItem,
    ) -> Result<(), StepFailure> {
        if !item.entry.is_folder() {
            return Err(StepFailure::replan("a file on iCloud has this name"));
        }
        let operation = &self.plan.operations[index];
        let now = self.ports.clock.now();
        let remote =
            as_seen(&RemoteItem { parent: RemoteParent::Folder(parent.clone()), ..item }, true, parent);
        let racy = local.racy || is_racy(&local.stamp, now);
        let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature: None };
        let agreed = BaseEntry {
            written_at: Some(self.ledger.now_seconds()),
            ..self.agreed(operation.reason, &remote, &here)
        };
        self.ensure_durable(&remote.id, local);
        self.added_into(parent, &remote.id);
        self.ledger.put(parent, agreed)?;
        let at = self.ledger.now_seconds();
        self.own.learn(Done::MadeRemoteFolder { operation: index, id: remote.id, at });
        self.outcome.counts.folders_remote += 1;
        self.told(effect(operation, EffectKind::MakeFolder, None));
        Ok(())
    }
}
