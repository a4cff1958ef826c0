//! The format before, which is read once and written anew as the newest.
//!
//! In format 1 each time of an item stands for itself, what a folder holds is told with the ids of both, and each record has its
//! checksum. All else is the same.

use redb::Database;

use crate::model::ItemId;

use super::bytes::Reader;
use super::error::Trouble;
use super::record::{ByFolder, base_key, child_key, kind, write_base};
use super::room::Growth;
use super::table::{Records, TABLE, Tally};

/// How many records are removed at a time, so that their keys take little memory.
const AT_A_TIME: usize = 1000;

/// The folder and the child of a key of [`kind::CHILD_1`].
pub(super) fn read_child_key_1(key: &[u8]) -> Result<(ItemId, ItemId), Trouble> {
    let mut reader = Reader::new(key.get(1..).unwrap_or_default());
    let pair = (reader.id()?, reader.id()?);
    reader.end()?;
    Ok(pair)
}

/// Writes the items of a file of format 1, which was read without a fault, as the newest format has them: all of it or nothing. Gives the
/// tally and what that wrote.
///
/// They are put folder by folder and by their names, so in no order of their keys: pages that are filled in that order stay half empty.
pub(super) fn carry_over(database: &Database, by_folder: &mut ByFolder) -> Result<(Tally, Growth), Trouble> {
    let transaction = database.begin_write()?;
    let carried = {
        let mut records = Records::new(transaction.open_table(TABLE)?)?;
        for kind in [kind::BASE_1, kind::CHILD_1] {
            remove_all(&mut records, kind)?;
        }
        let mut folders: Vec<_> = by_folder.iter_mut().collect();
        folders.sort_by(|a, b| a.0.cmp(b.0));
        for (folder, held) in folders {
            held.sort_by(|a, b| a.local_name.cmp(&b.local_name));
            for entry in held.iter() {
                records.put(&base_key(&entry.id), &write_base(folder, entry))?;
                records.put(&child_key(folder, &entry.id), &[])?;
            }
        }
        records.mark_newest()?;
        let growth = records.growth();
        (records.finish()?, growth)
    };
    transaction.commit()?;
    Ok(carried)
}

fn remove_all(records: &mut Records<'_>, kind: u8) -> Result<(), Trouble> {
    loop {
        let keys = records.keys(&[kind], AT_A_TIME)?;
        if keys.is_empty() {
            return Ok(());
        }
        for key in &keys {
            records.remove(key)?;
        }
    }
}
