mod asked;
mod by_etag;
mod deep;
mod part;
mod sizes;
mod still;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use still::Still;

use super::*;
use crate::engine::ports::*;
use crate::engine::view::Absence;
use crate::model::*;

/// A drive in memory that can be made to list wrongly.
#[derive(Default)]
struct Fake {
    /// Name to parent and entry; names are ids too.
    items: BTreeMap<String, (String, RemoteEntry)>,
    /// Items that no listing shows, and that are not counted either.
    hidden: HashSet<String>,
    /// Items that listings show in another folder, or under another etag, than they are in.
    listed_late: HashMap<String, (String, String)>,
    /// Folders whose listing does not add up; the number of times.
    short: Mutex<HashMap<String, u32>>,
    failing: HashMap<String, RemoteError>,
    /// Items that look-ups deny; the number of times.
    denied: Mutex<HashMap<String, u32>>,
    silent: HashSet<String>,
    /// So many folders, one inside the other: `c0` in the root, and so on.
    chain: usize,
    /// Every call, in order.
    calls: Mutex<Vec<String>>,
}

fn id(name: &str) -> ItemId {
    if name == "root" { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, name) }
}

fn entry(name: &str, kind: RemoteKind, etag: &str) -> RemoteEntry {
    RemoteEntry {
        id: id(name),
        size: (kind == RemoteKind::File).then_some(1).into(),
        kind,
        name: name.into(),
        etag: Etag::new(etag),
        mtime: None.into(),
        signature: None.into(),
        state: FolderState::Unread,
    }
}

impl Fake {
    /// A drive of files and folders (their names end in `/`) in the given folders.
    fn new(items: &[(&str, &str)]) -> Self {
        let mut fake = Self::default();
        fake.items.insert(
            "root".to_owned(),
            (String::new(), RemoteEntry { name: "".into(), ..entry("root", RemoteKind::Folder, "1") }),
        );
        for (parent, name) in items {
            let kind = if name.ends_with('/') { RemoteKind::Folder } else { RemoteKind::File };
            let name = name.trim_end_matches('/');
            fake.items.insert(name.to_owned(), ((*parent).to_owned(), entry(name, kind, "1::1")));
        }
        fake
    }

    fn trash_it(&mut self, name: &str) {
        self.items.get_mut(name).unwrap().0 = "TRASH".to_owned();
    }

    fn parent(text: &str) -> RemoteParent {
        match text {
            "TRASH" => RemoteParent::Trash,
            "" => RemoteParent::Untold,
            _ => RemoteParent::Folder(id(text)),
        }
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn calls(&self, prefix: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.starts_with(prefix)).count()
    }

    fn listing(&self, folder: &str, brief: bool) -> Result<Listing, RemoteError> {
        self.note(format!("{} {folder}", if brief { "brief" } else { "list" }));
        if let Some(error) = self.failing.get(folder) {
            return Err(error.clone());
        }
        let place = folder.strip_prefix('c').and_then(|number| number.parse::<usize>().ok());
        if self.chain > 0 && (folder == "root" || place.is_some()) {
            let next = place.map_or(0, |number| number + 1);
            let state = FolderState::Complete;
            let own = RemoteEntry { state, ..entry(folder, RemoteKind::Folder, "1::1") };
            let child = (next < self.chain).then(|| RemoteItem {
                entry: entry(&format!("c{next}"), RemoteKind::Folder, "1::1"),
                parent: Self::parent(folder),
            });
            return Ok(Listing {
                folder: own,
                items: child.into_iter().collect(),
                unusable: Vec::new(),
                file_count: None,
            });
        }
        let mut own = if folder == "TRASH" {
            entry("TRASH", RemoteKind::Folder, "")
        } else {
            self.items.get(folder).ok_or(RemoteError::Gone)?.1.clone()
        };
        let mut short = self.short.lock().unwrap();
        let left = short.entry(folder.to_owned()).or_default();
        own.state = if *left > 0 { FolderState::Incomplete } else { FolderState::Complete };
        *left = left.saturating_sub(1);
        let mut items = Vec::new();
        for (name, (parent, entry)) in &self.items {
            let mut entry = entry.clone();
            let mut parent = parent.clone();
            if let Some((late_parent, late_etag)) = self.listed_late.get(name) {
                parent = late_parent.clone();
                entry.etag = Etag::new(late_etag);
            }
            if parent == folder && !self.hidden.contains(name) {
                if brief {
                    entry = RemoteEntry { name: "".into(), size: None.into(), ..entry };
                }
                items.push(RemoteItem { entry, parent: Self::parent(&parent) });
            }
        }
        Ok(Listing { folder: own, items, unusable: Vec::new(), file_count: None })
    }
}

fn name_of(id: &ItemId) -> String {
    id.doc()
}

impl Remote for Fake {
    fn list(&self, folders: &[ItemId], brief: bool) -> Vec<Result<Listing, RemoteError>> {
        folders.iter().map(|id| self.listing(&name_of(id), brief)).collect()
    }
    fn list_trash(&self) -> Result<Listing, RemoteError> {
        self.listing("TRASH", false)
    }
    fn look_up(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        let answer = |(id, _): &(ItemId, bool)| {
            let name = name_of(id);
            self.note(format!("look {name}"));
            if self.silent.contains(&name) {
                return LookUp::Unknown;
            }
            let mut denied = self.denied.lock().unwrap();
            let left = denied.entry(name.clone()).or_default();
            if *left > 0 {
                *left -= 1;
                return LookUp::Gone;
            }
            match self.items.get(&name) {
                Some((parent, entry)) => {
                    LookUp::Found(RemoteItem { entry: entry.clone(), parent: Self::parent(parent) })
                }
                None => LookUp::Gone,
            }
        };
        Ok(items.iter().map(answer).collect())
    }
    fn create_folders(&self, _: &ItemId, names: &[&str]) -> Vec<Result<RemoteItem, RemoteError>> {
        names.iter().map(|_| Err(RemoteError::Stopped)).collect()
    }
    fn rename(&self, _: &ItemVersion, _: &str) -> Result<RemoteItem, RemoteError> {
        Err(RemoteError::Stopped)
    }
    fn move_into(&self, _: &ItemId, _: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Vec::new()
    }
    fn trash(&self, _: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Vec::new()
    }
    fn delete_trashed(&self, _: &[ItemVersion]) -> Vec<Result<(), RemoteError>> {
        Vec::new()
    }
    fn put_back(&self, _: &[ItemVersion]) -> Vec<Result<RemoteItem, RemoteError>> {
        Vec::new()
    }
    fn offers(&self, _: &[ItemId]) -> Vec<Result<Offer, RemoteError>> {
        Vec::new()
    }
    fn fetch(&self, _: &Offer, _: Option<u64>, _: u64, _: &mut dyn Sink) -> Result<Fetched, RemoteError> {
        Err(RemoteError::Stopped)
    }
    fn stage(
        &self,
        _: &Zone,
        _: &str,
        _: u64,
        _: &mut (dyn std::io::Read + Send),
    ) -> Result<Staged, RemoteError> {
        Err(RemoteError::Stopped)
    }
    fn commit(&self, _: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        Err(RemoteError::Stopped)
    }
}

const NOW: i64 = 1_700_000_000;

/// The base that agreed on all of `items`.
fn base(items: &[(&str, &str)]) -> BaseTree {
    let mut base = BaseTree::new(BaseEntry::root(ItemId::drive_root()));
    for (parent, name) in items {
        let folder = name.ends_with('/');
        let name = name.trim_end_matches('/');
        let parent = base.by_id(&id(parent)).unwrap();
        let entry = BaseEntry {
            folder,
            local_name: name.into(),
            remote_name: name.into(),
            etag: Etag::new("1::1"),
            remote_size: Some(1).into(),
            ..BaseEntry::root(id(name))
        };
        base.insert(parent, name, entry);
    }
    base
}

fn written(base: &mut BaseTree, name: &str, etag: &str) {
    let node = base.by_id(&id(name)).unwrap();
    base.update(node, |entry| {
        entry.written_at = Some(NOW - 10).into();
        entry.remote.etag = Etag::new(etag);
    });
}

fn scope(may_skip: &dyn Fn(&RelPath) -> bool) -> Scope<'_> {
    Scope {
        root: ItemId::drive_root(),
        root_is_library: false,
        app_libraries: Vec::new(),
        may_skip,
        now: NOW,
    }
}

fn observe(fake: &Fake, base: &BaseTree) -> RemoteView {
    observe_remote(fake, &Still::default(), base, &scope(&|_| false), None).unwrap()
}

fn paths(view: &RemoteView) -> Vec<String> {
    view.tree.walk(Node::ROOT).skip(1).map(|node| view.tree.path(node).as_str().to_owned()).collect()
}

const TREE: [(&str, &str); 5] = [("root", "a"), ("root", "d/"), ("d", "b"), ("d", "e/"), ("e", "c")];

#[test]
fn a_quiet_drive_is_read_once_and_nothing_is_asked() {
    let fake = Fake::new(&TREE);
    let view = observe(&fake, &base(&TREE));
    assert_eq!(paths(&view), ["a", "d", "d/b", "d/e", "d/e/c"]);
    assert!(view.complete && view.absent.is_empty());
    assert_eq!((fake.calls("list"), fake.calls("look")), (3, 0));
}

#[test]
fn a_second_look_reads_only_changed_folders_in_full() {
    let mut fake = Fake::new(&TREE);
    let first = observe(&fake, &base(&TREE));
    fake.items.get_mut("c").unwrap().1.etag = Etag::new("2::2");
    fake.calls.lock().unwrap().clear();
    let view =
        observe_remote(&fake, &Still::default(), &base(&TREE), &scope(&|_| false), Some(&first)).unwrap();
    assert_eq!(paths(&view), paths(&first));
    let changed = view.tree.get(view.tree.by_id(&id("c")).unwrap());
    assert_eq!((&changed.etag, changed.size.get()), (&Etag::new("2::2"), Some(1)));
    assert_eq!((fake.calls("list d"), fake.calls("list e"), fake.calls("brief d")), (0, 1, 1));
}

#[test]
fn what_became_of_missing_items_is_found_out() {
    let more = [("root", "t1"), ("root", "t2/"), ("t2", "in"), ("root", "purged"), ("root", "mute")];
    let items: Vec<_> = TREE.into_iter().chain(more).collect();
    let mut fake = Fake::new(&items);
    fake.trash_it("t1");
    fake.trash_it("t2");
    fake.items.remove("purged");
    fake.items.remove("mute");
    fake.silent.insert("mute".to_owned());
    let clock = Still::default();
    let view = observe_remote(&fake, &clock, &base(&items), &scope(&|_| false), None).unwrap();
    for (name, expected) in [
        ("t1", Absence::Trashed),
        ("t2", Absence::Trashed),
        ("in", Absence::Trashed),
        ("purged", Absence::Gone),
        ("mute", Absence::Unknown),
    ] {
        assert_eq!(view.absent.get(&id(name)), Some(&expected), "{name}");
    }
    assert_eq!(fake.calls("look purged"), 2);
    assert_eq!(fake.calls("look in"), 0, "its folder was listed in the trash");
    assert_eq!(*clock.0.lock().unwrap(), [SECOND_LOOK]);
}

#[test]
fn the_trash_is_listed_only_for_what_look_ups_leave_open() {
    let mut fake = Fake::new(&TREE);
    fake.trash_it("a");
    fake.trash_it("d");
    let view = observe(&fake, &base(&TREE));
    assert!(view.absent.values().all(|absence| *absence == Absence::Trashed), "{:?}", view.absent);
    assert_eq!(view.absent.len(), TREE.len());
    assert_eq!((fake.calls("list TRASH"), fake.calls("look")), (0, 2));

    let mut fake = Fake { silent: HashSet::from(["a".to_owned(), "d".to_owned()]), ..Fake::new(&TREE) };
    fake.trash_it("a");
    fake.trash_it("d");
    let view = observe(&fake, &base(&TREE));
    assert!(view.absent.values().all(|absence| *absence == Absence::Trashed), "{:?}", view.absent);
    assert_eq!(fake.calls("list TRASH"), 1);

    // A trash that cannot be listed leaves them open, and nothing is deleted for it.
    let busy = RemoteError::Busy { message: "slow".to_owned(), retry_after: None };
    fake.failing.insert("TRASH".to_owned(), busy);
    let view = observe(&fake, &base(&TREE));
    assert_eq!(view.absent.get(&id("a")), Some(&Absence::Unknown));
    assert_eq!(view.absent.get(&id("d")), Some(&Absence::Unknown));
}

#[test]
fn one_word_of_gone_proves_nothing() {
    let fake = Fake { hidden: HashSet::from(["a".to_owned()]), ..Fake::new(&TREE) };
    fake.denied.lock().unwrap().insert("a".to_owned(), 1);
    let view = observe(&fake, &base(&TREE));
    assert_eq!(paths(&view)[0], "a");
    assert!(view.absent.is_empty());
    assert!(!view.complete, "the root's listing lacked something");
}

#[test]
fn a_folder_that_listings_silently_lack_is_found_and_read() {
    let fake = Fake { hidden: HashSet::from(["d".to_owned()]), ..Fake::new(&TREE) };
    let view = observe(&fake, &base(&TREE));
    assert_eq!(paths(&view), ["a", "d", "d/b", "d/e", "d/e/c"]);
    assert_eq!(view.tree.get(Node::ROOT).state, FolderState::Incomplete);
}

#[test]
fn a_moved_item_is_not_lost_between_two_late_listings() {
    let mut fake = Fake::new(&TREE);
    fake.items.insert("n".to_owned(), ("root".to_owned(), entry("n", RemoteKind::Folder, "5")));
    fake.items.get_mut("c").unwrap().0 = "n".to_owned();
    fake.hidden.extend(["n".to_owned(), "c".to_owned()]);
    let view = observe(&fake, &base(&TREE));
    assert!(paths(&view).contains(&"n/c".to_owned()), "{:?}", paths(&view));
}

#[test]
fn an_item_outside_the_scope_is_told_from_a_deleted_one() {
    let items = [("root", "s/"), ("s", "x"), ("s", "y/"), ("y", "z"), ("root", "o/"), ("o", "p/")];
    let mut fake = Fake::new(&items);
    fake.items.get_mut("x").unwrap().0 = "p".to_owned();
    fake.items.get_mut("y").unwrap().0 = "root".to_owned();
    let mut base = BaseTree::new(BaseEntry::root(id("s")));
    for (parent, name) in [("s", "x"), ("s", "y"), ("y", "z")] {
        let parent = base.by_id(&id(parent)).unwrap();
        base.insert(parent, name, BaseEntry { local_name: name.into(), ..BaseEntry::root(id(name)) });
    }
    let skip = |_: &RelPath| false;
    let scope = Scope { root: id("s"), ..scope(&skip) };
    let view = observe_remote(&fake, &Still::default(), &base, &scope, None).unwrap();
    for name in ["x", "y", "z"] {
        assert_eq!(view.absent.get(&id(name)), Some(&Absence::OutOfScope), "{name}");
    }
}

#[test]
fn a_root_that_is_away_is_told_apart() {
    let items = [("root", "u/"), ("u", "s/"), ("s", "x")];
    let base = BaseTree::new(BaseEntry::root(id("s")));
    let skip = |_: &RelPath| false;
    let look = |fake: &Fake| {
        observe_remote(fake, &Still::default(), &base, &Scope { root: id("s"), ..scope(&skip) }, None)
    };
    let mut trashed_above = Fake::new(&items);
    trashed_above.trash_it("u");
    let mut gone = Fake::new(&items);
    gone.items.remove("s");
    for fake in [&trashed_above, &gone] {
        assert_eq!(look(fake).unwrap_err(), RemoteError::Gone);
    }
    let flap = Fake::new(&items);
    flap.denied.lock().unwrap().insert("s".to_owned(), 1);
    assert_eq!(paths(&look(&flap).unwrap()), ["x"]);
}

#[test]
fn short_and_failing_listings_delete_nothing() {
    let fake = Fake::new(&TREE);
    fake.short.lock().unwrap().insert("d".to_owned(), 1);
    let view = observe(&fake, &base(&TREE));
    assert!(view.complete, "the second listing added up");
    assert_eq!(fake.calls("list d"), 2);

    let busy = RemoteError::Busy { message: String::new(), retry_after: None };
    let fake = Fake { failing: HashMap::from([("d".to_owned(), busy)]), ..Fake::new(&TREE) };
    let view = observe(&fake, &base(&TREE));
    assert_eq!(paths(&view), ["a", "d"]);
    for name in ["b", "e", "c"] {
        assert_eq!(view.absent.get(&id(name)), Some(&Absence::Unknown));
    }
    assert_eq!(fake.calls("look"), 0);
    assert!(!view.complete);
    let away = RemoteError::Unreachable("x".to_owned());
    let fake = Fake { failing: HashMap::from([("e".to_owned(), away.clone())]), ..Fake::new(&TREE) };
    let ended = observe_remote(&fake, &Still::default(), &base(&TREE), &scope(&|_| false), None);
    assert_eq!(ended.unwrap_err(), away);
}

#[test]
fn own_writes_outlive_late_listings() {
    // Moved, edited and made by ourselves; the listings lag.
    let items = [("root", "d/"), ("root", "moved"), ("root", "edited"), ("root", "made"), ("root", "old")];
    let mut fake = Fake::new(&items);
    fake.items.get_mut("moved").unwrap().0 = "d".to_owned();
    fake.listed_late.insert("moved".to_owned(), ("root".to_owned(), "1::1".to_owned()));
    fake.items.get_mut("edited").unwrap().1.etag = Etag::new("2::2");
    fake.listed_late.insert("edited".to_owned(), ("root".to_owned(), "1::1".to_owned()));
    fake.hidden.insert("made".to_owned());
    let now = [("root", "d/"), ("d", "moved"), ("root", "edited"), ("root", "made"), ("root", "old")];
    let mut base = base(&now);
    written(&mut base, "moved", "1::1");
    written(&mut base, "edited", "2::2");
    written(&mut base, "made", "1::1");
    let view = observe(&fake, &base);
    assert_eq!(paths(&view), ["d", "d/moved", "edited", "made", "old"]);
    let edited = view.tree.by_id(&id("edited")).unwrap();
    assert_eq!(view.tree.get(edited).etag, Etag::new("2::2"));
    assert_eq!(fake.calls("look old"), 0);
    assert!(view.complete, "being late is no damage");
}

#[test]
fn what_we_trashed_is_not_new_while_listings_lag() {
    let items = [("root", "kept"), ("root", "d/"), ("d", "x")];
    let mut fake = Fake::new(&items);
    fake.trash_it("d");
    fake.listed_late.insert("d".to_owned(), ("root".to_owned(), "1::1".to_owned()));
    let view = observe(&fake, &base(&[("root", "kept")]));
    assert_eq!(paths(&view), ["kept"]);
    // A first run asks nothing: everything is new.
    let fake = Fake::new(&TREE);
    observe(&fake, &base(&[]));
    assert_eq!(fake.calls("look"), 0);
}

#[test]
fn skipped_folders_and_closed_libraries_stay_unread() {
    let mut fake = Fake::new(&TREE);
    let library = RemoteEntry {
        id: ItemId::new(Zone::new("iCloud.md.obsidian"), "documents"),
        name: "Obsidian".into(),
        ..entry("documents", RemoteKind::AppLibrary, "1")
    };
    fake.items.insert("documents".to_owned(), ("root".to_owned(), library));
    let skip = |path: &RelPath| path.as_str() == "d";
    let view = observe_remote(&fake, &Still::default(), &base(&[]), &scope(&skip), None).unwrap();
    assert_eq!(paths(&view), ["Obsidian", "a", "d"]);
    assert!(view.complete);
    for wanted in ["Obsidian", "iCloud.md.obsidian"] {
        fake.calls.lock().unwrap().clear();
        let open = Scope { app_libraries: vec![wanted.to_owned()], ..scope(&skip) };
        observe_remote(&fake, &Still::default(), &base(&[]), &open, None).unwrap();
        assert_eq!(fake.calls("list documents"), 1, "{wanted}");
    }
}

#[test]
fn items_seen_twice_or_in_a_circle_do_no_harm() {
    // While the walk goes on, `d` moves into its own subtree as far as listings tell.
    let mut fake = Fake::new(&TREE);
    fake.listed_late.insert("d".to_owned(), ("e".to_owned(), "1::1".to_owned()));
    let view = observe(&fake, &base(&TREE));
    assert_eq!(paths(&view), ["a", "d", "d/b", "d/e", "d/e/c"], "the look-up of d settles it");
    let mut nested = Fake::new(&TREE);
    nested.items.insert("root".to_owned(), ("e".to_owned(), nested.items["root"].1.clone()));
    assert_eq!(paths(&observe(&nested, &base(&TREE))).len(), 5);
}
