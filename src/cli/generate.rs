//! Completions for shells and the manual page, made from the help texts.

use std::fmt::Write as _;

use super::args::Shell;
use super::help;
use super::table::COMMANDS;
use super::words::{CommandWords, OptionWords, commands, general_options};

/// The completions for a shell.
pub(super) fn completions(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The options after which a file stands, for a shell's `case`.
fn file_options() -> String {
    let general = general_options();
    let all = commands().into_iter().flat_map(|command| command.options).chain(general);
    let takes = all.filter(|option| option.takes == Some("FILE")).flat_map(|option| option.names);
    takes.collect::<Vec<_>>().join("|")
}

/// Every word that can follow a command, or begin a line.
fn flat(command: &CommandWords) -> String {
    let options = command.options.iter().flat_map(|option| option.names.iter().copied());
    command.words.iter().copied().chain(options).chain(["--help"]).collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let first: Vec<&str> = commands().iter().map(|command| command.name).collect();
    let general: Vec<&str> = general_options().into_iter().flat_map(|option| option.names).collect();
    let mut cases = format!("    '') words='{} {}' ;;\n", first.join(" "), general.join(" "));
    for command in commands() {
        // Writing into a String cannot fail.
        let _ = writeln!(cases, "    {}) words='{}' ;;", command.name, flat(&command));
    }
    format!(
        "# Completions of icloudds for bash.
_icloudds() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command= words= place
    case ${{COMP_WORDS[COMP_CWORD-1]}} in
    {}) COMPREPLY=(); return ;;
    esac
    for ((place = 1; place < COMP_CWORD; place++)); do
        case ${{COMP_WORDS[place]}} in
        --config) ((place++)) ;;
        -*) ;;
        *) command=${{COMP_WORDS[place]}}; break ;;
        esac
    done
    case $command in
{cases}    esac
    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")
}}
complete -o default -F _icloudds icloudds
",
        file_options()
    )
}

/// A text between single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn zsh() -> String {
    let entry = |name: &str, text: &str| quoted(&format!("{name}:{}", text.replace(':', "\\:")));
    let of_options = |options: &[OptionWords]| {
        let each =
            options.iter().flat_map(|option| option.names.iter().map(|name| entry(name, &option.text)));
        each.collect::<Vec<_>>().join(" ")
    };
    let first: Vec<String> = commands().iter().map(|command| entry(command.name, &command.summary)).collect();
    let mut cases =
        format!("'') plain=({}) dashed=({}) ;;\n", first.join(" "), of_options(&general_options()));
    for command in commands() {
        let words: Vec<String> = command.words.iter().map(|word| quoted(word)).collect();
        let help = entry("--help", "the help for it");
        let options = of_options(&command.options);
        let _ = writeln!(cases, "{}) plain=({}) dashed=({options} {help}) ;;", command.name, words.join(" "));
    }
    // Words and options apart: what is told as options is offered only after a dash.
    format!(
        "#compdef icloudds
# Completions of icloudds for zsh.
local command= place=2 none=1
local -a plain dashed
case ${{words[CURRENT-1]}} in
{}) _files; return ;;
esac
while (( place < CURRENT )); do
  case ${{words[place]}} in
  --config) (( place += 2 )) ;;
  -*) (( place++ )) ;;
  *) command=${{words[place]}}; break ;;
  esac
done
case $command in
{cases}esac
(( $#plain )) && _describe -t commands word plain && none=0
_describe -o -t options option dashed && none=0
(( none )) && _files && none=0
return none
",
        file_options()
    )
}

/// The beginning of the completions for fish. Its own helpers take what follows `--config` for a command.
const FISH: &str = "\
# Completions of icloudds for fish.
complete -c icloudds -f
# Whether the line has this command so far, or none where none is given.
function __icloudds_after
    set -l words (commandline -opc)
    set -e words[1]
    set -l command
    while set -q words[1]
        switch $words[1]
            case --config
                set -q words[2]; and set -e words[1]
            case '-*'
            case '*'
                set command $words[1]
                break
        end
        set -e words[1]
    end
    test \"$command\" = \"$argv\"
end
";

fn fish() -> String {
    let mut text = FISH.to_owned();
    let mut option = |condition: &str, option: &OptionWords| {
        let names: String = option
            .names
            .iter()
            .map(|name| match name.strip_prefix("--") {
                Some(long) => format!(" -l {long}"),
                None => format!(" -s {}", name.trim_start_matches('-')),
            })
            .collect();
        let takes = if option.takes.is_some() { " -r -F" } else { "" };
        let _ = writeln!(text, "complete -c icloudds{condition}{names}{takes} -d {}", quoted(&option.text));
    };
    general_options().iter().for_each(|general| option("", general));
    for command in commands() {
        let condition = format!(" -n '__icloudds_after {}'", command.name);
        command.options.iter().for_each(|own| option(&condition, own));
    }
    for command in commands() {
        let _ = writeln!(
            text,
            "complete -c icloudds -n __icloudds_after -a {} -d {}",
            command.name,
            quoted(&command.summary)
        );
        if !command.words.is_empty() {
            let words = quoted(&command.words.join(" "));
            let _ = writeln!(text, "complete -c icloudds -n '__icloudds_after {}' -a {words}", command.name);
        }
    }
    text
}

/// The manual page, for `man`.
pub(super) fn manual() -> String {
    let mut page = format!(
        ".TH ICLOUDDS 1 \"\" \"icloudds {}\"\n.SH NAME\nicloudds \\- keeps a local folder and an iCloud Drive the same\n",
        env!("CARGO_PKG_VERSION")
    );
    let general = help::GENERAL;
    let (usage, rest) = general.split_once("\nto sync:").unwrap_or((general, ""));
    let synopsis = usage.lines().find_map(|line| line.strip_prefix("usage: ")).unwrap_or_default();
    let _ = write!(page, ".SH SYNOPSIS\n{}\n.SH OVERVIEW\n", roff(synopsis));
    verbatim(&mut page, &format!("to sync:{rest}"));
    page.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let _ = writeln!(page, ".SS {}", roff(command.name));
        verbatim(&mut page, command.help);
    }
    page.push_str(".SH FILES\n");
    verbatim(
        &mut page,
        "/etc/icloudds/config.toml   the configuration\n/state                      session, base, status, control socket\n",
    );
    page
}

/// Text as it is.
fn verbatim(page: &mut String, text: &str) {
    page.push_str(".nf\n");
    for line in text.lines() {
        page.push_str(&roff(line));
        page.push('\n');
    }
    page.push_str(".fi\n");
}

/// What roff would read as its own is escaped.
fn roff(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What bash offers for a line, of which the last word is being typed.
    fn offered(line: &[&str]) -> Vec<String> {
        let script = format!(
            "{}\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _icloudds; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash()
        );
        let ran = Command::new("bash").args(["-c", &script, "bash"]).args(line).output().expect("bash runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_what_can_follow() {
        for (line, expected) in [
            (&["icloudds", "st"][..], &["status"][..]),
            (&["icloudds", "--config", "x", "health", "--"], &["--ready", "--help"]),
            (&["icloudds", "trash", ""], &["list", "restore", "--help"]),
            (&["icloudds", "trash", "r"], &["restore"]),
            (&["icloudds", "--config", ""], &[]),
            (&["icloudds", "completions", "z"], &["zsh"]),
            (&["icloudds", "--v"], &["--version"]),
        ] {
            assert_eq!(offered(line), expected, "{line:?}");
        }
    }

    #[test]
    fn all_of_them_know_every_command_and_quote_what_must_be() {
        for text in [bash(), zsh(), fish(), manual()] {
            for command in COMMANDS {
                assert!(
                    text.contains(&roff(command.name)) || text.contains(command.name),
                    "{}",
                    command.name
                );
            }
        }
        assert!(zsh().starts_with("#compdef icloudds\n"));
        assert_eq!(quoted("it's"), "'it'\\''s'");
        let manual = manual();
        assert!(!manual.lines().any(|line| line.starts_with('\'')), "nothing is taken for a request");
        let requests = manual.lines().filter(|line| line.starts_with('.'));
        let known = [".TH", ".SH", ".SS", ".nf", ".fi"];
        assert!(requests.into_iter().all(|line| known.iter().any(|request| line.starts_with(request))));
    }
}
