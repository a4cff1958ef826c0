//! How iCloud is looked at in a history: beside a pass, and when and where a push channel and a change feed, which may lie, say that
//! something changed.

use icloudds::engine::observe::remote::{Record, RecordKind, RecordPlace, Touched};
use icloudds::engine::pass::{Engine, Look, PassError, PassOptions, RemoteLook, Settings, Sight};
use icloudds::engine::ports::{Clock, Ports};
use icloudds::engine::view::Absence;
use icloudds::model::{ItemId, Node, Zone};

use super::history::{History, Pass};
use super::rigged::Sabotage;
use crate::sim::drive::{Kind, Place, SimDrive};
use crate::sim::rng::{Rng, mix};

/// How the feed of a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feed {
    /// It tells all that changed.
    Honest,
    /// Some of it comes with the next look.
    Late,
    /// Some of it never comes: of a hundred changes so many do.
    Lossy(u8),
    /// Some of it comes twice, in another order, with what nobody understands.
    Repeats,
    /// Some of it is wrong: another folder, or that something is deleted.
    Lies,
    /// Now and then it knows nothing of what it told before, and everything is looked at.
    Forgets,
    /// It tells that something changed, and not what.
    ZonesOnly,
    /// There is none.
    Off,
}

const FEEDS: [Feed; 10] = [
    Feed::Honest,
    Feed::Late,
    Feed::Lossy(80),
    Feed::Lossy(98),
    Feed::Lossy(0),
    Feed::Repeats,
    Feed::Lies,
    Feed::Forgets,
    Feed::ZonesOnly,
    Feed::Off,
];

/// How the push channel of a history is: each notification leads to a look where the feed says, and without a feed at everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    /// Nothing ever comes.
    Silent,
    /// Each change is told before the next pass.
    Each,
    /// Each change is told, and the next pass is told of it again.
    Twice,
    /// Something comes at random, whatever changed.
    Random,
}

const PUSHES: [Push; 4] = [Push::Silent, Push::Each, Push::Twice, Push::Random];

/// What feed and push channel of a history tell, and how far they were heard.
pub struct Hints {
    feed: Option<Feed>,
    push: Push,
    /// Looks go by etag instead.
    by_etag: bool,
    rng: Rng,
    /// So many changes of the drive were told.
    told: usize,
    /// Whether the versions of records are told.
    tags: bool,
    /// Whether the names of items can be read.
    names: bool,
    /// Changes that come late.
    late: Vec<ItemId>,
    /// Another notification comes of what was looked at.
    again: Vec<ItemId>,
}

impl Hints {
    /// The hints of a history.
    pub fn of(history: &History) -> Self {
        let mut rng = Rng::new(mix(history.seed ^ 0xfeed));
        let feed = FEEDS[rng.below(FEEDS.len())];
        let push = PUSHES[rng.below(PUSHES.len())];
        let tags = rng.chance(0.7);
        let names = rng.chance(0.5);
        let by_etag = history.goes_by_etag();
        let feed = history.hints.then_some(feed);
        Self { feed, by_etag, push, rng, told: 0, tags, names, late: Vec::new(), again: Vec::new() }
    }

    /// How a pass looks at iCloud: at everything now and then, and else where the feed says.
    pub fn look(&mut self, pass: &Pass, drive: &SimDrive) -> RemoteLook {
        let Some(feed) = self.feed else {
            return if pass.remote { RemoteLook::Whole } else { RemoteLook::Nothing };
        };
        if self.by_etag {
            return match pass.remote {
                true if self.rng.chance(0.3) => RemoteLook::Whole,
                true => RemoteLook::Etags,
                false => RemoteLook::Nothing,
            };
        }
        let is_notified = self.is_notified(drive);
        if !pass.remote && !is_notified {
            return RemoteLook::Nothing;
        }
        // The token is older than the look.
        let (changed, told) = drive.changed_since(self.told);
        self.told = told;
        let mut changed: Vec<_> = std::mem::take(&mut self.late).into_iter().chain(changed).collect();
        if self.push == Push::Twice {
            let again = std::mem::replace(&mut self.again, changed.clone());
            changed.splice(..0, again);
        }
        if self.rng.chance(0.15) {
            return RemoteLook::Whole;
        }
        match feed {
            Feed::Late => {
                let (late, now) = changed.into_iter().partition(|_| self.rng.chance(0.3));
                (self.late, changed) = (late, now);
            }
            Feed::Lossy(told) => changed.retain(|_| self.rng.chance(f64::from(told) / 100.0)),
            Feed::Forgets if self.rng.chance(0.4) => return RemoteLook::Whole,
            Feed::ZonesOnly if !changed.is_empty() => return RemoteLook::Whole,
            // A notification, or else the root's and the trash's counts, which may tell of nothing.
            Feed::Off if is_notified || self.rng.chance(0.5) => return RemoteLook::Whole,
            Feed::ZonesOnly | Feed::Off => return RemoteLook::Nothing,
            Feed::Honest | Feed::Repeats | Feed::Lies | Feed::Forgets => {}
        }
        let mut records: Vec<_> = changed.iter().flat_map(|id| self.records(id, drive)).collect();
        match feed {
            Feed::Repeats => self.repeat(&mut records),
            Feed::Lies => self.lie(&mut records, drive),
            _ => {}
        }
        RemoteLook::Touched(Touched { zone: Zone::CloudDocs, records, spares_root: false })
    }

    /// Whether a notification comes before a pass.
    fn is_notified(&mut self, drive: &SimDrive) -> bool {
        let is_new = !drive.changed_since(self.told).0.is_empty();
        match self.push {
            Push::Silent => false,
            Push::Each => is_new,
            Push::Twice => is_new || !self.again.is_empty(),
            Push::Random => self.rng.chance(0.4),
        }
    }

    fn records(&mut self, id: &ItemId, drive: &SimDrive) -> Vec<Record> {
        let is_lower = *id.zone() == Zone::CloudDocs && self.rng.chance(0.3);
        let mut records = records(id, drive, self.tags, is_lower);
        if self.names
            && let Some(item) = drive.item(id)
        {
            for record in records.iter_mut().filter(|record| record.kind != RecordKind::Content) {
                record.name = Some(item.name.clone());
            }
        }
        records
    }

    fn repeat(&mut self, records: &mut Vec<Record>) {
        let again: Vec<_> = records.iter().filter(|_| self.rng.chance(0.5)).cloned().collect();
        for record in again {
            let at = self.rng.below(records.len() + 1);
            records.insert(at, record);
        }
        if self.rng.chance(0.3) {
            let place = RecordPlace::Untold;
            records.push(Record {
                doc: "17".to_owned(),
                kind: RecordKind::Other,
                place,
                tag: None,
                name: None,
            });
        }
    }

    fn lie(&mut self, records: &mut [Record], drive: &SimDrive) {
        let folders: Vec<_> = drive.within(&ItemId::drive_root());
        for record in records {
            if folders.is_empty() || self.rng.chance(0.6) {
                continue;
            }
            let other = folders[self.rng.below(folders.len())].doc();
            match self.rng.below(4) {
                0 => record.place = RecordPlace::Deleted,
                1 => record.place = RecordPlace::In(other),
                2 => record.doc = other,
                _ => record.place = RecordPlace::Trash,
            }
        }
    }
}

/// The records of an item of the drive's own zone, with their versions or without, and with its id in small letters or not.
pub fn records(id: &ItemId, drive: &SimDrive, tags: bool, is_lower: bool) -> Vec<Record> {
    if *id.zone() != Zone::CloudDocs {
        return Vec::new();
    }
    let doc = if is_lower { id.doc().to_ascii_lowercase() } else { id.doc() };
    let Some(item) = drive.item(id) else {
        return vec![Record {
            doc,
            kind: RecordKind::File,
            place: RecordPlace::Deleted,
            tag: None,
            name: None,
        }];
    };
    let etag = item.etag();
    let (structure, content) = etag.as_str().split_once("::").unwrap_or((etag.as_str(), ""));
    let tag = |text: &str| tags.then(|| text.to_owned());
    let place = match &item.place {
        Place::Folder(folder) => RecordPlace::In(folder.doc()),
        Place::Trash(_) if tags => RecordPlace::Trash,
        Place::Trash(_) | Place::Nowhere => RecordPlace::Untold,
    };
    let kind = match item.kind {
        Kind::Folder | Kind::Library => RecordKind::Folder,
        Kind::File | Kind::Package => RecordKind::File,
        Kind::Shared => RecordKind::Other,
    };
    let mut records = vec![Record { doc: doc.clone(), kind, place, tag: tag(structure), name: None }];
    if kind == RecordKind::File {
        let place = RecordPlace::Untold;
        records.push(Record { doc, kind: RecordKind::Content, place, tag: tag(content), name: None });
    }
    records
}

/// What an engine that trusts hints looks at.
pub fn rigged_look(sabotage: Option<Sabotage>, look: &Look, engine: &Engine) -> Look {
    let mut look = look.clone();
    if sabotage == Some(Sabotage::FeedAlone)
        && engine.remote_view().is_some()
        && look.remote == RemoteLook::Whole
    {
        look.remote = RemoteLook::Nothing;
    }
    look
}

/// What an engine that trusts hints makes of what was seen where the feed said so.
pub fn trust(sabotage: Option<Sabotage>, look: &Look, engine: &mut Engine, clock: &dyn Clock) {
    let RemoteLook::Touched(touched) = &look.remote else { return };
    let Some(mut view) = engine.remote_view().cloned() else { return };
    let is_named = |doc: &str, id: &ItemId| id.doc().eq_ignore_ascii_case(doc);
    let gone: Vec<_> = match sabotage {
        // What is said to be deleted is deleted, whatever the look showed.
        Some(Sabotage::FeedDeletes) => {
            let is_out = |record: &&Record| matches!(record.place, RecordPlace::Deleted | RecordPlace::Trash);
            let out: Vec<_> =
                touched.records.iter().filter(is_out).map(|record| record.doc.clone()).collect();
            let is_said = |id: &ItemId| out.iter().any(|doc| is_named(doc, id));
            view.tree.walk(Node::ROOT).skip(1).filter(|node| is_said(&view.tree.get(*node).id)).collect()
        }
        // Folders of which nothing is said hold nothing.
        Some(Sabotage::UnlistedIsEmpty) => {
            let is_said = |id: &ItemId| {
                touched.records.iter().any(|record| {
                    is_named(&record.doc, id)
                        || matches!(&record.place, RecordPlace::In(folder) if is_named(folder, id))
                })
            };
            let folders = view.tree.walk(Node::ROOT).skip(1);
            let unsaid = folders.filter(|node| !is_said(&view.tree.get(*node).id));
            unsaid.flat_map(|node| view.tree.children(node).to_vec()).collect()
        }
        _ => return,
    };
    for node in gone {
        if view.tree.contains(node) {
            let removed = view.tree.remove(node);
            view.absent.extend(removed.into_iter().map(|entry| (entry.id, Absence::Trashed)));
        }
    }
    engine.saw_there(Sight::Part(view), clock);
}

/// A walk through iCloud with a pass beside it that asks iCloud nothing, before or after it: the daemon does so while
/// iCloud is slow or away.
pub fn beside(
    engine: &mut Engine,
    ports: &Ports<'_>,
    settings: &Settings,
    look: &Look,
    options: &PassOptions<'_>,
) -> Result<(), PassError> {
    let walk = engine.walk();
    let seen_first = ports.clock.unit_random() < 0.5;
    let early = if seen_first { Some(walk.run(ports.remote, ports.clock, settings)?) } else { None };
    engine.pass_here(ports.disk, ports.clock, settings, &look.local, options, &mut |_| {})?;
    let view = match early {
        Some(view) => view,
        None => walk.run(ports.remote, ports.clock, settings)?,
    };
    if look.remote != RemoteLook::Nothing || engine.remote_view().is_none() {
        engine.saw_there(Sight::Whole(view), ports.clock);
    }
    Ok(())
}
