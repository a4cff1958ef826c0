//! Edge: the terminal at which a person is asked. Whatever ends the program while it waits for an answer, the terminal is left as it was.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// What is being asked just now.
struct Asked {
    /// How many questions are open: none or one, for one reader has the input.
    open: u32,
    /// The terminal as it was before an answer was hidden.
    before: Option<(File, Termios)>,
}

static ASKED: Mutex<Asked> = Mutex::new(Asked { open: 0, before: None });

fn asked() -> MutexGuard<'static, Asked> {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open while a person is asked.
struct Question;

impl Question {
    fn begin(hidden: bool) -> Self {
        let terminal = || {
            let file = File::options().read(true).write(true).open("/dev/tty").ok()?;
            let modes = tcgetattr(&file).ok()?;
            Some((file, modes))
        };
        // Opened before the lock is taken: nobody waits for a terminal then.
        let before = if hidden { terminal() } else { None };
        let mut asked = asked();
        asked.open += 1;
        if let Some((terminal, modes)) = &before {
            // Before the question is put: whoever answers at once, by pasting or by a program, is not shown either.
            let mut unseen = modes.clone();
            unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
            // Who puts the program to sleep would have the shell's modes, and be shown, on waking it.
            unseen.special_codes[SpecialCodeIndex::VSUSP] = 0;
            let _ = tcsetattr(terminal, OptionalActions::Now, &unseen);
        }
        asked.before = before;
        Self
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut asked = asked();
        asked.open = asked.open.saturating_sub(1);
        if let Some((terminal, modes)) = asked.before.take() {
            let _ = tcsetattr(&terminal, OptionalActions::Now, &modes);
        }
    }
}

/// Whether a person is asked just now: then nothing is in flight that a signal would have to wait for.
pub fn is_asking() -> bool {
    asked().open > 0
}

/// Whether a person can be asked: questions reach a terminal, answers come from it, and this process is in its foreground. In the background
/// the system would stop the whole process for reading.
pub fn is_ours() -> bool {
    let ours = || tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == rustix::process::getpgrp());
    io::stdin().is_terminal() && io::stderr().is_terminal() && ours()
}

/// Puts the terminal back as it was before the open question, if one hides its answer. For whoever ends the process.
pub fn restore() {
    if let Some((terminal, modes)) = &asked().before {
        let _ = tcsetattr(terminal, OptionalActions::Now, modes);
        // The cursor stands behind the question.
        let _ = (&mut &*terminal).write_all(b"\n");
    }
}

/// Asks for one line that is not shown.
///
/// # Errors
///
/// When there is no terminal, or it is gone.
pub fn hidden(prompt: &str) -> io::Result<String> {
    let _question = Question::begin(true);
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(prompt.as_bytes())?;
    // The terminal hands over a line at a time, and nothing changes its modes from here on: an interrupt finds them as `restore` wants.
    let mut line = String::new();
    let read = BufReader::new(&terminal).read_line(&mut line);
    terminal.write_all(b"\n")?;
    if read? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the terminal ended before an answer"));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Input from a person: while it is waited for, [`is_asking`] says so.
pub struct Typed<R>(pub R);

impl<R: Read> Read for Typed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _question = Question::begin(false);
        self.0.read(buffer)
    }
}

impl<R: BufRead> BufRead for Typed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let _question = Question::begin(false);
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}
