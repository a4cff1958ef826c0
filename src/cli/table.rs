//! The commands and their help: what is parsed, printed, completed and put into the manual goes by this table.

use super::help;

/// A command's name, its help, and what a bare use of it means.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

const fn described(name: &'static str, help: &'static str) -> Described {
    Described { name, help }
}

/// Every command of the contract.
pub(super) const COMMANDS: &[Described] = &[
    described("run", help::RUN),
    described("once", help::ONCE),
    described("plan", help::PLAN),
    described("login", help::LOGIN),
    described("code", help::CODE),
    described("status", help::STATUS),
    described("health", help::HEALTH),
    described("why", help::WHY),
    described("sync-now", help::SYNC_NOW),
    described("approve", help::APPROVE),
    described("pause", help::PAUSE),
    described("resume", help::RESUME),
    described("trash", help::TRASH),
    described("logout", help::LOGOUT),
    described("check-config", help::CHECK_CONFIG),
    described("diagnose", help::DIAGNOSE),
    described("reset-state", help::RESET_STATE),
    described("licences", help::LICENCES),
    described("completions", help::COMPLETIONS),
    described("man", help::MAN),
];

/// The options of the Python tool and what replaces each.
pub(super) const REPLACED: &[(&str, &str)] = &[
    ("-d", "the key sync.directory"),
    ("--directory", "the key sync.directory"),
    ("-u", "the key account.username"),
    ("--username", "the key account.username"),
    ("-p", "the key account.password_file (or account.password)"),
    ("--password", "the key account.password_file (or account.password)"),
    ("--cookie-directory", "the key sync.state_directory"),
    ("--ignore-regexes", "the key sync.ignore"),
    ("--include-regexes", "the key sync.include"),
    ("--logging-config", "the keys of the section [log]"),
    ("--icloud-check-period", "the key sync.check_period"),
    ("--icloud-refresh-period", "the key sync.refresh_period"),
    ("--debounce-period", "the key sync.debounce_period"),
    ("--max-workers", "the key sync.max_workers"),
];

/// The help for `topic`, a command's name, or for the whole program.
pub(super) fn help_text(topic: Option<&'static str>) -> &'static str {
    COMMANDS.iter().find(|command| Some(command.name) == topic).map_or(help::GENERAL, |command| command.help)
}
