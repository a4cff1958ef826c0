//! What an error tells of its cause.

use super::sources;

/// The message and the body of each variant that thiserror words: `#[error("…")] Name { … }`.
fn variants(text: &str) -> Vec<(&str, &str)> {
    let found = text.split("#[error(").skip(1).filter_map(|rest| {
        let (message, body) = rest.split_once(")]\n")?;
        let end = body.find("\n    }").into_iter().chain(body.find(",\n    #[error(")).min();
        Some((message, &body[..end.unwrap_or(body.len()).min(body.len())]))
    });
    found.collect()
}

#[test]
fn an_error_that_has_a_cause_names_it() {
    let mut seen = 0;
    let mut silent = Vec::new();
    for (path, text) in sources(&["src"]) {
        for (message, body) in variants(&text) {
            let (named, unnamed) = (body.contains(" source: "), body.contains("#[source] "));
            seen += usize::from(named || unnamed);
            let tells = message.contains("source") || message.contains("{0}") || message == "transparent";
            if (named || unnamed) && !tells {
                silent.push(format!("{}: {message}", path.display()));
            }
        }
    }
    assert!(seen > 10, "only {seen} errors with a cause were found");
    assert!(silent.is_empty(), "nobody learns why: {silent:#?}");
}

#[test]
fn a_cause_is_found_in_either_form() {
    let text = "    #[error(\"a {source}\")]\n    A {\n        source: E,\n    },\n    #[error(\"b\")]\n    B(#[source] E),\n    #[error(\"c\")]\n    C,\n";
    let found: Vec<_> =
        variants(text).into_iter().map(|(message, body)| (message, body.contains("ource"))).collect();
    assert_eq!(found, [("\"a {source}\"", true), ("\"b\"", true), ("\"c\"", false)]);
}
