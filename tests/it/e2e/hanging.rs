//! A folder whose file system hangs: whoever touches it waits in the kernel, and a stop ends the process all the same.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::rig::{Rig, not_tried, shown};
use crate::run::daemon::wait_for;

/// A folder that is served by another program, which stands still.
struct Hanging<'a> {
    rig: &'a Rig,
    server: Child,
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process")).expect("a process");
    kill_process(pid, signal).expect("the signal");
}

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(4) == Some(&shown(at)))
}

impl<'a> Hanging<'a> {
    /// `None` where this machine cannot.
    fn at_the_drive_of(rig: &'a Rig) -> Option<Self> {
        let mut command = Command::new("bindfs");
        command.args(["-f", &shown(&rig.aside()), &shown(&rig.drive())]);
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(mut server) = started else {
            not_tried("a folder that hangs: there is no bindfs");
            return None;
        };
        let mounted = wait_for("the mount or the end of bindfs", String::new, || {
            let has_ended = server.try_wait().expect("the process").is_some();
            (has_ended || is_mounted(&rig.drive())).then_some(!has_ended)
        });
        if !mounted {
            not_tried("a folder that hangs: bindfs cannot mount here");
            return None;
        }
        // The folder is one that the program knows.
        rig.once();
        signal(&server, Signal::STOP);
        Some(Self { rig, server })
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("-l").arg(self.rig.drive()).status();
    }
}

/// Whether a thread of that process waits in the kernel for what does not come.
fn hangs(child: &Child) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
    let waits_in = |task: fs::DirEntry| fs::read_to_string(task.path().join("wchan")).unwrap_or_default();
    tasks.map(waits_in).any(|function| function.contains("request_wait_answer"))
}

#[test]
fn a_stop_ends_in_time_though_the_folder_hangs() {
    for (arguments, exit) in [("run", 0), ("once", 143)] {
        let rig = Rig::signed_in();
        let Some(_hanging) = Hanging::at_the_drive_of(&rig) else { return };
        let mut child = rig.spawn(&[arguments]);
        wait_for("a thread that waits for the folder", String::new, || hangs(&child).then_some(()));
        let began = Instant::now();
        signal(&child, Signal::TERM);
        let ended = wait_for("its end", || arguments.to_owned(), || child.try_wait().expect("the process"));
        assert_eq!(ended.code(), Some(exit), "{arguments}");
        assert!(began.elapsed() < Duration::from_secs(12), "{arguments}: {:?}", began.elapsed());
    }
}
