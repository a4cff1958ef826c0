//! The oracle: the promises of `docs/sync.md` §1 as checks on a world.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use icloudds::engine::operation::NoteKind;
use icloudds::engine::pass::{Look, Report};
use icloudds::engine::plan::Mode;
use icloudds::model::{Agreed, Identity, LocalStamp, Node, Presence, RelPath, name};

use super::guarded::guarded;
use super::history::{Op, Twist};
use super::person;
use super::run::Run;
use super::second::Second;
use crate::sim::fuse::lock;
use crate::sim::journal::Fate;
use crate::sim::journal::Things;
use crate::sim::{Bytes, Call, Fault, Outcome, Thing};

/// Passes after which a world that is left alone must be at rest.
const MOST_PASSES: usize = 14;

/// So many of them try also what was set aside.
const PASSES_BY_PERSON: usize = 7;

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which promise.
    pub promise: &'static str,
    /// What was found.
    pub how: String,
}

impl Broken {
    /// That promise is broken in that way.
    pub fn new(promise: &'static str, how: String) -> Self {
        Self { promise, how }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.promise, self.how)
    }
}

fn text(content: &Bytes) -> String {
    String::from_utf8_lossy(content).into_owned()
}

/// What must hold at every moment, also after a crash.
///
/// # Errors
///
/// The promise that does not hold.
pub fn at_any_time(run: &Run) -> Result<(), Broken> {
    if let Some(second) = &run.second {
        second.with(|second| at_any_time_alone(second))?;
    }
    let kept = run.second.as_ref().map(Second::contents).unwrap_or_default();
    let mut lost = run.world.lost_but(kept);
    // Where nothing has an identity that is sure, a file that an older version came back to and that was moved then is one that was deleted, and
    // deletions may be for good.
    let is_blind = run.history.has(Twist::NoIdentities) || run.history.has(Twist::NoBirths);
    if run.history.has(Twist::Permanent) && is_blind {
        lost.retain(|content| !run.world.journal.was_replaced_unseen(content));
    }
    if !lost.is_empty() {
        let lost: Vec<_> = lost.iter().map(text).collect();
        return Err(Broken::new("P1", format!("lost for good: {lost:?}")));
    }
    at_any_time_alone(run)
}

/// The same of one machine, but for contents that another one may keep.
///
/// # Errors
///
/// The promise that does not hold.
pub fn at_any_time_alone(run: &Run) -> Result<(), Broken> {
    let unasked = lock(&run.seen.unasked);
    if !unasked.is_empty() {
        return Err(Broken::new(
            "P2",
            format!("{unasked:?} went to the trash here, and is on iCloud as ever"),
        ));
    }
    let written: BTreeSet<_> = run.world.journal.all().into_iter().map(|(content, _)| content).collect();
    for (side, tree) in [("here", run.world.disk.tree()), ("on iCloud", run.world.drive.tree())] {
        for (path, thing) in tree {
            if let Thing::File(content) = thing {
                // What a person has not synced a power cut may tear: no program can help that.
                let lazy = run.history.has(Twist::LazyPersons) || run.history.has(Twist::LosesContents);
                let torn = lazy && written.iter().any(|whole| whole.starts_with(&content));
                let whole = content.is_empty()
                    || written.contains(&content)
                    || content.starts_with(b"PK\x03\x04")
                    || torn
                    || run.world.journal.was_left_by_power(&content);
                if !whole {
                    return Err(Broken::new("P4", format!("{path} {side} holds {:?}", text(&content))));
                }
            }
        }
    }
    if run.world.drive.overlaps() > 0 {
        return Err(Broken::new("lane", "two calls that change the drive ran at once".to_owned()));
    }
    guarded(run)
}

/// Leaves the world alone until it rests, and looks at all of it.
///
/// # Errors
///
/// The promise that does not hold.
pub fn after_quiet(run: &mut Run) -> Result<(), Broken> {
    calm(run);
    let mut last = None;
    let mut rests = false;
    let mut rests_twice = 0;
    for round in 0..MOST_PASSES {
        run.tell_no_more(round > 4);
        // What fails again each time must not keep the world busy: it waits for its next try.
        let by_person = round < PASSES_BY_PERSON;
        run.world.clock.advance(Duration::from_secs(if by_person { 70 } else { 5 }));
        let report = one_pass(run, by_person)?;
        if report.held > 0 {
            run.decide(run.history.seed.is_multiple_of(2));
        }
        rests = is_at_rest(&report);
        if let Some(second) = run.second.clone() {
            let beside = second.with(|second| {
                second.tell_no_more(round > 4);
                one_pass(second, by_person)
            })?;
            // What it did is seen by the first one in the next round.
            rests &= is_at_rest(&beside);
            rests_twice = if rests { rests_twice + 1 } else { 0 };
            rests = rests_twice >= 2;
        }
        last = Some(report);
        if rests {
            break;
        }
    }
    let Some(report) = last.as_ref().filter(|_| rests) else {
        let left = last.map(|Report { quiet, pending, held, outcome, notes, .. }| {
            format!("quiet {quiet}, pending {pending}, held {held}, waiting {}, {notes:?}", outcome.waiting)
        });
        return Err(Broken::new("P5", format!("not at rest after {MOST_PASSES} passes: {left:?}")));
    };
    at_any_time(run)?;
    let apart = apart(run, report);
    equal(run, &apart)?;
    if let Some(second) = run.second.clone() {
        second.with(|second| {
            let report = one_pass(second, false)?;
            let apart = self::apart(second, &report);
            equal(second, &apart)
        })?;
    }
    nothing_deleted_unasked(run)?;
    modes(run)?;
    stays_quiet(run, report)
}

fn is_at_rest(report: &Report) -> bool {
    report.quiet && !report.pending && report.outcome.waiting == 0 && report.held == 0
}

fn calm(run: &mut Run) {
    if let Some(second) = run.second.clone() {
        second.with(calm);
    }
    run.world.disk.remount();
    run.world.fuse.await_no_more();
    run.start();
    run.world.fuse.renew();
    run.world.fuse.calm();
    // Nothing rests while something is under way.
    run.world.clock.advance(run.world.drive.takes_effect_in());
    run.world.drive.switch(|drive| drive.quota = None);
    run.world.disk.switch(|disk| {
        disk.capacity = None;
        disk.vanished = None;
    });
    for (path, ..) in run.world.disk.paths().iter().filter(|(_, thing, _)| *thing == Thing::Folder) {
        run.world.disk.readable(path, true);
    }
}

fn one_pass(run: &mut Run, by_person: bool) -> Result<Report, Broken> {
    match run.run(&Look::whole(), by_person)? {
        Outcome::Done(Ok(report)) => Ok(report),
        Outcome::Done(Err(error)) => Err(Broken::new("P5", format!("a pass left alone ends early: {error}"))),
        Outcome::Crashed => Err(Broken::new("P5", "crashed of itself".to_owned())),
    }
}

/// The paths that may differ: set aside, held, or left alone by rule.
fn apart(run: &Run, report: &Report) -> BTreeMap<String, String> {
    let state = run.world.store.durable();
    let mut apart = BTreeMap::<String, String>::new();
    // Two items may have one path but for the form of its letters: each has its own reason.
    let mut tell = |path: &str, why: &str| {
        let reasons = apart.entry(name::nfc(path).to_string()).or_default();
        *reasons = if reasons.is_empty() { why.to_owned() } else { format!("{reasons}; {why}") };
    };
    for (path, item) in &state.set_aside {
        tell(path.as_str(), &item.reason);
    }
    for path in &state.local_only {
        tell(path.as_str(), "stays local");
    }
    for note in &report.notes {
        tell(note.path.as_str(), &format!("{:?}", note.kind));
    }
    // What an interrupted move left under a temporary name is told by the name that it is to get.
    for path in run.world.drive.tree().into_keys() {
        let (folder, last) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(folder, last)| (folder, last));
        if let Some(own) = name::temporary_origin(&unnumbered(last)) {
            let own = if folder.is_empty() { own.to_owned() } else { format!("{folder}/{own}") };
            if is_within(&apart, &name::nfc(&own)) {
                apart.insert(
                    name::nfc(&path).to_string(),
                    "has a temporary name, and its own is set aside".to_owned(),
                );
            }
        }
    }
    // An item that is set aside where it went, or with the folder it went to, still has its old place on the other side. So has what went into
    // such a one.
    let here = run.world.disk.stamps();
    loop {
        let before = apart.len();
        for node in state.base.walk(Node::ROOT).filter(|node| *node != Node::ROOT) {
            let entry = state.base.get(node);
            let agreed = name::nfc(state.base.path(node).as_str()).to_string();
            let there = run.world.drive.path_of(&entry.remote.id);
            let is_here = here.iter().any(|(path, _)| name::nfc(path) == agreed);
            let is_known = |path: &str| {
                is_here || RelPath::parse(path).is_ok_and(|path| state.base.find_alike(&path).is_some())
            };
            let places = standing(&here, entry, &is_known).chain(there).chain([agreed]).collect::<Vec<_>>();
            let one_side = entry.presence != Presence::Both;
            if one_side || places.iter().any(|place| is_within(&apart, place)) {
                let why = if one_side { "on one side only" } else { "is elsewhere, which is set aside" };
                for place in places {
                    apart.entry(place).or_insert_with(|| why.to_owned());
                }
            }
        }
        if apart.len() == before {
            return apart;
        }
    }
}

/// Where an item of the base stands here, under whatever name. Without an identity a file is known by its size and time, and a folder that
/// left its place may be any that stands where the base knows of none.
fn standing<'a>(
    here: &'a [(String, LocalStamp)],
    entry: &'a Agreed,
    is_known: &'a dyn Fn(&str) -> bool,
) -> impl Iterator<Item = String> + use<'a> {
    let known = &entry.local.stamp;
    let is_it = move |path: &str, stamp: &LocalStamp| match known.identity == Identity::default() {
        true if entry.folder => !is_known(path),
        true => (stamp.size, stamp.mtime) == (known.size, known.mtime),
        false => stamp.identity == known.identity,
    };
    let found = here.iter().filter(move |(path, stamp)| is_it(path, stamp));
    found.map(|(path, _)| name::nfc(path).to_string())
}

/// A path without the numbers by which [`SimDrive::tree`](crate::sim::SimDrive::tree) tells items of one name apart.
fn unnumbered(path: &str) -> String {
    let plain = |part: &str| part.split(" #").next().unwrap_or(part).to_owned();
    path.split('/').map(plain).collect::<Vec<_>>().join("/")
}

/// Whether a path, or a folder above it, is apart.
fn is_within(apart: &BTreeMap<String, String>, path: &str) -> bool {
    let plain = unnumbered(path);
    apart.keys().any(|other| {
        let rest = plain.strip_prefix(other.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn is_apart(apart: &BTreeMap<String, String>, path: &str) -> bool {
    // A folder may have to stay on one side for what is set aside in it.
    let holds = |other: &String| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    is_within(apart, path) || apart.keys().any(holds)
}

fn equal(run: &Run, apart: &BTreeMap<String, String>) -> Result<(), Broken> {
    if run.settings.mode != Mode::TwoWay {
        return Ok(());
    }
    let takes_part = |path: &str| run.settings.filter.takes_part(&unnumbered(path));
    // A mount point is never moved or removed.
    let plain = !run.history.odd && run.history.twists.is_empty() && !run.world.disk.has_volumes();
    // Persons may make two names that one side cannot hold apart also in a plain world, and what stays where it was for
    // that may hold another name.
    let twins = apart
        .values()
        .any(|why| ["Unicode form", "has the same name", "; "].iter().any(|told| why.contains(told)));
    let mut faults = apart.iter().filter(|(_, why)| !why.contains("which is set aside"));
    if plain
        && !twins
        && let Some((path, why)) = faults.next()
    {
        return Err(Broken::new("equality", format!("{path} is set aside in a plain world: {why}")));
    }
    // Where names that differ in case are one here, an item is told by the name that it has here.
    let folds = run.history.has(Twist::LocalFoldsCase);
    let key = |path: &str| if folds { name::key(path, true).to_string() } else { path.to_owned() };
    let apart = apart.iter().map(|(path, why)| (key(path), why.clone())).collect();
    let differences = run.world.differences_but(|path| !takes_part(path) || is_apart(&apart, &key(path)));
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Broken::new("equality", differences.join("; "))),
    }
}

fn files(things: Things) -> impl Iterator<Item = Bytes> {
    things
        .into_values()
        .filter_map(|thing| if let Thing::File(content) = thing { Some(content) } else { None })
}

/// P2 and P3: what nobody gave up is not only in some trash.
fn nothing_deleted_unasked(run: &Run) -> Result<(), Broken> {
    if run.settings.mode != Mode::TwoWay || run.history.has(Twist::Newest) {
        return Ok(());
    }
    let (here, there) = (run.world.disk.tree(), run.world.drive.tree());
    let mut shown: BTreeSet<Bytes> = BTreeSet::new();
    for thing in here.into_values().chain(there.into_values()) {
        if let Thing::File(content) = thing {
            shown.insert(content);
        }
    }
    if let Some(second) = &run.second {
        shown.extend(second.with(|second| files(second.world.disk.tree())));
    }
    let packages = run.world.drive.live_contents();
    shown.extend(packages);
    // What lies on a volume that is away, or whose mount point is gone, is there for whoever mounts it again, unless iCloud was told to delete it.
    let thrown = run.world.drive.trashed_contents();
    shown.extend(run.world.disk.on_volumes().into_iter().filter(|content| !thrown.contains(content)));
    // A folder goes with all that a look shows in it. Where the service shows less than there is and says that it is
    // all, what nobody could see goes too; Recently Deleted keeps it.
    let late = run.history.twists.iter().any(|twist| matches!(twist, Twist::Late(_)));
    let shows_less = |fault: &Fault| matches!(fault, Fault::LateListing | Fault::ShortListing);
    let faults = run
        .history
        .ops
        .iter()
        .filter_map(|op| if let Op::Pass(pass) = op { Some(&pass.faults) } else { None });
    if late || faults.flatten().any(|(fault, _)| shows_less(fault)) {
        shown.extend(run.world.drive.contents());
        // Deletion for good leaves it in the trash here alone.
        if run.history.has(Twist::Permanent) {
            shown.extend(run.world.disk.trash_contents());
        }
    }
    for (content, fate) in run.world.journal.all() {
        // The zip of a package may differ at each fetch; it begins as it was written.
        let zip = content.starts_with(b"PK\x03\x04") && shown.iter().any(|file| file.starts_with(&content));
        // What is written again and again may be what was agreed on, so that writing it is no edit. P1 holds for it too.
        let common = person::is_common(&content);
        if matches!(fate, Fate::AtStake(_)) && !shown.contains(&content) && !zip && !common {
            let here = run.world.disk.in_trash(&content);
            let there =
                run.world.drive.trashed().into_iter().filter_map(|id| Some((run.world.drive.item(&id)?, id)));
            let there: Vec<_> = there
                .filter(|(item, _)| item.body == content)
                .map(|(item, id)| format!("{} {id}", item.name))
                .collect();
            let how = format!(
                "{:?} ({fate:?}) is only in a trash, and nobody deleted it: here {here:?}, on iCloud {there:?}",
                text(&content)
            );
            return Err(Broken::new("P2", how));
        }
    }
    Ok(())
}

/// One-way modes never change the other side.
fn modes(run: &Run) -> Result<(), Broken> {
    let calls = run.world.fuse.calls();
    let bad: &[Call] = match run.settings.mode {
        Mode::TwoWay => return Ok(()),
        Mode::DownloadOnly => &REMOTE,
        Mode::UploadOnly => &LOCAL,
    };
    match calls.keys().find(|call| bad.contains(call)) {
        Some(call) => Err(Broken::new("modes", format!("{call:?} in mode {:?}", run.settings.mode))),
        None => Ok(()),
    }
}

const REMOTE: [Call; 8] = [
    Call::CreateFolders,
    Call::RenameRemote,
    Call::MoveRemote,
    Call::TrashRemote,
    Call::DeleteTrashed,
    Call::PutBack,
    Call::Stage,
    Call::Commit,
];
const LOCAL: [Call; 6] =
    [Call::MakeFolder, Call::Place, Call::Replace, Call::Rescue, Call::RenameLocal, Call::TrashLocal];

/// P5: a further pass only looks.
fn stays_quiet(run: &mut Run, before: &Report) -> Result<(), Broken> {
    let (here, there) = (run.world.disk.tree(), run.world.drive.tree());
    run.world.clock.advance(Duration::from_secs(5));
    let settle = one_pass(run, false)?;
    if settle.planned > 0 && !settle.quiet {
        return Err(Broken::new("P5", "a pass after rest plans something".to_owned()));
    }
    run.world.clock.advance(Duration::from_secs(5));
    run.world.fuse.forget_calls();
    let report = one_pass(run, false)?;
    let looks = [
        Call::List,
        Call::ListTrash,
        Call::SlowAnswer,
        Call::CheckRoot,
        Call::ReadFolder,
        Call::Look,
        Call::Pause,
    ];
    // What one side may not change stays different, and a whole scan reads it again.
    let waits = !run.world.store.durable().set_aside.is_empty();
    let set_aside = waits || !report.notes.is_empty() || run.settings.mode != Mode::TwoWay;
    for (call, about) in run.world.fuse.trace() {
        // How long the state has lived is noted now and then, and that an upload can come late no more.
        let notes_time = call == Call::Store && ["Time", "MayComeLate"].contains(&about.as_str());
        let fine = looks.contains(&call) || set_aside && !call.changes() || notes_time;
        if !fine {
            return Err(Broken::new("P5", format!("a quiet pass does {call:?} of {about:?}")));
        }
    }
    if (here, there) != (run.world.disk.tree(), run.world.drive.tree()) {
        return Err(Broken::new("P5", "a pass after rest changed something".to_owned()));
    }
    let unsettled =
        |report: &Report| report.notes.iter().any(|note| matches!(note.kind, NoteKind::Unsettled(_)));
    match unsettled(before) || unsettled(&report) {
        true => Err(Broken::new("P5", "something stays unsettled".to_owned())),
        false => Ok(()),
    }
}
