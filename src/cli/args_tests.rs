use super::*;

fn parsed(line: &str) -> Result<Invocation, UsageError> {
    parse(line.split_whitespace().map(OsString::from))
}

fn command(line: &str) -> Command {
    parsed(line).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[test]
fn every_command_of_the_contract_is_understood() {
    for (line, expected) in [
        ("", Command::Run),
        ("run", Command::Run),
        ("once", Command::Once),
        ("plan", Command::Plan { json: false }),
        ("diagnose", Command::Diagnose { json: false, probe_writes: false }),
        ("diagnose --json --probe-writes", Command::Diagnose { json: true, probe_writes: true }),
        ("plan --json", Command::Plan { json: true }),
        ("login", Command::Login(LoginHow::Ask { now: false })),
        ("code", Command::Code(CodeRequest::List)),
        ("code 123456", Command::Code(CodeRequest::Give(Secret::new("123456")))),
        ("code 123-456", Command::Code(CodeRequest::Give(Secret::new("123456")))),
        ("code --send", Command::Code(CodeRequest::Send(SendWay::Usual))),
        ("code --send device", Command::Code(CodeRequest::Send(SendWay::Device))),
        ("code --send sms", Command::Code(CodeRequest::Send(SendWay::Sms(None)))),
        ("code --send sms 2", Command::Code(CodeRequest::Send(SendWay::Sms(Some(2))))),
        ("login --now", Command::Login(LoginHow::Ask { now: true })),
        ("login --import-session -", Command::Login(LoginHow::Import("-".into()))),
        ("login --export-session=s.json", Command::Login(LoginHow::Export("s.json".into()))),
        ("code --send voice", Command::Code(CodeRequest::Send(SendWay::Voice(None)))),
        ("code --send voice 1", Command::Code(CodeRequest::Send(SendWay::Voice(Some(1))))),
        ("status", Command::Status(StatusHow::Once)),
        ("status --watch", Command::Status(StatusHow::Watch)),
        ("completions fish", Command::Completions(Shell::Fish)),
        ("man", Command::Man),
        ("status --json", Command::Status(StatusHow::Json)),
        ("health", Command::Health { ready: false }),
        ("health --ready", Command::Health { ready: true }),
        ("why a/b", Command::Why { path: "a/b".into() }),
        ("why -- --json", Command::Why { path: "--json".into() }),
        ("sync-now", Command::SyncNow),
        ("approve", Command::Approve(Approve::default())),
        ("approve --reject", Command::Approve(Approve { reject: true, ..Approve::default() })),
        ("approve --yes", Command::Approve(Approve { yes: true, ..Approve::default() })),
        ("approve --list", Command::Approve(Approve { list: true, ..Approve::default() })),
        ("pause", Command::Pause),
        ("resume", Command::Resume),
        ("trash list", Command::Trash(TrashCommand::List)),
        ("trash restore a/b", Command::Trash(TrashCommand::Restore { path: "a/b".into() })),
        ("logout", Command::Logout),
        ("check-config", Command::CheckConfig),
        ("reset-state", Command::ResetState),
        ("-V", Command::Version),
        ("--version", Command::Version),
        ("status --version", Command::Version),
        ("-h", Command::Help(None)),
        ("--help", Command::Help(None)),
        ("help", Command::Help(None)),
        ("help code", Command::Help(Some("code"))),
        ("code --help", Command::Help(Some("code"))),
        ("why -h", Command::Help(Some("why"))),
    ] {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn the_configuration_file_may_stand_before_or_after_the_command() {
    for line in ["--config /x once", "--config=/x once", "once --config /x", "once --config=/x"] {
        let invocation = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!((invocation.config, invocation.command), (Some("/x".into()), Command::Once), "{line}");
    }
}

#[test]
fn mistakes_are_one_line_that_says_what_to_do() {
    for (line, message) in [
        ("stats", r#"unknown command "stats", did you mean status?; see `icloudds --help`"#),
        ("sync", r#"unknown command "sync"; see `icloudds --help`"#),
        ("--config", "--config needs a FILE; see `icloudds --help`"),
        ("--config a --config b", "--config was given twice; see `icloudds --help`"),
        ("--json", "unknown option --json; see `icloudds --help`"),
        ("run --json", "unknown option --json; see `icloudds run --help`"),
        ("status --json=yes", "an option was given a value it does not take; see `icloudds status --help`"),
        ("once now", "once takes no more arguments; see `icloudds once --help`"),
        ("why", "a PATH is needed; see `icloudds why --help`"),
        ("trash", "trash needs `list` or `restore PATH`; see `icloudds trash --help`"),
        ("trash restore", "a PATH is needed; see `icloudds trash --help`"),
        ("code abcdef", "a code consists of 4 to 8 digits; see `icloudds code --help`"),
        ("code --send pigeon", "--send takes `device`, `sms [N]` or `voice [N]`; see `icloudds code --help`"),
        ("code --send sms 0", "sms takes the place of a listed number, from 1; see `icloudds code --help`"),
    ] {
        assert_eq!(parsed(line).map_err(|error| error.to_string()), Err(message.to_owned()), "{line}");
    }
}

#[test]
fn options_of_the_python_tool_name_their_key() {
    for (option, key) in [
        ("-d /x", "sync.directory"),
        ("-u you", "account.username"),
        ("-p", "account.password_file"),
        ("--cookie-directory /x", "sync.state_directory"),
        ("--ignore-regexes x", "sync.ignore"),
        ("--include-regexes x", "sync.include"),
        ("--logging-config x", "[log]"),
        ("--icloud-check-period 1", "sync.check_period"),
        ("--icloud-refresh-period=1", "sync.refresh_period"),
        ("--debounce-period 1", "sync.debounce_period"),
        ("--max-workers 1", "sync.max_workers"),
    ] {
        for line in [option.to_owned(), format!("once {option}")] {
            let error = parsed(&line).unwrap_err();
            assert!(matches!(error, UsageError::Replaced { .. }), "{line}: {error}");
            assert!(error.to_string().contains(key), "{line}: {error}");
        }
    }
}

#[test]
fn what_may_be_a_secret_is_never_echoed() {
    for line in [
        "-p hunter2hunter2",
        "-phunter2hunter2",
        "-p=hunter2hunter2",
        "--password hunter2hunter2",
        "--password=hunter2hunter2",
        "once --password=hunter2hunter2",
        "--pasword=hunter2hunter2",
        "code --pw=hunter2hunter2",
        "code hunter2hunter2",
        "code 123456 hunter2hunter2",
        "login hunter2hunter2",
        "status --json=hunter2hunter2",
    ] {
        let error = parsed(line).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{line}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{line}: {error:?}");
    }
}

#[test]
fn every_command_has_a_help_text_that_shows_its_use() {
    for described in COMMANDS {
        let usage = format!("icloudds [--config FILE] {}", described.name);
        let optional = format!("icloudds [--config FILE] [{}]", described.name);
        assert!(described.help.contains(&usage) || described.help.contains(&optional), "{}", described.name);
        assert!(described.help.lines().all(|line| line.len() <= 80), "{}", described.name);
    }
}
