//! What is sent to `{drivews}` and `{docws}`, and where their answers keep the results
//! (`docs/protocol.md` §8 to §12).

use serde_json::{Value, json};

use super::wire::{drivewsid, part};
use super::wire_docs::Stored;
use crate::engine::ports::{Commit, ItemVersion};
use crate::model::{Etag, ItemId};

/// The body of a listing (§8.1).
pub(super) fn listing(ids: &[String], brief: bool) -> String {
    let entries: Vec<_> = ids.iter().map(|id| json!({"drivewsid": id, "partialData": brief})).collect();
    json!(entries).to_string()
}

/// The body of a details call, as an object and as an array around it (§8.2).
pub(super) fn details<'a>(items: impl Iterator<Item = &'a (ItemId, bool)>) -> [String; 2] {
    let entry = |(id, folder): &(ItemId, bool)| json!({"drivewsid": drivewsid(id, *folder), "partialData": false, "includeHierarchy": false});
    let object = json!({"items": items.map(entry).collect::<Vec<_>>()});
    [object.to_string(), json!([object]).to_string()]
}

/// A folder to be made (§10.1).
pub(super) fn new_folder(key: &str, name: &str) -> Value {
    json!({"clientId": key, "name": name})
}

/// An item to be renamed (§10.2).
pub(super) fn renamed(id: &str, etag: &Etag, name: &str, extension: Option<&str>) -> Value {
    let mut entry = json!({"drivewsid": id, "etag": etag.as_str(), "name": name});
    if let Some(extension) = extension {
        entry["extension"] = json!(extension);
    }
    entry
}

/// An item to be moved, trashed, deleted or put back (§10.3 to §10.7).
pub(super) fn changed(item: &ItemVersion) -> Value {
    let id = drivewsid(&item.id, item.folder);
    json!({"drivewsid": id, "etag": item.etag.as_str(), "clientId": id})
}

/// The body of a call that changes several items (§10).
pub(super) fn change(member: &str, entries: &[Value], destination: Option<&str>) -> String {
    let mut body = json!({ member: entries });
    if let Some(destination) = destination {
        body["destinationDrivewsId"] = json!(destination);
    }
    body.to_string()
}

/// The results in the answer to a change.
pub(super) fn change_results(answer: Value, member: &str) -> Vec<Value> {
    match answer {
        Value::Array(results) => results,
        Value::Object(mut object) => match object.remove(member) {
            Some(Value::Array(results)) => results,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Whether a result is that of the item known by `key`: its id, or the id that we gave it.
pub(super) fn is_result_of(result: &Value, key: &str) -> bool {
    ["drivewsid", "clientId"].iter().any(|member| result.get(member).and_then(Value::as_str) == Some(key))
}

/// A status word as the answer of an item, to be classified like one (§16.2).
pub(super) fn status(word: &str) -> Value {
    json!({ "status": word })
}

/// The body that asks for several downloads (§11.1).
pub(super) fn downloads<'a>(documents: impl Iterator<Item = &'a ItemId>) -> String {
    let entries: Vec<_> = documents.map(|id| json!({"document_id": id.doc()})).collect();
    json!(entries).to_string()
}

/// The body that asks for an upload slot (§12.1).
pub(super) fn slot(name: &str, content_type: &str, size: u64) -> String {
    json!({"filename": name, "type": "FILE", "content_type": content_type, "size": size}).to_string()
}

/// What a content host says of the content that it took (§12.2).
pub(super) fn stored(answer: &Value) -> Option<Stored> {
    part(answer.get("singleFile")?)
}

/// The body of `update/documents` (§12.3).
pub(super) fn commit(commit: &Commit<'_>, data: &Value) -> String {
    let document = commit.replaces.map_or_else(|| commit.staged.document.clone(), ItemId::doc);
    json!({
        "data": data,
        "command": "add_file",
        "create_short_guid": true,
        "document_id": document,
        "path": {"starting_document_id": commit.parent.doc(), "path": commit.name},
        // Create if absent; a replacement is named by its document id instead.
        "allow_conflict": false,
        "file_flags": {"is_writable": true, "is_executable": commit.executable, "is_hidden": false},
        "mtime": commit.mtime.0.saturating_mul(1000),
        "btime": commit.btime.0.saturating_mul(1000),
    })
    .to_string()
}

/// The one result of a commit, and the document in it (§12.4).
pub(super) fn commit_result(answer: &Value) -> Option<(&Value, Option<&Value>)> {
    match answer.get("results")?.as_array()?.as_slice() {
        [result] => Some((result, result.get("document"))),
        _ => None,
    }
}
