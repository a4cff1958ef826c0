//! What one seed decides: the setting, and what happens in which order.

use std::fmt;

use icloudds::model::Side;

use super::twists::TWISTS;
pub use super::twists::Twist;
use crate::sim::disk::Vanished;
use crate::sim::rng::Rng;
use crate::sim::{Call, Crash, Fault};

/// Names that persons give; few, so that they meet.
const NAMES: [&str; 12] =
    ["a", "b", "c", "d.txt", "e.txt", "f.pdf", "g", "h.txt", "A", "D.TXT", "M\u{fc}ll", "Mu\u{308}ll"];
/// Names that take no part, or need care.
const ODD_NAMES: [&str; 5] =
    [".DS_Store", "own.ign", "kept.ign", "a (conflict 2027-01-15 08-00-00 sim).txt", "x.tmp"];

/// Where a person acts: the item that this number picks, or a new name in the folder that it picks.
pub type Pick = u64;

/// What a person does. It picks among what is there when its turn comes, so that it means something in any history.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A new file: folder, name, content.
    Create(Pick, &'static str, u32),
    /// A new folder.
    Mkdir(Pick, &'static str),
    /// New content in place.
    Edit(Pick, u32),
    /// New content by a new file that is renamed over the old one.
    Save(Pick, u32),
    /// New content by a new file at the path of the old one, which was renamed to a backup's name.
    SaveBeside(Pick, u32),
    /// New content with the old size and time.
    Forge(Pick, u32),
    /// Down to nothing.
    Empty(Pick),
    /// Another name in the same folder.
    Rename(Pick, &'static str),
    /// The same name in another case or normalisation.
    Respell(Pick),
    /// To another folder.
    Move(Pick, Pick),
    /// Over another file.
    MoveOver(Pick, Pick),
    /// Two items change names.
    Swap(Pick, Pick),
    /// Deleted; on iCloud to Recently Deleted.
    Delete(Pick),
    /// Deleted from Recently Deleted, or here for good.
    DeleteForGood(Pick),
    /// Brought back from Recently Deleted.
    PutBack(Pick),
    /// Only times or metadata.
    Touch(Pick),
    /// An old modification time.
    OldTime(Pick),
    /// A file becomes a folder, or the reverse.
    ChangeKind(Pick, u32),
    /// A package.
    Package(Pick, &'static str, u32),
    /// A link or socket; on iCloud something shared to the account.
    Special(Pick, &'static str),
    /// A second item of a name.
    Twin(Pick, u32),
    /// A folder that cannot be read, or can again.
    Readable(Pick, bool),
    /// An older version of a file comes back from the last backup.
    Restore(Pick),
    /// A whole folder does.
    RestoreFolder(Pick),
    /// A new volume is mounted in a folder.
    Volume(Pick, &'static str),
}

/// Somebody acts somewhere, after some milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// On which side.
    pub side: Side,
    /// What.
    pub act: Act,
    /// Time that passes before, in milliseconds; never 0, as two instants are never the same.
    pub after: u64,
}

/// What else comes in between.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A person acts.
    Deed(Deed),
    /// Somebody sets the wall clock, by so many seconds.
    Leap(i64),
    /// The volumes go.
    VolumesOff,
    /// The volumes come back.
    VolumesOn,
    /// The second machine works.
    SecondPasses(Pass),
}

/// When it comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// After so many steps.
    Step(u64),
    /// As such a call begins, after so many more of its kind.
    Call(Call, u64),
}

/// One pass of the program, with what comes in between.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// Only the folders where something happened are read again.
    pub folders_only: bool,
    /// iCloud is walked through.
    pub remote: bool,
    /// Waiting items are tried too.
    pub by_person: bool,
    /// The process is a new one.
    pub fresh: bool,
    /// Faults and how likely they are.
    pub faults: Vec<(Fault, f64)>,
    /// Persons acting so many steps from the begin.
    pub meddle: Vec<(u64, Deed)>,
    /// Crashes: each after so many steps of the run that follows the one before.
    pub crashes: Vec<(u64, Crash)>,
    /// The drive's folder goes away after so many steps, until the pass is over.
    pub vanish: Option<(u64, Vanished)>,
    /// Something else waits after so many steps of carrying it out, so that it comes to an early end.
    pub enough: Option<u64>,
    /// What else comes in between.
    pub surprises: Vec<(When, What)>,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A person acts.
    Deed(Deed),
    /// Time passes, in seconds.
    Wait(u64),
    /// The program works.
    Pass(Pass),
    /// Held deletions are approved (`true`) or rejected.
    Decide(bool),
    /// The state is lost.
    LoseState,
    /// The process is stopped at rest, and the power goes.
    PowerCut,
    /// The machine is shut down for so many seconds, and when it boots the wall clock is off by so many.
    Reboot(u64, i64),
    /// Something that else comes in the midst of a pass.
    Between(What),
    /// A person acts at the second machine.
    Second(Deed),
    /// A backup of the folder here is taken.
    Backup,
    /// The process is stopped at rest, and the folder here, or each volume in it (`true`), is copied to another disk; so much of it the
    /// copy loses.
    Copied(bool, Vec<Pick>),
}

/// A whole history.
#[derive(Clone, PartialEq)]
pub struct History {
    /// What everything follows from.
    pub seed: u64,
    /// What is not the default.
    pub twists: Vec<Twist>,
    /// Whether odd names, special files, shared items and the like come into it.
    pub odd: bool,
    /// Whether a pass without iCloud comes before each look, and looks at iCloud go on beside it, as in the daemon.
    pub apart: bool,
    /// Whether a change feed says where to look.
    pub hints: bool,
    /// Whether somebody sets the wall clock.
    pub clocks_are_set: bool,
    /// What happens.
    pub ops: Vec<Op>,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, twists {:?}, odd {}, apart {}", self.seed, self.twists, self.odd, self.apart)?;
        self.ops.iter().enumerate().try_for_each(|(number, op)| writeln!(f, "  {number}: {op:?}"))
    }
}

impl History {
    /// Whether the program of it is a daemon, which watches the folder here and hands over what a walk through iCloud saw before the pass;
    /// else each of its passes is that of `once`.
    pub fn is_daemon(&self) -> bool {
        self.seed % 2 == 1
    }

    /// The history of a seed, of about `steps` operations.
    pub fn new(seed: u64, steps: usize) -> Self {
        let mut rng = Rng::new(crate::sim::rng::mix(seed ^ 0x50a4));
        let count = [0, 0, 1, 1, 1, 2][rng.below(6)];
        let twists = (0..count).filter_map(|_| rng.pick(&TWISTS).copied()).collect();
        let odd = rng.chance(0.3);
        let mut draw = Draw { rng, odd, content: 0, stormy: false };
        let mut ops = Vec::new();
        for _ in 0..4 + draw.rng.below(8) {
            let create = draw.creation();
            ops.push(Op::Deed(draw.deed(create)));
        }
        if draw.rng.chance(0.9) {
            ops.push(Op::Pass(Pass { remote: true, ..Pass::default() }));
            ops.push(Op::Wait(draw.old()));
        }
        draw.stormy = draw.rng.chance(0.8);
        for _ in 0..steps / 2 + draw.rng.below(steps.max(1)) {
            ops.push(draw.op());
        }
        cut_some_short(seed, &mut ops);
        leave_some_undone(seed, &mut ops);
        let mut history = Self { seed, twists, odd, apart: false, hints: false, clocks_are_set: false, ops };
        history.lose_some_contents();
        history
    }

    /// The same where a change feed and a push channel say when and where to look, with passes that ask iCloud nothing in between in some.
    pub fn with_hints(seed: u64, steps: usize) -> Self {
        let apart = crate::sim::rng::mix(seed ^ 0xa9a7).is_multiple_of(4);
        Self { hints: true, apart, ..Self::new(seed, steps) }
    }

    /// The history of a seed in which looks at iCloud go by etag, however those move.
    pub fn by_etag(seed: u64, steps: usize) -> Self {
        let mut history = Self { hints: true, ..Self::new(seed, steps) };
        let moves = [Twist::EtagAlways, Twist::EtagLapses(7), Twist::EtagLapses(2), Twist::EtagParent];
        history.twists.insert(0, moves[Rng::new(crate::sim::rng::mix(seed ^ 0xe7a6)).below(4)]);
        history
    }

    /// Whether looks at iCloud go by etag.
    pub fn goes_by_etag(&self) -> bool {
        let is_of_etags =
            |twist: &Twist| matches!(twist, Twist::EtagAlways | Twist::EtagLapses(_) | Twist::EtagParent);
        self.twists.iter().any(is_of_etags)
    }

    /// Where persons do not sync, a power cut mostly takes contents apart from names. Drawn apart, so that everything else of a
    /// seed stays what it was.
    fn lose_some_contents(&mut self) {
        let mut rng = Rng::new(crate::sim::rng::mix(self.seed ^ 0xd15c));
        let is_drawn = rng.chance(if self.has(Twist::LazyPersons) { 0.8 } else { 0.05 });
        let is_wanted = super::number("SIM_CUTS").is_some_and(|every| self.seed.is_multiple_of(every.max(1)));
        if is_drawn || is_wanted {
            self.twists.push(Twist::LosesContents);
            if rng.chance(0.3) {
                self.twists.push(Twist::DiskLosesPower);
            }
        }
    }

    /// Whether that was drawn.
    pub fn has(&self, twist: Twist) -> bool {
        self.twists.contains(&twist)
    }
}

/// In some passes the service says that it did what it did not do. Drawn apart too.
fn leave_some_undone(seed: u64, ops: &mut [Op]) {
    let mut rng = Rng::new(crate::sim::rng::mix(seed ^ 0x0eff));
    if rng.chance(0.8) {
        return;
    }
    for op in ops {
        if let Op::Pass(pass) = op
            && rng.chance(0.4)
        {
            pass.faults.push((Fault::NoEffect, [0.1, 0.5][rng.below(2)]));
        }
    }
}

/// Some passes come to an early end. Drawn apart, so that everything else of a seed stays what it was.
fn cut_some_short(seed: u64, ops: &mut [Op]) {
    let mut rng = Rng::new(crate::sim::rng::mix(seed ^ 0xe007));
    for op in ops {
        if let Op::Pass(pass) = op
            && rng.chance(0.15)
        {
            pass.enough = Some(rng.below(8) as u64);
        }
    }
}

/// Which contents a draw beside a history writes: two persons who write the same by chance cannot be told apart.
#[derive(Clone, Copy)]
pub(super) enum Contents {
    Powers,
    LateLooks,
    Volumes,
    Copies,
}

pub(super) struct Draw {
    pub(super) rng: Rng,
    odd: bool,
    content: u32,
    stormy: bool,
}

impl Draw {
    /// For a history that is there: what is drawn meets nothing that it has. Each such draw writes `contents` of its own.
    pub(super) fn beside(rng: Rng, odd: bool, contents: Contents) -> Self {
        Self { rng, odd, content: 50_000 + 10_000 * contents as u32, stormy: true }
    }

    pub(super) fn pick(&mut self) -> Pick {
        self.rng.number()
    }

    /// Sometimes longer than a day, so that what was made counts for the guard.
    fn old(&mut self) -> u64 {
        if self.rng.chance(0.5) { 100_000 } else { 60 }
    }

    pub(super) fn name(&mut self) -> &'static str {
        if self.odd && self.rng.chance(0.15) {
            ODD_NAMES[self.rng.below(ODD_NAMES.len())]
        } else {
            let known = if self.rng.chance(0.8) { 8 } else { NAMES.len() };
            NAMES[self.rng.below(known)]
        }
    }

    /// Mostly new; now and then one that others wrote already.
    fn content(&mut self) -> u32 {
        if self.rng.chance(0.06) {
            return self.rng.below(3) as u32;
        }
        self.content += 1;
        self.content + 10
    }

    fn deed(&mut self, act: Act) -> Deed {
        let side = if self.rng.chance(0.5) { Side::Local } else { Side::Remote };
        let after = [1, 5, 300, 1500, 4000, 60_000][self.rng.below(6)];
        Deed { side, act, after }
    }

    fn creation(&mut self) -> Act {
        if self.rng.chance(0.4) {
            Act::Mkdir(self.pick(), self.name())
        } else {
            Act::Create(self.pick(), self.name(), self.content())
        }
    }

    fn act(&mut self) -> Act {
        let (a, b) = (self.pick(), self.pick());
        match self.rng.below(if self.odd { 43 } else { 36 }) {
            0..=4 => Act::Create(a, self.name(), self.content()),
            5..=6 => Act::Mkdir(a, self.name()),
            7..=10 => Act::Edit(a, self.content()),
            11..=12 => Act::Save(a, self.content()),
            13 => Act::Empty(a),
            14..=16 => Act::Rename(a, self.name()),
            17 => Act::Respell(a),
            18..=21 => Act::Move(a, b),
            22 => Act::MoveOver(a, b),
            23..=24 => Act::Swap(a, b),
            25..=28 => Act::Delete(a),
            29 => Act::DeleteForGood(a),
            30..=31 => Act::PutBack(a),
            32 => Act::Touch(a),
            33 => Act::OldTime(a),
            34 => Act::ChangeKind(a, self.content()),
            35 => Act::Forge(a, self.content()),
            36..=37 => Act::Package(a, self.name(), self.content()),
            38..=39 => Act::Special(a, self.name()),
            40 => Act::Twin(a, self.content()),
            41 => Act::Readable(a, false),
            _ => Act::Readable(a, true),
        }
    }

    pub(super) fn any_deed(&mut self) -> Deed {
        let act = self.act();
        self.deed(act)
    }

    fn op(&mut self) -> Op {
        match self.rng.below(100) {
            0..=56 => Op::Deed(self.any_deed()),
            57..=61 => Op::Wait([3, 30, 100, 4000][self.rng.below(4)]),
            62..=95 => Op::Pass(self.pass()),
            96..=97 => Op::Decide(self.rng.chance(0.5)),
            98 if self.stormy => Op::PowerCut,
            _ if self.rng.chance(0.3) => Op::LoseState,
            _ => Op::Wait(1),
        }
    }

    pub(super) fn pass(&mut self) -> Pass {
        let mut pass = Pass {
            folders_only: self.rng.chance(0.4),
            remote: self.rng.chance(0.7),
            by_person: self.rng.chance(0.5),
            fresh: self.rng.chance(0.2),
            ..Pass::default()
        };
        if !self.stormy {
            return pass;
        }
        if self.rng.chance(0.45) {
            for _ in 0..=self.rng.below(3) {
                pass.faults
                    .push((FAULTS[self.rng.below(FAULTS.len())], [0.02, 0.08, 0.3][self.rng.below(3)]));
            }
        }
        if self.rng.chance(0.45) {
            for _ in 0..=self.rng.below(3) {
                pass.meddle.push((self.rng.below(90) as u64, self.any_deed()));
            }
        }
        if self.rng.chance(0.3) {
            for _ in 0..=self.rng.below(3) {
                let how = if self.rng.chance(0.5) { Crash::Kill } else { Crash::PowerCut };
                pass.crashes.push((1 + self.rng.below(120) as u64, how));
            }
        }
        if self.rng.chance(0.04) {
            let how = if self.rng.chance(0.5) { Vanished::Empty } else { Vanished::Failing };
            pass.vanish = Some((self.rng.below(60) as u64, how));
        }
        pass
    }
}

/// What goes wrong at random. Not [`Fault::Corrupt`]: where nothing tells the signature, nobody can notice it.
const FAULTS: [Fault; 17] = [
    Fault::Unreachable,
    Fault::Busy,
    Fault::LostAnswer,
    Fault::LostRequest,
    Fault::Stale,
    Fault::Quota,
    Fault::Refused,
    Fault::Short,
    Fault::StartOver,
    Fault::LateListing,
    Fault::PartialListing,
    Fault::ShortListing,
    Fault::ShuffledListing,
    Fault::NoAnswer,
    Fault::Account,
    Fault::Io,
    Fault::Full,
];
