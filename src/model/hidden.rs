//! What the first look after a start of the machine, or a mount, could not see (`docs/sync.md` §6, Replacing a file).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BaseTree, ItemId, Node};

/// Places that no look has seen since the machine was started: folders that could not be read, volumes that were away. What a power cut
/// left there is found by the look that sees them first, however late.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenPlaces(BTreeMap<String, i64>);

impl HiddenPlaces {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `item`, and all that is below it, was not seen; what was written there before `durable_until`, Unix seconds, is durable.
    pub fn hide(&mut self, base: &BaseTree, item: Node, durable_until: i64) {
        let until = self.0.entry(base.get(item).remote.id.to_string()).or_insert(durable_until);
        *until = durable_until.min(*until);
    }

    /// The items that were not seen with all below them, as far as the base still knows them.
    pub fn places(&self, base: &BaseTree) -> impl Iterator<Item = Node> {
        self.0.keys().filter_map(|id| base.by_id(&ItemId::from_text(id)?))
    }

    /// Until when, in Unix seconds, what was written to `item` is durable, where it lies in one of these places.
    pub fn durable_until(&self, base: &BaseTree, item: Node) -> Option<i64> {
        if self.is_empty() {
            return None;
        }
        let places = std::iter::successors(Some(item), |node| base.parent(*node));
        places.filter_map(|node| self.0.get(&base.get(node).remote.id.to_string())).min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BaseEntry, State, Zone};

    #[test]
    fn what_is_below_a_hidden_place_is_durable_no_longer_than_that() {
        let id = |name: &str| ItemId::new(Zone::CloudDocs, name);
        let entry = |name: &str| BaseEntry {
            local_name: name.into(),
            remote_name: name.into(),
            ..BaseEntry::root(id(name))
        };
        let mut state = State::empty();
        for (parent, name) in
            [(ItemId::drive_root(), "d"), (id("d"), "e"), (id("e"), "f"), (ItemId::drive_root(), "g")]
        {
            assert!(state.put_changes(&parent, entry(name)).iter().all(|change| state.apply(change)));
        }
        let node = |name: &str| state.base.by_id(&id(name)).expect("it is there");
        let mut hidden = HiddenPlaces::default();
        let of = |hidden: &HiddenPlaces| {
            ["d", "e", "f", "g"].map(|name| hidden.durable_until(&state.base, node(name)))
        };
        assert_eq!(of(&hidden), [None; 4]);
        hidden.hide(&state.base, node("e"), 70);
        assert_eq!(of(&hidden), [None, Some(70), Some(70), None]);
        hidden.hide(&state.base, node("f"), 50);
        hidden.hide(&state.base, node("e"), 90);
        hidden.hide(&state.base, node("d"), 80);
        assert_eq!(of(&hidden), [Some(80), Some(70), Some(50), None]);
        let places: Vec<_> = hidden.places(&state.base).collect();
        assert_eq!(places, ["d", "e", "f"].map(node));
        let kept = serde_json::to_string(&hidden).expect("plain data");
        assert_eq!(serde_json::from_str::<HiddenPlaces>(&kept).expect("what was written"), hidden);
    }
}
