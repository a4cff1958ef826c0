//! The nearest known word, for "did you mean".

/// The candidate that is nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let word = word.to_lowercase();
    let length = word.chars().count();
    candidates
        .into_iter()
        // Each character more or less is one step, and the table of steps grows with both lengths.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i.max(j)
            } else {
                let cost = usize::from(a[i - 1] != b[j - 1]);
                let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["status", "sync-now", "pause", "plan", "trash"];
        for (word, expected) in [
            ("stats", Some("status")),
            ("sync_now", Some("sync-now")),
            ("STATUS", Some("status")),
            ("paln", Some("plan")),
            ("elephant", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn a_word_that_is_far_too_long_is_compared_with_nothing() {
        // A table of steps for it would not fit into any memory.
        let names: Vec<_> = (0..1000).map(|at| "name".repeat(1 + at % 20)).collect();
        let found = nearest(&"pause".repeat(1 << 20), names.iter().map(String::as_str));
        assert_eq!(found, None);
    }
}
