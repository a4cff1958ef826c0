//! Which paths take part: the ignore and include expressions as one pure predicate.
//!
//! Expressions use the syntax of the `regex` crate. Each is matched from the start of the relative POSIX path, not up
//! to its end, and both sides are compared in their NFC form, so that one expression serves the disk and the drive
//! whatever normalisation they use. See `docs/contract.md`, "Configuration".

mod matcher;
mod subtree;
mod syntax;

use std::borrow::Cow;
use std::fmt;

use regex_automata::meta::Regex;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use matcher::matcher;
use subtree::{Onward, Reach};

/// The expressions that are always ignored, before any other is looked at.
///
/// Beside the junk that the service and the Finder leave, this is the program's own folder in the drive.
pub const BUILT_IN: [&str; 3] = [r".*\.com-apple-bird.*", r".*\.DS_Store", r"(.*/)?\.icloudds(/|$)"];

/// The two lists of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `sync.ignore`.
    Ignore,
    /// `sync.include`.
    Include,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignore => "ignore",
            Self::Include => "include",
        })
    }
}

/// An expression that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{list}[{index}] = {:?}: {problem}", beginning(.expression))]
pub struct ExpressionError {
    /// The list it stands in.
    pub list: List,
    /// Its place in the list, from 0.
    pub index: usize,
    /// The expression as written.
    pub expression: String,
    /// What is wrong with it and what to write instead.
    pub problem: String,
}

/// An expression as it is shown: of a long one only the beginning.
fn beginning(expression: &str) -> String {
    match expression.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &expression[..at]),
        None => expression.to_owned(),
    }
}

/// What the filter says of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterMatch<'a> {
    /// It takes part; with include expressions, this one let it in.
    TakesPart {
        /// The include expression that matched, `None` where there are no include expressions.
        include: Option<&'a str>,
    },
    /// One of [`BUILT_IN`] matched.
    BuiltIn {
        /// The expression that matched.
        expression: &'a str,
    },
    /// An ignore expression matched.
    Ignored {
        /// The expression that matched, as written.
        expression: &'a str,
    },
    /// There are include expressions and none matched.
    NotIncluded,
}

impl FilterMatch<'_> {
    /// Whether the path takes part.
    pub fn takes_part(&self) -> bool {
        matches!(self, Self::TakesPart { .. })
    }
}

impl fmt::Display for FilterMatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakesPart { include: None } => f.write_str("takes part"),
            Self::TakesPart { include: Some(expression) } => {
                write!(f, "takes part: included by {expression:?}")
            }
            Self::BuiltIn { expression } => write!(f, "ignored by the built-in expression {expression:?}"),
            Self::Ignored { expression } => write!(f, "ignored by {expression:?}"),
            Self::NotIncluded => f.write_str("matched by no include expression"),
        }
    }
}

/// The compiled expressions. Cheap to ask, immutable, free of I/O.
#[derive(Clone, Debug)]
pub struct Filter {
    built_in: Vec<Expression>,
    ignore: Vec<Expression>,
    include: Vec<Expression>,
    /// For each include expression, how far it can still reach below a folder.
    include_reach: Vec<Reach>,
    /// Whether any built-in or ignore expression matches, asked in one go; `None` where that would be too large.
    any_ignoring: Option<Regex>,
    /// The same for the include expressions.
    any_including: Option<Regex>,
}

/// The longest expression, in bytes: compiling one takes some 1,500 times as much memory.
const LONGEST: usize = 16 << 10;

/// One expression, ready to match.
#[derive(Clone, Debug)]
struct Expression {
    written: String,
    /// As it is compiled: anchored at the start.
    anchored: String,
    regex: Regex,
    /// Matches only what keeps matching when text is appended.
    onward: Onward,
}

impl Expression {
    fn compile(written: &str) -> Result<Self, String> {
        if written.len() > LONGEST {
            let length = written.len();
            return Err(format!(
                "it is {length} bytes long, and the longest may be {LONGEST}: write several expressions instead"
            ));
        }
        let pattern = nfc(written);
        syntax::check(&pattern)?;
        let anchored = format!(r"\A(?:{pattern})");
        let regex = matcher(&anchored)?;
        let onward = Onward::of(&anchored)?;
        Ok(Self { written: written.to_owned(), anchored, regex, onward })
    }
}

impl Filter {
    /// Compiles both lists.
    ///
    /// # Errors
    ///
    /// [`ExpressionError`] for the first expression that does not compile, uses something that the `regex` crate
    /// lacks, or that it would read differently from Python's `re`.
    pub fn compile(ignore: &[String], include: &[String]) -> Result<Self, ExpressionError> {
        let list = |list: List, written: &[String]| -> Result<Vec<Expression>, ExpressionError> {
            let compile = |(index, written): (usize, &String)| {
                let named = |problem| ExpressionError { list, index, expression: written.clone(), problem };
                Expression::compile(written).map_err(named)
            };
            written.iter().enumerate().map(compile).collect()
        };
        // A file's name may hold a line break, which `.` would not match: our own folder must be known even so.
        let own = BUILT_IN.iter().map(|written| {
            let expression = Expression::compile(&format!("(?s:{written})"));
            let expression = expression.expect("the built-in expressions compile");
            Expression { written: (*written).to_owned(), ..expression }
        });
        let built_in: Vec<_> = own.collect();
        let ignore = list(List::Ignore, ignore)?;
        let include = list(List::Include, include)?;
        let include_reach = include.iter().map(|expression| Reach::of(&expression.anchored)).collect();
        let any_ignoring = any_of(built_in.iter().chain(&ignore));
        let any_including = any_of(include.iter());
        Ok(Self { built_in, ignore, include, include_reach, any_ignoring, any_including })
    }

    /// The filter without expressions of the owner's: only the built-in ones apply.
    pub fn built_in() -> Self {
        Self::compile(&[], &[]).expect("no expression, nothing to refuse")
    }

    /// The ignore expressions as written.
    pub fn ignore(&self) -> impl Iterator<Item = &str> {
        self.ignore.iter().map(|expression| expression.written.as_str())
    }

    /// The include expressions as written.
    pub fn include(&self) -> impl Iterator<Item = &str> {
        self.include.iter().map(|expression| expression.written.as_str())
    }

    /// What holds for `path`, relative to the synced folder, `/`-separated, in any normalisation.
    ///
    /// Each path is decided by itself: that a folder above it is ignored says nothing about it.
    pub fn verdict(&self, path: &str) -> FilterMatch<'_> {
        let path = nfc(path);
        let first = |list: &'_ [Expression]| list.iter().position(|one| one.regex.is_match(&*path));
        if let Some(at) = first(&self.built_in) {
            return FilterMatch::BuiltIn { expression: &self.built_in[at].written };
        }
        if let Some(at) = first(&self.ignore) {
            return FilterMatch::Ignored { expression: &self.ignore[at].written };
        }
        if self.include.is_empty() {
            return FilterMatch::TakesPart { include: None };
        }
        match first(&self.include) {
            Some(at) => FilterMatch::TakesPart { include: Some(&self.include[at].written) },
            None => FilterMatch::NotIncluded,
        }
    }

    /// Whether `path` takes part.
    pub fn takes_part(&self, path: &str) -> bool {
        // Asked for each item of a drive: two matches instead of one for each expression.
        let (Some(ignoring), Some(including)) = (&self.any_ignoring, &self.any_including) else {
            return self.verdict(path).takes_part();
        };
        let path = nfc(path);
        !ignoring.is_match(&*path) && (self.include.is_empty() || including.is_match(&*path))
    }

    /// Whether the folder `folder` may be left unread because nothing below it can take part.
    ///
    /// Never true for a folder that itself takes part, nor for the root (the empty path). True only when it is proven:
    /// `false` costs a listing, a wrong `true` would lose sight of somebody's files.
    pub fn may_skip_subtree(&self, folder: &str) -> bool {
        if folder.is_empty() {
            return false;
        }
        let below = format!("{}/", nfc(folder));
        match self.verdict(folder) {
            FilterMatch::TakesPart { .. } => false,
            FilterMatch::BuiltIn { .. } | FilterMatch::Ignored { .. } => self.ignores_all(&below),
            FilterMatch::NotIncluded => {
                self.ignores_all(&below) || !self.include_reach.iter().any(|reach| reach.reaches(&below))
            }
        }
    }

    /// Whether one ignore expression matches every path that starts with `below`.
    fn ignores_all(&self, below: &str) -> bool {
        self.built_in.iter().chain(&self.ignore).any(|expression| expression.onward.is_match(below))
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::built_in()
    }
}

/// One expression that matches where any of these does.
fn any_of<'a>(expressions: impl Iterator<Item = &'a Expression>) -> Option<Regex> {
    let each: Vec<String> = expressions.map(|expression| format!("(?:{})", expression.anchored)).collect();
    let all = each.join("|");
    // Many that are long are asked one by one: together they would take memory out of proportion.
    if all.len() > 2 * LONGEST { None } else { matcher(&all).ok() }
}

/// `text` in NFC, borrowed where it already is.
fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

#[cfg(test)]
mod tests;
