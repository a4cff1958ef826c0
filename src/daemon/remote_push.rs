//! The push channel's owner: whether it is listened to, by whom, and when again.
//!
//! One thread at a time listens and then tells the loop what it heard; it decides nothing. Nobody waits for it when the daemon stops, and
//! one that a suspend left with a dead connection is given up: what it tells later is passed over.

use std::time::{Duration, Instant};

use super::timing::BackOff;
use crate::icloud::push::{Channel, Heard, PushError};

/// How long one request listens. Networks forget connections that are silent for longer.
const LISTEN: Duration = Duration::from_secs(300);
/// One request listens for at least so long, however soon the token is to be replaced.
const SHORTEST_LISTEN: Duration = Duration::from_secs(30);
/// The longest wait after failures, and the longest that the service may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
const LONGEST_ASKED: Duration = Duration::from_secs(6 * 60 * 60);
/// A sign of life, and a notification, that come sooner were not waited for. People make changes seconds apart, and each is told.
const HELD: Duration = Duration::from_secs(5);
const AWAITED: Duration = Duration::from_secs(1);
/// Between two requests at least, and after many answers in a row that came at once: notifications say something, signs of life nothing.
const FLOOR: Duration = Duration::from_secs(1);
const HIGHEST_OF_NEWS: Duration = Duration::from_secs(5);
const HIGHEST_FLOOR: Duration = Duration::from_secs(60);
/// So many answers in a row may come at once: as many files may just have been saved one after the other.
const MOST_QUICK: u32 = 8;
/// After a failure the channel counts as working once a request was held for so long.
const PROVEN: Duration = Duration::from_secs(20);
/// So much more time since the boot than on the clock that suspends stop says that the machine was asleep.
const ASLEEP: Duration = Duration::from_secs(5);
/// So many times in a row changes may be seen of which it did not tell; beyond, it does not count as what tells of them.
const MOST_MISSED: u32 = 3;
/// So many threads that were given up may still hold on; beyond, nobody listens until one has ended.
const MOST_GIVEN_UP: u32 = 2;

/// What a thread is to do.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    /// Tells this thread from others.
    pub serial: u64,
    /// The channel to listen to, and how long; without one it is opened.
    pub channel: Option<(Channel, Duration)>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Listened {
    pub serial: u64,
    pub result: Result<Came, PushError>,
}

/// What came of it where it went well.
#[derive(Debug)]
pub(super) enum Came {
    Opened(Box<Channel>),
    Heard(Heard),
}

/// Who listens.
#[derive(Clone, Copy, Debug)]
struct Listener {
    serial: u64,
    since: Instant,
}

/// How the channel is, for whom it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushIs {
    /// Not offered, not wanted, or not opened yet.
    Absent,
    /// It is listened to, and tells of changes.
    Working,
    /// It is listened to, and has told of nothing: not yet, or not of what was seen meanwhile.
    Mute,
    /// It is tried again.
    Failing,
    /// It refuses this session.
    Refused,
}

impl PushIs {
    /// Why iCloud is polled although the account offers a push channel; `None` where it is not.
    pub fn because(self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::Working => None,
            Self::Mute => Some("its push channel has not told of a change so far"),
            Self::Failing => Some("its push channel does not work at the moment"),
            Self::Refused => Some("its push channel refuses this session"),
        }
    }
}

/// Whether it tells of changes: a channel that is only held proves nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Proof {
    /// It told of something, and not much was missed since.
    is_given: bool,
    /// It told of something since changes were seen last.
    has_told: bool,
    /// So many times in a row changes were seen of which it did not tell.
    missed: u32,
}

/// The push channel.
pub(super) struct RemotePush {
    /// The account offers it, and the configuration allows it.
    is_used: bool,
    is_refused: bool,
    /// With the time since the boot from which on the token is to be replaced.
    channel: Option<(Channel, Duration)>,
    listener: Option<Listener>,
    serial: u64,
    given_up: u32,
    /// Nobody listens before.
    not_before: Instant,
    backoff: BackOff,
    has_failed: bool,
    /// How many answers in a row were not held.
    quick: u32,
    proof: Proof,
    /// Both clocks at the last turn.
    clocks: (Instant, Duration),
}

impl RemotePush {
    /// Nothing is known of it; `up` is the time since the boot.
    pub fn new(now: Instant, up: Duration) -> Self {
        Self {
            is_used: false,
            is_refused: false,
            channel: None,
            listener: None,
            serial: 0,
            given_up: 0,
            not_before: now,
            backoff: BackOff::default(),
            has_failed: false,
            quick: 0,
            proof: Proof::default(),
            clocks: (now, up),
        }
    }

    /// Whether the account offers it and the configuration allows it.
    pub fn is_used(&mut self, is_used: bool) {
        if !is_used {
            self.give_up();
            self.channel = None;
        }
        self.is_used = is_used;
    }

    /// Another session, or another configuration: what it refused it may give now.
    pub fn begin_anew(&mut self, now: Instant) {
        self.give_up();
        self.channel = None;
        (self.is_refused, self.has_failed, self.quick) = (false, false, 0);
        self.proof = Proof::default();
        self.backoff.over();
        self.not_before = now;
    }

    /// When somebody should listen; `None` while somebody does, or nobody should.
    pub fn due_at(&self) -> Option<Instant> {
        let may = self.is_used && !self.is_refused && self.given_up < MOST_GIVEN_UP;
        (may && self.listener.is_none()).then_some(self.not_before)
    }

    /// How it is.
    pub fn state(&self, now: Instant) -> PushIs {
        let held = self.listener.is_some_and(|listener| now >= listener.since + PROVEN);
        match () {
            () if !self.is_used => PushIs::Absent,
            () if self.is_refused => PushIs::Refused,
            () if self.channel.is_some() && (!self.has_failed || held) => {
                if self.proof.is_given {
                    PushIs::Working
                } else {
                    PushIs::Mute
                }
            }
            () if self.has_failed => PushIs::Failing,
            () => PushIs::Absent,
        }
    }

    /// Changes of others were seen on iCloud, whoever told of them.
    pub fn changes_seen(&mut self) {
        if std::mem::take(&mut self.proof.has_told) {
            self.proof.missed = 0;
        } else if self.channel.is_some() && self.listener.is_some() {
            self.proof.missed = self.proof.missed.saturating_add(1);
            self.proof.is_given &= self.proof.missed < MOST_MISSED;
        }
    }

    /// A thread begins; `up` is the time since the boot.
    pub fn begins(&mut self, now: Instant, up: Duration) -> Listening {
        self.serial += 1;
        self.listener = Some(Listener { serial: self.serial, since: now });
        let channel = self.channel.as_ref().filter(|(_, until)| up < *until);
        let channel = channel.map(|(channel, until)| {
            let left = until.saturating_sub(up);
            (channel.clone(), left.clamp(SHORTEST_LISTEN, LISTEN))
        });
        Listening { serial: self.serial, channel }
    }

    /// No thread could be started.
    pub fn cannot_begin(&mut self, unit_random: f64, now: Instant) {
        self.listener = None;
        self.fails(None, unit_random, now);
    }

    /// A thread is over. Says whether there is news; `up` is the time since the boot.
    pub fn listened(&mut self, listened: Listened, unit_random: f64, now: Instant, up: Duration) -> bool {
        let Some(listener) = self.listener.filter(|listener| listener.serial == listened.serial) else {
            self.given_up = self.given_up.saturating_sub(1);
            return false;
        };
        self.listener = None;
        match listened.result {
            Ok(Came::Opened(channel)) => {
                let until = up + channel.life();
                self.channel = Some((*channel, until));
                // A channel that opens and then fails each time waits longer each time.
                self.not_before = now;
                false
            }
            Ok(Came::Heard(heard)) => {
                self.goes_well(heard, now.saturating_duration_since(listener.since), now);
                heard == Heard::News
            }
            Err(error) => {
                log::debug!("{error}");
                match error {
                    PushError::Refused(_) => (self.is_refused, self.channel) = (true, None),
                    PushError::Expired => {
                        self.channel = None;
                        self.fails(None, unit_random, now);
                    }
                    PushError::Failed { asked, .. } => self.fails(asked, unit_random, now),
                }
                false
            }
        }
    }

    fn goes_well(&mut self, heard: Heard, held: Duration, now: Instant) {
        if heard == Heard::News {
            self.proof = Proof { is_given: true, has_told: true, missed: 0 };
        }
        self.has_failed = false;
        self.backoff.over();
        let (awaited, highest) = match heard {
            Heard::News => (AWAITED, HIGHEST_OF_NEWS),
            Heard::Silence => (HELD, HIGHEST_FLOOR),
        };
        self.quick = if held < awaited { self.quick.saturating_add(1) } else { 0 };
        let doublings = self.quick.saturating_sub(MOST_QUICK).min(16);
        self.not_before = now + (FLOOR * 2u32.saturating_pow(doublings)).min(highest);
    }

    fn fails(&mut self, asked: Option<Duration>, unit_random: f64, now: Instant) {
        // A second failure in a row: the token, or the address, may be what does not work.
        if self.has_failed {
            self.channel = None;
        }
        self.has_failed = true;
        let asked = asked.map(|asked| asked.min(LONGEST_ASKED));
        self.not_before = now + self.backoff.failed_for(asked, LONGEST_WAIT, unit_random, now);
    }

    /// Compares both clocks; says whether the machine was asleep since the last time. Who listened then is given up.
    pub fn has_slept(&mut self, now: Instant, up: Duration) -> bool {
        let (then, up_then) = std::mem::replace(&mut self.clocks, (now, up));
        let slept = up.saturating_sub(up_then).saturating_sub(now.saturating_duration_since(then));
        if slept < ASLEEP {
            return false;
        }
        log::debug!("the machine was asleep for {} s", slept.as_secs());
        self.give_up();
        self.backoff.over();
        self.not_before = now + FLOOR;
        true
    }

    /// Nobody listens any more, whatever the thread that did still waits for.
    fn give_up(&mut self) {
        if self.listener.take().is_some() {
            self.given_up += 1;
        }
    }
}

#[cfg(test)]
mod tests;
