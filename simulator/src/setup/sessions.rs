//! Sessions on the web, and how far the way to the PCS cookies has been gone.

use std::time::SystemTime;

/// The cookie that carries the Drive keys of an account with Advanced Data Protection.
pub const PCS_COOKIE: &str = "X-APPLE-WEBAUTH-PCS-Documents";
/// The main session cookie.
pub const TOKEN_COOKIE: &str = "X-APPLE-WEBAUTH-TOKEN";
/// The cookie that names the user.
pub const USER_COOKIE: &str = "X-APPLE-WEBAUTH-USER";
/// The cookie that holds the upload token.
pub const VALIDATE_COOKIE: &str = "X-APPLE-WEBAUTH-VALIDATE";
/// The cookie of the session.
pub const DS_COOKIE: &str = "X-APPLE-DS-WEB-SESSION-TOKEN";
/// The cookie whose expiry is the trust's.
pub const TRUST_COOKIE: &str = "X-APPLE-WEBAUTH-HSA-TRUST";
/// The cookie of a session whose terms are not accepted.
pub const REPAIR_COOKIE: &str = "X-APPLE-WEBAUTH-REPAIR";

/// One session on the web, as accountLogin made it.
#[derive(Clone, Debug)]
pub struct Login {
    /// Value of [`TOKEN_COOKIE`], with its quotes.
    pub token: String,
    /// Value of [`DS_COOKIE`], with its quotes.
    pub ds_token: String,
    /// Value of [`REPAIR_COOKIE`], while terms are to be accepted.
    pub repair: Option<String>,
    /// The upload token.
    pub upload_token: String,
    /// Value of [`PCS_COOKIE`], once given.
    pub pcs_cookie: Option<String>,
    /// The session token it was made with.
    pub session_token: String,
    /// When it was made.
    pub issued: SystemTime,
    /// When the trust behind it ends.
    pub trust_end: SystemTime,
    /// Whether the second factor stands behind it.
    pub trusted: bool,
    /// Whether it was ended before its time.
    pub void: bool,
}

/// Sessions on the web.
#[derive(Debug, Default)]
pub struct SetupState {
    /// All sessions, oldest first.
    pub logins: Vec<Login>,
    /// The way to the PCS cookies.
    pub pcs: PcsState,
    /// The code of two-step verification and the device it went to.
    pub(super) two_step_code: Option<(String, String)>,
}

/// How far the way to the PCS cookies has been gone.
#[derive(Debug, Default)]
pub struct PcsState {
    /// The device was asked.
    pub asked: bool,
    /// The device consented.
    pub consented: bool,
    /// Looks at the state since the device was asked.
    pub(super) polls: u32,
    /// `requestPCS` calls since the consent.
    pub(super) requests: u32,
}

impl PcsState {
    /// Somebody looks whether the device consented, which it does after so many looks.
    pub(super) fn poll(&mut self, consent_after: Option<u32>) {
        if self.asked && !self.consented {
            self.polls += 1;
            self.consented = consent_after.is_some_and(|n| self.polls >= n);
        }
    }
}
