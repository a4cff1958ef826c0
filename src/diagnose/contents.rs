//! Look-ups of ids that are not alive, and how a content comes. Only reads; what is fetched is one small file, compared with its signature and
//! forgotten.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::json;

use super::ask::{Asker, Said};
use super::report::Line;
use super::walk::Walk;
use crate::chance::{SystemChance, uuid};
use crate::clock::SystemClock;
use crate::disk::Hasher;
use crate::engine::ports::{Offer, Remote as _, RemoteError, Sink};
use crate::icloud::drive::{DriveOptions, ICloudDrive};
use crate::icloud::http::{Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::survey::{self, LookedUp, SMALL};
use crate::model::{ItemId, Zone};

/// What look-ups answer for an id that never was, and for one in the trash.
pub fn look_up_lines(asker: &Asker, walk: &Walk) -> Vec<Line> {
    let unknown = ItemId::new(Zone::CloudDocs, &uuid(&SystemChance).to_uppercase());
    let mut lines = Vec::new();
    let (says, found) = look_up(asker, &unknown, false);
    let line = Line::new("unknown_id", says.clone(), says);
    lines.push(match found {
        Some(LookedUp::Alive | LookedUp::Trashed) => {
            line.answers(4, "an id that never was is answered as if it were there")
        }
        Some(LookedUp::LeftOut) => line.answers(4, "an id that never was is left out of the answer"),
        Some(LookedUp::Deleted) => line.answers(4, "an id that never was is marked as deleted"),
        Some(LookedUp::Word(word)) => {
            line.answers(4, format!("an id that never was is answered with {word}"))
        }
        None => line,
    });
    let path = format!("/ws/{}/list/lookup_by_id", Zone::CloudDocs.as_str());
    let request = Request {
        root: Root::Docws,
        method: Method::Get,
        path: &path,
        query: &[("document_id", &unknown.doc()), ("unified_format", "false")],
        body: &[],
        limits: Limits::JSON,
        kind: "lookup_by_id",
        changes: false,
    };
    let words = asker.ask("look_up_of_a_document", &request, None).words();
    lines.push(Line::new("unknown_document", words.clone(), words));
    if let Some((id, folder)) = walk.trash.held.as_ref().and_then(|held| held.any.clone()) {
        let (says, found) = look_up(asker, &id, folder);
        let line = Line::new("trashed_id", says.clone(), says.clone());
        lines.push(match found {
            Some(LookedUp::Trashed) => {
                line.answers(4, "an id in the trash is answered with the trash as its place")
            }
            Some(_) => line.answers(4, format!("an id in the trash: {says}")),
            None => line,
        });
    }
    lines
}

fn look_up(asker: &Asker, id: &ItemId, folder: bool) -> (String, Option<LookedUp>) {
    let body = survey::details_of(&[(id.clone(), folder)]);
    let request = Request {
        root: Root::Drivews,
        method: Method::Post,
        path: "/retrieveItemDetails",
        query: &[],
        body: body.as_bytes(),
        limits: Limits::JSON,
        kind: "retrieveItemDetails",
        changes: false,
    };
    let said = asker.ask("look_up", &request, None);
    match &said {
        Said::Good(answer) => {
            let found = survey::looked_up(&answer.body, id);
            let says = match &found {
                LookedUp::Alive => "there".to_owned(),
                LookedUp::Trashed => "in the trash".to_owned(),
                LookedUp::Deleted => "marked as deleted".to_owned(),
                LookedUp::Word(word) => word.clone(),
                LookedUp::LeftOut => "left out".to_owned(),
            };
            (says, Some(found))
        }
        Said::Refused(status, word) => {
            let told =
                word.clone().map_or_else(|| format!("HTTP {status}"), |word| format!("HTTP {status} {word}"));
            (said.words(), Some(LookedUp::Word(told)))
        }
        _ => (said.words(), None),
    }
}

/// How contents come: of a file without bytes, and of a small one.
pub fn content_lines(asker: &Arc<Asker>, clock: &SystemClock, walk: &Walk) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(id) = &walk.sum.empty {
        lines.push(zero_line("zero_bytes", &address(asker, id), id));
    }
    let Some((id, size)) = walk.sum.smallest.clone().filter(|(_, size)| *size <= SMALL) else { return lines };
    let said = address(asker, &id);
    let offer = match &said {
        Said::Good(answer) => survey::offer_in(&answer.body, &id),
        _ => None,
    };
    lines.push(Line::new("address", offer.is_some(), said.words()));
    if let Some(offer) = offer {
        lines.extend(life_line(&offer, jiff::Timestamp::now().as_second()));
        lines.extend(fetch_lines(asker, clock, &offer, size));
    }
    lines
}

/// What a request for the address of a content without bytes was answered with.
pub fn zero_line(key: &'static str, said: &Said, id: &ItemId) -> Line {
    let line = Line::new(key, said.words(), format!("a download of none is {}", said.words()));
    match said {
        Said::Good(answer) if survey::offer_in(&answer.body, id).is_some() => {
            line.answers(14, "a file of no bytes has an address as others have")
        }
        Said::Good(_) => line.answers(14, "a file of no bytes is answered without an address"),
        Said::Refused(status, _) => {
            line.answers(14, format!("a file of no bytes has no address (HTTP {status})"))
        }
        _ => line,
    }
}

/// Asks where a content can be fetched.
pub fn address(asker: &Asker, id: &ItemId) -> Said {
    let path = format!("/ws/{}/download/by_id", id.zone().as_str());
    let request = Request {
        root: Root::Docws,
        method: Method::Get,
        path: &path,
        query: &[("document_id", &id.doc())],
        body: &[],
        limits: Limits::JSON,
        kind: "download/by_id",
        changes: false,
    };
    asker.ask("download_address", &request, None)
}

/// How long the address says that it lives, at `now` in seconds since 1970.
fn life_line(offer: &Offer, now: i64) -> Option<Line> {
    let url = url::Url::parse(&offer.url).ok()?;
    let end: Option<i64> =
        url.query_pairs().find(|(name, _)| name == "e").and_then(|(_, end)| end.parse().ok());
    Some(match end {
        Some(end) => {
            let minutes = end.saturating_sub(now).saturating_add(30).div_euclid(60);
            Line::new(
                "address_life",
                json!({"minutes": minutes}),
                format!("it names its end, in {minutes} minutes"),
            )
            .answers(15, format!("an address lives {minutes} minutes and says so"))
        }
        None => Line::new("address_life", json!(null), "it does not name its end")
            .answers(15, "an address does not say how long it lives"),
    })
}

/// Takes content in memory, no more than a small file of it.
#[derive(Default)]
struct Bytes {
    taken: Vec<u8>,
    restarted: bool,
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.taken.len() as u64 > SMALL {
            return Err(io::Error::other("more came than was announced"));
        }
        self.taken.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Bytes {
    fn restart(&mut self) -> io::Result<()> {
        self.taken.clear();
        self.restarted = true;
        Ok(())
    }
}

fn fetch_lines(asker: &Arc<Asker>, clock: &SystemClock, offer: &Offer, size: u64) -> Vec<Line> {
    let options = DriveOptions { max_workers: 1, ..DriveOptions::default() };
    let remote = ICloudDrive::new(Arc::clone(asker) as _, options, Arc::new(clock.clone()));
    let mut whole = Bytes::default();
    let known = (!offer.package).then_some(size);
    if let Err(error) = remote.fetch(offer, known, 0, &mut whole) {
        let says = fetch_problem(&error);
        return vec![Line::new("content", says, says)];
    }
    let mut lines = vec![Line::new("content", "fetched", "fetched")];
    if offer.package {
        return lines;
    }
    lines.push(signature_line(offer, &whole.taken));
    if size > 1 {
        let mut rest = Bytes::default();
        let fetched = remote.fetch(offer, known, 1, &mut rest);
        lines.push(match fetched {
            Ok(fetched) if fetched.from == 1 && rest.taken == whole.taken[1..] => {
                Line::new("range", true, "a part is served").answers(15, "a part of a content can be fetched")
            }
            Ok(fetched) if fetched.from == 0 || rest.restarted => {
                Line::new("range", false, "the whole is served")
                    .answers(15, "a wish for a part is ignored: the whole content comes")
            }
            Ok(_) => Line::new("range", false, "another part is served")
                .answers(15, "a part of a content comes from another place"),
            Err(error) => {
                let says = fetch_problem(&error);
                Line::new("range", json!(null), says).answers(15, format!("a wish for a part: {says}"))
            }
        });
    }
    lines
}

fn signature_line(offer: &Offer, content: &[u8]) -> Line {
    let mut hasher = Hasher::default();
    hasher.update(content);
    let computed = hasher.finish();
    let (value, says, follows) = match (&offer.signature, offer.signature_text.is_empty()) {
        (Some(told), _) if *told == computed => {
            ("formula", "as computed", "the formula holds for this content")
        }
        (Some(_), _) => {
            ("other", "another one than computed", "the formula does not hold here: signatures prove nothing")
        }
        (None, true) => ("absent", "none", "contents come without a signature"),
        (None, false) => {
            ("other-form", "of another form", "signatures have another form here: they prove nothing")
        }
    };
    Line::new("signature", value, says).answers(13, follows)
}

/// Without the words of the service, which may name an address.
fn fetch_problem(error: &RemoteError) -> &'static str {
    match error {
        RemoteError::Stopped => "not fetched: the program ends, or as many requests were made as may be",
        RemoteError::Damaged(_) => "fewer or other bytes came than were announced",
        RemoteError::Refused(_) | RemoteError::Gone | RemoteError::Stale => "refused",
        RemoteError::Busy { .. } => "the content host is busy",
        RemoteError::Unreachable(_) => "the content host cannot be reached",
        _ => "not fetched",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Etag, Signature};

    fn offer(url: &str, signature: Option<Signature>, text: &str) -> Offer {
        Offer {
            id: ItemId::drive_root(),
            etag: Etag::default(),
            signature,
            signature_text: text.to_owned(),
            package: false,
            url: url.to_owned(),
        }
    }

    #[test]
    fn the_life_of_an_address_is_read_and_the_address_is_not_told() {
        let line =
            life_line(&offer("https://cvws.icloud-content.com/B/secret?x=1&e=1003600", None, ""), 1_000_000);
        let line = line.expect("a line");
        assert_eq!(line.value, json!({"minutes": 60}));
        assert!(!format!("{line:?}").contains("secret"));
        let silent = life_line(&offer("https://cvws.icloud-content.com/B/x", None, ""), 0).expect("a line");
        assert_eq!(silent.value, json!(null));
    }

    #[test]
    fn a_signature_is_compared_with_the_formula() {
        let mut hasher = Hasher::default();
        hasher.update(b"hello");
        let right = hasher.finish();
        for (signature, text, expected) in [
            (Some(right), "AQ==", "formula"),
            (Some(Signature([7; 20])), "AQ==", "other"),
            (None, "", "absent"),
            (None, "BQ==", "other-form"),
        ] {
            assert_eq!(signature_line(&offer("", signature, text), b"hello").value, expected);
        }
    }

    #[test]
    fn a_file_of_no_bytes_is_told_by_its_answer() {
        let id = ItemId::drive_root();
        for (said, expected) in [
            (Said::Refused(400, None), "a file of no bytes has no address (HTTP 400)"),
            (Said::Refused(404, Some("X_Y".to_owned())), "a file of no bytes has no address (HTTP 404)"),
        ] {
            assert_eq!(zero_line("zero_bytes", &said, &id).answers, [(14, expected.to_owned())]);
        }
    }
}
