//! A store in memory: what is committed survives a crash, nothing else does.

use std::sync::{Arc, Mutex};

use icloudds::engine::ports::{Store, StoreError};
use icloudds::model::{Arriving, Change, State};

use super::fuse::{Call, Fault, Fuse, lock};

struct Inner {
    state: State,
    groups: u64,
    refused: Vec<Change>,
    arriving: Vec<Arriving>,
}

/// A handle on the store; clones share it, as a restarted process opens the same file.
#[derive(Clone)]
pub struct SimStore {
    inner: Arc<Mutex<Inner>>,
    fuse: Arc<Fuse>,
}

impl SimStore {
    /// A store that knows nothing yet.
    pub fn new(fuse: Arc<Fuse>) -> Self {
        let inner = Inner { state: State::empty(), groups: 0, refused: Vec::new(), arriving: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)), fuse }
    }

    /// The state as a start after a crash would load it.
    pub fn durable(&self) -> State {
        lock(&self.inner).state.clone()
    }

    /// Brings back the state of an earlier moment, as from a backup.
    pub fn bring_back(&self, state: State) {
        let mut inner = lock(&self.inner);
        (inner.state, inner.arriving) = (state, Vec::new());
    }

    /// Loses everything, as a damaged file or `reset-state` does.
    pub fn wipe(&self) {
        let mut inner = lock(&self.inner);
        (inner.state, inner.arriving) = (State::empty(), Vec::new());
    }

    /// A power cut: what is not durable is gone, but for as many of the lines as had reached the disk.
    pub fn lose(&self, lines: usize) {
        lock(&self.inner).arriving.truncate(lines);
    }

    /// Groups committed so far.
    pub fn groups(&self) -> u64 {
        lock(&self.inner).groups
    }

    /// Changes that could not apply, as [`State::apply`] says: each is worth a look.
    pub fn refused(&self) -> Vec<Change> {
        lock(&self.inner).refused.clone()
    }
}

impl Store for SimStore {
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let about = match changes {
            // Its kind: the rest of it would make a long line.
            [one] => {
                let text = format!("{one:?}");
                text[..text.find(['(', '{', ' ']).unwrap_or(text.len())].to_owned()
            }
            several => format!("{} changes", several.len()),
        };
        if self.fuse.enter(Call::Store, &about, &[Fault::Io])?.is_some() {
            return Err(StoreError::Full("no space left on the disk".into()));
        }
        {
            let mut inner = lock(&self.inner);
            for change in changes {
                if !inner.state.apply(change) {
                    inner.refused.push(change.clone());
                }
            }
            inner.groups += 1;
        }
        self.fuse.step()?;
        Ok(())
    }

    fn note_arriving(&mut self, arriving: &Arriving) -> Result<(), StoreError> {
        lock(&self.inner).arriving.push(arriving.clone());
        Ok(())
    }

    fn arriving(&self) -> Vec<Arriving> {
        lock(&self.inner).arriving.clone()
    }

    fn forget_arriving(&mut self) {
        lock(&self.inner).arriving.clear();
    }
}
