//! The dialogue of `login`: password, way of sending, code.
//!
//! Works over any reader and writer: on a terminal the password is read hidden, from a pipe
//! every answer is one line.

use std::io::{self, BufRead, IsTerminal, Write};

use super::error::{FactorKind, SignInError};
use super::factor::{SendTo, Ways, is_code_like};
use super::{Initiative, SessionState};
use crate::icloud::service::Service;
use crate::model::plain::plain_lines;
use crate::secret::Secret;
use crate::terminal::{self, Typed};

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
    let mut read_hidden = |prompt: &str| terminal::hidden(prompt);
    let hidden: Option<Hidden<'_>> = if io::stdin().is_terminal() { Some(&mut read_hidden) } else { None };
    login(service, &mut Dialogue { input: Typed(io::stdin().lock()), output: Shown(io::stderr()), hidden })
}

/// A terminal that is told what the service says: what would move its cursor or cannot be seen is escaped.
struct Shown<W>(W);

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(plain_lines(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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
    let signed_in_before = account.state().signed_in;
    let mut helped = asked > 0;
    let mut anew = false;
    loop {
        let state = account.state();
        // Where the code was accepted already, the ladder goes on from there.
        let waiting =
            state.needs_code.filter(|kind| *kind != FactorKind::SecurityKey && !state.code_accepted);
        let outcome = match waiting {
            // Another process opened this sign-in; a right code may want the password again (§3.10).
            Some(FactorKind::TwoFactor) if !state.has_password => Err(SignInError::MissingPassword),
            Some(kind) => Err(SignInError::CodeNeeded { kind }),
            None if anew => service.sign_in_anew(),
            None => {
                if state.has_password || state.signed_in {
                    dialogue.say("Signing in …")?;
                }
                service.sign_in(Initiative::Person)
            }
        };
        let outcome = match outcome {
            Err(SignInError::CodeNeeded { .. } | SignInError::CodeExpired) => {
                helped = true;
                factor(service, dialogue)
            }
            other => other,
        };
        match outcome {
            Ok(()) if signed_in_before && !helped && !anew && state.trust_days_left.is_some() => {
                anew = true;
                dialogue.say("The trust of this machine ends soon; signing in anew renews it.")?;
                if !state.has_password {
                    match dialogue.password() {
                        Ok(password) => account.set_password(Some(password)),
                        // Nobody is there to type it, and the session holds.
                        Err(_) => return dialogue.say(&already(&account.state())),
                    }
                }
                continue;
            }
            Ok(()) if signed_in_before && !helped && !anew => {
                return dialogue.say(&already(&account.state()));
            }
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
        helped = true;
        account.set_password(Some(password));
        // A person may know that an older one is right again.
        if account.password_rejected(true) {
            return Err(SignInError::RejectedBefore);
        }
    }
}

/// What is said of a session that was good before.
fn already(state: &SessionState) -> String {
    let until = state.trust_expires.and_then(|(at, _)| jiff::Timestamp::from_second(at).ok());
    match until {
        Some(at) => format!("Already signed in; trusted until {}.", at.strftime("%Y-%m-%d")),
        None => "Already signed in.".to_owned(),
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
    let mut ways = account.ways()?;
    let mut chosen: Option<SendTo> = None;
    loop {
        let choice = match chosen {
            None => dialogue.choose(&ways)?,
            Some(to) => dialogue.code(&ways, to)?,
        };
        let outcome = match choice {
            Choice::OtherWay => {
                chosen = None;
                ways = account.ways()?;
                continue;
            }
            Choice::Code(code) => match account.submit_code(&code) {
                Ok(()) => return Ok(()),
                Err(error) => Err(error),
            },
            Choice::Send(_) if sends >= MOST_SENDS => Err(SignInError::CodesLocked { sending: true }),
            Choice::Send(to) => {
                sends += 1;
                chosen = Some(to);
                account.send_code(to).map(|()| to)
            }
        };
        match outcome {
            // The sign-in was opened again and needed no code after all.
            Ok(_) if account.state().signed_in => return Ok(()),
            Ok(to) => dialogue.say(&sent(&ways, to))?,
            Err(SignInError::WrongCode { kind, message }) => {
                wrong += 1;
                if wrong >= MOST_WRONG_CODES {
                    return Err(SignInError::WrongCode { kind, message });
                }
                dialogue
                    .say(&format!("Wrong code: {message}. Use the newest one, sent the way you chose."))?;
            }
            Err(error @ (SignInError::CodeNotSent { .. } | SignInError::CodeExpired))
                if sends < MOST_SENDS =>
            {
                dialogue.say(&format!("{error}."))?;
                chosen = None;
                ways = account.ways()?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Where a code was sent.
fn sent(ways: &Ways, to: SendTo) -> String {
    let name = |number: usize| {
        number.checked_sub(1).and_then(|at| ways.numbers.get(at)).map_or("it", String::as_str)
    };
    match to {
        SendTo::Device => "Sent to your trusted devices.".to_owned(),
        SendTo::Number(number) if ways.kind == FactorKind::TwoStep => format!("Sent to {}.", name(number)),
        SendTo::Number(number) if !ways.voice.contains(&number) => {
            format!("Sent by SMS to {}.", name(number))
        }
        SendTo::Number(number) | SendTo::Voice(number) => format!("Apple calls {}.", name(number)),
    }
}

/// What a person wants next.
enum Choice {
    Send(SendTo),
    /// A person who already sees a code may type it at once.
    Code(String),
    OtherWay,
}

impl<R: BufRead, W: Write> Dialogue<'_, R, W> {
    fn choose(&mut self, ways: &Ways) -> Result<Choice, SignInError> {
        if !ways.device && ways.numbers.is_empty() {
            return Err(SignInError::CodeNotSent {
                message: "the account lists no device and no phone".to_owned(),
            });
        }
        let two_step = ways.kind == FactorKind::TwoStep;
        if ways.device {
            // Asking for one would make a code that shows already void (§4.2).
            self.say("iCloud wants a code. If your devices show one, type it; else have one sent:")?;
            self.say("  0  to your trusted devices")?;
        } else {
            self.say("iCloud wants a code. It can be sent:")?;
        }
        for (at, name) in (1..).zip(&ways.numbers) {
            let how = match () {
                () if two_step => "to",
                () if ways.voice.contains(&at) => "by a call to",
                () => "by SMS to",
            };
            self.say(&format!("  {at}  {how} {name}"))?;
        }
        let first = if ways.device { 0 } else { 1 };
        let prompt = match (ways.device, ways.numbers.is_empty()) {
            (true, true) => "Code, or Enter to have one sent to your devices: ",
            (true, false) => "Code, or Enter to have one sent to your devices, s for SMS, v for a call: ",
            (false, _) => "Code, or the number of a way [1]: ",
        };
        loop {
            let answer = self.ask(prompt)?;
            if answer.is_empty() {
                return Ok(Choice::Send(send_to(first)));
            }
            match choice(ways, &answer) {
                Some(choice) => return Ok(choice),
                None => self.say("Please type one of the listed numbers, or the code that you see.")?,
            }
        }
    }

    /// Asks for the code that was sent to `last`.
    fn code(&mut self, ways: &Ways, last: SendTo) -> Result<Choice, SignInError> {
        loop {
            let answer = self.ask("Code (Enter sends a new one, w chooses another way): ")?;
            match answer.as_str() {
                "" => return Ok(Choice::Send(last)),
                "w" | "W" => return Ok(Choice::OtherWay),
                word if is_code_like(word) => return Ok(Choice::Code(answer)),
                word => match lettered(ways, word) {
                    Some(to) => return Ok(Choice::Send(to)),
                    None => self.say("Please type the code, Enter or w.")?,
                },
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

/// What an answer to the list of ways means, if anything.
fn choice(ways: &Ways, answer: &str) -> Option<Choice> {
    if is_code_like(answer) {
        return Some(Choice::Code(answer.to_owned()));
    }
    match answer.parse::<usize>() {
        Ok(0) if ways.device => Some(Choice::Send(SendTo::Device)),
        Ok(number) if (1..=ways.numbers.len()).contains(&number) => {
            Some(Choice::Send(SendTo::Number(number)))
        }
        Ok(_) => None,
        Err(_) => lettered(ways, answer).map(Choice::Send),
    }
}

/// `s`, `s2`, `v`, `v 2`: by SMS, by a call, to the first number or to this one.
fn lettered(ways: &Ways, answer: &str) -> Option<SendTo> {
    let mut characters = answer.chars();
    let letter = characters.next()?.to_ascii_lowercase();
    let place = characters.as_str().trim();
    let of_sms = || (1..=ways.numbers.len()).find(|at| !ways.voice.contains(at)).unwrap_or(1);
    let number = match (place, letter) {
        ("", 's') => of_sms(),
        ("", _) => 1,
        (place, _) => place.parse().ok()?,
    };
    if !(1..=ways.numbers.len()).contains(&number) || ways.kind == FactorKind::TwoStep {
        return None;
    }
    match letter {
        's' => Some(SendTo::Number(number)),
        'v' => Some(SendTo::Voice(number)),
        _ => None,
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
