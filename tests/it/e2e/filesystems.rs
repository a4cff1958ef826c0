//! File systems whose inode numbers, names or moves are not those of an ordinary disk. What this machine cannot mount is
//! said by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::rig::{Rig, not_tried, shown};

/// A mounted file system, taken off at the end.
struct Mounted {
    at: PathBuf,
    command: Vec<String>,
}

impl Mounted {
    /// Mounts by that command; `None` where this machine cannot.
    fn by(at: &Path, command: &[&str]) -> Option<Self> {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let mounted = Self { at: at.to_owned(), command };
        mounted.mount().then_some(mounted)
    }

    fn mount(&self) -> bool {
        let before = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let output = Command::new(&self.command[0]).args(&self.command[1..]).output();
        let after = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let done = matches!(&output, Ok(output) if output.status.success()) && before != after;
        if !done {
            not_tried(format_args!("mounting by {:?}: {output:?}", self.command));
        }
        done
    }

    fn unmount(&self) -> bool {
        Command::new("umount").arg(&self.at).status().is_ok_and(|status| status.success())
    }

    /// As after a restart of the machine.
    fn again(&self) {
        assert!(self.unmount() && self.mount(), "it can be mounted again");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// A file of that size with a file system of that kind.
fn image(rig: &Rig, make: &[&str]) -> Option<PathBuf> {
    let path = rig.aside().join("image");
    fs::File::create(&path).and_then(|file| file.set_len(48 << 20)).expect("an image");
    let made = Command::new(make[0]).args(&make[1..]).arg(&path).output();
    match made {
        Ok(output) if output.status.success() => Some(path),
        other => {
            not_tried(format_args!("making a file system by {make:?}: {other:?}"));
            None
        }
    }
}

fn assert_no_conflict(rig: &Rig, kind: &str) {
    let there = rig.on_icloud().into_keys();
    let copies: Vec<_> =
        rig.here().into_keys().chain(there).filter(|path| path.contains("conflict")).collect();
    assert!(copies.is_empty(), "{kind}: nobody edited twice, and there is {copies:?}");
}

/// Changes of every kind from both sides, a new mount in between, and never a conflict.
fn story(kind: &str, rig: &Rig, mounted: &Mounted) {
    eprintln!("{kind}");
    let there = rig.there();
    for path in ["d/edit.txt", "d/move.txt", "gone.txt", "folder/in.txt", "folder/deep/x.txt", "target/t.txt"]
    {
        there.write(path, path).expect("a file");
    }
    rig.write("mine.txt", "mine");
    rig.write("mine too.txt", "mine too");
    rig.once();
    rig.assert_settled();
    for round in 0..2 {
        let text = format!("edited there {round}");
        there.write("d/edit.txt", text.as_str()).expect("an edit");
        rig.write("mine.txt", format!("edited here {round}"));
        rig.once();
        assert_eq!(rig.read("d/edit.txt"), text, "{kind}");
        assert_eq!(rig.read_there("mine.txt"), format!("edited here {round}"), "{kind}");
        assert_no_conflict(rig, kind);
        rig.assert_settled();
        mounted.again();
        rig.assert_settled();
    }
    there.move_to("d/move.txt", "target").expect("a move");
    there.rename("folder", "renamed").expect("a rename");
    there.trash("gone.txt").expect("a deletion");
    rig.once();
    assert_eq!(rig.read("target/move.txt"), "d/move.txt", "{kind}");
    assert_eq!(rig.read("renamed/deep/x.txt"), "folder/deep/x.txt", "{kind}");
    assert!(!rig.at("gone.txt").exists() && !rig.at("folder").exists(), "{kind}");
    rig.assert_settled();
    let ids = [rig.id("mine too.txt"), rig.id("renamed"), rig.id("renamed/in.txt")];
    mounted.again();
    rig.mv("mine too.txt", "target/mine too.txt");
    rig.mv("renamed", "target/renamed");
    rig.once();
    let now = [rig.id("target/mine too.txt"), rig.id("target/renamed"), rig.id("target/renamed/in.txt")];
    assert_eq!(now, ids, "{kind}: moves here are moves there");
    rig.rm("d/edit.txt");
    rig.once();
    assert!(there.entry("d/edit.txt").is_none(), "{kind}");
    assert_no_conflict(rig, kind);
    rig.assert_settled();
}

#[test]
fn pools_of_disks() {
    for options in ["cache.files=off", "use_ino,cache.files=off", "cache.files=off,category.create=epmfs"] {
        let rig = Rig::signed_in();
        let branches = ["one", "two"].map(|name| rig.aside().join(name));
        for branch in &branches {
            fs::create_dir(branch).expect("a branch");
        }
        let joined = format!("{}:{}", shown(&branches[0]), shown(&branches[1]));
        let command = ["mergerfs", "-o", options, joined.as_str(), &shown(&rig.drive())];
        let Some(mounted) = Mounted::by(&rig.drive(), &command) else { return };
        story(&format!("mergerfs -o {options}"), &rig, &mounted);
    }
}

#[test]
fn a_folder_by_way_of_another_program() {
    let rig = Rig::signed_in();
    let (behind, drive) = (shown(&rig.aside()), shown(&rig.drive()));
    let Some(mounted) = Mounted::by(&rig.drive(), &["bindfs", &behind, &drive]) else { return };
    story("bindfs", &rig, &mounted);
}

/// With the server's half as sshd starts it, without sshd.
#[test]
fn a_folder_on_another_machine_over_ssh() {
    let server = "/usr/lib/openssh/sftp-server";
    if !Path::new(server).exists() {
        not_tried(format_args!("sshfs: there is no {server}"));
        return;
    }
    for options in ["reconnect", "workaround=rename", "dir_cache=no,attr_timeout=0", "noforget"] {
        let rig = Rig::signed_in();
        let start = rig.aside().join("ssh");
        fs::write(&start, format!("#!/bin/sh\nexec {server}\n")).expect("a script");
        fs::set_permissions(&start, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
        let behind = rig.aside().join("behind");
        fs::create_dir(&behind).expect("a folder");
        let all = format!("ssh_command={},{options}", shown(&start));
        let from = format!("elsewhere:{}", shown(&behind));
        let command = ["sshfs", "-o", all.as_str(), from.as_str(), &shown(&rig.drive())];
        let Some(mounted) = Mounted::by(&rig.drive(), &command) else { return };
        story(&format!("sshfs -o {options}"), &rig, &mounted);
    }
}

#[test]
fn disks_of_other_systems() {
    let kinds: [(&[&str], &[&str]); 3] = [
        (&["mkfs.ntfs", "-F", "-Q"], &["ntfs-3g"]),
        (&["mkfs.exfat"], &["mount", "-t", "exfat-fuse", "-o", "loop"]),
        (&["mkfs.vfat"], &["mount", "-t", "vfat", "-o", "loop,utf8,iocharset=utf8"]),
    ];
    for (make, mount) in kinds {
        let rig = Rig::signed_in();
        let Some(image) = image(&rig, make) else { continue };
        let (image, drive) = (shown(&image), shown(&rig.drive()));
        let command: Vec<&str> = mount.iter().copied().chain([image.as_str(), drive.as_str()]).collect();
        let Some(mounted) = Mounted::by(&rig.drive(), &command) else { continue };
        story(&mount.join(" "), &rig, &mounted);
        if mount.contains(&"exfat-fuse") {
            names_of_other_systems("exfat", &rig, "");
        }
    }
}

/// What such a disk cannot hold is set aside, fetched no more, and keeps nothing else waiting; a change of case alone is carried out.
fn names_of_other_systems(kind: &str, rig: &Rig, folder: &str) {
    let there = rig.there();
    for name in ["Notes: 2026.txt", "plain.txt", "case/in.txt"] {
        there.write(&format!("{folder}{name}"), name).expect("a file");
    }
    rig.once_unfinished();
    let run = rig.once_unfinished();
    assert!(run.stderr.contains("set_aside=1"), "{kind}: {}", run.stderr);
    assert_eq!(rig.read(&format!("{folder}plain.txt")), "plain.txt", "{kind}");
    assert_eq!(set_aside(rig).len(), 1, "{kind}");
    there.trash(&format!("{folder}Notes: 2026.txt")).expect("a deletion");
    there.rename(&format!("{folder}plain.txt"), "Plain.txt").expect("a rename");
    there.rename(&format!("{folder}case"), "CASE").expect("a rename");
    rig.write(&format!("{folder}case/new.txt"), "new here");
    rig.once();
    let names: Vec<_> = rig.here().into_keys().filter(|path| path.starts_with(folder)).collect();
    let has = |name: &str| names.contains(&format!("{folder}{name}"));
    assert!(has("Plain.txt") && has("CASE/in.txt") && has("CASE/new.txt"), "{kind}: {names:?}");
    rig.assert_settled();
}

/// Why each item is set aside that is, as `status` says.
fn set_aside(rig: &Rig) -> Vec<String> {
    let shown = rig.run(&["status", "--json"]).expect(0).stdout;
    let status: icloudds::status::StatusDocument = serde_json::from_str(&shown).expect("a document");
    status.set_aside.into_iter().map(|item| item.reason).collect()
}

/// Whether names that differ in case are one is tried out for the folder that is synced; a volume in it may be another kind.
#[test]
fn a_disk_of_another_system_within_the_folder() {
    let rig = Rig::signed_in();
    let Some(image) = image(&rig, &["mkfs.exfat"]) else { return };
    fs::create_dir(rig.at("usb")).expect("a mount point");
    let (image, usb) = (shown(&image), shown(&rig.at("usb")));
    let command = ["mount", "-t", "exfat-fuse", "-o", "loop", image.as_str(), usb.as_str()];
    let Some(_mounted) = Mounted::by(&rig.at("usb"), &command) else { return };
    rig.write("usb/Report.txt", "one");
    rig.once();
    names_of_other_systems("exfat within ext4", &rig, "usb/");
    // Two names that only the volume cannot hold apart.
    rig.there().write("usb/report.txt", "another").expect("a file");
    rig.once_unfinished();
    let reasons = set_aside(&rig);
    assert!(reasons.len() == 1 && reasons[0].contains("name"), "{reasons:?}");
    assert_eq!(rig.read("usb/Report.txt"), "one");
}

#[test]
fn layers_over_an_older_tree() {
    let rig = Rig::signed_in();
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| rig.aside().join(name));
    for folder in [&lower, &upper, &work] {
        fs::create_dir(folder).expect("a layer");
    }
    fs::create_dir(lower.join("old")).expect("a folder");
    for name in ["old/a.txt", "old/b.txt", "c.txt"] {
        fs::write(lower.join(name), name).expect("a file");
    }
    let layers = format!("lowerdir={},upperdir={},workdir={}", shown(&lower), shown(&upper), shown(&work));
    let command = ["mount", "-t", "overlay", "overlay", "-o", layers.as_str(), &shown(&rig.drive())];
    let Some(mounted) = Mounted::by(&rig.drive(), &command) else { return };
    rig.once();
    rig.assert_settled();
    rig.there().write("old/a.txt", "edited there").expect("an edit");
    rig.there().rename("old/b.txt", "renamed.txt").expect("a rename");
    rig.there().trash("c.txt").expect("a deletion");
    rig.once();
    assert_eq!(
        (rig.read("old/a.txt"), rig.read("old/renamed.txt")),
        ("edited there".into(), "old/b.txt".into())
    );
    assert!(!rig.at("c.txt").exists());
    assert_no_conflict(&rig, "overlay");
    rig.assert_settled();
    mounted.again();
    rig.assert_settled();
}

/// Room for about twenty of sixty files.
#[test]
fn on_a_small_disk_what_fits_is_finished_and_the_rest_leaves_nothing() {
    let rig = Rig::signed_in();
    let drive = shown(&rig.drive());
    let command = ["mount", "-t", "tmpfs", "-o", "size=20m", "icloudds-test", drive.as_str()];
    let Some(_mounted) = Mounted::by(&rig.drive(), &command) else { return };
    for number in 0..60 {
        let content =
            icloudds_simulator::drive::model::content::Content::Generated { seed: number, len: 1 << 20 };
        rig.there().write(&format!("photos/{number:02}.jpg"), content).expect("a file");
    }
    let ran = rig.once_unfinished();
    assert!(ran.stderr.contains("no space left on this disk"), "{}", ran.stderr);
    let here = rig.here().len();
    assert!((15..=21).contains(&here), "{here} items came");
    assert_eq!(waiting(&rig), Vec::<String>::new(), "unfinished downloads take room");
    // Five hundred more that do not fit either.
    for number in 0..500 {
        let content =
            icloudds_simulator::drive::model::content::Content::Generated { seed: number, len: 8 << 20 };
        rig.there().write(&format!("films/{number}.mp4"), content).expect("a file");
    }
    rig.there().write("small.txt", "it fits").expect("a file");
    rig.once_unfinished();
    assert_eq!(rig.read("small.txt"), "it fits");
    assert_eq!(waiting(&rig), Vec::<String>::new());
    // Room is made on iCloud, and it goes on.
    rig.there().trash("films").expect("a deletion");
    for number in 20..60 {
        if !rig.at(&format!("photos/{number:02}.jpg")).exists() {
            rig.there().trash(&format!("photos/{number:02}.jpg")).expect("a deletion");
        }
    }
    let grown = ["-o", "remount,size=64m"];
    assert!(Command::new("mount").args(grown).arg(rig.drive()).status().is_ok_and(|status| status.success()));
    rig.once();
    rig.assert_settled();
}

/// What lies in the drive's `tmp`.
fn waiting(rig: &Rig) -> Vec<String> {
    let entries = fs::read_dir(rig.at(".icloudds/tmp")).expect("the private folder");
    let mut names: Vec<_> = entries.map(|entry| shown(&entry.expect("an entry").path())).collect();
    names.sort();
    names
}

#[test]
fn what_stays_free_can_be_configured() {
    let mut rig = Rig::signed_in();
    let drive = shown(&rig.drive());
    let command = ["mount", "-t", "tmpfs", "-o", "size=20m", "icloudds-test", drive.as_str()];
    let Some(_mounted) = Mounted::by(&rig.drive(), &command) else { return };
    let content = icloudds_simulator::drive::model::content::Content::Generated { seed: 1, len: 4 << 20 };
    rig.there().write("four.bin", content).expect("a file");
    rig.set_text("limits.keep_free", "17MB");
    let ran = rig.once_unfinished();
    assert!(ran.stderr.contains("four.bin") && ran.stderr.contains("no space left"), "{}", ran.stderr);
    rig.set_text("limits.keep_free", "15MB");
    rig.once();
    rig.assert_settled();
}

#[test]
fn a_daemon_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    use icloudds::status::DaemonState;

    use crate::run::daemon::{Daemon, hurry};

    let mut rig = Rig::signed_in();
    hurry(&mut rig);
    let drive = shown(&rig.drive());
    let command = ["mount", "-t", "tmpfs", "-o", "size=20m", "icloudds-test", drive.as_str()];
    let Some(_mounted) = Mounted::by(&rig.drive(), &command) else { return };
    rig.there().write("first.txt", "first").expect("a file");
    let daemon = Daemon::synced(&rig);
    for number in 0..6 {
        let content =
            icloudds_simulator::drive::model::content::Content::Generated { seed: number, len: 6 << 20 };
        rig.there().write(&format!("films/{number}.mp4"), content).expect("a file");
    }
    daemon.wait_state(DaemonState::DiskFull);
    let status = daemon.status();
    assert!(
        status.set_aside.iter().all(|item| item.reason.contains("no space left")),
        "{:?}",
        status.set_aside
    );
    // What fits came, what is written here goes up, and deletions on iCloud make room.
    rig.write("mine.txt", "mine");
    daemon.wait("what is written here", || rig.there().entry("mine.txt").is_some());
    for number in 0..6 {
        if !rig.at(&format!("films/{number}.mp4")).exists() {
            rig.there().trash(&format!("films/{number}.mp4")).expect("a deletion");
        }
    }
    daemon.settle();
    assert_eq!(daemon.status().state, DaemonState::Idle);
    assert_eq!(waiting(&rig), Vec::<String>::new(), "unfinished downloads take room");
    daemon.stop();
    rig.assert_equal();
}
