//! Sign-ins, codes and tokens.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::srp::Exchange;

/// A message with a code to a telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The telephone's id.
    pub phone: u64,
    /// The code.
    pub code: String,
    /// Whether it was a call.
    pub voice: bool,
}

/// What a session token is worth.
#[derive(Clone, Debug)]
pub struct SessionToken {
    /// When it was given.
    pub issued: SystemTime,
    /// Whether the second factor stands behind it.
    pub trusted: bool,
    /// Whether accountLogin takes it; false before a repair, and while a second proof of the password is wanted.
    pub usable: bool,
}

/// Where a code must be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Trusted devices.
    Device,
    /// The telephone of this id.
    Phone(u64),
}

/// One sign-in in progress or live.
#[derive(Debug)]
pub struct SignIn {
    pub(super) id: String,
    pub(super) scnt: String,
    pub(super) previous_scnt: String,
    pub(super) opened: SystemTime,
    pub(super) oauth_state: Option<String>,
    /// `c` with the name and the exchange it stands for.
    pub(super) exchange: Option<(String, String, Exchange)>,
    pub(super) password_right: bool,
    pub(super) trusted: bool,
    pub(super) session_token: Option<String>,
    /// The codes that are good now: at most one on the devices, and one on a telephone.
    pub(super) code: Vec<(String, Channel)>,
    pub(super) code_accepted: bool,
    pub(super) wrong_codes: u32,
    pub(super) codes_sent: u32,
    pub(super) escrow: SecondProof,
    /// What a security key is to sign, until one did.
    pub(super) challenge: Option<Vec<u8>>,
}

/// Sign-ins, codes and tokens.
#[derive(Debug, Default)]
pub struct AuthState {
    /// Sign-ins, oldest first.
    pub(super) signins: Vec<SignIn>,
    /// Wrong proofs since the last right one.
    pub wrong_proofs: u32,
    /// A proof was rejected and nobody has typed a new password since.
    pub rejected: bool,
    /// Live session tokens.
    pub session_tokens: BTreeMap<String, SessionToken>,
    /// Live trust tokens with the time they were given.
    pub trust_tokens: BTreeMap<String, SystemTime>,
    /// Where the trust tokens were given, as [`AuthState::address`] was then.
    pub trust_from: BTreeMap<String, u64>,
    /// The client's network address; see `S-trust-ip`.
    pub address: u64,
    /// The code that the trusted devices show.
    pub device_code: Option<String>,
    /// Messages sent.
    pub messages: Vec<Message>,
    /// Hashcash challenges given and not used.
    pub(super) challenges: Vec<String>,
}

impl AuthState {
    /// Ends every sign-in, as their expiry does.
    pub fn forget_signins(&mut self) {
        self.signins.clear();
    }
}

/// How far a sign-in is with its second proof.
#[derive(Debug, Default)]
pub struct SecondProof {
    pub(super) due: bool,
    /// The sign-in is trusted as soon as the proof has come: its trust token was accepted.
    pub(super) then_trusted: bool,
    /// `c` with the exchange it stands for.
    pub(super) exchange: Option<(String, Exchange)>,
    pub(super) proofs: u32,
}

impl SecondProof {
    /// Whether the proof is asked for and has not come.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }
}
