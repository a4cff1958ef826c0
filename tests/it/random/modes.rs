//! Another mode after a crash: what was begun in the former one is finished only where the present one may.

use icloudds::engine::pass::Look;
use icloudds::engine::plan::Mode;

use super::scenarios::{passes, wait, world};
use crate::sim::{Call, Crash, Fault};

/// The calls that change iCloud.
const CHANGES: [Call; 8] = [
    Call::CreateFolders,
    Call::RenameRemote,
    Call::MoveRemote,
    Call::TrashRemote,
    Call::DeleteTrashed,
    Call::PutBack,
    Call::Stage,
    Call::Commit,
];

#[test]
fn in_download_only_nothing_that_was_begun_before_is_finished_on_icloud() {
    let deeds: [fn(&crate::sim::SimDisk) -> bool; 3] = [
        |disk| disk.mv("a", "t") && disk.mv("b", "a") && disk.mv("t", "b"),
        |disk| disk.write("a", b"edited here"),
        |disk| disk.delete("d/x") && disk.delete("d"),
    ];
    for deed in deeds {
        for step in 1.. {
            let mut run = world(step, &[]);
            let disk = run.world.disk.clone();
            assert!(disk.write("a", b"content of a") && disk.write("b", b"content of b"));
            assert!(disk.mkdir("d") && disk.write("d/x", b"content of x"));
            wait(&run);
            assert!(passes(&mut run));
            wait(&run);
            assert!(deed(&disk));
            wait(&run);
            // So that a note is left which only a call can settle.
            run.world.fuse.script(Call::Commit, 0, Fault::LostAnswer);
            run.world.fuse.crash_after(step);
            let done = passes(&mut run);
            run.world.restart(Crash::Kill);
            run.world.fuse.calm();
            run.settings.mode = Mode::DownloadOnly;
            run.engine = None;
            run.world.fuse.forget_calls();
            for _ in 0..8 {
                drop(run.run(&Look::whole(), true));
                wait(&run);
            }
            let calls = run.world.fuse.calls();
            let changed: Vec<_> = calls.keys().filter(|call| CHANGES.contains(call)).collect();
            assert!(changed.is_empty(), "step {step}: {changed:?}");
            run.world.assert_nothing_lost();
            if done {
                break;
            }
        }
    }
}
