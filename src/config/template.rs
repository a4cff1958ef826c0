//! The body of a notification: a text with names in braces.

use std::fmt;

/// What can stand in braces, and an example of each.
pub const FIELDS: [(&str, &str); 6] = [
    ("event", "deletions-held"),
    ("message", "2 deletions are held"),
    ("state", "guarded"),
    ("account", "y***@example.com"),
    ("directory", "/drive"),
    ("host", "nas"),
];

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The place of the field in [`FIELDS`].
    Field(usize),
}

/// What is posted, checked: every name in it is known, and it is JSON if it begins like JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    json: bool,
}

impl Template {
    /// Reads `text`; the empty one means that no template is wanted.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as it goes on after its value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            let inside = from[1..].split('}').next().unwrap_or_default();
            let is_name = !inside.is_empty()
                && inside.len() < from.len() - 1
                && inside.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let (text, piece, length) = match FIELDS.iter().position(|(name, _)| *name == inside) {
                Some(field) if is_name => (before, Some(Piece::Field(field)), at + inside.len() + 2),
                _ if is_name => {
                    let names: Vec<String> = FIELDS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                    return Err(format!(
                        "{{{inside}}} is no name of a field, there are {}",
                        names.join(", ")
                    ));
                }
                // A brace of JSON.
                _ => (&rest[..=at], None, at + 1),
            };
            push_text(&mut pieces, text);
            pieces.extend(piece);
            rest = &rest[length..];
        }
        push_text(&mut pieces, rest);
        let begins = match pieces.first() {
            Some(Piece::Text(text)) => text.trim_start().starts_with(['{', '[']),
            _ => false,
        };
        let template = Self { pieces, json: begins };
        if begins {
            let sample = template.fill(|name| {
                FIELDS.iter().find(|(known, _)| *known == name).map_or("", |(_, example)| example).to_owned()
            });
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&sample) {
                return Err(format!(
                    "begins like JSON and is none ({error}); names in braces stand inside quotes"
                ));
            }
        }
        Ok(template)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether it makes JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// The text with what `value` says for each name; inside JSON it is escaped.
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Field(field) => {
                    let value = FIELDS.get(*field).map(|(name, _)| value(name)).unwrap_or_default();
                    if self.json {
                        // A text always becomes JSON: quotes around what is wanted.
                        let quoted = serde_json::to_string(&value).unwrap_or_default();
                        filled.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
                    } else {
                        filled.push_str(&value);
                    }
                }
            }
        }
        filled
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fill(|name| format!("{{{name}}}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let value =
            |name: &str| if name == "message" { "a \"b\"\n\\c".to_owned() } else { name.to_uppercase() };
        Template::parse(template).map(|template| template.fill(value))
    }

    #[test]
    fn names_are_filled_in_and_escaped_where_it_is_json() {
        for (template, text) in [
            ("", ""),
            ("{message}", "a \"b\"\n\\c"),
            ("{event}: {message}", "EVENT: a \"b\"\n\\c"),
            ("{\"text\": \"{message}\"}", "{\"text\": \"a \\\"b\\\"\\n\\\\c\"}"),
            ("{\"a\": {\"b\": \"{state}\"}}", "{\"a\": {\"b\": \"STATE\"}}"),
            ("[\"{host}\", {}]", "[\"HOST\", {}]"),
            ("cost {} {5} {A} {", "cost {} {5} {A} {"),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (template, why) in [
            ("{mesage}", "{mesage} is no name of a field, there are {event}, {message}"),
            ("{\"text\": {message}}", "begins like JSON and is none"),
            ("{\"text\": \"{message}\"", "begins like JSON and is none"),
        ] {
            let told = filled(template).expect_err(template);
            assert!(told.contains(why), "{template}: {told}");
        }
    }
}
