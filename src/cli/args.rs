//! Arguments, parsed by lexopt into a [`Command`].
//!
//! Nothing that could be a password or a code is ever echoed: messages name options and commands, not their values.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::table::{COMMANDS, REPLACED};
use crate::config::nearest;
use crate::secret::Secret;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The file of `--config`.
    pub config: Option<PathBuf>,
    /// The command, [`Command::Run`] where none was given.
    pub command: Command,
}

/// A command with its own arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Keeps the folder in sync until stopped.
    Run,
    /// Syncs until nothing is left to do.
    Once,
    /// Prints what a pass would do.
    Plan {
        /// For programs.
        json: bool,
    },
    /// Signs in, or takes or gives a session.
    Login(LoginHow),
    /// Gives or asks for a second-factor code.
    Code(CodeRequest),
    /// What the daemon is doing.
    Status(StatusHow),
    /// Whether the daemon is alive.
    Health {
        /// Whether it is ready, too.
        ready: bool,
    },
    /// What was decided for a path.
    Why {
        /// As given, relative to the synced folder.
        path: OsString,
    },
    /// A full pass now.
    SyncNow,
    /// Decides on held deletions.
    Approve(Approve),
    /// Stops syncing.
    Pause,
    /// Starts syncing again.
    Resume,
    /// The local trash.
    Trash(TrashCommand),
    /// Forgets the session.
    Logout,
    /// Checks and prints the configuration.
    CheckConfig,
    /// Tells how the service and this machine behave.
    Diagnose {
        /// For programs.
        json: bool,
        /// Tries what only writing tells, too.
        probe_writes: bool,
    },
    /// Forgets the base.
    ResetState,
    /// The licences of all that is in the binary.
    Licences,
    /// Completions for a shell.
    Completions(Shell),
    /// The manual page.
    Man,
    /// Prints the version.
    Version,
    /// Prints the help for a command, or for the program.
    Help(Option<&'static str>),
}

/// What `login` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginHow {
    /// Sign in interactively.
    Ask {
        /// Also while iCloud asks to be left alone.
        now: bool,
    },
    /// Take the session of a browser, or of another machine, from this file; `-` is the standard input.
    Import(PathBuf),
    /// Give the session to this file; `-` is the standard output.
    Export(PathBuf),
}

/// How `status` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusHow {
    /// Once, for people.
    Once,
    /// For programs.
    Json,
    /// Until somebody has seen enough.
    Watch,
}

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// How `approve` decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approve {
    /// Restores instead.
    pub reject: bool,
    /// Without a question.
    pub yes: bool,
    /// Shows all of them, and decides nothing.
    pub list: bool,
}

/// What `code` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeRequest {
    /// List the ways to get a code.
    List,
    /// Hand this code, digits only, to the daemon.
    Give(Secret),
    /// Ask for a code.
    Send(SendWay),
}

/// How a code is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendWay {
    /// As the account usually does.
    Usual,
    /// Shown on the trusted devices.
    Device,
    /// By SMS to the listed number of this place, from 1; the first where none is given.
    Sms(Option<usize>),
    /// By a call to the listed number of this place, from 1; the first where none is given.
    Voice(Option<usize>),
}

/// What `trash` is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrashCommand {
    /// List it.
    List,
    /// Bring back the version at this path, as `trash list` prints it.
    Restore {
        /// As given.
        path: OsString,
    },
}

/// A command line that cannot be understood; exit 3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An option of the Python tool.
    #[error("the option {option} of the Python tool is replaced by {replacement}")]
    Replaced {
        /// The option, without its value.
        option: String,
        /// The key that takes its place.
        replacement: &'static str,
    },
    /// A command that does not exist.
    #[error("unknown command {command:?}{hint}; see `icloudds --help`")]
    UnknownCommand {
        /// What was typed.
        command: String,
        /// `, did you mean …?`, or nothing.
        hint: String,
    },
    /// Anything else.
    #[error("{problem}; see `icloudds {topic}--help`")]
    Wrong {
        /// What is wrong.
        problem: String,
        /// The command and a space, or nothing.
        topic: String,
    },
}

impl Command {
    /// The command's name as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Once => "once",
            Self::Plan { .. } => "plan",
            Self::Login(_) => "login",
            Self::Code(_) => "code",
            Self::Status(_) => "status",
            Self::Health { .. } => "health",
            Self::Why { .. } => "why",
            Self::SyncNow => "sync-now",
            Self::Approve(_) => "approve",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Trash(_) => "trash",
            Self::Logout => "logout",
            Self::CheckConfig => "check-config",
            Self::Diagnose { .. } => "diagnose",
            Self::ResetState => "reset-state",
            Self::Licences => "licences",
            Self::Completions(_) => "completions",
            Self::Man => "man",
            Self::Version => "--version",
            Self::Help(_) => "--help",
        }
    }
}

/// Parses `arguments`, the program's own name left out.
///
/// # Errors
///
/// [`UsageError`], one line, for anything that is not in `docs/contract.md`, "Commands".
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut given = Given::default();
    while let Some(argument) = parser.next().map_err(|error| given.unparsed(&error))? {
        // What was read so far borrows the parser, so the option's name is taken out first.
        let option = match argument {
            Arg::Value(value) => {
                given.word(value)?;
                continue;
            }
            Arg::Short(short) => format!("-{short}"),
            Arg::Long(long) => format!("--{long}"),
        };
        match option.as_str() {
            "-h" | "--help" => given.help = true,
            "-V" | "--version" => given.version = true,
            "--config" => given.config(&mut parser)?,
            "--import-session" | "--export-session" if given.command == Some("login") => {
                given.file(&option, &mut parser)?;
            }
            _ => given.option(&option)?,
        }
    }
    given.finish()
}

/// What has been read so far.
#[derive(Default)]
struct Given {
    config: Option<PathBuf>,
    command: Option<&'static str>,
    words: Vec<OsString>,
    flags: Vec<String>,
    file: Option<PathBuf>,
    help: bool,
    version: bool,
}

impl Given {
    fn wrong(&self, problem: impl Into<String>) -> UsageError {
        let topic = self.command.map_or_else(String::new, |command| format!("{command} "));
        UsageError::Wrong { problem: problem.into(), topic }
    }

    /// What the parser refused, without the value that it would show.
    fn unparsed(&self, error: &lexopt::Error) -> UsageError {
        self.wrong(match error {
            lexopt::Error::UnexpectedValue { .. } => "an option was given a value it does not take",
            _ => "an argument cannot be read",
        })
    }

    fn config(&mut self, parser: &mut Parser) -> Result<(), UsageError> {
        let file = parser.value().map_err(|_| self.wrong("--config needs a FILE"))?;
        if file.is_empty() {
            return Err(self.wrong("--config needs a FILE"));
        }
        if self.config.replace(PathBuf::from(file)).is_some() {
            return Err(self.wrong("--config was given twice"));
        }
        Ok(())
    }

    /// The option of a command that names a file.
    fn file(&mut self, option: &str, parser: &mut Parser) -> Result<(), UsageError> {
        let file = parser.value().ok().filter(|file| !file.is_empty());
        let file = file.ok_or_else(|| self.wrong(format!("{option} needs a FILE, or - for a pipe")))?;
        self.flags.push(option.to_owned());
        if self.file.replace(PathBuf::from(file)).is_some() {
            return Err(self.wrong("a session is either taken or given, once"));
        }
        Ok(())
    }

    /// A command's own option; its meaning is checked at the end.
    fn option(&mut self, option: &str) -> Result<(), UsageError> {
        if let Some((_, replacement)) = REPLACED.iter().find(|(known, _)| *known == option) {
            return Err(UsageError::Replaced { option: option.to_owned(), replacement });
        }
        let known = match self.command {
            Some("plan") => option == "--json",
            Some("status") => matches!(option, "--json" | "--watch"),
            Some("diagnose") => matches!(option, "--json" | "--probe-writes"),
            Some("health") => option == "--ready",
            Some("approve") => matches!(option, "--reject" | "--yes" | "--list"),
            Some("code") => option == "--send",
            Some("login") => option == "--now",
            _ => false,
        };
        if !known {
            return Err(self.wrong(format!("unknown option {}", option.escape_debug())));
        }
        self.flags.push(option.to_owned());
        Ok(())
    }

    fn word(&mut self, word: OsString) -> Result<(), UsageError> {
        if self.command.is_some() {
            self.words.push(word);
            return Ok(());
        }
        if word == "help" {
            self.help = true;
            return Ok(());
        }
        let Some(known) = COMMANDS.iter().find(|command| word == command.name) else {
            let command = word.to_string_lossy().into_owned();
            let near = nearest(&command, COMMANDS.iter().map(|command| command.name));
            let hint = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
            return Err(UsageError::UnknownCommand { command, hint });
        };
        self.command = Some(known.name);
        Ok(())
    }

    fn finish(mut self) -> Result<Invocation, UsageError> {
        let command = match (self.help, self.version) {
            (true, _) => Command::Help(self.command),
            (false, true) => Command::Version,
            (false, false) => self.command()?,
        };
        Ok(Invocation { config: self.config, command })
    }

    fn command(&mut self) -> Result<Command, UsageError> {
        let flag = !self.flags.is_empty();
        let command = match self.command.unwrap_or("run") {
            "once" => Command::Once,
            "plan" => Command::Plan { json: flag },
            "login" => Command::Login(self.login()?),
            "code" => Command::Code(self.code(flag)?),
            "status" => Command::Status(self.status()?),
            "health" => Command::Health { ready: flag },
            "why" => Command::Why { path: self.path()? },
            "sync-now" => Command::SyncNow,
            "approve" => Command::Approve(self.approve()?),
            "pause" => Command::Pause,
            "resume" => Command::Resume,
            "trash" => Command::Trash(self.trash()?),
            "logout" => Command::Logout,
            "check-config" => Command::CheckConfig,
            "diagnose" => {
                let has = |name: &str| self.flags.iter().any(|flag| flag == name);
                Command::Diagnose { json: has("--json"), probe_writes: has("--probe-writes") }
            }
            "reset-state" => Command::ResetState,
            "licences" => Command::Licences,
            "completions" => Command::Completions(self.shell()?),
            "man" => Command::Man,
            // The names come from `COMMANDS`, of which this is the one that is left.
            _ => Command::Run,
        };
        if self.words.is_empty() {
            return Ok(command);
        }
        // Not echoed: it may be a code or a password that was typed in the wrong place.
        Err(self.wrong(format!("{} takes no more arguments", command.name())))
    }

    /// Takes the next word of the command.
    fn next_word(&mut self) -> Option<OsString> {
        (!self.words.is_empty()).then(|| self.words.remove(0))
    }

    fn path(&mut self) -> Result<OsString, UsageError> {
        self.next_word().filter(|path| !path.is_empty()).ok_or_else(|| self.wrong("a PATH is needed"))
    }

    fn status(&self) -> Result<StatusHow, UsageError> {
        let has = |flag: &str| self.flags.iter().any(|given| given == flag);
        match (has("--json"), has("--watch")) {
            (true, true) => Err(self.wrong("--watch is for people, and --json for programs")),
            (true, false) => Ok(StatusHow::Json),
            (false, true) => Ok(StatusHow::Watch),
            (false, false) => Ok(StatusHow::Once),
        }
    }

    fn shell(&mut self) -> Result<Shell, UsageError> {
        let word = self.next_word();
        match word.as_ref().and_then(|word| word.to_str()) {
            Some("bash") => Ok(Shell::Bash),
            Some("zsh") => Ok(Shell::Zsh),
            Some("fish") => Ok(Shell::Fish),
            _ => Err(self.wrong("completions needs `bash`, `zsh` or `fish`")),
        }
    }

    fn trash(&mut self) -> Result<TrashCommand, UsageError> {
        let word = self.next_word();
        match word.as_ref().and_then(|word| word.to_str()) {
            Some("list") => Ok(TrashCommand::List),
            Some("restore") => Ok(TrashCommand::Restore { path: self.path()? }),
            _ => Err(self.wrong("trash needs `list` or `restore PATH`")),
        }
    }

    fn login(&mut self) -> Result<LoginHow, UsageError> {
        let has = |flags: &[String], name: &str| flags.iter().any(|flag| flag == name);
        let now = has(&self.flags, "--now");
        match self.file.take() {
            None => Ok(LoginHow::Ask { now }),
            Some(_) if now => {
                Err(self.wrong("--now goes with neither --import-session nor --export-session"))
            }
            Some(file) if has(&self.flags, "--import-session") => Ok(LoginHow::Import(file)),
            Some(file) => Ok(LoginHow::Export(file)),
        }
    }

    fn approve(&self) -> Result<Approve, UsageError> {
        let has = |flag: &str| self.flags.iter().any(|given| given == flag);
        let approve = Approve { reject: has("--reject"), yes: has("--yes"), list: has("--list") };
        if approve.list && (approve.reject || approve.yes) {
            return Err(self.wrong("--list decides nothing, so it goes with no other option"));
        }
        Ok(approve)
    }

    fn code(&mut self, send: bool) -> Result<CodeRequest, UsageError> {
        let word = self.next_word().map(|word| word.to_string_lossy().into_owned());
        if !send {
            let Some(word) = word else { return Ok(CodeRequest::List) };
            let code: String = word.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
            if !(4..=8).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(self.wrong("a code consists of 4 to 8 digits"));
            }
            return Ok(CodeRequest::Give(Secret::while_held(code)));
        }
        let way = match word.as_deref() {
            None => SendWay::Usual,
            Some("device") => SendWay::Device,
            Some(name @ ("sms" | "voice")) => {
                let place = match self
                    .next_word()
                    .map(|word| word.to_str().and_then(|word| word.parse().ok()))
                {
                    None => None,
                    Some(Some(number)) if number > 0 => Some(number),
                    Some(_) => {
                        return Err(self.wrong(format!("{name} takes the place of a listed number, from 1")));
                    }
                };
                if name == "sms" { SendWay::Sms(place) } else { SendWay::Voice(place) }
            }
            Some(_) => return Err(self.wrong("--send takes `device`, `sms [N]` or `voice [N]`")),
        };
        Ok(CodeRequest::Send(way))
    }
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
