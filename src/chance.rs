//! Randomness fit for keys, from the kernel.

use std::fmt::Write as _;

/// The kernel gives no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel gives no random numbers ({0}), without which no key can be made")]
pub struct NoRandomness(String);

/// Randomness fit for keys.
pub trait Chance: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The kernel's.
pub struct SystemChance;

impl SystemChance {
    /// Tries it, once at the start of the program: what has answered once goes on answering. The call fails alone where
    /// the kernel, or a filter that was set before this program began, does not know it, and then `/dev/urandom`, which
    /// stands in, is opened here and stays open.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn check() -> Result<(), NoRandomness> {
        getrandom::fill(&mut [0; 1]).map_err(|error| NoRandomness(error.to_string()))
    }
}

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("`SystemChance::check` had randomness when the program began");
    }
}

/// `N` random bytes as hexadecimal digits.
pub fn random_hex<const N: usize>(chance: &dyn Chance) -> String {
    let mut bytes = [0; N];
    chance.fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a text never fails.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// A random lower-case UUID (version 4).
pub fn uuid(chance: &dyn Chance) -> String {
    let mut bytes = [0; 16];
    chance.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_gives_other_bytes_each_time() {
        SystemChance::check().expect("this machine has randomness");
        let (first, second) = (random_hex::<16>(&SystemChance), random_hex::<16>(&SystemChance));
        assert_eq!((first.len(), second.len()), (32, 32));
        assert_ne!(first, second);
    }

    #[test]
    fn a_uuid_has_its_form_and_differs_each_time() {
        let first = uuid(&SystemChance);
        assert_eq!((first.len(), first.as_bytes()[14]), (36, b'4'));
        assert_ne!(first, uuid(&SystemChance));
    }
}
