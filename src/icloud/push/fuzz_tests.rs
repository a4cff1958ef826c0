//! What the push channel answers, damaged.

use super::*;
use crate::fuzz_tests::fuzz;
use crate::icloud::fuzz_tests::answer;

#[test]
fn push_token() {
    let seeds = [
        r#"{"pushToken":"ab12","pushTokenTTL":43200,"webCourierURL":"https://webcourier.push.apple.com/aps","authTokenTTL":1}"#,
        r#"{"pushToken":"ab12","pushTokenTTL":"3600.5","webCourierURL":" https://webcourier.push.apple.com:443/aps?a=b#c"}"#,
        r#"{"pushToken":"a b&c=d","pushTokenTTL":1e300,"webCourierURL":"HTTPS://webcourier.push.apple.com@evil.example/aps"}"#,
        r#"{"pushToken":"","pushTokenTTL":-5,"webCourierURL":"http://webcourier.push.apple.com/aps"}"#,
    ];
    fuzz("push_token", seeds, |bytes| {
        let is_allowed = |url: &str| url.starts_with("https://webcourier.push.apple.com/");
        match channel(bytes, is_allowed) {
            Ok(channel) => {
                assert!(is_allowed(channel.courier.as_str()));
                assert!((30..=21_600).contains(&channel.life().as_secs()), "{:?}", channel.life());
                let token = channel.token.expose();
                assert!((1..=LONGEST_TEXT).contains(&token.len()));
                // The token is sent to nobody but the courier, and as one parameter.
                let mut url = channel.courier.clone();
                url.query_pairs_mut().append_pair("tok", token);
                assert_eq!(url.host_str(), channel.courier.host_str());
                assert_eq!(url.query_pairs().last().map(|(_, value)| value == token), Some(true));
                format!(
                    "{} {}",
                    channel.ttl == Duration::from_secs(TTL_SECS),
                    url.query_pairs().count().min(3)
                )
            }
            Err(PushError::Expired) => panic!("no token has run out yet"),
            Err(error) => {
                assert!(error.to_string().len() < 200);
                error.to_string()
            }
        }
    });
}

#[test]
fn push_answers() {
    let seeds = [
        &b"200\n\n"[..],
        b"200\n\n{\"aps\":{\"content-available\":1},\"ck\":{\"ce\":2}}",
        b"200\n\n[{\"ck\":{}}]",
        b"204\n\nnull",
        b"401\n\n",
        b"410\n\n",
        b"403\n\n{\"reason\":\"x\"}",
        b"503\nRetry-After: 18446744073709551615\n\n",
        b"503\nRetry-After: Tue, 01 Dec 2026 00:01:00 GMT\nDate: Tue, 01 Dec 2026 00:00:00 GMT\n\n",
    ];
    fuzz("push_answers", seeds, |bytes| {
        let answer = answer(bytes);
        let judged = judged(&answer, "aps");
        assert_eq!(judged.is_ok(), answer.is_success());
        let heard = heard(&answer.body);
        if let Ok(Heard::News) = heard {
            assert!(matches!(serde_json::from_slice(&answer.body), Ok(Value::Object(_) | Value::Array(_))));
        }
        let asked = match &judged {
            Err(PushError::Failed { asked, .. }) => asked.is_some(),
            _ => false,
        };
        let told = judged.as_ref().err().map(ToString::to_string);
        assert!(told.as_ref().is_none_or(|told| told.len() < 200));
        format!("{:?} {heard:?} {asked}", judged.map_err(|error| std::mem::discriminant(&error)))
    });
}
