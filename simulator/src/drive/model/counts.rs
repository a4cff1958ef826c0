//! Recursive numbers of folders, the counts that listings show, and etags that run up (`docs/protocol.md §7.2`, `§8.5`).

use super::item::{Counts, Kind, Place, Totals};
use super::{Ix, Model, ROOT, millis};
use crate::switches::{ApplibCount, CountLag, EtagUp};

impl Model {
    /// Counts of a folder as a listing shows them at this moment.
    pub fn shown_counts(&self, ix: Ix) -> Counts {
        let Some(folder) = &self.item(ix).folder else { return Counts::default() };
        let lag = match self.switches.count_lag {
            CountLag::After(lag) => millis(lag),
            // What was true before the first remembered change is shown for ever.
            CountLag::Stuck => i64::MAX / 2,
        };
        folder
            .count_history
            .iter()
            .find(|(until, _)| until.saturating_add(lag) > self.now_ms)
            .map_or_else(|| self.true_counts(ix), |(_, counts)| *counts)
    }

    /// Counts without lag, with the quirks of the root.
    fn true_counts(&self, ix: Ix) -> Counts {
        let Some(folder) = &self.item(ix).folder else { return Counts::default() };
        let mut totals = folder.totals;
        let mut direct = folder.children.len() as u64;
        if ix == ROOT {
            for trashed in
                self.trash.keys().filter(|trashed| self.item(**trashed).id.zone == self.item(ROOT).id.zone)
            {
                let below = self.totals_of(*trashed);
                totals.files += below.files;
                totals.bytes += below.bytes;
                direct += 1;
            }
            for child in self.children(ROOT) {
                if let Kind::Library { .. } = self.item(child).kind {
                    direct -= 1;
                    if self.switches.applib_count == ApplibCount::Included {
                        totals.files += self.totals_of(child).files;
                    }
                }
            }
        }
        // The real number is more than the sum of the sizes by an unexplained part; one in 64 here.
        Counts { files: totals.files, quota: totals.bytes + totals.bytes / 64, direct }
    }

    /// Files and bytes of an item and everything below it.
    pub(super) fn totals_of(&self, ix: Ix) -> Totals {
        let item = self.item(ix);
        match &item.folder {
            Some(folder) => folder.totals,
            None => Totals { files: 1, bytes: self.size(ix) },
        }
    }

    /// Size as listings show it, in bytes: of a package the sum of its members.
    pub fn size(&self, ix: Ix) -> u64 {
        match (&self.item(ix).content, self.package(ix)) {
            (Some(content), _) => content.len(),
            (None, Some(members)) => members.iter().map(|member| member.content.len()).sum(),
            (None, None) => 0,
        }
    }

    pub(super) fn add_totals(&mut self, parent: Ix, added: Totals) {
        self.for_counted_folders(parent, |totals| {
            totals.files += added.files;
            totals.bytes += added.bytes;
        });
    }

    pub(super) fn subtract_totals(&mut self, parent: Ix, taken: Totals) {
        self.for_counted_folders(parent, |totals| {
            totals.files -= taken.files;
            totals.bytes -= taken.bytes;
        });
    }

    /// Visits a folder and those above it whose numbers include its own: a library's stay out of the root's.
    fn for_counted_folders(&mut self, parent: Ix, change: impl Fn(&mut Totals)) {
        let mut at = parent;
        loop {
            let item = &mut self.items[at as usize];
            if let Some(folder) = &mut item.folder {
                change(&mut folder.totals);
            }
            match (item.kind, item.place) {
                (Kind::Library { .. }, _) => return,
                (_, Place::In(above)) => at = above,
                _ => return,
            }
        }
    }

    /// Remembers what the folder, those above it and the root show now, for as long as counts lag.
    pub(super) fn remember_counts(&mut self, folder: Ix) {
        let stuck = self.switches.count_lag == CountLag::Stuck;
        if self.switches.count_lag == CountLag::After(std::time::Duration::ZERO) {
            return;
        }
        let mut touched = self.ancestors(folder);
        touched.push(folder);
        if !touched.contains(&ROOT) {
            touched.push(ROOT);
        }
        for ix in touched {
            let counts = self.true_counts(ix);
            let now = self.now_ms;
            let Some(folder) = &mut self.items[ix as usize].folder else { continue };
            if !stuck || folder.count_history.is_empty() {
                folder.count_history.push((now, counts));
            }
            // A lag is seconds; an hour covers every value that makes sense.
            folder.count_history.retain(|(until, _)| stuck || until + 3_600_000 > now);
        }
    }

    /// Gives an item a new first token.
    pub(super) fn bump_meta(&mut self, ix: Ix) {
        let rev = self.next_rev(self.item(ix).id.zone);
        let now = self.now_ms;
        let item = &mut self.items[ix as usize];
        item.meta_rev = rev;
        item.changed_ms = now;
    }

    /// Gives a file new tokens for its content and for itself.
    pub(super) fn bump_content(&mut self, ix: Ix) {
        let rev = self.next_rev(self.item(ix).id.zone);
        self.items[ix as usize].content_rev = rev;
        self.items[ix as usize].content_at_ms = self.now_ms;
        self.bump_meta(ix);
    }

    /// Lets a change in `folder` run up through it and its ancestors, when S-etag-up says.
    pub(super) fn run_up(&mut self, folder: Ix) {
        self.run_ups += u64::from(!self.filling);
        match self.switches.etag_up {
            _ if self.filling => {}
            EtagUp::Lapses if self.run_ups.is_multiple_of(100) => {}
            EtagUp::AtOnce | EtagUp::Always | EtagUp::Lapses => self.run_up_now(folder),
            EtagUp::Parent => self.bump_meta(folder),
            EtagUp::Never => {}
            EtagUp::Delayed => {
                let due = self.now_ms.saturating_add(millis(self.switches.etag_up_delay));
                // One run is enough for all changes before it is due.
                if self.etags_due_of.insert(folder) {
                    self.due_etags.push_back((due, folder));
                }
            }
        }
    }

    /// The same for a change of a name in `folder`, which not every rule counts.
    pub(super) fn run_up_for_name(&mut self, folder: Ix) {
        if matches!(self.switches.etag_up, EtagUp::Always | EtagUp::Lapses | EtagUp::Parent) {
            self.run_up(folder);
        }
    }

    /// New etags for a folder and those above it, nearest first, each with its own number.
    pub(super) fn run_up_now(&mut self, folder: Ix) {
        self.bump_meta(folder);
        for above in self.ancestors(folder) {
            self.bump_meta(above);
        }
    }
}
