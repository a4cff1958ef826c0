use super::*;
use crate::model::Etag;

fn id(doc: &str) -> ItemId {
    if doc == "root" { ItemId::drive_root() } else { ItemId::new(Zone::CloudDocs, doc) }
}

fn entry(doc: &str, folder: bool, state: FolderState) -> RemoteEntry {
    RemoteEntry {
        id: id(doc),
        kind: if folder { RemoteKind::Folder } else { RemoteKind::File },
        name: doc.into(),
        etag: Etag::new(if folder { "f1" } else { "s1::c1" }),
        size: (!folder).then_some(1).into(),
        mtime: None.into(),
        signature: None.into(),
        state,
    }
}

/// `A/x`, `A/In/y`, `B/z`, and `Closed`, which is not read.
fn tree() -> RemoteTree {
    let mut tree = RemoteTree::new(entry("root", true, FolderState::Complete));
    let a = tree.insert(Node::ROOT, "A", entry("A", true, FolderState::Complete));
    let b = tree.insert(Node::ROOT, "B", entry("B", true, FolderState::Complete));
    tree.insert(Node::ROOT, "Closed", entry("Closed", true, FolderState::Unread));
    let inside = tree.insert(a, "In", entry("In", true, FolderState::Complete));
    tree.insert(a, "x", entry("x", false, FolderState::Unread));
    tree.insert(inside, "y", entry("y", false, FolderState::Unread));
    tree.insert(b, "z", entry("z", false, FolderState::Unread));
    tree
}

/// `kind doc place tag`, and a name if one is told, where a place is `in:FOLDER`, `trash`, `deleted` or `-`.
fn record(text: &str) -> Record {
    let words: Vec<_> = text.split(' ').collect();
    let [kind, doc, place, tag] = words[..4] else { panic!("{text}") };
    let name = words.get(4).copied();
    Record {
        doc: doc.to_owned(),
        kind: match kind {
            "dir" => RecordKind::Folder,
            "file" => RecordKind::File,
            "content" => RecordKind::Content,
            _ => RecordKind::Other,
        },
        place: match place {
            "-" => RecordPlace::Untold,
            "trash" => RecordPlace::Trash,
            "deleted" => RecordPlace::Deleted,
            folder => RecordPlace::In(folder.strip_prefix("in:").expect(text).to_owned()),
        },
        tag: (tag != "-").then(|| tag.to_owned()),
        name: name.map(str::to_owned),
    }
}

fn found(records: &str) -> Option<Concerned> {
    let records = records.split(", ").map(record).collect();
    concerned(&Touched { zone: Zone::CloudDocs, records, spares_root: false }, &tree())
}

#[test]
fn records_lead_to_the_folders_where_something_is_or_was() {
    for (records, folders) in [
        // Contents, names and places.
        ("content x - c2", "A"),
        ("file x in:A s2", "A"),
        ("file x in:A -", "A"),
        ("file x in:B s2, content x - c1", "A B"),
        ("dir In in:B f2", "A B"),
        ("dir in in:b f2", "A B"),
        ("dir A in:ROOT f2", "root"),
        ("other x - -", "A"),
        // What is new, and what is new in it.
        ("file new in:A s1", "A"),
        ("dir N in:A f1, file new in:N s1, content new - c1", "A"),
        ("file new in:N s1, dir N in:A f1", "A"),
        // What goes.
        ("file x trash -", "A"),
        ("file x deleted -", "A"),
        ("dir In deleted -, file y deleted -", "A"),
        ("file new deleted -, file other trash -", ""),
        // What was seen already: our own writes.
        ("file x in:A s1, content x - c1", ""),
        ("dir In in:A f1", ""),
        ("file x in:B s1", "A B"),
        ("dir In in:A f2 In, file y in:In s1", ""),
        ("dir In in:A - In", ""),
        ("dir In in:A f2 Out", "A"),
        ("dir In in:B f2 In", "A B"),
        ("dir In - f2 In", "A"),
        ("file x in:A s2 x", "A"),
        // The latest word counts.
        ("file x in:B s2, file x in:A s3", "A"),
        ("file x in:A s2, file x in:A s2", "A"),
        // Nothing that is looked at.
        ("dir root - f9", ""),
        ("file new in:Closed s1", ""),
        ("other 17 - -", ""),
    ] {
        let concerned = found(records).unwrap_or_else(|| panic!("{records}"));
        let docs: Vec<_> = concerned.folders.iter().map(ItemId::doc).collect();
        let mut expected: Vec<_> = folders.split_whitespace().collect();
        expected.sort_by_key(|doc| id(doc));
        assert_eq!(docs, expected, "{records}");
        assert_eq!(concerned.strangers, [], "{records}");
    }
}

#[test]
fn what_is_not_understood_calls_for_a_whole_walk() {
    for records in [
        "file new in:Nowhere s1",
        "dir N in:Nowhere f1, file new in:N s1",
        "file x in:z s2",
        "dir root trash -",
        "file x in:A s2, content new in:Nowhere -",
    ] {
        assert_eq!(found(records), None, "{records}");
    }
    let many: Vec<_> = (0..=MOST_FOLDERS).map(|number| format!("file n{number} - s1")).collect();
    assert_eq!(found(&many.join(", ")), None);
}

#[test]
fn what_has_no_folder_and_was_never_seen_is_asked_for() {
    let concerned = found("file new - s1, content new - c1, dir N - f1").expect("understood");
    assert_eq!(concerned.strangers, [(id("N"), true), (id("new"), false)]);
}

#[test]
fn ids_that_differ_in_case_alone_are_told_apart_or_not_at_all() {
    let mut tree = tree();
    tree.insert(Node::ROOT, "twin", entry("X", false, FolderState::Unread));
    let ask = |doc: &str| {
        let records = vec![record(&format!("file {doc} - s2"))];
        concerned(&Touched { zone: Zone::CloudDocs, records, spares_root: false }, &tree)
            .map(|concerned| concerned.folders)
    };
    assert_eq!(ask("x"), Some(vec![id("A")]));
    assert_eq!(ask("X"), Some(vec![id("root")]));
    let mut tree = self::tree();
    tree.insert(Node::ROOT, "one", entry("Ab", false, FolderState::Unread));
    tree.insert(Node::ROOT, "other", entry("aB", false, FolderState::Unread));
    let records = vec![record("file AB - s2")];
    assert_eq!(concerned(&Touched { zone: Zone::CloudDocs, records, spares_root: false }, &tree), None);
}
