//! Two clocks that are never compared with each other.

use std::fmt;

/// A time of the local disk: nanoseconds since 1970, cut to what fits 64 bits (1677 to 2262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskTime(pub i64);

impl DiskTime {
    /// From seconds and nanoseconds as `stat` gives them.
    pub fn new(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos)))
    }

    /// Whole seconds, cut downwards: what is sent to iCloud (`docs/protocol.md` §17).
    pub fn whole_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// The part below a second, in nanoseconds.
    pub fn nanos(self) -> u32 {
        u32::try_from(self.0.rem_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// Whether it lies within `seconds` of `other`, on either side.
    pub fn is_within(self, seconds: i64, other: Self) -> bool {
        self.0.abs_diff(other.0) <= seconds.unsigned_abs().saturating_mul(1_000_000_000)
    }
}

/// A modification time as iCloud keeps it: whole seconds since 1970.
///
/// Not comparable with a [`DiskTime`]: each side is compared with its own base, so a
/// freshly uploaded file never looks edited. Protocol: `docs/protocol.md` §17.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTime(pub i64);

impl fmt::Display for ServerTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}
