//! Editors that rename the version that they replace, and write a new file at its path (`docs/sync.md` §3, rule 2).

use std::collections::HashMap;

use super::{Finder, is_kind};
use crate::model::Node;
use crate::model::name::{Name, key, split_extension};

/// What programs append to a name, or put in the place of its extension, perhaps with a number.
const WORDS: [&str; 9] = ["bak", "bck", "bkp", "backup", "old", "orig", "prev", "sav", "save"];
/// What stands between a name and such a word.
const SEPARATORS: [char; 3] = ['.', '-', '_'];
/// Before the name in that of a backup.
const BEGINNINGS: [&str; 2] = ["backup of ", "backup_of_"];
/// The extensions of such backups, instead of the document's.
const OTHER_EXTENSIONS: [&str; 2] = ["wbk", "xlk"];
/// Extensions to which a program appends the number of the backup.
const NUMBERED: [&str; 2] = [".blend", ".fcstd"];

/// Whether a file called `backup` can be what an editor made of the one called `name` before it wrote a new one. Names are compared as one side
/// that cannot tell case or normalisation apart would.
pub fn is_backup_of(backup: &str, name: &str) -> bool {
    let (backup, name) = (key(backup, true), key(name, true));
    let is_named_so = || is_temporary(&backup) || begins(&backup, &name) || continues(&backup, &name);
    backup != name && (is_named_so() || replaces_extension(&backup, &name))
}

/// What an editor calls the original while it puts a new version in its place, whatever it was called: `~WRL0001.tmp`, `1A2B3C4D.tmp`.
fn is_temporary(backup: &str) -> bool {
    backup.ends_with(".tmp")
}

/// `a~`, `a.~1~`, `a~1~`, `a.bak`, `a-bak`, `a.orig2`, `a.blend1`, `a.sb-1a2b3c4d-AbCdEf`.
fn continues(backup: &Name, name: &Name) -> bool {
    let Some(rest) = backup.strip_prefix(&**name) else { return false };
    let is_numbered = NUMBERED.iter().any(|extension| name.ends_with(extension)) && is_number(rest);
    rest == "~" || is_numbered_tilde(rest) || is_word(rest, &SEPARATORS) || is_numbered || is_safe_save(rest)
}

/// `Backup of a.doc`, `Backup of a.wbk`.
fn begins(backup: &str, name: &str) -> bool {
    let (stem, _) = split_extension(name);
    let is_it = |rest: &str| match split_extension(rest) {
        (begin, Some(extension)) if OTHER_EXTENSIONS.contains(&extension) => [stem, name].contains(&begin),
        _ => rest == name,
    };
    BEGINNINGS.iter().any(|beginning| backup.strip_prefix(beginning).is_some_and(is_it))
}

/// Of `a.txt`: `a.bak`, `a.bak.txt`, `a~.txt`.
fn replaces_extension(backup: &str, name: &str) -> bool {
    let (stem, Some(extension)) = split_extension(name) else { return false };
    let Some(rest) = backup.strip_prefix(stem) else { return false };
    let before = rest.strip_suffix(extension).and_then(|rest| rest.strip_suffix('.'));
    is_word(rest, &['.']) || before.is_some_and(|rest| rest == "~" || is_word(rest, &['.']))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `.~1~`, `~1~`.
fn is_numbered_tilde(rest: &str) -> bool {
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    rest.strip_prefix('~').and_then(|rest| rest.strip_suffix('~')).is_some_and(is_number)
}

/// A separator, one of the words, and perhaps a number.
fn is_word(rest: &str, separators: &[char]) -> bool {
    let Some(rest) = rest.strip_prefix(separators) else { return false };
    WORDS.contains(&rest.trim_end_matches(|digit: char| digit.is_ascii_digit()))
}

/// `.sb-1a2b3c4d-AbCdEf`, as macOS names the original on a file server.
fn is_safe_save(rest: &str) -> bool {
    let parts = rest.strip_prefix(".sb-").and_then(|rest| rest.split_once('-'));
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    parts.is_some_and(|(first, second)| is_plain(first) && is_plain(second))
}

impl Finder<'_> {
    /// What was written at the path of a file that one of the `candidates` is, under the name of a backup in the same folder. `sought` are
    /// items, by inode number, of which one may be what stands at the path: then that was moved there.
    pub(super) fn written_beside_backup<'a>(
        &self,
        item: Node,
        mut candidates: impl Iterator<Item = Node>,
        sought: impl FnOnce() -> &'a mut HashMap<u64, Vec<Node>>,
    ) -> Option<Node> {
        let entry = self.base.get(item);
        let at = self.at[self.base.parent(item)?].filter(|_| !entry.folder)?;
        if !candidates.any(|node| self.is_backup(item, node)) {
            return None;
        }
        let written = self.written_at_path_of(item, at)?;
        let others = sought().get(&self.local.get(written).stamp.identity.inode).into_iter().flatten();
        let is_known =
            |other: Node| other != item && self.is_sought(other) && self.is_same_item(other, written);
        (!others.copied().any(is_known)).then_some(written)
    }

    /// Whether `node` is the file that `item` was, in the same folder under the name of a backup.
    pub(super) fn is_backup(&self, item: Node, node: Node) -> bool {
        let at = self.base.parent(item).and_then(|folder| self.at[folder]);
        at.is_some()
            && self.local.parent(node) == at
            && self.is_same_item(item, node)
            && is_backup_of(self.local.name(node), &self.base.get(item).local_name)
    }

    /// The file, of no item as yet, at the path of `item` in the folder `at`; or where none stands there, the only one whose name differs in case
    /// or normalisation alone and is no other item's.
    fn written_at_path_of(&self, item: Node, at: Node) -> Option<Node> {
        let entry = self.base.get(item);
        let is_free = |node: &Node| self.of_local[*node].is_none() && is_kind(entry, self.local.get(*node));
        if let Some(node) = self.local.child(at, &entry.local_name) {
            return Some(node).filter(is_free);
        }
        let wanted = key(&entry.local_name, true);
        let is_named_so = |node: &Node| key(self.local.name(*node), true) == wanted;
        let mut alike = self.local.children(at).iter().copied().filter(is_named_so);
        let node = alike.next().filter(is_free)?;
        let others = self.base.parent(item).map(|folder| self.base.children(folder)).unwrap_or_default();
        let is_others =
            others.iter().any(|other| *self.base.get(*other).local_name == *self.local.name(node));
        (alike.next().is_none() && !is_others).then_some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_told_by_its_name() {
        // The item, names of its backups, names of other files.
        let rows: [(&str, &[&str], &[&str]); 9] = [
            (
                "a",
                &[
                    "a~", "A~", "a.~1~", "a.~12~", "a~3~", "a.bak", "a.BAK", "a-bak", "a_old", "a.orig",
                    "a.old2",
                ],
                &[
                    "a", "A", "b~", "aa~", "a~~", "~a", ".a~", "a.", "a.~~", "a.~x~", "a.~1", "a1", "abak",
                    "a.1",
                ],
            ),
            (
                "a.txt",
                &["a.txt~", "a.txt.bak", "a.bak", "a.BAK1", "a.bak.txt", "a~.txt", "A.TXT.OLD", "a.txt.save"],
                &[
                    "a.doc",
                    "a-bak",
                    "a_old.txt",
                    "a.txt2",
                    "a.bak.doc",
                    "a~.doc",
                    "a.baker",
                    "b.bak",
                    "a..bak",
                ],
            ),
            (
                "a.doc",
                &[
                    "Backup of a.wbk",
                    "Backup of a.doc.wbk",
                    "backup of a.doc",
                    "~WRL0001.tmp",
                    "1A2B3C4D.TMP",
                ],
                &["Backup of a.docx", "Backup of a", "Backup a.doc", "Backup of b.wbk", "tmp", "a.tmp.doc"],
            ),
            ("a.cdr", &["Backup_of_a.cdr"], &["Backup_of_b.cdr"]),
            ("a.blend", &["a.blend1", "a.blend32"], &["a.blend", "a.blendx", "a.blend1x", "a1.blend"]),
            (
                "a.rtf",
                &["a.rtf.sb-1a2b3c4d-AbCdEf"],
                &["a.rtf.sb-", "a.rtf.sb-1-", "a.rtf.sb-1", "a.rtf.sb-1-2-3"],
            ),
            ("M\u{fc}ll", &["Mu\u{308}ll~", "M\u{dc}LL.old"], &["Mull~"]),
            (".emacs", &[".emacs~", ".emacs.bak"], &["emacs~", ".bak"]),
            ("x.tmp", &["y.tmp", "x.tmp~"], &["x.tmp", "X.TMP"]),
        ];
        for (name, backups, others) in rows {
            for backup in backups {
                assert!(is_backup_of(backup, name), "{backup} of {name}");
            }
            for other in others {
                assert!(!is_backup_of(other, name), "{other} of {name}");
            }
        }
    }
}
