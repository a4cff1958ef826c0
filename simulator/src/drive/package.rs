//! The zip that the service makes of a package on demand (`docs/protocol.md §11.5`).

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::model::content::Content;

/// One file of a package: its path below the package's folder, and its bytes.
#[derive(Clone, Debug)]
pub struct Member {
    /// Path with `/` between the parts.
    pub path: String,
    /// What it holds.
    pub content: Content,
}

/// Zips the members below one top folder named like the package, without compression.
///
/// `stamp` goes into the members' time fields: two zips of one package with different stamps
/// differ in bytes though they hold the same.
///
/// # Errors
///
/// When a member cannot be read or is too large for a plain zip (4 GiB).
pub fn zip(name: &str, members: &[Member], stamp: u32) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let mut count = 0_u16;
    for member in members {
        let path = format!("{name}/{}", member.path);
        let bytes = member.content.to_vec()?;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        let too_large = |_| std::io::Error::other(format!("{path}: too large for a plain zip"));
        let size = u32::try_from(bytes.len()).map_err(too_large)?;
        let offset = u32::try_from(out.len()).map_err(too_large)?;
        let path_len = u16::try_from(path.len()).map_err(too_large)?;

        // Both headers share the fields from "version needed" to "extra length".
        let mut common = Vec::new();
        for value in [20_u16, 1 << 11, 0] {
            common.extend_from_slice(&value.to_le_bytes());
        }
        for value in [stamp, crc.sum(), size, size] {
            common.extend_from_slice(&value.to_le_bytes());
        }
        common.extend_from_slice(&path_len.to_le_bytes());
        common.extend_from_slice(&0_u16.to_le_bytes());

        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(path.as_bytes());
        out.extend_from_slice(&bytes);

        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&20_u16.to_le_bytes());
        directory.extend_from_slice(&common);
        // Comment length, disk number, internal attributes, external attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(path.as_bytes());
        count = count.checked_add(1).ok_or_else(|| std::io::Error::other("too many members for a zip"))?;
    }
    let start = u32::try_from(out.len()).map_err(|_| std::io::Error::other("the zip is too large"))?;
    let size = u32::try_from(directory.len()).map_err(|_| std::io::Error::other("the zip is too large"))?;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&0_u16.to_le_bytes());
    Ok(out)
}

/// Wraps bytes in gzip.
///
/// # Errors
///
/// None in practice: the target is memory.
pub fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zip_has_one_top_folder_and_holds_the_bytes() {
        let members = [
            Member { path: "Index.xml".into(), content: Content::from("<doc/>") },
            Member { path: "Data/p.png".into(), content: Content::from("png!") },
        ];
        let bytes = zip("A.pages", &members, 1).unwrap();
        assert!(bytes.starts_with(b"PK\x03\x04"));
        let end = &bytes[bytes.len() - 22..];
        assert!(end.starts_with(b"PK\x05\x06"));
        let directory_at = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
        let directory = &bytes[directory_at..];
        assert!(directory.starts_with(b"PK\x01\x02"));
        // The fixed part of a directory record is 46 bytes long and ends where the name begins.
        assert_eq!(&directory[46..46 + 17], b"A.pages/Index.xml");
        assert_ne!(zip("A.pages", &members, 2).unwrap(), bytes, "another stamp gives other bytes");
    }
}
