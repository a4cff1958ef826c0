//! Single values: sizes, URLs, drive paths, files that hold secrets.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use url::{Host, Url};

use zeroize::Zeroizing;

use super::raw::RawSize;

/// A secret is a line of text; whatever is larger is something else.
const LARGEST_SECRET_BYTES: u64 = 64 << 10;

/// The units of sizes: powers of 1000 and of 1024.
const UNITS: [(&str, u64); 9] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("b", 1),
];

/// Bytes of a size as written, `None` where it is none.
pub(super) fn size(written: &RawSize) -> Option<u64> {
    match written {
        RawSize::Bytes(bytes) => u64::try_from(*bytes).ok(),
        RawSize::Text(text) => size_of_text(text),
    }
}

/// A number from 1 to `most` as written, where `auto` is `most`; `None` where it is neither.
pub(super) fn width(written: &RawSize, most: usize) -> Option<usize> {
    let number = match written {
        RawSize::Bytes(number) => usize::try_from(*number).ok()?,
        RawSize::Text(text) if text.trim() == "auto" => most,
        RawSize::Text(text) => text.trim().parse().ok()?,
    };
    (1..=most).contains(&number).then_some(number)
}

fn size_of_text(text: &str) -> Option<u64> {
    let lower = text.trim().to_lowercase();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((lower.strip_suffix(unit)?, *bytes)))
        .unwrap_or((&lower, 1));
    let number = number.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !digits(whole)
        || !digits(fraction)
        || (number.contains('.') && fraction.is_empty())
    {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    // Nine decimals are more than any unit here can tell apart from the next byte that matters.
    let decimals = &fraction[..fraction.len().min(9)];
    let scale = 10_u128.pow(u32::try_from(decimals.len()).ok()?);
    let part = u128::from(decimals.parse::<u64>().ok()?) * u128::from(unit) / scale;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// A URL with the scheme `http` or `https` and a host.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("must start with http:// or https://".to_owned());
    }
    Ok(url)
}

/// A root of the service: an `http` or `https` URL without user, query or fragment; the slash at its end is dropped.
pub(super) fn root(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err("must be a URL without user, query or fragment".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    match Url::parse(url).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// An address to listen on; `localhost` is accepted for 127.0.0.1.
pub(super) fn listen(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// The parts of an absolute path in the drive; `/` has none.
pub(super) fn remote_root(text: &str) -> Result<Vec<String>, &'static str> {
    let rest = text.strip_prefix('/').ok_or("must start with /")?;
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let parts: Vec<String> = rest.split('/').map(str::to_owned).collect();
    if parts.iter().any(|part| part.is_empty() || part == "." || part == ".." || part.contains('\0')) {
        return Err("must be a path of the drive without empty, . or .. parts");
    }
    Ok(parts)
}

/// The text of a file that holds a secret, without a byte-order mark and without the line ends after it.
pub(super) fn secret_file(path: &Path) -> Result<String, String> {
    let unreadable = |problem: std::io::Error| format!("cannot read the file: {problem}");
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err("is a directory, a file is needed".to_owned());
    }
    // Room for all of it at once: a buffer that grows would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_SECRET_BYTES as usize + 2));
    file.take(LARGEST_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_SECRET_BYTES {
        return Err("the file is larger than 64 KiB, which no secret is".to_owned());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    // Editors and shells add both, and no secret of these kinds holds either.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if text.contains(['\r', '\n']) {
        return Err("the file holds more than one line, and must hold the secret alone".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_kinds_of_units() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1234", Some(1234)),
            ("5B", Some(5)),
            ("10kB", Some(10_000)),
            ("10MB", Some(10_000_000)),
            ("10GB", Some(10_000_000_000)),
            ("2TB", Some(2_000_000_000_000)),
            ("1KiB", Some(1024)),
            ("1 MiB", Some(1 << 20)),
            ("1gib", Some(1 << 30)),
            ("1TiB", Some(1 << 40)),
            ("1.5MB", Some(1_500_000)),
            ("0.5KiB", Some(512)),
            ("", None),
            ("MB", None),
            ("-1", None),
            ("1.MB", None),
            (".5MB", None),
            ("1e3", None),
            ("10G", None),
            ("10 bananas", None),
            ("99999999TB", None),
            ("+5", None),
        ] {
            assert_eq!(size(&RawSize::Text(text.to_owned())), bytes, "{text:?}");
        }
        assert_eq!(size(&RawSize::Bytes(-1)), None);
    }

    #[test]
    fn widths_are_small_numbers_or_a_word() {
        for (text, number) in
            [("1", Some(1)), (" 8 ", Some(8)), ("auto", Some(8)), ("0", None), ("9", None), ("many", None)]
        {
            assert_eq!(width(&RawSize::Text(text.to_owned()), 8), number, "{text:?}");
        }
        for (written, number) in [(1, Some(1)), (8, Some(8)), (0, None), (9, None), (-1, None)] {
            assert_eq!(width(&RawSize::Bytes(written), 8), number, "{written}");
        }
    }

    #[test]
    fn a_secret_is_one_line_whatever_an_editor_put_around_it() {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let path = temp.path().join("secret");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            secret_file(&path)
        };
        for (bytes, secret) in [
            (&b"pw"[..], "pw"),
            (b"pw\n", "pw"),
            (b"pw\r\n", "pw"),
            (b"pw\n\n\r\n", "pw"),
            (b"\xef\xbb\xbfpw\r\n", "pw"),
            (b" p w \n", " p w "),
            (b"\xef\xbb\xbf\xef\xbb\xbfpw", "\u{feff}pw"),
        ] {
            assert_eq!(read(bytes), Ok(secret.to_owned()), "{bytes:?}");
        }
        for inside in [&b"user\npw\n"[..], b"p\rw", b"\npw", b"pw\n\npw"] {
            assert!(read(inside).is_err_and(|why| why.contains("more than one line")), "{inside:?}");
        }
        for empty in [&b""[..], b"\n", b"\r\n\r\n", b"\xef\xbb\xbf\n"] {
            assert!(read(empty).is_err_and(|why| why.contains("empty")), "{empty:?}");
        }
        assert!(read(b"p\xff").is_err_and(|why| why.contains("UTF-8")));
    }

    #[test]
    fn loopback_hosts_are_told_from_others() {
        for (url, loopback) in [
            ("http://127.0.0.1:8080/setup", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("https://localhost/x", true),
            ("https://setup.localhost", true),
            ("https://setup.icloud.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(url), loopback, "{url}");
        }
    }

    #[test]
    fn drive_paths_are_absolute_and_plain() {
        assert_eq!(remote_root("/"), Ok(vec![]));
        assert_eq!(remote_root("/Documents/Notes/"), Ok(vec!["Documents".to_owned(), "Notes".to_owned()]));
        for refused in ["", "Documents", "//", "/a//b", "/a/../b", "/."] {
            assert!(remote_root(refused).is_err(), "{refused}");
        }
    }
}
