//! The drive's part of the control endpoint: what [`Person`] does, for tests and demos in other processes. [`CALLS`] names every
//! call.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use super::generate::Scale;
use super::model::content::{Content, ContentWriter};
use super::package::Member;
use super::person::{Person, PersonError, TreeEntry};
use crate::control::answers::no_such_call;
use crate::http::{Request, Response};

/// Every call: method, path below `/_sim`, what it takes and does. Paths are relative to the Drive's root.
pub const CALLS: &[(&str, &str, &str)] = &[
    (
        "GET",
        "/drive/tree",
        "everything outside of the trash: path, stored name, kind, size, mtime (ms), SHA-1, id, drivewsid, etag",
    ),
    ("GET", "/drive/trash", "the same of the trash, by the path where it was"),
    ("GET", "/drive/item", "?path=: one entry of the tree"),
    ("GET", "/drive/content", "?path=: the bytes of a file"),
    ("GET", "/drive/lost", "contents that were overwritten or deleted by a client that had not seen them"),
    (
        "POST",
        "/drive/write",
        "?path=[&mtime=MS], body: the bytes. A new file, or other bytes of the same one",
    ),
    ("POST", "/drive/folder", "?path=: a folder, with those above it"),
    (
        "POST",
        "/drive/package",
        "?path=, body: [{\"path\": \"Data/a\", \"text\": TEXT | \"base64\": TEXT}]: a package, or other members of it",
    ),
    ("POST", "/drive/library", "?zone=com.apple.Pages&name=Pages[&hidden=true]: an app library"),
    ("POST", "/drive/shared", "?name=: a folder that somebody else shares (S-shared shows it)"),
    ("POST", "/drive/rename", "?path=&name="),
    ("POST", "/drive/move", "?path=[&to=]: into a folder, without `to` into the root"),
    ("POST", "/drive/trash", "?path=: to Recently Deleted"),
    ("POST", "/drive/delete", "?path=: for good"),
    ("POST", "/drive/putback", "?path=: out of the trash; `path` is where it was"),
    ("POST", "/drive/delete-trashed", "?path=: out of the trash, for good"),
    ("POST", "/drive/empty-trash", "everything in the trash, for good"),
    (
        "POST",
        "/drive/open",
        "?path=: opens it in an editor on the web, which changes the first half of its etag",
    ),
    ("POST", "/drive/flip", "?path=, body as of `package`: a file becomes a package under its id"),
    (
        "POST",
        "/drive/lie-about-size",
        "[?size=N]: listings give packages this size, without `size` their own again",
    ),
    ("POST", "/drive/unknown-creates", "?times=N: so many createFolders answer UNKNOWN though they work"),
    ("POST", "/drive/lifelike", "adds the demo's tree"),
    ("POST", "/drive/fill", "{\"items\": N, \"seed\": N}: adds so many generated items"),
    (
        "POST",
        "/drive/seed",
        "[{\"path\": TEXT, \"text\": TEXT | \"base64\": TEXT | \"size\": N | \"folder\": true, \"mtime\": MS}]: adds all of them",
    ),
];

/// Most items that are generated at a time: they all lie in memory.
const MOST_ITEMS: usize = 2_000_000;
/// Most bytes of one entry that is given by its size alone.
const MOST_FILLING: u64 = 1 << 30;

/// Answers one call below `/_sim/drive`.
pub(crate) fn handle(mut call: Call) -> Response {
    let person = Person::new(call.core);
    let what = call.rest.trim_start_matches("/drive");
    let answered = match (call.request.method.as_str(), what) {
        ("GET", _) => read(&person, &call.request, what),
        ("POST", "/write") => write(&person, &mut call.request),
        ("POST", "/package" | "/flip" | "/fill" | "/seed") => match call.request.json() {
            Ok(body) => with_body(&person, &call.request, what, &body).map(|()| success()),
            Err(refusal) => return refusal,
        },
        ("POST", _) => act(&person, &call.request, what).map(|()| success()),
        _ => Err(Failure::NoSuchCall),
    };
    answered.unwrap_or_else(|failure| match failure {
        Failure::NoSuchCall => no_such_call(&call.request.method, call.rest),
        Failure::Refused(text) => Response::json(400, &json!({"success": false, "error": text})),
    })
}

/// Why a control call did not work.
enum Failure {
    NoSuchCall,
    Refused(String),
}

impl From<PersonError> for Failure {
    fn from(error: PersonError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

fn success() -> Response {
    Response::json(200, &json!({"success": true}))
}

/// A member of the query that must be there.
fn wanted<'r>(request: &'r Request, name: &str) -> Result<&'r str, Failure> {
    let found = request.query(name).filter(|value| !value.is_empty());
    found.ok_or_else(|| Failure::Refused(format!("{name} is missing: give it as ?{name}=…")))
}

/// A number of the query; `None` where it is not given.
fn number<T: std::str::FromStr>(request: &Request, name: &str) -> Result<Option<T>, Failure> {
    request
        .query(name)
        .map(|text| {
            text.parse().map_err(|_| Failure::Refused(format!("{name}={text} is no number of its kind")))
        })
        .transpose()
}

fn read(person: &Person, request: &Request, what: &str) -> Result<Response, Failure> {
    Ok(match what {
        "/tree" => list(person.tree())?,
        "/trash" => list(person.trash_contents())?,
        "/item" => {
            let path = wanted(request, "path")?;
            let entry = person.entry(path).ok_or_else(|| format!("{path}: no such item"))?;
            Response::json(200, &described(path, &entry)?)
        }
        "/content" => {
            let path = wanted(request, "path")?;
            let content = person.entry(path).and_then(|entry| entry.content);
            let content = content.ok_or_else(|| format!("{path}: no such file"))?;
            let len = content.len();
            Response::stream(200, len, Box::new(content.reader(0, len)))
        }
        "/lost" => {
            let lost = person.lost_contents()?;
            let lost: Vec<Value> = lost
                .iter()
                .map(|lost| json!({"path": lost.path, "sha1": lost.sha1, "size": lost.len}))
                .collect();
            Response::json(200, &Value::Array(lost))
        }
        _ => return Err(Failure::NoSuchCall),
    })
}

fn write(person: &Person, request: &mut Request) -> Result<Response, Failure> {
    let path = wanted(request, "path")?.to_owned();
    let mtime_ms = number(request, "mtime")?;
    let mut writer = ContentWriter::new();
    io::copy(&mut request.body, &mut writer)?;
    let content = writer.finish().0;
    match mtime_ms {
        Some(mtime_ms) => person.write_at(&path, content, mtime_ms)?,
        None => person.write(&path, content)?,
    }
    Ok(success())
}

fn with_body(person: &Person, request: &Request, what: &str, body: &Value) -> Result<(), Failure> {
    match what {
        "/package" => person.package(wanted(request, "path")?, members(body)?)?,
        "/flip" => person.flip(wanted(request, "path")?, members(body)?)?,
        "/fill" => {
            let items = body["items"].as_u64().and_then(|items| usize::try_from(items).ok());
            let items = items.filter(|items| *items <= MOST_ITEMS);
            let items = items.ok_or_else(|| "items is missing: how many, to 2000000".to_owned())?;
            person.fill(&Scale::of(items, body["seed"].as_u64().unwrap_or(1)));
        }
        _ => {
            for entry in body.as_array().ok_or_else(|| "a list of entries was expected".to_owned())? {
                seed(person, entry)?;
            }
        }
    }
    Ok(())
}

fn members(body: &Value) -> Result<Vec<Member>, Failure> {
    let list = body.as_array().filter(|list| !list.is_empty());
    list.ok_or_else(|| "a list of members was expected, each with path and text or base64".to_owned())?
        .iter()
        .map(|member| {
            let path = member["path"].as_str().ok_or_else(|| "a member has no path".to_owned())?;
            Ok(Member { path: path.to_owned(), content: content(path, member)? })
        })
        .collect()
}

/// The content that an entry gives as `text`, `base64` or `size`.
fn content(path: &str, entry: &Value) -> Result<Content, Failure> {
    let mut writer = ContentWriter::new();
    if let Some(text) = entry["text"].as_str() {
        io::copy(&mut text.as_bytes(), &mut writer)?;
    } else if let Some(text) = entry["base64"].as_str() {
        let bytes = STANDARD.decode(text).map_err(|error| format!("{path}: base64: {error}"))?;
        io::copy(&mut bytes.as_slice(), &mut writer)?;
    } else if let Some(size) = entry["size"].as_u64().filter(|size| *size <= MOST_FILLING) {
        io::copy(&mut io::Read::take(io::repeat(b'.'), size), &mut writer)?;
    } else {
        return Err(Failure::Refused(format!("{path}: text, base64 or size (to 1 GiB) is missing")));
    }
    Ok(writer.finish().0)
}

fn seed(person: &Person, entry: &Value) -> Result<(), Failure> {
    let path = entry["path"].as_str().ok_or_else(|| "an entry has no path".to_owned())?;
    if entry["folder"].as_bool() == Some(true) {
        return Ok(person.folder(path)?);
    }
    let content = content(path, entry)?;
    match entry.get("mtime") {
        None => person.write(path, content)?,
        Some(time) => {
            let mtime_ms = time.as_i64().ok_or_else(|| format!("{path}: mtime is to be milliseconds"))?;
            person.write_at(path, content, mtime_ms)?;
        }
    }
    Ok(())
}

fn act(person: &Person, request: &Request, what: &str) -> Result<(), Failure> {
    let path = || wanted(request, "path");
    match what {
        "/folder" => person.folder(path()?)?,
        "/library" => {
            let hidden = request.query("hidden") == Some("true");
            person.library(wanted(request, "zone")?, wanted(request, "name")?, hidden);
        }
        "/shared" => person.shared_folder(wanted(request, "name")?),
        "/rename" => person.rename(path()?, wanted(request, "name")?)?,
        "/move" => person.move_to(path()?, request.query("to").unwrap_or_default())?,
        "/trash" => person.trash(path()?)?,
        "/delete" => person.delete(path()?)?,
        "/putback" => person.put_back(path()?)?,
        "/delete-trashed" => person.delete_trashed(path()?)?,
        "/empty-trash" => person.empty_trash()?,
        "/open" => person.open(path()?)?,
        "/lie-about-size" => person.lie_about_size(number(request, "size")?),
        "/unknown-creates" => {
            let times = number(request, "times")?;
            person.answer_creates_unknown(times.ok_or_else(|| "times is missing: how many".to_owned())?);
        }
        "/lifelike" => person.fill_lifelike()?,
        _ => return Err(Failure::NoSuchCall),
    }
    Ok(())
}

fn list(entries: impl IntoIterator<Item = (String, TreeEntry)>) -> Result<Response, Failure> {
    let items: Result<Vec<Value>, Failure> =
        entries.into_iter().map(|(path, entry)| described(&path, &entry)).collect();
    Ok(Response::json(200, &Value::Array(items?)))
}

fn described(path: &str, entry: &TreeEntry) -> Result<Value, Failure> {
    let sha1 = entry.sha1().map_err(|cause| format!("{path}: {cause}"))?;
    Ok(json!({
        "path": path,
        "stored_name": entry.stored_name,
        "kind": entry.kind.type_name(),
        "size": entry.size,
        "mtime": entry.mtime_ms,
        "sha1": sha1,
        "id": entry.docwsid,
        "drivewsid": entry.drivewsid,
        "etag": entry.etag,
    }))
}
