//! Tokens and ids: they look random and are fixed by the seed, so that a run can be repeated.

use crate::fault::mix;

/// A source of tokens.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    state: u64,
}

impl Ids {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.word().to_le_bytes()).flatten().take(count).collect()
    }

    /// So many lower-case hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text: String =
            self.bytes(digits.div_ceil(2)).iter().map(|byte| format!("{byte:02x}")).collect();
        text.truncate(digits);
        text
    }

    /// An upper-case UUID of version 4's shape.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex(32).to_uppercase();
        format!("{}-{}-4{}-A{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// So many decimal digits, as security codes have.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.word() % 10).unwrap_or(0))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_repeat_and_differ() {
        let (mut one, mut same, mut other) = (Ids::new(1), Ids::new(1), Ids::new(2));
        assert_eq!(one.uuid(), same.uuid());
        assert_ne!(one.uuid(), other.uuid());
        assert_eq!(one.uuid().len(), 36);
        assert_eq!(one.digits(6).len(), 6);
        assert_eq!(one.hex(7).len(), 7);
    }
}
