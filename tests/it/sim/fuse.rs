//! Where the world breaks: every effect at every port passes here and is counted.
//!
//! A *step* lies before and after each effect. At a step the process can crash, and a
//! person can act (an interjection). Faults are drawn per call from the seed, or scripted.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use icloudds::engine::ports::{DiskError, RemoteError, Stopped, StoreError};
use icloudds::model::RelPath;

use super::rng;

/// A lock that a crash does not spoil: nothing unwinds while the world is half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what happens in the simulated world as it happens, where `SIM_TRACE` is set.
pub fn say(what: impl FnOnce() -> String) {
    static IS_ON: LazyLock<bool> = LazyLock::new(|| std::env::var_os("SIM_TRACE").is_some());
    if *IS_ON {
        eprintln!("      {}", what());
    }
}

/// The calls of all ports.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    List,
    ListTrash,
    LookUp,
    CreateFolders,
    RenameRemote,
    MoveRemote,
    TrashRemote,
    DeleteTrashed,
    PutBack,
    Offers,
    Fetch,
    Stage,
    Commit,
    /// Right before a commit, where some take effect late.
    LateCommit,
    CheckRoot,
    ReadFolder,
    Look,
    Open,
    Read,
    MakeFolder,
    Download,
    Write,
    Finish,
    Place,
    Replace,
    Discard,
    Rescue,
    RenameLocal,
    TrashLocal,
    Sync,
    Store,
    Pause,
    /// In the midst of a slow answer.
    SlowAnswer,
}

impl Call {
    /// Whether the call can change the drive, the disk or the store.
    pub fn changes(self) -> bool {
        !matches!(
            self,
            Self::List
                | Self::ListTrash
                | Self::LookUp
                | Self::Offers
                | Self::CheckRoot
                | Self::ReadFolder
                | Self::Look
                | Self::Open
                | Self::Read
                | Self::Pause
                | Self::SlowAnswer
        )
    }
}

/// What can go wrong at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// iCloud cannot be reached; nothing is done.
    Unreachable,
    /// iCloud is busy; nothing is done.
    Busy,
    /// The answer is lost; it is done.
    LostAnswer,
    /// The answer is an error, and it is done up to a minute later.
    LateEffect,
    /// The request is lost, which looks the same; nothing is done.
    LostRequest,
    /// The item's metadata changes just before: the call is refused as stale.
    Stale,
    /// It is answered as done, and nothing is done.
    NoEffect,
    /// The same of what makes, brings back or deletes something for good.
    NothingMade,
    /// iCloud wants to be asked again in a while; nothing is done.
    Rest,
    /// The account's storage is full.
    Quota,
    /// Refused for good.
    Refused,
    /// The transfer breaks off half-way.
    Short,
    /// One byte comes wrong, in the right length. Only an own check can notice.
    Corrupt,
    /// The service starts over at byte 0.
    StartOver,
    /// The listing is some seconds old.
    LateListing,
    /// The listing lacks items and says so.
    PartialListing,
    /// The listing lacks items and adds up all the same.
    ShortListing,
    /// The listing comes in another order.
    ShuffledListing,
    /// A look-up says "gone" of an item that is there.
    Flap,
    /// A look-up gives no usable answer for an item.
    NoAnswer,
    /// The answer to a look-up is under way for many seconds, and shows the drive as it was when it was asked for.
    LateAnswer,
    /// The session is over and needs its owner.
    Account,
    /// The disk's or the store's error.
    Io,
    /// No space left on the disk.
    Full,
}

/// Steps beyond which a world that should have come to its end never will.
const MOST_STEPS: u64 = 400_000;

struct Scripted {
    call: Call,
    skip: u64,
    fault: Fault,
}

type Hook = Box<dyn FnOnce() + Send>;

/// What happens as a call begins, after so many more of its kind.
struct Awaited {
    call: Call,
    skip: u64,
    act: Hook,
}

#[derive(Default)]
struct Inner {
    seed: u64,
    steps: u64,
    crash_at: Option<u64>,
    blown: bool,
    rates: BTreeMap<Fault, f64>,
    script: Vec<Scripted>,
    drawn: HashMap<(Call, String), u64>,
    calls: BTreeMap<Call, u64>,
    trace: Vec<(Call, String)>,
    hooks: Vec<(u64, Hook)>,
    awaited: Vec<Awaited>,
}

/// Counts effects, crashes the process, draws faults.
#[derive(Default)]
pub struct Fuse(Mutex<Inner>);

/// What a crash unwinds with.
struct Crash;

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<R> {
    /// It returned.
    Done(R),
    /// The process crashed on the way.
    Crashed,
}

/// The process is dead already: a destructor still calls, and nothing happens any more.
#[derive(Debug)]
pub struct Dead;

impl From<Dead> for RemoteError {
    fn from(_: Dead) -> Self {
        Self::Unreachable("the process is dead".into())
    }
}

impl From<Dead> for DiskError {
    fn from(_: Dead) -> Self {
        Self::Io {
            what: "reach",
            path: RelPath::root(),
            source: std::io::Error::other("the process is dead"),
        }
    }
}

impl From<Dead> for std::io::Error {
    fn from(_: Dead) -> Self {
        Self::other("the process is dead")
    }
}

impl From<Dead> for StoreError {
    fn from(_: Dead) -> Self {
        Self::Failed("the process is dead".into())
    }
}

impl From<Dead> for Stopped {
    fn from(_: Dead) -> Self {
        Self
    }
}

impl Fuse {
    /// A fuse that never blows and no faults; `seed` decides on those that are switched on later.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Inner { seed, ..Inner::default() }))
    }

    /// Crashes the process `steps` steps from now.
    pub fn crash_after(&self, steps: u64) {
        let mut inner = lock(&self.0);
        inner.crash_at = Some(inner.steps + steps);
    }

    /// Lets a fault happen with that probability wherever it can.
    pub fn rate(&self, fault: Fault, probability: f64) {
        lock(&self.0).rates.insert(fault, probability);
    }

    /// Switches all faults off, the scripted ones too.
    pub fn calm(&self) {
        let mut inner = lock(&self.0);
        inner.rates.clear();
        inner.script.clear();
        inner.crash_at = None;
    }

    /// Lets a fault happen at the call after `skip` more of its kind, once.
    pub fn script(&self, call: Call, skip: u64, fault: Fault) {
        lock(&self.0).script.push(Scripted { call, skip, fault });
    }

    /// Lets a person act `steps` steps from now, in the middle of whatever happens then.
    pub fn interject(&self, steps: u64, act: impl FnOnce() + Send + 'static) {
        let mut inner = lock(&self.0);
        let at = inner.steps + steps;
        inner.hooks.push((at, Box::new(act)));
    }

    /// Lets a person act as that call begins, after `skip` more of its kind.
    pub fn interject_at(&self, call: Call, skip: u64, act: impl FnOnce() + Send + 'static) {
        lock(&self.0).awaited.push(Awaited { call, skip, act: Box::new(act) });
    }

    /// Nobody acts any more who waits for a call.
    pub fn await_no_more(&self) {
        let awaited = std::mem::take(&mut lock(&self.0).awaited);
        drop(awaited);
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        lock(&self.0).steps
    }

    /// How often each call was made since [`Fuse::forget_calls`].
    pub fn calls(&self) -> BTreeMap<Call, u64> {
        lock(&self.0).calls.clone()
    }

    /// The calls since [`Fuse::forget_calls`] in order, each with what it was about.
    pub fn trace(&self) -> Vec<(Call, String)> {
        lock(&self.0).trace.clone()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        let mut inner = lock(&self.0);
        inner.calls.clear();
        inner.trace.clear();
    }

    /// Steps are counted from here on, for a process that lasts for long and whose every day ends.
    pub fn count_anew(&self) {
        self.forget_calls();
        lock(&self.0).steps = 0;
    }

    /// Whether the process has crashed and was not started again.
    pub fn is_blown(&self) -> bool {
        lock(&self.0).blown
    }

    /// The process starts again.
    pub fn renew(&self) {
        let mut inner = lock(&self.0);
        inner.blown = false;
        inner.crash_at = None;
    }

    /// Runs the process until it returns or crashes. A panic of its own goes on as one.
    pub fn run<R>(&self, process: impl FnOnce() -> R) -> Outcome<R> {
        match catch_unwind(AssertUnwindSafe(process)) {
            Ok(done) => Outcome::Done(done),
            // A crash in a thread of the process reaches us as its scope's own panic.
            Err(_) if self.is_blown() => Outcome::Crashed,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Whether that fault can happen now.
    pub fn knows(&self, fault: Fault) -> bool {
        let inner = lock(&self.0);
        inner.rates.contains_key(&fault) || inner.script.iter().any(|next| next.fault == fault)
    }

    /// A call begins: counted, and its fault is drawn from those that can happen there.
    /// Includes the step before its effect.
    ///
    /// # Errors
    ///
    /// [`Dead`] when a destructor calls after the crash.
    pub fn enter(&self, call: Call, about: &str, possible: &[Fault]) -> Result<Option<Fault>, Dead> {
        say(|| format!("{} {call:?} {about}", self.steps()));
        self.step()?;
        self.awaited(call);
        let mut inner = lock(&self.0);
        *inner.calls.entry(call).or_default() += 1;
        inner.trace.push((call, about.to_owned()));
        if let Some(at) = inner.script.iter().position(|next| next.call == call) {
            if inner.script[at].skip == 0 {
                return Ok(Some(inner.script.remove(at).fault));
            }
            inner.script[at].skip -= 1;
        }
        if inner.rates.is_empty() {
            return Ok(None);
        }
        let nth = {
            let drawn = inner.drawn.entry((call, about.to_owned())).or_default();
            *drawn += 1;
            *drawn
        };
        let mut luck = rng::unit(rng::keyed(inner.seed, &format!("{call:?} {about}"), nth));
        for fault in possible {
            let rate = inner.rates.get(fault).copied().unwrap_or(0.0);
            if luck < rate {
                return Ok(Some(*fault));
            }
            luck -= rate;
        }
        Ok(None)
    }

    /// Who waits for that call acts.
    fn awaited(&self, call: Call) {
        let due: Vec<Awaited> = {
            let mut inner = lock(&self.0);
            if inner.awaited.is_empty() {
                return;
            }
            let (due, later) = std::mem::take(&mut inner.awaited)
                .into_iter()
                .partition(|awaited| awaited.call == call && awaited.skip == 0);
            inner.awaited = later;
            for awaited in inner.awaited.iter_mut().filter(|awaited| awaited.call == call) {
                awaited.skip -= 1;
            }
            due
        };
        due.into_iter().for_each(|awaited| (awaited.act)());
    }

    /// One step: between two effects.
    ///
    /// # Errors
    ///
    /// [`Dead`] when a destructor calls after the crash.
    pub fn step(&self) -> Result<(), Dead> {
        let (blown, due) = {
            let mut inner = lock(&self.0);
            let mut due = Vec::new();
            if !inner.blown {
                inner.steps += 1;
                assert!(inner.steps < MOST_STEPS, "the process goes on for ever");
                inner.blown = inner.crash_at.is_some_and(|at| inner.steps >= at);
                let now = inner.steps;
                if inner.hooks.iter().any(|(at, _)| *at <= now) {
                    let (ripe, later): (Vec<_>, Vec<_>) =
                        std::mem::take(&mut inner.hooks).into_iter().partition(|(at, _)| *at <= now);
                    inner.hooks = later;
                    due = ripe;
                }
            }
            (inner.blown, due)
        };
        for (_, act) in due {
            act();
        }
        if !blown {
            return Ok(());
        }
        if std::thread::panicking() {
            return Err(Dead);
        }
        // Not `panic!`: a planned crash prints nothing.
        resume_unwind(Box::new(Crash))
    }
}
