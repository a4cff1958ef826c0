//! How deeply a text of TOML is nested: what reads it goes down into it, and so does what gives it back.

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// No configuration is nested deeper: a section, a key, and a list or table in it are three.
const DEEPEST: usize = 32;

/// Where the text is nested too deeply to be read, in bytes from its beginning. Each bracket counts, and each dot of a key, since
/// `a.b.c = 1` is a table within a table.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut dots) = (0, 0);
    // How deep each bracket lies that is open.
    let mut open = Vec::new();
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                open.push((depth, dots));
                depth += dots + 1;
                dots = 0;
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                (depth, dots) = open.pop().unwrap_or_default();
            }
            TokenKind::Comma | TokenKind::Newline => dots = 0,
            _ => {}
        }
        if depth + dots > DEEPEST {
            return Some(token.span().start());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_the_dots_of_keys_count_and_what_is_in_texts_does_not() {
        let dotted = |count: usize| vec!["a"; count].join(".");
        let deep = |text: &str| too_deep(text).is_some();
        for fine in [
            include_str!("../../config.example.toml").to_owned(),
            format!("ignore = ['{}', \"{}\"] # {}\n", "(.".repeat(99), "[{.".repeat(99), "[.".repeat(99)),
            format!("{} = 1\n{} = 1\n", dotted(30), dotted(30)),
            format!("x = [{}]\n", vec!["1.5"; 99].join(", ")),
            format!("x = [{}]\n", vec!["[{a.b = 1}]"; 99].join(", ")),
            "]]}}\n[a]\nb = 1\n".to_owned(),
        ] {
            assert!(!deep(&fine), "{fine}");
        }
        for bad in [
            format!("{} = 1\n", dotted(40)),
            format!("[{}]\n", dotted(40)),
            format!("x = {}{}\n", "[".repeat(40), "]".repeat(40)),
            // Each of them is within what the parser itself takes, and together they are not.
            format!("x = {}1{}\n", format!("{{{} = ", dotted(70)).repeat(70), "}".repeat(70)),
            format!("x = {}1{}\n", "[{a.b = ".repeat(15), "}]".repeat(15)),
        ] {
            assert!(deep(&bad), "{bad}");
        }
        assert_eq!(too_deep(&format!("a = 1\n{}", "[".repeat(40))), Some(6 + 32));
    }
}
