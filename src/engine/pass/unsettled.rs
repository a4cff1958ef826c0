//! What only time, or an earlier pass, can settle.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Engine, PassError, PassOptions};
use crate::engine::execute::{give_up, recover, settle_astray, settle_late};
use crate::engine::operation::{Operation, Plan};
use crate::engine::ports::{Disk, Ports, RemoteError, StoreError};
use crate::engine::view::{Absence, RemoteView};
use crate::model::{Change, Intent, ItemId, Node, RelPath, RemoteKind, SetAside, Tree, Upload, name, tree};

/// Two looks at a file without a size must lie so far apart, in seconds (`docs/sync.md` §3).
const SIZELESS_SECONDS: i64 = 10;

/// So many complete looks may leave open what became of an item before it is taken for lasting.
const MOST_OPEN_LOOKS: u32 = 4;

/// So long, in lived seconds, after a call without an answer a deletion on another device may be older than what the call brought.
const UNSEEN_SECONDS: i64 = 3600;

/// A time that lies before all others, in lived seconds.
const LONG_AGO: i64 = i64::MIN;

/// So often it is tried to settle an operation that was cut short before it is given up; a refusal counts as several.
const MOST_LOOKS: u32 = 20;
const REFUSAL: u32 = 4;

impl Engine {
    /// Where an item that iCloud shows at `path` comes to, if that is elsewhere: the move of a folder above it is set aside.
    pub(super) fn place_here(&self, remote: &RemoteView, path: &RelPath) -> Option<RelPath> {
        let folder = remote.tree.parent(remote.tree.find(path)?)?;
        let known = self.state.base.by_id(&remote.tree.get(folder).id)?;
        let folder = self.state.base.path(known);
        if path.parent().as_ref() == Some(&folder) { None } else { folder.join(path.name()).ok() }
    }

    /// Whether an operation that was cut short could not be settled yet: one that never can be is given up after some passes.
    pub fn is_settling(&self) -> bool {
        !self.left_open.refused.is_empty()
    }

    /// Finishes or undoes operations that a crash cut short. Comes before the first look.
    ///
    /// # Errors
    ///
    /// [`PassError`]; also while one of them cannot be settled yet: nothing may be planned before it is.
    pub fn recover(&mut self, ports: &Ports<'_>) -> Result<(), PassError> {
        if self.state.intents.is_empty() && self.store.arriving().is_empty() {
            return Ok(());
        }
        // Some of them may be settled where another one ends it.
        self.outlived = true;
        // A temporary name that is left over is known to be our own: nobody else is about to change it.
        let lent = self.state.intents.values().filter_map(|intent| match intent {
            Intent::Place { id, temporary: Some(name), .. } => Some((id.clone(), (name.clone(), LONG_AGO))),
            _ => None,
        });
        self.lent.extend(lent);
        let now = self.state.seconds(ports.clock.reading());
        let open = std::mem::take(&mut self.left_open.since);
        let is_recent =
            |number: u64| open.get(&number).is_some_and(|since| now.saturating_sub(*since) < UNSEEN_SECONDS);
        let recovered = recover(ports, &mut self.state, &mut *self.store, &is_recent);
        // Who ends early here is asked again.
        self.left_open.since = open;
        let recovered = recovered?;
        if !recovered.astray.is_empty() {
            self.left_open.astray = recovered.astray;
        }
        for (number, is_refused) in recovered.unsettled {
            let looks = self.left_open.refused.entry(number).or_insert(0);
            *looks += if is_refused { REFUSAL } else { 1 };
            if *looks >= MOST_LOOKS {
                log::warn!(
                    "an operation that was cut short is given up: iCloud refuses to finish or undo it"
                );
                give_up(number, &mut self.state, &mut *self.store)?;
            }
        }
        if self.state.intents.is_empty() {
            self.left_open.refused.clear();
            return Ok(());
        }
        is_settled("an operation that was cut short", recovered.waiting.into_iter().next())
    }

    /// What took effect on iCloud after its call was answered with an error is nobody else's change. It is looked for in what is known of
    /// iCloud, until a whole walk that began when nothing could come any more has been looked through. Call it after the look that a plan is
    /// made from, where that is carried out: it may bring a double to iCloud's trash.
    ///
    /// # Errors
    ///
    /// [`PassError`] when iCloud or the state cannot be had.
    pub fn settle_late(&mut self, ports: &Ports<'_>) -> Result<(), PassError> {
        let Some(view) = self.remote.as_ref().filter(|_| !self.state.calls.late.is_empty()) else {
            return Ok(());
        };
        let base = &self.state.base;
        let shows = |file: &Upload| match &file.over {
            None => {
                let id = file.new_id();
                base.by_id(&id).is_none() && view.tree.by_id(&id).is_some()
            }
            Some((old, _)) => view.tree.by_id(old).zip(base.by_id(old)).is_some_and(|(shown, known)| {
                let (shown, known) = (view.tree.get(shown), base.get(known));
                // What others did since has a time of its own.
                let is_its_time = shown.mtime.get().is_none_or(|at| at.0 == file.stamp.mtime.whole_seconds());
                is_its_time && !shown.etag.same_content(&known.remote.etag)
            }),
        };
        let came: Vec<_> =
            self.state.calls.late.iter().map(|(file, _)| file).filter(|file| shows(file)).cloned().collect();
        let waiting = match came.is_empty() {
            true => None,
            false => settle_late(ports, &mut self.state, &mut *self.store, &came)?,
        };
        let (base, [before, _]) = (&self.state.base, self.left_open.walked);
        // What made a file makes no second one: from then on whatever becomes of it is somebody's doing.
        let has_come = |file: &Upload| file.over.is_none() && base.by_id(&file.new_id()).is_some();
        let mut late = self.state.calls.late.clone();
        late.retain(|(file, until)| before < *until && !has_come(file));
        if late.len() < self.state.calls.late.len() {
            self.commit(&[Change::MayComeLate(late)])?;
        }
        // Nothing is planned for what may be our own doing.
        is_settled("what came after its error", waiting)
    }

    /// What came here right before the last process ended, and was moved before this one started, counts as what came.
    pub(super) fn settle_astray(&mut self, ports: &Ports<'_>) -> Result<(), PassError> {
        let astray = std::mem::take(&mut self.left_open.astray);
        match &self.local {
            Some(local) if !astray.is_empty() => {
                Ok(settle_astray(ports, &mut self.state, &mut *self.store, astray, &local.tree)?)
            }
            _ => Ok(()),
        }
    }

    /// Forgets that items were set aside that are not there any more under that path, or that need nothing now:
    /// the world has settled them, and nobody would ever clear them.
    pub(super) fn clear_set_aside(
        &mut self,
        plan: &Plan,
        options: &PassOptions<'_>,
        now: i64,
    ) -> Result<(), StoreError> {
        let (Some(local), Some(remote)) = (&self.local, &self.remote) else { return Ok(()) };
        if self.state.set_aside.is_empty() || !remote.complete || !local.failed.is_empty() {
            return Ok(());
        }
        let planned: HashSet<_> = plan.operations.iter().map(Operation::path_to_tell).collect();
        let told: HashSet<&RelPath> = plan.notes.iter().map(|note| &note.path).collect();
        let is_there = |path: &RelPath| {
            local.tree.find(path).is_some()
                || remote.tree.find_alike(path).is_some()
                || self.state.base.find(path).is_some()
                || is_to_be(&local.tree, path)
                || is_to_be(&remote.tree, path)
        };
        let settled = |(path, item): &(&RelPath, &SetAside)| {
            let waits = !options.ignore_next_try && !item.is_due(now);
            !planned.contains::<RelPath>(path) && !told.contains(path) && !(waits && is_there(path))
        };
        let changes: Vec<_> =
            self.state.set_aside.iter().filter(settled).map(|(path, _)| path.clone()).collect();
        let changes: Vec<_> = changes.into_iter().map(|path| Change::SetAside(path, None)).collect();
        if changes.is_empty() { Ok(()) } else { self.commit(&changes) }
    }

    /// An item that iCloud neither lists nor admits to be gone, look after look, keeps nobody waiting for the next one.
    pub(super) fn settle_absences(&mut self) {
        let Some(view) = self.remote.as_mut().filter(|view| view.complete) else { return };
        let unknown = view.absent.iter().filter(|(_, absence)| **absence == Absence::Unknown);
        let looks = |id: &ItemId| self.untold.get(id).copied().unwrap_or_default().saturating_add(1);
        let open: HashMap<_, _> = unknown.map(|(id, _)| (id.clone(), looks(id))).collect();
        let lasting = open.iter().filter(|(_, looks)| **looks >= MOST_OPEN_LOOKS).map(|(id, _)| id);
        for id in lasting {
            Arc::make_mut(view).absent.insert(id.clone(), Absence::Untold);
        }
        self.untold = open;
    }

    /// A file that had content and is shown without any, or without a size, is what it is shown as once two looks that lie far enough
    /// apart agree on its version. Until then the planner leaves it alone. A size that is missing then is not the size 0: whether
    /// there is content is asked for when it is fetched.
    pub(super) fn settle_sizes(&mut self, now: i64) {
        let Some(view) = self.remote.as_mut() else { return };
        let (mut empty, mut hollow) = (Vec::new(), HashSet::new());
        let mut seen = HashMap::new();
        let base = &self.state.base;
        for node in view.tree.walk(Node::ROOT) {
            let entry = view.tree.get(node);
            if entry.kind != RemoteKind::File || entry.size.get().is_some_and(|size| size > 0) {
                continue;
            }
            let Some(known) = base.by_id(&entry.id).map(|known| base.get(known)) else { continue };
            let had_content = known.local.stamp.size > 0 && known.remote.etag != entry.etag;
            if known.package || !(had_content || entry.size.get().is_none()) {
                continue;
            }
            let is_known_empty = known.local.stamp.size == 0 && known.remote.etag == entry.etag;
            let before = self.sizeless.get(&entry.id).filter(|(etag, _)| *etag == entry.etag);
            let since = before.map_or(now, |(_, since)| *since);
            seen.insert(entry.id.clone(), (entry.etag.clone(), since));
            if is_known_empty {
                empty.push(node);
            } else if had_content && now.saturating_sub(since) < SIZELESS_SECONDS {
                hollow.insert(entry.id.clone());
            }
        }
        let view = Arc::make_mut(view);
        for node in empty {
            view.tree.update(node, |entry| entry.size = Some(0).into());
        }
        view.hollow = hollow;
        self.sizeless = seen;
    }

    /// Unfinished downloads of versions that are not on iCloud any more, or are here already, only take room.
    pub(super) fn forget_unwanted(&self, disk: &dyn Disk) {
        let Some(remote) = self.remote.as_ref().filter(|remote| remote.complete) else { return };
        disk.forget_unwanted(&|key| {
            let shown = remote.tree.by_id(&key.id).map(|node| &remote.tree.get(node).etag);
            let known = self.state.base.by_id(&key.id).map(|node| &self.state.base.get(node).remote.etag);
            shown.is_some_and(|etag| etag.same_content(&key.etag))
                && known.is_none_or(|etag| !etag.same_content(&key.etag))
        });
    }

    /// How long it takes, from `now` (lived seconds), until another look may settle what only a second one can.
    pub(super) fn settles_after(&self, now: i64) -> Option<Duration> {
        let hollow = &self.remote.as_ref()?.hollow;
        let waits = self.sizeless.iter().filter(|(id, _)| hollow.contains(*id)).map(|(_, (_, since))| {
            SIZELESS_SECONDS.saturating_sub(now.saturating_sub(*since)).clamp(0, SIZELESS_SECONDS)
        });
        waits.max().map(|wait| Duration::from_secs(wait.unsigned_abs()))
    }
}

/// Whether an item that an interrupted move left under a temporary name is to get this path: what is planned for it stands
/// under a path that is on neither side yet.
fn is_to_be<T: tree::Entry>(tree: &Tree<T>, path: &RelPath) -> bool {
    let folder = path.parent().map_or(Some(Node::ROOT), |folder| tree.find_alike(&folder));
    let bears_it = |child: &Node| {
        let temporary = name::temporary_origin(tree.name(*child))
            .map(|_| name::name_below_temporary(tree.name(*child), Some(path.name())));
        temporary.is_some_and(|own| name::same(own, path.name()))
    };
    folder.is_some_and(|folder| tree.children(folder).iter().any(bears_it))
}

/// # Errors
///
/// While something has to wait, for that reason.
fn is_settled(what: &str, waiting: Option<String>) -> Result<(), PassError> {
    let Some(why) = waiting else { return Ok(()) };
    let message = format!("{what} cannot be settled yet: {why}");
    Err(PassError::Remote(RemoteError::Busy { message, retry_after: None }))
}
