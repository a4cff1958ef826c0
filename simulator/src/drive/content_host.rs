//! The content hosts: downloads and step 2 of uploads (`docs/protocol.md §11.3` to `§11.5`, `§12.2`).

use std::io::{self, Read};

use serde_json::json;

use super::model::content::{Content, ContentWriter};
use super::model::names;
use super::package::{gzip, zip};
use super::staging::{Download, Staged, Staging};
use super::{Call, multipart, wire, with_drive};
use crate::http::Response;
use crate::route::Service;
use crate::switches::{Package, Quota, Range, UrlDead, ZeroUp};

/// A text above this size is never sent in gzip, in bytes.
const GZIP_AT_MOST: u64 = 64 * 1024;

/// Answers one call to a content host.
pub(crate) fn handle(call: Call) -> Response {
    match call.request.method.as_str() {
        "GET" => download(&call),
        "POST" | "PUT" => upload(call),
        _ => Response::empty(400),
    }
}

fn download(call: &Call) -> Response {
    let token = call.request.query("a").unwrap_or_default().to_owned();
    let (found, switches, packages) = with_drive(call.core, |drive, switches| {
        let now_ms = drive.model.now_ms();
        drive.staging.packages_sent += 1;
        (drive.staging.download(&token, now_ms), switches.clone(), drive.staging.packages_sent)
    });
    let Some(found) = found else {
        return Response::empty(match switches.url_dead {
            UrlDead::Status403 => 403,
            UrlDead::Status410 => 410,
            UrlDead::Status404 => 404,
        });
    };
    if let (Some(status), None) = (switches.content_redirect, call.request.query("redirected")) {
        let root = call.core.root(&call.request, Service::Content);
        let query: Vec<String> =
            call.request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = call.request.raw_path.strip_prefix("/content").unwrap_or(&call.request.raw_path);
        let target = format!("{root}{path}?{}&redirected=1", query.join("&"));
        return Response::empty(status).header("Location", target);
    }
    match found {
        Download::File { name, content } => {
            let gzips = switches.content_gzip && accepts_gzip(call) && is_small_text(&name, &content);
            if gzips { send_gzipped(&content) } else { send_file(call, &content, switches.range) }
        }
        Download::Package { name, members } => {
            // 1 January 2026 in the zip format's own form, or a stamp of this very download.
            let stamp = match switches.package {
                Package::VaryingZip => 0x5c21_0000 | (packages & 0xffff),
                Package::StableZip | Package::GzipWrapped => 0x5c21_0000,
            };
            let bytes = zip(&name, &members, stamp).and_then(|bytes| match switches.package {
                Package::GzipWrapped => gzip(&bytes),
                Package::StableZip | Package::VaryingZip => Ok(bytes),
            });
            match bytes {
                Ok(bytes) => Response::bytes(200, "application/zip", bytes),
                Err(cause) => Response::text(500, &cause.to_string()),
            }
        }
    }
}

fn accepts_gzip(call: &Call) -> bool {
    call.request.header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip"))
}

fn is_small_text(name: &str, content: &Content) -> bool {
    matches!(names::split(name).1, "txt" | "md" | "json" | "csv") && content.len() <= GZIP_AT_MOST
}

fn send_gzipped(content: &Content) -> Response {
    match content.to_vec().and_then(|bytes| gzip(&bytes)) {
        Ok(bytes) => {
            Response::bytes(200, "application/octet-stream", bytes).header("Content-Encoding", "gzip")
        }
        Err(cause) => Response::text(500, &cause.to_string()),
    }
}

fn send_file(call: &Call, content: &Content, rule: Range) -> Response {
    let total = content.len();
    let wanted =
        call.request.header("range").filter(|_| rule != Range::Ignored).map(|r| parse_range(r, total));
    let (status, start, end) = match wanted {
        None => (200, 0, total),
        Some(None) => {
            return Response::empty(416).header("Content-Range", format!("bytes */{total}"));
        }
        // One byte off, and honest about it: the client must look at Content-Range.
        Some(Some((start, end))) if rule == Range::WrongOffset => (206, start.saturating_sub(1), end),
        Some(Some((start, end))) => (206, start, end),
    };
    let response = Response::stream(status, end - start, Box::new(content.reader(start, end - start)))
        .header("Content-Type", "application/octet-stream");
    if status == 206 {
        response.header("Content-Range", format!("bytes {start}-{}/{total}", end - 1))
    } else {
        response
    }
}

/// Start and end (exclusive) of the only range of a `Range` header; `None` when it cannot be satisfied.
fn parse_range(header: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) => (start, last.saturating_add(1).min(total)),
        (Ok(start), Err(_)) if last.is_empty() => (start, total),
        (Err(_), Ok(suffix)) if first.is_empty() => (total.saturating_sub(suffix), total),
        _ => return None,
    };
    (start < end).then_some((start, end))
}

fn upload(mut call: Call) -> Response {
    let Some(token) = call.rest.strip_prefix("/upload/").map(str::to_owned) else {
        return Response::empty(404);
    };
    let is_open = with_drive(call.core, |drive, switches| {
        let now_ms = drive.model.now_ms();
        let life_ms = i64::try_from(switches.slot_life.as_millis()).unwrap_or(i64::MAX / 4);
        drive.staging.slot(&token).is_some_and(|slot| slot.given_ms.saturating_add(life_ms) > now_ms)
    });
    if !is_open {
        return Response::text(404, "no such upload slot");
    }
    let form = call.request.header("content-type").unwrap_or_default();
    let form = form.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (content, hashes) = match receive(&mut call) {
        Ok(writer) => writer.finish(),
        Err(cause) => return Response::text(400, &format!("the upload broke off or is malformed: {cause}")),
    };
    let size = content.len();
    with_drive(call.core, |drive, switches| {
        drive.staging.forms.push(form);
        if size == 0 && switches.zero_up == ZeroUp::Status4xx {
            return Response::text(400, "empty content");
        }
        let full = drive.staging.quota_used.saturating_add(size) > switches.quota_left;
        match switches.quota {
            Quota::Content413 if full => return Response::text(413, "Request Entity Too Large"),
            Quota::Content507 if full => return Response::text(507, "Quota exceeded"),
            _ => {}
        }
        let receipt = (size > 0).then(|| Staging::receipt(&token));
        let Some(slot) = drive.staging.slot(&token) else {
            return Response::text(404, "no such upload slot");
        };
        slot.staged = Some(Staged { content, hashes, receipt: receipt.clone() });
        let mut file = json!({"wrappingKey": wire::wrapping_key(&hashes), "size": size});
        wire::add_signatures(&mut file, "fileChecksum", "referenceChecksum", &hashes, switches.sig);
        if let Some(receipt) = receipt {
            file["receipt"] = json!(receipt);
        }
        Response::json(200, &json!({"singleFile": file}))
    })
}

/// Takes the body's content: the one part of a multipart body, or the body itself.
fn receive(call: &mut Call) -> io::Result<ContentWriter> {
    let mut writer = ContentWriter::new();
    let announced = call.request.content_length;
    let content_type = call.request.header("content-type").unwrap_or_default().to_owned();
    match multipart::boundary(&content_type) {
        Some(boundary) => multipart::copy_part(&mut call.request.body, &boundary, &mut writer)?,
        None => {
            let got = io::copy(&mut call.request.body, &mut writer)?;
            if announced.is_some_and(|announced| announced != got) {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "shorter than announced"));
            }
        }
    }
    // Whatever follows the last boundary belongs to this request.
    io::copy(&mut (&mut call.request.body).take(1024), &mut io::sink())?;
    Ok(writer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_exact_or_refused() {
        for (header, expected) in [
            ("bytes=0-", Some((0, 10))),
            ("bytes=4-", Some((4, 10))),
            ("bytes=4-5", Some((4, 6))),
            ("bytes=4-500", Some((4, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("lines=1-", None),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
    }
}
