//! Further powers of the world, drawn from the same seed beside all that [`History::new`] draws: backups that come back, clocks
//! that leap, refusals with waits in which others act, volumes that come and go, a second machine of ours, a disk without lasting
//! identities, bodies and listings that lag or take long, answers without an effect, and copies to another disk that broke off.

use icloudds::model::Side;

use super::history::{Act, Contents, Deed, Draw, History, Op, Pass, Twist, What, When};
use crate::sim::rng::{Rng, mix};
use crate::sim::{Call, Fault};

const DAY: i64 = 86_400;
/// By how much the wall clock is set.
const LEAPS: [i64; 8] = [-40 * 365 * DAY, -5 * DAY, -4000, -30, 30, 4000, 5 * DAY, 40 * 365 * DAY];
/// Calls in whose midst others act: those that change iCloud, and the waits.
const CALLS: [Call; 8] = [
    Call::Pause,
    Call::Commit,
    Call::TrashRemote,
    Call::RenameRemote,
    Call::MoveRemote,
    Call::CreateFolders,
    Call::Fetch,
    Call::Replace,
];

/// Which of them a history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Backups,
    Clocks,
    Refusals,
    SecondMachine,
    NoIdentities,
    BodyLags,
    NothingMade,
    TrashLate,
    SlowLists,
}

const POWERS: [Power; 9] = [
    Power::Backups,
    Power::Clocks,
    Power::Refusals,
    Power::SecondMachine,
    Power::NoIdentities,
    Power::BodyLags,
    Power::NothingMade,
    Power::TrashLate,
    Power::SlowLists,
];

impl History {
    /// The history of a seed with one to three of these powers more.
    pub fn with_powers(seed: u64, steps: usize) -> Self {
        let mut history = Self::new(seed, steps);
        let mut draw = Draw::beside(Rng::new(mix(seed ^ 0x90e5)), history.odd, Contents::Powers);
        let first = (seed % POWERS.len() as u64) as usize;
        let mut powers = vec![POWERS[first]];
        for _ in 0..[0, 0, 1, 2][draw.rng.below(4)] {
            powers.push(POWERS[draw.rng.below(POWERS.len())]);
        }
        powers.dedup();
        for power in powers {
            history.give(power, &mut draw);
        }
        // Beside all draws, so that the steps of a seed stay what they were.
        if mix(seed ^ 0xf17e).is_multiple_of(2) {
            history.twists.push(Twist::FineTimes);
        } else if mix(seed ^ 0xc0a5).is_multiple_of(8) && !history.has(Twist::NoIdentities) {
            history.twists.push(Twist::CoarseTimes);
        }
        // Likewise. By a clock that was set nobody can tell what was written within a day.
        if history.has(Twist::LosesContents)
            && !history.clocks_are_set
            && mix(seed ^ 0x1a27).is_multiple_of(3)
        {
            history.twists.push(Twist::LateTimes);
        }
        // Likewise.
        if mix(seed ^ 0xc10c).is_multiple_of(16) {
            history.twists.push(Twist::ServersClock([-3600, -30, -3, 4, 30][(seed / 16 % 5) as usize]));
        }
        // Likewise.
        if mix(seed ^ 0x51de).is_multiple_of(4) {
            history.overlap();
        }
        // Likewise.
        if mix(seed ^ 0x1a7e).is_multiple_of(4) {
            let mut draw = Draw::beside(Rng::new(mix(seed ^ 0x1a7f)), history.odd, Contents::LateLooks);
            history.late_looks(&mut draw);
        }
        // Likewise. What another machine moves may be what a volume is mounted on here, which nobody can move.
        let every = super::number("SIM_VOLUMES").unwrap_or(8).max(1);
        if mix(seed ^ 0x701d).is_multiple_of(every) && !history.has(Twist::SecondMachine) {
            let mut draw = Draw::beside(Rng::new(mix(seed ^ 0x701e)), history.odd, Contents::Volumes);
            history.volumes(&mut draw);
        }
        // Likewise.
        let every = super::number("SIM_COPIES").unwrap_or(8).max(1);
        if mix(seed ^ 0xc09e).is_multiple_of(every) {
            let mut draw = Draw::beside(Rng::new(mix(seed ^ 0xc09f)), history.odd, Contents::Copies);
            history.copies(&mut draw);
        }
        // Likewise. Every fourth person has an editor that keeps backups.
        if mix(seed ^ 0xbac4).is_multiple_of(4) {
            history.keep_backups_beside();
        }
        // Likewise.
        if mix(seed ^ 0x0504).is_multiple_of(8) {
            let mut draw = Draw::beside(Rng::new(mix(seed ^ 0x0505)), history.odd, Contents::LateLooks);
            history.faults(Fault::LateEffect, &mut draw);
        }
        // Likewise; without a signature as well nobody could tell whether anything came whole.
        let unsigned = [Twist::OtherFormula, Twist::OtherForm, Twist::NoSignatures];
        if mix(seed ^ 0x512e).is_multiple_of(12)
            && !history.twists.iter().any(|twist| unsigned.contains(twist))
        {
            history.twists.push(Twist::SizesUntold);
        }
        history
    }

    /// The history of a seed where commits of new files overlap, which the service takes or refuses.
    pub fn side_by_side(seed: u64, steps: usize) -> Self {
        let mut history = Self::new(seed, steps);
        history.overlap();
        history
    }

    fn overlap(&mut self) {
        let drawn = mix(self.seed ^ 0x0e1a);
        self.twists.push(Twist::SideBySide([2, 3, 8][(drawn % 3) as usize]));
        if !drawn.is_multiple_of(4) {
            self.twists.push(Twist::TakesOverlaps);
        }
    }

    fn give(&mut self, power: Power, draw: &mut Draw) {
        match power {
            Power::Backups => self.backups(draw),
            Power::Clocks => self.clocks(draw),
            Power::Refusals => self.refusals(draw),
            Power::SecondMachine => self.second_machine(draw),
            Power::NoIdentities => self.twists.push(Twist::NoIdentities),
            Power::BodyLags => self.twists.push(Twist::BodyLags([5, 40][draw.rng.below(2)])),
            Power::NothingMade => self.faults(Fault::NothingMade, draw),
            Power::SlowLists => self.slow_lists(draw),
            Power::TrashLate => self.twists.push(Twist::TrashLate([8, 40][draw.rng.below(2)])),
        }
    }

    /// Who saves here by a new file renames the old one, and so do some of those who edit in place.
    fn keep_backups_beside(&mut self) {
        let change = |deed: &mut Deed| {
            deed.act = match deed.act {
                Act::Save(pick, content) => Act::SaveBeside(pick, content),
                Act::Edit(pick, content) if deed.side == Side::Local && pick.is_multiple_of(2) => {
                    Act::SaveBeside(pick, content)
                }
                _ => return,
            };
        };
        for op in &mut self.ops {
            match op {
                Op::Deed(deed) | Op::Second(deed) | Op::Between(What::Deed(deed)) => change(deed),
                Op::Pass(pass) => {
                    pass.meddle.iter_mut().for_each(|(_, deed)| change(deed));
                    for (_, what) in &mut pass.surprises {
                        if let What::Deed(deed) = what {
                            change(deed);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Inserts so many of them anywhere.
    fn scatter(&mut self, draw: &mut Draw, count: usize, mut op: impl FnMut(&mut Draw) -> Op) {
        for _ in 0..count {
            let at = draw.rng.below(self.ops.len() + 1);
            self.ops.insert(at, op(draw));
        }
    }

    /// Lets that come into some passes.
    fn surprise(&mut self, draw: &mut Draw, chance: f64, mut what: impl FnMut(&mut Draw) -> (When, What)) {
        for op in &mut self.ops {
            if let Op::Pass(pass) = op
                && draw.rng.chance(chance)
            {
                pass.surprises.push(what(draw));
            }
        }
    }

    fn faults(&mut self, fault: Fault, draw: &mut Draw) {
        for op in &mut self.ops {
            if let Op::Pass(pass) = op
                && draw.rng.chance(0.6)
            {
                pass.faults.push((fault, [0.1, 0.3][draw.rng.below(2)]));
            }
        }
    }

    fn backups(&mut self, draw: &mut Draw) {
        let count = 1 + draw.rng.below(3);
        self.scatter(draw, count, |_| Op::Backup);
        let count = 2 + draw.rng.below(4);
        self.scatter(draw, count, |draw| {
            let pick = draw.pick();
            let act = if draw.rng.chance(0.7) { Act::Restore(pick) } else { Act::RestoreFolder(pick) };
            Op::Deed(Deed { side: Side::Local, act, after: 500 })
        });
    }

    fn clocks(&mut self, draw: &mut Draw) {
        self.clocks_are_set = true;
        let leap = |draw: &mut Draw| LEAPS[draw.rng.below(LEAPS.len())];
        self.scatter(draw, 2, |draw| Op::Between(What::Leap(leap(draw))));
        self.scatter(draw, 1, |draw| Op::Reboot([60, 100_000][draw.rng.below(2)], leap(draw)));
        self.surprise(draw, 0.3, |draw| (step(draw), What::Leap(leap(draw))));
    }

    fn refusals(&mut self, draw: &mut Draw) {
        self.faults(Fault::Rest, draw);
        self.surprise(draw, 0.6, |draw| {
            let call = CALLS[draw.rng.below(CALLS.len())];
            (When::Call(call, draw.rng.below(3) as u64), What::Deed(draw.any_deed()))
        });
    }

    fn slow_lists(&mut self, draw: &mut Draw) {
        self.twists.push(Twist::SlowLists([4, 30][draw.rng.below(2)]));
        // The first answer of a pass is the root's, later ones the trash's and those of further looks.
        self.surprise(draw, 0.8, |draw| {
            (When::Call(Call::SlowAnswer, [0, 0, 1, 2][draw.rng.below(4)]), What::Deed(draw.any_deed()))
        });
    }

    /// Answers to look-ups come late, and others act meanwhile.
    fn late_looks(&mut self, draw: &mut Draw) {
        self.faults(Fault::LateAnswer, draw);
        self.surprise(draw, 0.8, |draw| {
            (When::Call(Call::SlowAnswer, [0, 1, 2, 4][draw.rng.below(4)]), What::Deed(draw.any_deed()))
        });
    }

    fn volumes(&mut self, draw: &mut Draw) {
        let volume = |draw: &mut Draw| {
            let act = Act::Volume(draw.pick(), draw.name());
            Op::Deed(Deed { side: Side::Local, act, after: 300 })
        };
        let first = volume(draw);
        self.ops.insert(0, first);
        let count = draw.rng.below(2);
        self.scatter(draw, count, volume);
        let come_and_go = |draw: &mut Draw| match draw.rng.below(2) {
            0 => What::VolumesOff,
            _ => What::VolumesOn,
        };
        let count = 2 + draw.rng.below(3);
        self.scatter(draw, count, |draw| Op::Between(come_and_go(draw)));
        self.surprise(draw, 0.2, |draw| (step(draw), come_and_go(draw)));
        if draw.rng.chance(0.5) {
            self.twists.push(Twist::StartsWithoutVolumes);
        }
        if draw.rng.chance(0.3) && !self.has(Twist::FineTimes) && !self.has(Twist::NoIdentities) {
            self.twists.push(Twist::CoarseVolumes);
        }
    }

    fn copies(&mut self, draw: &mut Draw) {
        for _ in 0..1 + draw.rng.below(2) {
            let lost = (0..draw.rng.below(4)).map(|_| draw.pick()).collect();
            let volumes = draw.rng.chance(0.3);
            let at = draw.rng.below(self.ops.len() + 1);
            self.ops.insert(at, Op::Copied(volumes, lost));
        }
    }

    fn second_machine(&mut self, draw: &mut Draw) {
        if [Twist::DownloadOnly, Twist::UploadOnly, Twist::SmallGuard].iter().any(|twist| self.has(*twist)) {
            return;
        }
        self.twists.push(Twist::SecondMachine);
        let count = 2 + self.ops.len() / 4;
        self.scatter(draw, count, |draw| Op::Between(What::SecondPasses(second_pass(draw))));
        let count = 1 + self.ops.len() / 6;
        self.scatter(draw, count, |draw| {
            let deed = draw.any_deed();
            Op::Second(Deed { side: Side::Local, ..deed })
        });
        self.surprise(draw, 0.3, |draw| (step(draw), What::SecondPasses(second_pass(draw))));
    }
}

fn step(draw: &mut Draw) -> When {
    When::Step(draw.rng.below(90) as u64)
}

/// Others act only while the first machine works.
fn second_pass(draw: &mut Draw) -> Pass {
    let pass = draw.pass();
    Pass { folders_only: false, meddle: Vec::new(), crashes: Vec::new(), vanish: None, ..pass }
}
