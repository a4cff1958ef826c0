//! Making durable, at the end of a process, what anybody wrote to the drive: no power cut after that leaves a part of it, so that edits
//! that were not sent yet go up in place after the next start of the machine (`docs/sync.md` §6, Replacing a file).

use std::time::Duration;

use crossbeam::channel::bounded;

use crate::disk::LocalDisk;
use crate::engine::pass::Engine;
use crate::engine::ports::{Clock, Disk as _};
use crate::model::Change;

/// Nobody who stops the program waits longer for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes it durable, and notes that it is. Where that takes too long, or cannot be said, nothing is noted.
pub fn make_durable(engine: &mut Engine, disk: &LocalDisk, clock: &dyn Clock) {
    let Some(noted) = engine.once_durable(clock.reading(), &disk.mounts()) else { return };
    match synced(disk) {
        Ok(()) => {
            if let Err(error) = engine.commit(&[Change::Mounted(noted)]) {
                log::warn!("{error}");
            }
        }
        Err(why) => log::debug!("what was written to the drive was not made durable: {why}"),
    }
}

fn synced(disk: &LocalDisk) -> Result<(), String> {
    let whole = disk.whole().map_err(|error| error.to_string())?;
    let (out, done) = bounded(1);
    let thread = std::thread::Builder::new().name("icloudds-sync".to_owned());
    // One that hangs ends with the process; nobody else waits for it.
    let begun = thread.spawn(move || drop(out.send(whole.sync())));
    begun.map_err(|error| format!("cannot start a thread: {error}"))?;
    let answer =
        done.recv_timeout(PATIENCE).map_err(|_| format!("it took longer than {} s", PATIENCE.as_secs()))?;
    answer.map_err(|error| error.to_string())
}
