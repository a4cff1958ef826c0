//! Edge: `tls.ca_file`, the certificate authorities that the owner trusts beside the public ones.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, parse_pem};

/// Larger than every bundle of authorities there is.
const LARGEST_BYTES: u64 = 16 << 20;

/// The certificates in a PEM file that can be trusted as an authority, at least one. What else is in the file is passed over.
///
/// # Errors
///
/// What is wrong with the file, as it goes on after its name.
pub fn read(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read the file: {error}");
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err("is a directory, a PEM file is needed".to_owned());
    }
    let mut pem = Vec::new();
    file.take(LARGEST_BYTES).read_to_end(&mut pem).map_err(unreadable)?;
    // Editors on Windows put a byte-order mark in front.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&pem);
    let mut usable = Vec::new();
    let mut damaged = None;
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => {
                let der = CertificateDer::from(certificate.der().to_vec());
                match RootCertStore::empty().add(der) {
                    Ok(()) => usable.push(certificate),
                    Err(error) => damaged = Some(error.to_string()),
                }
            }
            Ok(_) => {}
            Err(error) => damaged = Some(error.to_string()),
        }
    }
    match (usable.is_empty(), damaged) {
        (false, _) => Ok(usable),
        (true, Some(why)) => Err(format!("holds no certificate that can be used: {why}")),
        (true, None) => Err("holds no PEM certificate (-----BEGIN CERTIFICATE-----)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: impl AsRef<[u8]>) -> Result<usize, String> {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("ca.pem");
        std::fs::write(&path, text).expect("written");
        read(&path).map(|all| all.len())
    }

    fn pem(label: &str, der: &[u8]) -> String {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    #[test]
    fn a_file_without_a_usable_certificate_is_refused_and_a_byte_order_mark_is_no_fault() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let made =
            rcgen::CertificateParams::new(vec!["ca.example".to_owned()]).and_then(|it| it.self_signed(&key));
        let good = pem("CERTIFICATE", made.expect("a certificate").der());
        let secret = pem("PRIVATE KEY", &key.serialize_der());
        assert_eq!(verdict(&good), Ok(1));
        assert_eq!(verdict(format!("\u{feff}{good}")), Ok(1));
        assert_eq!(verdict(good.replace('\n', "\r\n")), Ok(1));
        assert_eq!(verdict(format!("# the office\n\n{good}{secret}{good}")), Ok(2));
        let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8gd29ybGQ=\n-----END CERTIFICATE-----\n";
        assert_eq!(verdict(format!("{garbage}{good}")), Ok(1));
        for bad in ["", "hello", &secret, garbage, "-----BEGIN CERTIFICATE-----\naGVs", "\u{feff}", "\0\u{1}"]
        {
            let why = verdict(bad).expect_err(bad);
            assert!(why.contains("certificate"), "{bad:?}: {why}");
        }
    }
}
