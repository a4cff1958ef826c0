//! docws: look-ups, download addresses, upload slots (`docs/protocol.md §8.3`, `§11.1`, `§12.1`).

use serde_json::{Value, json};

use super::answers::{bad_request, error, no_such_call, not_found};
use super::model::content::{Content, Hashes};
use super::model::id::CLOUD_DOCS;
use super::model::view::View;
use super::model::{Ix, ROOT};
use super::staging::{Download, Slot};
use super::{Call, commit, listing, wire, with_drive, with_hashes};
use crate::http::Response;
use crate::route::Service;
use crate::switches::{BodyLag, Gone, Quota, Sig, Switches, UrlHost, Zero};

/// Answers one call to docws. `upload_token` is what a slot request may carry (`docs/protocol.md §12.1`).
pub(crate) fn handle(mut call: Call, upload_token: &str) -> Response {
    let rest = call.rest.to_owned();
    let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["ws", zone, "download", "by_id"] => match call.request.query("document_id") {
            Some(doc) => download_info(&call, zone, doc, None).unwrap_or_else(|refusal| refusal),
            None => bad_request("document_id is missing"),
        },
        // What somebody else shares is found below its owner (docs/protocol.md §15).
        ["ws", zone, "download", "by_id", owner] => match call.request.query("document_id") {
            Some(doc) => download_info(&call, zone, doc, Some(owner)).unwrap_or_else(|refusal| refusal),
            None => bad_request("document_id is missing"),
        },
        ["ws", zone, "download", "batch"] => download_batch(call, zone),
        ["ws", zone, "list", "lookup_by_id"] => match call.request.query("document_id") {
            Some(doc) => look_up(&call, zone, doc),
            None => bad_request("document_id is missing"),
        },
        ["ws", zone, "list", "lookup_by_path"] => look_up_path(call, zone),
        ["ws", "_all_", "list", "enumerate", "recentDocs"] => recent(&call),
        ["ws", zone, "upload", "web"] => slot(call, zone, upload_token),
        ["ws", zone, "update", "documents"] => commit::handle(call, zone),
        ["v1", "item", id] => match find_item_id(&call, id) {
            Some(ix) => v1_item(&call, ix),
            None => not_found(),
        },
        ["v1", "enumerate", id] => match find_item_id(&call, id) {
            Some(ix) => v1_enumerate(&mut call, ix),
            None => not_found(),
        },
        _ => no_such_call(&rest),
    }
}

/// The item behind an id, when it still answers.
fn find(call: &Call, zone: &str, doc: &str) -> Option<Ix> {
    with_drive(call.core, |drive, _| drive.model.find(zone, doc).filter(|ix| drive.model.answers(*ix)))
}

fn find_item_id(call: &Call, id: &str) -> Option<Ix> {
    let (zone, doc) = wire::read_item_id(id)?;
    find(call, &zone, &doc)
}

fn unreadable(cause: &std::io::Error) -> Response {
    error(500, "SERVER_ERROR", &format!("the simulator cannot read a content: {cause}"))
}

/// The answer of by_id.
///
/// # Errors
///
/// The refusal to give instead.
fn download_info(call: &Call, zone: &str, doc: &str, owner: Option<&str>) -> Result<Response, Response> {
    let ix = find(call, zone, doc).ok_or_else(not_found)?;
    let is_shared = with_drive(call.core, |drive, _| drive.model.item(ix).kind.is_shared());
    if owner != is_shared.then_some(wire::OTHER_OWNER) {
        return Err(not_found());
    }
    let root = call.core.root(&call.request, Service::Content);
    let (view, token, switches, expires_ms, hashes) =
        with_hashes(call.core, ix, |drive, switches, hashes| {
            let view = drive.model.view(ix);
            let life_ms = i64::try_from(switches.url_life.as_millis()).unwrap_or(i64::MAX / 4);
            let now_ms = drive.model.now_ms();
            let expires_ms = now_ms.saturating_add(life_ms);
            let item = drive.model.item(ix);
            let lag_ms = i64::try_from(switches.body_lag_time.as_millis()).unwrap_or(i64::MAX / 4);
            let lags = item.content_at_ms.saturating_add(lag_ms) > now_ms;
            let download = match (&item.content, drive.model.package(ix)) {
                (Some(_), _) if lags && switches.body_lag == BodyLag::Absent => None,
                (Some(content), _) => {
                    let content = match switches.body_lag {
                        BodyLag::Empty if lags => Content::empty(),
                        BodyLag::Short if lags => content.first_half().unwrap_or_else(|_| Content::empty()),
                        _ => content.clone(),
                    };
                    Some(Download::File { name: view.name.clone(), content })
                }
                (None, Some(members)) => {
                    Some(Download::Package { name: view.name.clone(), members: members.to_vec() })
                }
                (None, None) => None,
            };
            let token = download.map(|download| drive.staging.add_download(download, now_ms, expires_ms));
            drive.model.note_known(ix);
            (view, token, switches.clone(), expires_ms, hashes.copied())
        })
        .map_err(|cause| unreadable(&cause))?;
    if let (Some(0), Zero::Status400, Some(_)) = (view.size, switches.zero, hashes) {
        return Err(bad_request("the document has no content"));
    }
    let mut answer = json!({
        "document_id": view.doc.to_string(),
        "item_id": wire::item_id(&view),
        "owner_dsid": 17_320_123_456_u64,
        "double_etag": view.etag,
    });
    let root = match switches.url_host {
        UrlHost::Own => root,
        UrlHost::Elsewhere => "https://content.example.net".to_owned(),
    };
    if let Some(token) = token {
        match hashes {
            Some(hashes) => {
                answer["data_token"] = data_token(&root, &view, &hashes, &token, expires_ms, switches.sig);
            }
            None => {
                let url = address(&root, "packageDownload", &view, &token, expires_ms);
                answer["package_token"] = json!({"url": url});
            }
        }
    }
    Ok(Response::json(200, &answer))
}

fn data_token(root: &str, view: &View, hashes: &Hashes, token: &str, expires_ms: i64, rule: Sig) -> Value {
    let mut answer = json!({"token": token, "wrapping_key": wire::wrapping_key(hashes)});
    wire::add_signatures(&mut answer, "signature", "reference_signature", hashes, rule);
    let part = |name: &str| answer[name].as_str().unwrap_or_default().replace('/', "_").replace('+', "-");
    let path = format!("B/{}{}", part("signature"), part("reference_signature"));
    answer["url"] = json!(address(root, &path, view, token, expires_ms));
    answer
}

/// A download address in the form of the real ones; `a` is what the simulator finds the content by.
fn address(root: &str, path: &str, view: &View, token: &str, expires_ms: i64) -> String {
    format!(
        "{root}/{path}/{}?o=1&v=1&x=3&a={token}&e={}&fl=&ckc=com.apple.clouddocs&ckz={}&y=1&p=31",
        percent_encode(&view.name),
        expires_ms.div_euclid(1000),
        view.zone,
    )
}

fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn download_batch(mut call: Call, zone: &str) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(wanted) = body.as_array() else { return bad_request("an array of documents was expected") };
    let answers: Vec<Value> = wanted
        .iter()
        .map(|entry| {
            let doc = entry["document_id"].as_str().unwrap_or_default();
            let answer = download_info(&call, zone, doc, None).unwrap_or_else(|refusal| refusal);
            match answer.body {
                crate::http::Body::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
                crate::http::Body::Stream { .. } => Value::Null,
            }
        })
        .collect();
    Response::json(200, &Value::Array(answers))
}

fn look_up(call: &Call, zone: &str, doc: &str) -> Response {
    let found = find(call, zone, doc)
        .filter(|ix| with_drive(call.core, |drive, switches| !listing::flaps(drive, switches, *ix)));
    match found {
        Some(ix) => document(call, ix),
        None => with_drive(call.core, |_, switches| gone(switches, doc)),
    }
}

/// What a look-up answers about an id that is gone (S-gone); 404 is the documented form.
fn gone(switches: &Switches, doc: &str) -> Response {
    match switches.gone {
        Gone::IdInvalid | Gone::Status404 => not_found(),
        Gone::Status400 => bad_request("no such document"),
        Gone::IsDeleted => Response::json(200, &json!({"document_id": doc, "deleted": true})),
        Gone::Empty => Response::json(200, &json!({})),
    }
}

fn document(call: &Call, ix: Ix) -> Response {
    document_value(call, ix)
        .map_or_else(|cause| unreadable(&cause), |document| Response::json(200, &document))
}

fn document_value(call: &Call, ix: Ix) -> std::io::Result<Value> {
    with_hashes(call.core, ix, |drive, switches, hashes| {
        drive.model.note_known(ix);
        wire::document(&drive.model.view(ix), hashes, switches.sig)
    })
}

fn look_up_path(mut call: Call, zone: &str) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(path) = body.as_str() else { return bad_request("a path was expected") };
    let found = with_drive(call.core, |drive, _| {
        let top = if zone == CLOUD_DOCS { Some(ROOT) } else { drive.model.find(zone, "documents") };
        path.trim_matches('/')
            .split('/')
            .filter(|part| !part.is_empty())
            .try_fold(top?, |at, part| drive.model.taken_by(at, part, None))
    });
    match found {
        // An array either way: of documents, or of items as listings show them (docs/protocol.md §8.3).
        Some(ix) if call.request.query("unified_format") == Some("false") => {
            let document = document_value(&call, ix);
            document
                .map_or_else(|cause| unreadable(&cause), |document| Response::json(200, &json!([document])))
        }
        Some(ix) => {
            with_drive(call.core, |drive, _| Response::json(200, &json!([wire::item(&drive.model.view(ix))])))
        }
        None => not_found(),
    }
}

fn recent(call: &Call) -> Response {
    let limit = call.request.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50_usize);
    with_drive(call.core, |drive, switches| {
        let model = &drive.model;
        let mut files: Vec<Ix> = model
            .all()
            .filter(|ix| model.item(*ix).folder.is_none() && model.is_live(*ix) && !model.is_trashed(*ix))
            .collect();
        files.sort_by_key(|ix| std::cmp::Reverse(model.item(*ix).changed_ms));
        let documents: Vec<Value> = files
            .into_iter()
            .take(limit)
            .map(|ix| wire::document(&model.view(ix), None, switches.sig))
            .collect();
        Response::json(200, &json!({"documents": documents}))
    })
}

fn raw_item(view: &View) -> Value {
    let (name, extension) = &view.parts;
    json!({
        "item_id": wire::item_id(view),
        "item_info": {
            "name": name, "extension": extension, "size": view.size.unwrap_or(0).to_string(),
            "type": view.kind.type_name(), "version": view.etag,
            "modified_at": wire::date(view.modified_ms), "created_at": wire::date(view.created_ms),
            "urls": {},
        },
    })
}

fn v1_item(call: &Call, ix: Ix) -> Response {
    with_drive(call.core, |drive, _| Response::json(200, &raw_item(&drive.model.view(ix))))
}

fn v1_enumerate(call: &mut Call, ix: Ix) -> Response {
    let limit = call.request.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100_usize);
    with_drive(call.core, |drive, _| {
        let items: Vec<Value> =
            drive.model.children(ix).take(limit).map(|child| raw_item(&drive.model.view(child))).collect();
        Response::json(200, &json!({"drive_item": items}))
    })
}

/// Step 1 of an upload.
fn slot(mut call: Call, zone: &str, upload_token: &str) -> Response {
    if call.request.query("token").is_some_and(|token| token != upload_token) {
        return error(401, "AUTHENTICATION_FAILED", "the upload token is not this session's");
    }
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    // Clients send the size as a number or as its decimal digits.
    let size = body["size"].as_u64().or_else(|| body["size"].as_str().and_then(|size| size.parse().ok()));
    let (Some(size), Some(_)) = (size, body["filename"].as_str()) else {
        return bad_request("filename or size is missing");
    };
    let root = call.core.root(&call.request, Service::Content);
    with_drive(call.core, |drive, switches| {
        if !drive.model.has_zone(zone) {
            return error(400, "ZONE_NOT_FOUND", "no such zone");
        }
        let full = drive.staging.quota_used.saturating_add(size) > switches.quota_left;
        match switches.quota {
            Quota::Slot413 if full => return error(413, "QUOTA_EXCEEDED", "Quota exceeded"),
            Quota::Slot507 if full => return error(507, "QUOTA_EXCEEDED", "Quota exceeded"),
            _ => {}
        }
        let doc = drive.model.new_doc();
        let given_ms = drive.model.now_ms();
        let token = drive.staging.add_slot(Slot {
            doc,
            zone: zone.to_owned(),
            given_ms,
            staged: None,
            committed: None,
        });
        Response::json(
            200,
            &json!([{
                "document_id": doc.to_string(),
                "url": format!("{root}/upload/{token}?uploadType=web"),
                "owner": "_ab12cd34",
                "owner_id": "17320123456",
            }]),
        )
    })
}
