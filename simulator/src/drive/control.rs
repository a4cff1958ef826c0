//! The drive's part of the control endpoint: what [`Person`] does, for tests and demos in other processes.
//!
//! | call | effect |
//! |---|---|
//! | `GET /_sim/drive/tree` | everything in the tree: path, kind, size, mtime, SHA-1, id, etag |
//! | `GET /_sim/drive/trash` | the same for the trash |
//! | `GET /_sim/drive/content?path=…` | the bytes of a file |
//! | `GET /_sim/drive/lost` | contents that are lost by promise P1 |
//! | `POST /_sim/drive/write?path=…` body: bytes | writes a file |
//! | `POST /_sim/drive/folder?path=…` | makes a folder |
//! | `POST /_sim/drive/rename?path=…&name=…` | renames |
//! | `POST /_sim/drive/move?path=…&to=…` | moves into a folder |
//! | `POST /_sim/drive/trash?path=…`, `/delete`, `/putback` | as the names say |
//! | `POST /_sim/drive/lifelike` | fills the Drive with the demo's tree |

use std::io;

use serde_json::{Value, json};

use super::Call;
use super::model::content::ContentWriter;
use super::person::{Person, PersonError, TreeEntry};
use crate::http::Response;

/// Answers one call below `/_sim/drive`.
pub(crate) fn handle(mut call: Call) -> Response {
    let person = Person::new(call.core);
    let path = call.request.query("path").unwrap_or_default().to_owned();
    let what = call.rest.trim_start_matches("/drive");
    match (call.request.method.as_str(), what) {
        ("GET", "/tree") => list(person.tree()),
        ("GET", "/trash") => list(person.trash_contents()),
        ("GET", "/content") => match person.entry(&path).and_then(|entry| entry.content) {
            Some(content) => {
                let len = content.len();
                Response::stream(200, len, Box::new(content.reader(0, len)))
            }
            None => failed(&format!("{path}: no such file")),
        },
        ("GET", "/lost") => match person.lost_contents() {
            Ok(lost) => {
                let lost: Vec<Value> = lost
                    .iter()
                    .map(|lost| json!({"path": lost.path, "sha1": lost.sha1, "size": lost.len}))
                    .collect();
                Response::json(200, &Value::Array(lost))
            }
            Err(cause) => failed(&cause.to_string()),
        },
        ("POST", "/write") => {
            let mut writer = ContentWriter::new();
            match io::copy(&mut call.request.body, &mut writer) {
                Ok(_) => outcome(person.write(&path, writer.finish().0)),
                Err(cause) => failed(&cause.to_string()),
            }
        }
        ("POST", "/folder") => outcome(person.folder(&path)),
        ("POST", "/rename") => outcome(person.rename(&path, call.request.query("name").unwrap_or_default())),
        ("POST", "/move") => outcome(person.move_to(&path, call.request.query("to").unwrap_or_default())),
        ("POST", "/trash") => outcome(person.trash(&path)),
        ("POST", "/delete") => outcome(person.delete(&path)),
        ("POST", "/putback") => outcome(person.put_back(&path)),
        ("POST", "/lifelike") => outcome(person.fill_lifelike()),
        _ => Response::text(404, "no such control call"),
    }
}

fn list(entries: impl IntoIterator<Item = (String, TreeEntry)>) -> Response {
    let mut items = Vec::new();
    for (path, entry) in entries {
        let sha1 = match entry.sha1() {
            Ok(sha1) => sha1,
            Err(cause) => return failed(&format!("{path}: {cause}")),
        };
        items.push(json!({
            "path": path,
            "kind": entry.kind.type_name(),
            "size": entry.size,
            "mtime": entry.mtime_ms,
            "sha1": sha1,
            "id": entry.docwsid,
            "etag": entry.etag,
        }));
    }
    Response::json(200, &Value::Array(items))
}

fn outcome(result: Result<(), PersonError>) -> Response {
    match result {
        Ok(()) => Response::json(200, &json!({"success": true})),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(text: &str) -> Response {
    Response::json(400, &json!({"success": false, "error": text}))
}
