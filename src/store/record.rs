//! Keys, and the records of the base.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::model::name::Name;
use crate::model::name::check_name;
use crate::model::{BaseEntry, DiskTime, Etag, ItemId, Presence, ServerTime, Side, Signature};

use super::bytes::{Reader, Writer, malformed};
use super::error::{FORMAT, Trouble};

/// Items of the base by the folder that holds them, before they become a tree.
pub(super) type ByFolder = HashMap<ItemId, Vec<BaseEntry>>;

/// Bytes of the hash that stands for a folder before the ids of its children.
const FOLDER_SUM: usize = 8;

/// The first byte of a key: what the record is.
pub(super) mod kind {
    /// The format's version.
    pub const FORMAT: u8 = b'f';
    /// The tally of all other records.
    pub const TALLY: u8 = b't';
    /// One of the single values: owner, guard, calibration, time of the last sync.
    pub const META: u8 = b'm';
    /// An item of the base.
    pub const BASE: u8 = b'a';
    /// The same in format 1.
    pub const BASE_1: u8 = b'b';
    /// That a folder holds an item.
    pub const CHILD: u8 = b'd';
    /// The same in format 1.
    pub const CHILD_1: u8 = b'c';
    /// An unfinished operation.
    pub const INTENT: u8 = b'i';
    /// A set-aside item.
    pub const SET_ASIDE: u8 = b's';
    /// A local file that never goes up.
    pub const LOCAL_ONLY: u8 = b'l';
    /// Contents that an item had before.
    pub const FORMER: u8 = b'h';
}

/// The names of the single values.
pub(super) mod meta {
    pub const OWNER: &str = "owner";
    pub const GUARD: &str = "guard";
    pub const CALIBRATION: &str = "calibration";
    pub const LENT: &str = "lent";
    pub const WENT_BACK: &str = "went_back";
    pub const SEEN_IN: &str = "seen_in";
    pub const SYNCED: &str = "last_sync";
    pub const CONFIRMED: &str = "confirmed";
    pub const MAY_COME_LATE: &str = "may_come_late";
    pub const MOUNTED: &str = "mounted";
    pub const TIME: &str = "time";
}

/// The key of a record whose key is a text.
pub(super) fn text_key(kind: u8, text: &str) -> Vec<u8> {
    [&[kind], text.as_bytes()].concat()
}

/// The key of an unfinished operation.
pub(super) fn intent_key(number: u64) -> Vec<u8> {
    [&[kind::INTENT], number.to_be_bytes().as_slice()].concat()
}

/// The key of an item of the base.
pub(super) fn base_key(id: &ItemId) -> Vec<u8> {
    let mut writer = Writer(vec![kind::BASE]);
    writer.id(id);
    writer.0
}

/// The key of what an item had before.
pub(super) fn former_key(id: &ItemId) -> Vec<u8> {
    let mut writer = Writer(vec![kind::FORMER]);
    writer.id(id);
    writer.0
}

/// What an item had before, as it is stored.
pub(super) fn write_former(former: &[Signature]) -> Vec<u8> {
    let mut writer = Writer::default();
    former.iter().for_each(|signature| writer.signature(signature));
    writer.0
}

/// Reads such a record.
pub(super) fn read_former(payload: &[u8]) -> Result<Vec<Signature>, Trouble> {
    let (parts, rest) = payload.as_chunks::<20>();
    if rest.is_empty() { Ok(parts.iter().map(|part| Signature(*part)).collect()) } else { Err(malformed()) }
}

/// The item of a key that holds nothing but its id.
pub(super) fn read_id_key(key: &[u8]) -> Result<ItemId, Trouble> {
    let mut reader = Reader::new(key.get(1..).unwrap_or_default());
    let id = reader.id()?;
    reader.end()?;
    Ok(id)
}

/// What the keys of all children of a folder begin with: not its id, which takes twice as much in each of them. So those of another
/// folder may, however improbable, begin with the same, and who goes by it asks the child's own record where it is.
pub(super) fn children_prefix(folder: &ItemId) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.id(folder);
    [&[kind::CHILD], &folder_sum(&writer.0)[..]].concat()
}

fn folder_sum(id: &[u8]) -> [u8; FOLDER_SUM] {
    #[cfg(test)]
    if ALL_COLLIDE.get() {
        return [0; FOLDER_SUM];
    }
    let mut first = [0; FOLDER_SUM];
    first.copy_from_slice(&Sha256::digest(id)[..FOLDER_SUM]);
    first
}

#[cfg(test)]
thread_local! {
    /// Makes all folders' hashes the same, for the tests of this thread.
    pub(super) static ALL_COLLIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The key that says that `folder` holds `child`.
pub(super) fn child_key(folder: &ItemId, child: &ItemId) -> Vec<u8> {
    let mut writer = Writer(children_prefix(folder));
    writer.id(child);
    writer.0
}

/// The child of such a key.
pub(super) fn read_child_key(key: &[u8]) -> Result<ItemId, Trouble> {
    let mut reader = Reader::new(key.get(1 + FOLDER_SUM..).unwrap_or_default());
    let child = reader.id()?;
    reader.end()?;
    Ok(child)
}

const FOLDER: u64 = 1;
const PACKAGE: u64 = 1 << 1;
const LOCAL_ONLY: u64 = 1 << 2;
const REMOTE_ONLY: u64 = 1 << 3;
const RACY: u64 = 1 << 4;
const OTHER_NAME: u64 = 1 << 5;
const SIZE: u64 = 1 << 6;
const MTIME: u64 = 1 << 7;
const SIGNATURE: u64 = 1 << 8;
const CREATED_LOCAL: u64 = 1 << 9;
const CREATED_REMOTE: u64 = 1 << 10;
const WRITTEN: u64 = 1 << 11;
const ALL: u64 = (1 << 12) - 1;

/// An item of the base as it is stored: its folder and what was agreed. Its id is the key.
pub(super) fn write_base(parent: &ItemId, entry: &BaseEntry) -> Vec<u8> {
    let mut writer = Writer::default();
    let flag = |bit, set: bool| if set { bit } else { 0 };
    let created = entry.created_on.get().map(|(side, _)| side);
    let flags = flag(FOLDER, entry.folder)
        | flag(PACKAGE, entry.package)
        | flag(LOCAL_ONLY, entry.presence == Presence::LocalOnly)
        | flag(REMOTE_ONLY, entry.presence == Presence::RemoteOnly)
        | flag(RACY, entry.racy)
        | flag(OTHER_NAME, entry.remote_name != entry.local_name)
        | flag(SIZE, entry.remote_size.get().is_some())
        | flag(MTIME, entry.remote_mtime.get().is_some())
        | flag(SIGNATURE, entry.signature.is_some())
        | flag(CREATED_LOCAL, created == Some(Side::Local))
        | flag(CREATED_REMOTE, created == Some(Side::Remote))
        | flag(WRITTEN, entry.written_at.get().is_some());
    writer.number(flags);
    writer.id(parent);
    writer.text(&entry.local_name);
    if entry.remote_name != entry.local_name {
        writer.text(&entry.remote_name);
    }
    writer.text(entry.etag.as_str());
    if let Some(size) = entry.remote_size.get() {
        writer.number(size);
    }
    if let Some(mtime) = entry.remote_mtime.get() {
        writer.signed(mtime.0);
    }
    writer.stamp_beside(&entry.stamp, (entry.remote_size.get(), entry.remote_mtime.get()));
    if let Some(signature) = &entry.signature {
        writer.signature(signature);
    }
    let since = seconds(entry.stamp.ctime);
    if let Some((_, at)) = entry.created_on.get() {
        writer.signed(at.wrapping_sub(since));
    }
    if let Some(at) = entry.written_at.get() {
        writer.signed(at.wrapping_sub(since));
    }
    writer.0
}

/// What the lived times of an item are stored as differences to: they are those of its file, or near.
fn seconds(time: DiskTime) -> i64 {
    time.0.div_euclid(1_000_000_000)
}

/// Reads such a record with its key.
pub(super) fn read_base(key: &[u8], payload: &[u8]) -> Result<(ItemId, BaseEntry), Trouble> {
    read_base_of(FORMAT, key, payload)
}

/// Reads such a record of format 1, where each time stands for itself, or of the newest.
pub(super) fn read_base_of(format: u64, key: &[u8], payload: &[u8]) -> Result<(ItemId, BaseEntry), Trouble> {
    let id = read_id_key(key)?;
    let mut reader = Reader::new(payload);
    let flags = reader.number()?;
    let has = |bit| flags & bit != 0;
    if flags > ALL || has(LOCAL_ONLY) && has(REMOTE_ONLY) || has(CREATED_LOCAL) && has(CREATED_REMOTE) {
        return Err(malformed());
    }
    let parent = reader.id()?;
    let local_name: Name = reader.text()?.into();
    check_name(&local_name).map_err(|error| Trouble::Damaged(error.to_string()))?;
    let remote_name = if has(OTHER_NAME) { reader.text()?.into() } else { local_name.clone() };
    let etag = Etag::new(reader.text()?);
    let remote_size = if has(SIZE) { Some(reader.number()?) } else { None };
    let remote_mtime = if has(MTIME) { Some(ServerTime(reader.signed()?)) } else { None };
    let first = format == 1;
    let stamp = if first { reader.stamp()? } else { reader.stamp_beside((remote_size, remote_mtime))? };
    let since = if first { 0 } else { seconds(stamp.ctime) };
    let signature = if has(SIGNATURE) { Some(reader.signature()?) } else { None };
    let created_on = match (has(CREATED_LOCAL), has(CREATED_REMOTE)) {
        (true, _) => Some((Side::Local, reader.signed()?.wrapping_add(since))),
        (_, true) => Some((Side::Remote, reader.signed()?.wrapping_add(since))),
        _ => None,
    };
    let written_at = if has(WRITTEN) { Some(reader.signed()?.wrapping_add(since)) } else { None };
    reader.end()?;
    let presence = match (has(LOCAL_ONLY), has(REMOTE_ONLY)) {
        (true, _) => Presence::LocalOnly,
        (_, true) => Presence::RemoteOnly,
        _ => Presence::Both,
    };
    let entry = BaseEntry {
        id,
        folder: has(FOLDER),
        package: has(PACKAGE),
        presence,
        local_name,
        remote_name,
        etag,
        remote_size: remote_size.into(),
        remote_mtime: remote_mtime.into(),
        stamp,
        racy: has(RACY),
        signature,
        created_on: created_on.into(),
        written_at: written_at.into(),
    };
    Ok((parent, entry))
}
