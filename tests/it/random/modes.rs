//! Another mode after a crash: what was begun in the former one is finished only where the present one may.

use icloudds::engine::conflict::is_conflict_name;
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

#[test]
fn a_conflict_copy_of_download_only_goes_up_once_both_ways_are_synced() {
    for is_killed in [false, true] {
        let mut run = world(7, &[]);
        let (disk, drive) = (run.world.disk.clone(), run.world.drive.clone());
        assert!(disk.write("f", b"agreed on"));
        wait(&run);
        assert!(passes(&mut run));
        run.settings.mode = Mode::DownloadOnly;
        wait(&run);
        assert!(disk.write("f", b"edited here") && drive.edit("f", b"edited there"));
        for _ in 0..3 {
            wait(&run);
            assert!(passes(&mut run));
        }
        let names = |run: &super::run::Run| {
            run.world.drive.tree().into_keys().filter(|path| is_conflict_name(path)).count()
        };
        assert_eq!((disk.files().len(), drive.tree().len(), names(&run)), (2, 1, 0), "it stays here");
        if is_killed {
            run.world.restart(Crash::Kill);
            run.engine = None;
        }
        run.settings.mode = Mode::TwoWay;
        for _ in 0..3 {
            wait(&run);
            assert!(passes(&mut run));
        }
        assert_eq!((disk.files().len(), drive.tree().len(), names(&run)), (2, 2, 1), "killed: {is_killed}");
        assert_eq!(disk.tree(), drive.tree());
    }
}
