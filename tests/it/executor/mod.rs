//! The executor against the world in memory, with plans made by hand.

mod crash;
mod deletes;
mod downloads;
mod here;
mod hollow;
mod hopeless;
mod moves;
mod noted;
mod pass;
mod side_by_side;
mod uploads;
mod workers;

use std::time::Duration;

use icloudds::engine::execute::{Event, ExecuteOptions, Outcome, Recovered, execute, recover};
use icloudds::engine::operation::{Action, LocalSeen, Operation, Parent, Plan, Reason, RemoteSeen};
use icloudds::engine::ports::{Clock, Disk, LookUp, Ports, Remote, RemoteParent, Store};
use icloudds::model::{
    BaseEntry, Change, ItemId, LocalKind, Presence, RelPath, RemoteEntry, Side, Signature, State, name,
};

use crate::sim::{self, World};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn conflict_name(at: &RelPath, attempt: u32) -> RelPath {
    let (stem, extension) = name::split_extension(at.name());
    let dot = extension.map_or(String::new(), |extension| format!(".{extension}"));
    let number = if attempt == 0 { String::new() } else { format!(" {}", attempt + 1) };
    at.parent().unwrap().join(&format!("{stem} (conflict{number}){dot}")).unwrap()
}

fn is_junk(name: &str) -> bool {
    name == ".DS_Store"
}

fn options() -> ExecuteOptions<'static> {
    ExecuteOptions { workers: 1, ..ExecuteOptions::new(&conflict_name, &is_junk) }
}

/// A world and the state of the process that runs in it.
struct Bench {
    world: World,
    state: State,
    events: Vec<Event>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let state = world.store.durable();
        Self { world, state, events: Vec::new() }
    }

    fn ports(world: &World) -> Ports<'_> {
        Ports { remote: &*world.drive, disk: &*world.disk, clock: &*world.clock }
    }

    /// Lets so much time pass that later changes show and nothing is racy.
    fn later(&self) {
        self.world.clock.advance(Duration::from_secs(100));
    }

    fn id(&self, at: &str) -> ItemId {
        if at.is_empty() { ItemId::drive_root() } else { self.world.drive.find(at).expect("it is on iCloud") }
    }

    fn entry(&self, id: &ItemId) -> (RemoteEntry, RemoteParent) {
        match self.world.drive.look_up(&[(id.clone(), false)]).unwrap().pop() {
            Some(LookUp::Found(item)) => (item.entry, item.parent),
            other => panic!("{id}: {other:?}"),
        }
    }

    /// An item on iCloud as a plan would name it now.
    fn remote(&self, at: &str) -> RemoteSeen {
        self.remote_id(&self.id(at))
    }

    fn remote_id(&self, id: &ItemId) -> RemoteSeen {
        let (entry, parent) = self.entry(id);
        let RemoteParent::Folder(parent) = parent else { panic!("{id} hangs nowhere") };
        RemoteSeen {
            id: id.clone(),
            folder: entry.is_folder(),
            package: false,
            etag: entry.etag,
            parent,
            name: entry.name,
            size: entry.size.get(),
            mtime: entry.mtime.get(),
            signature: None,
        }
    }

    /// An item here as a plan would name it now.
    fn local(&self, at: &str) -> LocalSeen {
        let entry = self.world.disk.look(&path(at)).unwrap().expect("it is here");
        let signature = self.world.disk.read(at).map(|content| sim::journal::signature(&content));
        LocalSeen { path: path(at), stamp: entry.stamp, racy: entry.racy, signature }
    }

    /// A file, the same on both sides, in the base.
    fn file(&mut self, at: &str, content: &[u8]) {
        assert!(self.world.disk.write(at, content));
        self.world.drive.create(at, content).unwrap();
        self.agree(at, Some(sim::journal::signature(content)));
    }

    /// A folder on both sides, in the base.
    fn folder(&mut self, at: &str) {
        assert!(self.world.disk.mkdir(at));
        self.world.drive.mkdir(at).unwrap();
        self.agree(at, None);
    }

    fn agree(&mut self, at: &str, signature: Option<Signature>) {
        let (remote, local) = (self.remote(at), self.local(at));
        let entry = BaseEntry {
            id: remote.id,
            folder: remote.folder,
            package: false,
            presence: Presence::Both,
            local_name: path(at).name().into(),
            remote_name: remote.name,
            etag: remote.etag,
            remote_size: remote.size.into(),
            remote_mtime: remote.mtime.into(),
            stamp: local.stamp,
            racy: false,
            signature,
            created_on: None.into(),
            written_at: None.into(),
        };
        let change = Change::Put { parent: remote.parent, entry: Box::new(entry) };
        self.world.store.commit(&[change]).unwrap();
        self.state = self.world.store.durable();
    }

    fn run(&mut self, plan: &Plan) -> Outcome {
        self.run_with(plan, &options())
    }

    fn run_with(&mut self, plan: &Plan, options: &ExecuteOptions<'_>) -> Outcome {
        self.events.clear();
        let (world, events) = (&self.world, &mut self.events);
        let mut store = world.store.clone();
        let ports = Self::ports(world);
        execute(plan, &ports, options, &mut self.state, &mut store, &mut |event| {
            // What is stored is asked of the store.
            if !matches!(event, Event::Stored(_)) {
                events.push(event.clone());
            }
        })
    }

    fn one(&mut self, action: Action, at: &str) -> Outcome {
        self.run(&plan(vec![op(action, at)]))
    }

    fn recover(&mut self) -> Recovered {
        let mut store = self.world.store.clone();
        recover(&Self::ports(&self.world), &mut self.state, &mut store, &|_| false).unwrap()
    }

    /// What the base says of the item at that local path.
    fn base(&self, at: &str) -> Option<BaseEntry> {
        self.state.base.find(&path(at)).map(|node| self.state.base.get(node).to_entry())
    }

    fn read(&self, at: &str) -> String {
        self.world.disk.read(at).map_or("nothing".into(), |c| String::from_utf8_lossy(&c).into_owned())
    }

    fn read_remote(&self, at: &str) -> String {
        let Some(id) = self.world.drive.find(at) else { return "nothing".into() };
        String::from_utf8_lossy(&self.world.drive.item(&id).unwrap().body).into_owned()
    }

    /// Both sides hold the same, the base says so of every item, also after a power cut, and the store
    /// agrees with the memory.
    fn assert_agreed(&self) {
        self.world.disk.power_cut(7, &self.world.drive);
        self.world.assert_nothing_lost();
        self.world.assert_equal_sides();
        assert_eq!(self.world.drive.overlaps(), 0);
        let base = &self.state.base;
        let mut known: Vec<_> = base.walk(icloudds::model::Node::ROOT).map(|node| base.path(node)).collect();
        known.retain(|path| !path.is_root());
        let there: Vec<_> = self.world.disk.tree().into_keys().map(|text| path(&text)).collect();
        let mut sorted = there.clone();
        sorted.sort();
        known.sort();
        assert_eq!(known, sorted);
        for at in &there {
            let entry = self.base(at.as_str()).unwrap();
            let (local, remote) = (self.local(at.as_str()), self.remote_id(&entry.id));
            assert_eq!(remote.id, self.id(at.as_str()), "{at}");
            let parent = base.parent(base.find(at).unwrap()).unwrap();
            assert_eq!(remote.parent, base.get(parent).remote.id, "{at}");
            assert!(name::same(&entry.remote_name, &remote.name), "{at}");
            if !entry.folder {
                assert_eq!(entry.etag, remote.etag, "{at}");
                assert_eq!(entry.stamp, local.stamp, "{at}");
                let content = self.world.disk.read(at.as_str()).unwrap();
                assert_eq!(entry.signature, Some(sim::journal::signature(&content)), "{at}");
            }
        }
        let durable = self.world.store.durable();
        assert_eq!(durable.base.len(), self.state.base.len());
        assert!(durable.intents.is_empty() && self.state.intents.is_empty());
        assert!(self.world.store.refused().is_empty(), "{:?}", self.world.store.refused());
    }
}

fn op(action: Action, at: &str) -> Operation {
    Operation { action, path: path(at), reason: Reason::Edited(Side::Local), after: Default::default() }
}

fn after(mut operation: Operation, earlier: &[usize]) -> Operation {
    operation.after = earlier.into();
    operation
}

fn plan(operations: Vec<Operation>) -> Plan {
    Plan { operations, notes: Vec::new() }
}

fn known(id: ItemId) -> Parent {
    Parent::Known(id)
}

/// Nothing went wrong and nothing is left.
fn assert_clean(outcome: &Outcome) {
    assert!(outcome.ended.is_none(), "{outcome:?}");
    assert!(outcome.failed.is_empty(), "{outcome:?}");
    assert!(outcome.plan_again.is_empty(), "{outcome:?}");
    assert_eq!(outcome.waiting, 0, "{outcome:?}");
}

/// The world moved on: planned again, nothing set aside.
fn assert_planned_again(outcome: &Outcome) {
    assert_eq!(outcome.plan_again.len(), 1, "{outcome:?}");
    assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
}

#[test]
fn a_kind_is_told_by_the_world() {
    let mut bench = Bench::new(1);
    bench.folder("d");
    assert_eq!(bench.world.disk.look(&path("d")).unwrap().unwrap().kind, LocalKind::Folder);
    assert!(bench.world.clock.now().0 > 0);
    bench.assert_agreed();
}
