//! What one change makes of the records.

use serde::Serialize;

use crate::model::state::{inherited, with_former};
use crate::model::{BaseEntry, Change, ItemId, Owner, Signature};

use super::error::Trouble;
use super::intent::{write_intent, write_late};
use super::record::{
    base_key, child_key, children_prefix, former_key, intent_key, kind, meta, read_base, read_child_key,
    read_former, text_key, write_base, write_former,
};
use super::seen_in::StoredSeenIn;
use super::table::Records;

/// The owner that a change sets, if it names the base's root.
pub(super) fn owner_of(change: &Change) -> Option<&Owner> {
    match change {
        Change::Owner(owner) if owner.root_id.contains("::") => Some(owner),
        _ => None,
    }
}

/// The item that the base's root stands for under that owner.
pub(super) fn root_of_owner(owner: &Owner) -> ItemId {
    ItemId::from_text(&owner.root_id).unwrap_or_else(ItemId::drive_root)
}

/// The item that the base's root stands for.
pub(super) fn root_of(owner: Option<&Owner>) -> ItemId {
    owner.map_or_else(ItemId::drive_root, root_of_owner)
}

/// Stores one change by the rules of [`crate::model::State::apply`]: what cannot apply changes nothing.
pub(super) fn apply(records: &mut Records<'_>, root: &mut ItemId, change: &Change) -> Result<(), Trouble> {
    match change {
        Change::Owner(owner) => {
            if owner_of(change).is_some() {
                // The time that was lived through is the machine's, whoever the owner is.
                let time = text_key(kind::META, meta::TIME);
                let lived = records.get(&time)?;
                records.clear()?;
                if let Some(lived) = lived {
                    records.put(&time, &lived)?;
                }
                *root = root_of_owner(owner);
                put_json(records, &text_key(kind::META, meta::OWNER), owner)?;
            }
            Ok(())
        }
        Change::Put { parent, entry } => put(records, root, parent, entry),
        Change::Remove(id) if id == root => Ok(()),
        Change::Remove(id) => remove(records, id),
        Change::Inherit { heir, of } => inherit(records, heir, of),
        Change::Presence(id, presence) => match stored(records, id)? {
            Some((parent, mut entry)) => {
                entry.presence = *presence;
                records.put(&base_key(id), &write_base(&parent, &entry))
            }
            None => Ok(()),
        },
        Change::Begin(number, intent) => records.put(&intent_key(*number), &write_intent(intent)),
        Change::End(number) => records.remove(&intent_key(*number)),
        Change::SetAside(path, Some(item)) => {
            put_json(records, &text_key(kind::SET_ASIDE, path.as_str()), item)
        }
        Change::SetAside(path, None) => records.remove(&text_key(kind::SET_ASIDE, path.as_str())),
        Change::LocalOnly(path, true) => records.put(&text_key(kind::LOCAL_ONLY, path.as_str()), &[]),
        Change::LocalOnly(path, false) => records.remove(&text_key(kind::LOCAL_ONLY, path.as_str())),
        Change::Guard(guard) => put_json(records, &text_key(kind::META, meta::GUARD), guard),
        Change::Mounted(mounted) => put_json(records, &text_key(kind::META, meta::MOUNTED), mounted),
        Change::WentBack(items) => put_json(records, &text_key(kind::META, meta::WENT_BACK), items),
        Change::SeenIn(seen_in) => {
            put_json(records, &text_key(kind::META, meta::SEEN_IN), &StoredSeenIn::from(seen_in))
        }
        Change::Lent(lent) => put_json(records, &text_key(kind::META, meta::LENT), lent),
        Change::Calibration(known) => put_json(records, &text_key(kind::META, meta::CALIBRATION), known),
        Change::Synced(at) => put_json(records, &text_key(kind::META, meta::SYNCED), at),
        Change::Confirmed(at) => put_json(records, &text_key(kind::META, meta::CONFIRMED), at),
        Change::MayComeLate(late) => {
            records.put(&text_key(kind::META, meta::MAY_COME_LATE), &write_late(late))
        }
        Change::Time(time) => put_json(records, &text_key(kind::META, meta::TIME), time),
    }
}

fn put_json(records: &mut Records<'_>, key: &[u8], value: &impl Serialize) -> Result<(), Trouble> {
    let json = serde_json::to_vec(value).map_err(|error| Trouble::Failed(error.to_string()))?;
    records.put(key, &json)
}

fn stored(records: &Records<'_>, id: &ItemId) -> Result<Option<(ItemId, BaseEntry)>, Trouble> {
    let key = base_key(id);
    records.get(&key)?.map(|payload| read_base(&key, &payload)).transpose()
}

fn put(records: &mut Records<'_>, root: &ItemId, parent: &ItemId, entry: &BaseEntry) -> Result<(), Trouble> {
    let id = &entry.id;
    if id == root || parent != root && records.get(&base_key(parent))?.is_none() {
        return Ok(());
    }
    if let Some((old_parent, old)) = stored(records, id)? {
        if old_parent != *parent {
            if holds(records, id, parent)? {
                return Ok(());
            }
            records.remove(&child_key(&old_parent, id))?;
        }
        if let Some(before) = old.signature.filter(|_| old.signature != entry.signature) {
            let former = with_former(former_of(records, id)?, before);
            records.put(&former_key(id), &write_former(&former))?;
        }
    }
    records.put(&base_key(id), &write_base(parent, entry))?;
    records.put(&child_key(parent, id), &[])
}

fn former_of(records: &Records<'_>, id: &ItemId) -> Result<Vec<Signature>, Trouble> {
    let payload = records.get(&former_key(id))?;
    Ok(payload.map(|payload| read_former(&payload)).transpose()?.unwrap_or_default())
}

fn inherit(records: &mut Records<'_>, heir: &ItemId, of: &ItemId) -> Result<(), Trouble> {
    let Some((_, last)) = stored(records, of)? else { return Ok(()) };
    let now = stored(records, heir)?.and_then(|(_, now)| now.signature);
    let before = former_of(records, of)?.into_iter().chain(last.signature);
    let former = inherited(former_of(records, heir)?, before, now);
    if former.is_empty() { Ok(()) } else { records.put(&former_key(heir), &write_former(&former)) }
}

/// Whether `item` is `folder` or lies below it.
fn holds(records: &Records<'_>, folder: &ItemId, item: &ItemId) -> Result<bool, Trouble> {
    let mut next = Some(item.clone());
    while let Some(id) = next {
        if id == *folder {
            return Ok(true);
        }
        next = stored(records, &id)?.map(|(parent, _)| parent);
    }
    Ok(false)
}

/// Removes an item of the base and all below it.
pub(super) fn remove(records: &mut Records<'_>, id: &ItemId) -> Result<(), Trouble> {
    let Some((parent, _)) = stored(records, id)? else { return Ok(()) };
    records.remove(&child_key(&parent, id))?;
    let mut doomed = vec![id.clone()];
    while let Some(id) = doomed.pop() {
        records.remove(&base_key(&id))?;
        records.remove(&former_key(&id))?;
        for key in records.keys(&children_prefix(&id), usize::MAX)? {
            let child = read_child_key(&key)?;
            if stored(records, &child)?.is_some_and(|(folder, _)| folder == id) {
                doomed.push(child);
                records.remove(&key)?;
            }
        }
    }
    Ok(())
}
