//! Hashcash (docs/protocol.md §3.8).

use sha1::{Digest, Sha1};

use crate::http::{Request, Response};
use crate::state::State;
use crate::switches::Hashcash;

/// Bits of work that are asked for.
pub const BITS: u32 = 11;

/// Adds a challenge when the switch says so.
pub fn challenge(state: &mut State, response: Response) -> Response {
    if state.switches.hashcash == Hashcash::Off {
        return response;
    }
    let challenge = state.ids.hex(32);
    state.auth.challenges.push(challenge.clone());
    response.header("X-Apple-HC-Bits", BITS.to_string()).header("X-Apple-HC-Challenge", challenge)
}

/// Checks the stamp of a request and uses its challenge up. A wrong stamp is refused even where none is required.
///
/// # Errors
/// What is wrong with it.
pub fn check(state: &mut State, request: &Request) -> Result<(), &'static str> {
    if state.switches.hashcash == Hashcash::Off {
        return Ok(());
    }
    let Some(stamp) = request.header("X-Apple-HC") else {
        return match state.switches.hashcash {
            Hashcash::Required => Err("no stamp"),
            _ => Ok(()),
        };
    };
    let parts: Vec<&str> = stamp.split(':').collect();
    let [version, bits, time, challenge, "", counter] = parts[..] else {
        return Err("the stamp is malformed");
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if version != "1" || bits != BITS.to_string() || time.len() != 14 || !is_number(time) {
        return Err("the stamp is malformed");
    }
    if !is_number(counter) {
        return Err("the stamp's counter is malformed");
    }
    let Some(at) = state.auth.challenges.iter().position(|known| known == challenge) else {
        return Err("the stamp's challenge is unknown or used");
    };
    state.auth.challenges.remove(at);
    if leading_zero_bits(&Sha1::digest(stamp.as_bytes())) < BITS {
        return Err("the stamp is not worth its bits");
    }
    Ok(())
}

fn leading_zero_bits(hash: &[u8]) -> u32 {
    let zeros = hash.iter().take_while(|byte| **byte == 0).count();
    let rest = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(u32::MAX / 16) * 8 + rest
}

#[cfg(test)]
mod tests {
    use super::leading_zero_bits;

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        assert_eq!(leading_zero_bits(&[0xff]), 0);
        assert_eq!(leading_zero_bits(&[0, 0x1f, 0]), 11);
        assert_eq!(leading_zero_bits(&[0, 0]), 16);
    }
}
