//! What the help texts say, taken apart: the one source of completions and of the manual page.

use super::help;
use super::table::COMMANDS;

/// An option: its names, what it takes, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OptionWords {
    /// `--help`, perhaps with `-h` before it.
    pub names: Vec<&'static str>,
    /// `FILE`, or nothing.
    pub takes: Option<&'static str>,
    pub text: String,
}

/// A command: its summary, its options, and the words that can follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandWords {
    pub name: &'static str,
    pub summary: String,
    pub options: Vec<OptionWords>,
    pub words: Vec<&'static str>,
}

/// The options that every command takes.
pub(super) fn general_options() -> Vec<OptionWords> {
    options(help::GENERAL)
}

/// All commands, in the order of the help.
pub(super) fn commands() -> Vec<CommandWords> {
    let general = help::GENERAL;
    COMMANDS
        .iter()
        .map(|command| CommandWords {
            name: command.name,
            summary: summary(general, command.name),
            options: options(command.help),
            words: words(command.help, command.name),
        })
        .collect()
}

/// Where the texts of the help stand; what goes on there belongs to the line above.
const COLUMN: &str = "                   ";

/// What the general help says of a command.
fn summary(general: &str, name: &str) -> String {
    let named = |left: &str| left.split(", ").any(|word| word.split(' ').next() == Some(name));
    let mut lines = general.lines().skip_while(|line| {
        let entry = line.strip_prefix("  ").and_then(|line| line.split_once("  "));
        !entry.is_some_and(|(left, _)| !left.starts_with('-') && named(left))
    });
    let first =
        lines.next().and_then(|line| line.trim().split_once("  ")).map_or("", |(_, text)| text.trim());
    let more = lines.take_while(|line| line.starts_with(COLUMN)).map(str::trim);
    std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")
}

/// The lines that begin with an option; what it does may begin on the line after it, and go on there.
fn options(text: &'static str) -> Vec<OptionWords> {
    let mut found: Vec<OptionWords> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let is_option = line.starts_with("  -");
        if !is_option {
            open &= line.starts_with(COLUMN);
            if let Some(last) = found.last_mut().filter(|_| open) {
                last.text = format!("{} {}", last.text, line.trim()).trim().to_owned();
            }
            continue;
        }
        open = true;
        let line = line.trim_start();
        let (left, right) = line.split_once("  ").unwrap_or((line, ""));
        let mut takes = None;
        let mut names = Vec::new();
        for word in left.split([' ', ',']).filter(|word| !word.is_empty()) {
            if word.starts_with('-') { names.push(word) } else { takes = Some(word) }
        }
        found.push(OptionWords { names, takes, text: right.trim().to_owned() });
    }
    found
}

/// The words in small letters that the usage lines name after the command.
fn words(text: &'static str, name: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        let Some((_, rest)) = line.split_once(name) else { continue };
        for word in rest.split([' ', '[', ']', '|']).filter(|word| !word.is_empty()) {
            if word.bytes().all(|byte| byte.is_ascii_lowercase()) && !found.contains(&word) {
                found.push(word);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_summary_and_its_words() {
        let commands = commands();
        assert!(commands.iter().all(|command| !command.summary.is_empty()), "{commands:#?}");
        let of = |name: &str| commands.iter().find(|command| command.name == name).expect("a command");
        assert_eq!(of("trash").words, ["list", "restore"]);
        assert_eq!(of("code").words, ["device", "sms", "voice"]);
        assert_eq!(of("completions").words, ["bash", "zsh", "fish"]);
        assert_eq!(of("run").words, Vec::<&str>::new());
        assert!(of("diagnose").summary.ends_with("nothing private is in it"), "{:?}", of("diagnose"));
        assert_eq!(of("diagnose").options.len(), 2);
        let import = of("login").options.iter().find(|option| option.names == ["--import-session"]);
        let import = import.expect("an option");
        assert_eq!(import.takes, Some("FILE"));
        assert!(
            import.text.starts_with("takes a session") && import.text.ends_with("- is a pipe"),
            "{import:?}"
        );
        let general = general_options();
        assert_eq!(general.iter().map(|option| option.names.len()).sum::<usize>(), 5, "{general:?}");
    }
}
