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
        let unseen: Vec<(Node, i64)> = base
            .walk(Node::ROOT)
            .filter_map(|node| power_cuts.unseen_since(base, node).map(|until| (node, until)))
            .collect();
        let items = unseen.iter().map(|(node, _)| *node).filter(|node| is_cut(*node));
        let items = items.map(|node| base.get(node).remote.id.clone()).collect();
        let mut hidden = HiddenPlaces::default();
        for (item, durable_until) in unseen {
            let is_hidden = match recognition.of_base[item] {
                LocalFate::There { node, .. } => {
                    base.get(item).folder && local.get(node).state != FolderState::Complete
                }
                LocalFate::Deleted | LocalFate::Agreed => false,
                LocalFate::Held | LocalFate::Missing | LocalFate::Unmounted(_) | LocalFate::Unknown => true,
            };
            // Folders come before what is in them.
            if is_hidden && hidden.durable_until(base, item).is_none() {
                hidden.hide(base, item, durable_until);
            }
        }
        Self { items, hidden }
    }
}
