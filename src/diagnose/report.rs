//! What a diagnosis found: plain lines, for people and as JSON. Nothing private comes in here: numbers, words of the protocol, and
//! sentences of our own.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::exit::ExitCode;
use crate::model::plain::{plain, plain_json};

/// The version of the report's form.
pub const FORM: u32 = 1;

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name, for programs: lower-case words with `_`.
    pub key: &'static str,
    /// For programs.
    pub value: Value,
    /// For people, a few words.
    pub says: String,
    /// The open questions of `docs/protocol-open-questions.md` that it bears on, and what follows.
    pub answers: Vec<(u8, String)>,
}

impl Line {
    /// A line that bears on no open question.
    pub fn new(key: &'static str, value: impl Into<Value>, says: impl Into<String>) -> Self {
        Self { key, value: value.into(), says: says.into(), answers: Vec::new() }
    }

    /// A line that says of a number what it counts.
    pub fn count(key: &'static str, count: u64) -> Self {
        Self::new(key, count, count.to_string())
    }

    /// With what it says about an open question.
    pub fn answers(mut self, question: u8, follows: impl Into<String>) -> Self {
        self.answers.push((question, follows.into()));
        self
    }
}

/// Lines about one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name, for programs.
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What was found out.
    pub lines: Vec<Line>,
}

/// The whole report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// In the order in which it was found out.
    pub sections: Vec<Section>,
    /// What was left out, one sentence each, and the code to end with for it.
    pub left_out: Vec<(String, ExitCode)>,
    /// Requests that were made.
    pub requests: usize,
}

impl Report {
    /// Adds a section; one without lines is left out.
    pub fn add(&mut self, key: &'static str, title: &'static str, lines: Vec<Line>) {
        if !lines.is_empty() {
            self.sections.push(Section { key, title, lines });
        }
    }

    /// Notes that something could not be found out.
    pub fn leave_out(&mut self, why: impl Into<String>, exit: ExitCode) {
        self.left_out.push((why.into(), exit));
    }

    /// With which code the program ends: that of the first thing that was left out.
    pub fn exit(&self) -> ExitCode {
        self.left_out.first().map_or(ExitCode::Success, |(_, exit)| *exit)
    }

    /// The line of that name.
    pub fn line(&self, section: &str, key: &str) -> Option<&Line> {
        self.sections.iter().find(|found| found.key == section)?.lines.iter().find(|line| line.key == key)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("icloudds {} diagnose, form {FORM}\n", env!("CARGO_PKG_VERSION"));
        for section in &self.sections {
            let _ = writeln!(text, "\n{}", section.title);
            for line in &section.lines {
                let name = line.key.replace('_', " ");
                let _ = writeln!(text, "  {name:<22} {}", plain(&line.says));
                for (question, follows) in &line.answers {
                    let _ = writeln!(text, "  {:<22} question {question}: {}", "", plain(follows));
                }
            }
        }
        if !self.left_out.is_empty() {
            text.push_str("\nnot found out\n");
            for (why, _) in &self.left_out {
                let _ = writeln!(text, "  {}", plain(why));
            }
        }
        let _ = writeln!(
            text,
            "\n{} requests were made; no name, path, id or account is in this report",
            self.requests
        );
        text
    }

    /// For programs; the form is fixed by `docs/contract.md`, "Diagnose".
    pub fn json(&self) -> String {
        let mut sections = Map::new();
        for section in &self.sections {
            let mut lines = Map::new();
            for line in &section.lines {
                let mut told = json!({"value": line.value, "says": line.says});
                if !line.answers.is_empty() {
                    let answers = line.answers.iter();
                    let answers: Vec<_> = answers
                        .map(|(question, follows)| json!({"question": question, "follows": follows}))
                        .collect();
                    told["answers"] = answers.into();
                }
                lines.insert(line.key.to_owned(), told);
            }
            sections.insert(section.key.to_owned(), Value::Object(lines));
        }
        let left_out: Vec<_> = self.left_out.iter().map(|(why, _)| why.as_str()).collect();
        let whole = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "form": FORM,
            "complete": self.left_out.is_empty(),
            "left_out": left_out,
            "requests": self.requests,
            "sections": sections,
        });
        format!("{}\n", plain_json(&format!("{whole:#}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same() {
        let mut report = Report { requests: 3, ..Report::default() };
        report.add("empty", "nothing", Vec::new());
        let line = Line::new("folders_per_request", json!({"40": "ok"}), "40 in one request")
            .answers(1, "batches of 40 are taken");
        report.add("listings", "listings", vec![line]);
        report.leave_out("the change feed was not asked", ExitCode::Service);
        report.leave_out("another thing", ExitCode::Missing);
        let text = report.text();
        assert!(text.contains("folders per request    40 in one request"), "{text}");
        assert!(text.contains("question 1: batches of 40 are taken"), "{text}");
        assert!(text.contains("the change feed was not asked") && !text.contains("nothing"), "{text}");
        let json: Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["sections"]["listings"]["folders_per_request"]["answers"][0]["question"], 1);
        assert_eq!((json["complete"].as_bool(), json["requests"].as_u64()), (Some(false), Some(3)));
        assert_eq!(report.exit(), ExitCode::Service);
        assert_eq!(Report::default().exit(), ExitCode::Success);
    }
}
