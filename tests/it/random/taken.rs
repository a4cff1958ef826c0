//! Names that are taken on the way to where a file goes, on a service that takes no two of one name.

use super::scenarios::{is_at_peace, pass, world};
use super::twists::Twist;

#[test]
fn files_change_places_over_folders_in_which_both_names_are_taken() {
    for twists in [&[Twist::TakenError][..], &[]] {
        let mut run = world(1, twists);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.mkdir("d"));
        for (path, content) in [("e", "first"), ("d/b", "second"), ("b", "third"), ("d/e", "fourth")] {
            assert!(disk.write(path, content.as_bytes()));
        }
        pass(&mut run);
        let before = ["e", "d/b", "b", "d/e"].map(|path| drive.find(path).expect("it was sent"));
        // Neither can go first under its own name nor under the other's: `b` is taken at the top, and `e` in the folder.
        assert!(disk.mv("e", "between") && disk.mv("d/b", "e") && disk.mv("between", "d/b"));
        pass(&mut run);
        pass(&mut run);
        let after = ["d/b", "e", "b", "d/e"].map(|path| drive.find(path).expect("it is there"));
        assert_eq!(after, before, "{twists:?}: {:?}", drive.tree());
        is_at_peace(&mut run);
    }
}
