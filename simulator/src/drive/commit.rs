//! Step 3 of an upload: the commit (`docs/protocol.md §12.3` to `§12.6`).

use serde_json::{Value, json};

use super::answers::{bad_request, error, wrong_reference};
use super::model::content::Hashes;
use super::model::id::Doc;
use super::model::journal::What;
use super::model::replace::NewFile;
use super::model::{Actor, Ix, Refusal};
use super::staging::Staged;
use super::{Call, Drive, lane, wire, with_drive};
use crate::http::Response;
use crate::switches::{CommitTwice, NameBadAnswer, Quota, Sig, Switches};

/// A commit as the body asks for it.
struct Commit {
    doc: Doc,
    parent: String,
    name: String,
    allow_conflict: bool,
    size: u64,
    receipt: Option<String>,
    signature: Option<String>,
    executable: bool,
    mtime_ms: i64,
    btime_ms: i64,
}

/// `update/documents`.
pub(crate) fn handle(mut call: Call, zone: &str) -> Response {
    let body = match call.request.json() {
        Ok(body) => body,
        Err(answer) => return answer,
    };
    let commit = match read(&body) {
        Ok(commit) => commit,
        Err(what) => return bad_request(&what),
    };
    if let Err(answer) = lane::enter(call.core) {
        return answer;
    }
    let (answer, broken) = with_drive(call.core, |drive, switches| {
        let answer = apply(drive, switches, zone, &commit);
        (Response { delay: switches.slow_commit, ..answer }, std::mem::take(&mut drive.broken))
    });
    for what in broken {
        call.core.violation(what);
    }
    answer
}

fn read(body: &Value) -> Result<Commit, String> {
    if body["command"] != "add_file" {
        return Err(format!("command {} is not known", body["command"]));
    }
    let text =
        |value: &Value, name: &str| value.as_str().map(str::to_owned).ok_or(format!("{name} is missing"));
    let number = |value: &Value, name: &str| value.as_i64().ok_or(format!("{name} is not an integer"));
    let doc = text(&body["document_id"], "document_id")?;
    let mtime_ms = number(&body["mtime"], "mtime")?;
    Ok(Commit {
        doc: Doc::parse(&doc).ok_or("document_id is malformed")?,
        parent: text(&body["path"]["starting_document_id"], "path.starting_document_id")?,
        name: text(&body["path"]["path"], "path.path")?,
        allow_conflict: body["allow_conflict"].as_bool().ok_or("allow_conflict is missing")?,
        // Some clients leave out what is 0.
        size: body["data"]["size"].as_u64().unwrap_or(0),
        receipt: body["data"]["receipt"].as_str().map(str::to_owned),
        signature: body["data"]["signature"].as_str().map(str::to_owned),
        executable: body["file_flags"]["is_executable"].as_bool().unwrap_or(false),
        mtime_ms,
        btime_ms: body["btime"].as_i64().unwrap_or(mtime_ms),
    })
}

fn apply(drive: &mut Drive, switches: &Switches, zone: &str, commit: &Commit) -> Response {
    let Some(parent) =
        drive.model.find(zone, &commit.parent).filter(|parent| drive.model.check_parent(*parent).is_ok())
    else {
        return wrong_reference();
    };
    let now_ms = drive.model.now_ms();
    let slot_life_ms = i64::try_from(switches.slot_life.as_millis()).unwrap_or(i64::MAX / 4);
    let Some(slot) = drive.staging.slot_of_commit(commit.receipt.as_deref(), commit.doc) else {
        return bad_request("the receipt belongs to no upload");
    };
    let Some(staged) = slot.staged.clone() else { return bad_request("the slot holds no content") };
    let (slot_zone, slot_doc, committed) = (slot.zone.clone(), slot.doc, slot.committed);
    if slot_zone != zone {
        return wrong_reference();
    }
    if slot.given_ms.saturating_add(slot_life_ms) <= now_ms {
        return error(410, "UPLOAD_EXPIRED", "the uploaded content is no longer there");
    }
    if staged.content.len() != commit.size || !signature_fits(switches, commit, &staged) {
        return failure(16, "data does not describe the uploaded content");
    }
    if let Some(done) = committed.filter(|done| drive.model.is_live(*done)) {
        match switches.commit_twice {
            CommitTwice::SameResult => return success(drive, switches, done),
            CommitTwice::Uniqueness => return name_taken(),
            CommitTwice::Duplicate => {
                let doc = drive.model.new_doc();
                return add(drive, switches, parent, doc, commit, &staged, true);
            }
        }
    }
    let used = drive.staging.quota_used.saturating_add(commit.size);
    if switches.quota == Quota::InBodyAtCommit && used > switches.quota_left {
        return failure(17, "Quota exceeded");
    }
    let existing =
        drive.model.find(zone, &commit.doc.to_string()).filter(|existing| drive.model.is_live(*existing));
    match existing {
        Some(existing) => replace(drive, switches, existing, commit, &staged),
        // An id that is neither the slot's nor an existing one was made up by the client.
        None if commit.doc != slot_doc && drive.model.find(zone, &commit.doc.to_string()).is_none() => {
            bad_request("document_id is neither the slot's nor an existing one")
        }
        None => add(drive, switches, parent, commit.doc, commit, &staged, commit.allow_conflict),
    }
}

/// Whether the signature that was sent is the upload's own, where S-sig makes it predictable.
fn signature_fits(switches: &Switches, commit: &Commit, staged: &Staged) -> bool {
    let expected = match switches.sig {
        Sig::Formula => staged.hashes.signature(0x01),
        Sig::OtherPrefix => staged.hashes.signature(0x81),
        Sig::Random | Sig::Absent => return true,
    };
    commit.signature.as_ref().is_none_or(|sent| *sent == expected)
}

fn add(
    drive: &mut Drive,
    switches: &Switches,
    parent: Ix,
    doc: Doc,
    commit: &Commit,
    staged: &Staged,
    allow_conflict: bool,
) -> Response {
    let file = NewFile {
        name: commit.name.clone(),
        content: staged.content.clone(),
        mtime_ms: commit.mtime_ms,
        btime_ms: commit.btime_ms,
        executable: commit.executable,
    };
    match drive.model.add_file(parent, doc, file, allow_conflict, Actor::Client) {
        Ok(ix) => finish(drive, switches, ix, commit, &staged.hashes),
        Err(refusal) => refused(switches, &refusal),
    }
}

/// Puts the content into an existing file. Whatever name and place the commit gives, the file keeps its own, even
/// when somebody has trashed it meanwhile: no source says what happens then, and this is the least convenient answer.
fn replace(
    drive: &mut Drive,
    switches: &Switches,
    existing: Ix,
    commit: &Commit,
    staged: &Staged,
) -> Response {
    match drive.model.replace(existing, staged.content.clone(), commit.mtime_ms, Actor::Client) {
        Ok(what) => {
            if what == What::ReplacedUnseen {
                let path = drive.model.path(existing);
                drive.broken.push(format!("commit replaced {path} though its etag was never shown"));
            }
            finish(drive, switches, existing, commit, &staged.hashes)
        }
        Err(refusal) => refused(switches, &refusal),
    }
}

fn finish(drive: &mut Drive, switches: &Switches, ix: Ix, commit: &Commit, hashes: &Hashes) -> Response {
    drive.staging.quota_used = drive.staging.quota_used.saturating_add(commit.size);
    if let Some(slot) = drive.staging.slot_of_commit(commit.receipt.as_deref(), commit.doc) {
        slot.committed = Some(ix);
    }
    drive.hashes.insert(ix, (drive.model.item(ix).content_rev, *hashes));
    success(drive, switches, ix)
}

/// The answer for an item as it is now: a repeated commit may find that somebody has changed it since.
fn success(drive: &Drive, switches: &Switches, ix: Ix) -> Response {
    let rev = drive.model.item(ix).content_rev;
    let hashes = drive.hashes.get(&ix).filter(|(known, _)| *known == rev).map(|(_, hashes)| hashes);
    let document = wire::document(&drive.model.view(ix), hashes, switches.sig);
    Response::json(
        200,
        &json!({
            "status": {"status_code": 0, "error_message": ""},
            "results": [{
                "status": {"status_code": 0, "error_message": ""},
                "operation_id": null,
                "document": document,
            }],
        }),
    )
}

fn refused(switches: &Switches, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NameTaken => name_taken(),
        Refusal::NameRefused if switches.name_bad_answer == NameBadAnswer::Status400 => {
            bad_request("the name is not allowed")
        }
        Refusal::NameRefused => failure(9, "the name is not allowed"),
        Refusal::NoSuchParent => wrong_reference(),
        Refusal::NoSuchItem | Refusal::Stale | Refusal::WrongPlace => {
            failure(2, "the document cannot be written")
        }
    }
}

fn name_taken() -> Response {
    failure(5, "Uniqueness constraint violation: an item of this name exists")
}

/// HTTP 200 whose only result failed.
fn failure(code: u32, message: &str) -> Response {
    let status = json!({"status_code": code, "error_message": message});
    Response::json(
        200,
        &json!({
            "status": {"status_code": 0, "error_message": ""},
            "results": [{"status": status, "operation_id": null}],
        }),
    )
}
