//! What only writing tells (`--probe-writes`): in one folder of our own in the drive's root, which goes to the trash whatever happens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::ask::{Asker, Said};
use super::contents::{address, zero_line};
use super::delays;
use super::report::Line;
use super::written::{changed, created, stale_line, taken_line, time_line, words};
use crate::chance::{SystemChance, uuid};
use crate::disk::Hasher;
use crate::engine::ports::{Commit, ItemVersion, LookUp, Remote as _, RemoteError, RemoteItem};
use crate::icloud::drive::ICloudDrive;
use crate::icloud::http::{Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::signin::facts::AccountFacts;
use crate::icloud::survey;
use crate::model::{Etag, ItemId, ServerTime, Signature, Zone};

/// How long an etag further up may take to change before it counts as not changed.
const ETAG_WAIT: Duration = Duration::from_secs(4);
/// The folder of our own and the ways to it.
pub struct Writes<'a> {
    /// Every request goes through it.
    pub asker: &'a Arc<Asker>,
    /// The drive.
    pub remote: &'a ICloudDrive,
    /// What the account offers.
    pub facts: &'a AccountFacts,
    /// The folder.
    pub home: &'a RemoteItem,
}

/// A file that was made, and what the service says of its content.
struct Made {
    item: RemoteItem,
    signature: Option<Signature>,
}

/// One thing that is tried.
type Step<'a> = fn(&Writes<'a>) -> Vec<Line>;

/// What is tried, in this order, with the words of the progress line.
pub fn steps<'a>() -> [(&'static str, Step<'a>); 9] {
    [
        ("a file of no bytes", Writes::zero_bytes),
        ("a file, its time and its signature", Writes::one_file),
        ("a name that is taken", Writes::taken_name),
        ("replacing in place, and stale etags", Writes::replacing),
        ("etags of the folders above", Writes::etags_above),
        ("the trash and back", Writes::put_back),
        ("forms of names", Writes::names),
        ("two writes at once", Writes::two_at_once),
        ("how soon the change feed and the push channel tell", Writes::feed_delay),
    ]
}

fn version(item: &RemoteItem) -> ItemVersion {
    ItemVersion { id: item.entry.id.clone(), folder: item.entry.is_folder(), etag: item.entry.etag.clone() }
}

fn failed(key: &'static str, error: &RemoteError) -> Vec<Line> {
    vec![Line::new(key, words(error), words(error))]
}

impl Writes<'_> {
    fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    fn put(
        &self,
        name: &str,
        content: &[u8],
        replaces: Option<&ItemId>,
        mtime: i64,
    ) -> Result<Made, RemoteError> {
        let zone = Zone::CloudDocs;
        let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let staged = self.remote.stage(&zone, name, size, &mut &*content)?;
        let item = self.remote.commit(&Commit {
            staged: &staged,
            parent: &self.home.entry.id,
            name,
            replaces,
            mtime: ServerTime(mtime),
            btime: ServerTime(mtime),
            executable: false,
        })?;
        Ok(Made { item, signature: staged.signature })
    }

    fn file(&self, name: &str) -> Result<RemoteItem, RemoteError> {
        Ok(self.put(name, name.as_bytes(), None, self.now())?.item)
    }

    fn folder(&self, parent: &ItemId, name: &str) -> Result<RemoteItem, RemoteError> {
        let mut made = self.remote.create_folders(parent, &[name]);
        made.pop().unwrap_or_else(|| Err(RemoteError::Damaged("no folder in the answer".to_owned())))
    }

    /// The etags of folders now, by a look-up of their ids.
    fn etags(&self, folders: &[&ItemId]) -> Vec<Option<Etag>> {
        let asked: Vec<_> = folders.iter().map(|id| ((*id).clone(), true)).collect();
        let found = self.remote.look_up(&asked).unwrap_or_default();
        let mut etags: Vec<_> = found
            .into_iter()
            .map(|found| match found {
                LookUp::Found(item) => Some(item.entry.etag),
                LookUp::Gone | LookUp::Unknown => None,
            })
            .collect();
        etags.resize(folders.len(), None);
        etags
    }

    fn zero_bytes(&self) -> Vec<Line> {
        let made = match self.put("zero.txt", b"", None, self.now()) {
            Ok(made) => made,
            Err(error) => {
                let line = Line::new("zero_bytes_upload", words(&error), words(&error));
                return vec![line.answers(14, format!("a file of no bytes: {}", words(&error)))];
            }
        };
        let id = &made.item.entry.id;
        vec![
            Line::new("zero_bytes_upload", "taken", "taken").answers(14, "a file of no bytes is taken"),
            zero_line("zero_bytes_download", &address(self.asker, id), id),
        ]
    }

    fn one_file(&self) -> Vec<Line> {
        let content = b"icloudds diagnose\n";
        let mtime = self.now() - 86_400;
        let made = match self.put("one.txt", content, None, mtime) {
            Ok(made) => made,
            Err(error) => return failed("file", &error),
        };
        let mut lines =
            vec![Line::new("file", "taken", "taken"), time_line(made.item.entry.mtime.get(), mtime)];
        let mut hasher = Hasher::default();
        hasher.update(content);
        lines.push(match made.signature {
            Some(signature) if signature == hasher.finish() => {
                Line::new("upload_signature", "formula", "as computed")
                    .answers(13, "the formula holds for an upload")
            }
            Some(_) => Line::new("upload_signature", "other", "another one than computed")
                .answers(13, "the formula does not hold for an upload: signatures prove nothing"),
            None => Line::new("upload_signature", "absent", "none, or of another form")
                .answers(13, "an upload brings no signature of the known form"),
        });
        let listed = self.remote.list(std::slice::from_ref(&self.home.entry.id), false).pop();
        if let Some(Ok(listing)) = listed {
            let seen = listing.items.iter().any(|item| item.entry.id == made.item.entry.id);
            let (says, follows) = match seen {
                true => ("at the first look", "a write is seen at the first look"),
                false => {
                    ("not at the first look", "a write is not seen at once: a listing may lag behind it")
                }
            };
            lines.push(Line::new("visible", seen, says).answers(5, follows));
        }
        lines
    }

    fn taken_name(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Err(error) = self.file("taken.txt") {
            return failed("taken_name", &error);
        }
        let second = self.put("taken.txt", b"second", None, self.now()).map(|made| made.item);
        lines.push(taken_line("taken_name_upload", "an upload", &second));
        match self.file("other.txt") {
            Ok(other) => {
                let renamed = self.remote.rename(&version(&other), "taken.txt");
                lines.push(taken_line("taken_name_rename", "a rename", &renamed));
            }
            Err(error) => lines.extend(failed("taken_name_rename", &error)),
        }
        if self.folder(&self.home.entry.id, "taken").is_ok() {
            let second = self.folder(&self.home.entry.id, "taken");
            lines.push(taken_line("taken_name_folder", "a new folder", &second));
        }
        lines
    }

    fn replacing(&self) -> Vec<Line> {
        let first = match self.file("replaced.txt") {
            Ok(first) => first,
            Err(error) => return failed("replace_in_place", &error),
        };
        let id = first.entry.id.clone();
        let mut lines = Vec::new();
        match self.put("replaced.txt", b"another content", Some(&id), self.now()) {
            Ok(made) => {
                let kept = made.item.entry.id == id;
                let says = if kept { "taken, the id is kept" } else { "taken, under another id" };
                let follows =
                    if kept { "a file is replaced under its id" } else { "a replacement gets another id" };
                lines.push(Line::new("replace_in_place", kept, says).answers(6, follows));
            }
            Err(error) => {
                lines.push(
                    Line::new("replace_in_place", words(&error), words(&error))
                        .answers(6, format!("a replacement under its id: {}", words(&error))),
                );
                return lines;
            }
        }
        // The etag of before is stale by now.
        let renamed = self.remote.rename(&version(&first), "renamed.txt");
        lines.push(stale_line("stale_rename", "a rename", renamed.as_ref().err()));
        match self.folder(&self.home.entry.id, "below") {
            Ok(below) => {
                let moved = self.remote.move_into(&below.entry.id, &[version(&first)]).pop();
                let error = moved.and_then(Result::err);
                lines.push(stale_line("stale_move", "a move", error.as_ref()));
            }
            Err(error) => lines.extend(failed("stale_move", &error)),
        }
        lines
    }

    fn etags_above(&self) -> Vec<Line> {
        let home = &self.home.entry.id;
        let deep = match self.folder(home, "deep") {
            Ok(deep) => deep,
            Err(error) => return failed("etags_above", &error),
        };
        // What was written before may reach the folders above only now.
        if !self.asker.pause(ETAG_WAIT) {
            return Vec::new();
        }
        let root = ItemId::drive_root();
        let folders = [&deep.entry.id, home, &root];
        let before = self.etags(&folders);
        if let Err(error) = self.folder(&deep.entry.id, "deeper") {
            return failed("etags_above", &error);
        }
        let at_once = self.etags(&folders);
        let later = match self.asker.pause(ETAG_WAIT) {
            true => self.etags(&folders),
            false => at_once.clone(),
        };
        let names = ["the folder itself", "the folder above", "the root"];
        let mut value = serde_json::Map::new();
        let mut says = Vec::new();
        let mut all = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let when = changed(&before[place], &at_once[place], &later[place]);
            value.insert(name.replace(' ', "_"), when.into());
            says.push(format!("{name} {when}"));
            all.push(when);
        }
        let follows = match (all[1], all[2]) {
            ("at once", "at once") => "the etags of all folders above change with an edit",
            ("not", "not") => "the etags of the folders above do not change with an edit",
            (_, "not") => "the etag of the folder above changes, that of the root does not",
            _ => "the etags of the folders above change some time after an edit",
        };
        vec![Line::new("etags_above", value, says.join(", ")).answers(3, follows)]
    }

    fn put_back(&self) -> Vec<Line> {
        let file = match self.file("put back.txt") {
            Ok(file) => file,
            Err(error) => return failed("put_back", &error),
        };
        let trashed = match self.remote.trash(&[version(&file)]).pop() {
            Some(Ok(trashed)) => trashed,
            Some(Err(error)) => return failed("put_back", &error),
            None => return Vec::new(),
        };
        let renamed = trashed.entry.name != file.entry.name;
        let in_trash = if renamed { "another name in the trash" } else { "the same name in the trash" };
        let mut lines = vec![Line::new("name_in_trash", renamed, in_trash)];
        lines.push(match self.remote.put_back(&[version(&trashed)]).pop() {
            Some(Ok(back)) => {
                let (id, name) = (back.entry.id == file.entry.id, back.entry.name == file.entry.name);
                let same = |is: bool| if is { "the same" } else { "another" };
                let says = format!("{} id, {} name", same(id), same(name));
                Line::new("put_back", json!({"same_id": id, "same_name": name}), says.clone())
                    .answers(12, format!("put back, an item has {says}"))
            }
            Some(Err(error)) => Line::new("put_back", words(&error), words(&error))
                .answers(12, format!("put back: {}", words(&error))),
            None => return lines,
        });
        lines
    }

    fn names(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for (key, form, name) in [
            ("composed_name", "composed", "caf\u{e9} composed"),
            ("decomposed_name", "decomposed", "cafe\u{301} decomposed"),
        ] {
            match self.folder(&self.home.entry.id, name) {
                Ok(made) => {
                    let kept = &*made.entry.name == name;
                    let says = if kept { "kept as it was sent" } else { "stored in another form" };
                    let follows = if kept {
                        format!("a {form} name is kept as it was sent")
                    } else {
                        format!("a {form} name comes back in another form")
                    };
                    lines.push(Line::new(key, kept, says).answers(10, follows));
                }
                Err(error) => lines.extend(failed(key, &error)),
            }
        }
        if self.folder(&self.home.entry.id, "dotted v1.2").is_ok() {
            let split = self.split_folders();
            let says = match split {
                Some(true) => "split at the last dot, as a file's",
                Some(false) => "kept whole",
                None => "not seen",
            };
            let line = Line::new("dotted_folder", json!(split), says);
            lines.push(match split {
                Some(_) => line.answers(10, format!("a folder's name is {says}")),
                None => line,
            });
        }
        lines
    }

    /// Whether a folder of ours is listed with a split name; `None` when there is no listing.
    fn split_folders(&self) -> Option<bool> {
        let body = survey::listing_of(std::slice::from_ref(&self.home.entry.id), false);
        let request = self.post(
            "/retrieveItemDetailsInFolders",
            body.as_bytes(),
            "retrieveItemDetailsInFolders",
            false,
        );
        let Said::Good(answer) = self.asker.ask("listing_of_a_folder", &request, None) else { return None };
        let entries = survey::read(&*answer.body).ok()??;
        Some(entries.first()?.held.as_ref()?.split_folders > 0)
    }

    fn post<'a>(&self, path: &'a str, body: &'a [u8], kind: &'static str, changes: bool) -> Request<'a> {
        Request {
            root: Root::Drivews,
            method: Method::Post,
            path,
            query: &[],
            body,
            limits: Limits::JSON,
            kind,
            changes,
        }
    }

    fn two_at_once(&self) -> Vec<Line> {
        let destination = format!("FOLDER::{}", self.home.entry.id);
        let bodies = ["first at once", "second at once"].map(|name| {
            let key = format!("FOLDER::UNKNOWN_ZONE::TempId-{}", uuid(&SystemChance));
            json!({"destinationDrivewsId": destination, "folders": [{"clientId": key, "name": name}]})
                .to_string()
        });
        let ask = |body: &String| {
            self.asker.ask(
                "create_folders",
                &self.post("/createFolders", body.as_bytes(), "createFolders", true),
                None,
            )
        };
        let said = std::thread::scope(|scope| {
            let other = scope.spawn(|| ask(&bodies[1]));
            let first = ask(&bodies[0]);
            let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            [first, other]
        });
        let ended: Vec<String> = said.iter().map(created).collect();
        let says = ended.join(", ");
        let busy = ended.iter().any(|end| end.contains("ZONE_BUSY"));
        let done = ended.iter().filter(|end| *end == "done").count();
        let follows = match (busy, done) {
            (true, _) => "of two writes at once one is refused as busy",
            (false, 2) => "two writes at once are both carried out",
            _ => "two writes at once disturb each other",
        };
        vec![Line::new("two_at_once", json!(ended), says).answers(19, follows)]
    }

    fn feed_delay(&self) -> Vec<Line> {
        let home = &self.home.entry.id;
        let make = || self.folder(home, "told by the feed");
        delays::lines(self.asker, self.remote, self.facts, home, make)
            .unwrap_or_else(|error| failed("feed_delay", &error))
    }
}
