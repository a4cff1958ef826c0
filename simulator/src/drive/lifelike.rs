//! The small life-like drive of the demo.

use super::generate::SPRING_MS;
use super::model::content::Content;
use super::package::Member;
use super::person::{Person, PersonError};

/// Size of the one large file of the life-like drive, in bytes.
const LARGE_FILE_BYTES: u64 = 50 * 1024 * 1024;

impl Person<'_> {
    /// Fills the Drive with the small life-like tree of the demo.
    ///
    /// # Errors
    ///
    /// As [`Person::folder`].
    pub fn fill_lifelike(&self) -> Result<(), PersonError> {
        lifelike(self)
    }
}

/// Fills a drive with nested folders, names of several scripts, empty things, a large file and a package.
///
/// # Errors
///
/// When a rule of the moment refuses one of the names.
fn lifelike(person: &Person) -> Result<(), PersonError> {
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
