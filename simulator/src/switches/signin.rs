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
