//! Making folders, here and on iCloud.

use std::time::Duration;

use crate::engine::operation::{Action, LocalSeen, Operation, Parent, RemoteSeen};
use crate::engine::ports::{LookUp, RemoteError, RemoteItem, RemoteParent};
use crate::model::{BaseEntry, ItemId, LocalKind, name};

use super::bring::rename;
use super::confirm::{Here, as_seen, effect, is_racy};
use super::lane::Lane;
use super::report::{EffectKind, Halt};
use super::service;

/// Listings show own changes after this at the latest (`docs/sync.md` §7).
const LISTINGS_LAG: Duration = Duration::from_secs(31);

impl Lane<'_> {
    /// Makes a folder here.
    pub(super) fn make_local_folder(
        &mut self,
        operation: &Operation,
        remote: &RemoteSeen,
    ) -> Result<(), Halt> {
        let remote = self.versions.current(remote);
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
    ) -> Vec<(usize, Result<(), Halt>)> {
        let all = |halt: Halt| group.iter().map(|index| (*index, Err(halt.clone()))).collect();
        let folder = match self.parent(parent) {
            Ok(folder) => folder,
            Err(halt) => return all(halt),
        };
        if let Err(halt) = self.must_live(&folder) {
            return all(halt);
        }
        // The service may make a second folder of a name that is taken (§10.1), so the parent is listed
        // first. One that we made in this pass is known to be empty but for what we put there.
        let again = group.iter().any(|index| self.was_tried(*index));
        let there = if matches!(parent, Parent::Made(_)) && !again {
            Vec::new()
        } else {
            match service::list(self.ports.remote, &folder) {
                Ok(listing) => listing.items,
                Err(halt) => return all(halt),
            }
        };
        let mut results = Vec::new();
        let mut wanted = Vec::new();
        for index in group {
            let Action::MakeRemoteFolder { local, name, .. } = &self.plan.operations[*index].action else {
                results.push((*index, Err(Halt::replan("it makes no folder"))));
                continue;
            };
            if let Err(halt) = self.is_folder_here(local) {
                results.push((*index, Err(halt)));
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
        let names: Vec<_> = wanted.iter().map(|(_, _, name)| *name).collect();
        let mut answers = self.ports.remote.create_folders(&folder, &names).into_iter();
        for (index, local, name) in wanted {
            let answer = answers
                .next()
                .unwrap_or_else(|| Err(RemoteError::Uncertain("the answer names no folder".into())));
            let made = self.verify_folder(&folder, name, answer);
            let result = made.and_then(|item| self.adopt_folder(index, local, &folder, item));
            results.push((index, result));
        }
        results
    }

    /// The local folder that is mirrored must still stand there.
    fn is_folder_here(&self, local: &LocalSeen) -> Result<(), Halt> {
        match self.ports.disk.look(&local.path)? {
            Some(entry)
                if entry.kind == LocalKind::Folder && entry.stamp.identity == local.stamp.identity =>
            {
                Ok(())
            }
            _ => Err(Halt::replan("the folder is gone here meanwhile")),
        }
    }

    /// Sees to it that there is one folder of that name, whatever the answer was.
    fn verify_folder(
        &self,
        parent: &ItemId,
        wanted: &str,
        answer: Result<RemoteItem, RemoteError>,
    ) -> Result<RemoteItem, Halt> {
        let remote = self.ports.remote;
        let made = match answer {
            Ok(item) => item,
            // It may have been made, or somebody else's has the name: either is the folder we want. A new
            // folder's id is unknown and listings may lag, so it is made again only when they must show it.
            Err(RemoteError::Uncertain(why)) => {
                return match service::holder(remote, parent, wanted, None) {
                    Ok(Some(item)) => Ok(item),
                    // Of a parent that is new itself there may be no listing yet.
                    Ok(None) | Err(Halt::Replan(_)) => Err(Halt::Again { why, after: Some(LISTINGS_LAG) }),
                    Err(halt) => Err(halt),
                };
            }
            Err(RemoteError::NameTaken) => {
                return service::holder(remote, parent, wanted, None)?
                    .ok_or_else(|| Halt::replan("another item on iCloud has this name"));
            }
            Err(error) => return Err(error.into()),
        };
        if !service::hangs_in(&made, parent) {
            return Err(Halt::replan("the new folder came elsewhere on iCloud"));
        }
        if name::same(&made.entry.name, wanted) {
            return Ok(made);
        }
        service::patiently(&self.ports, || {
            match service::holder(remote, parent, wanted, Some(&made.entry.id))? {
                None => match rename(&self.ports, &made, true, wanted) {
                    Err(halt @ (Halt::Replan(_) | Halt::Aside(_))) => {
                        self.take_back(&made)?;
                        Err(halt)
                    }
                    renamed => renamed,
                },
                Some(existing) => {
                    self.take_back(&made)?;
                    Ok(existing)
                }
            }
        })
    }

    /// A folder that we made under a name that nobody asked for goes again, unless somebody uses it already.
    fn take_back(&self, made: &RemoteItem) -> Result<(), Halt> {
        let remote = self.ports.remote;
        let is_empty = match service::list(remote, &made.entry.id) {
            Ok(listing) => listing.items.is_empty() && listing.unusable.is_empty(),
            // So new that it is not listed yet.
            Err(Halt::Replan(_)) => true,
            Err(halt) => return Err(halt),
        };
        if !is_empty {
            return Ok(());
        }
        let LookUp::Found(now) = service::look(remote, &made.entry.id, true)? else { return Ok(()) };
        service::trash(remote, &now, true).map(drop)
    }

    fn adopt_folder(
        &mut self,
        index: usize,
        local: &LocalSeen,
        parent: &ItemId,
        item: RemoteItem,
    ) -> Result<(), Halt> {
        if !item.entry.is_folder() {
            return Err(Halt::replan("a file on iCloud has this name"));
        }
        let operation = &self.plan.operations[index];
        let now = self.ports.clock.now();
        let remote =
            as_seen(&RemoteItem { parent: RemoteParent::Folder(parent.clone()), ..item }, true, parent);
        let racy = local.racy || is_racy(&local.stamp, now);
        let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature: None };
        let agreed = BaseEntry {
            written_at: Some(now.whole_seconds()),
            ..self.agreed(operation.reason, &remote, &here)
        };
        self.vouch_for(&remote.id, local);
        self.went_into(parent, &remote.id);
        self.ledger.put(parent, agreed)?;
        self.living.insert(remote.id.clone(), now.whole_seconds());
        self.made.insert(index, remote.id);
        self.outcome.counts.folders_remote += 1;
        self.told(effect(operation, EffectKind::MakeFolder, None));
        Ok(())
    }
}
