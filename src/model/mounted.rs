//! What a power cut may have left of what was being written here (`docs/sync.md` §6, Replacing a file).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BaseTree, DiskTime, HiddenPlaces, LivedTime, LocalStamp, Node, Reading, Skews};

/// How the file systems of the drive were mounted when all edits here had last been seen, and since when that was so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// The boot of the machine.
    pub boot: u64,
    /// When that was, by the wall clock of that moment; Unix seconds.
    pub started: i64,
    /// The numbers of the mounts, as far as the system gives them some.
    pub mounts: Vec<u64>,
    /// Until when all that was written is durable, by whomever; `None` where that was never made sure of.
    pub durable: Option<Durable>,
    /// What no look has seen since then. Nothing in a state from before that was told.
    #[serde(default)]
    pub hidden: HiddenPlaces,
    /// What was written there since then, Unix seconds by the times that were agreed on, is read by the look that sees it first.
    #[serde(default)]
    pub hidden_since: Option<i64>,
    /// The texts of the ids of files that a power cut may have left with another content under their stamp, and that could not be read yet.
    #[serde(default)]
    pub unread: BTreeSet<String>,
}

/// A moment at which all that had been written was made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// In Unix seconds, by the wall clock of that moment.
    pub until: i64,
    /// In lived seconds.
    pub lived: i64,
}

impl Mounted {
    /// Some file systems keep times in steps of two seconds.
    const STEP: i64 = 2;

    /// All edits here were seen, with the file systems mounted as `mounts` says.
    pub fn seen(before: Option<&Self>, now: Reading, mounts: &[u64]) -> Self {
        let started = now.wall.saturating_sub(now.uptime_seconds());
        let known = before.filter(|known| known.boot == now.boot);
        Self {
            boot: now.boot,
            // Whoever sets the clock moves the boot with it.
            started: known.map_or(started, |known| known.started.min(started)),
            mounts: mounts.to_vec(),
            durable: before.and_then(|known| known.durable),
            hidden: HiddenPlaces::default(),
            hidden_since: None,
            unread: BTreeSet::new(),
        }
    }

    /// The same, once all that had been written at `now`, in `lived` seconds, was made durable. `None` where the machine was started since, or
    /// a file system mounted: what a power cut left before that was not looked for yet.
    pub fn made_durable(&self, now: Reading, lived: i64, mounts: &[u64]) -> Option<Self> {
        let are_seen = self.boot == now.boot && mounts.iter().all(|mount| self.mounts.contains(mount));
        let durable = Some(Durable { until: now.wall.saturating_sub(Self::STEP), lived });
        are_seen.then(|| Self { durable, ..self.clone() })
    }
}

/// Of which times what stands here may be what a power cut left of a writing: the machine was started since, or the file system mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCuts<'a> {
    /// What was written before that, Unix seconds, is durable.
    durable_until: i64,
    /// What was written later than that, Unix seconds, was written after a look at what was there at the last start, or mount.
    before: i64,
    /// Since that start, or mount, not all edits were seen.
    is_first_look: bool,
    /// By whose clocks stamps are made.
    skews: Skews,
    /// What no look has seen since that start, or an earlier one.
    hidden: Option<&'a HiddenPlaces>,
}

impl<'a> PowerCuts<'a> {
    /// Where no power was ever cut.
    pub fn none() -> Self {
        let (durable_until, before) = (i64::MIN, i64::MIN);
        Self { durable_until, before, is_first_look: false, skews: Skews::default(), hidden: None }
    }

    /// Where anything that was written before that, Unix seconds, may be what is left of it.
    #[cfg(test)]
    pub fn before(before: i64) -> Self {
        Self { before, ..Self::none() }
    }

    /// What may have met a power cut `now`, with the file systems mounted as `mounts` says: `known` is how they were when all edits were
    /// last seen, `last` what an earlier process noted of the time.
    pub fn since(known: Option<&'a Mounted>, last: Option<&LivedTime>, now: Reading, mounts: &[u64]) -> Self {
        let started = now.wall.saturating_sub(now.uptime_seconds());
        let same_boot = known.filter(|known| known.boot == now.boot);
        let is_mounted_anew =
            same_boot.is_some_and(|known| mounts.iter().any(|mount| !known.mounts.contains(mount)));
        let is_first_look = same_boot.is_none() || is_mounted_anew;
        // Nobody knows how often a file system was mounted anew before it was seen, be that after the machine was started.
        let before = match same_boot {
            Some(known) if !is_mounted_anew => known.started.min(started),
            _ => i64::MAX,
        };
        let latest = if same_boot.is_some() { now.wall } else { started };
        // It tells nothing where the clock was wrong then, or has been behind that time since.
        let is_wrong = |durable: &Durable| {
            durable.until > latest || last.is_some_and(|last| last.was_behind(durable.until, durable.lived))
        };
        let durable = known.and_then(|known| known.durable).filter(|durable| !is_wrong(durable));
        // Nobody notices a clock that is set back by less than that: it may have shown a time before this one again.
        let surely = |durable: Durable| durable.until.saturating_sub(LivedTime::TOLERANCE);
        let durable_until = durable.map_or(i64::MIN, surely);
        let hidden = known.map(|known| &known.hidden).filter(|hidden| !hidden.is_empty());
        Self { durable_until, before, is_first_look, skews: Skews::default(), hidden }
    }

    /// The same where stamps are made by these clocks as well.
    #[must_use]
    pub fn by(self, skews: Skews) -> Self {
        Self { skews, ..self }
    }

    /// Whether not all edits were seen since that start, or mount.
    pub fn is_first_look(self) -> bool {
        self.is_first_look
    }

    /// Whether all edits were seen since that start, or mount, and nothing was hidden then.
    pub fn have_all_been_seen(self) -> bool {
        !self.is_first_look && self.hidden.is_none()
    }

    /// The items that this look may be the first to show since that start, or mount, each with all below it.
    pub fn first_seen_below(self, base: &BaseTree) -> Vec<Node> {
        match self.hidden {
            _ if self.is_first_look => vec![Node::ROOT],
            Some(hidden) => hidden.places(base).collect(),
            None => Vec::new(),
        }
    }

    /// Until when, in Unix seconds, all that was written to `item` is durable, if this look is the first to show it since that start, or
    /// mount.
    pub fn unseen_since(self, base: &BaseTree, item: Node) -> Option<i64> {
        let hidden = self.hidden.and_then(|hidden| hidden.durable_until(base, item));
        let first = self.is_first_look.then_some(self.durable_until);
        hidden.into_iter().chain(first).min()
    }

    /// Whether what stands here for `item` under that stamp may be what is left of a writing.
    pub fn may_have_cut(self, base: &BaseTree, item: Node, stamp: &LocalStamp) -> bool {
        let was_hidden = self.hidden.and_then(|hidden| hidden.durable_until(base, item));
        let is_since = |time, until| self.skews.any_between(time, until, i64::MAX);
        // What is another content under the agreed stamp was written later than that says.
        let is_under_agreed = self.is_first_look && base.get(item).local.stamp == *stamp;
        is_under_agreed
            || self.may_have_cut_what_was_seen(stamp)
            || was_hidden.is_some_and(|until| is_since(stamp.ctime, until) || is_since(stamp.mtime, until))
    }

    /// The same of what was not hidden.
    fn may_have_cut_what_was_seen(self, stamp: &LocalStamp) -> bool {
        let is_between = |time: DiskTime| self.skews.any_between(time, self.durable_until, self.before);
        // Whoever gives it another mode or owner at the start sets the one time and not the other.
        is_between(stamp.ctime) || self.is_first_look && is_between(stamp.mtime)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::DiskTime;

    fn at(boot: u64, wall: i64, uptime: u64) -> Reading {
        Reading { wall, boot, uptime: Duration::from_secs(uptime) }
    }

    fn stamp(mtime: i64, ctime: i64) -> LocalStamp {
        LocalStamp { mtime: DiskTime::new(mtime, 0), ctime: DiskTime::new(ctime, 0), ..LocalStamp::default() }
    }

    /// Seen at 1000 in boot 1, which was started at 900, with one file system.
    fn known() -> Mounted {
        Mounted::seen(None, at(1, 1000, 100), &[7])
    }

    fn may_have_cut(known: &Mounted, now: Reading, mounts: &[u64], (mtime, ctime): (i64, i64)) -> bool {
        let last = LivedTime::begin(at(1, 1500, 600));
        PowerCuts::since(Some(known), Some(&last), now, mounts)
            .may_have_cut_what_was_seen(&stamp(mtime, ctime))
    }

    #[test]
    fn what_was_written_before_a_start_may_be_cut_and_what_came_after_the_look_at_it_is_not() {
        let now = at(2, 2100, 100);
        // At the first look nobody knows whether the disk alone lost power after the start.
        for (mtime, ctime) in [(1990, 1990), (2050, 2050), (5, 1990)] {
            assert!(may_have_cut(&known(), now, &[7], (mtime, ctime)), "{mtime} {ctime}");
        }
        // A change of the owner at the start hides nothing from it; later nobody can tell that from a copy of an old file.
        assert!(may_have_cut(&known(), now, &[7], (1990, 2001)));
        let seen = Mounted::seen(Some(&known()), now, &[8]);
        assert!(!may_have_cut(&seen, at(2, 2200, 200), &[8], (1990, 2001)));
        for (time, may_be) in [(1990, true), (1999, true), (2000, false), (2050, false)] {
            assert_eq!(may_have_cut(&seen, at(2, 2200, 200), &[8], (time, time)), may_be, "{time}");
        }
    }

    #[test]
    fn what_was_made_durable_before_the_end_was_not_cut() {
        let stopped = known().made_durable(at(1, 1500, 600), 1500, &[7]).unwrap();
        let now = at(2, 2100, 100);
        for (time, may_be) in [(1400, false), (1437, false), (1438, true), (1990, true)] {
            assert_eq!(may_have_cut(&stopped, now, &[7], (time, time)), may_be, "{time}");
        }
        // It holds on; but not where the clock had been wrong.
        let seen = Mounted::seen(Some(&stopped), now, &[8]);
        assert!(!may_have_cut(&seen, at(2, 2200, 200), &[8], (1400, 1400)));
        let ahead = known().made_durable(at(1, 9000, 600), 1500, &[7]).unwrap();
        assert!(may_have_cut(&ahead, now, &[7], (1400, 1400)));
        // Before the first look after a start nothing is known of what the power cut before that left.
        assert_eq!(known().made_durable(now, 2100, &[7]), None);
        assert_eq!(known().made_durable(at(1, 1500, 600), 1500, &[8]), None);
    }

    #[test]
    fn a_file_system_that_was_mounted_anew_may_hold_what_was_cut() {
        let now = at(1, 1500, 600);
        assert!(!may_have_cut(&known(), now, &[7], (1400, 1400)));
        assert!(!may_have_cut(&known(), now, &[], (1400, 1400)), "one that was taken off hides nothing");
        assert!(may_have_cut(&known(), now, &[8], (1400, 1400)));
        assert!(may_have_cut(&known(), now, &[7, 8], (1400, 1400)));
        let seen = Mounted::seen(Some(&known()), now, &[7, 8]);
        assert!(!may_have_cut(&seen, now, &[7, 8], (1400, 1400)));
    }

    #[test]
    fn where_the_clock_begins_before_what_it_had_shown_all_may_be_cut_until_it_was_seen() {
        // An earlier process showed 1500; the machine was started when the clock showed 1200.
        let now = at(2, 1300, 100);
        assert!(may_have_cut(&known(), now, &[7], (1510, 1510)));
        assert!(may_have_cut(&known(), now, &[7], (1250, 1250)));
        let seen = Mounted::seen(Some(&known()), now, &[7]);
        assert!(!may_have_cut(&seen, now, &[7], (1250, 1250)));
        // Once it is put right what was written since the start is no older for that.
        assert!(!may_have_cut(&seen, at(2, 900_300, 300), &[7], (1310, 1310)));
    }

    #[test]
    fn where_the_clock_was_set_back_before_the_power_went_all_may_be_cut_until_it_was_seen() {
        let last = LivedTime::begin(at(1, 9000, 500)).at(at(1, 9100, 600)).at(at(1, 1500, 610));
        let now = at(2, 2100, 100);
        let may_have_cut = |known: &Mounted, time: i64| {
            PowerCuts::since(Some(known), Some(&last), now, &[7])
                .may_have_cut_what_was_seen(&stamp(time, time))
        };
        assert!(may_have_cut(&known(), 9090));
        // Another process noted of this boot, and saw nothing yet.
        let last = last.at(now);
        let known = known();
        let again = PowerCuts::since(Some(&known), Some(&last), at(2, 2150, 150), &[7]);
        assert!(again.may_have_cut_what_was_seen(&stamp(9090, 9090)));
    }

    #[test]
    fn a_clock_that_was_behind_since_makes_nothing_durable() {
        let stopped = known().made_durable(at(1, 1500, 600), 1500, &[7]).unwrap();
        let last = LivedTime::begin(at(1, 1000, 100)).at(at(1, 1500, 600));
        let now = at(3, 9000, 10);
        let may_have_cut = |last: &LivedTime, time: i64| {
            PowerCuts::since(Some(&stopped), Some(last), now, &[7])
                .may_have_cut_what_was_seen(&stamp(time, time))
        };
        assert!(!may_have_cut(&last, 1200));
        // A boot in between began without a clock.
        assert!(may_have_cut(&last.at(at(2, 100, 20)).at(at(2, 200, 120)), 150));
    }

    #[test]
    fn a_servers_clock_makes_nothing_durable_that_was_written_later() {
        let stopped = known().made_durable(at(1, 9000, 8100), 9000, &[7]).unwrap();
        let (last, now) = (LivedTime::begin(at(1, 1000, 100)).at(at(1, 9000, 8100)), at(2, 9900, 100));
        let may_have_cut = |known: &Mounted, ahead: i64, time: i64| {
            let power_cuts = PowerCuts::since(Some(known), Some(&last), now, &[7]);
            power_cuts.by(Skews::of([ahead * 1_000_000_000])).may_have_cut_what_was_seen(&stamp(time, time))
        };
        // Written at 9200, after all was made durable, and before the start at 9800.
        for known in [&stopped, &Mounted::seen(Some(&stopped), now, &[7])] {
            for (ahead, time) in [(0, 9200), (-3600, 5600), (3600, 12_800)] {
                assert!(may_have_cut(known, ahead, time), "{ahead} {time}");
            }
            for (ahead, time) in [(0, 8000), (-3600, 4400)] {
                assert!(!may_have_cut(known, ahead, time), "{ahead} {time}");
            }
        }
        let seen = Mounted::seen(Some(&stopped), now, &[7]);
        assert!(!may_have_cut(&seen, 3600, 9900 + 3600));
    }

    #[test]
    fn a_clock_that_is_set_forwards_makes_no_edit_older_than_the_start() {
        let now = at(1, 500_000, 700);
        assert!(!may_have_cut(&known(), now, &[7], (1550, 1550)));
        let seen = Mounted::seen(Some(&known()), now, &[7]);
        assert!(!may_have_cut(&seen, now, &[7], (1550, 1550)));
    }
}
