//! Refuses what the `regex` crate lacks and what it reads differently from Python's `re`.
//!
//! People bring expressions that worked elsewhere. One that silently means something else would sync, or hide, the
//! wrong files; so each such construct is named together with what to write instead.

use std::fmt;

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetBinaryOp, ClassSetItem, ErrorKind, Flag, FlagsItemKind, GroupKind,
    RepetitionKind, Span, Visitor,
};

/// Says what is wrong with `pattern`, if anything is. The message is one line and does not repeat the pattern.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let ast = ParserBuilder::new().build().parse(pattern).map_err(|error| explain(pattern, &error))?;
    ast::visit(&ast, Differences { pattern })
}

/// The last line of a `regex` error, which is the one that says why; the others draw the pattern.
pub(super) fn one_line(error: &(impl fmt::Display + ?Sized)) -> String {
    let text = error.to_string();
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).trim_end_matches('.').to_owned()
}

/// Why the parser refused `pattern`, in terms of what its author wrote.
fn explain(pattern: &str, error: &ast::Error) -> String {
    let span = error.span();
    let at = &pattern[span.start.offset..];
    let found = text(pattern, span);
    match error.kind() {
        ErrorKind::UnsupportedLookAround => look_around(found),
        ErrorKind::UnsupportedBackreference => back_reference(found),
        ErrorKind::EscapeUnrecognized if found == r"\Z" => r"`\Z` is not known; write `\z`".to_owned(),
        ErrorKind::EscapeUnrecognized => {
            format!("the escape `{found}` is not known; a literal character is written without the backslash")
        }
        ErrorKind::ClassEscapeInvalid => format!("the escape `{found}` is not allowed inside a class"),
        ErrorKind::ClassUnclosed => {
            r"a `[` is not closed (a literal `[`, also inside a class, is written `\[`)".to_owned()
        }
        ErrorKind::RepetitionMissing if at.starts_with('{') => literal_brace(),
        ErrorKind::RepetitionMissing => {
            let operator: String = at.chars().take(1).collect();
            format!("there is nothing for `{operator}` to repeat")
        }
        ErrorKind::RepetitionCountDecimalEmpty if lacks_lower_bound(pattern, span.start.offset) => {
            "a quantifier without its lower bound, `{,n}`, is written `{0,n}`".to_owned()
        }
        ErrorKind::RepetitionCountUnclosed
        | ErrorKind::RepetitionCountDecimalEmpty
        | ErrorKind::SpecialWordBoundaryUnclosed
        | ErrorKind::SpecialWordBoundaryUnrecognized
        | ErrorKind::SpecialWordOrRepetitionUnexpectedEof => literal_brace(),
        // The parser reports a count that is no number only where a `{` came before it.
        ErrorKind::DecimalEmpty | ErrorKind::DecimalInvalid => literal_brace(),
        _ => group_syntax(pattern, span.start.offset).unwrap_or_else(|| plain(error)),
    }
}

fn plain(error: &ast::Error) -> String {
    error.kind().to_string()
}

fn look_around(found: &str) -> String {
    let name = if found.contains('<') { "look-behind" } else { "look-ahead" };
    format!("{name} (`{found}…)`) is not supported; split the rule between `ignore` and `include`")
}

fn back_reference(found: &str) -> String {
    format!("the back-reference `{found}` is not supported; write the repeated text out")
}

fn literal_brace() -> String {
    r"a literal `{` is written `\{`".to_owned()
}

/// Whether the `{` before `offset` starts a `{,n}`.
fn lacks_lower_bound(pattern: &str, offset: usize) -> bool {
    let open = pattern[..offset].rfind('{').map_or("", |at| &pattern[at..]);
    open.strip_prefix("{,").is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// Python's other `(?…` groups, recognised by the group that the error stands in.
fn group_syntax(pattern: &str, offset: usize) -> Option<String> {
    let open = pattern[..offset].rfind("(?")?;
    let group = &pattern[open..];
    [
        ("(?P=", "the back-reference `(?P=…)` is not supported; write the repeated text out"),
        ("(?>", "the atomic group `(?>…)` is not supported; write `(?:…)`"),
        ("(?(", "the conditional group `(?(…)…)` is not supported; write both cases as alternatives"),
        ("(?#", "the comment `(?#…)` is not supported; leave it out"),
        ("(?P>", "the group call `(?P>…)` is not supported; write the group out"),
    ]
    .into_iter()
    .find(|(opening, _)| group.starts_with(opening))
    .map(|(_, problem)| problem.to_owned())
}

fn text<'a>(pattern: &'a str, span: &Span) -> &'a str {
    &pattern[span.start.offset..span.end.offset]
}

/// Finds what parses, but means something else in Python.
struct Differences<'a> {
    pattern: &'a str,
}

impl Differences<'_> {
    fn text(&self, span: &Span) -> &str {
        text(self.pattern, span)
    }

    fn flags(&self, flags: &ast::Flags) -> Result<(), String> {
        let verbose = |item: &ast::FlagsItem| item.kind == FlagsItemKind::Flag(Flag::IgnoreWhitespace);
        if flags.items.iter().any(verbose) {
            return Err(
                "the flag `x` is read differently inside classes; write the expression without it".to_owned()
            );
        }
        Ok(())
    }

    /// Two of `&&`, `--`, `~~` side by side in a class: set operations here, plain characters in Python.
    ///
    /// The text is searched, not only the syntax tree, because a leading `--` parses as two literals here and as a
    /// range in Python.
    fn class(&self, class: &str) -> Result<(), String> {
        let mut characters = class.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => {
                    characters.next();
                }
                '&' | '-' | '~' if characters.peek() == Some(&character) => {
                    return Err(format!(
                        "`{character}{character}` inside a class is a set operation here; write `\\{character}` for the character"
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Visitor for Differences<'_> {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), String> {
        match ast {
            Ast::Flags(flags) => self.flags(&flags.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => self.flags(flags),
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => Ok(()),
            },
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::WordBoundaryStartAngle => {
                    Err(r"`\<` is a word boundary here; write `<` for the character, `\b` for a boundary"
                        .to_owned())
                }
                AssertionKind::WordBoundaryEndAngle => {
                    Err(r"`\>` is a word boundary here; write `>` for the character, `\b` for a boundary"
                        .to_owned())
                }
                AssertionKind::WordBoundaryStart
                | AssertionKind::WordBoundaryEnd
                | AssertionKind::WordBoundaryStartHalf
                | AssertionKind::WordBoundaryEndHalf => Err(literal_brace()),
                _ => Ok(()),
            },
            Ast::Repetition(repetition) => {
                let operator = self.text(&repetition.op.span);
                if matches!(*repetition.ast, Ast::Repetition(_)) {
                    return Err(match repetition.op.kind {
                        RepetitionKind::OneOrMore => {
                            "possessive quantifiers (`*+`, `++`, `?+`, `{…}+`) are not supported; leave the last `+` out"
                                .to_owned()
                        }
                        _ => format!("the quantifier `{operator}` follows another one; write a group around the first"),
                    });
                }
                if operator.contains(char::is_whitespace) {
                    return Err(literal_brace());
                }
                Ok(())
            }
            Ast::ClassBracketed(class) => self.class(self.text(&class.span)),
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Ascii(_) | ClassSetItem::Bracketed(_) => {
                Err(r"a `[` inside a class opens a class of its own here; write `\[` for the character"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, operation: &ClassSetBinaryOp) -> Result<(), String> {
        self.class(self.text(&operation.span))
    }
}
