//! Folders in folders in folders.

use super::*;
use crate::model::path::DEEPEST;

#[test]
fn a_deep_chain_is_read_to_its_end_and_an_endless_one_is_told() {
    for chain in [3000, usize::MAX] {
        let fake = Fake { chain, ..Fake::new(&[]) };
        let view = observe(&fake, &base(&[]));
        let deepest = chain.min(DEEPEST);
        assert_eq!(view.tree.len() - 1, deepest, "{chain}");
        assert_eq!(fake.calls("list c"), deepest - usize::from(chain >= DEEPEST), "{chain}");
        let last = view.tree.by_id(&id(&format!("c{}", deepest - 1))).unwrap();
        // A folder at the limit is there; what it holds is not known.
        let is_left = chain >= DEEPEST;
        assert_eq!(view.tree.get(last).state == FolderState::Incomplete, is_left, "{chain}");
        let told: Vec<_> = view.unusable.iter().map(|(_, name, _)| name.clone()).collect();
        let expected: Vec<_> = (chain >= DEEPEST).then(|| format!("c{}", DEEPEST - 1)).into_iter().collect();
        assert_eq!(told, expected, "{chain}");
        assert!(view.complete, "nothing to wait for");
    }
}
