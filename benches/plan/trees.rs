//! How long planning alone takes: nothing changed, ten changes, and a first run. Times are shown beside a plain walk over the trees.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use icloudds::engine::operation::Replacement;
use icloudds::engine::plan::{ConflictPolicy, Mode, Policy, plan};
use icloudds::engine::recognise::recognise;
use icloudds::engine::view::{LocalView, RemoteView};
use icloudds::model::filter::Filter;
use icloudds::model::{
    BaseEntry, BaseTree, DiskTime, Etag, FolderState, Identity, ItemId, LocalEntry, LocalKind, LocalStamp,
    LocalTree, Node, PowerCuts, RemoteEntry, RemoteKind, RemoteTree, ServerTime, Signature, Zone,
};

const IN_A_FOLDER: usize = 100;

struct Trees {
    base: BaseTree,
    local: LocalTree,
    remote: RemoteTree,
}

fn stamp(number: usize, folder: bool) -> LocalStamp {
    let time = i64::try_from(number).unwrap_or_default();
    LocalStamp {
        size: if folder { 0 } else { 10 },
        mtime: DiskTime(time),
        ctime: DiskTime(time),
        identity: Identity { inode: time.unsigned_abs(), birth: Some(DiskTime(time)).into() },
        on_root_fs: true,
        is_mount: false,
    }
}

fn here(number: usize, folder: bool) -> LocalEntry {
    LocalEntry {
        kind: if folder { LocalKind::Folder } else { LocalKind::File },
        stamp: stamp(number, folder),
        racy: false,
        signature: None.into(),
        state: if folder { FolderState::Complete } else { FolderState::Unread },
        holds_unnameable: false,
    }
}

fn there(number: usize, folder: bool, name: &str) -> RemoteEntry {
    let root = number == 0;
    RemoteEntry {
        id: if root { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, &format!("d{number}")) },
        kind: if folder { RemoteKind::Folder } else { RemoteKind::File },
        name: name.into(),
        etag: Etag::new("1::1"),
        size: (!folder).then_some(10).into(),
        mtime: (!folder).then_some(ServerTime(1)).into(),
        signature: None.into(),
        state: if folder { FolderState::Complete } else { FolderState::Unread },
    }
}

fn agreed(number: usize, folder: bool, name: &str) -> BaseEntry {
    let seen = there(number, folder, name);
    BaseEntry {
        folder,
        local_name: name.into(),
        remote_name: name.into(),
        etag: seen.etag,
        remote_size: seen.size,
        remote_mtime: seen.mtime,
        stamp: stamp(number, folder),
        racy: false,
        signature: Some(Signature([1; 20])),
        ..BaseEntry::root(seen.id)
    }
}

fn trees(items: usize, with_base: bool, with_local: bool) -> Trees {
    let mut trees = Trees {
        base: BaseTree::new(BaseEntry::root(ItemId::drive_root())),
        local: LocalTree::new(here(0, true)),
        remote: RemoteTree::new(there(0, true, "")),
    };
    let mut at = (Node::ROOT, Node::ROOT, Node::ROOT);
    for number in 1..=items {
        let folder = number % IN_A_FOLDER == 1;
        let name = format!("item number {number:07}");
        if folder {
            at = (Node::ROOT, Node::ROOT, Node::ROOT);
        }
        let mut new = at;
        if with_base {
            new.0 = trees.base.insert(at.0, &name, agreed(number, folder, &name));
        }
        if with_local {
            new.1 = trees.local.insert(at.1, &name, here(number, folder));
        }
        new.2 = trees.remote.insert(at.2, &name, there(number, folder, &name));
        if folder {
            at = new;
        }
    }
    trees
}

/// Five edits here, five on iCloud, spread over the tree.
fn change(trees: &mut Trees, changes: usize) {
    let files: Vec<Node> =
        trees.local.walk(Node::ROOT).filter(|node| !trees.local.children(*node).is_empty()).collect();
    for (number, folder) in files.iter().skip(1).take(changes).enumerate() {
        if number % 2 == 0 {
            let file = trees.local.children(*folder)[0];
            trees.local.get_mut(file).stamp.size += 1;
        } else {
            let path = trees.local.path(trees.local.children(*folder)[0]);
            if let Some(file) = trees.remote.find(&path) {
                trees.remote.update(file, |entry| entry.etag = Etag::new("2::2"));
            }
        }
    }
}

fn timed<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut best = Duration::MAX;
    let mut result = None;
    for _ in 0..3 {
        let start = Instant::now();
        result = Some(work());
        best = best.min(start.elapsed());
    }
    (result.expect("it ran three times"), best)
}

fn measure(what: &str, trees: Trees) {
    let Trees { base, local, remote } = trees;
    let filter = Filter::built_in();
    let local_only = BTreeSet::new();
    let policy = Policy {
        mode: Mode::TwoWay,
        conflict: ConflictPolicy::KeepBoth,
        replacement: Replacement::InPlace,
        max_file_size: None,
        takes_part: &|path| filter.takes_part(path.as_str()),
        is_junk: &|_| false,
        is_waiting: &|_| false,
        is_lent: &|_| false,
        has_gone_back: &|_| false,
        is_unseen: &|_| false,
        local_only: &local_only,
        conflict_mark: "2026-11-22 10-00-00 nas",
        local_folds_case: false,
        recent_since: i64::MAX,
        power_cuts: PowerCuts::none(),
    };
    let local = LocalView {
        tree: local,
        unnameable: Vec::new(),
        failed: Vec::new(),
        unread: Vec::new(),
        too_deep: Vec::new(),
        mounts: Vec::new(),
    };
    let (absent, hollow) = Default::default();
    let marks = Default::default();
    let remote = RemoteView { tree: remote, absent, unusable: Vec::new(), complete: true, hollow, marks };
    let (names, walk) = timed(|| {
        let here = local.tree.walk(Node::ROOT).map(|node| local.tree.name(node).len());
        let there = remote.tree.walk(Node::ROOT).map(|node| remote.tree.name(node).len());
        let known = base.walk(Node::ROOT).map(|node| base.name(node).len());
        here.chain(there).chain(known).sum::<usize>()
    });
    assert!(names > 0, "the trees hold something");
    let (recognition, recognising) = timed(|| recognise(&base, &local.tree));
    let (planned, planning) = timed(|| plan(&base, &local, &remote, &recognition, &policy));
    let items = local.tree.len().max(remote.tree.len()) - 1;
    let times = |duration: Duration| duration.as_secs_f64() / walk.as_secs_f64();
    println!(
        "{what:<12} items {items:>8}  operations {:>7}  walk {:>7.1} ms  recognise {:>7.1} ms ({:>5.1} walks)  plan {:>8.1} ms \
         ({:>6.1} walks)  operations/item {:.4}",
        planned.operations.len(),
        walk.as_secs_f64() * 1e3,
        recognising.as_secs_f64() * 1e3,
        times(recognising),
        planning.as_secs_f64() * 1e3,
        times(planning),
        planned.operations.len() as f64 / items as f64,
    );
}

/// Prints a line for each.
pub fn compare(items: usize) {
    measure("unchanged", trees(items, true, true));
    let mut changed = trees(items, true, true);
    change(&mut changed, 10);
    measure("ten changes", changed);
    measure("first run", trees(items, false, false));
    measure("adoption", trees(items, false, true));
}
