//! Compiling what is only ever asked whether it matches.

use std::fmt;

use regex_automata::meta::{Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;

use super::syntax;

/// Compiles a pattern; what is wrong with it in one line.
///
/// Groups capture nothing: places for what each of them captured would be kept for each state of the automaton, which
/// for an expression of a thousand groups is more than a hundred megabytes.
pub(super) fn matcher(pattern: &str) -> Result<Regex, String> {
    let config = Config::new().which_captures(WhichCaptures::None);
    Regex::builder().configure(config).build(pattern).map_err(|error| match error.size_limit() {
        Some(limit) => {
            format!("compiled, it exceeds the size limit of {limit} bytes: write it shorter, or as several expressions")
        }
        None => syntax::one_line(error.syntax_error().map_or(&error as &dyn fmt::Display, |error| error)),
    })
}
