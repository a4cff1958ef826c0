//! Requests to the page, from anybody.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use super::access::{Access, Asked};
use super::request::{Incoming, LONGEST_BODY, LONGEST_HEAD, Method, Parsed};
use super::routes::{Action, Route};
use super::{api, routes};
use crate::fuzz_tests::fuzz;
use crate::secret::Secret;

fn told(parsed: &Parsed) -> String {
    format!("{parsed:?}")
}

#[test]
fn web_request() {
    let seeds = [
        "GET /status?x=1#y HTTP/1.1\r\nHost: nas:8384\r\nCookie: icloudds-8384=1797000000-00ff; a=b\r\n\r\n",
        "POST /api/code HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\nContent-Type: application/json\r\nOrigin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n{\"code\":\"123456\"}",
        "POST /api/approve HTTP/1.1\r\nHost: [::1]:8384\r\nAuthorization: Bearer token\r\nContent-Length: 2\r\n\r\n{}",
        "HEAD /healthz HTTP/1.0\r\nhost: 10.0.0.1\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    fuzz("web_request", seeds, |bytes| {
        let whole = Incoming::default().take(bytes);
        // It is the same request however its bytes come in.
        let mut slow = Incoming::default();
        let step = 1 + bytes.len() / 50;
        let mut parsed = Parsed::Partial;
        for piece in bytes.chunks(step) {
            parsed = slow.take(piece);
            if !matches!(parsed, Parsed::Partial) {
                break;
            }
        }
        if bytes.len() <= LONGEST_HEAD && !bytes.is_empty() {
            let is_end = !matches!(parsed, Parsed::Partial);
            assert!(!is_end || told(&parsed).len() <= told(&whole).len() + LONGEST_BODY);
            assert!(is_end || matches!(whole, Parsed::Partial), "in pieces it never ends: {whole:?}");
        }
        let Parsed::Whole(request) = whole else {
            return match whole {
                Parsed::Bad(response) => response.status.to_string(),
                _ => "partial".to_owned(),
            };
        };
        let now = Instant::now();
        let token = Some(Secret::while_held("token".to_owned()));
        let listen = ([0, 0, 0, 0], 8384).into();
        let mut access = Access::new(token, listen, &["nas".to_owned()], "nas", "link".to_owned(), now);
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let checks: Vec<_> = [Route::Status, Route::Healthz, Route::Act(Action::Approve)]
            .map(|route| {
                access
                    .check(&request, route, Asked { peer, now, unix: 1_795_000_000 })
                    .map_err(|no| no.status)
            })
            .to_vec();
        let actions = [Action::Code, Action::CodeSend, Action::Approve, Action::SyncNow, Action::Restore];
        let asked = actions.map(|action| api::request_of(action, &request.body).is_ok());
        let route = routes::find(request.method, &request.path).is_ok();
        let is_post = request.method == Method::Post;
        format!("{is_post} {route} {checks:?} {asked:?}")
    });
}
