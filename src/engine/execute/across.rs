//! What came along when a folder was copied to another file system: every item has another identity there.

use std::collections::BTreeMap;

use crate::engine::ports::{Disk, DiskError};
use crate::model::{LocalEntry, LocalKind, RelPath};

use super::done::Crossed;
use super::known::moved;
use super::standing::is_copy;

/// All that stands below a folder; nothing does below a file.
///
/// # Errors
///
/// Where one of the folders cannot be read: what is in it would be taken for gone, or for new.
pub(super) fn all_below(disk: &dyn Disk, top: &RelPath) -> Result<BTreeMap<RelPath, LocalEntry>, DiskError> {
    let mut found = BTreeMap::new();
    let is_folder = disk.look(top)?.is_some_and(|entry| entry.kind == LocalKind::Folder);
    let mut open: Vec<_> = is_folder.then(|| top.clone()).into_iter().collect();
    while let Some(folder) = open.pop() {
        let reading = disk.read_folder(&folder)?;
        for (name, entry) in reading.entries {
            let Ok(path) = folder.join(&name) else { continue };
            if entry.kind == LocalKind::Folder && !entry.stamp.is_mount {
                open.push(path.clone());
            }
            found.insert(path, entry);
        }
    }
    Ok(found)
}

/// What came along when `from` became `to`: what stands at the same place within it, as it stood there before.
pub(super) fn crossed(
    before: &BTreeMap<RelPath, LocalEntry>,
    now: &BTreeMap<RelPath, LocalEntry>,
    (from, to): (&RelPath, &RelPath),
) -> Vec<Crossed> {
    let came = before.iter().filter_map(|(path, was)| {
        let to = moved(path, from, to);
        let after = now.get(&to).filter(|after| is_copy(was.kind, &was.stamp, after))?;
        Some(Crossed { to, before: was.stamp, after: after.stamp, is_doubtful: false })
    });
    came.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{local_entry, path, stamp};
    use super::*;

    #[test]
    fn what_stands_at_the_same_place_within_the_copy_came_along_if_it_is_as_it_was() {
        let file = |inode, ctime| local_entry(LocalKind::File, stamp(inode, ctime));
        let folder = |inode, ctime| local_entry(LocalKind::Folder, stamp(inode, ctime));
        let larger = |mut entry: LocalEntry| {
            entry.stamp.size += 1;
            entry
        };
        let tree = |items: Vec<(&str, LocalEntry)>| -> BTreeMap<_, _> {
            items.into_iter().map(|(at, entry)| (path(at), entry)).collect()
        };
        let before = tree(vec![
            ("f/d", folder(1, 1)),
            ("f/d/a", file(2, 1)),
            ("f/edited", file(3, 1)),
            ("f/gone", file(4, 1)),
            ("f/other", folder(5, 1)),
        ]);
        let now = tree(vec![
            ("v/g/d", folder(11, 2)),
            ("v/g/d/a", file(12, 1)),
            ("v/g/edited", larger(file(13, 2))),
            ("v/g/new", file(14, 2)),
            ("v/g/other", file(15, 2)),
        ]);
        let came = crossed(&before, &now, (&path("f"), &path("v/g")));
        let told: Vec<_> = came.iter().map(|came| (came.to.as_str(), came.after.identity.inode)).collect();
        assert_eq!(told, [("v/g/d", 11), ("v/g/d/a", 12)]);
    }
}
