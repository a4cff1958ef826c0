//! What the engine learns from looks at both sides.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::background_walk::{Sight, Walk};
use super::{Engine, LocalLook};
use crate::engine::ports::Clock;
use crate::engine::view::LocalView;
use crate::model::name::temporary_origin;
use crate::model::{Change, Node, RemoteEntry};

impl Engine {
    /// What a walk through iCloud that begins now starts from.
    pub fn walk(&self) -> Walk {
        Walk {
            base: Arc::clone(&self.state.base),
            time: self.state.time.clone(),
            previous: self.remote.clone(),
        }
    }

    /// Takes over what a look at this side saw.
    pub(super) fn saw_here(&mut self, mut view: LocalView, look: &LocalLook) {
        if *look == LocalLook::Whole {
            view.tree.rest_on(&self.state.base);
        }
        self.local = Some(view);
    }

    /// Takes over what a look at iCloud brought that is over now.
    pub fn saw_there(&mut self, sight: Sight, clock: &dyn Clock) {
        let now = self.lived(clock.reading());
        // Only a walk shows each of our own writes.
        let (mut view, shows_all) = match sight {
            Sight::Nothing | Sight::TooLittle => return,
            Sight::Part(view) => (view, false),
            Sight::Whole(view) => (view, true),
        };
        if shows_all {
            view.tree.rest_on(&self.state.base);
        }
        self.remote = Some(Arc::new(view));
        self.outlived &= !shows_all;
        if shows_all {
            self.left_open.walked = [self.left_open.walked[1], now];
        }
        self.settle_sizes(now);
        self.settle_absences();
        self.forget_unmade(shows_all, now);
        self.note_lent_names(now);
    }

    /// Remembers since when which items bear a temporary name on iCloud, also where another process saw them first. One that got another
    /// meanwhile begins anew.
    fn note_lent_names(&mut self, now: i64) {
        let Some(view) = &self.remote else { return };
        let tree = &view.tree;
        let lent = tree
            .walk(Node::ROOT)
            .map(|node| tree.get(node))
            .filter(|entry| temporary_origin(&entry.name).is_some());
        let since = |entry: &RemoteEntry| {
            let known = self.lent.get(&entry.id).filter(|(name, _)| *name == entry.name);
            let stored =
                || self.state.lent.get(&entry.id.to_string()).filter(|(name, _)| **name == *entry.name);
            known
                .map(|(_, since)| *since)
                .or_else(|| stored().map(|(_, since)| *since))
                .map_or(now, |at| at.min(now))
        };
        self.lent = lent.map(|entry| (entry.id.clone(), (entry.name.clone(), since(entry)))).collect();
        let told = self.lent.iter().map(|(id, (name, since))| (id.to_string(), (name.to_string(), *since)));
        let told: BTreeMap<_, _> = told.collect();
        if told != self.state.lent
            && let Err(error) = self.commit(&[Change::Lent(told)])
        {
            log::debug!("since when temporary names are seen cannot be noted: {error}");
        }
    }
}
