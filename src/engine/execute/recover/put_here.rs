//! What came from iCloud and got its name here right before the end of a process: the base did not learn of it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::engine::execute::agree::agree;
use crate::engine::execute::done::Done;
use crate::engine::execute::ledger::Ledger;
use crate::engine::execute::lesson::Lesson;
use crate::engine::execute::pending::Moment;
use crate::engine::execute::report::{End, StepFailure};
use crate::engine::observe::local::signature;
use crate::engine::operation::{LocalSeen, RemoteSeen};
use crate::engine::ports::{Ports, Store};
use crate::model::{
    Arriving, Identity, ItemId, LocalEntry, LocalKind, LocalStamp, LocalTree, Node, RelPath, SeenAt, State,
};

/// Where something is that was about to get its name.
pub(super) enum Put {
    /// Under its path, as it came.
    AsItCame(Box<Done>),
    /// Not there; whether it is anywhere else shows by its identity.
    Perhaps,
    /// Known to the base, never put here, or not to be told from what a person put there.
    Nowhere,
}

/// Of several lines about one item the last: it says most.
pub(super) fn told_last(arriving: Vec<Arriving>) -> Vec<Arriving> {
    let last: HashMap<ItemId, usize> =
        arriving.iter().enumerate().map(|(nth, one)| (one.id.clone(), nth)).collect();
    let told = arriving.into_iter().enumerate();
    told.filter(|(nth, one)| last[&one.id] == *nth).map(|(_, one)| one).collect()
}

/// What the base learns of it, where it stands here as it came. Anything else is met as new: equal content is agreement whoever put it
/// there, and what somebody edited since is told from that by what the base knew before.
pub(super) fn settle_arriving(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    arriving: &Arriving,
    at: &SeenAt,
) -> Put {
    let Arriving { path, folder, content, .. } = arriving;
    if is_known(moment, arriving) {
        return Put::Nowhere;
    }
    let elsewhere = if arriving.identity.is_some() { Put::Perhaps } else { Put::Nowhere };
    // Where its folder has another name by now, whatever stands at that path is something else.
    let stored = moment.base.stored_path(&arriving.parent);
    let is_elsewhere = stored.is_some_and(|folder| path.parent() != Some(folder));
    if is_elsewhere || !moment.base.has_folder(&arriving.parent) {
        return elsewhere;
    }
    let kind = if *folder { LocalKind::Folder } else { LocalKind::File };
    let Some(found) = ports.disk.look(path).ok().flatten().filter(|found| found.kind == kind) else {
        return elsewhere;
    };
    let read = content.and_then(|content| {
        let read = signature(ports.disk, path, &found.stamp).ok()?;
        (read == content).then_some(read)
    });
    let is_another = arriving.identity.is_some_and(|identity| identity != found.stamp.identity);
    if read.is_none() && !*folder || *folder && is_another {
        return elsewhere;
    }
    let racy = found.racy || found.stamp.is_racy(at);
    let local = LocalSeen { path: path.clone(), stamp: found.stamp, racy, signature: read };
    Put::AsItCame(Box::new(Done::Agreed { remote: seen(arriving), local, read }))
}

fn is_known(moment: &Moment<'_>, arriving: &Arriving) -> bool {
    let known = moment.base.entry(&arriving.id);
    known.is_some_and(|(_, known)| arriving.folder || known.etag.same_content(&arriving.etag))
}

fn seen(arriving: &Arriving) -> RemoteSeen {
    RemoteSeen {
        id: arriving.id.clone(),
        folder: arriving.folder,
        package: arriving.package,
        etag: arriving.etag.clone(),
        parent: arriving.parent.clone(),
        name: arriving.name.as_str().into(),
        size: arriving.size,
        mtime: arriving.mtime,
        signature: None,
    }
}

/// What came here, and was moved or edited before the process started again: it is found by its identity in `tree`, the whole folder as it
/// was just seen. The base learns that it came, so that what a person made of it since is a change of that item, and nothing new.
///
/// # Errors
///
/// [`End`] when nothing more can be done now.
pub fn settle_astray(
    ports: &Ports<'_>,
    state: &mut State,
    store: &mut dyn Store,
    astray: Vec<Arriving>,
    tree: &LocalTree,
) -> Result<(), End> {
    let wanted: HashSet<Identity> = astray.iter().filter_map(|arriving| arriving.identity).collect();
    let mut found: HashMap<Identity, Vec<Node>> = HashMap::new();
    for node in tree.walk(Node::ROOT) {
        let identity = tree.get(node).stamp.identity;
        if wanted.contains(&identity) {
            found.entry(identity).or_default().push(node);
        }
    }
    let mut ledger = Ledger::new(ports.disk, ports.clock, state, store, 64, Duration::from_secs(1));
    for arriving in astray {
        // A file with two names may be anywhere.
        let nodes = arriving.identity.and_then(|identity| found.get(&identity));
        let Some(&[node]) = nodes.map(Vec::as_slice) else { continue };
        let (entry, path) = (tree.get(node), tree.path(node));
        let moment = ledger.moment();
        let is_of_its_kind = entry.kind == if arriving.folder { LocalKind::Folder } else { LocalKind::File };
        if !is_of_its_kind || is_known(&moment, &arriving) || !moment.base.has_folder(&arriving.parent) {
            continue;
        }
        let at = ports.seen_at();
        let Some(local) = as_it_came(ports, &arriving, entry, &path, &at) else { continue };
        let stamp = entry.stamp;
        let read = arriving.content;
        let learned = agree(&Done::Agreed { remote: seen(&arriving), local, read }, None, &moment, &at);
        // Wherever it is now, that is what has to be durable.
        let mut lessons: Vec<_> =
            learned.lessons.into_iter().filter(|lesson| !matches!(lesson, Lesson::Touched(_))).collect();
        lessons
            .insert(0, if arriving.folder { Lesson::Touched(path) } else { Lesson::KeptBeside(path, stamp) });
        if let Err(StepFailure::End(end)) = ledger.learn(lessons) {
            return Err(end);
        }
    }
    match ledger.flush() {
        Err(StepFailure::End(end)) => Err(end),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// How it stood under its path, from what it is by now: where its content is another one by now, it was edited, which its stamp has to show.
/// Without a time of birth an inode number alone says nothing: a person's new file may have got it, so that only equal content tells.
fn as_it_came(
    ports: &Ports<'_>,
    arriving: &Arriving,
    entry: &LocalEntry,
    path: &RelPath,
    at: &SeenAt,
) -> Option<LocalSeen> {
    let is_certain = entry.stamp.identity.birth.get().is_some();
    let is_as_it_came = match arriving.content {
        None => is_certain,
        Some(content) => signature(ports.disk, path, &entry.stamp).ok() == Some(content),
    };
    if !is_as_it_came && !is_certain {
        return None;
    }
    let LocalStamp { identity, on_root_fs, is_mount, .. } = entry.stamp;
    let (stamp, racy) = if is_as_it_came {
        (entry.stamp, entry.racy || entry.stamp.is_racy(at))
    } else {
        (LocalStamp { identity, on_root_fs, is_mount, ..LocalStamp::default() }, false)
    };
    Some(LocalSeen { path: arriving.path.clone(), stamp, racy, signature: arriving.content })
}
