//! The status on a terminal, once or until somebody has seen enough.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use rustix::termios::tcgetwinsize;

use super::print::PrintError;
use crate::status::draw::Look;

/// How often `status --watch` looks.
pub(super) const STEP: Duration = Duration::from_secs(1);
/// Narrower windows break every line, wider ones are hard to read.
const COLUMNS: std::ops::RangeInclusive<u16> = 40..=160;

/// Standard output, where it is a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    pub look: Look,
    rows: usize,
}

impl Screen {
    /// `None` where the output goes elsewhere.
    pub(super) fn of_stdout() -> Option<Self> {
        let out = io::stdout();
        if !out.is_terminal() {
            return None;
        }
        let size = tcgetwinsize(&out).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, rows) = size.map_or((80, 24), |size| (size.ws_col, size.ws_row));
        let columns = columns.clamp(*COLUMNS.start(), *COLUMNS.end()).into();
        let variable = |name| std::env::var_os(name).unwrap_or_default();
        let colours = wants_colours(!variable("NO_COLOR").is_empty(), variable("TERM") == "dumb");
        Some(Self { look: Look { columns, colours }, rows: rows.into() })
    }

    /// Shows `drawn` in place of what was shown before, as much of it as fits.
    pub(super) fn show(&self, drawn: &str) -> Result<(), PrintError> {
        let mut out = io::stdout().lock();
        out.write_all(page(drawn, self.rows).as_bytes())?;
        Ok(out.flush()?)
    }

    /// Lets some time pass.
    pub(super) fn rest() {
        thread::sleep(STEP);
    }
}

/// See <https://no-color.org>.
fn wants_colours(refused: bool, dumb: bool) -> bool {
    !refused && !dumb
}

/// From the upper left corner on, each line cleared to its end, and below it everything.
fn page(drawn: &str, rows: usize) -> String {
    let most = rows.saturating_sub(1).max(1);
    let mut lines: Vec<&str> = drawn.lines().collect();
    if lines.len() > most {
        lines.truncate(most.saturating_sub(1));
        lines.push("… more: `icloudds status`");
    }
    let lines: String = lines.iter().map(|line| format!("{line}\u{1b}[K\r\n")).collect();
    format!("\u{1b}[H{lines}\u{1b}[J")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_never_scrolls() {
        assert_eq!(page("a\nb\n", 24), "\u{1b}[Ha\u{1b}[K\r\nb\u{1b}[K\r\n\u{1b}[J");
        let long = page(&"x\n".repeat(100), 10);
        assert_eq!(long.matches("\r\n").count(), 9);
        assert!(long.contains("… more"), "{long}");
        assert_eq!(page("a\nb\n", 1).matches("\r\n").count(), 1);
    }

    #[test]
    fn colours_can_be_refused() {
        assert_eq!(
            [wants_colours(false, false), wants_colours(true, false), wants_colours(false, true)],
            [true, false, false]
        );
    }
}
