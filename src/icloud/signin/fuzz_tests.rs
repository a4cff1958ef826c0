//! Answers of the sign-in, damaged.

use std::sync::Arc;

use serde_json::Value;

use super::sign_in_wire::{
    InitAnswer, LoginAnswer, auth_state, code_valid, has_error, is_service_root, login_answer, problem,
    step_devices,
};
use crate::clock::SystemClock;
use crate::fuzz_tests::fuzz;
use crate::icloud::env::Env;
use crate::icloud::srp::Exchange;

const SETUP: &str = "https://setup.icloud.com/setup/ws/1";

#[test]
fn sign_in_answers() {
    let seeds = [
        &br#"{"authType":"hsa2","trustedPhoneNumbers":[{"id":1,"numberWithDialCode":"+1 (***) ***-**12","pushMode":"sms","nonFTEU":false}],
            "securityCode":{"tooManyCodesSent":false,"valid":true},"noTrustedDevices":true}"#[..],
        br#"{"serviceErrors":[{"code":"-20101","message":"Your Apple ID or password was incorrect.","title":"x"}],"hasError":true}"#,
        b"<html><script type=\"application/json\" class=\"boot_args\">{\"direct\":{\"twoSV\":{\"authenticationType\":\"hsa2\"}}}</script>",
        br#"{"devices":[{"deviceName":"iPhone","phoneNumber":"1","id":"x"}],"domainToUse":"icloud.com.cn"}"#,
        br#"{"success":false,"error":1,"errorReason":"no","termsUpdateNeeded":true,"isRepairNeeded":true}"#,
    ];
    fuzz("sign_in_answers", seeds, |bytes| {
        let found = problem(bytes);
        assert!(!found.message.chars().any(char::is_control) && found.message.chars().count() < 300);
        let state = auth_state(bytes);
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let judged = login_answer(&value, 1_795_000_000, false, SETUP);
        let told = match &judged {
            LoginAnswer::Ready(info) => {
                // The cookies go there.
                assert!(
                    is_service_root(&info.drivews, false, SETUP)
                        && is_service_root(&info.docws, false, SETUP)
                );
                "ready".to_owned()
            }
            LoginAnswer::WrongRegion { region, .. } => format!("{region:?}"),
            LoginAnswer::Unreadable(why) => (*why).to_owned(),
            LoginAnswer::Failed(_) => "failed".to_owned(),
            LoginAnswer::Unavailable(_) => "unavailable".to_owned(),
            other => format!("{other:?}"),
        };
        let (valid, devices) = (code_valid(&value), step_devices(&value).len().min(2));
        format!(
            "{told} {:?} {} {valid:?} {devices} {}",
            state.kind,
            state.phones.len().min(2),
            has_error(&value)
        )
    });
}

#[test]
fn sign_in_numbers() {
    let number = |byte: u8| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 256]);
    let seed = |b: String| {
        format!(r#"{{"iteration":100,"salt":"c2FsdA==","protocol":"s2k","b":"{b}","c":"d-1:PRN"}}"#)
    };
    fuzz("sign_in_numbers", [seed(number(7)), seed(number(255)), seed(String::new())], |bytes| {
        let Ok(init) = serde_json::from_slice::<InitAnswer>(bytes) else { return "none".to_owned() };
        let Ok(challenge) = init.challenge("signin/init") else { return "no numbers".to_owned() };
        // Up to the bound that there is, more of them only take longer.
        if (1000..=1_000_000).contains(&challenge.iteration) {
            return "many rounds".to_owned();
        }
        match Exchange::new(&Env::system(SystemClock::new(Arc::default()))).prove(
            "a@example.com",
            "password",
            &challenge,
        ) {
            Ok(_) => "proven".to_owned(),
            Err(error) => error.to_string().chars().filter(|c| !c.is_ascii_digit()).collect(),
        }
    });
}
