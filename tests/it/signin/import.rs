//! A session from elsewhere: every form, what is refused, and that ours moves.

use std::path::PathBuf;

use icloudds::icloud::service::Service;
use icloudds::icloud::signin::error::SignInError;
use icloudds::icloud::signin::foreign::{self, Foreign};
use icloudds_simulator::control::Expire;
use serde_json::Value;

use super::{World, list, unattended};

/// The program on another machine, with the same account and no password.
fn elsewhere(world: &World, folder: &tempfile::TempDir) -> Service {
    let state_directory: PathBuf = folder.path().join("state");
    let options = icloudds::icloud::options::IcloudOptions { state_directory, ..world.options() };
    Service::open(options, world.env(0)).expect("opened")
}

/// The session of a signed-in program, in the forms that it can come in.
fn forms(service: &Service) -> Vec<(&'static str, String)> {
    let export = String::from_utf8(service.account().export_session().expect("signed in")).expect("text");
    let value: Value = serde_json::from_str(&export).expect("JSON");
    let cookies = value["cookies"].as_array().expect("cookies");
    let text = |cookie: &Value, name: &str| cookie[name].as_str().expect("a text").to_owned();
    let lines: String = cookies
        .iter()
        .map(|cookie| {
            let expires = cookie["expires"].as_i64().unwrap_or(0);
            format!(
                ".icloud.com\tTRUE\t/\tTRUE\t{expires}\t{}\t{}\n",
                text(cookie, "name"),
                text(cookie, "value")
            )
        })
        .collect();
    let pairs: Vec<String> =
        cookies.iter().map(|cookie| format!("{}={}", text(cookie, "name"), text(cookie, "value"))).collect();
    let pairs = pairs.join("; ");
    vec![
        ("our export", export),
        ("cookie file", format!("# Netscape HTTP Cookie File\n{lines}")),
        ("cURL", format!("curl 'https://p31-drivews.icloud.com/x' \\\n -H 'cookie: {pairs}'")),
    ]
}

fn read(text: &str) -> Foreign {
    foreign::read(text).expect("readable")
}

#[test]
fn a_session_moves_to_another_machine_in_every_form_without_password_or_code() {
    let world = World::new(|_| {});
    let service = world.signed_in();
    for (name, text) in forms(&service) {
        let before = world.sim.count("signin.complete");
        let folder = tempfile::tempdir().expect("temporary folder");
        let other = elsewhere(&world, &folder);
        other.account().import_session(read(&text), None).expect(name);
        list(&other).expect(name);
        list(&elsewhere(&world, &folder)).expect("also after a restart");
        assert_eq!(world.sim.count("signin.complete"), before, "{name}");
        // The first machine goes on, too.
        list(&service).expect("through");
    }
    world.check();
}

#[test]
fn another_account_s_session_an_expired_one_and_half_a_one_are_refused_and_the_old_one_stays() {
    let world = World::new(|_| {});
    let service = world.signed_in();
    let (_, export) = forms(&service).remove(0);
    let error =
        service.account().import_session(read(&export), Some("99999999")).expect_err("another account's");
    assert!(error.to_string().contains("another account"), "{error}");
    assert_eq!(error.exit_code().code(), 6);
    list(&service).expect("the old session stays");
    let without =
        foreign::read(".icloud.com\tTRUE\t/\tTRUE\t0\tX-APPLE-WEBAUTH-USER\tx\n").expect("readable");
    let error = service.account().import_session(without, None).expect_err("half a session");
    assert!(error.to_string().contains("X-APPLE-WEBAUTH-TOKEN"), "{error}");
    list(&service).expect("the old session stays");
    world.sim.expire(Expire::Session);
    let folder = tempfile::tempdir().expect("temporary folder");
    let other = elsewhere(&world, &folder);
    let error = other.account().import_session(read(&export), None).expect_err("expired");
    assert!(matches!(error, SignInError::Import { .. }), "{error:?}");
    assert!(unattended(&other).expect_err("nothing was stored").needs_password());
    world.check();
}

#[test]
fn the_way_in_for_an_account_with_security_keys() {
    let world = World::new(|_| {});
    let service = world.signed_in();
    let (_, export) = forms(&service).remove(1);
    world.sim.account(|account| account.security_keys = vec!["Key".to_owned()]);
    let folder = tempfile::tempdir().expect("temporary folder");
    let other = elsewhere(&world, &folder);
    other.account().set_password(Some(icloudds::secret::Secret::new(world.password.as_str())));
    let error = unattended(&other).expect_err("a key is wanted");
    assert!(error.advice().contains("--import-session"), "{}", error.advice());
    other.account().import_session(read(&export), None).expect("taken");
    list(&other).expect("through");
    world.check();
}
