//! Contents of files: held as bytes, in a spool file, or as a recipe that yields the same bytes every time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::fault::mix;

/// What is hashed before the content in a signature (`docs/protocol.md §13`).
const SIGNATURE_SALT: &[u8; 51] = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0";

/// Uploaded contents above this size go to a spool file instead of memory, in bytes.
pub const SPOOL_ABOVE_BYTES: u64 = 1 << 20;

/// The content of one version of one file. Cloning is cheap: clones share the bytes.
#[derive(Clone, Debug)]
pub enum Content {
    /// Held in memory.
    Bytes(Arc<[u8]>),
    /// Made on demand from a seed: costs no memory whatever the length (in bytes).
    Generated {
        /// Chooses the bytes.
        seed: u64,
        /// Length in bytes.
        len: u64,
    },
    /// Held in a file without a name, which vanishes with the last clone.
    Spooled(Arc<Spool>),
}

/// A spool file that has no name any more: the system frees it when the last handle closes.
#[derive(Debug)]
pub struct Spool {
    file: File,
    len: u64,
}

/// Hashes of one content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hashes {
    /// SHA-1 of the plain content.
    pub sha1: [u8; 20],
    /// SHA-1 of the salted content, the body of a signature (`docs/protocol.md §13`).
    pub salted: [u8; 20],
}

impl Content {
    /// An empty content.
    pub fn empty() -> Self {
        Self::from(&b""[..])
    }

    /// The first half of its bytes.
    ///
    /// # Errors
    ///
    /// As [`Content::read_at`].
    pub fn first_half(&self) -> io::Result<Self> {
        let mut bytes = self.to_vec()?;
        bytes.truncate(bytes.len() / 2);
        Ok(Self::from(bytes))
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Generated { len, .. } => *len,
            Self::Spooled(spool) => spool.len,
        }
    }

    /// Whether there is not a single byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` with the bytes from `offset` on and returns how many there were (0 at the end).
    ///
    /// # Errors
    ///
    /// Only a spool file can fail to be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len().saturating_sub(offset);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..want];
        match self {
            Self::Bytes(bytes) => {
                // `want` is 0 when the offset lies behind the end, so clamp instead of slicing past it.
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                buffer.copy_from_slice(&bytes[start..start + want]);
                Ok(want)
            }
            Self::Generated { seed, .. } => {
                fill_generated(*seed, offset, buffer);
                Ok(want)
            }
            Self::Spooled(spool) => spool.file.read_at(buffer, offset),
        }
    }

    /// A reader of the bytes `offset..offset + len`, cut at the end of the content.
    pub fn reader(&self, offset: u64, len: u64) -> ContentReader {
        let end = offset.saturating_add(len).min(self.len());
        ContentReader { content: self.clone(), offset: offset.min(end), end }
    }

    /// All bytes in memory; meant for small contents.
    ///
    /// # Errors
    ///
    /// Only a spool file can fail to be read.
    pub fn to_vec(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader(0, self.len()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Both hashes, computed by reading the whole content.
    ///
    /// # Errors
    ///
    /// Only a spool file can fail to be read.
    pub fn hashes(&self) -> io::Result<Hashes> {
        let mut hasher = Hasher::new();
        let mut buffer = vec![0_u8; 64 * 1024];
        let mut offset = 0;
        loop {
            let got = self.read_at(offset, &mut buffer)?;
            if got == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..got]);
            offset += got as u64;
        }
    }

    /// Whether two contents are provably the same object, without reading either.
    pub fn is_same_object(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => Arc::ptr_eq(a, b),
            (Self::Generated { seed, len }, Self::Generated { seed: s, len: l }) => seed == s && len == l,
            (Self::Spooled(a), Self::Spooled(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Arc::from(bytes))
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Arc::from(bytes))
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl Hashes {
    /// The signature of `docs/protocol.md §13`, with `first` as its first byte (`0x01` by that formula).
    pub fn signature(&self, first: u8) -> String {
        let mut raw = [0_u8; 21];
        raw[0] = first;
        raw[1..].copy_from_slice(&self.salted);
        STANDARD.encode(raw)
    }

    /// The plain SHA-1 in lower-case hex.
    pub fn sha1_hex(&self) -> String {
        self.sha1.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Computes both hashes of a stream.
pub struct Hasher {
    plain: Sha1,
    salted: Sha1,
}

impl Hasher {
    /// Starts with no content.
    pub fn new() -> Self {
        Self { plain: Sha1::new(), salted: Sha1::new().chain_update(SIGNATURE_SALT) }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.plain.update(bytes);
        self.salted.update(bytes);
    }

    /// The hashes of everything added.
    pub fn finish(self) -> Hashes {
        Hashes { sha1: self.plain.finalize().into(), salted: self.salted.finalize().into() }
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a part of a [`Content`].
pub struct ContentReader {
    content: Content,
    offset: u64,
    end: u64,
}

impl Read for ContentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let got = self.content.read_at(self.offset, &mut buffer[..want])?;
        self.offset += got as u64;
        Ok(got)
    }
}

/// Takes a stream of bytes and ends as a [`Content`]: in memory while small, spooled when large.
pub struct ContentWriter {
    hasher: Hasher,
    small: Vec<u8>,
    spool: Option<File>,
    len: u64,
}

impl ContentWriter {
    /// Starts with no content.
    pub fn new() -> Self {
        Self { hasher: Hasher::new(), small: Vec::new(), spool: None, len: 0 }
    }

    /// Ends the stream and returns the content with its hashes.
    pub fn finish(self) -> (Content, Hashes) {
        let hashes = self.hasher.finish();
        let content = match self.spool {
            Some(file) => Content::Spooled(Arc::new(Spool { file, len: self.len })),
            None => Content::from(self.small),
        };
        (content, hashes)
    }

    /// Bytes taken so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Default for ContentWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for ContentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        match &mut self.spool {
            Some(file) => file.write_all(bytes)?,
            None => {
                self.small.extend_from_slice(bytes);
                if self.len > SPOOL_ABOVE_BYTES {
                    let mut file = nameless_file()?;
                    file.write_all(&self.small)?;
                    self.small = Vec::new();
                    self.spool = Some(file);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A new file in the temporary directory whose name is already gone.
fn nameless_file() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("icloudds-sim-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path: PathBuf = std::env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Writes the bytes at `offset` of the endless stream of `seed`: 8-byte words, each a hash of its number.
fn fill_generated(seed: u64, offset: u64, buffer: &mut [u8]) {
    let mut at = 0;
    while at < buffer.len() {
        let position = offset + at as u64;
        let word = mix(seed ^ (position / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes();
        let skip = (position % 8) as usize;
        let take = (8 - skip).min(buffer.len() - at);
        buffer[at..at + take].copy_from_slice(&word[skip..skip + take]);
        at += take;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_the_published_table() {
        let all: Vec<u8> = (0..=255).collect();
        for (content, expected) in [
            (&b""[..], "AW2cWT2PxzWixMKuuNMTHJ8CJ3sH"),
            (b"hello", "AcW96XzA8CMFcrVWfJyAAy8aWWE6"),
            (b"hello world\n", "ARqdPZjFmdSZOG/4FrBl60A1BEXf"),
            (&all, "AWZ9n6bnl101EYwlLRpEBwU5EM+Y"),
        ] {
            assert_eq!(Content::from(content).hashes().unwrap().signature(1), expected);
        }
    }

    #[test]
    fn generated_bytes_do_not_depend_on_where_reading_starts() {
        let content = Content::Generated { seed: 7, len: 1000 };
        let whole = content.to_vec().unwrap();
        assert_eq!(whole.len(), 1000);
        for (offset, len) in [(0, 1), (3, 13), (8, 8), (991, 9), (995, 100)] {
            let mut part = Vec::new();
            content.reader(offset, len).read_to_end(&mut part).unwrap();
            let end = (offset + len).min(1000) as usize;
            assert_eq!(part, &whole[offset as usize..end], "offset {offset}, length {len}");
        }
        assert_ne!(whole, Content::Generated { seed: 8, len: 1000 }.to_vec().unwrap());
    }

    #[test]
    fn a_large_upload_is_spooled_and_reads_back_the_same() {
        let source = Content::Generated { seed: 3, len: SPOOL_ABOVE_BYTES + 12_345 };
        let mut writer = ContentWriter::new();
        io::copy(&mut source.reader(0, source.len()), &mut writer).unwrap();
        let (content, hashes) = writer.finish();
        assert!(matches!(content, Content::Spooled(_)));
        assert_eq!(content.len(), source.len());
        assert_eq!(hashes, source.hashes().unwrap());
        assert_eq!(content.hashes().unwrap(), hashes);
    }

    #[test]
    fn reading_behind_the_end_gives_nothing() {
        for content in [Content::from("abc"), Content::Generated { seed: 1, len: 3 }] {
            assert_eq!(content.read_at(5, &mut [0; 4]).unwrap(), 0);
        }
    }
}
