//! Paths, blank variables, and secrets in files.

use super::*;

#[test]
fn paths_begin_at_the_root_or_at_home() {
    let cases = [
        "[sync]\ndirectory = 'iCloud'",
        "[sync]\nstate_directory = './state'",
        "[log]\nfile = 'icloudds.log'",
        "[tls]\nca_file = 'ca.pem'",
        "[account]\npassword_file = 'password'",
        "[web]\ntoken_file = 'token'",
        "[notify]\nwebhook_file = 'hook'",
        "[sync]\ndirectory = '~you/iCloud'",
    ];
    for case in cases {
        let told = Setup::new(
            Some(
                &format!("[account]\nusername='x'\n{case}")
                    .replace("[account]\nusername='x'\n[account]", "[account]\nusername='x'"),
            ),
            &[("HOME", "TMP")],
        )
        .verdict();
        let expected = if case.contains('~') { "names another user's folder" } else { "did you mean \"/" };
        assert!(told.starts_with("exit 3:") && told.contains(expected), "{case}: {told}");
    }
    let setup = Setup::new(
        Some(
            "[account]\nusername = 'you'\npassword_file = '~/pw'\n[sync]\ndirectory = '~/iCloud'\nstate_directory = '~/state'\n[log]\nfile = '~/log/x'",
        ),
        &[("HOME", "TMP")],
    );
    fs::write(setup.temp.path().join("pw"), "\u{feff}secret\r\n\n").expect("written");
    let loaded = setup.load().unwrap_or_else(|error| panic!("{error}"));
    let config = &loaded.config;
    assert_eq!(config.account.password.as_ref().map(|it| it.expose()), Some("secret"));
    assert_eq!(config.sync.directory, setup.temp.path().join("iCloud"));
    assert_eq!(config.sync.state_directory, setup.temp.path().join("state"));
    assert_eq!(config.log.file, Some(setup.temp.path().join("log/x")));
    let shown = setup.plain(&config::print_effective(&setup.sources, &loaded).expect("printed"));
    assert!(
        shown.contains("directory = \"TMP/iCloud\"") && shown.contains("password_file = \"TMP/pw\""),
        "{shown}"
    );
    assert!(Setup::new(Some("[sync]\ndirectory = '~/x'"), &[]).verdict().contains("HOME"));
    // What no shell expands.
    let mut setup = Setup::new(Some("[account]\nusername = 'you'"), &[("HOME", "TMP")]);
    setup.sources.file = Some("~/config.toml".into());
    assert_eq!(setup.verdict(), "accepted");
}

#[test]
fn a_blank_variable_is_as_if_unset_for_every_key() {
    for key in schema::KEYS {
        for blank in ["", " ", "\t", "\n"] {
            let file = "[account]\nusername = 'you'\n[sync]\nmode = 'upload-only'\nmax_workers = 7\nignore = ['a']\n[log]\nstate_dump = true";
            let told = |variables: &[(&str, &str)]| {
                let setup = Setup::new(Some(file), variables);
                let loaded = setup.load().unwrap_or_else(|error| panic!("{}: {error}", key.variable()));
                setup.plain(&config::print_effective(&setup.sources, &loaded).expect("printed"))
            };
            assert_eq!(told(&[(&key.variable(), blank)]), told(&[]), "{} = {blank:?}", key.variable());
        }
    }
    assert!(Setup::new(None, &[("ICLOUDDS_LOG__LEVELS__SIGNIN", "")]).verdict().contains("exit 5"));
}

#[test]
fn quotes_that_compose_leaves_are_refused_by_name() {
    for name in ["\"you@example.com\"", "'you@example.com'", " \"you\" "] {
        let told = Setup::new(None, &[("ICLOUDDS_ACCOUNT__USERNAME", name)]).verdict();
        assert!(
            told.starts_with("exit 3: ICLOUDDS_ACCOUNT__USERNAME: account.username")
                && told.contains("quotes"),
            "{told}"
        );
    }
    for name in ["o'neill@example.com", "\"you@example.com", "'"] {
        assert_eq!(Setup::new(None, &[("ICLOUDDS_ACCOUNT__USERNAME", name)]).verdict(), "accepted", "{name}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    let setup = Setup::new(Some("[account]\nusername = 'you'\npassword_file = 'TMP/pw'"), &[]);
    let password = setup.temp.path().join("pw");
    fs::write(&password, "secret").expect("written");
    let told = || setup.load().unwrap_or_else(|error| panic!("{error}")).warnings;
    mode(setup.temp.path(), 0o755);
    for (bits, count) in [(0o600, 0), (0o640, 0), (0o644, 1), (0o604, 1)] {
        mode(&password, bits);
        let told = told();
        assert_eq!(told.len(), count, "{bits:o}: {told:?}");
        assert!(
            told.iter()
                .all(|line| line.contains(password.to_str().expect("a path")) && line.contains("chmod 600"))
        );
    }
    // Nobody can reach it.
    mode(setup.temp.path(), 0o700);
    assert_eq!(told().len(), 0);
    let setup = Setup::new(Some("[account]\nusername = 'you'\npassword = 'secret'"), &[]);
    mode(setup.temp.path(), 0o755);
    mode(&setup.temp.path().join("config.toml"), 0o644);
    let told = setup.load().unwrap_or_else(|error| panic!("{error}")).warnings;
    assert!(told.len() == 1 && told[0].contains("config.toml"), "{told:?}");
}

#[test]
fn a_ca_file_without_a_certificate_is_refused_by_check_config_as_by_the_start() {
    let setup = Setup::new(Some("[account]\nusername = 'you'\n[tls]\nca_file = 'TMP/ca.pem'"), &[]);
    for text in ["", "hello", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"] {
        fs::write(setup.temp.path().join("ca.pem"), text).expect("written");
        let told = setup.verdict();
        assert!(
            told.starts_with("exit 3:") && told.contains("tls.ca_file") && told.contains("certificate"),
            "{told}"
        );
    }
}
