//! Which service a request is for, what kind of call it is, and under which names services are announced.
//!
//! The simulator answers on one port for all hosts of docs/protocol.md §2. Behind a TLS proxy requests arrive under the real
//! names and are told apart by them; on loopback the path's first part tells them apart.

use crate::http::Request;

/// Which of the account's services a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sign-in, `{auth}`.
    Auth,
    /// Account, `{setup}`.
    Setup,
    /// The web page, `{home}`.
    Home,
    /// Drive's metadata, `{drivews}`.
    Drivews,
    /// Drive's documents, `{docws}`.
    Docws,
    /// Content hosts, both directions.
    Content,
    /// The change feed, `{ckdatabasews}`.
    Feed,
    /// Push tokens and the courier that tells of changes.
    Push,
    /// The simulator's own control endpoint, `/_sim`.
    Control,
}

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The service.
    pub service: Service,
    /// The decoded path below the service's root, with its leading `/`.
    pub rest: String,
    /// The partition number that the client addressed; `None` where the address has none.
    pub partition: Option<u32>,
    /// The kind of call, as counted and as the fault plan names it.
    pub kind: &'static str,
}

/// The host that tells what was pushed.
pub const COURIER: &str = "webcourier.push.apple.com";
/// The path below `{auth}`'s host.
pub const AUTH_PATH: &str = "/appleauth/auth";
/// The path below `{setup}`'s host.
pub const SETUP_PATH: &str = "/setup/ws/1";
/// The partition that is announced unless `S-session` rotates it.
pub const FIRST_PARTITION: u32 = 31;

/// The domains of the real service.
pub const PUBLIC_DOMAINS: [&str; 6] = [
    "icloud.com",
    "icloud.com.cn",
    "apple.com",
    "apple.com.cn",
    "icloud-content.com",
    "icloud-content.com.cn",
];

/// Whether a host name is one of the real service, so that real names are announced to its client.
#[must_use]
pub fn is_public_name(host: &str) -> bool {
    PUBLIC_DOMAINS
        .iter()
        .any(|domain| host == *domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// Whether a request came under a name of the mainland's region.
#[must_use]
pub fn is_china(request: &Request) -> bool {
    request.host_name().ends_with(".cn")
}

/// Finds the service and the kind of a request.
#[must_use]
pub fn route(request: &Request) -> Route {
    let host = request.host_name();
    let path = request.path.as_str();
    let below = |service, rest: &str, partition| {
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        Route { service, kind: kind(service, &request.method, &rest), rest, partition }
    };
    if let Some(rest) = path.strip_prefix("/_sim") {
        return below(Service::Control, rest, None);
    }
    if is_public_name(&host) {
        if host.contains("icloud-content.com") {
            return below(Service::Content, path, None);
        }
        if host == COURIER {
            return below(Service::Push, path, None);
        }
        let label = host.split('.').next().unwrap_or_default();
        if let Some((service, partition)) = partitioned(label) {
            return below(service, path, partition);
        }
    }
    if let Some(rest) = path.strip_prefix(AUTH_PATH) {
        return below(Service::Auth, rest, None);
    }
    if let Some(rest) = path.strip_prefix(SETUP_PATH) {
        return below(Service::Setup, rest, None);
    }
    let first = path[path.len().min(1)..].split('/').next().unwrap_or_default();
    let rest = path.get(first.len() + 1..).unwrap_or_default();
    if first == "content" {
        return below(Service::Content, rest, None);
    }
    match partitioned(first) {
        Some((service, partition)) => below(service, rest, partition),
        None => below(Service::Home, path, None),
    }
}

/// Reads `p31-drivews`, `drivews`, `p31-docws`, `docws`.
fn partitioned(label: &str) -> Option<(Service, Option<u32>)> {
    let (partition, name) = match label.strip_prefix('p').and_then(|rest| rest.split_once('-')) {
        Some((number, name)) => (Some(number.parse().ok()?), name),
        None => (None, label),
    };
    match name {
        "drivews" => Some((Service::Drivews, partition)),
        "docws" => Some((Service::Docws, partition)),
        "ckdatabasews" => Some((Service::Feed, partition)),
        "pushws" | "webcourier" | "ckdeviceservice" => Some((Service::Push, partition)),
        _ => None,
    }
}

/// The kind of a call: `listing`, `commit`, `signin.complete`, …
fn kind(service: Service, method: &str, rest: &str) -> &'static str {
    match service {
        Service::Auth => match (method, rest) {
            (_, "/authorize/signin") => "signin.start",
            (_, "/federate") => "signin.federate",
            (_, "/signin/init") => "signin.init",
            (_, "/signin/complete") => "signin.complete",
            (_, "/escrow/init") => "escrow.init",
            (_, "/escrow/complete") => "escrow.complete",
            (_, "/repair/complete") => "signin.repair",
            (_, "/2sv/trust") => "trust",
            (_, "/verify/security/key") => "key.submit",
            ("PUT", "/verify/trusteddevice/securitycode") => "code.request",
            (_, "/verify/trusteddevice/securitycode") => "code.submit",
            (_, "/verify/trusteddevice") => "code.state",
            (_, "/verify/phone") => "sms.request",
            (_, "/verify/phone/securitycode") => "sms.submit",
            (_, "/") => "signin.state",
            _ => "signin.other",
        },
        Service::Setup => match rest {
            "/accountLogin" => "accountLogin",
            "/validate" => "validate",
            "/logout" => "logout",
            "/requestWebAccessState" => "pcs.state",
            "/enableDeviceConsentForPCS" => "pcs.consent",
            "/requestPCS" => "pcs.request",
            "/listDevices" => "2sa.devices",
            "/sendVerificationCode" => "2sa.send",
            "/validateVerificationCode" => "2sa.submit",
            "/getTerms" => "terms.get",
            "/repairDone" => "terms.accept",
            _ => "setup.other",
        },
        Service::Drivews => match rest {
            "/retrieveItemDetailsInFolders" => "listing",
            "/retrieveItemDetails" => "details",
            "/retrieveTrashDetails" => "listing.trash",
            "/createFolders" => "create",
            "/renameItems" => "rename",
            "/moveItems" => "move",
            "/moveItemsToTrash" => "trash",
            "/deleteItems" => "delete",
            "/putBackItemsFromTrash" => "putback",
            _ => "drivews.other",
        },
        Service::Docws => match rest {
            _ if rest.contains("/download/by_id") => "download.info",
            _ if rest.ends_with("/download/batch") => "download.info",
            _ if rest.ends_with("/upload/web") => "upload.slot",
            _ if rest.ends_with("/update/documents") => "commit",
            _ if rest.contains("/list/lookup_by_") => "lookup",
            _ => "docws.other",
        },
        Service::Content => match method {
            "POST" | "PUT" => "upload.content",
            _ => "download.content",
        },
        Service::Feed => match rest.rsplit_once("/changes/") {
            Some((_, "database")) => "feed.database",
            Some((_, "zone")) => "feed.zone",
            _ => "feed.other",
        },
        Service::Push => match rest {
            "/getToken" => "push.token",
            _ if rest.ends_with("/tokens/register") => "push.register",
            _ => "push.aps",
        },
        Service::Home => "home",
        Service::Control => "control",
    }
}

/// Whether calls of this kind change the drive and must not overlap (docs/protocol.md §10).
#[must_use]
pub fn is_mutation(kind: &str) -> bool {
    matches!(kind, "create" | "rename" | "move" | "trash" | "delete" | "putback" | "commit")
}

/// The root to announce for a service to this client: a real public name when it asked for one, else a path on this server.
#[must_use]
pub fn root(request: &Request, service: Service, partition: u32) -> String {
    let host = request.host_name();
    if is_public_name(&host) {
        let end = if host.ends_with(".cn") { ".cn" } else { "" };
        return match service {
            Service::Drivews => format!("https://p{partition}-drivews.icloud.com{end}:443"),
            Service::Docws => format!("https://p{partition}-docws.icloud.com{end}:443"),
            Service::Feed => format!("https://p{partition}-ckdatabasews.icloud.com{end}:443"),
            Service::Push => format!("https://p{partition}-pushws.icloud.com{end}:443"),
            Service::Content => format!("https://cvws.icloud-content.com{end}"),
            Service::Setup => format!("https://setup.icloud.com{end}{SETUP_PATH}"),
            Service::Auth => format!("https://idmsa.apple.com{AUTH_PATH}"),
            Service::Home | Service::Control => format!("https://www.icloud.com{end}"),
        };
    }
    let base = request.base_url();
    let prefix = if partition == FIRST_PARTITION { String::new() } else { format!("p{partition}-") };
    match service {
        Service::Drivews => format!("{base}/{prefix}drivews"),
        Service::Docws => format!("{base}/{prefix}docws"),
        Service::Feed => format!("{base}/{prefix}ckdatabasews"),
        Service::Push => format!("{base}/{prefix}pushws"),
        Service::Content => format!("{base}/content"),
        Service::Setup => format!("{base}{SETUP_PATH}"),
        Service::Auth => format!("{base}{AUTH_PATH}"),
        Service::Home | Service::Control => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::no_body;

    fn request(host: &str, path: &str) -> Request {
        Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            raw_path: path.to_owned(),
            query: Vec::new(),
            headers: vec![("Host".to_owned(), host.to_owned())],
            body: no_body(),
            content_length: Some(0),
            head_len: 0,
            connection: 1,
            local_host: "127.0.0.1:9".to_owned(),
        }
    }

    #[test]
    fn hosts_and_paths_lead_to_the_same_calls() {
        for (host, path, service, rest, kind) in [
            ("p31-drivews.icloud.com:443", "/createFolders", Service::Drivews, "/createFolders", "create"),
            ("127.0.0.1:80", "/drivews/createFolders", Service::Drivews, "/createFolders", "create"),
            ("127.0.0.1:80", "/p32-docws/ws/z/upload/web", Service::Docws, "/ws/z/upload/web", "upload.slot"),
            ("cvws.icloud-content.com", "/B/x", Service::Content, "/B/x", "upload.content"),
            ("webcourier.push.apple.com", "/aps", Service::Push, "/aps", "push.aps"),
            ("127.0.0.1:80", "/content/B/x", Service::Content, "/B/x", "upload.content"),
            ("idmsa.apple.com", "/appleauth/auth/signin/init", Service::Auth, "/signin/init", "signin.init"),
            ("setup.icloud.com.cn", "/setup/ws/1/validate", Service::Setup, "/validate", "validate"),
            ("127.0.0.1:80", "/", Service::Home, "/", "home"),
            ("127.0.0.1:80", "/_sim/counts", Service::Control, "/counts", "control"),
        ] {
            let route = route(&request(host, path));
            assert_eq!(
                (route.service, route.rest.as_str(), route.kind),
                (service, rest, kind),
                "{host}{path}"
            );
        }
    }

    #[test]
    fn roots_follow_the_host() {
        let public = request("setup.icloud.com.cn", "/");
        assert_eq!(root(&public, Service::Drivews, 31), "https://p31-drivews.icloud.com.cn:443");
        let mut local = request("127.0.0.1:8080", "/");
        assert_eq!(root(&local, Service::Docws, 31), "http://127.0.0.1:8080/docws");
        local.headers.push(("X-Forwarded-Proto".to_owned(), "https".to_owned()));
        assert_eq!(root(&local, Service::Docws, 32), "https://127.0.0.1:8080/p32-docws");
        assert!(!is_public_name("evil-icloud.com"));
    }
}
