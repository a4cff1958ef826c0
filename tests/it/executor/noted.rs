//! What was noted, and done here, before the store failed: where files have identities, and where the place alone tells.

use icloudds::engine::execute::End;
use icloudds::engine::operation::{Action, Operation};
use icloudds::engine::ports::Store;
use icloudds::model::{Change, Intent};

use super::{Bench, op, path, plan};
use crate::sim::{Call, Fault};

fn bench(identities: bool) -> Bench {
    let bench = Bench::new(1);
    bench.world.disk.switch(|switches| switches.identities = identities);
    bench
}

/// A file that went on iCloud, and the operation that follows here.
fn gone_there(identities: bool) -> (Bench, Operation) {
    let mut bench = bench(identities);
    bench.file("f0", b"content");
    bench.later();
    assert!(bench.world.drive.person_trash("f0"));
    let id = Some(bench.base("f0").unwrap().id);
    let trash = op(Action::TrashLocal { id, local: bench.local("f0"), folder: false }, "f0");
    (bench, trash)
}

/// Where nothing has an identity, what took the place meanwhile is told from what was deleted by its kind, its size and its time.
#[test]
fn a_deletion_here_that_could_not_be_stored_counts_though_something_else_took_its_place() {
    for identities in [true, false] {
        for content in [Some("content"), Some("another one"), None] {
            let what = format!("identities {identities}, {content:?}");
            let (mut bench, trash) = gone_there(identities);
            bench.world.fuse.script(Call::Store, 1, Fault::Io);
            let outcome = bench.run(&plan(vec![trash]));
            assert!(matches!(outcome.ended, Some(End::Store(_))), "{what}: {outcome:?}");
            assert_eq!(outcome.counts.deleted_local, 1, "{what}");
            bench.later();
            let disk = &bench.world.disk;
            assert!(content.map_or_else(|| disk.mkdir("f0"), |content| disk.write("f0", content.as_bytes())));
            bench.recover();
            assert!(bench.base("f0").is_none(), "{what}");
            let counted: u64 = bench.state.guard.recent.iter().map(|deletion| deletion.count).sum();
            assert_eq!(counted, 1, "{what}");
            assert!(bench.world.disk.tree().contains_key("f0"), "{what}");
        }
    }
}

#[test]
fn a_folder_that_is_deleted_here_is_told_from_a_file_in_its_place() {
    for identities in [true, false] {
        let mut bench = bench(identities);
        bench.folder("d");
        bench.later();
        assert!(bench.world.drive.person_trash("d"));
        let id = Some(bench.base("d").unwrap().id);
        let trash = op(Action::TrashLocal { id, local: bench.local("d"), folder: true }, "d");
        bench.world.fuse.script(Call::Store, 1, Fault::Io);
        let outcome = bench.run(&plan(vec![trash]));
        assert!(matches!(outcome.ended, Some(End::Store(_))), "identities {identities}: {outcome:?}");
        bench.later();
        assert!(bench.world.disk.write("d", b""));
        bench.recover();
        assert!(bench.base("d").is_none(), "identities {identities}");
        assert_eq!(bench.state.guard.recent.len(), 1, "identities {identities}");
    }
}

/// A deletion that was noted and not done is none, whatever tells what stands there.
#[test]
fn a_deletion_here_that_was_only_noted_is_not_counted() {
    for identities in [true, false] {
        let (mut bench, _) = gone_there(identities);
        let items = vec![(bench.base("f0").unwrap().id, path("f0"), bench.local("f0").stamp)];
        bench.world.store.commit(&[Change::Begin(7, Intent::TrashHere { items })]).unwrap();
        bench.state = bench.world.store.durable();
        bench.recover();
        assert!(bench.base("f0").is_some(), "identities {identities}");
        assert!(bench.state.guard.recent.is_empty() && bench.state.intents.is_empty());
    }
}

/// Another item has the name on iCloud: its content takes the place of the file of the one before, and the process ends before the base
/// learns of it.
#[test]
fn the_content_of_another_item_is_no_edit_of_the_one_before_after_a_crash() {
    for identities in [true, false] {
        let mut bench = bench(identities);
        bench.file("f", b"as agreed");
        bench.later();
        let old = bench.id("f");
        assert!(bench.world.drive.person_rename("f", "elsewhere"));
        bench.world.drive.create("f", b"of another item").unwrap();
        bench.world.fuse.script(Call::Store, 1, Fault::Io);
        let fetch = Action::Download { remote: bench.remote("f"), over: Some(bench.local("f").into()) };
        let outcome = bench.one(fetch, "f");
        assert!(matches!(outcome.ended, Some(End::Store(_))), "identities {identities}: {outcome:?}");
        assert_eq!(bench.read("f"), "of another item");
        bench.recover();
        assert!(bench.state.base.by_id(&old).is_none(), "identities {identities}");
        assert!(bench.state.guard.recent.is_empty(), "nobody deleted it");
        assert_eq!(bench.read_remote("elsewhere"), "as agreed");
    }
}
