//! The account that the simulator serves: who it is and what is special about it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::switches::duration;

/// Password protocol announced by `signin/init` (docs/protocol.md §3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// PBKDF2 over the raw hash of the password.
    #[default]
    #[serde(rename = "s2k")]
    S2k,
    /// PBKDF2 over the hexadecimal text of the hash.
    #[serde(rename = "s2k_fo")]
    S2kFo,
}

impl Protocol {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::S2k => "s2k",
            Self::S2kFo => "s2k_fo",
        }
    }
}

/// Where the account lives (docs/protocol.md §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Home {
    /// Everywhere else.
    #[default]
    Global,
    /// Mainland China.
    China,
}

/// A telephone that gets codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Id in requests.
    pub id: u64,
    /// The number as shown, mostly hidden.
    pub number: String,
    /// `sms` or `voice`.
    #[serde(default = "sms")]
    pub mode: String,
    /// `nonFTEU`, when the account reports it.
    #[serde(default)]
    pub non_fteu: Option<bool>,
}

/// A security key's credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCredential {
    /// Its id, base64url.
    pub id: String,
    /// Its point on P-256, 65 bytes uncompressed, base64.
    pub public_key: String,
}

fn sms() -> String {
    "sms".to_owned()
}

/// How the sign-in state is laid out (docs/protocol.md §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateForm {
    /// Members at the top.
    #[default]
    Top,
    /// Members under `phoneNumberVerification`.
    Nested,
    /// An HTML page with the members in its `boot_args` script.
    Html,
    /// The same with the telephones in the bridge's part only; answers to the password name none.
    Bridge,
}

/// Whether password sign-in ends in 412 (docs/protocol.md §3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repair {
    /// It does not.
    #[default]
    None,
    /// It does, and `repair/complete` settles it.
    Works,
    /// It does, and `repair/complete` is refused.
    Refused,
}

/// How a wrong proof is answered (docs/protocol.md §3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WrongProof {
    /// 401 with -20101.
    #[default]
    Status401,
    /// 403 with -20101.
    Status403,
    /// 200 with `X-Apple-I-Rscd: 401`.
    Hidden200,
}

/// Access to iCloud data on the web (docs/protocol.md §5.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebAccess {
    /// On.
    #[default]
    On,
    /// Off: `webservices` is empty.
    EmptyWebservices,
    /// Off: service calls answer 421.
    Status421,
    /// Off: service calls answer 403 `ACCESS_DENIED`.
    AccessDenied,
}

/// Whether the account's drive can be used on the web (docs/protocol.md §16.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readiness {
    /// It can.
    #[default]
    Ready,
    /// Being prepared: so many more service calls answer a plain 400.
    Preparing(u64),
    /// Never set up: 400 `ZONE_NOT_FOUND`.
    NeverSetUp,
}

/// Advanced Data Protection (docs/protocol.md §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adp {
    /// The device consents after so many looks at the state; `None` waits for the control endpoint.
    pub consent_after_polls: Option<u32>,
    /// The PCS cookies are there at this call of `requestPCS`, counted from 1 after consent.
    pub cookies_at_request: u32,
}

impl Default for Adp {
    fn default() -> Self {
        Self { consent_after_polls: Some(2), cookies_at_request: 3 }
    }
}

/// The account. [`Default`] is the one of the documentation: two-factor on, nothing else special.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// Account name; compared without case.
    pub name: String,
    /// Password.
    pub password: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// dsid as text.
    pub dsid: String,
    /// ISO alpha-3 country.
    pub country: String,
    /// Region.
    pub region: Home,
    /// Password protocol.
    pub protocol: Protocol,
    /// PBKDF2 iterations.
    pub iterations: u32,
    /// PBKDF2 salt in hexadecimal.
    pub salt: String,
    /// 2 is two-factor, 1 two-step (legacy), 0 neither.
    pub hsa_version: u8,
    /// Telephones.
    pub phones: Vec<Phone>,
    /// Whether there are trusted devices that can show a code.
    pub trusted_devices: bool,
    /// Whether `GET {auth}` alone makes the devices show a code, as before iOS 26.4.
    pub code_on_state: bool,
    /// Layout of the sign-in state.
    pub state_form: StateForm,
    /// Names of security keys; any makes the account a security-key one.
    pub security_keys: Vec<String>,
    /// What these keys sign with, where the simulator is to accept an assertion.
    pub key_credentials: Vec<KeyCredential>,
    /// Locked for security reasons.
    pub locked: bool,
    /// Upgrade nag.
    pub repair: Repair,
    /// Answer to a wrong proof.
    pub wrong_proof: WrongProof,
    /// Whether messages to telephones are sent.
    pub sms_works: bool,
    /// Advanced Data Protection.
    pub adp: Option<Adp>,
    /// New terms of use wait to be accepted.
    pub terms_pending: bool,
    /// Version of the terms.
    pub terms_version: u64,
    /// Web access.
    pub web_access: WebAccess,
    /// State of the drive.
    pub readiness: Readiness,
    /// `service_errors` inside a successful accountLogin.
    pub login_error: Option<String>,
    /// Life of a half-open sign-in.
    #[serde(with = "duration")]
    pub signin_life: Duration,
    /// Life of cookies.
    #[serde(with = "duration")]
    pub session_life: Duration,
    /// Life of a session token.
    #[serde(with = "duration")]
    pub session_token_life: Duration,
    /// Life of a trust token.
    #[serde(with = "duration")]
    pub trust_life: Duration,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("hsa_version", &self.hsa_version)
            .finish_non_exhaustive()
    }
}

const DAY: u64 = 24 * 3600;

impl Default for Account {
    fn default() -> Self {
        Self {
            name: "sync.test@example.com".to_owned(),
            password: "Tr0ub4dor&3-icloudds".to_owned(),
            first_name: "Sync".to_owned(),
            last_name: "Test".to_owned(),
            dsid: "17320123456".to_owned(),
            country: "USA".to_owned(),
            region: Home::default(),
            protocol: Protocol::default(),
            iterations: 20136,
            salt: "9d3f1c5b7a2e48606f8192a3b4c5d6e7".to_owned(),
            hsa_version: 2,
            phones: vec![
                Phone {
                    id: 1, number: "(•••) •••-••34".to_owned(), mode: sms(), non_fteu: Some(false)
                },
                Phone {
                    id: 2, number: "(•••) •••-••78".to_owned(), mode: sms(), non_fteu: None
                },
            ],
            trusted_devices: true,
            code_on_state: false,
            state_form: StateForm::default(),
            security_keys: Vec::new(),
            key_credentials: Vec::new(),
            locked: false,
            repair: Repair::default(),
            wrong_proof: WrongProof::default(),
            sms_works: true,
            adp: None,
            terms_pending: false,
            terms_version: 140_001,
            web_access: WebAccess::default(),
            readiness: Readiness::default(),
            login_error: None,
            signin_life: Duration::from_secs(600),
            session_life: Duration::from_secs(30 * DAY),
            session_token_life: Duration::from_secs(60 * DAY),
            trust_life: Duration::from_secs(30 * DAY),
        }
    }
}

impl Account {
    /// Whether this is the account's name, as typed.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        name.trim().to_lowercase() == self.name.to_lowercase()
    }

    /// The salt's bytes; digits that are not hexadecimal count as zero.
    #[must_use]
    pub fn salt_bytes(&self) -> Vec<u8> {
        self.salt
            .as_bytes()
            .chunks(2)
            .map(|pair| {
                pair.iter().fold(0u8, |byte, digit| {
                    let digit = char::from(*digit).to_digit(16).unwrap_or(0);
                    byte << 4 | u8::try_from(digit).unwrap_or(0)
                })
            })
            .collect()
    }

    /// Sets the members that this JSON object names.
    ///
    /// # Errors
    /// A text that says what is wrong; nothing is changed then.
    pub fn merge(&mut self, changes: &serde_json::Value) -> Result<(), String> {
        let serde_json::Value::Object(changes) = changes else {
            return Err("the account must be a JSON object".to_owned());
        };
        let mut whole = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            whole[name.as_str()] = value.clone();
        }
        *self = serde_json::from_value(whole).map_err(|error| format!("account: {error}"))?;
        Ok(())
    }
}
