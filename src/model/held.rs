//! What the guards remember: deletions that wait, what a person said of them, and what was carried out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Side;

/// A deletion that waits for a person, or that counted for the guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The side that it would be carried out on.
    pub on: Side,
    /// The item, `zone::docwsid`.
    pub id: String,
    /// The path that the owner knows.
    pub path: String,
    /// When it was held, in lived seconds.
    pub at: i64,
    /// Which version of a file it is about: what its etag says of the content when both sides agreed. Empty for folders.
    #[serde(default)]
    pub version: String,
}

/// A deletion that a person was shown, and what they said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What they said.
    pub verdict: Verdict,
    /// What they were shown.
    pub deletion: Deletion,
}

/// Deletions that were carried out in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedOut {
    /// The side on which they were.
    pub on: Side,
    /// When, in lived seconds.
    pub at: i64,
    /// How many.
    #[serde(default = "one")]
    pub count: u64,
}

/// A record that names no number is one of a single deletion.
fn one() -> u64 {
    1
}

/// What a person said of the held deletions, until a pass has carried it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Go ahead.
    Approved,
    /// Restore.
    Rejected,
}

/// What the guards remember (`docs/sync.md` §8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardState {
    /// Deletions that wait.
    pub held: Vec<Deletion>,
    /// What a person said of all of them, where nothing but that is stored.
    pub verdict: Option<Verdict>,
    /// Deletions that a person has decided on, until they are carried out or planned no more.
    #[serde(default)]
    pub decided: Vec<Decided>,
    /// Deletions carried out within the last 24 hours, oldest first.
    pub recent: Vec<CarriedOut>,
    /// Lived seconds of each replacement on iCloud within the last hour.
    pub overwrites: Vec<i64>,
}

impl GuardState {
    /// Takes what a person said of the deletions that they were shown. It holds for those that still wait in the version
    /// that was shown; what came later goes on waiting. Returns for how many it holds.
    pub fn decide(&mut self, verdict: Verdict, shown: &[Deletion]) -> usize {
        let keys: BTreeSet<_> = shown.iter().map(|held| (held.on, &*held.id, &*held.version)).collect();
        let held = std::mem::take(&mut self.held);
        let (decided, others): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|held| keys.contains(&(held.on, &*held.id, &*held.version)));
        self.held = others;
        let count = decided.len();
        self.decided.retain(|known| {
            let known = &known.deletion;
            !keys.contains(&(known.on, &*known.id, &*known.version))
        });
        self.decided.extend(decided.into_iter().map(|deletion| Decided { verdict, deletion }));
        count
    }

    /// Turns a word on all that is held into one on each of them.
    pub fn settle_verdict(&mut self) {
        if let Some(verdict) = self.verdict.take() {
            let all = self.held.clone();
            self.decide(verdict, &all);
        }
    }

    /// The name of the list of held deletions, for an answer to say which list it is about: another one where an item or
    /// its version is another, 16 hexadecimal digits.
    pub fn list_name(&self) -> String {
        let mut items: Vec<_> =
            self.held.iter().map(|held| (held.on, &*held.id, &*held.version, &*held.path)).collect();
        items.sort_unstable();
        // FNV-1a: it only has to differ where the list does.
        let mut sum = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |bytes: &[u8]| {
            for byte in bytes.iter().chain(&[0]) {
                sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        for (on, id, version, path) in items {
            add(&[u8::from(on == Side::Local)]);
            [id, version, path].into_iter().for_each(|text| add(text.as_bytes()));
        }
        format!("{sum:016x}")
    }

    /// Remembers that so many deletions were carried out.
    pub fn remember(&mut self, done: CarriedOut) {
        match self.recent.iter_mut().rev().find(|known| known.on == done.on) {
            Some(known) if known.at == done.at => known.count += done.count,
            _ => self.recent.push(done),
        }
    }

    /// How many deletions on a side were carried out within the last 24 hours.
    pub fn carried_out(&self, on: Side) -> u64 {
        self.recent.iter().filter(|done| done.on == on).map(|done| done.count).sum()
    }
}
