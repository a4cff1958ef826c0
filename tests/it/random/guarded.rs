//! P7: what went that nobody was asked about.

use std::collections::BTreeSet;

use icloudds::model::{Intent, ItemId, Side};

use super::history::Twist;
use super::oracle::Broken;
use super::run::Run;
use crate::sim::fuse::lock;

/// P7: at most so many items go without a word of the owner.
pub fn guarded(run: &Run) -> Result<(), Broken> {
    if !run.history.has(Twist::SmallGuard) {
        return Ok(());
    }
    // What is noted as replaced is on its way until the note is settled, and replaced once the new one came: also where nobody saw
    // that for a crash.
    let mut replacing = lock(&run.seen.replacing);
    let intents = run.world.store.durable().intents;
    let mut noted = BTreeSet::new();
    for intent in intents.values() {
        if let Intent::ReplaceByTrash { old, parent, document, .. } = intent {
            noted.insert(old.to_string());
            replacing.insert(old.to_string(), ItemId::new(parent.zone().clone(), document));
        }
    }
    let has_come = |id: &String| replacing.get(id).is_some_and(|new| run.world.drive.item(new).is_some());
    // An answer without an effect took nothing away.
    let live = run.world.drive.below(&ItemId::drive_root());
    let live: BTreeSet<_> = live.into_iter().map(|id| id.to_string()).collect();
    let is_kept = |on: Side, id: &String| {
        on == Side::Remote && (noted.contains(id) || has_come(id) || live.contains(id))
    };
    let counting = lock(&run.seen.counting);
    for side in [Side::Local, Side::Remote] {
        let deleted = lock(&run.seen.deleted);
        let count =
            deleted.intersection(&counting).filter(|(on, id)| *on == side && !is_kept(*on, id)).count();
        if count > 2 {
            return Err(Broken::new("P7", format!("{count} old items deleted on {side:?} unasked")));
        }
    }
    Ok(())
}

/// More than a day has passed: what is there now counts when it goes, but for junk, which takes no part and goes with its folder.
pub fn count_from_now(run: &Run) {
    let is_junk = |name: &str| name == ".DS_Store";
    let there = run.world.drive.below(&ItemId::drive_root()).into_iter();
    let there = there.filter(|id| run.world.drive.item(id).is_none_or(|item| !is_junk(&item.name)));
    let there = there.map(|id| (Side::Remote, id.to_string()));
    let here = run.world.disk.tree().into_keys();
    let here = here.filter(|path| !is_junk(path.rsplit('/').next().unwrap_or(path)));
    let here = here.map(|path| (Side::Local, path));
    *lock(&run.seen.counting) = here.chain(there).collect();
    lock(&run.seen.deleted).clear();
}

/// The owner has approved, or the state is lost: what went counts no more.
pub fn count_no_more(run: &Run) {
    lock(&run.seen.counting).clear();
}
