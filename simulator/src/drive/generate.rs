//! Generated drives: a small life-like one for the demo, and any number of items for scale tests.

use super::model::content::Content;
use super::model::replace::NewFile;
use super::model::{Actor, Ix, Model, ROOT};
use super::package::Member;
use super::person::{Person, PersonError};
use crate::fault::mix;

/// Size of the one large file of the life-like drive, in bytes.
const LARGE_FILE_BYTES: u64 = 50 * 1024 * 1024;

/// 1 March 2026, the content time of generated files, in milliseconds since 1970.
const SPRING_MS: i64 = 1_772_323_200_000;

/// How a large generated drive looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Files and folders together.
    pub items: usize,
    /// Decides sizes, contents and names.
    pub seed: u64,
    /// Files in each folder.
    pub files_per_folder: usize,
    /// Folders in each folder.
    pub folders_per_folder: usize,
    /// No file is larger than this, in bytes.
    pub max_file_bytes: u64,
}

impl Scale {
    /// So many items in an ordinary shape: 20 files and 5 folders in each folder, files up to 16 KiB.
    pub fn of(items: usize, seed: u64) -> Self {
        Self { items, seed, files_per_folder: 20, folders_per_folder: 5, max_file_bytes: 16 * 1024 }
    }
}

/// Fills a drive with nested folders, names of several scripts, empty things, a large file and a package.
///
/// # Errors
///
/// When a rule of the moment refuses one of the names.
pub fn lifelike(person: &Person) -> Result<(), PersonError> {
    for folder in
        ["Empty folder", "Photos/2025/Summer", "Projects/icloudds/notes", "Desktop", "Documents/Tax"]
    {
        person.folder(folder)?;
    }
    let texts: [(&str, &str); 8] = [
        ("Welcome.txt", "This drive is simulated.\n"),
        ("Empty.txt", ""),
        ("Documents/Übersicht – Größe.md", "# Übersicht\n"),
        ("Documents/Tax/2025.csv", "month,amount\n1,100\n2,90\n"),
        ("Projects/icloudds/README", "no extension\n"),
        ("Projects/icloudds/notes/todo 🎉.txt", "celebrate\n"),
        ("Projects/icloudds/archive.tar.gz", "not really an archive"),
        ("Projects/ключ.txt", "ключ\n"),
    ];
    for (at, (path, text)) in texts.into_iter().enumerate() {
        person.write_at(path, text, SPRING_MS + 60_000 * at as i64)?;
    }
    for number in 1..=12_u64 {
        let content = Content::Generated { seed: number, len: 20_000 + number * 7_919 };
        person.write_at(&format!("Photos/2025/Summer/IMG_{number:04}.jpg"), content, SPRING_MS)?;
    }
    let large = Content::Generated { seed: 50, len: LARGE_FILE_BYTES };
    person.write_at("Photos/holiday film.mov", large, SPRING_MS)?;
    let members = vec![
        Member { path: "Index.xml".to_owned(), content: Content::from("<document/>") },
        Member { path: "Data/picture.png".to_owned(), content: Content::Generated { seed: 9, len: 4_000 } },
    ];
    person.package("Documents/Letter.pages", members)
}

/// Fills a drive with `scale.items` files and folders below its root. The journal leaves them out.
pub fn many(model: &mut Model, scale: &Scale) {
    model.set_filling(true);
    let mut folders: Vec<Ix> = vec![ROOT];
    let mut made = 0;
    let mut at = 0;
    // Folder after folder, in the order of their creation: its files first, then its folders.
    while made < scale.items {
        let parent = folders[at];
        for _ in 0..scale.files_per_folder.min(scale.items - made) {
            add_file(model, parent, scale, made as u64);
            made += 1;
        }
        // At least one folder while items are left, or the loop would have nowhere to go on.
        for _ in 0..scale.folders_per_folder.max(1).min(scale.items - made) {
            if let Ok(folder) = model.create_folder(parent, &format!("Folder {made}")) {
                folders.push(folder);
            }
            made += 1;
        }
        at += 1;
    }
    model.set_filling(false);
}

fn add_file(model: &mut Model, parent: Ix, scale: &Scale, number: u64) {
    let draw = mix(scale.seed ^ mix(number));
    let name = match draw % 8 {
        0 => format!("Größe {number}.txt"),
        1 => format!("Bild {number} 🌄.jpg"),
        2 => format!("notes-{number}"),
        _ => format!("File {number}.pdf"),
    };
    let content = Content::Generated { seed: draw, len: (draw >> 8) % (scale.max_file_bytes + 1) };
    let mtime_ms = SPRING_MS - ((draw >> 16) % 100_000_000) as i64 * 1000;
    let file = NewFile { name, content, mtime_ms, btime_ms: mtime_ms, executable: false };
    let doc = model.new_doc();
    // Every name has its own number, so only a switch that refuses such names could refuse one.
    let added = model.add_file(parent, doc, file, true, Actor::Person);
    debug_assert!(added.is_ok(), "a generated file was refused: {added:?}");
}
