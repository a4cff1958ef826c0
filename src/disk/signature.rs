//! Content signatures (`docs/protocol.md` §13).

use sha1::{Digest, Sha1};

use crate::model::Signature;

const SALT: &[u8; 51] = b"com.apple.XattrObjectSalt\0com.apple.DataObjectSalt\0";

/// Computes the signature of what is fed to it: SHA-1 over salt and content.
#[derive(Clone, Debug)]
pub struct Hasher(Sha1);

impl Default for Hasher {
    fn default() -> Self {
        Self(Sha1::new_with_prefix(SALT))
    }
}

impl Hasher {
    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The signature of all bytes so far.
    pub fn finish(self) -> Signature {
        Signature(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_protocol_document() {
        let all: Vec<u8> = (0..=255).collect();
        for (content, expected) in [
            (&b""[..], "6d9c593d8fc735a2c4c2aeb8d3131c9f02277b07"),
            (b"hello", "c5bde97cc0f0230572b5567c9c80032f1a59613a"),
            (b"hello world\n", "1a9d3d98c599d499386ff816b065eb40350445df"),
            (&all, "667d9fa6e7975d35118c252d1a4407053910cf98"),
        ] {
            let mut hasher = Hasher::default();
            for chunk in content.chunks(7) {
                hasher.update(chunk);
            }
            let hex: String = hasher.finish().0.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
    }
}
