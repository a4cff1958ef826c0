//! Which items a folder holds, so that they are found when it is forgotten: blocks of ids in the order of their bytes.
//!
//! A file of format 1 has a record for each item instead; those stay until the item or its folder goes, or moves.

use crate::model::ItemId;

use super::bytes::{Reader, Writer, malformed};
use super::error::Trouble;
use super::record::{child_key, children_prefix, kind, read_child_key};
use super::table::Records;

/// So many ids are in one block; one more, and it becomes two.
const MOST: usize = 64;

/// The key of a block and the ids in it, as they lie there.
type Block = (Vec<u8>, Vec<Vec<u8>>);

/// An id as it lies in a block.
fn bytes_of(id: &ItemId) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.id(id);
    writer.0
}

/// What the keys of all blocks of a folder begin with. The bytes from which on a block holds ids follow; none in the first one.
fn prefix(folder: &ItemId) -> Vec<u8> {
    [&[kind::BLOCK], bytes_of(folder).as_slice()].concat()
}

fn joined<'a>(ids: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    ids.into_iter().flatten().copied().collect()
}

/// The ids of a block, by its key and its payload.
pub(super) fn read_block(key: &[u8], payload: &[u8]) -> Result<Vec<ItemId>, Trouble> {
    let mut reader = Reader::new(key.get(1..).unwrap_or_default());
    reader.id()?;
    let from = reader.rest().to_vec();
    let mut ids = Vec::new();
    let mut reader = Reader::new(payload);
    let mut last: Option<Vec<u8>> = None;
    while !reader.rest().is_empty() {
        let id = reader.id()?;
        let bytes = bytes_of(&id);
        if bytes < from || last.is_some_and(|last| last >= bytes) {
            return Err(malformed());
        }
        last = Some(bytes);
        ids.push(id);
    }
    if ids.is_empty() || ids.len() > MOST { Err(malformed()) } else { Ok(ids) }
}

/// The block of a folder that an id of these bytes is in, or would be: its key and its ids.
fn block_for(records: &Records<'_>, folder: &ItemId, id: &[u8]) -> Result<Option<Block>, Trouble> {
    let prefix = prefix(folder);
    let upto = [prefix.as_slice(), id].concat();
    let Some((key, payload)) = records.last(&prefix, &upto)? else { return Ok(None) };
    let ids = read_block(&key, &payload)?.iter().map(bytes_of).collect();
    Ok(Some((key, ids)))
}

/// Notes that `folder` holds `child`, which no folder holds yet.
pub(super) fn link(records: &mut Records<'_>, folder: &ItemId, child: &ItemId) -> Result<(), Trouble> {
    let id = bytes_of(child);
    let (key, mut ids) = block_for(records, folder, &id)?.unwrap_or_else(|| (prefix(folder), Vec::new()));
    let Err(at) = ids.binary_search(&id) else { return Ok(()) };
    ids.insert(at, id);
    if ids.len() > MOST {
        let upper = ids.split_off(ids.len() / 2);
        records.put(&[prefix(folder), upper[0].clone()].concat(), &joined(&upper))?;
    }
    records.put(&key, &joined(&ids))
}

/// Notes that `folder` holds `child` no longer.
pub(super) fn unlink(records: &mut Records<'_>, folder: &ItemId, child: &ItemId) -> Result<(), Trouble> {
    records.remove(&child_key(folder, child))?;
    let id = bytes_of(child);
    let Some((key, mut ids)) = block_for(records, folder, &id)? else { return Ok(()) };
    let Ok(at) = ids.binary_search(&id) else { return Ok(()) };
    ids.remove(at);
    if ids.is_empty() { records.remove(&key) } else { records.put(&key, &joined(&ids)) }
}

/// Forgets what `folder` holds, and returns it.
pub(super) fn unlink_all(records: &mut Records<'_>, folder: &ItemId) -> Result<Vec<ItemId>, Trouble> {
    let mut held = Vec::new();
    for key in records.keys(&children_prefix(folder))? {
        held.push(read_child_key(&key)?.1);
        records.remove(&key)?;
    }
    for key in records.keys(&prefix(folder))? {
        let payload = records.get(&key)?.unwrap_or_default();
        held.extend(read_block(&key, &payload)?);
        records.remove(&key)?;
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use redb::Database;
    use redb::backends::InMemoryBackend;

    use super::super::table::TABLE;
    use super::*;
    use crate::model::Zone;

    fn id(number: usize) -> ItemId {
        // Ids of several lengths, of which some begin like others.
        let text = match number % 3 {
            0 => format!("{:08X}-0000-4000-8000-{number:012X}", number.wrapping_mul(2_654_435_761) as u32),
            1 => format!("d{number}"),
            _ => "x".repeat(number % 50 + 1),
        };
        ItemId::new(Zone::CloudDocs, &text)
    }

    #[test]
    fn what_a_folder_holds_is_what_was_put_into_it_and_not_taken_out() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        Records::begin(transaction.open_table(TABLE).unwrap()).unwrap();
        let mut records = Records::new(transaction.open_table(TABLE).unwrap()).unwrap();
        let (one, other) = (id(0), ItemId::drive_root());
        let mut held = BTreeSet::new();
        let mut random = 1_usize;
        for step in 0..4000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let child = id((random >> 33) % 900);
            // It grows first and then shrinks.
            if held.contains(&child) || (random >> 20) % 4000 < step {
                unlink(&mut records, &one, &child).unwrap();
                held.remove(&child);
            } else {
                link(&mut records, &one, &child).unwrap();
                held.insert(child);
            }
            if step == 1500 {
                assert!(held.len() > 4 * MOST, "{}", held.len());
                let blocks = records.keys(&prefix(&one)).unwrap();
                assert!(blocks.len() > 4 && blocks.len() * MOST < 3 * held.len(), "{}", blocks.len());
            }
        }
        link(&mut records, &other, &id(1)).unwrap();
        // One as format 1 has it.
        records.put(&child_key(&one, &id(10_000)), &[]).unwrap();
        held.insert(id(10_000));
        let found = unlink_all(&mut records, &one).unwrap();
        assert_eq!(found.len(), held.len());
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), held);
        assert!(unlink_all(&mut records, &one).unwrap().is_empty());
        assert_eq!(unlink_all(&mut records, &other).unwrap(), [id(1)]);
    }
}
