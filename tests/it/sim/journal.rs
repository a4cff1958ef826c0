//! Every content that a person wrote, and whether losing it would break P1 (`docs/sync.md` §1).
//!
//! A content is *at stake* from the moment a person writes it on either side until a
//! person overwrites or deletes it **having seen it**: the side on which that person acts
//! showed this very content at that place at that moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use icloudds::model::{Side, Signature};
use sha1::{Digest, Sha1};

use super::fuse::{lock, say};

/// Content of a file.
pub type Bytes = Arc<[u8]>;

/// One item as a person sees it; the same for both sides, so that trees compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A folder.
    Folder,
    /// A file.
    File(Bytes),
    /// A package on iCloud; its zip may differ at each fetch.
    Package,
    /// What takes no part: a link, a shared item, an app library.
    Other,
}

/// A side's items by path, names in NFC.
pub type Things = BTreeMap<String, Thing>;

/// The documented formula (`docs/protocol.md` §13).
pub fn signature(content: &[u8]) -> Signature {
    let mut sha = Sha1::new();
    sha.update(b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0");
    sha.update(content);
    Signature(sha.finalize().into())
}

/// What became of a content that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It must be found somewhere.
    AtStake(Side),
    /// It must be found somewhere, if only in a trash: an older version took its place unseen.
    Recoverable,
    /// A person who saw it overwrote or deleted it there.
    Given(Side),
    /// It fell under an exception that the documents name.
    Excused(&'static str),
}

/// The record of what persons wrote, by content. Empty contents are not recorded: there
/// is nothing in them to lose. Beside it, where a person had given a content up that a person wrote again since: what was given up may go
/// wherever it still is, whatever becomes of the new writing.
#[derive(Default)]
pub struct Journal(Mutex<BTreeMap<Bytes, Fate>>, Mutex<BTreeMap<Bytes, Side>>, Mutex<AtPowerCuts>);

/// What kills and power cuts have to do with contents.
#[derive(Default)]
struct AtPowerCuts {
    /// What the program sent, or moved, to what a person had deleted on iCloud right before, and may not know yet.
    into_trash: BTreeSet<Bytes>,
    /// What was given up here for a content that was written over it.
    over: BTreeMap<Bytes, Vec<Bytes>>,
    /// What they left of contents.
    left: BTreeSet<Bytes>,
    /// Whether the person at the second machine acts, whose power stays.
    is_at_second: bool,
    /// What that person gave up.
    given_at_second: BTreeSet<Bytes>,
}

impl Journal {
    /// A person wrote that content on that side.
    pub fn wrote(&self, side: Side, content: &Bytes) {
        say(|| format!("written on {side:?}: {:?}", String::from_utf8_lossy(content)));
        if content.is_empty() {
            return;
        }
        if let Some(Fate::Given(by)) = lock(&self.0).insert(content.clone(), Fate::AtStake(side)) {
            lock(&self.1).insert(content.clone(), by);
        }
    }

    /// A person who saw that content on that side overwrote or deleted it.
    pub fn gave_up(&self, side: Side, content: &Bytes) {
        say(|| format!("given up on {side:?}: {:?}", String::from_utf8_lossy(content)));
        let mut machines = lock(&self.2);
        if machines.is_at_second {
            machines.given_at_second.insert(content.clone());
        }
        drop(machines);
        let mut all = lock(&self.0);
        if let Some(fate) = all.get_mut(content) {
            *fate = Fate::Given(side);
        }
        // The zip of a package may differ at each fetch; it begins as it was written.
        for (known, fate) in all.iter_mut() {
            if known.starts_with(b"PK\x03\x04") && content.starts_with(known) {
                *fate = Fate::Given(side);
            }
        }
    }

    /// An older version came back from a backup over that content, or the power took it before it was synced: wherever else it is, it
    /// must stay, if only in a trash.
    pub fn is_recoverable(&self, content: &Bytes) {
        say(|| format!("to be in a trash at least: {:?}", String::from_utf8_lossy(content)));
        let given = lock(&self.1).get(content).copied();
        if let Some(fate @ Fate::AtStake(_)) = lock(&self.0).get_mut(content) {
            *fate = given.map_or(Fate::Recoverable, Fate::Given);
        }
    }

    /// The person at the second machine does something.
    pub fn at_second(&self, act: impl FnOnce()) {
        lock(&self.2).is_at_second = true;
        act();
        lock(&self.2).is_at_second = false;
    }

    /// A person wrote `new` over that content here.
    pub fn wrote_over(&self, old: &Bytes, new: &Bytes) {
        if old != new && !old.is_empty() && !new.is_empty() {
            lock(&self.2).over.entry(new.clone()).or_default().push(old.clone());
        }
    }

    /// The power took `new` before anybody had synced it, so that nobody has what was given up for it: of that, what `is_kept` elsewhere
    /// must stay there, if only in a trash, but for what the person at the second machine gave up, and for what was given up for what it `left`.
    /// Returns it.
    pub fn took_with_power(
        &self,
        new: &Bytes,
        left: Option<&Bytes>,
        is_kept: impl Fn(&Bytes) -> bool,
    ) -> Vec<Bytes> {
        let (mut open, mut seen, mut back) = (vec![new.clone()], BTreeSet::new(), Vec::new());
        while let Some(lost) = open.pop() {
            let before = lock(&self.2).over.get(&lost).cloned().unwrap_or_default();
            for old in before {
                let is_given = left == Some(&old) || lock(&self.2).given_at_second.contains(&old);
                if is_given || !seen.insert(old.clone()) {
                    continue;
                }
                if !is_kept(&old) {
                    open.push(old);
                } else if let Some(fate @ Fate::Given(Side::Local)) = lock(&self.0).get_mut(&old) {
                    say(|| format!("wanted again: {:?}", String::from_utf8_lossy(&old)));
                    *fate = Fate::Recoverable;
                    back.push(old);
                }
            }
        }
        back
    }

    /// The program sent that content, or moved it, to what a person had deleted right before.
    pub fn went_into_trash(&self, content: &Bytes) {
        lock(&self.2).into_trash.insert(content.clone());
    }

    /// The program ended, or iCloud was away, before it could see what became of what it did: whether what lies in the trash was deleted before something came to
    /// it, or after that, nobody can tell then (`docs/sync.md` §6).
    pub fn could_not_look(&self) {
        let all = std::mem::take(&mut lock(&self.2).into_trash);
        all.iter().for_each(|content| self.is_recoverable(content));
    }

    /// The program saw what became of all that it did.
    pub fn saw_all(&self) {
        lock(&self.2).into_trash.clear();
    }

    /// What a power cut left of a content.
    pub fn left_by_power(&self, content: &Bytes) {
        say(|| format!("left by the power: {:?}", String::from_utf8_lossy(content)));
        lock(&self.2).left.insert(content.clone());
    }

    /// Whether that is what a power cut left of a content.
    pub fn was_left_by_power(&self, content: &Bytes) -> bool {
        lock(&self.2).left.contains(content)
    }

    /// Whether that content must be found in a trash at least, since an older version took its place unseen.
    pub fn was_replaced_unseen(&self, content: &Bytes) -> bool {
        lock(&self.0).get(content) == Some(&Fate::Recoverable)
    }

    /// Whether a person had given that content up before a person wrote it again.
    pub fn was_given(&self, content: &Bytes) -> bool {
        lock(&self.1).contains_key(content)
    }

    /// That content was lost in a way that the documents allow.
    pub fn excuse(&self, content: &Bytes, why: &'static str) {
        say(|| format!("{why}: {:?}", String::from_utf8_lossy(content)));
        if let Some(fate @ (Fate::AtStake(_) | Fate::Recoverable)) = lock(&self.0).get_mut(content) {
            *fate = Fate::Excused(why);
        }
    }

    /// All contents that must be found somewhere.
    pub fn at_stake(&self) -> Vec<Bytes> {
        let all = lock(&self.0);
        all.iter()
            .filter(|(_, fate)| matches!(fate, Fate::AtStake(_) | Fate::Recoverable))
            .map(|(bytes, _)| bytes.clone())
            .collect()
    }

    /// All that was ever written, with its fate.
    pub fn all(&self) -> Vec<(Bytes, Fate)> {
        lock(&self.0).iter().map(|(bytes, fate)| (bytes.clone(), fate.clone())).collect()
    }
}
