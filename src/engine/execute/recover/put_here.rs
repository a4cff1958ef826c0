//! What came from iCloud and got its name here right before the end of a process: the base did not learn of it.

use crate::engine::execute::done::Done;
use crate::engine::execute::pending::Moment;
use crate::engine::observe::local::signature;
use crate::engine::operation::{LocalSeen, RemoteSeen};
use crate::engine::ports::Ports;
use crate::model::{Arriving, LocalKind, SeenAt};

/// What the base learns of it, where it stands here as it came. Anything else is met as new: equal content is agreement whoever put it
/// there, and what somebody edited since is told from that by what the base knew before.
pub(super) fn settle_arriving(
    ports: &Ports<'_>,
    moment: &Moment<'_>,
    arriving: &Arriving,
    at: &SeenAt,
) -> Option<Done> {
    let Arriving { path, id, parent, etag, folder, content, .. } = arriving;
    let known = moment.base.entry(id);
    let is_agreed = known.is_some_and(|(_, known)| *folder || known.etag.same_content(etag));
    // Where its folder has another name by now, whatever stands at that path is something else.
    let stored = moment.base.stored_path(parent);
    let is_elsewhere = stored.is_some_and(|folder| path.parent() != Some(folder));
    if is_agreed || is_elsewhere || !moment.base.has_folder(parent) {
        return None;
    }
    let kind = if *folder { LocalKind::Folder } else { LocalKind::File };
    let found = ports.disk.look(path).ok().flatten().filter(|found| found.kind == kind)?;
    let read = content.and_then(|content| {
        let read = signature(ports.disk, path, &found.stamp).ok()?;
        (read == content).then_some(read)
    });
    if read.is_none() && !*folder {
        return None;
    }
    let remote = RemoteSeen {
        id: id.clone(),
        folder: *folder,
        package: arriving.package,
        etag: etag.clone(),
        parent: parent.clone(),
        name: arriving.name.as_str().into(),
        size: arriving.size,
        mtime: arriving.mtime,
        signature: None,
    };
    let racy = found.racy || found.stamp.is_racy(at);
    let local = LocalSeen { path: path.clone(), stamp: found.stamp, racy, signature: read };
    Some(Done::Agreed { remote, local, read })
}
