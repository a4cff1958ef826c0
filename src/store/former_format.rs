//! The format before, which is read once and written anew as the newest.
//!
//! In format 1 each time of an item stands for itself, what a folder holds is told with the ids of both, and each record has its
//! checksum. All else is the same.

use redb::Database;

use crate::model::ItemId;

use super::bytes::Reader;
use super::error::Trouble;
use super::record::{base_key, child_key, kind, read_base_of, write_base};
use super::table::{Records, TABLE, Tally};

/// How many items are carried over at a time, so that their keys take little memory.
pub(super) const AT_A_TIME: usize = 1000;

/// The folder and the child of a key of [`kind::CHILD_1`].
pub(super) fn read_child_key_1(key: &[u8]) -> Result<(ItemId, ItemId), Trouble> {
    let mut reader = Reader::new(key.get(1..).unwrap_or_default());
    let pair = (reader.id()?, reader.id()?);
    reader.end()?;
    Ok(pair)
}

/// Writes all records of a file of format 1, which was read without a fault, as the newest format has them: all of it or nothing.
pub(super) fn carry_over(database: &Database, at_a_time: usize) -> Result<Tally, Trouble> {
    let transaction = database.begin_write()?;
    let tally = {
        let mut records = Records::new(transaction.open_table(TABLE)?)?;
        while carry_some_over(&mut records, at_a_time)? {}
        records.mark_newest()?;
        records.finish()?
    };
    transaction.commit()?;
    Ok(tally)
}

/// Whether anything was left.
fn carry_some_over(records: &mut Records<'_>, most: usize) -> Result<bool, Trouble> {
    let (items, links) = (records.keys(&[kind::BASE_1], most)?, records.keys(&[kind::CHILD_1], most)?);
    for key in &items {
        if let Some(payload) = records.get(key)? {
            let (folder, entry) = read_base_of(1, key, &payload)?;
            records.put(&base_key(&entry.id), &write_base(&folder, &entry))?;
        }
        records.remove(key)?;
    }
    for key in &links {
        let (folder, child) = read_child_key_1(key)?;
        records.put(&child_key(&folder, &child), &[])?;
        records.remove(key)?;
    }
    Ok(!items.is_empty() || !links.is_empty())
}
