//! What an expression says about everything below a folder.
//!
//! Two questions, both answered on the safe side: does an ignore expression match *every* path below, and can an
//! include expression match *any* path below?

use regex_automata::hybrid::dfa::DFA;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind, Look};

use super::matcher::matcher;
use super::syntax;

/// The part of an expression whose matches survive whatever is appended to the text.
///
/// A match at the start of a text is undone by appending only where an assertion looks ahead of the point it stands
/// at: an end (`$`, `\z`) or a word boundary. The expression is therefore rewritten so that each of these fails.
/// There is no negation in a regular expression, so the rewritten one matches a subset of what the original matches,
/// and exactly such matches depend on nothing but the text they cover.
#[derive(Clone, Debug)]
pub(super) struct Onward(Option<Regex>);

impl Onward {
    /// Of `pattern`, which is anchored at the start.
    pub(super) fn of(pattern: &str) -> Result<Self, String> {
        let hir = regex_syntax::parse(pattern).map_err(|error| syntax::one_line(&error))?;
        let onward = without_looking_ahead(&hir);
        // One that grew too large for the engine only lets a folder be read that could have been skipped.
        Ok(Self(matcher(&onward.to_string()).ok()))
    }

    /// Whether every path that starts with `below` (a folder's path and its `/`) is matched.
    pub(super) fn is_match(&self, below: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(below))
    }
}

fn without_looking_ahead(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        // These two look only at what lies before them.
        HirKind::Look(Look::Start | Look::StartLF) => hir.clone(),
        HirKind::Look(_) => Hir::fail(),
        HirKind::Repetition(repetition) => {
            let sub = without_looking_ahead(&repetition.sub);
            Hir::repetition(repetition.with(sub))
        }
        HirKind::Capture(capture) => without_looking_ahead(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_looking_ahead).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_looking_ahead).collect()),
    }
}

/// Whether an expression can still match below a folder.
#[derive(Clone, Debug)]
pub(super) struct Reach(Option<DFA>);

impl Reach {
    /// Of `pattern`, which is anchored at the start. One that cannot be built is taken to reach everywhere.
    pub(super) fn of(pattern: &str) -> Self {
        let config = DFA::config().unicode_word_boundary(true);
        Self(DFA::builder().configure(config).build(pattern).ok())
    }

    /// Whether some path that starts with `below` (a folder's path and its `/`) may be matched.
    ///
    /// Walks the automaton over `below`: in the dead state no continuation matches. Every doubt is a yes.
    pub(super) fn reaches(&self, below: &str) -> bool {
        let Some(dfa) = &self.0 else { return true };
        let mut cache = dfa.create_cache();
        let start = Input::new(below).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_forward(&mut cache, &start) else { return true };
        for &byte in below.as_bytes() {
            let Ok(next) = dfa.next_state(&mut cache, state, byte) else { return true };
            // A match inside the prefix is a match of everything below; the automaton may be dead after it.
            if next.is_match() || next.is_quit() {
                return true;
            }
            if next.is_dead() {
                return false;
            }
            state = next;
        }
        true
    }
}
