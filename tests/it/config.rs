//! The configuration as users meet it: files, variables, and the lines they get.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use icloudds::config::{self, Config, ConfigError, Loaded, Origin, Sources, schema};
use tempfile::TempDir;

use crate::golden::assert_golden;

mod outward;
mod paths;

/// A place with a file or without, and some variables.
struct Setup {
    temp: TempDir,
    sources: Sources,
}

impl Setup {
    fn new(file: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let temp = tempfile::tempdir().expect("a temporary directory");
        let in_temp = |text: &str| text.replace("TMP", temp.path().to_str().expect("a plain path"));
        let variables =
            variables.iter().map(|(name, value)| ((*name).into(), in_temp(value).into())).collect();
        let mut sources = Sources { file: None, variables };
        // Without a file there is an empty one, lest the machine's own configuration be read.
        if file.is_some() || sources.variables.iter().all(|(name, _)| name != "ICLOUDDS_CONFIG") {
            let text = file.unwrap_or_default();
            let path = temp.path().join("config.toml");
            fs::write(&path, in_temp(text)).expect("the file");
            sources.file = Some(path);
        }
        Self { temp, sources }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        config::load(&self.sources)
    }

    /// `text` with the temporary directory's path as `TMP`.
    fn plain(&self, text: &str) -> String {
        text.replace(self.temp.path().to_str().expect("a plain path"), "TMP")
    }

    /// `exit N: LINE`, or `accepted`.
    fn verdict(&self) -> String {
        match self.load() {
            Ok(_) => "accepted".to_owned(),
            Err(error) => {
                let line = self.plain(&error.to_string());
                assert!(!line.contains('\n'), "more than a line: {line}");
                format!("exit {}: {line}", error.exit_code().code())
            }
        }
    }
}

fn loaded(file: &str, variables: &[(&str, &str)]) -> Config {
    let user = ("ICLOUDDS_ACCOUNT__USERNAME", "you@example.com");
    let variables: Vec<_> = variables.iter().copied().chain([user]).collect();
    match Setup::new(Some(file), &variables).load() {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    }
}

/// One case a line of input: the file's text, or variables.
fn report(cases: &[&str], run: impl Fn(&str) -> String) -> String {
    cases.iter().map(|case| format!("{}\n  {}\n", case.escape_debug(), run(case))).collect()
}

#[test]
fn mistakes_in_the_file() {
    let cases = [
        "",
        "[account]\nusername = 'you'\npassword = 'hidden-1'\npassword_file = '/x'",
        "[account]\nusername = 7",
        "[account]\npassword = 12345678",
        "[account]\npasword = 'hidden-2'",
        "[account]\nname = 'x'",
        "[acount]\nusername = 'x'",
        "[whatever]\nx = 1",
        "username = 'x'",
        "password = 'hidden-3'",
        "sync = 5",
        "[[sync]]\nmode = 'two-way'",
        "[sync]\nchek_period = 20",
        "[sync]\nmax_deletes = 20",
        "[sync]\ncheck_period = 5",
        "[sync]\ncheck_period = '20'",
        "[sync]\ncheck_period = 20.5",
        "[sync]\ncheck_period = 99999999999999999999",
        "[sync]\ncheck_period = 99999999999",
        "[sync]\nrefresh_period = 89",
        "[sync]\ndebounce_period = -1",
        "[sync]\nmax_workers = 0",
        "[sync]\npoll_period = 0",
        "[sync]\nmode = 'Two-Way'",
        "[sync]\nwatch = 'yes'",
        "[sync]\nignore = 'x'",
        "[sync]\nignore = ['a', 5]",
        "[sync]\nignore = [\n  'a',\n  'b(',\n]",
        "[sync]\ninclude = ['(?!x)y']",
        "[sync]\nremote_root = 'Documents'",
        "[sync]\nremote_root = '/a/../b'",
        "[sync]\napp_libraries = ['a/b']",
        "[sync]\ndirectory = ''",
        "[sync]\ndirectory = ['/drive']",
        "[guard]\nmax_delete_percent = 101",
        "[guard]\nmax_deletes = -1",
        "[trash]\nmax_size = '10 bananas'",
        "[trash]\nmax_size = -1",
        "[trash]\nkeep_days = true",
        "[limits]\nupload_rate = 1.5",
        "[log]\nlevel = 'verbose'",
        "[log]\nlevels = 'debug'",
        "[log]\nlevels = { signin = 'loud' }",
        "[log]\nlevels = { ureq = 'trace' }",
        "[log]\nfile_format = 'xml'",
        "[log]\nstate_dump = 'yes'",
        "[web]\nlisten = '8384'",
        "[web]\nlisten = '0.0.0.0:8384'",
        "[web]\nlisten = '127.0.0.1:8384'",
        "[web]\ntoken_file = 'TMP/missing'",
        "[notify]\nwebhook = 'ftp://hidden-4.example.com'",
        "[tls]\nca_file = 'TMP/missing.pem'",
        "[tls]\nca_file = 'TMP'",
        "[proxy]\nurl = 'ftp://me:hidden-5@proxy'",
        "[icloud]\nsetup = 'setup.icloud.com'",
        "[icloud]\nhome = 'https://me:hidden-6@www.icloud.com'",
        "[account]\npassword_file = 'TMP/missing'",
        "[account]\npassword_file = 'TMP'",
        "[account",
        "[account]\npassword = \"hidden-7",
        "[account]\npassword = hidden-8",
        "[account]\npassword = 'hidden-9' x",
        "[account]\nusername = 'a'\nusername = 'b'",
        "[sync]\nmode = 'two-way'\n\n[sync]\nwatch = 'off'",
        "\u{feff}[sync]\r\nignore = []\r\nmode = 'x'\r\n",
        "[sync]\nmode = 'one\\nway\\u001b[31m'",
        "[log]\nunknown = 1\n[account]\nusername = 5",
    ];
    let text = report(&cases, |case| Setup::new(Some(case), &[]).verdict());
    assert!(!text.lines().any(|line| line.starts_with("  ") && line.contains("hidden-")), "{text}");
    assert_golden("config/file.txt", &text);
}

#[test]
fn mistakes_in_variables() {
    let cases = [
        "ICLOUDDS_SYNC__CHECK_PERIOD=5",
        "ICLOUDDS_SYNC__CHECK_PERIOD=",
        "ICLOUDDS_SYNC__CHECK_PERIOD=often",
        "ICLOUDDS_SYNC__CHECK_PERIOD=20\n21",
        "ICLOUDDS_SYNC__CHECK_PERIOD=[20]",
        "ICLOUDDS_SYNC__MODE=both",
        "ICLOUDDS_SYNC__IGNORE=.*tmp",
        "ICLOUDDS_SYNC__IGNORE=[\"a\", 'b\\Z']",
        "ICLOUDDS_SYNC__INCLUDE=['a++']",
        "ICLOUDDS_LOG__STATE_DUMP=yes",
        "ICLOUDDS_LOG__LEVELS=signin=debug",
        "ICLOUDDS_LOG__LEVELS__SIGNIN=loud",
        "ICLOUDDS_LOG__LEVELS__SIGNING=debug",
        "ICLOUDDS_ACCOUNT__PASWORD=hidden-1",
        "ICLOUDDS_PASSWORD=hidden-2",
        "ICLOUDDS_USERNAME=you",
        "ICLOUDDS_SYNC_MODE=two-way",
        "ICLOUDDS_SYNC__MODES=two-way",
        "ICLOUDDS_SYNC__ELEPHANT=grey",
        "ICLOUDDS_SNYC__MODE=two-way",
        "ICLOUDDS_sync__mode=two-way",
        "ICLOUDDS_WEB__PORT=8384",
        "ICLOUDDS_ACCOUNT__PASSWORD_FILE=TMP/missing",
        "ICLOUDDS_CONFIG=TMP/missing.toml",
        "ICLOUDDS_CONFIG=TMP",
        "HTTPS_PROXY=me:hidden-3@[",
        "CREDENTIALS_DIRECTORY=TMP/nothing",
    ];
    let text = report(&cases, |case| {
        let (name, value) = case.split_once('=').expect("NAME=VALUE");
        Setup::new(None, &[(name, value)]).verdict()
    });
    assert!(!text.lines().any(|line| line.starts_with("  ") && line.contains("hidden-")), "{text}");
    assert_golden("config/variables.txt", &text);
}

#[test]
fn mistakes_about_places() {
    let cases = [
        ("TMP/drive", "TMP/drive", ""),
        ("TMP/drive", "TMP/drive/state", ""),
        ("TMP/state/drive", "TMP/state", ""),
        ("TMP/drive", "TMP/link/state", ""),
        ("TMP/drive", "TMP/state", "TMP/drive/log"),
        ("TMP/drive", "TMP/state", "TMP/link/sub/log"),
        ("TMP/drive", "TMP/state", "TMP/state/log"),
        (
            "TMP/drive",
            "/this/path/is/long/enough/to/leave/no/room/for/the/name/of/the/socket/that/the/daemon/listens/on/xx",
            "",
        ),
        ("TMP/drive", "TMP/drives", "TMP/drive.log"),
    ];
    let mut text = String::new();
    for (directory, state, log) in cases {
        let setup = Setup::new(
            None,
            &[
                ("ICLOUDDS_ACCOUNT__USERNAME", "you"),
                ("ICLOUDDS_SYNC__DIRECTORY", directory),
                ("ICLOUDDS_SYNC__STATE_DIRECTORY", state),
                ("ICLOUDDS_LOG__FILE", log),
            ],
        );
        fs::create_dir_all(setup.temp.path().join("drive/sub")).expect("folders");
        std::os::unix::fs::symlink(setup.temp.path().join("drive"), setup.temp.path().join("link"))
            .expect("a link");
        text.push_str(&format!("drive {directory} state {state} log {log}\n  {}\n", setup.verdict()));
    }
    assert_golden("config/places.txt", &text);
}

#[test]
fn layers_override_each_other_and_keep_their_origins() {
    let file = "[account]\nusername = 'file'\n\n[sync]\nmode = 'upload-only'\nignore = [\n  'a',\n  'b',\n]\n\n[log]\nlevels = { signin = 'debug', http = 'warn' }\n";
    let setup = Setup::new(
        Some(file),
        &[
            ("ICLOUDDS_ACCOUNT__USERNAME", "variable"),
            ("ICLOUDDS_LOG__LEVELS", "{ http = \"error\" }"),
            ("ICLOUDDS_LOG__LEVELS__STORE", "trace"),
        ],
    );
    let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
    let line = |line| Origin::File { path: setup.temp.path().join("config.toml"), line };
    let variable = |name: &str| Origin::Variable(name.to_owned());
    for (key, origin) in [
        ("account.username", variable("ICLOUDDS_ACCOUNT__USERNAME")),
        ("account.region", Origin::Default),
        ("sync.mode", line(5)),
        ("sync.ignore", line(6)),
        ("sync.ignore[1]", line(8)),
        ("log.levels.signin", line(12)),
        ("log.levels.http", variable("ICLOUDDS_LOG__LEVELS")),
        ("log.levels.store", variable("ICLOUDDS_LOG__LEVELS__STORE")),
    ] {
        assert_eq!(loaded.effective.origin(key), origin, "{key}");
    }
    assert_eq!(loaded.config.account.username, "variable");
    assert_eq!(loaded.config.sync.mode, config::Mode::UploadOnly);
    let levels: Vec<_> =
        loaded.config.log.levels.iter().map(|(part, level)| format!("{part} {level}")).collect();
    assert_eq!(levels, ["http ERROR", "signin DEBUG", "store TRACE"]);
}

#[test]
fn text_variables_are_taken_byte_for_byte() {
    for password in ["0123", "true", "\"x\" 'y'", " x  ", "[1]", "a=b", "\n.", "${HOME}", "päss"] {
        let config = loaded("", &[("ICLOUDDS_ACCOUNT__PASSWORD", password)]);
        assert_eq!(config.account.password.expect("a password").expose(), password);
    }
}

#[test]
fn lists_are_toml_with_either_quote() {
    for (list, expected) in [
        (r#"[".*\\.tmp"]"#, vec![r".*\.tmp"]),
        (r"['.*\.tmp']", vec![r".*\.tmp"]),
        (" [ 'a' , \"b\", ] ", vec!["a", "b"]),
        ("[\n 'a',\n]", vec!["a"]),
        ("[]", vec![]),
    ] {
        let config = loaded("[sync]\nignore = ['from the file']", &[("ICLOUDDS_SYNC__IGNORE", list)]);
        assert_eq!(config.sync.filter.ignore().collect::<Vec<_>>(), expected, "{list}");
    }
}

#[test]
fn short_periods_are_for_simulated_services_only() {
    let periods = "[sync]\ncheck_period = 1\nrefresh_period = 2\ndebounce_period = 1\n";
    for setup in ["http://127.0.0.1:8080/setup/ws/1", "http://localhost:1", "http://[::1]:1/x/"] {
        let config = loaded(&format!("{periods}[icloud]\nsetup = '{setup}'"), &[]);
        assert_eq!(config.sync.check_period.as_secs(), 1);
        assert_eq!(config.icloud.setup.as_deref(), Some(setup.trim_end_matches('/')));
    }
    let real = Setup::new(Some(&format!("{periods}[icloud]\nsetup = 'https://setup.icloud.com.cn'")), &[]);
    assert!(
        real.verdict().starts_with("exit 3: TMP/config.toml:2: sync.check_period = 1"),
        "{}",
        real.verdict()
    );
    let zero = Setup::new(Some("[sync]\ncheck_period = 0\n[icloud]\nsetup = 'http://127.0.0.1'"), &[]);
    assert!(zero.verdict().starts_with("exit 3"), "{}", zero.verdict());
}

#[test]
fn service_variables_of_kubernetes_are_passed_over_and_noted() {
    let setup = Setup::new(
        None,
        &[
            ("ICLOUDDS_ACCOUNT__USERNAME", "you"),
            ("ICLOUDDS_PORT", "tcp://10.0.0.1:8384"),
            ("ICLOUDDS_SERVICE_HOST", "10.0.0.1"),
            ("ICLOUDDS_WEB_PORT_8384_TCP_ADDR", "10.0.0.1"),
        ],
    );
    let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
    let note = "passed over service variables of Kubernetes: ICLOUDDS_PORT ICLOUDDS_SERVICE_HOST ICLOUDDS_WEB_PORT_8384_TCP_ADDR";
    assert_eq!(loaded.notes, [note]);
}

#[test]
fn passwords_come_from_files_and_credentials_too() {
    for (content, password) in
        [("one\n", "one"), ("two", "two"), (" three \r\n", " three "), ("four\n\n", "four")]
    {
        let setup = Setup::new(
            None,
            &[("ICLOUDDS_ACCOUNT__USERNAME", "you"), ("ICLOUDDS_ACCOUNT__PASSWORD_FILE", "TMP/secret")],
        );
        fs::write(setup.temp.path().join("secret"), content).expect("the file");
        let config = setup.load().unwrap_or_else(|error| panic!("{error}")).config;
        assert_eq!(config.account.password.expect("a password").expose(), password);
    }
    for (variables, password) in
        [(&[][..], "from systemd"), (&[("ICLOUDDS_ACCOUNT__PASSWORD", "set")], "set")]
    {
        let both = [("ICLOUDDS_ACCOUNT__USERNAME", "you"), ("CREDENTIALS_DIRECTORY", "TMP")];
        let variables: Vec<_> = variables.iter().copied().chain(both).collect();
        let setup = Setup::new(None, &variables);
        fs::write(setup.temp.path().join("icloud-password"), "from systemd\n").expect("the credential");
        let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
        let printed =
            config::print_effective(&setup.sources, &loaded).unwrap_or_else(|error| panic!("{error}"));
        let from_systemd = printed.lines().any(|line| {
            line.starts_with("password = \"***\"")
                && setup.plain(line).ends_with("# credential TMP/icloud-password")
        });
        assert_eq!(from_systemd, password == "from systemd", "{printed}");
        assert_eq!(loaded.config.account.password.expect("a password").expose(), password);
    }
    assert!(loaded("", &[]).account.password.is_none());
}

#[test]
fn what_is_not_utf8_is_named_without_its_secret() {
    let bytes = OsString::from_vec(b"hidden\xff".to_vec());
    for (name, shown) in
        [("ICLOUDDS_ACCOUNT__PASSWORD", "***"), ("ICLOUDDS_SYNC__DIRECTORY", "\"hidden\u{fffd}\"")]
    {
        let sources = Sources { file: None, variables: vec![(name.into(), bytes.clone())] };
        let error = config::load(&sources).err().expect("refused").to_string();
        assert!(error.starts_with(name) && error.ends_with(&format!("= {shown}: is not UTF-8")), "{error}");
    }
    let name = OsString::from_vec(b"ICLOUDDS_\xff".to_vec());
    let error = config::load(&Sources { file: None, variables: vec![(name, "hidden".into())] })
        .err()
        .expect("refused");
    assert!(
        error.to_string().contains("unknown variable") && !error.to_string().contains("hidden"),
        "{error}"
    );

    let setup = Setup::new(Some(""), &[]);
    let file = setup.temp.path().join("config.toml");
    fs::write(&file, b"[account]\nusername = '\xff'\n").expect("the file");
    assert_eq!(setup.verdict(), "exit 3: TMP/config.toml:2: is not UTF-8");
}

#[test]
fn the_proxy_is_also_found_in_its_usual_variables() {
    for (variables, url, direct) in [
        (&[][..], None, vec![]),
        (&[("HTTPS_PROXY", "http://proxy:3128")], Some("http://proxy:3128"), vec![]),
        (&[("https_proxy", "proxy:3128"), ("no_proxy", "a, .b")], Some("http://proxy:3128"), vec!["a", ".b"]),
        (&[("HTTPS_PROXY", "")], None, vec![]),
        (&[("HTTPS_PROXY", "http://x"), ("ICLOUDDS_PROXY__URL", "http://y")], Some("http://y"), vec![]),
    ] {
        let proxy = loaded("", variables).proxy;
        assert_eq!(proxy.as_ref().map(|proxy| proxy.url.expose()), url, "{variables:?}");
        assert_eq!(proxy.map_or_else(Vec::new, |proxy| proxy.no_proxy), direct, "{variables:?}");
    }
}

#[test]
fn zero_is_no_limit() {
    let config = loaded(
        "[guard]\nmax_deletes = 0\n[trash]\nkeep_days = 0\nmax_size = 0\n[limits]\nupload_rate = '5MB'",
        &[],
    );
    assert_eq!(config.guard, config::Guard { max_deletes: None, max_delete_percent: Some(25) });
    assert_eq!(config.trash, config::Trash { keep: None, max_size: None });
    let limits = config::Limits {
        upload_rate: Some(5_000_000),
        download_rate: None,
        max_file_size: None,
        keep_free: None,
    };
    assert_eq!(config.limits, limits);
}

#[test]
fn the_effective_configuration_is_toml_with_origins_and_without_secrets() {
    let file = "[account]\nusername = 'you@example.com'\npassword = 'hidden-1'\n[sync]\nignore = ['a\\d', \"b'c\"]\nconflict = 'newest'\napp_libraries = [\"a\\nb\\u007f\"]\nremote_root = \"/a\\nb\\\"\"\n[trash]\nmax_size = 5_000\n[proxy]\nurl = 'http://me:hidden-2@proxy:3128'\n[log]\nlevels = { http = 'warn' }\n";
    let setup = Setup::new(Some(file), &[("ICLOUDDS_SYNC__MODE", "download-only")]);
    let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
    let text = config::print_effective(&setup.sources, &loaded).unwrap_or_else(|error| panic!("{error}"));
    assert!(!text.contains("hidden-"), "{text}");
    assert_golden("config/effective.toml", &setup.plain(&text));

    // What is printed is itself a configuration that says the same.
    let again = Setup::new(Some(&text), &[]);
    let raw = |loaded: &Loaded| {
        let mut raw = serde_json::to_value(loaded.effective.raw().expect("raw")).expect("plain values");
        raw["account"]["password"] = "".into();
        raw["proxy"]["url"] = "".into();
        raw
    };
    assert_eq!(raw(&again.load().unwrap_or_else(|error| panic!("{error}"))), raw(&loaded));
}

/// The example with every key taken out of its comment.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    let text = fs::read_to_string(path).expect("config.example.toml");
    let is_key =
        |line: &str| line.starts_with('#') && line[1..].starts_with(|first: char| first.is_ascii_lowercase());
    text.lines().map(|line| if is_key(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_says_the_real_defaults() {
    let user = [("ICLOUDDS_ACCOUNT__USERNAME", "you")];
    let raw = |file: &str| {
        let setup = Setup::new(Some(file), &user);
        let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
        serde_json::to_value(loaded.effective.raw().expect("raw")).expect("plain values")
    };
    assert_eq!(raw(&example()), raw(""));
}

#[test]
fn the_example_shows_every_key_once_with_its_explanation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    let text = fs::read_to_string(path).expect("config.example.toml");
    let table: toml::Table = example().parse().expect("TOML");
    let shown: usize = table.values().map(|section| section.as_table().expect("a section").len()).sum();
    assert_eq!(shown, schema::KEYS.len());
    for key in schema::KEYS {
        assert!(table[key.section].get(key.name).is_some(), "{}", key.dotted());
        let lines: Vec<&str> = text.lines().collect();
        let places = lines.windows(2).filter(|pair| pair[1].starts_with(&format!("#{} = ", key.name)));
        let explained = places.filter(|pair| pair[0].starts_with("# ")).count();
        assert!(explained >= 1, "{} is not explained", key.dotted());
    }
}

#[test]
fn every_key_of_the_contract_exists_with_its_default() {
    let contract = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/contract.md"))
        .expect("the contract");
    let block =
        contract.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the schema");
    let written: toml::Table = block.parse().expect("TOML");
    let user = [("ICLOUDDS_ACCOUNT__USERNAME", "you@example.com")];
    let loaded = Setup::new(Some(""), &user).load().unwrap_or_else(|error| panic!("{error}"));
    let real = serde_json::to_value(loaded.effective.raw().expect("raw")).expect("plain values");
    assert_eq!(serde_json::to_value(&written).expect("plain values"), real);
}

#[test]
fn the_start_says_what_is_in_effect_and_masks_the_account() {
    let lines = |file: &str| {
        let setup = Setup::new(Some(file), &[("ICLOUDDS_ACCOUNT__USERNAME", "you@example.com")]);
        let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
        config::start_lines(&loaded).iter().map(|line| setup.plain(line)).collect::<Vec<_>>()
    };
    let common = |directory: &str, root: &str| {
        vec![
            "configuration from TMP/config.toml".to_owned(),
            format!("directory {directory}"),
            format!("drive folder {root}"),
            "account y***@example.com".to_owned(),
            "region global".to_owned(),
            "mode two-way".to_owned(),
        ]
    };
    let mut expected = common("/drive", "/");
    expected.extend(["ignore none".to_owned(), "include none".to_owned()]);
    assert_eq!(lines(""), expected);
    let mut expected = common("TMP/x", "/a/b");
    expected.extend(["ignore a", "ignore b", "include c"].map(str::to_owned));
    assert_eq!(
        lines("[sync]\ndirectory='TMP/x'\nremote_root='/a/b/'\nignore=['a','b']\ninclude=['c']"),
        expected
    );
}
