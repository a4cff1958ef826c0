//! Items as JSON (`docs/protocol.md §7.3`, `§12.4`).

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::content::Hashes;
use super::model::item::Kind;
use super::model::view::View;
use crate::fault::mix;
use crate::switches::Sig;

/// Who shares the shared items.
pub(crate) const OTHER_OWNER: &str = "_ab12cd34";

/// Counts the random signatures given (S-sig = random).
static LOOKS: AtomicU64 = AtomicU64::new(1);

/// ISO-8601 in UTC, whole seconds.
pub(crate) fn date(ms: i64) -> String {
    format_date(ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// ISO-8601 with the offset of the service's own place, as `dateChanged` has it.
fn pacific_date(ms: i64) -> String {
    format_date(ms.saturating_sub(7 * 3_600_000), "%Y-%m-%dT%H:%M:%S-07:00")
}

fn format_date(ms: i64, format: &str) -> String {
    // A commit may bring any number; what no calendar has is shown as the epoch.
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).strftime(format).to_string()
}

/// The opaque id of `/v1` calls; the simulator can read it back.
pub(crate) fn item_id(view: &View) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{}", view.zone, view.doc))
}

/// Zone and `docwsid` behind an opaque id.
pub(crate) fn read_item_id(id: &str) -> Option<(String, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
    let (zone, doc) = text.split_once('/')?;
    Some((zone.to_owned(), doc.to_owned()))
}

/// An item in a drivews answer, without `status`.
pub(crate) fn item(view: &View) -> Value {
    let is_file = view.counts.is_none();
    let (name, extension) = &view.parts;
    let mut json = json!({
        "drivewsid": view.drivewsid,
        "docwsid": view.doc.to_string(),
        "zone": view.zone,
        "item_id": item_id(view),
        "name": name,
        "type": view.kind.type_name(),
        "etag": if view.deleted { "null" } else { &view.etag },
        "dateCreated": date(view.created_ms),
    });
    if let Some(parent) = &view.parent {
        json["parentId"] = json!(parent);
    }
    if !extension.is_empty() {
        json["extension"] = json!(extension);
    }
    if is_file {
        json["size"] = json!(view.size);
        json["dateModified"] = json!(date(view.modified_ms));
        json["dateChanged"] = json!(pacific_date(view.changed_ms));
        json["lastOpenTime"] = json!(date(view.changed_ms));
        json["isChainedToParent"] = json!(true);
    }
    match (view.kind, view.counts) {
        (Kind::Library { .. }, _) => {
            json["maxDepth"] = json!("ANY");
            json["icons"] = json!([]);
            json["supportedExtensions"] = json!([]);
            json["supportedTypes"] = json!(["public.item"]);
        }
        (_, Some(counts)) => {
            json["assetQuota"] = json!(counts.quota);
            json["fileCount"] = json!(counts.files);
            json["directChildrenCount"] = json!(counts.direct);
            json["shareCount"] = json!(0);
            json["shareAliasCount"] = json!(0);
        }
        _ => {}
    }
    if view.kind.is_shared() {
        json["share"] = json!("TO_ME");
        json["shareID"] = json!({
            "shareName": "SHARE_UUID",
            "recordName": "share-of-somebody",
            "zoneID": {"zoneName": view.zone, "ownerRecordName": OTHER_OWNER},
        });
        json["owner"] = json!({"firstName": "Somebody", "lastName": "Else", "ownerRecordName": OTHER_OWNER});
    }
    if let Some((path, expires_ms)) = &view.trashed {
        json["restorePath"] = json!(path);
        json["dateExpiration"] = json!(date(*expires_ms));
    }
    if view.deleted {
        json["isDeleted"] = json!(true);
    }
    json
}

/// An item in a listing with `partialData:true`.
pub(crate) fn partial_item(view: &View) -> Value {
    json!({"drivewsid": view.drivewsid, "docwsid": view.doc.to_string(), "etag": view.etag})
}

/// The document object of docws. `signature` is left out when it is absent.
pub(crate) fn document(view: &View, hashes: Option<&Hashes>, rule: Sig) -> Value {
    let mut data = json!({"owner": "17320123456", "size": view.size});
    if let Some(hashes) = hashes {
        add_signatures(&mut data, "signature", "reference_signature", hashes, rule);
        data["wrapping_key"] = json!(wrapping_key(hashes));
    }
    let in_trash = view.parent.as_deref() == Some(super::model::id::TRASH_ROOT);
    let parent = match view.parent_doc {
        Some(doc) => json!(doc.to_string()),
        None => json!(view.parent),
    };
    json!({
        "status": {"status_code": 0, "error_message": ""},
        "document_id": view.doc.to_string(),
        "item_id": item_id(view),
        "etag": view.etag,
        "parent_id": parent,
        "name": view.name,
        "type": view.kind.type_name(),
        "deleted": view.deleted || in_trash,
        "mtime": view.modified_ms,
        "btime": view.created_ms,
        "size": view.size,
        "zone": view.zone,
        "last_editor_name": "{\"name\":\"Sync Test\"}",
        "data": data,
        "file_flags": {"is_executable": view.executable, "is_writable": true, "is_hidden": false},
        "lastOpenedTime": view.changed_ms,
        "restorePath": view.trashed.as_ref().map(|(path, _)| path),
        "hasChainedParent": true,
    })
}

/// Adds a signature and the reference signature that comes with it, as S-sig says.
pub(crate) fn add_signatures(to: &mut Value, own: &str, reference: &str, hashes: &Hashes, rule: Sig) {
    let signature = match rule {
        Sig::Absent => return,
        Sig::Formula => hashes.signature(0x01),
        Sig::OtherPrefix => hashes.signature(0x81),
        // Another value at every look, also for one content.
        Sig::Random => scrambled(hashes, LOOKS.fetch_add(1, Ordering::Relaxed)),
    };
    to[own] = json!(signature);
    to[reference] = json!(scrambled(hashes, 0x5eed));
}

/// A key that stands for one content.
pub(crate) fn wrapping_key(hashes: &Hashes) -> String {
    STANDARD.encode(&hashes.sha1[..16])
}

/// A value of a signature's form that says nothing about the content.
fn scrambled(hashes: &Hashes, salt: u64) -> String {
    let mut raw = [0_u8; 21];
    raw[0] = 0x01;
    for (at, byte) in raw[1..].iter_mut().enumerate() {
        *byte = hashes.sha1[at] ^ mix(salt.wrapping_add(at as u64)).to_le_bytes()[0];
    }
    STANDARD.encode(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_whole_seconds_and_the_offset_names_the_same_moment() {
        assert_eq!(date(1_772_450_553_999), "2026-03-02T11:22:33Z");
        assert_eq!(pacific_date(1_772_450_553_000), "2026-03-02T04:22:33-07:00");
        assert_eq!(date(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
