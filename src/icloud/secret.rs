//! Secret values: typed so that they cannot be printed, and known so that logs can mask them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// What stands in place of a secret.
pub const MASK: &str = "***";
/// Shorter values would mask innocent text.
const SHORTEST: usize = 4;
/// Tokens rotate for as long as the process lives; the oldest are forgotten beyond this.
const MOST: usize = 4096;
/// The first ones are the configuration's own and are never forgotten.
const PINNED: usize = 64;

/// Process-wide, because a secret must be masked in every output whoever learnt it.
static REGISTRY: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// A text that is never shown: `Debug` and `Display` print [`MASK`].
///
/// Making one registers it with [`register`].
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        register(&text);
        Self(text)
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to keep secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(deserializer)?))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Makes [`mask`] hide `value` from now on. Values under 4 bytes are passed over.
pub fn register(value: &str) {
    if value.len() < SHORTEST {
        return;
    }
    let mut known = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    if known.iter().any(|old| old == value) {
        return;
    }
    if known.len() >= MOST {
        known.remove(PINNED);
    }
    known.push(value.to_owned());
}

/// `text` with every registered secret replaced by [`MASK`].
pub fn mask(text: &str) -> Cow<'_, str> {
    let known = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    let mut hits: Vec<&String> = known.iter().filter(|value| text.contains(value.as_str())).collect();
    if hits.is_empty() {
        return Cow::Borrowed(text);
    }
    // The longest first: a secret that contains another one must go as a whole.
    hits.sort_by_key(|value| std::cmp::Reverse(value.len()));
    let mut masked = text.to_owned();
    for value in hits {
        masked = masked.replace(value.as_str(), MASK);
    }
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("correct horse battery");
        assert!(!format!("{secret:?} {secret}").contains("horse"));
        assert_eq!(secret.expose(), "correct horse battery");
    }

    #[test]
    fn registered_values_are_masked_whole_even_when_one_contains_another() {
        register("inner-token-value");
        register("outer inner-token-value tail");
        assert_eq!(mask("a outer inner-token-value tail b"), "a *** b");
        assert_eq!(mask("x inner-token-value y"), "x *** y");
    }

    #[test]
    fn short_values_and_other_text_stay() {
        register("abc");
        assert!(matches!(mask("abc and nothing else"), Cow::Borrowed("abc and nothing else")));
    }
}
