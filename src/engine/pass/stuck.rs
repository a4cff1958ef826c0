//! What has to be planned again in pass after pass, for one and the same reason.

use std::collections::HashMap;

use crate::model::RelPath;

/// So many passes in a row the disk may refuse something for the same reason before that is taken for lasting: it is set aside then, with
/// its reason and a growing wait, and keeps nobody busy.
const MOST: u32 = 2;

/// What was planned again, and how often in a row.
#[derive(Debug, Default)]
pub(super) struct Stuck(HashMap<RelPath, (String, u32)>);

impl Stuck {
    /// Whether an item was planned again for that reason in each of the last passes.
    pub(super) fn is_stuck(&self, path: &RelPath, why: &str) -> bool {
        self.0.get(path).is_some_and(|(known, count)| known == why && *count >= MOST)
    }

    /// A pass is over, after which these have to be planned again. What was set aside meanwhile stays known, since it would fare the same.
    pub(super) fn learn(&mut self, again: &[(RelPath, String)], is_set_aside: impl Fn(&RelPath) -> bool) {
        let mut before = std::mem::take(&mut self.0);
        let counted = again.iter().map(|(path, why)| {
            let count = before.remove(path).filter(|(known, _)| known == why).map_or(0, |(_, count)| count);
            (path.clone(), (why.clone(), count.saturating_add(1)))
        });
        self.0 = counted.collect();
        self.0.extend(before.into_iter().filter(|(path, _)| is_set_aside(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_for_one_reason_in_pass_after_pass_is_stuck_until_it_is_done() {
        let path = RelPath::parse("a").unwrap();
        let again = |why: &str| vec![(path.clone(), why.to_owned())];
        let mut stuck = Stuck::default();
        for (round, (why, expected)) in
            [("taken", false), ("taken", true), ("gone", false), ("taken", false), ("taken", true)]
                .into_iter()
                .enumerate()
        {
            stuck.learn(&again(why), |_| false);
            assert_eq!(stuck.is_stuck(&path, why), expected, "{round}");
        }
        stuck.learn(&[], |at| *at == path);
        assert!(stuck.is_stuck(&path, "taken"), "it is set aside");
        stuck.learn(&[], |_| false);
        assert!(!stuck.is_stuck(&path, "taken"), "it was done");
    }
}
