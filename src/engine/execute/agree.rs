//! What the base learns from what was done, and what people are told of it. Pure: the only place where entries of the base are
//! made out of our own work.

use std::collections::HashMap;

use crate::engine::operation::{LocalSeen, Operation, Reason, RemoteSeen};
use crate::engine::ports::RemoteItem;
use crate::model::name::Name;
use crate::model::{
    BaseEntry, Change, Identity, Intent, ItemId, LocalEntry, LocalKind, LocalStamp, Maybe, Node, Presence,
    RelPath, SeenAt, Side, Signature, name,
};

use super::arriving::arriving;
use super::done::{Crossed, Done};
use super::lesson::Lesson;
use super::pending::{Moment, PendingBase};
use super::report::{Effect, EffectKind};
use super::verified_calls::hangs_in;

/// A remote item as an answer of ours showed it, in the terms of a plan.
pub(super) fn as_seen(item: &RemoteItem, folder: bool, parent: &ItemId) -> RemoteSeen {
    RemoteSeen {
        id: item.entry.id.clone(),
        folder,
        package: false,
        etag: item.entry.etag.clone(),
        parent: parent.clone(),
        name: item.entry.name.clone(),
        size: item.entry.size.get(),
        mtime: item.entry.mtime.get(),
        signature: item.entry.signature.get(),
    }
}

/// What follows from one fact.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Learned {
    /// What the ledger is taught, in order.
    pub(super) lessons: Vec<Lesson>,
    /// What people are told.
    pub(super) told: Option<Effect>,
    /// Whether what is told is only a part of an operation, which does not count as one.
    pub(super) is_part: bool,
}

/// The local half of an agreement.
struct Here<'a> {
    name: &'a str,
    stamp: LocalStamp,
    racy: bool,
    signature: Option<Signature>,
}

/// What follows from `done`, which was done for `operation` and is looked at at the disk's time `at`.
pub(super) fn agree(done: &Done, operation: Option<&Operation>, moment: &Moment<'_>, at: &SeenAt) -> Learned {
    let base = moment.base;
    let path = operation.map(|operation| operation.path.clone()).unwrap_or_default();
    let mut learned = Learned::default();
    let mut teach = |lesson: Lesson| learned.lessons.push(lesson);
    let tell = |kind, other, bytes| operation.map(|operation| effect(operation, kind, other, bytes));
    match done {
        Done::Agreed { remote, local, read } => {
            let known = base.entry(&remote.id).and_then(|(_, before)| {
                let same = before.stamp == local.stamp && before.etag.same_content(&remote.etag);
                before.signature.filter(|_| same)
            });
            let signature = read.or(local.signature).or(remote.signature).or(known);
            // It was read just now, so what the scan could not tell is settled unless it changed just now.
            let racy = if read.is_some() { local.stamp.is_racy(at) } else { local.racy };
            let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature };
            let entry = agreed(moment, operation, remote, &here);
            ensure_durable(base, &remote.id, local).into_iter().for_each(&mut teach);
            teach(put(&remote.parent, entry));
            learned.told = tell(EffectKind::Adopt, None, 0);
        }
        Done::Forgotten(id) => {
            teach(Lesson::Forget(id.clone()));
            learned.told = tell(EffectKind::Forget, None, 0);
        }
        Done::Lost(id) => teach(Lesson::Forget(id.clone())),
        Done::PresenceSet { id, presence, place, stamp } => {
            teach(present(base, id, *presence, place.as_ref(), *stamp));
            let side = match presence {
                Presence::Both => None,
                Presence::LocalOnly => Some(Side::Local),
                Presence::RemoteOnly => Some(Side::Remote),
            };
            learned.told = tell(EffectKind::Keep, None, 0).map(|told| Effect { side, ..told });
        }
        Done::MadeLocalFolder { remote, entry } => {
            let identity = entry.stamp.identity;
            if identity != Identity::default() {
                teach(Lesson::Came(Box::new(arriving(&path, remote.clone(), None, Some(identity)))));
            }
            teach(touched(&path));
            teach(put(&remote.parent, agreed(moment, operation, remote, &here(&path, entry, at))));
            learned.told = tell(EffectKind::MakeFolder, None, 0);
        }
        Done::MovedLocal { local, to, after, remote } => {
            let from = &local.path;
            if after.kind == LocalKind::Folder {
                teach(Lesson::MovedFolder { from: from.clone(), to: to.clone() });
            }
            teach(touched(from));
            teach(touched(to));
            if let Some(remote) = remote
                && let Some((_, before)) = base.entry(&remote.id)
            {
                teach(put(&remote.parent, moved(before, remote, local, (&after.stamp, to.name()), at)));
            }
            if remote.is_none() {
                lent_a_name(base, local, to, after).into_iter().for_each(&mut teach);
            }
            learned.told = tell(move_kind(from.parent() == to.parent()), Some(from.clone()), 0);
        }
        Done::CrossedWithin(items) => crossed_within(base, items, at).into_iter().for_each(&mut teach),
        Done::MovedRemote { remote, local, after, target, temporary } => {
            if let (None, Some(local)) = (temporary, local)
                && let Some((_, before)) = base.entry(&remote.id)
            {
                let entry = moved_on_icloud(before, remote, local, (after, target), moment, at);
                ensure_durable(base, &remote.id, local).into_iter().for_each(&mut teach);
                teach(put(target, entry));
            }
            let was = base.stored_path(&remote.id);
            learned.told = tell(move_kind(remote.parent == *target), was, 0);
            learned.is_part = temporary.is_some();
        }
        Done::MadeRemoteFolder { remote, local, .. } => {
            let racy = local.racy || local.stamp.is_racy(at);
            let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature: None };
            let entry =
                BaseEntry { written_at: Some(moment.now).into(), ..agreed(moment, operation, remote, &here) };
            ensure_durable(base, &remote.id, local).into_iter().for_each(&mut teach);
            teach(put(&remote.parent, entry));
            learned.told = tell(EffectKind::MakeFolder, None, 0);
        }
        Done::Uploaded { remote, local, signature, read_at, instead_of } => {
            let racy = local.stamp.is_racy(read_at);
            let signature = Some(*signature);
            let here = Here { name: local.path.name(), stamp: local.stamp, racy, signature };
            let mut entry =
                BaseEntry { written_at: Some(moment.now).into(), ..agreed(moment, operation, remote, &here) };
            if let Some(old) = instead_of {
                // The new version of a file keeps the note of who created it.
                entry.created_on = base.entry(old).map_or(Maybe::NONE, |(_, before)| before.created_on);
                inherited(base, &remote.id, old).into_iter().for_each(&mut teach);
                teach(Lesson::Forget(old.clone()));
            }
            ensure_durable(base, &remote.id, local).into_iter().for_each(&mut teach);
            teach(put(&remote.parent, entry));
        }
        Done::Sent { bytes, reason, is_conflict } => {
            let kind = if *is_conflict { EffectKind::Conflict } else { EffectKind::Upload };
            learned.told = tell(kind, None, *bytes).map(|effect| Effect { reason: *reason, ..effect });
        }
        Done::Overwrote => teach(Lesson::Overwrote),
        Done::Calibrated(matched) => teach(Lesson::Calibrated(*matched)),
        Done::InPlaceRefused => teach(Lesson::InPlaceRefused),
        Done::CameBack { id, back } => came_back(moment, id, back).into_iter().for_each(teach),
        Done::Found { parent, entry } => {
            teach(Lesson::PutIfPossible { parent: parent.clone(), entry: entry.clone() });
        }
        Done::Installed { remote, entry, signature, matched } => {
            teach(touched(&path));
            if *matched {
                teach(Lesson::Calibrated(true));
            }
            // The disk knows whether a change since it put the file there could be missed.
            let here =
                Here { name: path.name(), stamp: entry.stamp, racy: entry.racy, signature: Some(*signature) };
            let entry = agreed(moment, operation, remote, &here);
            teach(Lesson::Put { parent: remote.parent.clone(), entry: Box::new(entry), written: true });
        }
        Done::TookOver { old, heir } => {
            teach(touched(&path));
            inherited(base, heir, old).into_iter().for_each(&mut teach);
            teach(Lesson::Forget(old.clone()));
        }
        Done::Fetched { bytes } => learned.told = tell(EffectKind::Download, None, *bytes),
        Done::ConflictSettled { kept, bytes } => {
            learned.told = tell(EffectKind::Conflict, kept.clone(), *bytes);
        }
        Done::KeptBeside { from, to, stamp } => {
            from.iter().for_each(|from| teach(touched(from)));
            teach(Lesson::KeptBeside(to.clone(), *stamp));
        }
        Done::NotLocalOnly(copy) => teach(Lesson::Change(Change::LocalOnly(copy.clone(), false))),
        Done::TrashedLocal { id, path } => {
            teach(Lesson::RemovedFolder(path.clone()));
            teach(touched(path));
            if let Some(id) = id {
                teach(Lesson::Deleted(Side::Local, vec![id.clone()]));
                teach(Lesson::Forget(id.clone()));
            }
            learned.told = tell(EffectKind::Delete, None, 0);
        }
        Done::Trashed { on, id, with } => {
            if *on == Side::Remote {
                left_by_way_of_a_name(base, id).into_iter().for_each(&mut teach);
            }
            teach(Lesson::Deleted(*on, std::iter::once(id).chain(with).cloned().collect()));
            teach(Lesson::Forget(id.clone()));
        }
        Done::DeletedRemote => learned.told = tell(EffectKind::Delete, None, 0),
        Done::MayComeLate(file) => teach(Lesson::MayComeLate(file.clone())),
        Done::NoteOver(number) => teach(Lesson::Change(Change::End(*number))),
        Done::Settled(number) => {
            teach(Lesson::Change(Change::End(*number)));
            teach(Lesson::Flush);
        }
        // What is remembered for the rest of the pass only.
        Done::ChangedRemote { .. }
        | Done::Answered { .. }
        | Done::SeenAlive { .. }
        | Done::AddedTo { .. }
        | Done::Doomed(_)
        | Done::Unparked(_)
        | Done::Announced { .. }
        | Done::AnnouncedUploads { .. }
        | Done::LeftOpen { .. }
        | Done::UploadOver { .. }
        | Done::LeftUnfinished { .. } => {}
    }
    learned
}

fn put(parent: &ItemId, entry: BaseEntry) -> Lesson {
    Lesson::Put { parent: parent.clone(), entry: Box::new(entry), written: false }
}

/// What has left a folder that the base is about to forget with all in it, and waits under a temporary name for its own: the base has it
/// still in there, as it learns of the whole of such a move. It is known by its identity here, so it keeps its id and what it holds.
fn left_by_way_of_a_name(base: PendingBase<'_>, folder: &ItemId) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    for intent in base.state.intents.values() {
        let Intent::Place { id, to: (target, _), temporary: Some(name), .. } = intent else { continue };
        let has_left = id != folder && base.is_within(id, folder) && !base.is_within(target, folder);
        let is_known =
            || *target == base.state.base.get(Node::ROOT).remote.id || base.entry(target).is_some();
        let known = base.entry(id).filter(|_| has_left && is_known());
        if let Some((_, mut entry)) = known.filter(|(_, entry)| entry.stamp.identity != Identity::default()) {
            (entry.local_name, entry.remote_name) = (name.clone(), name.clone());
            lessons.push(put(target, entry));
        }
    }
    lessons
}

/// Whoever has the place of `old`, which the base is about to forget, had before what that had.
fn inherited(base: PendingBase<'_>, heir: &ItemId, old: &ItemId) -> Option<Lesson> {
    let (_, known) = base.entry(old)?;
    (!known.folder).then(|| Lesson::Change(Change::Inherit { heir: heir.clone(), of: old.clone() }))
}

/// The folder that holds `path` changed.
fn touched(path: &RelPath) -> Lesson {
    Lesson::Touched(path.parent().unwrap_or_default())
}

fn move_kind(stays: bool) -> EffectKind {
    if stays { EffectKind::Rename } else { EffectKind::Move }
}

/// The entry that both sides agree on now.
fn agreed(
    moment: &Moment<'_>,
    operation: Option<&Operation>,
    remote: &RemoteSeen,
    here: &Here<'_>,
) -> BaseEntry {
    let before = moment.base.entry(&remote.id).map(|(_, entry)| entry);
    // On a first run everything is seen for the first time: that tells nothing of who made it when.
    let created = match operation.map(|operation| operation.reason) {
        Some(Reason::New(side)) if moment.base.state.last_sync.is_some() => Some((side, moment.now)),
        _ => None,
    };
    BaseEntry {
        id: remote.id.clone(),
        folder: remote.folder,
        package: remote.package,
        presence: Presence::Both,
        local_name: here.name.into(),
        remote_name: remote.name.clone(),
        etag: remote.etag.clone(),
        remote_size: remote.size.into(),
        remote_mtime: remote.mtime.into(),
        stamp: here.stamp,
        racy: here.racy,
        signature: if remote.folder { None } else { here.signature },
        created_on: before.as_ref().and_then(|before| before.created_on.get()).or(created).into(),
        written_at: before.map_or(Maybe::NONE, |before| before.written_at),
    }
}

/// What a look at a local item that we just changed says of it.
fn here<'n>(path: &'n RelPath, entry: &LocalEntry, at: &SeenAt) -> Here<'n> {
    let racy = entry.racy || entry.stamp.is_racy(at);
    Here { name: path.name(), stamp: entry.stamp, racy, signature: None }
}

/// What stands here goes into the base: should the power go, it must still be there, or its absence would
/// be taken for a person's deletion. Persons' programs do not always sync, and a crash of ours may have
/// come before the sync of what was put in place.
fn ensure_durable(base: PendingBase<'_>, id: &ItemId, local: &LocalSeen) -> Option<Lesson> {
    let is_new = base.entry(id).is_none_or(|(_, before)| before.stamp != local.stamp);
    is_new.then(|| touched(&local.path))
}

/// The base entry at its new place. Where content differs from what was agreed the old marks stay, so
/// that an edit that comes with the move is still seen as one after a crash.
fn moved(
    before: BaseEntry,
    remote: &RemoteSeen,
    local: &LocalSeen,
    (after, local_name): (&LocalStamp, &str),
    at: &SeenAt,
) -> BaseEntry {
    let mut entry = before;
    let remote_same = entry.folder
        || (entry.etag.same_content(&remote.etag)
            && entry.remote_size == remote.size
            && entry.remote_mtime == remote.mtime);
    if remote_same {
        entry.etag = remote.etag.clone();
    } else if !entry.etag.same_content(&remote.etag) {
        // Its place is of one version and its content of another: a listing that shows the latter must not count as unchanged.
        entry.etag = entry.etag.of_no_version();
    }
    let read_same = entry.signature.is_some() && entry.signature == local.signature;
    if entry.folder || entry.stamp == local.stamp || read_same {
        let racy = after.is_racy(at);
        entry.racy = racy || (entry.racy && !read_same) || (read_same && local.racy);
        entry.stamp = *after;
    } else {
        // It is edited still; what it is known by is another one where it was copied to another file system, or an editor made it anew: what
        // had been its file may stand elsewhere, as a backup.
        entry.racy |= entry.stamp.identity != local.stamp.identity;
        let LocalStamp { size, mtime, ctime, .. } = entry.stamp;
        entry.stamp = LocalStamp { size, mtime, ctime, ..*after };
    }
    entry.local_name = local_name.into();
    entry.remote_name = remote.name.clone();
    entry
}

/// What came along to another file system is found by its new identity from now on. One that was edited since it was agreed on stays so.
fn crossed_within(base: PendingBase<'_>, items: &[Crossed], at: &SeenAt) -> Vec<Lesson> {
    let identities = items.iter().map(|item| (item.before.identity, item));
    let crossed: HashMap<_, _> = identities.filter(|(known, _)| *known != Identity::default()).collect();
    let known = base.all(&|stamp| crossed.contains_key(&stamp.identity));
    let learnt = known.into_iter().map(|(parent, mut entry)| {
        let Crossed { before, after, is_doubtful, .. } = crossed[&entry.stamp.identity];
        let was = std::mem::replace(&mut entry.stamp, *after);
        if entry.folder || was == *before && (after.size, after.mtime) == (before.size, before.mtime) {
            entry.racy |= after.is_racy(at) || !entry.folder && *is_doubtful;
        } else {
            (entry.stamp.size, entry.stamp.mtime, entry.stamp.ctime) = (was.size, was.mtime, was.ctime);
        }
        put(&parent, entry)
    });
    // Where the file system tells no identity, what stands at the place is what is known of it; of a folder that is its file system: an empty
    // one would be taken for a mount point without its volume.
    let blind = items.iter().filter(|item| item.before.identity == Identity::default());
    let placed = blind.filter_map(|item| {
        let (parent, entry) = base.at_local_path(&item.to)?;
        match entry.folder {
            true if entry.stamp.identity != Identity::default() => None,
            true => Some(put(&parent, BaseEntry { stamp: item.after, ..entry })),
            false if !item.is_doubtful || entry.stamp != item.after => None,
            false => Some(put(&parent, BaseEntry { racy: true, ..entry })),
        }
    });
    learnt.chain(placed).collect()
}

/// What is known by its place alone, where the file system tells nobody's identity, is known by the temporary name that it has until its own
/// turn: whoever comes to its place would be taken for it.
fn lent_a_name(base: PendingBase<'_>, local: &LocalSeen, to: &RelPath, after: &LocalEntry) -> Option<Lesson> {
    let is_blind = |stamp: &LocalStamp| stamp.identity == Identity::default();
    let is_lent = name::temporary_origin(to.name()).is_some() && local.path.parent() == to.parent();
    let (parent, before) = base.at_local_path(&local.path).filter(|_| is_lent && is_blind(&local.stamp))?;
    let is_it = is_blind(&before.stamp) && before.folder == (after.kind == LocalKind::Folder);
    is_it.then(|| put(&parent, BaseEntry { local_name: to.name().into(), ..before }))
}

fn moved_on_icloud(
    before: BaseEntry,
    remote: &RemoteSeen,
    local: &LocalSeen,
    (after, target): (&RemoteItem, &ItemId),
    moment: &Moment<'_>,
    at: &SeenAt,
) -> BaseEntry {
    // Whether somebody edited it is judged by the planned version: a move of ours edits nothing.
    let now = RemoteSeen { parent: target.clone(), name: after.entry.name.clone(), ..remote.clone() };
    let mut entry = moved(before, &now, local, (&local.stamp, local.path.name()), at);
    if entry.etag == remote.etag && (remote.folder || after.entry.etag.same_content(&remote.etag)) {
        entry.etag = after.entry.etag.clone();
    }
    entry.written_at = Some(moment.now).into();
    entry
}

/// An item was put back from the trash: the base learns its new etag if it has the content that was agreed, and its new
/// id if it got one; an edit here that had not started from it still has not.
fn came_back(moment: &Moment<'_>, id: &ItemId, back: &RemoteItem) -> Vec<Lesson> {
    let Some((parent, mut entry)) = moment.base.entry(id) else { return Vec::new() };
    let mut lessons = Vec::new();
    let is_renewed = back.entry.id != *id;
    if is_renewed {
        lessons.push(Lesson::Forget(id.clone()));
        entry.id = back.entry.id.clone();
    }
    // The version that was in the way of a conflict was never agreed on: it stays an edit. Where it came back to another place that is seen
    // yet: a listing of this version must not count as one of the place that was agreed on.
    let is_at_its_place = entry.remote_name == back.entry.name && hangs_in(back, &parent);
    match entry.folder || entry.etag.same_content(&back.entry.etag) {
        true if is_at_its_place => entry.etag = back.entry.etag.clone(),
        true => entry.etag = entry.etag.of_no_version(),
        false => {}
    }
    entry.written_at = Some(moment.now).into();
    let mut went_back = moment.base.state.went_back.clone();
    if is_renewed && went_back.remove(&id.to_string()).is_some() {
        went_back.insert(entry.id.to_string(), entry.etag.content().to_owned());
        lessons.push(Lesson::Change(Change::WentBack(went_back)));
    }
    lessons.push(Lesson::Change(Change::Put { parent, entry: Box::new(entry) }));
    lessons
}

/// On which side a folder stands, and where: the folder that held it may be forgotten next, with all that the base knows in it.
fn present(
    base: PendingBase<'_>,
    id: &ItemId,
    presence: Presence,
    place: Option<&(ItemId, Name)>,
    stamp: Option<LocalStamp>,
) -> Lesson {
    let Some((known_parent, mut entry)) = base.entry(id).filter(|_| place.is_some() || stamp.is_some())
    else {
        return Lesson::Change(Change::Presence(id.clone(), presence));
    };
    entry.presence = presence;
    entry.stamp = stamp.unwrap_or(entry.stamp);
    let Some((parent, name)) = place else { return put(&known_parent, entry) };
    if presence == Presence::LocalOnly {
        entry.local_name = name.clone();
    } else {
        entry.remote_name = name.clone();
        entry.local_name = free_local_name(base, parent, name, id);
    }
    put(parent, entry)
}

/// What a folder that does not stand here would be called here; another name where somebody has that one.
fn free_local_name(base: PendingBase<'_>, parent: &ItemId, remote_name: &str, id: &ItemId) -> Name {
    let wanted = name::held_here(remote_name);
    let others = (0..).map(|number| name::temporary_name(&wanted, number).into());
    let mut names = std::iter::once(wanted.clone()).chain(others);
    let free = names.find(|name| base.at_path(parent, name, Some(id)).is_none());
    free.unwrap_or(wanted)
}

/// An effect of an operation.
fn effect(operation: &Operation, kind: EffectKind, other: Option<RelPath>, bytes: u64) -> Effect {
    let side = match kind {
        EffectKind::Adopt | EffectKind::Forget | EffectKind::Keep => None,
        _ => operation.side(),
    };
    Effect { kind, side, path: operation.path.clone(), other, bytes, reason: operation.reason }
}

#[cfg(test)]
mod tests;
