//! What the cheap check of iCloud itself is compared with.

use crate::icloud::drive::Pulse;

/// What the check before showed.
#[derive(Debug, Default)]
pub(super) enum Counts {
    /// Nothing so far: the walk that comes first is what the next check goes on from.
    #[default]
    Unknown,
    /// Nothing, since the change feed was what told of changes until now: whatever the next check shows, something may have changed.
    Untaken,
    /// This.
    Taken(Pulse),
}

impl Counts {
    /// The change feed tells of changes, and iCloud itself is not checked.
    pub fn feed_tells(&mut self) {
        if matches!(self, Self::Unknown) {
            *self = Self::Untaken;
        }
    }

    /// A check showed this; whether something changed, or may have.
    pub fn checked(&mut self, pulse: Pulse) -> bool {
        let moved = match self {
            Self::Unknown => false,
            Self::Untaken => true,
            Self::Taken(known) => *known != pulse,
        };
        *self = Self::Taken(pulse);
        moved
    }
}
