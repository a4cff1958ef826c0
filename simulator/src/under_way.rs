//! The calls under way that must not overlap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::route::is_mutation;

/// The calls under way that must not overlap.
#[derive(Debug, Default)]
pub struct Lane {
    under_way: Mutex<BTreeMap<&'static str, usize>>,
}

/// One call under way; it ends when this is dropped.
#[derive(Debug)]
pub struct InLane {
    lane: Arc<Lane>,
    kind: Option<&'static str>,
}

impl Lane {
    fn under_way(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mutations of the drive under way, the asking one included.
    #[must_use]
    pub fn mutations(&self) -> usize {
        self.under_way().iter().filter(|(kind, _)| is_mutation(kind)).map(|(_, count)| count).sum()
    }

    /// Content uploads under way.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.under_way().get("upload.content").copied().unwrap_or(0)
    }

    /// Notes a call. The second value names the mutation under way that this one, itself a mutation, overlaps; one of another kind
    /// where there is one.
    #[must_use]
    pub fn enter(lane: &Arc<Self>, kind: &'static str) -> (InLane, Option<&'static str>) {
        let counted = is_mutation(kind) || kind == "upload.content";
        let mut under_way = lane.under_way();
        let other = under_way
            .iter()
            .filter(|(other, count)| is_mutation(other) && **count > 0)
            .map(|(other, _)| *other)
            .max_by_key(|other| *other != kind)
            .filter(|_| is_mutation(kind));
        if counted {
            *under_way.entry(kind).or_insert(0) += 1;
        }
        drop(under_way);
        let entered = InLane { lane: Arc::clone(lane), kind: counted.then_some(kind) };
        (entered, other)
    }
}

impl Drop for InLane {
    fn drop(&mut self) {
        if let Some(kind) = self.kind
            && let Some(count) = self.lane.under_way().get_mut(kind)
        {
            *count = count.saturating_sub(1);
        }
    }
}
