//! The values of the switches that concern signing in and staying signed in.

use serde::{Deserialize, Serialize};

switch! {
    /// `S-srp-name`: the account name inside `M1` (docs/protocol.md §3.7).
    SrpName {
        /// In lower case, however it was sent.
        Lower = "lower",
        /// As it was sent.
        AsSent = "as-sent",
    }
}
switch! {
    /// `S-2fa`: the answer to a right code (question 22).
    TwoFactor {
        /// 204.
        Status204 = "204",
        /// 409 with `valid:true` and a session token.
        Status409Token = "409+token",
        /// 409 with `valid:true`, no token; trust works.
        Status409TrustWorks = "409-no-token-but-trust-works",
        /// 409 with `valid:true`, no token; trust fails.
        Status409TrustFails = "409-no-token-trust-fails",
        /// 412 with `valid:true`: right, but the account has to be repaired before it is trusted.
        Status412Repair = "412-repair-first",
    }
}
switch! {
    /// `S-escrow`: where a second proof of the password is asked for (docs/protocol.md §3.10).
    Escrow {
        /// Nowhere.
        Never = "never",
        /// With a right code.
        OnCode = "on-code",
        /// When the trust token that came with the password is accepted.
        OnTrustToken = "on-trust-token",
        /// At both places.
        Both = "both",
    }
}
switch! {
    /// `S-escrow-header`: the header that asks for it.
    EscrowHeader {
        /// `X-Apple-EDP`.
        Edp = "edp",
        /// `X-Apple-PDP`.
        Pdp = "pdp",
    }
}
switch! {
    /// `S-escrow-token`: whether a right second proof brings a new session token.
    EscrowToken {
        /// It does.
        New = "new",
        /// The one from before stays in force.
        Kept = "kept",
    }
}

switch! {
    /// `S-renew`: accountLogin with a session token from before, while the cookies that it gave still work (docs/protocol.md §5.4).
    Renew {
        /// 421.
        Status421 = "421",
        /// Another session.
        Ok = "ok",
    }
}
switch! {
    /// `S-fteu`: `nonFTEU` in the submit of a code that went to a telephone (docs/protocol.md §4.4).
    Fteu {
        /// Wanted where the telephone's entry has it; left out it counts as false.
        Echo = "echo",
        /// Wanted where the entry has it, whatever it is.
        Strict = "strict",
        /// Not looked at.
        Off = "off",
    }
}
switch! {
    /// `S-409-ok`: the status of `GET {auth}` and `PUT verify/phone` when they do what is asked (docs/protocol.md §4.1).
    ConflictOk {
        /// 200.
        Off = "off",
        /// 409.
        On = "on",
    }
}

switch! {
    /// `S-partial`: what makes accountLogin give half a session (docs/protocol.md §6.4).
    Partial {
        /// Nothing.
        None = "none",
        /// `termsUpdateNeeded`.
        Terms = "terms",
        /// `isRepairNeeded`.
        RepairFlag = "repair-flag",
        /// Only the repair cookie tells.
        RepairCookie = "repair-cookie",
        /// `dsInfo.isWebAccessAllowed` is false.
        WebOff = "web-off",
    }
}
switch! {
    /// `S-trust-ip`: from where a trust token is accepted (question 35).
    TrustIp {
        /// From everywhere.
        Any = "any",
        /// From the address that it was given to, see `Simulator::move_client`.
        Bound = "bound",
    }
}
switch! {
    /// `S-trust-roll`: whether the password with an accepted trust token renews the trust (question 23).
    TrustRoll {
        /// It does.
        OnPassword = "on-password",
        /// The old one runs out.
        Never = "never",
    }
}

impl Partial {
    /// Whether the session lacks its main cookies.
    #[must_use]
    pub fn is_half(self) -> bool {
        matches!(self, Self::Terms | Self::RepairFlag | Self::RepairCookie)
    }
}

impl ConflictOk {
    /// That status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Off => 200,
            Self::On => 409,
        }
    }
}

impl Escrow {
    /// Whether a right code brings the demand.
    #[must_use]
    pub fn on_code(self) -> bool {
        matches!(self, Self::OnCode | Self::Both)
    }

    /// Whether an accepted trust token brings the demand.
    #[must_use]
    pub fn on_trust_token(self) -> bool {
        matches!(self, Self::OnTrustToken | Self::Both)
    }
}

impl EscrowHeader {
    /// The header's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Edp => "X-Apple-EDP",
            Self::Pdp => "X-Apple-PDP",
        }
    }
}
