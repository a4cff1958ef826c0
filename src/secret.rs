//! Secrets: values that are held but never shown.
//!
//! Everything that must not appear in a log, a dump, an error, the status or the web page is registered here once,
//! when it enters the program; whatever writes text for people runs it through [`mask`].

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// Sees to it that no memory of this process, which holds passwords and tokens, gets into a core file or before a debugger of another process of
/// the same user.
///
/// A system that refuses either is no reason to stop; units and containers say the same from outside.
pub fn keep_out_of_core_files() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// What stands where a secret was.
pub const MASKED: &str = "***";

/// Shorter values are not searched for: they would hit ordinary words and hide nothing.
const SHORTEST_BYTES: usize = 4;

/// How many passing secrets are remembered: renewed tokens would otherwise pile up over months.
const PASSING_LIMIT: usize = 2048;

static REGISTRY: RwLock<Registry> =
    RwLock::new(Registry { lasting: Vec::new(), passing: VecDeque::new(), held: Vec::new() });

/// The values that are searched for.
struct Registry {
    /// Kept until the end, for example the configured password.
    lasting: Vec<String>,
    /// Cookies and tokens; the oldest goes first beyond [`PASSING_LIMIT`].
    passing: VecDeque<String>,
    /// Codes, each as often as somebody holds it: digits that are no secret any more are ordinary numbers.
    held: Vec<String>,
}

/// A secret text. Neither `Debug` nor `Display` shows it, and every value is registered for [`mask`]. Its memory is overwritten when it goes;
/// what is searched for stays as long as it may turn up somewhere.
#[derive(Default)]
pub struct Secret {
    text: String,
    /// Whether it is searched for only while somebody holds it.
    only_held: bool,
}

impl Secret {
    /// Takes `value`, one of those that come and go: a token, a code, a typed password.
    pub fn new(value: impl Into<String>) -> Self {
        let text = value.into();
        register(&text);
        Self { text, only_held: false }
    }

    /// Takes `value` and registers it until the program ends.
    pub fn lasting(value: impl Into<String>) -> Self {
        let text = value.into();
        register_lasting(&text);
        Self { text, only_held: false }
    }

    /// Takes a code: it is registered only while this, or a clone of it, is held. A few digits that were refused, or used up, would else
    /// be masked in every year and size from then on.
    pub fn while_held(value: impl Into<String>) -> Self {
        let text = value.into();
        hold(&text);
        Self { text, only_held: true }
    }

    /// The value itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Whether the value is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        if self.only_held {
            hold(&self.text);
        }
        Self { text: self.text.clone(), only_held: self.only_held }
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        if self.only_held {
            let_go(&self.text);
        }
        self.text.zeroize();
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(deserializer)?))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASKED)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Remembers a passing secret (cookie, token, code), so that [`mask`] hides it from now on.
///
/// Values of fewer than four bytes are ignored.
pub fn register(value: &str) {
    if value.len() < SHORTEST_BYTES || is_known(value) {
        return;
    }
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms(value) {
        if registry.passing.len() == PASSING_LIMIT
            && let Some(mut oldest) = registry.passing.pop_front()
        {
            oldest.zeroize();
        }
        registry.passing.push_back(form);
    }
}

/// Remembers a secret until the program ends. Values of fewer than four bytes are ignored.
pub fn register_lasting(value: &str) {
    if value.len() < SHORTEST_BYTES {
        return;
    }
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms(value) {
        if !registry.lasting.contains(&form) {
            registry.lasting.push(form);
        }
    }
}

/// One more holds `value`.
fn hold(value: &str) {
    if value.len() >= SHORTEST_BYTES {
        REGISTRY.write().unwrap_or_else(PoisonError::into_inner).held.push(value.to_owned());
    }
}

/// One less holds `value`.
fn let_go(value: &str) {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = registry.held.iter().position(|held| held == value) {
        registry.held.swap_remove(at).zeroize();
    }
}

fn is_known(value: &str) -> bool {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    registry.lasting.iter().chain(&registry.passing).any(|known| known == value)
}

/// The shapes in which a value may turn up: itself, escaped as `Debug` and JSON do, and percent-encoded.
fn forms(value: &str) -> Vec<String> {
    let escaped = format!("{value:?}");
    let escaped = escaped[1..escaped.len() - 1].to_owned();
    let json = value.replace('\\', "\\\\").replace('"', "\\\"");
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut forms = vec![value.to_owned(), escaped, json, encoded.replace('+', "%20"), encoded];
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// `text` with every registered secret replaced by [`MASKED`]; borrowed when there is none in it.
pub fn mask(text: &str) -> Cow<'_, str> {
    let mut hits: Vec<(usize, usize)> = Vec::new();
    {
        let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
        let all = registry.lasting.iter().chain(&registry.passing).chain(&registry.held);
        // Getting ready to search for a long one takes longer than the search of a line, which is mostly shorter.
        for secret in all.filter(|secret| secret.len() <= text.len()) {
            hits.extend(text.match_indices(secret.as_str()).map(|(at, hit)| (at, at + hit.len())));
        }
    }
    if hits.is_empty() {
        return Cow::Borrowed(text);
    }
    // Secrets may overlap or hold one another, so the hits are joined before anything is replaced.
    hits.sort_unstable();
    let mut masked = String::with_capacity(text.len());
    let mut shown_to = 0;
    for (start, end) in hits {
        if start >= shown_to {
            masked.push_str(&text[shown_to..start]);
            masked.push_str(MASKED);
        }
        shown_to = shown_to.max(end);
    }
    masked.push_str(&text[shown_to..]);
    Cow::Owned(masked)
}

/// An account's name as logs and status show it: the first letter and the domain, `y***@example.com`.
pub fn mask_account(username: &str) -> String {
    let first: String = username.chars().take(1).collect();
    match username.rsplit_once('@') {
        Some((local, domain)) if !local.is_empty() => format!("{first}{MASKED}@{domain}"),
        _ => format!("{first}{MASKED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_values_are_masked_in_every_form() {
        let _held = Secret::new("päss \"word\"/1");
        for shown in [
            "päss \"word\"/1",
            "päss \\\"word\\\"/1",
            "p%C3%A4ss+%22word%22%2F1",
            "p%C3%A4ss%20%22word%22%2F1",
        ] {
            assert_eq!(mask(&format!("before {shown} after")), "before *** after", "{shown}");
        }
    }

    #[test]
    fn overlapping_and_nested_secrets_leave_no_rest() {
        register("overlap-one-two");
        register("two-three-overlap");
        register("one-two-three");
        assert_eq!(mask("x overlap-one-two-three-overlap y"), "x *** y");
    }

    #[test]
    fn text_without_secrets_is_borrowed() {
        assert!(matches!(mask("nothing to hide in this line"), Cow::Borrowed(_)));
    }

    #[test]
    fn short_values_do_not_hide_ordinary_words() {
        register("a");
        register("");
        assert_eq!(mask("a banana"), "a banana");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("debug-shows-nothing")), "Secret(..)");
    }

    #[test]
    fn a_code_is_masked_only_while_it_is_held() {
        let code = Secret::while_held("739105");
        let held_elsewhere = code.clone();
        assert_eq!(mask("the code 739105 came"), "the code *** came");
        drop(code);
        assert_eq!(mask("the code 739105 came"), "the code *** came");
        drop(held_elsewhere);
        assert_eq!(mask("739105 bytes in 739105 files"), "739105 bytes in 739105 files");
    }

    #[test]
    fn this_process_can_not_be_dumped() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        keep_out_of_core_files();
        assert_eq!(dumpable_behavior().expect("told"), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }

    #[test]
    fn passing_secrets_are_limited_and_lasting_ones_stay() {
        let kept = Secret::lasting("kept-for-the-whole-run");
        for n in 0..=PASSING_LIMIT {
            register(&format!("passing-{n:08}"));
        }
        assert_eq!(mask(kept.expose()), MASKED);
        assert_eq!(mask(&format!("passing-{PASSING_LIMIT:08}")), MASKED);
    }

    #[test]
    fn accounts_keep_one_letter_and_the_domain() {
        assert_eq!(mask_account("you@example.com"), "y***@example.com");
        assert_eq!(mask_account("+4917012345"), "+***");
        assert_eq!(mask_account(""), "***");
        assert_eq!(mask_account("@x"), "@***");
    }
}
