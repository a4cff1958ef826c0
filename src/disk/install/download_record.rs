//! The record beside a download: what it is of, and how much of it is certain.

use std::sync::OnceLock;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::Hasher;
use crate::disk::private::area::Area;
use crate::disk::private::small_files::{read_small, write_small};
use crate::engine::ports::DownloadKey;
use crate::model::{Etag, ItemId, RelPath, Signature, Zone};

/// What stands beside a partly downloaded file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::disk) struct Record {
    zone: String,
    doc: String,
    etag: String,
    signature_text: String,
    size: Option<u64>,
    /// Where the file will stand.
    pub path: String,
    /// The boot in which it was written: after another one only `durable` bytes are certain.
    pub boot: String,
    pub durable: u64,
    /// A replacement under way.
    pub swap: Option<Swap>,
}

/// A replacement under way, so that start-up can undo or finish it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::disk) struct Swap {
    /// The slot in the trash.
    pub slot: String,
    /// The path of the file that is replaced.
    pub target: String,
    /// Inode of the new file.
    pub new_inode: u64,
    /// The displaced file as planned: inode, size, and modification time in nanoseconds.
    pub old: (u64, u64, i64),
}

impl Record {
    /// Of a download that begins.
    pub fn new(key: &DownloadKey) -> Self {
        Self {
            zone: key.id.zone().as_str().to_owned(),
            doc: key.id.doc(),
            etag: key.etag.as_str().to_owned(),
            signature_text: key.signature_text.clone(),
            size: key.size,
            path: key.path.as_str().to_owned(),
            boot: boot(),
            durable: 0,
            swap: None,
        }
    }

    /// What it was recorded for; `None` when it is damaged.
    pub fn key(&self) -> Option<DownloadKey> {
        Some(DownloadKey {
            id: ItemId::new(Zone::new(&self.zone), &self.doc),
            etag: Etag::new(&self.etag),
            signature_text: self.signature_text.clone(),
            size: self.size,
            path: RelPath::parse(&self.path).ok()?,
        })
    }

    /// Whether it is of that version.
    pub fn is_of(&self, key: &DownloadKey) -> bool {
        self.key().is_some_and(|mine| {
            mine.id == key.id && mine.etag == key.etag && mine.signature_text == key.signature_text
        })
    }

    /// What a record's text says; `None` when it is damaged.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Reads one that this process wrote itself.
    pub fn read(area: &Area, name: &str) -> Option<Self> {
        Self::parse(&read_small(&area.tmp, &record_name(name)).ok().flatten()?)
    }

    /// Puts it beside the file.
    pub fn write(&self, area: &Area, name: &str) -> Result<(), Errno> {
        let text = serde_json::to_vec(self).expect("texts and numbers have a JSON form");
        write_small(&area.tmp, &record_name(name), &text)
    }
}

/// The boot that this is, as the kernel names it; empty when it does not tell, which equals no boot.
fn boot() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BOOT.get_or_init(|| read().trim().to_owned()).clone()
}

/// The name of the download, from id and etag.
pub(in crate::disk) fn name_of(key: &DownloadKey) -> String {
    digest(&[&key.id.to_string(), key.etag.as_str()])
}

/// A name for what these texts say, in hexadecimal digits.
pub(in crate::disk) fn digest(texts: &[&str]) -> String {
    let mut hasher = Hasher::default();
    for (nth, text) in texts.iter().enumerate() {
        if nth > 0 {
            hasher.update(&[0]);
        }
        hasher.update(text.as_bytes());
    }
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    hasher.finish().0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Whether that is the name of a download: a digest in hexadecimal digits.
pub(in crate::disk) fn is_download_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether it is one that [`name_of`] gives: all its digits.
pub(in crate::disk) fn is_whole_name(name: &str) -> bool {
    is_download_name(name) && name.len() == 2 * size_of::<Signature>()
}

/// The file's name.
pub(in crate::disk) fn part_name(name: &str) -> String {
    format!("{name}.part")
}

/// The record's name.
pub(in crate::disk) fn record_name(name: &str) -> String {
    format!("{name}.json")
}
