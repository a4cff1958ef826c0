//! Which writes S-busy refuses.

use crate::fault::chance;
use crate::switches::Busy;

/// The random refusals of S-busy.
#[derive(Debug)]
pub struct Refusals {
    draws: u64,
    seed: u64,
}

impl Refusals {
    /// `seed` decides which writes are refused.
    pub fn new(seed: u64) -> Self {
        Self { draws: 0, seed }
    }

    /// Whether a write is refused while so many writes (itself included) and uploads are under way.
    pub(super) fn refuses(&mut self, rule: Busy, mutations: usize, uploads: usize) -> bool {
        self.draws += 1;
        let overlaps = mutations > 1;
        match rule {
            Busy::OnOverlap => overlaps,
            Busy::OnOverlapWithUpload => overlaps || uploads > 0,
            Busy::Never => false,
            Busy::Random(probability) => chance(self.seed, self.draws) < probability || overlaps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_exclude_each_other_under_every_rule_but_one() {
        let mut refusals = Refusals::new(1);
        for rule in [Busy::OnOverlap, Busy::OnOverlapWithUpload, Busy::Random(0.0)] {
            assert!(refusals.refuses(rule, 2, 0), "{rule:?}");
            assert!(!refusals.refuses(rule, 1, 0), "{rule:?}");
        }
        assert!(!refusals.refuses(Busy::Never, 8, 8));
    }

    #[test]
    fn uploads_and_chance_refuse_only_when_switched_on() {
        let mut refusals = Refusals::new(1);
        assert!(!refusals.refuses(Busy::OnOverlap, 1, 3));
        assert!(refusals.refuses(Busy::OnOverlapWithUpload, 1, 1));
        let refused = (0..1000).filter(|_| refusals.refuses(Busy::Random(0.3), 1, 0)).count();
        assert!((200..400).contains(&refused), "{refused}");
    }
}
