use super::*;
use crate::icloud::testing::*;
use serde_json::json;

/// Runs the dialogue with these answers and gives its outcome and what it said.
fn run(bench: &Bench, password: Option<&str>, answers: &str) -> (Result<(), SignInError>, String) {
    let service = bench.open();
    service.account().set_password(password.map(Secret::new));
    let mut output = Vec::new();
    let outcome =
        login(&service, &mut Dialogue { input: answers.as_bytes(), output: &mut output, hidden: None });
    (outcome, String::from_utf8(output).expect("text"))
}

fn two_factor() -> Bench {
    let bench = Bench::new();
    let phones = json!([{"id": 1, "numberWithDialCode": "+1 •••34"}]);
    let body = json!({"authType": "hsa2", "trustedPhoneNumbers": phones});
    bench
        .server
        .on(COMPLETE, [complete_reply(409).body(&body.to_string())])
        .on(DEVICE, [Reply::new(202)])
        .on(DEVICE_CODE_ROUTE, [Reply::new(204)])
        .on(PHONE, [Reply::new(200)])
        .on(PHONE_CODE_ROUTE, [Reply::new(204)])
        .on(TRUST, [Reply::new(204)]);
    bench
}

#[test]
fn a_password_and_a_device_code_sign_in() {
    let bench = two_factor();
    let (outcome, said) = run(&bench, None, "Tr0ub4dor&3-icloudds\n\n123456\n");
    outcome.expect("signed in");
    assert!(said.contains("0  to your trusted devices") && said.contains("1  by SMS to +1 •••34"), "{said}");
    assert!(said.ends_with("Signed in.\n"), "{said}");
    assert!(!said.contains("Tr0ub4dor"), "{said}");
    // The stored session is enough from now on.
    bench.server.take();
    let (outcome, said) = run(&bench, None, "");
    outcome.expect("still signed in");
    assert!(said.ends_with("Already signed in; trusted until 2080-01-01.\n"), "{said}");
    assert_eq!(bench.server.routes(), ["POST validate"]);
}

#[test]
fn a_wrong_code_is_told_and_asked_again_three_times_at_most() {
    let bench = two_factor();
    bench.server.on(DEVICE_CODE_ROUTE, [Reply::refusal(400, "-21669"), Reply::new(204)]);
    let (outcome, said) = run(&bench, Some(PASSWORD), "0\n111111\n123456\n");
    outcome.expect("signed in");
    assert!(said.contains("Wrong code: ") && said.contains("the newest one"), "{said}");
    let bench = two_factor();
    bench.server.on(DEVICE_CODE_ROUTE, [Reply::refusal(400, "-21669")]);
    let (outcome, _) = run(&bench, Some(PASSWORD), "0\n111111\n222222\n333333\n444444\n");
    assert_eq!(outcome.expect_err("three wrong codes").exit_code().code(), 11);
    let tried = bench.server.take().into_iter().filter(|seen| seen.route == DEVICE_CODE_ROUTE).count();
    assert_eq!(tried, 3);
}

#[test]
fn a_person_may_change_the_way_ask_again_or_type_a_code_at_once() {
    let bench = two_factor();
    let (outcome, said) = run(&bench, Some(PASSWORD), "0\n\nw\n9\n1\n123456\n");
    outcome.expect("signed in");
    assert!(
        said.contains("Sent to your trusted devices.") && said.contains("Sent by SMS to +1 •••34."),
        "{said}"
    );
    let routes = bench.server.routes();
    let count = |part: &str| routes.iter().filter(|route| route.starts_with(part)).count();
    assert_eq!(count("PUT verify/trusteddevice"), 2, "{routes:?}");
    assert_eq!((count("PUT verify/phone"), count("POST verify/phone/securitycode")), (1, 1));
    let bench = two_factor();
    run(&bench, Some(PASSWORD), "123456\n").0.expect("signed in");
    assert!(!bench.server.routes().iter().any(|route| route.starts_with("PUT")), "nothing was asked for");
}

#[test]
fn words_are_no_codes_and_letters_choose_a_phone() {
    let bench = two_factor();
    let (outcome, said) = run(&bench, Some(PASSWORD), "help\nsure\n12\ns\nwhat?\nv\n123 456\n");
    outcome.expect("signed in");
    assert!(said.contains("Apple calls +1 •••34."), "{said}");
    let seen = bench.server.take();
    let of = |route: &str| seen.iter().filter(|seen| seen.route == route).collect::<Vec<_>>();
    assert_eq!(of(DEVICE).len(), 0, "the devices were not asked");
    let modes: Vec<_> = of(PHONE).iter().map(|seen| seen.json()["mode"].clone()).collect();
    assert_eq!(modes, ["sms", "voice"]);
    assert_eq!(of(PHONE_CODE_ROUTE).len(), 1, "no word was sent as a code");
}

#[test]
fn when_devices_cannot_show_a_code_another_way_is_offered() {
    let bench = two_factor();
    bench.server.on(DEVICE, [Reply::new(412)]);
    let (outcome, said) = run(&bench, Some(PASSWORD), "0\n1\n123456\n");
    outcome.expect("signed in");
    assert!(said.contains("could not be sent"), "{said}");
}

#[test]
fn a_wrong_password_is_asked_again_once_and_never_sent_twice() {
    let bench = Bench::new();
    bench.server.on(COMPLETE, [Reply::refusal(401, "-20101"), complete_reply(200)]);
    run(&bench, None, "wrong\nright one\n").0.expect("signed in");
    let bench = Bench::new();
    bench.server.on(COMPLETE, [Reply::refusal(401, "-20101")]);
    let (outcome, _) = run(&bench, None, "wrong\nwrong\n");
    assert!(matches!(outcome, Err(SignInError::RejectedBefore)));
    let proofs =
        |bench: &Bench| bench.server.take().into_iter().filter(|seen| seen.route == COMPLETE).count();
    assert_eq!(proofs(&bench), 1);
    let (outcome, said) = run(&bench, Some("wrong"), "another-one-9\nthird-one-9\n");
    assert_eq!(outcome.expect_err("wrong too").exit_code().code(), 6);
    assert!(said.contains("was refused before"), "{said}");
    assert_eq!(proofs(&bench), 1);
}

#[test]
fn answers_that_end_are_an_error_and_a_hidden_reader_is_used() {
    let bench = two_factor();
    let (outcome, _) = run(&bench, None, "");
    assert_eq!(outcome.expect_err("no password").exit_code().code(), 8);
    let service = bench.open();
    service.account().set_password(None);
    let mut prompts = Vec::new();
    let mut hidden = |prompt: &str| {
        prompts.push(prompt.to_owned());
        Ok(PASSWORD.to_owned())
    };
    let mut output = Vec::new();
    let mut dialogue =
        Dialogue { input: &b"1\n123456\n"[..], output: &mut output, hidden: Some(&mut hidden) };
    login(&service, &mut dialogue).expect("signed in");
    assert_eq!(prompts, ["Password: "]);
}
