//! TLS: a certificate authority that is made at the start, and what it signs.

use std::io;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Span, Zoned};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::route::{PUBLIC_DOMAINS, is_public_name};

/// Names of this machine.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A certificate authority of this process alone, and the certificate of the simulated hosts that it signed.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    authority: Arc<str>,
    names: Arc<[String]>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Makes both. `names` are host names or addresses that are served beside those of the service and of this machine.
    ///
    /// # Errors
    /// When a name is none, or there is no randomness.
    pub fn new(names: &[String]) -> io::Result<Self> {
        let (authority, config) = make(names).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { config: Arc::new(config), authority: authority.into(), names: names.into() })
    }

    /// The authority's certificate as PEM: what a client has to trust.
    #[must_use]
    pub fn authority_pem(&self) -> &str {
        &self.authority
    }

    /// Whether this host is one of those that the certificate is for.
    #[must_use]
    pub fn serves(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        is_public_name(&host)
            || THIS_MACHINE.contains(&host.as_str())
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(&host))
    }

    /// What a connection is served with.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// How long both are valid before and after today, in days. Apple's own systems accept no more than 825 in all.
const VALID_DAYS: (i64, i64) = (30, 790);

/// The validity of a certificate that is made now.
fn set_validity(params: &mut CertificateParams) -> Result<(), jiff::Error> {
    let today = Zoned::now().with_time_zone(TimeZone::UTC).date();
    let moved = |days: i64| -> Result<_, jiff::Error> {
        let date = today.checked_add(Span::new().days(days))?;
        // A calendar's month and day fit.
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        Ok(rcgen::date_time_ymd(i32::from(date.year()), month, day))
    };
    (params.not_before, params.not_after) = (moved(-VALID_DAYS.0)?, moved(VALID_DAYS.1)?);
    Ok(())
}

fn make(names: &[String]) -> Result<(String, ServerConfig), Box<dyn std::error::Error>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "simulated iCloud: trust it nowhere but in tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params)?;
    let key = KeyPair::generate()?;
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let mut served: Vec<String> = THIS_MACHINE.iter().map(|name| (*name).to_owned()).collect();
    for domain in PUBLIC_DOMAINS {
        served.extend([domain.to_owned(), format!("*.{domain}")]);
    }
    served.push("*.push.apple.com".to_owned());
    served.extend(names.iter().cloned());
    let mut params = CertificateParams::new(served)?;
    params.distinguished_name.push(DnType::CommonName, "simulated iCloud");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    set_validity(&mut params)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?,
        )?;
    // Browser libraries would choose HTTP/2, which is not spoken here.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((pem("CERTIFICATE", authority.der()), config))
}

/// The usual text around base64, in lines of 64 characters.
fn pem(kind: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut lines = String::new();
    for chunk in text.as_bytes().chunks(64) {
        lines.push_str(&String::from_utf8_lossy(chunk));
        lines.push('\n');
    }
    format!("-----BEGIN {kind}-----\n{lines}-----END {kind}-----\n")
}
