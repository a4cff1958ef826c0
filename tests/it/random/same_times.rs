//! An edit of the same size so soon after a look that it leaves all times as the look saw them (`docs/sync.md` §3, racy): contents tell, where
//! the times may be too young, by whatever clock makes them.

use icloudds::engine::pass::Look;

use super::history::Twist;
use super::scenarios::{is_at_peace, wait, world};
use crate::sim::{Crash, Outcome};

const FIRST: &[u8] = b"the first version";
const SECOND: &[u8] = b"a second version!";

/// How a file comes to be agreed on.
const WAYS: [&str; 3] = ["uploaded", "downloaded", "met on both sides"];

#[test]
fn an_edit_in_the_moment_of_a_look_is_found_by_any_clock() {
    for ahead in [0, -86_400, -30, -3, 3, 30, 86_400] {
        for (way, restarts) in WAYS.iter().flat_map(|way| [(way, false), (way, true)]) {
            let told = format!("{ahead} s ahead, {way}, restarted: {restarts}");
            let mut run = world(1, &[Twist::ServersClock(ahead)]);
            let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
            assert!(*way == "uploaded" || drive.create("f", FIRST).is_some());
            assert!(*way == "downloaded" || disk.write("f", FIRST));
            assert!(matches!(run.run(&Look::whole(), true), Ok(Outcome::Done(Ok(_)))), "{told}");
            assert!(disk.map_write("f", SECOND), "{told}");
            if restarts {
                run.world.restart(Crash::Kill);
            }
            wait(&run);
            is_at_peace(&mut run);
            let found = drive.find("f").and_then(|id| drive.item(&id));
            assert!(found.is_some_and(|item| *item.body == *SECOND), "{told}");
        }
    }
}
