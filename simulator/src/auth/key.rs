//! Security keys: what a key has signed instead of a code (docs/protocol.md §4.6).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answers::{error, half_open};
use crate::account::KeyCredential;
use crate::http::{Request, Response};
use crate::state::State;

/// Whose keys are asked for.
const RELYING_PARTY: &str = "apple.com";
/// Where a page may have asked a key.
const ORIGINS: [&str; 2] = ["https://idmsa.apple.com", "https://apple.com"];
/// "Somebody touched the key", among the flags that the key signs.
const USER_PRESENT: u8 = 1;
/// Hash of the relying party, flags, counter.
const SHORTEST_DATA: usize = 37;

/// `fsaChallenge`, with a challenge of its own for this sign-in.
pub(super) fn challenge(state: &mut State, at: usize) -> Value {
    let drawn = state.ids.bytes(32);
    let challenge = state.auth.signins[at].challenge.get_or_insert(drawn);
    let handles: Vec<&str> = state.account.key_credentials.iter().map(|key| key.id.as_str()).collect();
    json!({"challenge": URL_SAFE_NO_PAD.encode(challenge), "keyHandles": handles, "rpId": RELYING_PARTY})
}

/// `POST verify/security/key`.
pub fn submit(state: &mut State, request: &Request, body: &Value) -> Response {
    let at = match half_open(state, request) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    let challenge = state.auth.signins[at].challenge.take();
    let outcome = match &challenge {
        Some(challenge) => check(&state.account.key_credentials, challenge, body),
        None => Err("no key was asked for, or it was asked for once already"),
    };
    if let Err(reason) = outcome {
        let response = error(403, "-1", &format!("The security key was not accepted: {reason}."));
        return state.carry(at, response);
    }
    state.auth.signins[at].code_accepted = true;
    let status = if state.switches.conflict_ok.status() == 409 { 409 } else { 204 };
    state.carry(at, Response::empty(status))
}

/// Base64 of either alphabet, with or without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| match letter {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    URL_SAFE_NO_PAD.decode(plain).ok()
}

/// Whether these members are what one of the keys signed for this challenge.
fn check(keys: &[KeyCredential], challenge: &[u8], body: &Value) -> Result<(), &'static str> {
    let member = |name: &str| body[name].as_str().and_then(decode);
    if body["rpId"] != RELYING_PARTY {
        return Err("rpId is not apple.com");
    }
    if member("challenge").as_deref() != Some(challenge) {
        return Err("challenge is not the one that was given");
    }
    let credential = member("credentialID").ok_or("credentialID is missing")?;
    let key = keys.iter().find(|key| decode(&key.id).as_ref() == Some(&credential));
    let key = key.ok_or("credentialID is not one of keyHandles")?;
    let public = STANDARD.decode(&key.public_key).map_err(|_| "the account's public key is not base64")?;

    let client_data = member("clientData").ok_or("clientData is missing")?;
    let said: Value = serde_json::from_slice(&client_data).map_err(|_| "clientData is not JSON")?;
    if said["type"] != "webauthn.get" {
        return Err("clientData is of another type");
    }
    if said["challenge"].as_str().and_then(decode).as_deref() != Some(challenge) {
        return Err("clientData holds another challenge");
    }
    if !said["origin"].as_str().is_some_and(|origin| ORIGINS.contains(&origin)) {
        return Err("clientData is from another origin");
    }
    let data = member("authenticatorData").filter(|data| data.len() >= SHORTEST_DATA);
    let data = data.ok_or("authenticatorData is missing or short")?;
    if data[..32] != Sha256::digest(RELYING_PARTY)[..] {
        return Err("authenticatorData is for another rpId");
    }
    if data[32] & USER_PRESENT == 0 {
        return Err("nobody touched the key");
    }
    let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
    let signature = member("signatureData").ok_or("signatureData is missing")?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public)
        .verify(&signed, &signature)
        .map_err(|_| "the signature is wrong")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    /// What a key answers to a challenge, with one thing of it changed.
    fn assertion(key: &EcdsaKeyPair, challenge: &[u8], origin: &str, flags: u8) -> Value {
        let client_data = json!({
            "type": "webauthn.get", "challenge": URL_SAFE_NO_PAD.encode(challenge), "origin": origin,
        });
        let client_data = client_data.to_string();
        let mut data = Sha256::digest(RELYING_PARTY).to_vec();
        data.extend([flags, 0, 0, 0, 7]);
        let signed = [data.as_slice(), &Sha256::digest(&client_data)].concat();
        let signature = key.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "challenge": STANDARD.encode(challenge), "clientData": STANDARD.encode(&client_data),
            "authenticatorData": STANDARD.encode(&data), "signatureData": STANDARD.encode(signature),
            "userHandle": "", "credentialID": STANDARD.encode(b"\xffkey"), "rpId": RELYING_PARTY,
        })
    }

    #[test]
    fn only_what_the_key_signed_for_this_sign_in_is_accepted() {
        let random = SystemRandom::new();
        let pair = |_| {
            let secret = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, secret.as_ref(), &random).unwrap()
        };
        let [own, foreign] = [0, 1].map(pair);
        let known = [KeyCredential {
            id: URL_SAFE_NO_PAD.encode(b"\xffkey"),
            public_key: STANDARD.encode(own.public_key()),
        }];
        let challenge = [0xfb; 32];
        let good = assertion(&own, &challenge, ORIGINS[0], USER_PRESENT);
        assert_eq!(check(&known, &challenge, &good), Ok(()));
        assert_eq!(check(&known, &challenge, &assertion(&own, &challenge, ORIGINS[1], 5)), Ok(()));
        let wrong = |body: &Value| check(&known, &challenge, body).unwrap_err();
        assert!(wrong(&assertion(&foreign, &challenge, ORIGINS[0], 1)).contains("signature"));
        assert!(wrong(&assertion(&own, &challenge, "https://apple.com.evil", 1)).contains("origin"));
        assert!(wrong(&assertion(&own, &challenge, ORIGINS[0], 4)).contains("touched"));
        assert!(wrong(&assertion(&own, &[1; 32], ORIGINS[0], 1)).contains("challenge"));
        for (member, value, named) in [
            ("rpId", json!("apple.org"), "rpId"),
            ("credentialID", json!("AAAA"), "keyHandles"),
            ("clientData", json!("e30="), "type"),
            ("clientData", json!("!"), "clientData"),
            ("authenticatorData", json!("AAAA"), "short"),
            ("signatureData", json!("AAAA"), "signature"),
            ("signatureData", json!(null), "signatureData"),
            ("challenge", json!(7), "challenge"),
        ] {
            let mut body = good.clone();
            body[member] = value;
            assert!(wrong(&body).contains(named), "{member}: {}", wrong(&body));
        }
    }
}
