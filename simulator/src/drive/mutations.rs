//! The writing calls of drivews (`docs/protocol.md §10`).

use serde_json::{Value, json};

use super::answers::bad_request;
use super::model::{Actor, Ix, Model, Refusal};
use super::{Call, Drive, lane, wire, with_drive};
use crate::http::Response;
use crate::switches::{NameBadAnswer, Putback};

/// The one call that all writes make of an item: the item found, its body entry, the answer's item.
type Change<'a> = &'a dyn Fn(&mut Model, Ix, &Value) -> Result<Ix, Refusal>;

/// `createFolders`.
pub(crate) fn create_folders(mut call: Call) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let (Some(destination), Some(folders)) =
        (body["destinationDrivewsId"].as_str(), body["folders"].as_array())
    else {
        return bad_request("destinationDrivewsId or folders is missing");
    };
    if let Err(answer) = lane::enter(call.core) {
        return answer;
    }
    with_drive(call.core, |drive, _| {
        if let Some(answer) = refused_name(drive, folders) {
            return answer;
        }
        let unknown = drive.unknown_creates > 0;
        drive.unknown_creates = drive.unknown_creates.saturating_sub(1);
        let parent = drive.model.find_drivewsid(destination);
        let answers: Vec<Value> = folders
            .iter()
            .map(|folder| {
                let name = folder["name"].as_str().unwrap_or_default();
                let made = parent
                    .ok_or(Refusal::NoSuchParent)
                    .and_then(|parent| drive.model.create_folder(parent, name));
                let mut answer = match made {
                    Ok(_) if unknown => json!({"status": "UNKNOWN"}),
                    Ok(ix) => ok(drive, ix),
                    Err(refusal) => refused(drive, None, destination, &refusal),
                };
                answer["clientId"] = folder["clientId"].clone();
                answer
            })
            .collect();
        Response::json(200, &json!({"destinationDrivewsId": destination, "folders": answers}))
    })
}

/// `renameItems`.
pub(crate) fn rename(call: Call) -> Response {
    change_items(call, true, &|model, ix, entry| {
        model.rename(ix, entry["etag"].as_str(), entry["name"].as_str().unwrap_or_default())
    })
}

/// `moveItems`.
pub(crate) fn move_items(mut call: Call) -> Response {
    // The destination stands beside the items, so the body is read here and handed on.
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let Some(destination) = body["destinationDrivewsId"].as_str() else {
        return bad_request("destinationDrivewsId is missing");
    };
    change_items_of(&call, &body, false, &|model, ix, entry| {
        let parent = model.find_drivewsid(destination).ok_or(Refusal::NoSuchParent)?;
        model.move_to(ix, entry["etag"].as_str(), parent)
    })
}

/// `moveItemsToTrash`.
pub(crate) fn trash(call: Call) -> Response {
    let delay = call.core.switches().slow_trashing;
    let mut response =
        change_items(call, false, &|model, ix, entry| model.trash_item(ix, entry["etag"].as_str()));
    response.delay = delay;
    response
}

/// `deleteItems`.
pub(crate) fn delete(call: Call) -> Response {
    change_items(call, false, &|model, ix, entry| {
        model.delete_item(ix, entry["etag"].as_str(), Actor::Client)
    })
}

/// `putBackItemsFromTrash`.
pub(crate) fn put_back(call: Call) -> Response {
    let core = call.core;
    let answer = change_items(call, false, &|model, ix, _| model.put_back(ix));
    let silent = core.state().switches.putback == Putback::Silent && answer.status == 200;
    if silent { Response::json(200, &json!({"items": []})) } else { answer }
}

fn change_items(mut call: Call, names: bool, change: Change) -> Response {
    match call.request.json() {
        Ok(body) => change_items_of(&call, &body, names, change),
        Err(answer) => answer,
    }
}

/// Makes one change of each item of the body, in order, inside the lane.
fn change_items_of(call: &Call, body: &Value, names: bool, change: Change) -> Response {
    let Some(items) = body["items"].as_array() else { return bad_request("items is missing") };
    if let Some(bare) = items.iter().find(|item| !item["etag"].is_string()) {
        let id = bare["drivewsid"].as_str().unwrap_or("an item");
        call.core.violation(format!("{} named {id} without an etag", call.rest));
        return bad_request("an item has no etag");
    }
    if let Err(answer) = lane::enter(call.core) {
        return answer;
    }
    with_drive(call.core, |drive, _| {
        if let Some(answer) = refused_name(drive, items).filter(|_| names) {
            return answer;
        }
        let answers: Vec<Value> = items
            .iter()
            .map(|entry| {
                let drivewsid = entry["drivewsid"].as_str().unwrap_or_default();
                let found = drive.model.find_drivewsid(drivewsid);
                let changed =
                    found.ok_or(Refusal::NoSuchItem).and_then(|ix| change(&mut drive.model, ix, entry));
                match changed {
                    Ok(ix) => ok(drive, ix),
                    Err(refusal) => refused(drive, found, drivewsid, &refusal),
                }
            })
            .collect();
        Response::json(200, &json!({"items": answers}))
    })
}

/// The 400 for a name that the service does not take, when S-name-bad-answer says so; before anything is applied.
fn refused_name(drive: &Drive, entries: &[Value]) -> Option<Response> {
    let all_fit = entries.iter().all(|entry| {
        entry["name"].as_str().is_some_and(|name| drive.model.check_name(name) != Err(Refusal::NameRefused))
    });
    let by_status = drive.model.switches().name_bad_answer == NameBadAnswer::Status400;
    (by_status && !all_fit).then(|| bad_request("a name is not allowed"))
}

fn ok(drive: &mut Drive, ix: Ix) -> Value {
    drive.model.note_shown(ix);
    let mut item = wire::item(&drive.model.view(ix));
    item["status"] = json!("OK");
    item
}

fn refused(drive: &mut Drive, found: Option<Ix>, drivewsid: &str, refusal: &Refusal) -> Value {
    let status = match refusal {
        Refusal::NoSuchItem | Refusal::NoSuchParent => "ID_INVALID",
        Refusal::Stale => "ETAG_CONFLICT",
        Refusal::NameTaken => "NAME_TAKEN",
        Refusal::NameRefused => "INVALID_NAME",
        Refusal::WrongPlace => "OPERATION_NOT_ALLOWED",
    };
    let mut answer = json!({"drivewsid": drivewsid, "status": status});
    if let (Some(ix), Refusal::Stale) = (found, refusal) {
        answer["etag"] = json!(drive.model.etag(ix));
    }
    answer
}
