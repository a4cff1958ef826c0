//! `approve`: shows the deletions that are held, asks where somebody can answer, and decides on what was shown.

use std::io::{BufRead, IsTerminal as _};

use super::error::CliError;
use super::{Approve, daemon, print};
use crate::app::commands;
use crate::config::Config;
use crate::control::Held;
use crate::exit::ExitCode;
use crate::model::plain::plain;

/// How many of them are shown before they are decided on.
const SHOWN: usize = 20;

/// Shows what is held, then decides on it, with the daemon or, without one, for the next pass.
///
/// # Errors
///
/// [`CliError`]; also when something else is held by the time of the answer: then nothing is decided.
pub fn run(config: &Config, how: Approve) -> Result<ExitCode, CliError> {
    let mut held = match daemon::held(config, 0)? {
        Some(held) => held,
        None => commands::held(config)?,
    };
    if how.list {
        read_rest(config, &mut held)?;
    }
    print(text_of(&held, if how.list { usize::MAX } else { SHOWN }))?;
    if how.list || held.count == 0 {
        return Ok(ExitCode::Success);
    }
    let is_asked =
        !how.reject && !how.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if is_asked && !is_confirmed(&held, &mut std::io::stdin().lock(), &mut std::io::stderr()) {
        print("nothing was decided; `icloudds approve --reject` restores them\n")?;
        return Ok(ExitCode::Success);
    }
    let said = match daemon::decide(config, how.reject, &held.list)? {
        Some(said) => said,
        None => commands::approve(config, how.reject, &held.list)?,
    };
    print(said)?;
    Ok(ExitCode::Success)
}

/// Gets what one answer of the daemon does not name. Where the list changes meanwhile, what is known is shown.
fn read_rest(config: &Config, held: &mut Held) -> Result<(), CliError> {
    while (held.deletions.len() as u64) < held.count {
        let Some(more) = daemon::held(config, held.deletions.len() as u64)? else { break };
        if more.list != held.list || more.deletions.is_empty() {
            break;
        }
        held.deletions.extend(more.deletions);
    }
    Ok(())
}

/// The held deletions, for reading before they are decided on.
pub(super) fn text_of(held: &Held, most: usize) -> String {
    if held.count == 0 {
        return "no deletion is held\n".to_owned();
    }
    let mut text = format!("deletions held: {} (list {})\n", held.count, plain(&held.list));
    let shown = held.deletions.iter().take(most);
    for deletion in shown.clone() {
        let side = deletion.on.in_words();
        text.push_str(&format!("  {side}: {}\n", plain(&deletion.path)));
    }
    let more = held.count.saturating_sub(shown.count() as u64);
    if more > 0 {
        text.push_str(&format!("  … and {more} more: `icloudds approve --list` shows all\n"));
    }
    text
}

/// Asks. Anything but a yes is a no, also the end of the input.
fn is_confirmed(held: &Held, from: &mut dyn BufRead, to: &mut dyn std::io::Write) -> bool {
    let what = if held.count == 1 { "1 deletion".to_owned() } else { format!("{} deletions", held.count) };
    let asked = write!(to, "Let {what} go ahead? [y/N] ").and_then(|()| to.flush());
    let mut line = String::new();
    asked.is_ok() && from.read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "Y" | "yes" | "Yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;
    use crate::model::state::Deletion;

    fn held(count: u64, named: u64) -> Held {
        let deletion = |number: u64| Deletion {
            on: Side::Remote,
            id: format!("z::{number}"),
            path: format!("old\n{number}"),
            at: 0,
            version: String::new(),
        };
        Held { count, deletions: (0..named).map(deletion).collect(), list: "0f".to_owned() }
    }

    #[test]
    fn the_first_are_shown_with_how_to_see_all() {
        let text = text_of(&held(25, 25), SHOWN);
        assert!(text.starts_with("deletions held: 25 (list 0f)\n  on iCloud: old\\n0\n"), "{text}");
        assert!(text.ends_with("  … and 5 more: `icloudds approve --list` shows all\n"), "{text}");
        assert_eq!(text_of(&held(25, 25), usize::MAX).lines().count(), 26);
        assert_eq!(text_of(&held(0, 0), SHOWN), "no deletion is held\n");
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (typed, is_yes) in [
            ("y\n", true),
            ("yes\n", true),
            ("Y", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
            ("j\n", false),
        ] {
            let mut asked = Vec::new();
            assert_eq!(is_confirmed(&held(2, 2), &mut typed.as_bytes(), &mut asked), is_yes, "{typed:?}");
            assert_eq!(String::from_utf8(asked).unwrap(), "Let 2 deletions go ahead? [y/N] ");
        }
    }
}
