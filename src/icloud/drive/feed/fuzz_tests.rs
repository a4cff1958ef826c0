//! Answers of the change feed, damaged.

use std::io::Read;
use std::sync::Mutex;

use super::*;
use crate::fuzz_tests::fuzz;
use crate::icloud::fuzz_tests::answer;
use crate::icloud::http::{Call, Head};

/// Gives these answers in order, and after the last one of them that one for ever.
struct Says {
    answers: Vec<Answer>,
    asked: Mutex<usize>,
}

impl Api for Says {
    fn call(&self, _: &Request<'_>) -> Result<Answer, ServiceError> {
        panic!("the feed alone is asked");
    }

    fn open(&self, _: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        panic!("the feed alone is asked");
    }

    fn upload_token(&self) -> Option<String> {
        None
    }

    fn allows(&self, _: &str) -> bool {
        false
    }

    fn ask_feed(&self, _: &'static str, body: &[u8]) -> Result<Option<Answer>, ServiceError> {
        let question: serde_json::Value = serde_json::from_slice(body).expect("the question is JSON");
        assert!(question.is_object());
        let mut asked = self.asked.lock().expect("nobody panics with it");
        let at = (*asked).min(self.answers.len() - 1);
        *asked += 1;
        Ok(self.answers.get(at).cloned())
    }
}

/// Answers that follow each other, parted by a line of three dashes.
fn answers(bytes: &[u8]) -> Vec<Answer> {
    let (mut parts, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(5).position(|five| five == b"\n---\n").filter(|_| parts.len() < 16) {
        parts.push(answer(&rest[..at]));
        rest = &rest[at + 5..];
    }
    parts.push(answer(rest));
    parts
}

#[test]
fn change_feed() {
    let seeds = [
        &br#"200

{"zones":[{"zoneID":{"zoneName":"com.apple.CloudDocs","ownerRecordName":"_d"}}],"syncToken":"AQAAAAE=","moreComing":false}"#[..],
        b"200\n\n{\"zones\":[],\"syncToken\":17,\"moreComing\":\"true\"}\n---\n200\n\n{\"zones\":null,\"syncToken\":\"b\"}",
        b"400\n\n{\"uuid\":\"u\",\"serverErrorCode\":\"BAD_REQUEST\",\"reason\":\"Unknown sync token\"}\n---\n200\n\n{\"zones\":[{}],\"syncToken\":\"c\"}",
        b"503\nRetry-After: 120\n\n{\"serverErrorCode\":\"THROTTLED\",\"retryAfter\":5.5}",
        b"200\n\n{\"serverErrorCode\":\"PCS_REQUIRED\"}",
        b"421\n\n<html></html>",
    ];
    fuzz("change_feed", seeds, |bytes| {
        let told = |token| {
            let service = Says { answers: answers(bytes), asked: Mutex::new(0) };
            let look = ask(&service, token);
            let asked = service.asked.into_inner().expect("nobody panics with it");
            // A feed without an end is left; a question with a token may be asked once more without.
            assert!((1..=MOST_PAGES).contains(&asked), "{asked} questions");
            (look, asked)
        };
        let (fresh, _) = told(None);
        let (look, asked) = told(Some("a token"));
        if let Ok(look) = &fresh {
            // What changed before the first token is not told, so it counts as a change.
            assert!(look.started_over && look.moved && !look.token.is_empty(), "{look:?}");
        }
        match look {
            Ok(look) => {
                assert!(!look.token.is_empty() && look.token.len() <= LIMITS.max_body as usize);
                assert!(look.moved || !look.started_over, "{look:?}");
                format!("{asked} {} {} {}", look.moved, look.started_over, fresh.is_ok())
            }
            Err(FeedFault::Refused { why, retry_after }) => {
                assert!(why.len() < 200 && !why.chars().any(char::is_control), "{why:?}");
                format!("{asked} {why} {}", retry_after.is_some())
            }
            Err(fault) => format!("{asked} {fault:?}"),
        }
    });
}

#[test]
fn change_feed_of_a_zone() {
    let seeds = [
        &br#"200

{"zones":[{"zoneID":{"zoneName":"_defaultZone","ownerRecordName":"_d"},"syncToken":"AQAAAAE=","moreComing":false,"records":[{"recordName":"documentStructure/A-1","recordChangeTag":"3x","fields":{"parent":{"value":{"recordName":"directory/F"}},"encryptedBasename":{"value":"UmVwb3J0","type":"ENCRYPTED_BYTES"},"extension":{"value":"pdf"},"bounceNo":{"value":2}}},{"recordName":"documentContent/A-1","recordChangeTag":17},{"recordName":"directory/F","deleted":true}]}]}"#[..],
        br#"200

{"zones":[{"zoneID":{"zoneName":"other"},"serverErrorCode":"ZONE_NOT_FOUND"},{"zoneID":{"zoneName":"_defaultZone"},"syncToken":"b","moreComing":0.0,"records":[{"recordName":"directory/TRASH","parent":{"recordName":"directory/TRASH_ROOT"}},{"recordName":"alias/X","fields":{"restorePath":"x"}}]}]}"#,
        b"200\n\n{\"zones\":[{\"syncToken\":\"b\",\"moreComing\":1,\"records\":[{\"recordName\":\"documentContent/A\"}]}]}\n---\n200\n\n{\"zones\":[{\"syncToken\":\"c\",\"records\":null}]}",
        b"200\n\n{\"zones\":[{\"serverErrorCode\":\"BAD_REQUEST\",\"reason\":\"Unknown sync continuation type\"}]}",
        b"503\nRetry-After: 120\n\n{\"serverErrorCode\":\"THROTTLED\",\"retryAfter\":5.5}",
        b"403\n\n{\"serverErrorCode\":\"ACCESS_DENIED_BY_ZONE\"}",
    ];
    fuzz("change_feed_of_a_zone", seeds, |bytes| {
        let told = |token: Option<&str>| {
            let service = Says { answers: answers(bytes), asked: Mutex::new(0) };
            let zone = FeedZone { name: "_defaultZone".to_owned(), owner: None };
            let question = ZoneQuestion { zone, token: token.map(str::to_owned), pages: 3 };
            let look = ask_zone(&service, &question);
            let asked = service.asked.into_inner().expect("nobody panics with it");
            assert!((1..=3).contains(&asked), "{asked} questions");
            (look, asked)
        };
        // Of all that a zone holds nothing is kept.
        assert!(told(None).0.is_ok_and(|look| look.records.is_none()) || told(None).0.is_err());
        match told(Some("a token")) {
            (Ok(look), asked) => {
                assert!(!look.token.is_empty() && look.token.len() <= LIMITS.max_body as usize);
                assert!(look.is_whole || look.records.is_none(), "{look:?}");
                for record in look.records.iter().flatten() {
                    assert!(!record.doc.is_empty() && record.doc.len() <= bytes.len());
                    assert!(
                        record.name.as_ref().is_none_or(|name| !name.is_empty() && name.len() <= bytes.len())
                    );
                }
                let count = look.records.as_ref().map(Vec::len);
                assert!(count.is_none_or(|count| count <= 500));
                format!("{asked} {} {count:?}", look.is_whole)
            }
            (Err(FeedFault::Refused { why, retry_after }), asked) => {
                assert!(why.len() < 200 && !why.chars().any(char::is_control), "{why:?}");
                format!("{asked} {why} {}", retry_after.is_some())
            }
            (Err(fault), asked) => format!("{asked} {fault:?}"),
        }
    });
}
