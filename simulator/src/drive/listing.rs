//! The reading calls of drivews (`docs/protocol.md §8`, `§9`, `§14`).

use std::time::Duration;

use serde_json::{Value, json};

use super::answers::{bad_request, not_found};
use super::model::id::{TRASH_ROOT, is_trash_root};
use super::model::item::Kind;
use super::model::view::{Listed, View};
use super::model::{Ix, ROOT};
use super::{Call, Drive, wire, with_drive};
use crate::http::Response;
use crate::switches::{ApplibEmpty, Batch, Details, Flap, Gone, Shared, Short, Switches};

/// An answer about one id, or the refusal of the whole call.
enum Entry {
    /// Goes into the array.
    Found(Value),
    /// The id does not resolve; S-gone says how that looks.
    Gone(Value),
    /// The whole call is refused.
    Refuse(Response),
}

/// `retrieveItemDetailsInFolders`.
pub(crate) fn folders(mut call: Call) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(wanted) = body.as_array() else { return bad_request("an array of folders was expected") };
    *call.core.state().counts.entry("listing.folders".to_owned()).or_default() += wanted.len() as u64;
    with_drive(call.core, |drive, switches| {
        let delay = cost(drive, switches, wanted);
        let mut response = list_all(drive, switches, wanted);
        response.delay = delay;
        response
    })
}

/// How long the service takes for these folders: most take next to nothing, the root and the trash may take half a minute.
fn cost(drive: &mut Drive, switches: &Switches, wanted: &[Value]) -> Duration {
    let mut delay = Duration::ZERO;
    let mut costly = false;
    for drivewsid in wanted.iter().filter_map(|entry| entry["drivewsid"].as_str()) {
        if is_trash_root(drivewsid) {
            drive.asked.trash += 1;
            costly = true;
            delay += switches.slow_trash;
        } else if drive.model.find_drivewsid(drivewsid) == Some(ROOT) {
            drive.asked.root += 1;
            costly = true;
            let changes = drive.model.changes();
            if drive.root_listed_at.replace(changes).is_some_and(|before| before != changes) {
                delay += switches.slow_root;
            }
        }
    }
    drive.asked.mixed += u64::from(costly && wanted.len() > 1);
    delay
}

fn list_all(drive: &mut Drive, switches: &Switches, wanted: &[Value]) -> Response {
    let refused = match switches.batch {
        Batch::RefuseOver(limit) => wanted.len() > limit,
        Batch::Status400 => wanted.len() > 1,
        Batch::Ok | Batch::DropSome | Batch::Shuffle => false,
    };
    if refused {
        return bad_request("too many folders in one call");
    }
    let entries = wanted.iter().map(|entry| list_one(drive, switches, entry)).collect();
    let mut answers = match gather(entries, switches) {
        Ok(answers) => answers,
        Err(answer) => return answer,
    };
    if answers.len() > 1 {
        match switches.batch {
            // Every third answer, the second one first.
            Batch::DropSome => {
                let mut at = 0;
                answers.retain(|_| {
                    at += 1;
                    at % 3 != 2
                });
            }
            Batch::Shuffle => answers.reverse(),
            Batch::Ok | Batch::RefuseOver(_) | Batch::Status400 => {}
        }
    }
    Response::json(200, &Value::Array(answers))
}

/// Makes one answer of many; a call about nothing but missing ids may be refused as a whole (S-gone).
fn gather(entries: Vec<Entry>, switches: &Switches) -> Result<Vec<Value>, Response> {
    let all_gone = entries.iter().all(|entry| matches!(entry, Entry::Gone(_))) && !entries.is_empty();
    match switches.gone {
        Gone::Status404 if all_gone => return Err(not_found()),
        Gone::Status400 if all_gone => return Err(bad_request("no such item")),
        _ => {}
    }
    let mut answers = Vec::new();
    for entry in entries {
        match entry {
            Entry::Found(value) => answers.push(value),
            Entry::Gone(value) => match switches.gone {
                Gone::Empty => {}
                _ => answers.push(value),
            },
            Entry::Refuse(answer) => return Err(answer),
        }
    }
    Ok(answers)
}

/// What is said about an id that does not resolve.
fn gone(drivewsid: &str, switches: &Switches) -> Entry {
    let mut value = json!({"drivewsid": drivewsid, "status": "ID_INVALID"});
    if switches.gone == Gone::IsDeleted {
        value = json!({"drivewsid": drivewsid, "etag": "null", "isDeleted": true, "status": "OK"});
    }
    Entry::Gone(value)
}

fn list_one(drive: &mut Drive, switches: &Switches, wanted: &Value) -> Entry {
    let Some(drivewsid) = wanted["drivewsid"].as_str() else {
        return Entry::Refuse(bad_request("an entry has no drivewsid"));
    };
    let partial = wanted["partialData"].as_bool().unwrap_or(false);
    if is_trash_root(drivewsid) {
        let views = drive.model.listing(Listed::Trash);
        return Entry::Found(with_items(drive, json!({"drivewsid": TRASH_ROOT}), &views, partial));
    }
    let Some(ix) = find_folder(drive, switches, drivewsid) else { return gone(drivewsid, switches) };
    let kind = drive.model.item(ix).kind;
    if kind == Kind::FolderInShared && switches.shared == Shared::Nested400 && !wanted["shareID"].is_object()
    {
        return Entry::Refuse(bad_request("a folder inside a share needs its shareID"));
    }
    let mut views = drive.model.listing(Listed::Folder(ix)).to_vec();
    if let (Kind::Library { .. }, ApplibEmpty::IdInvalid, true) =
        (kind, switches.applib_empty, views.is_empty())
    {
        return Entry::Found(json!({"drivewsid": drivewsid, "status": "ID_INVALID"}));
    }
    let mut folder = wire::item(&drive.model.view(ix));
    folder["status"] = json!("OK");
    if wanted["includeHierarchy"].as_bool() == Some(true) {
        folder["hierarchy"] = hierarchy(drive, ix);
    }
    let full = views.len();
    let times = drive.listed.entry(ix).or_default();
    *times += 1;
    // Every other listing of a folder is struck, so that a second look can tell.
    let struck = switches.short != Short::Never && *times % 2 == 1;
    let left_out = if struck { views.pop() } else { None };
    let mut answer = with_items(drive, folder, &views, partial);
    match switches.short {
        Short::AnnounceMore => answer["numberOfItems"] = json!(full),
        // The folder's own counts agree with what is shown.
        Short::SilentlyFewer => {
            let files = left_out.map_or(0, |view| view.counts.map_or(1, |counts| counts.files));
            for (count, less) in [("directChildrenCount", (full - views.len()) as u64), ("fileCount", files)]
            {
                if let Some(told) = answer[count].as_u64() {
                    answer[count] = json!(told.saturating_sub(less));
                }
            }
        }
        Short::Never => {}
    }
    Entry::Found(answer)
}

/// A live folder that may be listed.
fn find_folder(drive: &Drive, switches: &Switches, drivewsid: &str) -> Option<Ix> {
    let ix = find_live(drive, switches, drivewsid)?;
    drive.model.item(ix).folder.as_ref().map(|_| ix)
}

/// An item that look-ups answer. Shared items vanish with their share (S-shared).
fn find_live(drive: &Drive, switches: &Switches, drivewsid: &str) -> Option<Ix> {
    let ix = drive.model.find_drivewsid(drivewsid)?;
    let shares_gone = matches!(switches.shared, Shared::None | Shared::Vanishes);
    if drive.model.item(ix).kind.is_shared() && shares_gone {
        return None;
    }
    drive.model.answers(ix).then_some(ix)
}

fn with_items(drive: &mut Drive, mut folder: Value, views: &[View], partial: bool) -> Value {
    let mut items: Vec<Value> =
        views.iter().map(|view| if partial { wire::partial_item(view) } else { wire::item(view) }).collect();
    if let Some(size) = drive.package_size.filter(|_| !partial) {
        for (item, view) in items.iter_mut().zip(views) {
            if view.kind == Kind::Package {
                item["size"] = json!(size);
            }
        }
    }
    for view in views {
        // Only what the listing really shows counts as seen: it may be an older state.
        if view.etag == drive.model.etag(view.ix) {
            drive.model.note_shown(view.ix);
        }
    }
    folder["numberOfItems"] = json!(items.len());
    folder["items"] = Value::Array(items);
    folder
}

/// The path from the root to an item, the root first.
fn hierarchy(drive: &Drive, ix: Ix) -> Value {
    let mut path = drive.model.ancestors(ix);
    path.reverse();
    path.push(ix);
    path.into_iter()
        .map(|at| {
            let view = drive.model.view(at);
            json!({"drivewsid": view.drivewsid, "name": view.name, "etag": view.etag})
        })
        .collect()
}

/// `retrieveItemDetails`, with its body as an object or as an array of one.
pub(crate) fn details(mut call: Call) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let as_array = body.is_array();
    if as_array && call.core.switches().details == Details::Object {
        return bad_request("an object with items was expected");
    }
    let inner = if as_array { &body[0] } else { &body };
    let Some(wanted) = inner["items"].as_array() else { return bad_request("no items were asked for") };
    with_drive(call.core, |drive, switches| {
        let entries = wanted.iter().map(|entry| details_of_one(drive, switches, entry)).collect();
        match gather(entries, switches) {
            Ok(answers) if as_array => Response::json(200, &Value::Array(answers)),
            Ok(answers) => Response::json(200, &json!({"items": answers})),
            Err(answer) => answer,
        }
    })
}

fn details_of_one(drive: &mut Drive, switches: &Switches, wanted: &Value) -> Entry {
    let Some(drivewsid) = wanted["drivewsid"].as_str() else {
        return Entry::Refuse(bad_request("an entry has no drivewsid"));
    };
    if is_trash_root(drivewsid) {
        let count = drive.model.trash().len();
        return Entry::Found(json!({"drivewsid": TRASH_ROOT, "numberOfItems": count, "status": "OK"}));
    }
    let Some(ix) = find_live(drive, switches, drivewsid) else { return gone(drivewsid, switches) };
    if flaps(drive, switches, ix) {
        return gone(drivewsid, switches);
    }
    drive.model.note_shown(ix);
    let mut item = wire::item(&drive.model.view(ix));
    item["status"] = json!("OK");
    if wanted["includeHierarchy"].as_bool() == Some(true) {
        item["hierarchy"] = hierarchy(drive, ix);
    }
    Entry::Found(item)
}

/// Whether an existing id answers "gone" this time (S-flap). The root, by which clients prove that they are
/// signed in, never does.
pub(crate) fn flaps(drive: &mut Drive, switches: &Switches, ix: Ix) -> bool {
    switches.flap == Flap::Once && ix != ROOT && drive.flapped.insert(ix)
}

/// `retrieveTrashDetails`.
pub(crate) fn trash_details(call: Call) -> Response {
    with_drive(call.core, |drive, _| {
        let views = drive.model.listing(Listed::Trash);
        Response::json(
            200,
            &with_items(drive, json!({"drivewsid": TRASH_ROOT, "status": "OK"}), &views, false),
        )
    })
}

/// `retrieveAppLibraries`: all of them, also those that the root does not show.
pub(crate) fn app_libraries(call: Call) -> Response {
    with_drive(call.core, |drive, _| {
        let items: Vec<Value> = drive
            .model
            .children(ROOT)
            .filter(|child| matches!(drive.model.item(*child).kind, Kind::Library { .. }))
            .map(|child| wire::item(&drive.model.view(child)))
            .collect();
        Response::json(200, &json!({"items": items}))
    })
}
