//! What a look shows of what a power cut may have left (`docs/sync.md` §6, Replacing a file).

use std::collections::BTreeSet;

use crate::engine::recognise::{Content, LocalFate, Recognition};
use crate::engine::view::LocalView;
use crate::model::{BaseTree, FolderState, HiddenPlaces, ItemId, Node, PowerCuts};

/// What a look shows of what a power cut may have left.
#[derive(Clone, Debug, Default)]
pub(super) struct CutShort {
    /// Whose edits here may be a part of what was written, and who may be gone with it.
    pub items: BTreeSet<ItemId>,
    /// Where nothing could be seen since the machine was started.
    pub hidden: HiddenPlaces,
}

impl CutShort {
    /// What may have met a power cut, whatever becomes of it now. Once that is noted the next looks are no first ones.
    pub fn of(
        base: &BaseTree,
        local: Option<&LocalView>,
        recognition: &Recognition,
        power_cuts: PowerCuts<'_>,
    ) -> Self {
        let Some(LocalView { tree: local, .. }) = local.filter(|_| !power_cuts.have_all_been_seen()) else {
            return Self::default();
        };
        let is_cut = |item: Node| match recognition.of_base[item] {
            LocalFate::There { node, content: Content::Edited | Content::Unread } => {
                power_cuts.may_have_cut(base, item, &local.get(node).stamp)
            }
            // Not every file system keeps a name while another file gets it.
            LocalFate::Deleted => true,
            _ => false,
        };
        let is_hidden = |item: Node| match recognition.of_base[item] {
            LocalFate::There { node, .. } => {
                base.get(item).folder && local.get(node).state != FolderState::Complete
            }
            LocalFate::Deleted | LocalFate::Agreed => false,
            LocalFate::Held | LocalFate::Missing | LocalFate::Unmounted(_) | LocalFate::Unknown => true,
        };
        // A volume may be away for months: each look goes through what was on it, and through nothing else.
        let mut open = power_cuts.first_seen_below(base);
        let items = open.iter().flat_map(|top| base.walk(*top)).filter(|item| is_cut(*item));
        let items = items.map(|item| base.get(item).remote.id.clone()).collect();
        let mut hidden = HiddenPlaces::default();
        while let Some(item) = open.pop() {
            match power_cuts.unseen_since(base, item).filter(|_| is_hidden(item)) {
                Some(durable_until) => hidden.hide(base, item, durable_until),
                None => open.extend(base.children(item)),
            }
        }
        Self { items, hidden }
    }
}
