//! The server's side of SRP-6a as docs/protocol.md §3.7 has it.

use hmac::Hmac;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use crate::account::Protocol;
use crate::switches::Srp;

/// The 2048-bit prime of RFC 5054.
const N_HEX: &[u8] = b"ac6bdb41324a9a9bf166de5e1389582faf72b6651987ee07fc3192943db56050\
a37329cbb4a099ed8193e0757767a13dd52312ab4b03310dcd7f48a9da04fd50\
e8083969edb767b0cf6095179a163ab3661a05fbd5faaae82918a9962f0b93b8\
55f97993ec975eeaa80d740adbf4ff747359d041d5c33ea71d281e446b14773b\
ca97b43a23fb801676bd207a436c6481f1d2b9078717461a5b9d32e688f87748\
544523b524b0d57d5ea77a2775d2ecfa032cfbdbf52fb3786160279004e57ae6\
af874e7303ce53299ccc041c7bc308d82a5698f3a8d0c38271ae35f8e9dbfbb6\
94b5c803d89f7ae435de236d525f54759b65e372fcd68ef20fa7111f9e4aff73";
/// Its size in bytes.
const SIZE: usize = 256;

/// What a password becomes before it enters SRP: the 32 bytes `p`.
#[must_use]
pub fn stretch(protocol: Protocol, password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let hash: [u8; 32] = Sha256::digest(password.as_bytes()).into();
    let hex: String;
    let input = match protocol {
        Protocol::S2k => &hash[..],
        Protocol::S2kFo => {
            hex = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            hex.as_bytes()
        }
    };
    let mut p = [0; 32];
    pbkdf2::pbkdf2::<Hmac<Sha256>>(input, salt, iterations, &mut p).expect("HMAC takes a key of any length");
    p
}

/// The server's half of one exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    client: BigUint,
    secret: BigUint,
    verifier: BigUint,
    salt: Vec<u8>,
}

/// The two proofs of an exchange and the key that they prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proofs {
    /// `K`.
    pub key: [u8; 32],
    /// The client's `M1`.
    pub m1: [u8; 32],
    /// `M2`.
    pub m2: [u8; 32],
}

impl Exchange {
    /// Begins an exchange with the client's `A`, the account's `p` and `salt`, and the server's secret `b`. `None` when `A` is
    /// zero modulo `N` or no smaller than `N`.
    #[must_use]
    pub fn begin(client: &[u8], p: &[u8; 32], salt: &[u8], secret: &[u8]) -> Option<Self> {
        let n = prime();
        let client = BigUint::from_bytes_be(client);
        if client == BigUint::ZERO || client >= n {
            return None;
        }
        let inner = hash(&[b":", p]);
        let x = BigUint::from_bytes_be(&hash(&[salt, &inner]));
        Some(Self {
            client,
            secret: BigUint::from_bytes_be(secret),
            verifier: generator().modpow(&x, &n),
            salt: salt.to_vec(),
        })
    }

    /// `B = k·v + g^b`, padded to 256 bytes.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        pad(&self.public_number())
    }

    fn public_number(&self) -> BigUint {
        let n = prime();
        let k = BigUint::from_bytes_be(&hash(&[&pad(&n), &pad(&generator())]));
        (k * &self.verifier + generator().modpow(&self.secret, &n)) % n
    }

    /// The proofs that belong to this exchange for the account name `name`, with `A`, `B` and `S` hashed padded or not.
    #[must_use]
    pub fn proofs(&self, name: &str, padded: bool) -> Proofs {
        let n = prime();
        let public = self.public_number();
        let form = |number: &BigUint| {
            if padded { pad(number) } else { number.to_bytes_be() }
        };
        let u = BigUint::from_bytes_be(&hash(&[&pad(&self.client), &pad(&public)]));
        let base = &self.client * self.verifier.modpow(&u, &n) % &n;
        let shared = base.modpow(&self.secret, &n);
        let key = hash(&[&form(&shared)]);
        let group: Vec<u8> =
            hash(&[&pad(&n)]).iter().zip(hash(&[&pad(&generator())])).map(|(a, b)| a ^ b).collect();
        let m1 =
            hash(&[&group, &hash(&[name.as_bytes()]), &self.salt, &form(&self.client), &form(&public), &key]);
        let m2 = hash(&[&form(&self.client), &m1, &key]);
        Proofs { key, m1, m2 }
    }

    /// Whether the client's proofs are right in a form that the switch allows.
    #[must_use]
    pub fn accepts(&self, name: &str, m1: &[u8], m2: &[u8], srp: Srp) -> bool {
        let right = |padded| {
            let proofs = self.proofs(name, padded);
            proofs.m1 == m1 && proofs.m2 == m2
        };
        match srp {
            Srp::Both => right(true) || right(false),
            Srp::Padded => right(true),
            Srp::Unpadded => right(false),
        }
    }
}

impl Exchange {
    /// Whether `key` is the key of this exchange in a form that the switch allows.
    #[must_use]
    pub fn is_key(&self, key: &[u8], srp: Srp) -> bool {
        let right = |padded| self.proofs("", padded).key == key;
        match srp {
            Srp::Both => right(true) || right(false),
            Srp::Padded => right(true),
            Srp::Unpadded => right(false),
        }
    }
}

fn prime() -> BigUint {
    BigUint::parse_bytes(N_HEX, 16).expect("the constant is hexadecimal")
}

fn generator() -> BigUint {
    BigUint::from(2u8)
}

fn pad(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut padded = vec![0; SIZE.saturating_sub(bytes.len())];
    padded.extend(bytes);
    padded
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
