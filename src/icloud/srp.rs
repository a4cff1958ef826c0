//! SRP-6a as Apple's sign-in uses it (`docs/protocol.md` §3.7).
//!
//! Group RFC 5054 2048-bit, SHA-256, the user name left out of `x`. Numbers are hashed padded to
//! 256 bytes, B as it was received. The two agree on B unless it came in another length, and then
//! [`Exchange::prove`] asks for another exchange.

use std::fmt::Write as _;
use std::sync::LazyLock;

use hmac::Hmac;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use zeroize::Zeroizing;

use super::env::Env;

/// The length of N in bytes.
const LEN: usize = 256;
/// More rounds than this would only hang the client.
const MOST_ITERATIONS: u32 = 1_000_000;

/// An exchange is thrown away where the service's B comes short; this often in a row is a fault.
pub const MOST_EXCHANGES: usize = 8;

const N_HEX: &[u8] = b"\
ac6bdb41324a9a9bf166de5e1389582faf72b6651987ee07fc3192943db56050a37329cbb4a099ed8193e0757767a13d\
d52312ab4b03310dcd7f48a9da04fd50e8083969edb767b0cf6095179a163ab3661a05fbd5faaae82918a9962f0b93b8\
55f97993ec975eeaa80d740adbf4ff747359d041d5c33ea71d281e446b14773bca97b43a23fb801676bd207a436c6481\
f1d2b9078717461a5b9d32e688f87748544523b524b0d57d5ea77a2775d2ecfa032cfbdbf52fb3786160279004e57ae6\
af874e7303ce53299ccc041c7bc308d82a5698f3a8d0c38271ae35f8e9dbfbb694b5c803d89f7ae435de236d525f5475\
9b65e372fcd68ef20fa7111f9e4aff73";

static N: LazyLock<BigUint> =
    LazyLock::new(|| BigUint::parse_bytes(N_HEX, 16).expect("the constant is hexadecimal"));

/// How the password is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `s2k`: PBKDF2 over the 32 bytes of SHA-256 of the password.
    S2k,
    /// `s2k_fo`: PBKDF2 over their 64 hexadecimal digits.
    S2kFo,
}

/// What `signin/init` answered.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// `s2k` or `s2k_fo`.
    pub protocol: String,
    /// PBKDF2 rounds.
    pub iteration: u32,
    /// The salt, raw.
    pub salt: Vec<u8>,
    /// B, big-endian.
    pub b: Vec<u8>,
}

/// The two proofs of `signin/complete`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// M1.
    pub m1: [u8; 32],
    /// M2.
    pub m2: [u8; 32],
    /// K, the key of the exchange; only a second proof sends it (`docs/protocol.md` §3.10).
    pub key: [u8; 32],
}

/// Why no proof is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrpError {
    /// B did not come in 256 bytes: start a new exchange, nothing was proven yet.
    #[error("the exchange must be started again")]
    Again,
    /// B is 0 modulo N, not below N, or u is 0.
    #[error("the service's number is not acceptable")]
    BadNumber,
    /// Too many rounds.
    #[error("{0} key rounds are too many")]
    TooManyRounds(u32),
    /// Neither `s2k` nor `s2k_fo`, or no rounds at all.
    #[error("the service asks for an unknown way to prove the password")]
    UnknownProtocol,
}

/// The client's side of one exchange.
pub struct Exchange {
    a: BigUint,
    public: BigUint,
}

impl Exchange {
    /// Draws a secret `a`.
    pub fn new(env: &Env) -> Self {
        Self::with_secret(&env.random::<32>())
    }

    fn with_secret(a: &[u8]) -> Self {
        let a = BigUint::from_bytes_be(a);
        let public = BigUint::from(2u8).modpow(&a, &N);
        Self { a, public }
    }

    /// A, 256 bytes.
    pub fn public(&self) -> [u8; LEN] {
        padded(&self.public)
    }

    /// Proves knowledge of `password` for `account`: the name as sent, which is lower-cased.
    ///
    /// # Errors
    ///
    /// [`SrpError`]; nothing has been proven then.
    pub fn prove(&self, account: &str, password: &str, challenge: &Challenge) -> Result<Proof, SrpError> {
        let protocol = match challenge.protocol.as_str() {
            "s2k" => Protocol::S2k,
            "s2k_fo" => Protocol::S2kFo,
            _ => return Err(SrpError::UnknownProtocol),
        };
        match challenge.iteration {
            0 => return Err(SrpError::UnknownProtocol),
            many if many > MOST_ITERATIONS => return Err(SrpError::TooManyRounds(many)),
            _ => {}
        }
        let b = BigUint::from_bytes_be(&challenge.b);
        if b >= *N || b == BigUint::ZERO {
            return Err(SrpError::BadNumber);
        }
        if challenge.b.len() != LEN {
            return Err(SrpError::Again);
        }
        let derived = Zeroizing::new(derive(protocol, password, &challenge.salt, challenge.iteration));
        let s = self.shared(&derived, &challenge.salt, &b)?;
        Ok(proofs(account, &challenge.salt, &padded(&self.public), &challenge.b, &padded(&s)))
    }

    /// S = (B − k·gˣ)^(a + u·x) mod N.
    fn shared(&self, derived: &[u8; 32], salt: &[u8], b: &BigUint) -> Result<BigUint, SrpError> {
        let u = BigUint::from_bytes_be(&hash(&[&padded(&self.public), &padded(b)]));
        if u == BigUint::ZERO {
            return Err(SrpError::BadNumber);
        }
        let inner = hash(&[b":", derived]);
        let x = BigUint::from_bytes_be(&hash(&[salt, &inner]));
        let generator = BigUint::from(2u8);
        let k = BigUint::from_bytes_be(&hash(&[&padded(&N), &padded(&generator)]));
        let kgx = (k * generator.modpow(&x, &N)) % &*N;
        let base = (b + &*N - kgx) % &*N;
        Ok(base.modpow(&(&self.a + u * x), &N))
    }
}

fn derive(protocol: Protocol, password: &str, salt: &[u8], rounds: u32) -> [u8; 32] {
    // As good as the password itself, so nothing of it is left behind.
    let digest = Zeroizing::new(hash(&[password.as_bytes()]));
    match protocol {
        Protocol::S2k => stretch(&*digest, salt, rounds),
        Protocol::S2kFo => {
            let mut digits = Zeroizing::new(String::with_capacity(2 * digest.len()));
            for byte in digest.iter() {
                let _ = write!(digits, "{byte:02x}");
            }
            stretch(digits.as_bytes(), salt, rounds)
        }
    }
}

/// PBKDF2-HMAC-SHA256 to 32 bytes.
pub(super) fn stretch(input: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    pbkdf2::pbkdf2_array::<Hmac<Sha256>, 32>(input, salt, rounds).expect("HMAC takes keys of any length")
}

/// M1 = H(H(N) xor H(g) | H(I) | salt | A | B | K), M2 = H(A | M1 | K), K = H(S).
fn proofs(account: &str, salt: &[u8], a: &[u8], b: &[u8], s: &[u8]) -> Proof {
    let key = hash(&[s]);
    let mut group = hash(&[&padded(&N)]);
    for (byte, other) in group.iter_mut().zip(hash(&[&padded(&BigUint::from(2u8))])) {
        *byte ^= other;
    }
    let m1 = hash(&[&group, &hash(&[account.as_bytes()]), salt, a, b, &key]);
    let m2 = hash(&[a, &m1, &key]);
    Proof { m1, m2, key }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().into()
}

/// A number below 2^2048 as 256 bytes.
fn padded(number: &BigUint) -> [u8; LEN] {
    let bytes = number.to_bytes_be();
    let mut whole = [0; LEN];
    whole[LEN - bytes.len()..].copy_from_slice(&bytes);
    whole
}

#[cfg(test)]
#[path = "srp_tests.rs"]
mod tests;
