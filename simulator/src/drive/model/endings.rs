//! What comes into the journal, and which contents may be lost by it.

use std::collections::BTreeSet;

use super::Model;
use super::content::Content;
use super::item::Ix;
use super::journal::{Actor, Entry, What};

impl Model {
    pub(super) fn note(&mut self, ix: Ix, actor: Actor, what: What) {
        if self.filling {
            return;
        }
        let Some(content) = self.item(ix).content.clone() else { return };
        let entry = Entry { at_ms: self.now_ms, actor, what, path: self.path(ix), content };
        self.journal.entries.push(entry);
    }

    /// What it means that `actor` ends the present content of a file.
    pub(super) fn ending(&self, ix: Ix, actor: Actor, known: What, unread: What) -> What {
        let item = self.item(ix);
        if actor == Actor::Person || item.known_rev == item.content_rev || self.size(ix) == 0 {
            known
        } else if unread == What::ReplacedUnread && item.shown_rev != item.content_rev {
            What::ReplacedUnseen
        } else {
            unread
        }
    }

    /// What [`lost`](super::journal::lost) needs to know: the endings that may be losses, and the contents that are still held and as
    /// long as one of those. Cheap, because nothing is read.
    pub fn suspects(&self) -> (Vec<Entry>, Vec<Content>) {
        let suspects: Vec<Entry> =
            self.journal.entries.iter().filter(|entry| entry.what.is_loss()).cloned().collect();
        let lengths: BTreeSet<u64> = suspects.iter().map(|entry| entry.content.len()).collect();
        if suspects.is_empty() {
            return (suspects, Vec::new());
        }
        let held = self
            .all()
            .filter_map(|ix| self.item(ix).content.as_ref().map(|content| (ix, content)))
            .filter(|(ix, content)| lengths.contains(&content.len()) && self.is_live(*ix))
            .map(|(_, content)| content.clone())
            .collect();
        (suspects, held)
    }
}
