//! Folders with a dot in their names: the service splits such a name as it splits a file's (`docs/protocol.md` §7.4).

use std::fs;

use icloudds::engine::ports::Store as _;
use icloudds::model::Change;
use icloudds::store;
use icloudds_simulator::switches::{FolderExt, LeadingDot, NameTaken};

use super::rig::Rig;
use crate::cases::side_by_side;

const NAMES: [&str; 9] =
    ["v1.2", "v1.3", "x.tar.gz", ".config", ".a.b", "a.", "a..b", "Gr\u{fc}\u{df}e.d", "no dot"];

#[test]
fn they_keep_their_whole_names_both_ways() {
    side_by_side(FolderExt::ALL, |folders| {
        for dots in LeadingDot::ALL {
            let rig = Rig::signed_in_with(|config| {
                config.switches.folder_ext = *folders;
                config.switches.leading_dot = *dots;
            });
            for name in NAMES {
                rig.write(&format!("here/{name}/f.txt"), name);
                rig.there().write(&format!("there/{name}/f.txt"), name).expect("a file");
            }
            rig.once();
            assert_eq!(rig.here().len(), 2 + 2 * 2 * NAMES.len(), "{folders:?} {dots:?}");
            rig.assert_settled();

            let ids: Vec<_> = NAMES.map(|name| rig.id(&format!("here/{name}"))).into();
            rig.mv("here/v1.2", "here/v2.0");
            rig.mv("here/.config", "here/plain");
            rig.mv("here/no dot", "there/.new.d");
            rig.mv("here/a.", "here/a.b");
            rig.there().rename("there/x.tar.gz", "x.tar.xz").expect("a rename");
            rig.there().rename("there/no dot", "a.dot").expect("a rename");
            rig.once();
            for (path, was) in [("here/v2.0", 0), ("here/plain", 3), ("there/.new.d", 8), ("here/a.b", 5)] {
                assert_eq!(rig.id(path), ids[was], "{path} was moved, {folders:?} {dots:?}");
            }
            assert_eq!(rig.read("there/x.tar.xz/f.txt"), "x.tar.gz");
            rig.assert_settled();

            rig.rm("here/v1.3");
            rig.there().trash("there/.a.b").expect("a deletion");
            rig.once();
            assert!(rig.there().entry("here/v1.3").is_none() && !rig.at("there/.a.b").exists());
            rig.assert_settled();
        }
    });
}

#[test]
fn a_taken_name_gets_its_number_before_what_follows_the_dot() {
    for folders in FolderExt::ALL {
        let rig = Rig::signed_in_with(|config| {
            config.switches.folder_ext = *folders;
            config.switches.name_taken = NameTaken::AutoRename;
        });
        rig.there().folder("v1.2").expect("a folder");
        rig.there().folder("other").expect("a folder");
        rig.once();
        // Both sides want one name in the same moment: the folder of iCloud and the one here are one folder.
        rig.there().write("new.d/there.txt", "there").expect("a file");
        rig.write("new.d/here.txt", "here");
        rig.there().rename("other", "v1 2.2").expect("a rename");
        rig.once();
        assert_eq!(rig.here().len(), 5, "{folders:?}: {:?}", rig.here().keys());
        rig.assert_settled();
    }
}

/// The state of a version that took `v1.2` for `v1`, here as on iCloud.
fn forget_extensions(rig: &Rig, folders: &[&str]) {
    let mut opened = store::open(&rig.state().join("state.redb")).expect("the state");
    let base = std::sync::Arc::clone(&opened.state.base);
    let mut changes = Vec::new();
    for node in base.walk(icloudds::model::Node::ROOT) {
        let entry = base.get(node);
        if entry.folder && folders.contains(&&*entry.remote.name) {
            let parent = base.get(base.parent(node).expect("a parent")).remote.id.clone();
            let stem = entry.remote.name.rsplit_once('.').expect("a dot").0;
            let mut old = entry.to_entry();
            old.remote_name = stem.into();
            old.local_name = stem.into();
            changes.push(Change::Put { parent, entry: Box::new(old) });
            fs::rename(rig.at(&base.path(node).to_string()), rig.at(stem)).expect("a rename");
        }
    }
    assert_eq!(changes.len(), folders.len());
    opened.store.commit(&changes).expect("a commit");
}

#[test]
fn a_state_that_knows_them_without_their_ends_leads_to_renames_only() {
    for folders in FolderExt::ALL {
        let rig = Rig::signed_in_with(|config| config.switches.folder_ext = *folders);
        for path in ["v1.2/deep/a.txt", "v1.2/b.txt", "My.app/Contents/c.txt", "plain/d.txt"] {
            rig.write(path, path);
        }
        rig.once();
        let there = rig.on_icloud();
        forget_extensions(&rig, &["v1.2", "My.app"]);
        // The twin of the same stem was set aside by that version.
        rig.there().write("v1.3/e.txt", "twin").expect("a file");
        // And a person goes on working in what it was called.
        rig.write("v1/b.txt", "edited here");
        let requests = rig.requests(|| drop(rig.once()));
        for kind in ["trash", "create", "rename", "move", "delete"] {
            assert_eq!(requests.get(kind), None, "{folders:?}: {requests:?}");
        }
        assert_eq!(rig.read_there("v1.2/b.txt"), "edited here");
        assert_eq!(rig.read("v1.3/e.txt"), "twin");
        assert!(!rig.at("v1").exists() && !rig.at("My").exists());
        assert!(there.keys().all(|path| rig.here().contains_key(path)), "{:?}", rig.here().keys());
        assert_eq!(rig.trash_there(), Vec::<String>::new());
        rig.assert_settled();
    }
}
