//! Names, kinds and sizes that are out of the ordinary.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use icloudds_simulator::drive::model::content::Content;
use icloudds_simulator::drive::package::Member;
use icloudds_simulator::switches::{NameTaken, Names, Shared};

use super::rig::Rig;

#[test]
fn umlauts_emoji_and_decomposed_names_cross_both_ways() {
    let rig = Rig::signed_in();
    rig.write("Größe/Übersicht – ключ.md", "composed here");
    rig.write("Bru\u{308}cke/cafe\u{301} 🎉.txt", "decomposed here");
    rig.there().write("日本語/ファイル.txt", "there").expect("a file");
    rig.there().write("👨‍👩‍👧/é.txt", "there").expect("a file");
    rig.once();
    assert_eq!(rig.read("日本語/ファイル.txt"), "there");
    assert!(rig.at("Bru\u{308}cke").is_dir(), "the name here is kept byte for byte");
    rig.assert_settled();
    rig.write("Größe/Übersicht – ключ.md", "edited");
    rig.there().write("Brücke/café 🎉.txt", "edited there").expect("an edit");
    rig.once();
    assert_eq!(rig.read("Bru\u{308}cke/cafe\u{301} 🎉.txt"), "edited there");
    rig.assert_settled();
}

#[test]
fn names_from_hell_cross_both_ways() {
    let names = [
        " leading",
        "trailing ",
        "trailing.",
        "...",
        "-rf",
        "~",
        "a:b",
        "a\\b",
        "a\nb",
        "tab\there",
        "quote\"'`",
        "%41",
        "%2F",
        "*?<>|",
        "$HOME",
        ".hidden",
        "..twodots",
        "CON",
        "nul.txt",
        "a.tar.gz",
        "no extension",
        ".a.b",
        "a..b",
        "\u{202e}rtl",
        "\u{feff}bom",
        "\u{7f}del",
        "x.",
        "#hash",
        "&amp;",
        "ẞ",
        "ﬁ ligature",
        "İ",
        "A\u{30a}",
    ];
    let rig = Rig::signed_in();
    for (number, name) in names.iter().enumerate() {
        rig.write(&format!("here/{name}"), number.to_string());
        rig.there().write(&format!("there/{name}"), number.to_string().as_str()).expect(name);
    }
    let longest = "l".repeat(251) + ".txt";
    rig.write(&format!("here/{longest}"), "long");
    rig.there().write(&format!("there/{longest}"), "long").expect("a long name");
    rig.once();
    assert_eq!(rig.here().len(), 2 * (names.len() + 2));
    rig.assert_settled();
}

#[test]
fn names_that_the_disk_cannot_hold_are_set_aside_and_nothing_escapes() {
    let rig = Rig::signed_in_with(|config| {
        config.switches.name_limit = icloudds_simulator::switches::NameLimit::None;
    });
    for name in [".", "..", &"ü".repeat(200)] {
        // The service's rules are not known; a name that it took is there.
        let _ = rig.there().write(&format!("folder/{name}"), "x");
    }
    rig.there().write("folder/fine.txt", "fine").expect("a file");
    let around = || fs::read_dir(rig.drive().parent().expect("above")).expect("readable").count();
    let before = around();
    let ran = rig.once_unfinished();
    assert!(ran.stderr.contains("set aside"), "{}", ran.stderr);
    assert_eq!(rig.read("folder/fine.txt"), "fine");
    assert_eq!(around(), before);
    rig.assert_unchanged(12);
}

#[test]
fn two_names_here_that_icloud_cannot_hold_apart() {
    let rig = Rig::signed_in();
    rig.write("café.txt", "composed");
    rig.write("cafe\u{301}.txt", "decomposed");
    rig.once_unfinished();
    assert_eq!(
        (rig.read("café.txt"), rig.read("cafe\u{301}.txt")),
        ("composed".to_owned(), "decomposed".to_owned())
    );
    assert_eq!(rig.on_icloud().len(), 1);
    rig.assert_quiet(12);
}

#[test]
fn links_sockets_and_names_that_are_no_text_are_left_alone() {
    let rig = Rig::signed_in();
    rig.write("real.txt", "r");
    std::os::unix::fs::symlink("/etc/passwd", rig.at("link")).expect("a link");
    std::os::unix::fs::symlink(rig.aside(), rig.at("folder link")).expect("a link");
    fs::write(rig.aside().join("outside.txt"), "o").expect("a file");
    let _socket = std::os::unix::net::UnixListener::bind(rig.at("socket")).expect("a socket");
    rustix::fs::mknodat(rustix::fs::CWD, rig.at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .expect("a FIFO");
    fs::write(rig.drive().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "latin").expect("a file");
    let ran = rig.run(&["once"]);
    assert_eq!(rig.on_icloud().into_keys().collect::<Vec<_>>(), ["real.txt"]);
    for name in ["link", "folder link", "socket", "fifo"] {
        assert!(ran.stderr.contains(name), "{name} is not reported: {}", ran.stderr);
    }
    // What is skipped by rule does not keep the drive from being in sync.
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    rig.assert_quiet(0);
    // The name stays held against the other side.
    rig.there().write("link", "a file of that name").expect("a file");
    rig.once_unfinished();
    assert!(fs::symlink_metadata(rig.at("link")).expect("the link").is_symlink());
    assert_eq!(rig.read_there("link"), "a file of that name");
}

fn members(text: &str) -> Vec<Member> {
    vec![
        Member { path: "Index.xml".to_owned(), content: Content::from(text) },
        Member { path: "Data/picture.png".to_owned(), content: Content::Generated { seed: 9, len: 4_000 } },
    ]
}

#[test]
fn a_package_is_one_opaque_file() {
    let rig = Rig::signed_in();
    rig.there().package("Docs/Letter.pages", members("one")).expect("a package");
    rig.once();
    let first = fs::read(rig.at("Docs/Letter.pages")).expect("an archive");
    assert!(first.starts_with(b"PK"), "not an archive");
    rig.assert_settled();
    rig.there().package("Docs/Letter.pages", members("two")).expect("an edit");
    rig.once();
    assert_ne!(fs::read(rig.at("Docs/Letter.pages")).expect("an archive"), first);
    rig.assert_settled();
}

#[test]
fn a_local_edit_of_a_package_stays_beside_it() {
    let rig = Rig::signed_in();
    rig.there().package("Letter.pages", members("one")).expect("a package");
    rig.once();
    rig.write("Letter.pages", "edited here");
    rig.run(&["once"]);
    let copies: Vec<_> = rig.here().into_keys().filter(|path| path.contains("(conflict ")).collect();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(rig.read(&copies[0]), "edited here");
    assert!(fs::read(rig.at("Letter.pages")).expect("an archive").starts_with(b"PK"));
    assert_eq!(rig.on_icloud().len(), 1, "the copy stays local");
    let exit = rig.run(&["once"]).exit;
    rig.assert_quiet(exit);
}

#[test]
fn a_package_moves_like_a_file() {
    let rig = Rig::signed_in();
    rig.there().package("Letter.pages", members("one")).expect("a package");
    rig.once();
    let id = rig.id("Letter.pages");
    rig.mkdir("old");
    rig.mv("Letter.pages", "old/Letter.pages");
    rig.once();
    assert_eq!(rig.id("old/Letter.pages"), id);
    rig.assert_settled();
    rig.rm("old/Letter.pages");
    rig.once();
    assert_eq!(rig.trash_there(), ["old/Letter.pages"]);
    rig.assert_settled();
}

#[test]
fn packages_can_be_skipped() {
    let mut rig = Rig::signed_in();
    rig.set_text("sync.packages", "skip");
    rig.there().package("Letter.pages", members("one")).expect("a package");
    rig.there().write("a.txt", "a").expect("a file");
    rig.once();
    assert_eq!(rig.here().into_keys().collect::<Vec<_>>(), ["a.txt"]);
    // That it is a package is told by a look-up only, one for each start of the program.
    rig.assert_unchanged(0);
    // Its name is held: the file here must not replace it.
    rig.write("Letter.pages", "mine");
    rig.once_unfinished();
    assert_eq!(rig.read("Letter.pages"), "mine");
    rig.assert_unchanged(12);
}

#[test]
fn what_is_shared_to_the_account_is_skipped_and_its_end_deletes_nothing() {
    let rig = Rig::signed_in_with(|config| config.switches.shared = Shared::Listed);
    rig.there().shared_folder("Theirs");
    rig.there().write("mine.txt", "m").expect("a file");
    let ran = rig.once();
    assert!(ran.stderr.contains("Theirs"), "{}", ran.stderr);
    assert_eq!(rig.here().into_keys().collect::<Vec<_>>(), ["mine.txt"]);
    rig.assert_quiet(0);
    rig.sim.switches(|switches| switches.shared = Shared::None);
    rig.assert_quiet(0);
}

#[test]
fn names_that_differ_in_case_only_are_set_aside_at_once_and_by_name() {
    for taken in NameTaken::ALL {
        let rig = Rig::signed_in_with(|config| {
            config.switches.names = Names::CaseInsensitive;
            config.switches.name_taken = *taken;
        });
        rig.there().write("Note.md", "there").expect("a file");
        rig.there().folder("Folder").expect("a folder");
        rig.once();
        rig.write("note.md", "here");
        rig.write("folder/inside.txt", "i");
        rig.write("good.txt", "g");
        let began = std::time::Instant::now();
        let ran = rig.once_unfinished();
        assert!(began.elapsed() < std::time::Duration::from_secs(15), "{taken:?}: {}", ran.stderr);
        for other in ["Note.md", "Folder"] {
            let reason = format!("`{other}` has this name on iCloud, which takes no difference in case");
            assert!(ran.stderr.contains(&reason), "{taken:?}: {}", ran.stderr);
        }
        assert_eq!(rig.on_icloud().into_keys().collect::<Vec<_>>(), ["Folder", "Note.md", "good.txt"]);
        assert_eq!((rig.read("note.md"), rig.read("Note.md")), ("here".to_owned(), "there".to_owned()));
        assert!(rig.sim.count("commit") <= 5, "{taken:?}: {} commits", rig.sim.count("commit"));
    }
}
