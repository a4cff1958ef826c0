//! What may be missing, in a word: a million items have several of each.

use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU64;

use super::{DiskTime, ServerTime, Side};

/// What can be kept in 64 bits of which not all are zero. What does not fit is brought to the nearest that does.
pub trait Word: Copy {
    /// The bits.
    fn pack(self) -> u64;

    /// What was packed.
    fn unpack(bits: u64) -> Self;
}

impl Word for u64 {
    fn pack(self) -> u64 {
        self.saturating_add(1)
    }

    fn unpack(bits: u64) -> Self {
        bits.wrapping_sub(1)
    }
}

impl Word for i64 {
    fn pack(self) -> u64 {
        self.max(Self::MIN + 1).wrapping_sub(Self::MIN).cast_unsigned()
    }

    fn unpack(bits: u64) -> Self {
        bits.cast_signed().wrapping_add(Self::MIN)
    }
}

impl Word for DiskTime {
    fn pack(self) -> u64 {
        self.0.pack()
    }

    fn unpack(bits: u64) -> Self {
        Self(Word::unpack(bits))
    }
}

impl Word for ServerTime {
    fn pack(self) -> u64 {
        self.0.pack()
    }

    fn unpack(bits: u64) -> Self {
        Self(Word::unpack(bits))
    }
}

/// A side, and seconds, of which 63 bits are kept.
impl Word for (Side, i64) {
    fn pack(self) -> u64 {
        let seconds = self.1.clamp(i64::MIN / 2 + 1, i64::MAX / 2);
        (seconds << 1 | i64::from(self.0 == Side::Remote)).pack()
    }

    fn unpack(bits: u64) -> Self {
        let both = i64::unpack(bits);
        (if both & 1 == 0 { Side::Local } else { Side::Remote }, both >> 1)
    }
}

/// An [`Option`] of a number or a time that takes eight bytes instead of sixteen. The largest size, and the earliest time, that
/// 64 bits can tell are not told apart from the next ones: no file has them.
pub struct Maybe<T>(Option<NonZeroU64>, PhantomData<T>);

impl<T: Word> Maybe<T> {
    /// Nothing.
    pub const NONE: Self = Self(None, PhantomData);

    /// What there is.
    pub fn get(self) -> Option<T> {
        self.0.map(|bits| T::unpack(bits.get()))
    }
}

impl<T: Word> From<Option<T>> for Maybe<T> {
    fn from(value: Option<T>) -> Self {
        Self(value.and_then(|value| NonZeroU64::new(value.pack())), PhantomData)
    }
}

impl<T> Clone for Maybe<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Maybe<T> {}

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None, PhantomData)
    }
}

impl<T> PartialEq for Maybe<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Maybe<T> {}

impl<T> std::hash::Hash for Maybe<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T: Word> PartialEq<Option<T>> for Maybe<T> {
    fn eq(&self, other: &Option<T>) -> bool {
        *self == Self::from(*other)
    }
}

impl<T: Word + fmt::Debug> fmt::Debug for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// What hardly any item has: eight bytes where it is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare<T>(Option<Box<T>>);

impl<T: Copy> Rare<T> {
    /// Nothing.
    pub const NONE: Self = Self(None);

    /// What there is.
    pub fn get(&self) -> Option<T> {
        self.0.as_deref().copied()
    }
}

impl<T: PartialEq> PartialEq<Option<T>> for Rare<T> {
    fn eq(&self, other: &Option<T>) -> bool {
        self.0.as_deref() == other.as_ref()
    }
}

impl<T> From<Option<T>> for Rare<T> {
    fn from(value: Option<T>) -> Self {
        Self(value.map(Box::new))
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<T: Word + PartialEq + fmt::Debug>(value: T) {
        assert_eq!(Maybe::from(Some(value)).get(), Some(value));
        assert_ne!(Maybe::from(Some(value)), Maybe::NONE);
    }

    #[test]
    fn what_there_is_comes_back_in_a_word() {
        for number in [0, 1, 4096, u64::MAX - 1] {
            comes_back(number);
        }
        for number in [0, -1, 1_800_000_000, i64::MAX, i64::MIN + 1] {
            comes_back(number);
            comes_back(DiskTime(number));
            comes_back(ServerTime(number));
        }
        for seconds in [0, -1, 1_800_000_000, i64::MAX / 2, i64::MIN / 2 + 1] {
            comes_back((Side::Local, seconds));
            comes_back((Side::Remote, seconds));
        }
        assert_eq!(Maybe::<u64>::from(None).get(), None);
        assert_eq!(Maybe::from(Some(u64::MAX)).get(), Some(u64::MAX - 1));
        assert_eq!(Maybe::from(Some(i64::MIN)).get(), Some(i64::MIN + 1));
        assert_eq!(Maybe::from(Some((Side::Local, i64::MAX))).get(), Some((Side::Local, i64::MAX / 2)));
        assert_eq!(size_of::<Maybe<u64>>(), 8);
        assert_eq!(size_of::<Rare<[u8; 20]>>(), 8);
    }
}
