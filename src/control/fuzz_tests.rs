//! What comes over the control socket, damaged.

use super::message::{ControlReply, ControlRequest, Held, limit_of};
use crate::fuzz_tests::fuzz;
use crate::status::draw::{Look, draw};
use crate::status::text::{Source, render};

#[test]
fn control_line() {
    let seeds = [
        r#"{"do":"status"}"#,
        r#"{"do":"health","ready":true}"#,
        r#"{"do":"why","path":"a/b"}"#,
        r#"{"do":"plan","json":true}"#,
        r#"{"do":"held","skip":18446744073709551615}"#,
        r#"{"do":"approve","reject":true,"list":"0123456789abcdef"}"#,
        r#"{"do":"code","code":"123456"}"#,
        r#"{"do":"code-send","how":{"by":"sms","number":2}}"#,
        r#"{"do":"restore","path":"a","version":"v"}"#,
        r#"{"do":"sync-now"}"#,
    ];
    fuzz("control_line", seeds, |bytes| {
        let Ok(request) = serde_json::from_slice::<ControlRequest>(bytes) else { return "none".to_owned() };
        assert!(!limit_of(&request).is_zero());
        let line = serde_json::to_string(&request).expect("a request has a JSON form");
        assert!(!line.contains('\n'), "it is one line");
        assert_eq!(
            serde_json::from_str::<ControlRequest>(&line).expect("what was sent can be read"),
            request
        );
        format!("{:?}", std::mem::discriminant(&request))
    });
}

#[test]
fn control_reply() {
    let seeds = [
        r#"{"answer":"done","said":"x"}"#,
        r#"{"answer":"refused","refusal":{"exit":70,"message":"m","advice":"a"}}"#,
        r#"{"answer":"text","text":"a\nb"}"#,
        r#"{"answer":"held","held":{"count":1,"deletions":[{"on":"Local","id":"z::d","path":"p","at":5,"version":""}],"list":"l"}}"#,
        r#"{"answer":"ways","ways":{"device":true,"numbers":["a"],"voice":[1],"two_step":false}}"#,
        r#"{"answer":"trash","trash":{"count":1,"versions":[{"path":"p","version":"v","at":"2026-11-22T10:00:00Z","size":5}]}}"#,
    ];
    fuzz("control_reply", seeds, |bytes| {
        let Ok(reply) = serde_json::from_slice::<ControlReply>(bytes) else { return "none".to_owned() };
        let line = serde_json::to_string(&reply).expect("a reply has a JSON form");
        assert!(!line.contains('\n'), "it is one line");
        let back = serde_json::from_str::<ControlReply>(&line).expect("what was sent can be read");
        assert_eq!(serde_json::to_string(&back).expect("a reply has a JSON form"), line);
        if let ControlReply::Status { status } = &reply {
            for now in [0, 1_795_000_000, i64::MAX, i64::MIN] {
                let text = render(status, Source::Stored { at: 5 }, now);
                assert!(text.lines().all(|line| !line.chars().any(char::is_control)), "{text:?}");
                draw(&text, Look { columns: 60, colours: true });
            }
        }
        if let ControlReply::Held { held } = &reply {
            assert!(held.deletions.len() <= bytes.len() && Held::NAMED > 0);
        }
        format!("{:?}", std::mem::discriminant(&reply))
    });
}
