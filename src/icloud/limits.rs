//! How long a call may take, and how much it may bring.

use std::time::Duration;

/// Time and size limits of one call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest time to resolve the name, and again to connect and shake hands.
    pub connect: Duration,
    /// Longest time for the whole call, if it is bounded.
    pub whole: Option<Duration>,
    /// Longest time without a byte moving in either direction.
    pub stall: Duration,
    /// Largest answer in bytes; only [`Http::call`](super::http::Http::call) enforces it.
    pub max_body: u64,
    /// The service is known to take long for it (`docs/protocol.md` §8.1): it is waited for where others are not.
    pub may_be_slow: bool,
}

impl Limits {
    /// Limits of a call with a JSON answer: 2 minutes, 2 MiB. The largest of them name some dozen items. What they become in
    /// memory is many times as much where they hold nothing but brackets.
    pub const JSON: Limits = Limits {
        connect: Duration::from_secs(20),
        whole: Some(Duration::from_secs(120)),
        stall: Duration::from_secs(60),
        max_body: 2 << 20,
        may_be_slow: false,
    };
    /// Limits of a change that no etag guards, and that rests on a look a moment ago: as [`Limits::JSON`], but for a connection that it may
    /// need first. What another device does meanwhile is overridden (`docs/sync.md` §6).
    pub const AFTER_LOOK: Limits = Limits { connect: Duration::from_secs(3), ..Self::JSON };
    /// Limits of a sign-in call: 1 minute, 2 MiB.
    pub const SIGN_IN: Limits = Limits {
        connect: Duration::from_secs(20),
        whole: Some(Duration::from_secs(60)),
        stall: Duration::from_secs(60),
        max_body: 2 << 20,
        may_be_slow: true,
    };
    /// Limits of a transfer: no limit on the whole, 2 minutes without progress.
    pub const TRANSFER: Limits = Limits {
        connect: Duration::from_secs(20),
        whole: None,
        stall: Duration::from_secs(120),
        max_body: 1 << 20,
        may_be_slow: false,
    };

    /// Whether they are those of a change that rests on a look a moment ago.
    pub(super) fn follow_a_look(&self) -> bool {
        self.connect == Self::AFTER_LOOK.connect
    }

    /// These limits where nobody waits longer than `silence` for a byte, but for what may be slow.
    pub(super) fn within(self, silence: Option<Duration>) -> Self {
        match silence {
            Some(silence) if !self.may_be_slow => Self {
                whole: self.whole.map(|whole| whole.min(silence * 2)),
                stall: self.stall.min(silence),
                connect: self.connect.min(silence),
                ..self
            },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_waits_long_only_what_may_be_slow_is_waited_for() {
        let seconds = Duration::from_secs;
        let of = |limits: Limits| (limits.whole, limits.stall, limits.connect);
        assert_eq!(of(Limits::JSON.within(Some(seconds(15)))), (Some(seconds(30)), seconds(15), seconds(15)));
        assert_eq!(of(Limits::TRANSFER.within(Some(seconds(25)))), (None, seconds(25), seconds(20)));
        for limits in [Limits::SIGN_IN.within(Some(seconds(1))), Limits::SIGN_IN.within(None)] {
            assert_eq!(of(limits), of(Limits::SIGN_IN));
        }
        assert_eq!(of(Limits::TRANSFER.within(None)), of(Limits::TRANSFER));
    }
}
