//! Text from outside, made fit to be shown: names, messages of the service, what others wrote.
//!
//! What moves a terminal's cursor, turns the reading direction, or is not seen at all must not decide what a line looks like.
//! Everything that the program shows or writes for people goes through one of these functions, whichever output it is for.

use std::fmt::Write as _;

/// Characters of Unicode's category Cf (format) and the two separators of lines and paragraphs, first and last of each run.
const UNSEEN: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    // Some of these are not assigned yet; a terminal may know more than this table.
    ('\u{2060}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e007f}'),
];

/// Whether a character must not be shown as it is: C0 and C1 controls, DEL, format characters, separators of lines.
pub fn is_hidden(character: char) -> bool {
    if character < '\u{7f}' {
        return character < ' ';
    }
    character.is_control() || UNSEEN.iter().any(|&(first, last)| (first..=last).contains(&character))
}

fn escape(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if !is_hidden(c) || keeps(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

/// `text` on one line, with everything visible that is in it: `\n`, `\u{1b}`, `\u{202e}`.
pub fn plain(text: &str) -> String {
    escape(text, |_| false)
}

/// As [`plain`], for text of several lines: their ends stay.
pub fn plain_lines(text: &str) -> String {
    escape(text, |character| character == '\n')
}

/// A JSON text that means the same, with what [`is_hidden`] finds in its strings written as `\uXXXX`. The line ends and blanks
/// between the strings stay.
pub fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        // JSON itself lets no control character below U+0020 into a string.
        if character < '\u{7f}' || !is_hidden(character) {
            shown.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a String cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Unicode calls a control or format character, from the tables of another crate.
    fn hidden_by_unicode() -> Vec<char> {
        let class = regex::Regex::new(r"\A[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]\z").expect("a class");
        ('\0'..=char::MAX).filter(|c| class.is_match(c.encode_utf8(&mut [0; 4]))).collect()
    }

    #[test]
    fn every_control_and_format_character_is_escaped_and_nothing_else_that_is_a_letter() {
        let hidden = hidden_by_unicode();
        assert!(hidden.len() > 200, "{}", hidden.len());
        for c in &hidden {
            let shown = plain(&format!("a{c}b"));
            assert!(shown.starts_with("a\\") && shown.ends_with('b'), "{:04x}: {shown}", u32::from(*c));
            assert!(shown.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{shown:?}");
        }
        let all: String = hidden.iter().collect();
        assert!(!plain_lines(&all).chars().any(|c| c != '\n' && is_hidden(c)));
        let json = plain_json(&serde_json::to_string_pretty(&vec![&all]).expect("JSON"));
        assert!(!json.chars().any(|c| c != '\n' && is_hidden(c)), "{json:?}");
        let back: Vec<String> = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(back, [all]);
        let text = "Grüße 東京 עברית عربي 👩 é -> …";
        assert_eq!(
            (plain(text), plain_lines(text), plain_json(text)),
            (text.into(), text.into(), text.into())
        );
    }

    #[test]
    fn lines_stay_where_they_are_meant() {
        assert_eq!(plain("a\r\n\tb\u{1b}[2J"), "a\\r\\n\\tb\\u{1b}[2J");
        assert_eq!(plain_lines("a\n\u{202e}b\n"), "a\n\\u{202e}b\n");
    }
}
