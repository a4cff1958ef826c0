//! What an account may need before anything can be synced with it.

/// What an account needs first. No other item of a pass would fare better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountProblem {
    /// User name or password are not there.
    Credentials,
    /// The sign-in is refused: another password, a locked account.
    SignIn,
    /// A person has to give a second factor.
    SecondFactor,
    /// The service offers the account no Drive for now: terms, approval, web access, a Drive that is being prepared.
    Drive,
    /// What was configured for reaching the service cannot be used.
    Configuration,
    /// The session cannot be kept on this machine.
    Machine,
}
