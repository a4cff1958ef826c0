use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::engine::ports::{DiskError, Displaced};

#[test]
fn the_old_version_lands_in_the_trash() {
    for drive in Drive::each_way() {
        drive.folder("f");
        let stamp = drive.write("f/a", "old");
        let ready = drive.ready("f/a", "new");
        let (entry, displaced) = drive.disk.replace(&ready, &path("f/a"), &stamp).unwrap();
        assert_eq!(displaced, Displaced::AsPlanned);
        assert_eq!((drive.text("f/a"), drive.trash()), ("new".into(), vec![("f/a".into(), "old".into())]));
        assert_eq!((entry.stamp, entry.signature.get()), (drive.stamp("f/a"), Some(signature_of("new"))));
        drive.disk.sync(&[], &[path("f")]).unwrap();
        assert_eq!(drive.tmp(), Vec::<String>::new());
    }
}

#[test]
fn another_file_than_planned_is_left_alone() {
    for drive in Drive::each_way() {
        let stamp = drive.write("a", "old");
        let ready = drive.ready("a", "new");
        drive.write("a", "edited");
        for _ in 0..2 {
            assert!(matches!(drive.disk.replace(&ready, &path("a"), &stamp), Err(DiskError::Changed { .. })));
        }
        assert_eq!((drive.text("a"), drive.trash()), ("edited".into(), vec![]));
        fs::remove_file(drive.full("a")).unwrap();
        assert!(matches!(drive.disk.replace(&ready, &path("a"), &stamp), Err(DiskError::Changed { .. })));
        drive.folder("a");
        assert!(matches!(drive.disk.replace(&ready, &path("a"), &stamp), Err(DiskError::Changed { .. })));
        fs::remove_dir(drive.full("a")).unwrap();
        drive.disk.place(&ready, &path("a")).unwrap();
        assert_eq!(drive.text("a"), "new");
    }
}

#[test]
fn mode_owner_attributes_and_acls_are_kept() {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
    for drive in Drive::each_way() {
        drive.write("a", "old");
        let file = fs::File::open(drive.full("a")).unwrap();
        let has_xattrs = fsetxattr(&file, "user.note", b"kept", XattrFlags::empty()).is_ok();
        // user::rw-, user:12345:rw-, group::r--, mask::rw-, other::---
        let mut acl = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in
            [(1u16, 6u16, u32::MAX), (2, 6, 12345), (4, 4, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)]
        {
            acl.extend(tag.to_le_bytes());
            acl.extend(permissions.to_le_bytes());
            acl.extend(id.to_le_bytes());
        }
        let has_acls = fsetxattr(&file, "system.posix_acl_access", &acl, XattrFlags::empty()).is_ok();
        if !has_xattrs || !has_acls {
            eprintln!("in part skipped: extended attributes: {has_xattrs}, ACLs: {has_acls}");
            fs::set_permissions(drive.full("a"), fs::Permissions::from_mode(0o751)).unwrap();
        }
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(drive.full("a"), Some(12345), Some(23456)).unwrap();
        }
        let before = fs::metadata(drive.full("a")).unwrap();
        let ready = drive.ready("a", "new");
        drive.disk.replace(&ready, &path("a"), &drive.stamp("a")).unwrap();
        let after = fs::metadata(drive.full("a")).unwrap();
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        let new = fs::File::open(drive.full("a")).unwrap();
        let mut value = [0u8; 256];
        if has_xattrs {
            let length = fgetxattr(&new, "user.note", &mut value[..]).unwrap();
            assert_eq!(&value[..length], b"kept");
        }
        if has_acls {
            let length = fgetxattr(&new, "system.posix_acl_access", &mut value[..]).unwrap();
            assert_eq!(&value[..length], acl);
        }
    }
}

#[test]
fn other_links_keep_the_old_content() {
    for drive in Drive::each_way() {
        drive.write("a", "old");
        fs::hard_link(drive.full("a"), drive.full("b")).unwrap();
        let ready = drive.ready("a", "new");
        drive.disk.replace(&ready, &path("a"), &drive.stamp("a")).unwrap();
        assert_eq!((drive.text("a"), drive.text("b")), ("new".into(), "old".into()));
    }
}

#[test]
fn a_displaced_version_that_was_edited_is_rescued() {
    let drive = Drive::new();
    drive.folder("f");
    drive.write("f/a", "edited in between");
    // What replace answers when somebody was quicker than the exchange: the version waits in a slot.
    let area = drive.disk.area_of(&path("f")).unwrap();
    let place = drive.disk.place_of(&path("f/a")).unwrap();
    let slot = drive
        .disk
        .put_in_trash(&area, &path("f/a"), |slot| {
            drive.disk.move_free((&place.folder, &place.name), (&slot.folder, &slot.name))
        })
        .unwrap();
    drive.write("f/taken", "");
    assert!(matches!(drive.disk.rescue(&slot.text, &path("f/taken")), Err(DiskError::Taken { .. })));
    drive.disk.rescue(&slot.text, &path("f/a (conflict)")).unwrap();
    assert_eq!(drive.text("f/a (conflict)"), "edited in between");
    assert_eq!(fs::read_dir(drive.full(".icloudds/trash")).unwrap().count(), 0, "empty slots go");
    assert!(drive.disk.rescue("//../../etc", &path("x")).is_err());
    assert!(drive.disk.rescue("nonsense", &path("x")).is_err());
}

#[test]
fn an_edit_that_races_with_replacements_is_never_lost() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for drive in Drive::each_way() {
        drive.write("a", "start");
        let stop = AtomicBool::new(false);
        // A failed assertion must end the other thread too.
        struct StopsAtEnd<'a>(&'a AtomicBool);
        impl Drop for StopsAtEnd<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (written, kept) = std::thread::scope(|scope| {
            let stopper = StopsAtEnd(&stop);
            let person = scope.spawn(|| {
                let mut written = 0;
                while !stop.load(Ordering::Relaxed) {
                    fs::write(drive.full("new-a"), format!("person {written}")).unwrap();
                    // As editors save: over whatever is there.
                    fs::rename(drive.full("new-a"), drive.full("a")).unwrap();
                    written += 1;
                }
                written
            });
            let mut kept = Vec::new();
            for round in 0..60 {
                let content = format!("remote {round}");
                let ready = drive.ready(&format!("a{round}"), &content);
                let Ok(Some(seen)) = drive.disk.look(&path("a")) else { continue };
                match drive.disk.replace(&ready, &path("a"), &seen.stamp) {
                    Ok((_, Displaced::Changed { slot })) => {
                        let to = format!("kept {round}");
                        drive.disk.rescue(&slot, &path(&to)).unwrap();
                        kept.push(to);
                    }
                    Ok((_, Displaced::AsPlanned)) => {}
                    Err(DiskError::Changed { .. }) => drive.disk.discard(&ready),
                    Err(other) => panic!("{other}"),
                }
            }
            drop(stopper);
            (person.join().unwrap(), kept)
        });
        assert!(written > 0);
        for copy in kept {
            assert!(drive.text(&copy).starts_with("person"), "only a person's version needs a rescue");
        }
        let last = format!("person {}", written - 1);
        let in_trash = drive.trash().into_iter().any(|(_, content)| content == last);
        let in_copies = fs::read_dir(drive.root())
            .unwrap()
            .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
            .any(|content| content == last);
        assert!(in_trash || in_copies, "{last}");
    }
}
