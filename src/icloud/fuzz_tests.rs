//! Answers of the service, and the files of a session, damaged.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::bounded::{Bounded, is_too_much};
use super::classify::{classify, classify_result};
use super::cookies::{Cookies, end_of};
use super::http::{Answer, Head};
use super::session::{Session, TRUST_COOKIE};
use super::signin::foreign;
use super::survey;
use super::throttle::{self, Cause, wait_asked};
use super::wire::{Item, parse_details, read_entries};
use super::wire_docs::{Document, Download, Slot, Stored};
use crate::engine::ports::RemoteParent;
use crate::fuzz_tests::fuzz;
use crate::model::Reading;
use crate::model::name::check_name;
use crate::model::{ItemId, Zone};

const NOW: i64 = 1_795_000_000;

fn reading() -> Reading {
    Reading { wall: NOW, boot: 0xa, uptime: Duration::from_secs(5000) }
}

#[test]
fn listing() {
    fuzz("listing", [&br#"[{"drivewsid":"FOLDER::z::F","status":"ID_INVALID"}]"#[..], b"{}"], |bytes| {
        let entries = match read_entries(Bounded::new(bytes, 1 << 20)) {
            Err(error) => return format!("{}", is_too_much(&error)),
            Ok(None) => return "none".to_owned(),
            Ok(Some(entries)) => entries,
        };
        let survey = survey::read(bytes).expect("bytes can be read");
        assert!(survey.is_none_or(|found| found.len() <= entries.len()));
        let mut label = format!("{}", entries.len().min(3));
        for (at, entry) in entries.into_iter().enumerate() {
            let (brief, trash) = (at % 2 == 1, entry.is_trash());
            label += &format!(" {:?} {trash}", entry.refusal().map(|_| ()));
            let parent = if trash { RemoteParent::Trash } else { RemoteParent::Folder(ItemId::drive_root()) };
            let Some(listing) = entry.listing(&parent, brief) else { continue };
            // What goes on into the program can stand in a path and hangs where it was looked for.
            assert!(listing.items.iter().all(|item| item.parent == parent));
            assert!(brief || listing.items.iter().all(|item| check_name(&item.entry.name).is_ok()));
            let kinds: Vec<_> = listing.items.iter().take(4).map(|item| item.entry.kind.clone()).collect();
            label += &format!(" {:?} {kinds:?} {}", listing.folder.state, listing.unusable.len().min(2));
        }
        label
    });
}

#[test]
fn details() {
    let seeds = [
        &br#"{"items":[{"drivewsid":"FILE::com.apple.CloudDocs::A","docwsid":"A","name":"a","extension":"txt","type":"FILE",
            "etag":"1::2","size":"5","dateModified":"2026-01-02T03:04:05Z","parentId":"FOLDER::com.apple.CloudDocs::root"}]}"#[..],
        br#"[{"items":[{"drivewsid":"FOLDER::z::B","type":"APP_LIBRARY","isDeleted":"true","share":{"a":1},"fileCount":3}]},
            {"drivewsid":"FILE::z::C","status":"NOT_FOUND"}]"#,
    ];
    fuzz("details", seeds, |bytes| {
        let id = ItemId::new(Zone::CloudDocs, "A");
        let looked_up = survey::looked_up(bytes, &id);
        let Some(items) = parse_details(bytes) else { return "none".to_owned() };
        let kind = |item: &Item| {
            let remote = item.to_remote();
            assert!(remote.as_ref().is_none_or(|remote| {
                let name = &remote.entry.name;
                check_name(name).is_ok() || name.is_empty() && remote.entry.is_folder()
            }));
            (
                item.refusal().is_some(),
                remote.map(|remote| (remote.entry.kind, remote.entry.size.get().is_some())),
            )
        };
        format!("{looked_up:?} {:?}", items.iter().take(3).map(kind).collect::<Vec<_>>())
    });
}

#[test]
fn documents() {
    let seeds = [
        &br#"{"document_id":"9F0C","etag":"4a::49","parent_id":"root","name":"R.pdf","type":"file","mtime":1772450553999,
            "size":"5","data":{"signature":"AcW96XzA8CMFcrVWfJyAAy8aWWE6","size":5}}"#[..],
        br#"{"document_id":"A","data_token":{"url":"https://h/B/x?e=1795000000","signature":"AcW96XzA8CMFcrVWfJyAAy8aWWE6"},
            "double_etag":"1::2"}"#,
        br#"{"document_id":"A","package_token":{"url":"https://h/packageDownload/x"}}"#,
        br#"[{"document_id":"A","url":"https://h/x"}]"#,
        br#"{"singleFile":{"fileChecksum":"AcW9","referenceChecksum":"b","wrappingKey":"c","size":"3","receipt":"r"}}"#,
    ];
    fuzz("documents", seeds, |bytes| {
        let id = ItemId::new(Zone::CloudDocs, "A");
        let document = serde_json::from_slice::<Document>(bytes).ok();
        let item = document.and_then(|document| document.to_remote(&Zone::CloudDocs));
        let offer = serde_json::from_slice::<Download>(bytes).ok().and_then(|download| download.offer(&id));
        let slots = serde_json::from_slice::<Vec<Slot>>(bytes).ok();
        let slot = slots.iter().flatten().next().map(|slot| (slot.document_id.is_some(), slot.url.is_some()));
        let value: Option<Value> = serde_json::from_slice(bytes).ok();
        let stored =
            value.and_then(|value| serde_json::from_value::<Stored>(value.get("singleFile")?.clone()).ok());
        let data = stored.map(|stored| stored.commit_data(3).as_object().map(serde_json::Map::len));
        let offer = offer.map(|offer| (offer.package, offer.signature.is_some()));
        format!(
            "{:?} {offer:?} {slot:?} {data:?}",
            item.map(|item| (item.entry.kind, item.parent == RemoteParent::Trash))
        )
    });
}

/// Reads `STATUS`, lines of headers and, after an empty line, a body.
pub(in crate::icloud) fn answer(bytes: &[u8]) -> Answer {
    let at = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = at.map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.parse().ok()).unwrap_or(200);
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    Answer { head: Head { status, headers }, body: body.to_vec() }
}

#[test]
fn refusals() {
    let seeds = [
        &b"429\nRetry-After: 120\nDate: Tue, 01 Dec 2026 00:00:00 GMT\n\n{\"retryAfter\":5.5,\"error\":{\"code\":\"THROTTLED\"}}"[..],
        b"503\nRetry-After: Tue, 01 Dec 2026 00:01:00 GMT\nDate: Tue, 01 Dec 2026 00:00:00 GMT\n\n",
        b"400\n\n{\"status\":{\"status_code\":12,\"error_message\":\"uniqueness constraint violation\"}}",
        b"200\n\n{\"reason\":\"ACCESS_DENIED\",\"retryAfter\":\"1e300\",\"errorCode\":421,\"status\":\"ETAG_CONFLICT\"}",
    ];
    fuzz("refusals", seeds, |bytes| {
        let answer = answer(bytes);
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let classified = classify(answer.head.status, body.as_ref());
        let class = classified.class;
        let error = classified.into_error(bytes.len() % 2 == 0, wait_asked(&answer));
        assert!(error.to_string().len() < 1000);
        let inner = body.as_ref().map(|body| classify_result(body).class);
        let throttled = throttle::read(&answer);
        let rest = throttled.map(|(cause, asked)| {
            let first = throttle::Rest::after(None, reading(), cause, asked);
            let second = throttle::Rest::after(Some(&first), reading(), Cause::Service, asked);
            let left = second.left(reading()).unwrap_or_default();
            assert!(left <= Duration::from_secs(2 * 86_400), "{left:?}");
            assert!(!throttle::told(left).is_empty());
            (cause, asked.is_some())
        });
        format!("{class:?} {inner:?} {rest:?} {}", answer.head.date().is_some())
    });
}

#[test]
fn set_cookie() {
    let seeds = [
        &b"200\nSet-Cookie: X-APPLE-WEBAUTH-HSA-TRUST=abcdefghijkl; Domain=.icloud.com; Path=/; Secure; HttpOnly; Expires=Tue, 01 Jan 2080 00:00:00 GMT\nSet-Cookie: X-APPLE-WEBAUTH-VALIDATE=\"v=1:t=UPLOADTOKEN12:e=2\"; Domain=.icloud.com; Path=/; Secure"[..],
        b"200\nSet-Cookie: a=value; Max-Age=600; Path=/setup\nSet-Cookie: a=; Max-Age=-1\nSet-Cookie: b=\xff\nSet-Cookie: c=1; Domain=com",
    ];
    fuzz("set_cookie", seeds, |bytes| {
        let answer = answer(bytes);
        let url = Url::parse("https://setup.icloud.com/setup/ws/1/accountLogin").expect("a URL");
        let mut jar = Cookies::default();
        let changed = jar.absorb(&url, &answer.head);
        end_of(TRUST_COOKIE, &url, &answer.head, NOW);
        // A cookie stays with whom it came from.
        let elsewhere = Url::parse("https://example.com/setup/ws/1/accountLogin").expect("a URL");
        assert_eq!(jar.header(&elsewhere), None);
        let sent = jar.header(&Url::parse("https://p31-drivews.icloud.com/x").expect("a URL"));
        assert!(sent.as_deref().is_none_or(|text| HeaderValue::from_str(text).is_ok()), "{sent:?}");
        let own = jar.header(&url);
        assert!(own.as_deref().is_none_or(|text| HeaderValue::from_str(text).is_ok()), "{own:?}");
        let stored = serde_json::to_vec(&jar).expect("it can be stored");
        let back: Cookies = serde_json::from_slice(&stored).expect("what was stored can be read");
        assert_eq!(back.header(&url), own);
        for cookie in jar.all() {
            let mut other = Cookies::default();
            other.put(&url, &cookie.name, &cookie.value, cookie.expires);
        }
        format!("{changed} {} {}", jar.all().len().min(3), sent.is_some())
    });
}

#[test]
fn session_file() {
    fuzz("session_file", [&b"{\"version\":1}"[..]], |bytes| {
        let Ok(session) = serde_json::from_slice::<Session>(bytes) else { return "none".to_owned() };
        session.trust_expires();
        session.is_trust_due(NOW);
        session.trust_days_left(NOW);
        session.back_off_left(reading());
        let mut later = session.clone();
        later.back_off_more(reading(), Cause::Service, Some(Duration::from_secs(7)));
        later.trust.learn(NOW + 5, NOW);
        let stored = serde_json::to_vec(&session).expect("it can be stored");
        let back: Session = serde_json::from_slice(&stored).expect("what was stored can be read");
        assert_eq!(serde_json::to_vec(&back).expect("it can be stored"), stored);
        format!("{} {} {}", session.half_open.is_some(), session.info.is_some(), session.back_off.is_some())
    });
}

#[test]
fn session_from_elsewhere() {
    let seeds = [
        &b".icloud.com\tTRUE\t/\tTRUE\t2000000000\tX-APPLE-WEBAUTH-TOKEN\t\"v=2:t=abc\"\n#HttpOnly_.icloud.com\tTRUE\t/\tTRUE\t0\ta\tb"[..],
        b"curl 'https://www.icloud.com/x' -H 'Cookie: a=1; b=\"2\"' -b $'c=\\u00e9\\x41\\'' --cookie \"d=4\"",
        b"Cookie: a=1; b=2",
        b"[{\"name\":\"a\",\"value\":\"b\",\"domain\":\".icloud.com\",\"expirationDate\":1800000000.5}]",
        br#"{"icloudds_session":1,"dsid":"1","client_id":"c","tokens":{"scnt":"s"},"cookies":[{"name":"a","value":"b","domain":"icloud.com"}]}"#,
    ];
    fuzz("session_from_elsewhere", seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return "no text".to_owned() };
        match foreign::read(text) {
            Err(why) => why.to_owned(),
            Ok(found) => format!("{} {}", found.cookies.len().min(4), found.client_id.is_some()),
        }
    });
}
