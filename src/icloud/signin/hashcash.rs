//! The proof of work that the service may ask for (`docs/protocol.md` §3.8).

use sha1::{Digest, Sha1};

use crate::icloud::http::Head;

/// More bits than this would take minutes; the sign-in then goes on without the header.
const MOST_BITS: u32 = 24;

/// A challenge from step 1 or init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hashcash {
    bits: u32,
    challenge: String,
}

impl Hashcash {
    /// Reads both headers; neither alone is a challenge.
    pub(super) fn of(head: &Head) -> Option<Self> {
        let bits = head.header("x-apple-hc-bits")?.trim().parse().ok().filter(|bits| *bits <= MOST_BITS)?;
        let challenge = head.header("x-apple-hc-challenge")?.trim();
        (!challenge.is_empty()).then(|| Self { bits, challenge: challenge.to_owned() })
    }

    /// The header's value: the smallest counter whose SHA-1 begins with enough zero bits.
    pub(super) fn solve(&self, now: i64) -> String {
        let stamp = jiff::Timestamp::from_second(now).unwrap_or_default().strftime("%Y%m%d%H%M%S");
        let prefix = format!("1:{}:{stamp}:{}::", self.bits, self.challenge);
        let mut counter = 0_u64;
        loop {
            let candidate = format!("{prefix}{counter}");
            if zero_bits(&Sha1::digest(candidate.as_bytes())) >= self.bits {
                return candidate;
            }
            counter += 1;
        }
    }
}

fn zero_bits(digest: &[u8]) -> u32 {
    let mut bits = 0;
    for byte in digest {
        bits += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_counter_that_satisfies_the_bits_is_found() {
        let task = Hashcash { bits: 10, challenge: "4d74fb15eb23f465f1f6fcbf534e5877".to_owned() };
        let solved = task.solve(1_677_000_000);
        assert!(solved.starts_with("1:10:20230221172000:4d74fb15eb23f465f1f6fcbf534e5877::"), "{solved}");
        assert!(zero_bits(&Sha1::digest(solved.as_bytes())) >= 10);
        let (prefix, counter) = solved.rsplit_once(':').expect("a counter");
        for smaller in 0..counter.parse::<u64>().expect("a number") {
            assert!(zero_bits(&Sha1::digest(format!("{prefix}:{smaller}").as_bytes())) < 10);
        }
    }

    #[test]
    fn bits_are_counted_across_bytes() {
        assert_eq!(zero_bits(&[0, 0, 0x1f]), 19);
        assert_eq!(zero_bits(&[0x80]), 0);
    }
}
