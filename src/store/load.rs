//! Reading the whole state at a start.

use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableError};
use serde::de::DeserializeOwned;

use crate::model::{BaseEntry, BaseTree, ItemId, Node, RelPath, State};

use super::apply::{remove, root_of};
use super::bytes::malformed;
use super::error::{FORMAT, Trouble};
use super::former_format::{carry_over, read_child_key_1};
use super::intent::{read_intent, read_late};
use super::record::{ByFolder, kind, meta, read_base_of, read_child_key, read_former, read_id_key};
use super::room::Room;
use super::seen_in::StoredSeenIn;
use super::table::{Count, Records, TABLE, check, read_head};

/// The state and what was odd about it.
pub(super) struct Loaded {
    /// All that was stored.
    pub state: State,
    /// Items whose folder is not stored; they are removed from the file too.
    pub orphans: Vec<ItemId>,
    /// The number of the last commit.
    pub commits: u64,
    /// What the records come to.
    pub room: Room,
}

/// Loads everything, and writes the head of a new file.
pub(super) fn load(database: &Database) -> Result<Loaded, Trouble> {
    let reading = database.begin_read()?;
    let table = match reading.open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return begin(database),
        Err(error) => return Err(error.into()),
    };
    let (format, tally) = read_head(&table)?;
    let (base, child) = if format == 1 { (kind::BASE_1, kind::CHILD_1) } else { (kind::BASE, kind::CHILD) };
    let mut state = State::empty();
    let mut by_folder = ByFolder::new();
    let mut count = Count::default();
    let (mut items, mut links, mut bytes) = (0_u64, 0_u64, 0_u64);
    for record in table.iter()? {
        let (key, value) = record?;
        let key = key.value();
        bytes += (key.len() + value.value().len()) as u64;
        let (payload, sum) = check(key, value.value())?;
        let (first, rest) = key.split_first().ok_or_else(malformed)?;
        if !matches!(*first, kind::FORMAT | kind::TALLY) {
            count.add(sum);
        }
        match *first {
            kind::FORMAT | kind::TALLY if rest.is_empty() => {}
            first if first == base => {
                let (parent, entry) = read_base_of(format, key, payload)?;
                by_folder.entry(parent).or_default().push(entry);
                items += 1;
            }
            first if first == child => {
                let _ = if format == 1 { read_child_key_1(key)?.1 } else { read_child_key(key)? };
                links += 1;
            }
            kind::INTENT => {
                let number = rest.try_into().map(u64::from_be_bytes).map_err(|_| malformed())?;
                state.intents.insert(number, read_intent(payload)?);
            }
            kind::SET_ASIDE => drop(state.set_aside.insert(path(rest)?, json(payload)?)),
            kind::FORMER => drop(state.former.insert(read_id_key(key)?, read_former(payload)?)),
            kind::LOCAL_ONLY => drop(state.local_only.insert(path(rest)?)),
            kind::META => single(&mut state, rest, payload)?,
            _ => return Err(malformed()),
        }
    }
    if !count.agrees(&tally) || items != links {
        return Err(Trouble::Damaged("records are missing".into()));
    }
    drop(table);
    drop(reading);
    let mut room = Room::new(bytes);
    let tally = if format == FORMAT {
        tally
    } else {
        let (tally, growth) = carry_over(database, &mut by_folder)?;
        room.stored(growth);
        tally
    };
    let root = root_of(state.owner.as_ref());
    let mut base = BaseTree::new(BaseEntry::root(root.clone()));
    plant(&mut base, &root, &mut by_folder);
    state.base = Arc::new(base);
    let orphans: Vec<_> = by_folder.into_values().flatten().map(|entry| entry.id).collect();
    let commits = if orphans.is_empty() { tally.commits } else { weed(database, &orphans)? };
    Ok(Loaded { state, orphans, commits, room })
}

fn begin(database: &Database) -> Result<Loaded, Trouble> {
    let transaction = database.begin_write()?;
    let tally = Records::begin(transaction.open_table(TABLE)?)?;
    transaction.commit()?;
    Ok(Loaded { state: State::empty(), orphans: Vec::new(), commits: tally.commits, room: Room::new(0) })
}

/// Hangs all items that can be reached from the root into the tree, and leaves the others.
fn plant(base: &mut BaseTree, root: &ItemId, by_folder: &mut ByFolder) {
    let mut folders = vec![(Node::ROOT, root.clone())];
    while let Some((folder, id)) = folders.pop() {
        let mut held = by_folder.remove(&id).unwrap_or_default();
        // In the tree's own order each one comes last, so that nothing has to make room.
        held.sort_by(|a, b| a.local_name.cmp(&b.local_name));
        for entry in held {
            let (id, name) = (entry.id.clone(), entry.local_name.clone());
            folders.push((base.insert(folder, &name, entry), id));
        }
    }
}

fn weed(database: &Database, orphans: &[ItemId]) -> Result<u64, Trouble> {
    let transaction = database.begin_write()?;
    let tally = {
        let mut records = Records::new(transaction.open_table(TABLE)?)?;
        for id in orphans {
            remove(&mut records, id)?;
        }
        records.finish()?
    };
    transaction.commit()?;
    Ok(tally.commits)
}

fn single(state: &mut State, name: &[u8], payload: &[u8]) -> Result<(), Trouble> {
    match std::str::from_utf8(name).map_err(|_| malformed())? {
        meta::OWNER => state.owner = Some(json(payload)?),
        meta::GUARD => state.guard = json(payload)?,
        meta::CALIBRATION => state.calibration = json(payload)?,
        meta::WENT_BACK => state.went_back = json(payload)?,
        meta::SEEN_IN => state.seen_in = json::<StoredSeenIn>(payload)?.into(),
        meta::LENT => state.lent = json(payload)?,
        meta::SYNCED => state.last_sync = Some(json(payload)?),
        meta::CONFIRMED => state.calls.confirmed = Some(json(payload)?),
        meta::MAY_COME_LATE => state.calls.late = read_late(payload)?,
        meta::MOUNTED => state.mounted = Some(json(payload)?),
        meta::TIME => state.time = Some(json(payload)?),
        _ => return Err(malformed()),
    }
    Ok(())
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Trouble> {
    serde_json::from_slice(payload).map_err(|error| Trouble::Damaged(error.to_string()))
}

fn path(text: &[u8]) -> Result<RelPath, Trouble> {
    let text = std::str::from_utf8(text).map_err(|_| malformed())?;
    RelPath::parse(text).map_err(|error| Trouble::Damaged(error.to_string()))
}
