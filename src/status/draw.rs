//! The status on a terminal: lines that fit, and colours for what needs a person. No I/O.

use super::DaemonState;
use super::text::LABEL;

/// How a terminal shows things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns that a line may take.
    pub columns: usize,
    /// Whether colours are wanted.
    pub colours: bool,
}

/// What a line says to who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    /// It waits for a person.
    Wants,
    Bad,
}

/// `text`, as [`render`](super::text::render) made it, for a terminal of that look.
pub fn draw(text: &str, look: Look) -> String {
    let mut drawn = String::with_capacity(text.len());
    for line in text.lines() {
        let tone = if look.colours { tone(line) } else { Tone::Plain };
        for piece in wrapped(line, look.columns) {
            match code(tone) {
                Some(code) => drawn.push_str(&format!("\u{1b}[{code}m{piece}\u{1b}[0m\n")),
                None => drawn.push_str(&format!("{piece}\n")),
            }
        }
    }
    drawn
}

fn code(tone: Tone) -> Option<u8> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some(32),
        Tone::Wants => Some(33),
        Tone::Bad => Some(31),
    }
}

/// The tone of a line goes by its label.
fn tone(line: &str) -> Tone {
    let Some((label, rest)) = line.split_at_checked(LABEL) else { return Tone::Plain };
    let rest = rest.trim_start();
    match label.trim_end() {
        "state" => of_state(rest.strip_prefix("was ").unwrap_or(rest)),
        "in sync" if rest.starts_with("yes") => Tone::Good,
        "held" | "set aside" => Tone::Wants,
        "session" if rest.contains("`icloudds login`") => Tone::Wants,
        "last error" => Tone::Bad,
        _ => Tone::Plain,
    }
}

fn of_state(rest: &str) -> Tone {
    use DaemonState as S;
    let word = rest.split(',').next().unwrap_or_default();
    match S::ALL.into_iter().find(|state| state.as_str() == word) {
        Some(S::NeedsCode | S::NeedsPassword | S::Guarded | S::Paused) => Tone::Wants,
        Some(S::Offline | S::WrongFolder | S::DiskFull) => Tone::Bad,
        Some(S::Idle) => Tone::Good,
        _ => Tone::Plain,
    }
}

/// A line in pieces of at most `columns`, broken between words where that can be. The pieces after the first begin below the
/// first one's text.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let blank = line.len() - line.trim_start().len();
    // What has no label begins at the edge, and a line of a list two columns further in than its items.
    let has_label = line.is_char_boundary(LABEL) && line.get(LABEL..=LABEL) == Some(" ");
    let indent = if blank > 0 {
        blank + 2
    } else if has_label {
        LABEL + 1
    } else {
        2
    };
    let indent = indent.min(columns / 2);
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for word in line.split_inclusive(' ') {
        if width(&piece) + width(word.trim_end()) > columns && !piece.trim().is_empty() {
            pieces.push(piece.trim_end().to_owned());
            piece = " ".repeat(indent);
        }
        for character in word.chars() {
            // A word that fits no line is broken where it has to be.
            if width(&piece) + columns_of(character) > columns && character != ' ' {
                pieces.push(piece);
                piece = " ".repeat(indent);
            }
            piece.push(character);
        }
    }
    if !piece.trim().is_empty() {
        pieces.push(piece.trim_end().to_owned());
    }
    pieces
}

fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Columns of a character: two for those of East Asian scripts and for pictures, and never fewer than it takes.
fn columns_of(character: char) -> usize {
    match u32::from(character) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f000..=0x1faff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { columns: 40, colours: false };

    #[test]
    fn lines_are_broken_between_words_and_below_their_text() {
        for (line, drawn) in [
            ("state        idle", "state        idle\n"),
            (
                "last error   iCloud is busy and asks to be left alone",
                "last error   iCloud is busy and asks to\n             be left alone\n",
            ),
            (
                "               Documents/a b.txt: iCloud refused it",
                "               Documents/a b.txt: iCloud\n                 refused it\n",
            ),
            (
                "               0123456789012345678901234567890123456789",
                "               0123456789012345678901234\n                 567890123456789\n",
            ),
            (
                "icloudds 1: /a/very/long/folder and iCloud Drive /",
                "icloudds 1: /a/very/long/folder and\n  iCloud Drive /\n",
            ),
            (
                "               東京東京東京東京東京東京東",
                "               東京東京東京東京東京東京\n                 東\n",
            ),
        ] {
            assert_eq!(draw(line, LOOK), drawn, "{line}");
        }
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_whatever_is_in_it() {
        let line = format!("held         {} {} é {}", "a".repeat(500), "東京".repeat(90), "b ".repeat(300));
        for columns in [20, 40, 80, 81, 200] {
            let drawn = draw(&line, Look { columns, colours: false });
            assert!(drawn.lines().all(|line| width(line) <= columns), "{columns}:\n{drawn}");
            let kept = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(kept(&drawn), kept(&line), "nothing is lost");
        }
    }

    #[test]
    fn colours_are_for_what_needs_a_person_and_only_where_wanted() {
        for (line, code) in [
            ("state        needs-code, since 2026", Some(33)),
            ("state        idle, since 2026", Some(32)),
            ("state        was offline, since 2026", Some(31)),
            ("state        syncing, since 2026", None),
            ("in sync      yes", Some(32)),
            ("in sync      no", None),
            ("held         2 deletions", Some(33)),
            ("last error   no", Some(31)),
            ("session      trusted: run `icloudds login` before then", Some(33)),
            ("               held         a file", None),
        ] {
            let expected =
                code.map_or(format!("{line}\n"), |code| format!("\u{1b}[{code}m{line}\u{1b}[0m\n"));
            assert_eq!(draw(line, Look { columns: 80, colours: true }), expected, "{line}");
            assert_eq!(draw(line, Look { columns: 80, colours: false }), format!("{line}\n"));
        }
    }
}
