//! Edits here that hardly started from the version on iCloud stay known as such until they are sent: who edits the file again meanwhile
//! gives it a time that tells nothing of that any more (`docs/sync.md` §6, Replacing a file).

use std::collections::BTreeMap;

use crate::engine::operation::{Action, Plan, Reason, UploadTarget};
use crate::model::{Agreed, ItemId, State};

/// Whose edits had gone back when `plan` was made, or before, and those of `others`; each with the content half of the etag that was
/// agreed on. Once another version is agreed on it is over.
pub(super) fn went_back(
    state: &State,
    plan: &Plan,
    others: impl Iterator<Item = ItemId>,
) -> BTreeMap<String, String> {
    let agreed = |id: &ItemId| state.base.by_id(id).map(|node| state.base.get(node));
    let is_still = |(text, version): &(&String, &String)| {
        ItemId::from_text(text)
            .as_ref()
            .and_then(agreed)
            .is_some_and(|entry| entry.remote.etag.content() == *version)
    };
    let before =
        state.went_back.iter().filter(is_still).map(|(text, version)| (text.clone(), version.clone()));
    let planned =
        plan.operations.iter().filter_map(|operation| match (&operation.action, operation.reason) {
            (
                Action::Upload { target: UploadTarget::Over { remote, .. }, .. },
                Reason::WentBack | Reason::Exchanged | Reason::Emptied | Reason::CutShort,
            ) => agreed(&remote.id),
            _ => None,
        });
    let others: Vec<_> = others.collect();
    let noted = |entry: &Agreed| (entry.remote.id.to_string(), entry.remote.etag.content().to_owned());
    before.chain(planned.chain(others.iter().filter_map(agreed)).map(noted)).collect()
}
