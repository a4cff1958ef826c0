//! Plans as people and programs read them: a line for each operation and each note.

use std::fmt;

use serde::Serialize;

use crate::engine::operation::{Action, Conflict, Note, NoteKind, Operation, Plan, UploadTarget};
use crate::model::Side;
use crate::model::plain::plain;

/// One operation, told. The field names of its JSON form stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where something changes: `"here"`, `"icloud"`, or `"state"` when only the stored state learns.
    pub side: &'static str,
    /// What is done, one or two words.
    pub verb: &'static str,
    /// The path after it, relative to the synced folder.
    pub path: String,
    /// The path or name it is moved from, or that a conflict copy gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Why.
    pub why: String,
}

/// One thing that is left alone, told. The field names of its JSON form stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoteLine {
    /// `"skipped"`, `"set-aside"`, `"unsettled"` or `"held"`.
    pub kind: &'static str,
    /// The path, relative to the synced folder.
    pub path: String,
    /// Why.
    pub why: String,
}

/// A whole plan, told: `operations` in their order, then `notes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// A line for each operation.
    pub operations: Vec<Line>,
    /// A line for each note.
    pub notes: Vec<NoteLine>,
}

impl Plan {
    /// The plan for people ([`fmt::Display`]) and programs ([`Serialize`]).
    pub fn told(&self) -> Told {
        Told {
            operations: self.operations.iter().map(Line::of).collect(),
            notes: self.notes.iter().map(NoteLine::of).collect(),
        }
    }
}

impl Line {
    /// Tells one operation.
    pub fn of(operation: &Operation) -> Self {
        let (verb, other) = verb(&operation.action);
        let side = match operation.side() {
            Some(Side::Local) => "here",
            Some(Side::Remote) => "icloud",
            None => "state",
        };
        let other = other.filter(|other| *other != operation.path.as_str());
        Self { side, verb, path: operation.path.to_string(), other, why: operation.reason.to_string() }
    }
}

impl NoteLine {
    /// Tells one note.
    pub fn of(note: &Note) -> Self {
        let (kind, why) = match &note.kind {
            NoteKind::Skipped(why) => ("skipped", why.clone()),
            NoteKind::SetAside(why) => ("set-aside", why.clone()),
            NoteKind::Unsettled(why) => ("unsettled", why.clone()),
            NoteKind::Held(Side::Local) => ("held", "its deletion here waits for approval".to_owned()),
            NoteKind::Held(Side::Remote) => ("held", "its deletion on iCloud waits for approval".to_owned()),
        };
        Self { kind, path: note.path.to_string(), why }
    }
}

fn verb(action: &Action) -> (&'static str, Option<String>) {
    match action {
        Action::Agree { .. } => ("agree", None),
        Action::Forget { .. } => ("forget", None),
        Action::Keep { .. } => ("remember", None),
        Action::MakeLocalFolder { .. } | Action::MakeRemoteFolder { .. } => ("make folder", None),
        Action::Download { over: None, .. } => ("download", None),
        Action::Download { .. } => ("download over", None),
        Action::Upload { target: UploadTarget::New { .. }, .. } => ("upload", None),
        Action::Upload { .. } => ("upload over", None),
        Action::MoveLocal { local, .. } => ("move", Some(local.path.as_str().to_owned())),
        Action::MoveRemote { temporary: true, name, .. } => ("move aside", Some(name.to_string())),
        Action::MoveRemote { remote, .. } => ("move", Some(remote.name.to_string())),
        Action::TrashLocal { .. } | Action::TrashRemote { .. } => ("trash", None),
        Action::Compare { otherwise, .. } => ("compare", copy_of(otherwise)),
        Action::Settle { conflict, .. } => ("settle conflict", copy_of(conflict)),
    }
}

fn copy_of(conflict: &Conflict) -> Option<String> {
    match conflict {
        Conflict::KeepBoth { copy, .. } => Some(copy.as_str().to_owned()),
        Conflict::KeepBothThere { name } => Some(name.to_string()),
        Conflict::TakeRemote | Conflict::TakeLocal | Conflict::SetAside => None,
    }
}

impl fmt::Display for Line {
    /// `iCloud -> here  download  notes/todo.txt  (edited on iCloud)`; what cannot be seen is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.side {
            "here" => "iCloud -> here",
            "icloud" => "here -> iCloud",
            _ => "state only",
        };
        write!(f, "{way:<14}  {:<15}  {}", self.verb, plain(&self.path))?;
        match (&self.other, self.verb) {
            (Some(other), "move") => write!(f, "  from {}", plain(other))?,
            (Some(other), "move aside") => write!(f, "  as {}", plain(other))?,
            (Some(other), "compare") => write!(f, "  else conflict copy {}", plain(other))?,
            (Some(other), _) => write!(f, "  conflict copy {}", plain(other))?,
            (None, _) => {}
        }
        write!(f, "  ({})", plain(&self.why))
    }
}

impl fmt::Display for NoteLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}  {}  ({})", self.kind, plain(&self.path), plain(&self.why))
    }
}

impl fmt::Display for Told {
    /// A line each, every one ended.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operations.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.notes.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
