//! By which way connections go: whom TLS trusts, and through which proxy.

use std::path::Path;

use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts};
use ureq::{Proxy, ProxyProtocol};

use super::http_error::HttpError;
use crate::secret;

/// Whether a request goes through the proxy that the environment names.
pub(super) fn serves_environment_proxy(uri: &Uri) -> bool {
    let local =
        uri.host().is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."));
    uri.scheme_str() == Some("https") && !local
}

/// The public roots, and those of `ca_file` if there is one.
pub(super) fn roots(ca_file: Option<&Path>) -> Result<RootCerts, HttpError> {
    let public =
        webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| Certificate::from_der(der).to_owned());
    let own = match ca_file {
        Some(path) => crate::ca_file::read(path)
            .map_err(|reason| HttpError::CaFile { path: path.to_owned(), reason })?,
        None => Vec::new(),
    };
    let all: Vec<_> = public.chain(own).collect();
    Ok(RootCerts::from(all))
}

/// The proxy that the environment names for `https`, the specific name first.
pub(super) fn proxy_of_environment() -> Option<String> {
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

/// Reads a proxy URL; its user and password may be percent-encoded.
pub(super) fn proxy(text: &str) -> Result<Proxy, HttpError> {
    let refuse = |reason: &str| HttpError::Proxy { reason: reason.to_owned() };
    let text = text.trim();
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = url::Url::parse(&full).map_err(|_| refuse("not a URL of the form http://host:port"))?;
    let protocol = match url.scheme() {
        "http" => ProxyProtocol::Http,
        "https" => ProxyProtocol::Https,
        _ => return Err(refuse("only http:// and https:// proxies are supported")),
    };
    let host = url.host_str().ok_or_else(|| refuse("the URL names no host"))?;
    let mut builder = Proxy::builder(protocol).host(host);
    if let Some(port) = url.port() {
        builder = builder.port(port);
    }
    if !url.username().is_empty() {
        builder = builder.username(&percent_decoded(url.username()));
    }
    if let Some(password) = url.password() {
        let password = percent_decoded(password);
        secret::register(&password);
        builder = builder.password(&password);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        let list = std::env::var(name).unwrap_or_default();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            builder = builder.no_proxy(entry);
        }
    }
    builder.build().map_err(|_| refuse("the URL is not usable"))
}

/// Undoes percent-encoding; what is not encoded, or badly, stays as it is.
fn percent_decoded(text: &str) -> String {
    let pair = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value.into_owned())
}
