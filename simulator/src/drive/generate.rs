//! Generated drives: any number of items for scale tests.

use super::model::content::Content;
use super::model::replace::NewFile;
use super::model::{Actor, Ix, Model, ROOT};
use crate::fault::mix;

/// 1 March 2026, the content time of generated files, in milliseconds since 1970.
pub(super) const SPRING_MS: i64 = 1_772_323_200_000;

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
