//! The second factor (docs/protocol.md §4).

use icloudds_simulator::account::StateForm;
use icloudds_simulator::switches::{Push, Retrust, TwoFactor};
use serde_json::json;

use crate::client::{Answer, Client, PASSWORD, simulator};

const DEVICE: &str = "/verify/trusteddevice/securitycode";

fn message(client: &mut Client, phone: u64) -> Answer {
    client.auth("PUT", "/verify/phone", Some(&json!({"phoneNumber": {"id": phone}, "mode": "sms"})))
}

fn submit_message(client: &mut Client, phone: u64, code: &str) -> Answer {
    client.auth(
        "POST",
        "/verify/phone/securitycode",
        Some(&if phone == 1 {
            json!({"securityCode": {"code": code}, "phoneNumber": {"id": 1, "nonFTEU": false}, "mode": "sms"})
        } else {
            json!({"securityCode": {"code": code}, "phoneNumber": {"id": phone}, "mode": "sms"})
        }),
    )
}

#[test]
fn a_new_code_voids_the_old_and_wrong_ones_lock() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    assert!(sim.device_code().is_none(), "nothing is shown unasked");
    client.auth("PUT", DEVICE, None);
    let old = sim.device_code().unwrap();
    client.auth("PUT", DEVICE, None);
    let new = sim.device_code().unwrap();
    assert_ne!(old, new);
    let wrong = client.submit_code(&old);
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "-21669"));
    for _ in 0..4 {
        client.submit_code("000000");
    }
    let locked = client.submit_code(&new);
    assert_eq!(locked.status, 423);
    assert_eq!(locked.json()["securityCode"]["securityCodeLocked"], true);
    assert_eq!(client.auth("PUT", DEVICE, None).status, 423);
}

#[test]
fn too_many_codes_are_not_sent() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    let statuses: Vec<u16> = (0..6).map(|_| client.auth("PUT", DEVICE, None).status).collect();
    assert_eq!(statuses, [202, 202, 202, 202, 202, 423]);
}

#[test]
fn every_answer_to_a_right_code() {
    for (switch, submitted, token, trusted) in [
        (TwoFactor::Status204, 204, true, 204),
        (TwoFactor::Status409Token, 409, true, 204),
        (TwoFactor::Status409TrustWorks, 409, false, 204),
        (TwoFactor::Status409TrustFails, 409, false, 403),
    ] {
        let sim = simulator(|config| config.switches.two_factor = switch);
        let mut client = Client::new(&sim);
        client.sign_in(PASSWORD);
        assert_eq!(client.trust().status, 403, "before the code");
        client.auth("PUT", DEVICE, None);
        let answer = client.submit_code(&sim.device_code().unwrap());
        assert_eq!(answer.status, submitted, "{switch:?}");
        assert_eq!(answer.header("X-Apple-Session-Token").is_some(), token);
        if submitted == 409 {
            assert_eq!(answer.json()["securityCode"]["valid"], true);
        }
        assert_eq!(client.trust().status, trusted, "{switch:?}");
        let login = client.account_login();
        assert_eq!(login.json()["hsaTrustedBrowser"], trusted == 204, "{switch:?}");
        assert_eq!(client.list().status == 400, trusted != 204, "a partial session");
    }
}

#[test]
fn a_code_is_good_once() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    client.auth("PUT", DEVICE, None);
    let code = sim.device_code().unwrap();
    assert_eq!(client.submit_code(&code).status, 204);
    assert_eq!(client.submit_code(&code).status, 400);
}

#[test]
fn messages_go_to_the_chosen_number_and_back_to_its_own_call() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    let asked = message(&mut client, 2);
    assert_eq!(asked.status, 200);
    assert_eq!(asked.json()["trustedPhoneNumbers"][1]["id"], 2);
    let sent = sim.messages().pop().unwrap();
    assert_eq!(sent.phone, 2);
    assert_eq!(client.submit_code(&sent.code).code(), "-21669", "the devices' call");
    assert_eq!(submit_message(&mut client, 1, &sent.code).code(), "-21669");
    assert_eq!(submit_message(&mut client, 2, &sent.code).status, 204);
    assert_eq!(message(&mut client, 7).status, 400);

    sim.account(|account| account.sms_works = false);
    assert_eq!(message(&mut client, 1).status, 423);
}

#[test]
fn a_push_may_never_arrive_and_devices_may_be_missing() {
    let sim = simulator(|config| config.switches.push = Push::NeverArrives);
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    assert_eq!(client.auth("PUT", DEVICE, None).status, 202);
    assert!(sim.device_code().is_none());
    sim.account(|account| account.trusted_devices = false);
    assert_eq!(client.auth("PUT", DEVICE, None).status, 412);
    assert_eq!(client.auth("GET", "", None).json()["noTrustedDevices"], true);
}

#[test]
fn the_state_has_four_forms() {
    for form in [StateForm::Top, StateForm::Nested, StateForm::Html, StateForm::Bridge] {
        let sim = simulator(|config| config.account.state_form = form);
        let mut client = Client::new(&sim);
        let conflict = client.sign_in(PASSWORD).json();
        let state = client.auth("GET", "", None);
        assert_eq!(state.status, 200);
        let text = String::from_utf8(state.body.clone()).unwrap();
        assert!(text.contains("trustedPhoneNumbers"));
        let at_top = conflict.get("trustedPhoneNumbers").is_some();
        assert_eq!(at_top, form == StateForm::Top);
        match form {
            StateForm::Top => assert_eq!(state.json()["securityCode"]["length"], 6),
            StateForm::Nested => {
                assert!(state.json()["phoneNumberVerification"]["trustedPhoneNumbers"].is_array());
            }
            StateForm::Html => assert!(text.contains("boot_args")),
            StateForm::Bridge => assert!(text.contains("bridgeInitiateData")),
        }
    }
}

#[test]
fn looking_at_the_state_may_show_a_code_on_old_devices() {
    let sim = simulator(|config| config.account.code_on_state = true);
    let mut client = Client::new(&sim);
    client.sign_in(PASSWORD);
    client.auth("GET", "", None);
    let code = sim.device_code().unwrap();
    assert_eq!(client.submit_code(&code).status, 204);
}

#[test]
fn an_expired_half_open_sign_in_is_401() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    assert_eq!(client.auth("GET", "", None).status, 401, "no sign-in");
    client.sign_in(PASSWORD);
    sim.expire(icloudds_simulator::control::Expire::Signin);
    assert_eq!(client.submit_code("123456").status, 401);
}

#[test]
fn trust_again_gives_a_fresh_token_or_is_refused() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let first = client.carried["X-Apple-TwoSV-Trust-Token"].clone();
    assert_eq!(client.trust().status, 204);
    assert_ne!(client.carried["X-Apple-TwoSV-Trust-Token"], first);
    sim.switches(|switches| switches.retrust = Retrust::Status4xx);
    assert_eq!(client.trust().status, 403);
}
