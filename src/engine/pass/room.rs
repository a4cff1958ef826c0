//! The room that the store takes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Engine;
use crate::engine::ports::Shrunk;

impl Engine {
    /// Whether the store takes so much more room than it needs that [`Engine::shrink_store`] is worth its time.
    pub fn wastes_room(&self) -> bool {
        self.store.is_wasteful()
    }

    /// Makes the store as small as it gets, which may take long; it ends soon after `stop` is set.
    pub fn shrink_store(&mut self, stop: &Arc<AtomicBool>) -> Shrunk {
        self.store.shrink(stop)
    }
}
