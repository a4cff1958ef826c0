//! Time and keys, brought in from outside so that tests decide them.

use std::sync::Arc;

use crate::chance::{Chance, SystemChance, uuid};
use crate::clock::SystemClock;
use crate::model::Clock;

/// The two of them, cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// Time, and waits that end when the program is to stop.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys.
    pub chance: Arc<dyn Chance>,
}

impl Env {
    /// The real ones.
    pub fn system(clock: SystemClock) -> Self {
        Self { clock: Arc::new(clock), chance: Arc::new(SystemChance) }
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A random lower-case UUID.
    pub fn uuid(&self) -> String {
        uuid(&*self.chance)
    }
}
