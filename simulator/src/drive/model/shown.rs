//! How the service shows items and listings now.

use std::sync::Arc;

use super::id::TRASH_ROOT;
use super::item::{Ix, Kind, Place, ROOT};
use super::view::{Listed, View};
use super::{Model, millis, names};
use crate::switches::Shared;

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
