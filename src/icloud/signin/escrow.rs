//! The second proof of the password that a 409 may ask for (`docs/protocol.md` §3.10).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::error::SignInError;
use super::sign_in_wire::{EscrowBody, InitAnswer, InitBody, has_error, problem};
use super::{Account, json, service_error, status_of};
use crate::icloud::http::{Head, Method};
use crate::icloud::srp::{Exchange, MOST_EXCHANGES, Proof, SrpError};

const INIT: &str = "escrow/init";
const COMPLETE: &str = "escrow/complete";
/// Either of them asks for the proof; what it says does not matter.
const HEADERS: [&str; 2] = ["x-apple-edp", "x-apple-pdp"];

/// How the step ended, when no error stops the sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escrow {
    /// The proof was accepted, or is not wanted any more because the answer to an earlier one was lost.
    Done,
    /// The half-open sign-in had ended before; nothing was proven.
    Expired,
}

/// The parameters, or why there are none.
enum Init {
    Challenge(Box<InitAnswer>),
    Over(Escrow),
}

/// Whether an answer asks for the second proof.
pub(super) fn is_asked(head: &Head) -> bool {
    HEADERS.into_iter().any(|name| head.header(name).is_some_and(|value| !value.trim().is_empty()))
}

impl Account {
    /// Proves the password once more, in an exchange of its own whose proofs hash an empty account name.
    pub(super) fn prove_escrow(&self, password: &str) -> Result<Escrow, SignInError> {
        for _ in 0..MOST_EXCHANGES {
            let exchange = Exchange::new(&self.env);
            let init = match self.escrow_init(&exchange)? {
                Init::Challenge(init) => init,
                Init::Over(escrow) => return Ok(escrow),
            };
            match exchange.prove("", password, &init.challenge(INIT)?) {
                // No proof was sent, so no attempt is counted (§3.7).
                Err(SrpError::Again) => {}
                Err(error) => {
                    self.back_off(None)?;
                    return Err(SignInError::Unreadable { step: INIT, reason: error.to_string() });
                }
                Ok(proof) => return self.escrow_complete(password, &init, &proof),
            }
        }
        Err(SignInError::Unreadable { step: INIT, reason: "no usable numbers came".to_owned() })
    }

    fn escrow_init(&self, exchange: &Exchange) -> Result<Init, SignInError> {
        let a = BASE64.encode(exchange.public());
        let body = json(&InitBody { a: &a, account_name: "", protocols: ["s2k", "s2k_fo"] });
        let answer = self.patiently(|| self.auth_call(Method::Post, INIT, Some(&body), &[]))?;
        match status_of(&answer) {
            200 | 409 => match serde_json::from_slice(&answer.body) {
                Ok(init) => Ok(Init::Challenge(Box::new(init))),
                Err(_) => {
                    self.back_off(None)?;
                    Err(SignInError::Unreadable { step: INIT, reason: "salt or b is missing".to_owned() })
                }
            },
            401 | 403 | 421 => Ok(Init::Over(Escrow::Expired)),
            // Nothing is wanted here; what comes next tells whether that is so.
            400..=499 => Ok(Init::Over(Escrow::Done)),
            _ => {
                self.back_off(Some(&answer))?;
                Err(service_error(INIT, &answer))
            }
        }
    }

    fn escrow_complete(
        &self,
        password: &str,
        init: &InitAnswer,
        proof: &Proof,
    ) -> Result<Escrow, SignInError> {
        let [m1, m2, key] = [proof.m1, proof.m2, proof.key].map(|bytes| BASE64.encode(bytes));
        let body = json(&EscrowBody { m1: &m1, m2: &m2, c: &init.c, key: &key });
        let mut answer = self.auth_call(Method::Post, COMPLETE, Some(&body), &[])?;
        if answer.head.status == 421 {
            // Routed to the wrong partition: the proof was not looked at (§3.5).
            self.http.fresh_connections();
            answer = self.auth_call(Method::Post, COMPLETE, Some(&body), &[])?;
        }
        let value = serde_json::from_slice(&answer.body).unwrap_or(serde_json::Value::Null);
        match status_of(&answer) {
            status @ (401 | 403) => Err(self.reject(COMPLETE, password, status, problem(&answer.body))?),
            // A failure can come with status 200, and success with 409 (§3.9).
            200..=299 | 409 if has_error(&value) => {
                Err(self.reject(COMPLETE, password, 401, problem(&answer.body))?)
            }
            200..=299 | 409 => Ok(Escrow::Done),
            _ => {
                // Whatever it was, the next proof must not follow at once.
                self.back_off(Some(&answer))?;
                Err(service_error(COMPLETE, &answer))
            }
        }
    }
}
