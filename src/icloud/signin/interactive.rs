//! The dialogue of `login`: password, way of sending, code.
//!
//! Works over any reader and writer: on a terminal the password is read hidden, from a pipe
//! every answer is one line.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Initiative;
use super::error::{FactorKind, SignInError};
use super::factor::{SendTo, Ways};
use crate::icloud::service::Service;
use crate::secret::Secret;

/// Two refused proofs were enough to lock an account (`docs/protocol.md` §3.0).
const MOST_PASSWORDS: u32 = 2;
/// Wrong codes before the dialogue ends.
const MOST_WRONG_CODES: u32 = 3;
/// Codes that one dialogue asks for; each may make the previous one void.
const MOST_SENDS: u32 = 5;

/// Reads one line without showing it; gets the prompt.
pub type Hidden<'a> = &'a mut dyn FnMut(&str) -> io::Result<String>;

/// Where questions go and answers come from.
pub struct Dialogue<'a, R, W> {
    /// Answers, one a line.
    pub input: R,
    /// Questions.
    pub output: W,
    /// How the password is read; without it, as every other answer.
    pub hidden: Option<Hidden<'a>>,
}

/// Runs the dialogue on standard input and standard error.
///
/// # Errors
///
/// As [`login`].
pub fn login_here(service: &Service) -> Result<(), SignInError> {
    let mut read_hidden = |prompt: &str| rpassword::prompt_password(prompt);
    let hidden: Option<Hidden<'_>> = if io::stdin().is_terminal() { Some(&mut read_hidden) } else { None };
    login(service, &mut Dialogue { input: io::stdin().lock(), output: io::stderr(), hidden })
}

/// Signs in with the help of a person. A session that still holds is left as it is, and a
/// sign-in that already waits for a code goes on from there.
///
/// # Errors
///
/// [`SignInError`]: what could not be cured by asking again, or
/// [`SignInError::NoAnswer`] when the answers ended.
pub fn login<R: BufRead, W: Write>(
    service: &Service,
    dialogue: &mut Dialogue<'_, R, W>,
) -> Result<(), SignInError> {
    let account = service.account();
    account.reload()?;
    let mut asked = 0;
    if account.password_rejected(false) {
        dialogue.say("The configured password was refused before, so it is not sent again.")?;
        account.set_password(Some(dialogue.password()?));
        asked += 1;
    }
    loop {
        let state = account.state();
        // Where the code was accepted already, the ladder goes on from there.
        let waiting =
            state.needs_code.filter(|kind| *kind != FactorKind::SecurityKey && !state.code_accepted);
        let outcome = match waiting {
            // Another process opened this sign-in; a right code may want the password again (§3.10).
            Some(FactorKind::TwoFactor) if !state.has_password => Err(SignInError::MissingPassword),
            Some(kind) => Err(SignInError::CodeNeeded { kind }),
            None => service.sign_in(Initiative::Person),
        };
        let outcome = match outcome {
            Err(SignInError::CodeNeeded { .. } | SignInError::CodeExpired) => factor(service, dialogue),
            other => other,
        };
        match outcome {
            Ok(()) => return dialogue.say("Signed in."),
            Err(SignInError::MissingPassword) => {}
            Err(error @ SignInError::WrongPassword { .. }) => {
                asked += 1;
                if asked >= MOST_PASSWORDS {
                    return Err(error);
                }
                dialogue.say(&format!("{error}."))?;
            }
            Err(error) => return Err(error),
        }
        let password = dialogue.password()?;
        account.set_password(Some(password));
        // A person may know that an older one is right again.
        if account.password_rejected(true) {
            return Err(SignInError::RejectedBefore);
        }
    }
}

/// Everything about the code, until it is accepted.
fn factor<R: BufRead, W: Write>(
    service: &Service,
    dialogue: &mut Dialogue<'_, R, W>,
) -> Result<(), SignInError> {
    let account = service.account();
    let mut wrong = 0;
    let mut sends = 0;
    let mut chosen: Option<SendTo> = None;
    loop {
        let answer = match chosen {
            None => match dialogue.choose(&account.ways()?)? {
                Choice::Code(code) => Some(code),
                Choice::Send(to) => {
                    chosen = Some(to);
                    None
                }
            },
            Some(_) => {
                match dialogue.ask("Code (Enter sends a new one, w chooses another way): ")?.as_str() {
                    "" => None,
                    "w" | "W" => {
                        chosen = None;
                        continue;
                    }
                    code => Some(code.to_owned()),
                }
            }
        };
        let outcome = match (&answer, chosen) {
            (Some(code), _) => account.submit_code(code),
            (None, Some(to)) if sends < MOST_SENDS => {
                sends += 1;
                match account.send_code(to) {
                    // The sign-in was opened again and needed no code after all.
                    Ok(()) if account.state().signed_in => return Ok(()),
                    other => other,
                }
            }
            (None, _) => Err(SignInError::CodesLocked { sending: true }),
        };
        match (outcome, answer) {
            (Ok(()), Some(_)) => return Ok(()),
            (Ok(()), None) => dialogue.say("The code was sent.")?,
            (Err(error @ SignInError::WrongCode { .. }), _) => {
                wrong += 1;
                if wrong >= MOST_WRONG_CODES {
                    return Err(error);
                }
                dialogue.say(&format!("{error}; {}.", error.advice()))?;
            }
            (Err(error @ (SignInError::CodeNotSent { .. } | SignInError::CodeExpired)), _)
                if sends < MOST_SENDS =>
            {
                dialogue.say(&format!("{error}."))?;
                chosen = None;
            }
            (Err(error), _) => return Err(error),
        }
    }
}

enum Choice {
    Send(SendTo),
    /// A person who already sees a code may type it at once.
    Code(String),
}

impl<R: BufRead, W: Write> Dialogue<'_, R, W> {
    fn choose(&mut self, ways: &Ways) -> Result<Choice, SignInError> {
        if !ways.device && ways.numbers.is_empty() {
            return Err(SignInError::CodeNotSent {
                message: "the account lists no device and no phone".to_owned(),
            });
        }
        let two_step = ways.kind == FactorKind::TwoStep;
        self.say("iCloud wants a code. It can be sent:")?;
        if ways.device {
            self.say("  0  to your trusted devices")?;
        }
        for (at, name) in ways.numbers.iter().enumerate() {
            let to = if two_step { "to" } else { "by SMS to" };
            self.say(&format!("  {}  {to} {name}", at + 1))?;
        }
        let first = if ways.device { 0 } else { 1 };
        loop {
            let answer = self.ask(&format!("Which? [{first}] "))?;
            if answer.is_empty() {
                return Ok(Choice::Send(send_to(first)));
            }
            if answer.len() >= 4 {
                return Ok(Choice::Code(answer));
            }
            match answer.parse::<usize>() {
                Ok(0) if ways.device => return Ok(Choice::Send(SendTo::Device)),
                Ok(number) if (1..=ways.numbers.len()).contains(&number) => {
                    return Ok(Choice::Send(SendTo::Number(number)));
                }
                _ => self.say("Please type one of the listed numbers, or the code that you see.")?,
            }
        }
    }

    fn password(&mut self) -> Result<Secret, SignInError> {
        const PROMPT: &str = "Password: ";
        loop {
            let typed = match &mut self.hidden {
                Some(read) => read(PROMPT).map_err(|error| no_answer(&error))?,
                None => self.line(PROMPT)?,
            };
            if !typed.is_empty() {
                return Ok(Secret::new(typed));
            }
        }
    }

    /// A trimmed answer.
    fn ask(&mut self, prompt: &str) -> Result<String, SignInError> {
        Ok(self.line(prompt)?.trim().to_owned())
    }

    /// A line as typed, without its end.
    fn line(&mut self, prompt: &str) -> Result<String, SignInError> {
        write!(self.output, "{prompt}")
            .and_then(|()| self.output.flush())
            .map_err(|error| no_answer(&error))?;
        let mut line = String::new();
        let count = self.input.read_line(&mut line).map_err(|error| no_answer(&error))?;
        if count == 0 {
            return Err(SignInError::NoAnswer { reason: "the input ended".to_owned() });
        }
        let line = line.strip_suffix('\n').unwrap_or(&line);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    fn say(&mut self, text: &str) -> Result<(), SignInError> {
        writeln!(self.output, "{text}").map_err(|error| no_answer(&error))
    }
}

fn send_to(number: usize) -> SendTo {
    if number == 0 { SendTo::Device } else { SendTo::Number(number) }
}

fn no_answer(error: &io::Error) -> SignInError {
    SignInError::NoAnswer { reason: error.to_string() }
}

#[cfg(test)]
#[path = "interactive_tests.rs"]
mod tests;
