//! The one table: records with checksums, and a tally that notices a missing one.

use redb::{ReadableTable, Table, TableDefinition};
use sha2::{Digest, Sha256};

use super::bytes::{Reader, Writer};
use super::error::{FORMAT, Trouble};
use super::record::kind;
use super::room::Growth;

/// All records; the first byte of a key says what one is.
pub(super) const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("icloudds");

/// Bytes of the checksum before each payload.
const SUM: usize = 8;

/// What all records together come to, so that one that vanished, or an old one in place of a newer, shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Records, without the format's and the tally's own.
    pub records: u64,
    /// The wrapping sum of their checksums.
    pub sum: u64,
    /// Commits so far: tells whether one whose answer failed was carried out.
    pub commits: u64,
}

impl Tally {
    fn add(&mut self, sum: u64) {
        self.records = self.records.wrapping_add(1);
        self.sum = self.sum.wrapping_add(sum);
    }

    fn subtract(&mut self, sum: u64) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(sum);
    }
}

/// The checksum of a record: the first 8 bytes of SHA-256 over the key's length (4 bytes, big-endian), the key and
/// the payload.
fn checksum(key: &[u8], payload: &[u8]) -> u64 {
    let mut sha = Sha256::new();
    sha.update(u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    sha.update(key);
    sha.update(payload);
    let mut first = [0; SUM];
    first.copy_from_slice(&sha.finalize()[..SUM]);
    u64::from_be_bytes(first)
}

/// Whether the records of that key are stored without their checksum: they have no payload, and the tally has the sum of the key.
fn is_bare(key: &[u8]) -> bool {
    key.first() == Some(&kind::CHILD)
}

/// The payload of a record, and its checksum, if it is the one that was written under this key.
pub(super) fn check<'a>(key: &[u8], value: &'a [u8]) -> Result<(&'a [u8], u64), Trouble> {
    let damaged = || Trouble::Damaged("the checksum of a record is wrong".into());
    if is_bare(key) {
        return if value.is_empty() { Ok((value, checksum(key, value))) } else { Err(damaged()) };
    }
    let (sum, payload) = value.split_at_checked(SUM).ok_or_else(damaged)?;
    let real = checksum(key, payload);
    if real.to_be_bytes() == sum { Ok((payload, real)) } else { Err(damaged()) }
}

/// What a load adds up, to compare with the tally.
#[derive(Default)]
pub(super) struct Count(Tally);

impl Count {
    /// Takes in one record.
    pub fn add(&mut self, sum: u64) {
        self.0.add(sum);
    }

    /// Whether exactly the records of `tally` were met.
    pub fn agrees(&self, tally: &Tally) -> bool {
        (self.0.records, self.0.sum) == (tally.records, tally.sum)
    }
}

/// Reads and checks one record of a table.
pub(super) fn read(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Trouble> {
    let Some(value) = table.get(key)? else { return Ok(None) };
    Ok(Some(check(key, value.value())?.0.to_vec()))
}

/// The tally and, checked before anything else, the format.
pub(super) fn read_head(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<(u64, Tally), Trouble> {
    let lacks = || Trouble::Damaged("it lacks its head".into());
    let format = read(table, &[kind::FORMAT])?.ok_or_else(lacks)?;
    // Only the number is promised to stay where it is in later formats.
    let found = Reader::new(&format).number()?;
    if found > FORMAT {
        return Err(Trouble::Newer(found));
    }
    let tally = read(table, &[kind::TALLY])?.ok_or_else(lacks)?;
    let mut reader = Reader::new(&tally);
    let tally = Tally { records: reader.number()?, sum: reader.number()?, commits: reader.number()? };
    reader.end()?;
    Ok((found, tally))
}

/// The table in a transaction that writes.
pub(super) struct Records<'txn> {
    table: Table<'txn, &'static [u8], &'static [u8]>,
    tally: Tally,
    growth: Growth,
}

impl<'txn> Records<'txn> {
    /// The records of a file that has its head.
    pub fn new(table: Table<'txn, &'static [u8], &'static [u8]>) -> Result<Self, Trouble> {
        let (_, tally) = read_head(&table)?;
        Ok(Self { table, tally, growth: Growth::default() })
    }

    /// Writes the head into an empty file.
    pub fn begin(table: Table<'txn, &'static [u8], &'static [u8]>) -> Result<Tally, Trouble> {
        let mut records = Self { table, tally: Tally::default(), growth: Growth::default() };
        records.mark_newest()?;
        records.finish()
    }

    /// Notes that all records are of the format that this program writes.
    pub fn mark_newest(&mut self) -> Result<(), Trouble> {
        let mut writer = Writer::default();
        writer.number(FORMAT);
        self.write(&[kind::FORMAT], &writer.0).map(drop)
    }

    /// The payload under a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        read(&self.table, key)
    }

    /// Stores a record; one of that key is replaced.
    pub fn put(&mut self, key: &[u8], payload: &[u8]) -> Result<(), Trouble> {
        self.tally.add(checksum(key, payload));
        if let Some(old) = self.write(key, payload)? {
            self.tally.subtract(old);
        }
        Ok(())
    }

    fn write(&mut self, key: &[u8], payload: &[u8]) -> Result<Option<u64>, Trouble> {
        let sum = checksum(key, payload).to_be_bytes();
        let value = if is_bare(key) { payload.to_vec() } else { [&sum, payload].concat() };
        self.growth.added += (key.len() + value.len()) as u64;
        let Some(old) = self.table.insert(key, value.as_slice())? else { return Ok(None) };
        self.growth.removed += (key.len() + old.value().len()) as u64;
        check(key, old.value()).map(|(_, sum)| Some(sum))
    }

    /// Removes the record of a key, if there is one.
    pub fn remove(&mut self, key: &[u8]) -> Result<(), Trouble> {
        if let Some(old) = self.table.remove(key)? {
            self.growth.removed += (key.len() + old.value().len()) as u64;
            self.tally.subtract(check(key, old.value())?.1);
        }
        Ok(())
    }

    /// Keys that begin with `prefix`, the first so many of them.
    pub fn keys(&self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Trouble> {
        let mut keys = Vec::new();
        for record in self.table.range(prefix..)?.take(most) {
            let (key, _) = record?;
            if !key.value().starts_with(prefix) {
                break;
            }
            keys.push(key.value().to_vec());
        }
        Ok(keys)
    }

    /// Removes everything but the head.
    pub fn clear(&mut self) -> Result<(), Trouble> {
        let removed = &mut self.growth.removed;
        self.table.retain(|key, value| {
            let stays = key == [kind::FORMAT];
            *removed += if stays { 0 } else { (key.len() + value.len()) as u64 };
            stays
        })?;
        (self.tally.records, self.tally.sum) = (0, 0);
        Ok(())
    }

    /// What the group wrote so far.
    pub fn growth(&self) -> Growth {
        self.growth
    }

    /// Writes the tally, which closes the group.
    pub fn finish(mut self) -> Result<Tally, Trouble> {
        self.tally.commits = self.tally.commits.wrapping_add(1);
        let mut writer = Writer::default();
        for number in [self.tally.records, self.tally.sum, self.tally.commits] {
            writer.number(number);
        }
        self.write(&[kind::TALLY], &writer.0)?;
        Ok(self.tally)
    }
}
