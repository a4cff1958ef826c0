//! How numbers, texts and ids lie in a record (`docs/state-format.md`, Primitives).

use crate::model::{DiskTime, ItemId, LocalStamp, ServerTime, Signature, Zone};
use crate::model::{Identity, id::CLOUD_DOCS};

use super::error::Trouble;

/// Writes a record.
#[derive(Default)]
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Zigzag, so that small negative numbers stay short.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub fn time(&mut self, time: DiskTime) {
        self.0.extend(time.0.to_le_bytes());
    }

    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    pub fn signature(&mut self, signature: &Signature) {
        self.0.extend(signature.0);
    }

    /// Kind (bit 0: UUID, bit 1: a zone of its own), the zone where it has one, the document.
    pub fn id(&mut self, id: &ItemId) {
        let uuid = id.uuid();
        let named = *id.zone() != Zone::CloudDocs;
        self.byte(u8::from(uuid.is_some()) | u8::from(named) << 1);
        if named {
            self.text(id.zone().as_str());
        }
        match uuid {
            Some(bytes) => self.0.extend(bytes),
            None => self.text(&id.doc()),
        }
    }

    pub fn stamp(&mut self, stamp: &LocalStamp) {
        let birth = stamp.identity.birth.get().is_some();
        self.byte(u8::from(stamp.on_root_fs) | u8::from(birth) << 1 | u8::from(stamp.is_mount) << 2);
        self.number(stamp.size);
        self.time(stamp.mtime);
        self.time(stamp.ctime);
        self.number(stamp.identity.inode);
        if let Some(birth) = stamp.identity.birth.get() {
            self.time(birth);
        }
    }

    /// A stamp beside what iCloud says of the same item: most are of the same size and second, and the times of one file lie close
    /// together, so differences are short.
    pub fn stamp_beside(&mut self, stamp: &LocalStamp, seen: Beside) {
        let same_size = seen.0 == Some(stamp.size);
        let birth = stamp.identity.birth.get();
        let flags = [stamp.on_root_fs, birth.is_some(), stamp.is_mount, same_size];
        self.byte(flags.into_iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(flag)));
        if !same_size {
            self.number(stamp.size);
        }
        self.signed(stamp.mtime.0.wrapping_sub(nanoseconds(seen.1)));
        self.signed(stamp.ctime.0.wrapping_sub(stamp.mtime.0));
        self.number(stamp.identity.inode);
        if let Some(birth) = birth {
            self.signed(birth.0.wrapping_sub(stamp.ctime.0));
        }
    }
}

/// The size and the modification time of an item on iCloud.
pub(super) type Beside = (Option<u64>, Option<ServerTime>);

/// What local times are compared with; 1970 where iCloud has no time.
fn nanoseconds(time: Option<ServerTime>) -> i64 {
    time.map_or(0, |time| time.0.wrapping_mul(1_000_000_000))
}

/// Reads a record; everything that does not fit is damage.
pub(super) struct Reader<'a>(&'a [u8]);

/// A record that says something we never write.
pub(super) fn malformed() -> Trouble {
    Trouble::Damaged("a record is malformed".into())
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Nothing may be left over.
    pub fn end(&self) -> Result<(), Trouble> {
        if self.0.is_empty() { Ok(()) } else { Err(malformed()) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Trouble> {
        let (head, rest) = self.0.split_at_checked(count).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Trouble> {
        self.take(N)?.try_into().map_err(|_| malformed())
    }

    pub fn byte(&mut self) -> Result<u8, Trouble> {
        Ok(self.array::<1>()?[0])
    }

    pub fn number(&mut self) -> Result<u64, Trouble> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(malformed());
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    pub fn signed(&mut self) -> Result<i64, Trouble> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub fn time(&mut self) -> Result<DiskTime, Trouble> {
        Ok(DiskTime(i64::from_le_bytes(self.array()?)))
    }

    pub fn text(&mut self) -> Result<&'a str, Trouble> {
        let length = usize::try_from(self.number()?).map_err(|_| malformed())?;
        std::str::from_utf8(self.take(length)?).map_err(|_| malformed())
    }

    pub fn signature(&mut self) -> Result<Signature, Trouble> {
        self.array().map(Signature)
    }

    pub fn id(&mut self) -> Result<ItemId, Trouble> {
        let kind = self.byte()?;
        if kind > 3 {
            return Err(malformed());
        }
        let zone = if kind & 2 == 0 { CLOUD_DOCS } else { self.text()? };
        let zone = Zone::new(zone);
        Ok(if kind & 1 == 0 { ItemId::new(zone, self.text()?) } else { ItemId::of_uuid(zone, self.array()?) })
    }

    pub fn stamp(&mut self) -> Result<LocalStamp, Trouble> {
        let flags = self.byte()?;
        if flags > 7 {
            return Err(malformed());
        }
        Ok(LocalStamp {
            on_root_fs: flags & 1 != 0,
            is_mount: flags & 4 != 0,
            size: self.number()?,
            mtime: self.time()?,
            ctime: self.time()?,
            identity: Identity {
                inode: self.number()?,
                birth: if flags & 2 == 0 { None } else { Some(self.time()?) }.into(),
            },
        })
    }

    /// What [`Writer::stamp_beside`] wrote beside the same.
    pub fn stamp_beside(&mut self, seen: Beside) -> Result<LocalStamp, Trouble> {
        let flags = self.byte()?;
        if flags > 15 {
            return Err(malformed());
        }
        let size = if flags & 8 == 0 { self.number()? } else { seen.0.ok_or_else(malformed)? };
        let mtime = DiskTime(nanoseconds(seen.1).wrapping_add(self.signed()?));
        let ctime = DiskTime(mtime.0.wrapping_add(self.signed()?));
        let inode = self.number()?;
        let birth = if flags & 2 == 0 { None } else { Some(DiskTime(ctime.0.wrapping_add(self.signed()?))) };
        let identity = Identity { inode, birth: birth.into() };
        Ok(LocalStamp { size, mtime, ctime, identity, on_root_fs: flags & 1 != 0, is_mount: flags & 4 != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut writer = Writer::default();
            writer.signed(number);
            writer.number(number as u64);
            let mut reader = Reader::new(&writer.0);
            assert_eq!(reader.signed().unwrap(), number);
            assert_eq!(reader.number().unwrap(), number as u64);
            reader.end().unwrap();
        }
        assert!(Reader::new(&[0xff; 9]).number().is_err());
        assert!(Reader::new(&[0xff; 11]).number().is_err());
    }

    #[test]
    fn stamps_come_back_beside_any_time_and_are_short_beside_their_own() {
        let stamp = |mtime, ctime, birth| LocalStamp {
            size: 5_000_000,
            mtime: DiskTime(mtime),
            ctime: DiskTime(ctime),
            identity: Identity { inode: 1 << 20, birth: Some(DiskTime(birth)).into() },
            on_root_fs: true,
            is_mount: false,
        };
        let (second, nano) = (1_796_000_000, 1_000_000_000);
        let uploaded = stamp(second * nano + 7, second * nano + 40_007, second * nano);
        let extreme = stamp(i64::MIN, i64::MAX, i64::MIN);
        let own = (Some(5_000_000), Some(ServerTime(second)));
        for (stamp, seen, most) in [
            (uploaded, own, 11),
            (uploaded, (None, None), 24),
            (extreme, own, 34),
            (extreme, (Some(1), Some(ServerTime(i64::MIN))), 38),
            (extreme, (Some(1), Some(ServerTime(i64::MAX))), 38),
        ] {
            let mut writer = Writer::default();
            writer.stamp_beside(&stamp, seen);
            assert!(writer.0.len() <= most, "{seen:?}: {}", writer.0.len());
            let mut reader = Reader::new(&writer.0);
            assert_eq!(reader.stamp_beside(seen).unwrap(), stamp);
            reader.end().unwrap();
        }
    }

    #[test]
    fn ids_come_back_and_stay_short() {
        for (text, length) in [
            ("FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E-6F7A8B9C0D1E", 17),
            ("FILE::com.apple.CloudDocs::3c8e0b1d-5a4f-4b0c-9d5e-6f7a8b9c0d1e", 38),
            ("FILE::com.apple.CloudDocs::3C8E0B1D-5A4F-4B0C-9D5E6F7A8B9C0D1E-", 38),
            ("FOLDER::com.apple.Pages::documents", 27),
            ("FOLDER::com.apple.CloudDocs::root", 6),
        ] {
            let id = ItemId::from_drivewsid(text).unwrap();
            let mut writer = Writer::default();
            writer.id(&id);
            assert_eq!(writer.0.len(), length, "{text}");
            assert_eq!(Reader::new(&writer.0).id().unwrap(), id);
        }
    }
}
