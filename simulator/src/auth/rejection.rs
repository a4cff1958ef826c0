//! What a wrong proof of the password leads to.

use super::answers::{LOCKED, WRONG_PASSWORD, error};
use crate::account::WrongProof;
use crate::http::Response;
use crate::state::State;

/// Wrong proofs that lock the account.
const PROOFS_TO_LOCK: u32 = 3;

/// The refusal of every proof once there were too many wrong ones.
pub(super) fn locked() -> Response {
    error(403, LOCKED, "This Apple Account has been locked for security reasons.")
}

/// Counts a wrong proof and answers it.
pub(super) fn reject(state: &mut State, at: usize, call: &str) -> Response {
    if state.auth.rejected {
        state.violation(format!("{call}: a password proof was repeated after a rejection"));
    }
    state.auth.rejected = true;
    state.auth.wrong_proofs += 1;
    if state.auth.wrong_proofs >= PROOFS_TO_LOCK {
        state.account.locked = true;
        return locked();
    }
    let text = "Check the account information you entered and try again.";
    let response = match state.account.wrong_proof {
        WrongProof::Status401 => error(401, WRONG_PASSWORD, text),
        WrongProof::Status403 => error(403, WRONG_PASSWORD, text),
        WrongProof::Hidden200 => error(200, WRONG_PASSWORD, text).header("X-Apple-I-Rscd", "401"),
    };
    state.carry(at, response)
}
