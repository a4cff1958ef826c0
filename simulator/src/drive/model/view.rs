//! What a listing shows of items: copies, so that a listing can also show how things were (S-visible).

use std::collections::HashMap;
use std::sync::Arc;

use super::id::{Doc, TRASH_ROOT};
use super::item::{Counts, Kind, Place};
use super::{Ix, Model, ROOT, millis, names};
use crate::switches::Shared;

/// One item as the service shows it at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// The item itself.
    pub ix: Ix,
    /// What it is.
    pub kind: Kind,
    /// Its zone.
    pub zone: String,
    /// Its `docwsid`.
    pub doc: Doc,
    /// `TYPE::zone::docwsid`.
    pub drivewsid: String,
    /// The parent's `drivewsid`, `TRASH_ROOT`, or nothing for the root.
    pub parent: Option<String>,
    /// The parent's `docwsid`.
    pub parent_doc: Option<Doc>,
    /// Full name in the stored form.
    pub name: String,
    /// Name and extension as drivews shows them.
    pub parts: (String, String),
    /// As written.
    pub etag: String,
    /// Bytes; `None` for folders.
    pub size: Option<u64>,
    /// In milliseconds since 1970.
    pub created_ms: i64,
    /// In milliseconds since 1970.
    pub modified_ms: i64,
    /// In milliseconds since 1970.
    pub changed_ms: i64,
    /// Counts of a folder.
    pub counts: Option<Counts>,
    /// `restorePath` and `dateExpiration` (milliseconds since 1970) of a top-level trashed item.
    pub trashed: Option<(String, i64)>,
    /// Deleted for good.
    pub deleted: bool,
    /// The executable flag of the commit.
    pub executable: bool,
}

/// What a listing was made of: a folder, or the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// A folder.
    Folder(Ix),
    /// The top of the trash.
    Trash,
}

/// A listing, and until when it was true, in milliseconds since 1970.
type OldListing = (i64, Arc<[View]>);

/// Older states of listings, each with the moment until which it was true.
#[derive(Debug, Default)]
pub struct Snapshots {
    of: HashMap<Listed, Vec<OldListing>>,
}

impl Snapshots {
    /// Drops states that no listing can show any more.
    pub(super) fn forget_before(&mut self, now_ms: i64, visible_ms: i64) {
        self.of.retain(|_, states| {
            states.retain(|(until, _)| until.saturating_add(visible_ms) > now_ms);
            !states.is_empty()
        });
    }
}

impl Model {
    /// The item as it is now.
    pub fn view(&self, ix: Ix) -> View {
        let item = self.item(ix);
        let trashed = self.trash.get(&ix);
        let answers_purged = self.is_purged_but_answers(ix);
        let (parent, parent_doc) = match item.place {
            Place::In(above) => (Some(self.drivewsid(above)), Some(self.item(above).id.doc)),
            Place::Trash => (Some(TRASH_ROOT.to_owned()), None),
            Place::Gone if answers_purged => (Some(TRASH_ROOT.to_owned()), None),
            Place::Root | Place::Gone => (None, None),
        };
        let (folders, dots) = (self.switches.folder_ext, self.switches.leading_dot);
        let (stem, extension) = names::shown(&item.name, item.kind.is_folder(), folders, dots);
        View {
            ix,
            kind: item.kind,
            zone: self.zone_name(ix).to_owned(),
            doc: item.id.doc,
            drivewsid: self.drivewsid(ix),
            parent,
            parent_doc,
            name: item.name.to_string(),
            parts: (stem.to_owned(), extension.to_owned()),
            etag: self.etag(ix),
            size: item.folder.is_none().then(|| self.size(ix)),
            created_ms: item.created_ms,
            modified_ms: item.modified_ms,
            changed_ms: item.changed_ms,
            counts: item.folder.is_some().then(|| self.shown_counts(ix)),
            trashed: trashed.map(|trashed| (trashed.restore_path.clone(), trashed.expires_ms)),
            deleted: item.place == Place::Gone && !answers_purged,
            executable: item.executable,
        }
    }

    /// `TYPE::zone::docwsid` of an item.
    pub fn drivewsid(&self, ix: Ix) -> String {
        let item = self.item(ix);
        format!("{}::{}::{}", item.kind.id_prefix(), self.zone_name(ix), item.id.doc)
    }

    /// What a listing shows now, which may be an older state (S-visible).
    pub fn listing(&self, what: Listed) -> Arc<[View]> {
        let visible_ms = millis(self.switches.visible);
        let older = self.snapshots.of.get(&what).and_then(|states| {
            states.iter().find(|(until, _)| until.saturating_add(visible_ms) > self.now_ms)
        });
        match older {
            Some((_, views)) => Arc::clone(views),
            None => self.listing_now(what),
        }
    }

    fn listing_now(&self, what: Listed) -> Arc<[View]> {
        match what {
            Listed::Trash => self.trash.keys().map(|ix| self.view(*ix)).collect(),
            Listed::Folder(folder) => self
                .children(folder)
                .filter(|child| folder != ROOT || self.is_shown_in_root(*child))
                .map(|child| self.view(child))
                .collect(),
        }
    }

    /// Hidden libraries never appear, shared items only when S-shared says so.
    fn is_shown_in_root(&self, ix: Ix) -> bool {
        match self.item(ix).kind {
            Kind::Library { hidden } => !hidden,
            kind if kind.is_shared() => {
                matches!(self.switches.shared, Shared::Listed | Shared::Nested400)
            }
            _ => true,
        }
    }

    /// Keeps the present state of a listing, which is about to change, for as long as S-visible says.
    pub(super) fn remember_listing(&mut self, what: Listed) {
        if self.switches.visible.is_zero() {
            return;
        }
        let views = self.listing_now(what);
        self.snapshots.of.entry(what).or_default().push((self.now_ms, views));
    }
}
