//! Sending content ahead and making it a file (`docs/protocol.md` §12).

use std::io::{self, Read};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{CallKind, Failure, http_error};
use super::rate::Rate;
use super::{ICloudDrive, zone_in_path};
use crate::engine::ports::{Clock, Commit, LookUp, RemoteError, RemoteItem, Staged};
use crate::icloud::classify::{Class, Classified, classify, classify_result};
use crate::icloud::http::{Call, Limits, Method, Payload};
use crate::icloud::request::{Request, Root};
use crate::icloud::service::UPLOAD_TOKEN;
use crate::icloud::wire::part;
use crate::icloud::wire_docs::{Document, Slot, Stored, signature};
use crate::icloud::wire_send;
use crate::model::Zone;

/// A content up to this size is kept in memory, so that it can be sent again.
const REPEATABLE: u64 = 256 << 10;
/// Attempts with a new slot each.
const SLOT_ATTEMPTS: u32 = 3;
/// Older staged content is not committed (open question 16).
const OLDEST_SLOT_SECS: u64 = 3600;
/// How long a folder that was just made may need before it can hold a file (§12.6).
const PARENT_WAIT: Duration = Duration::from_secs(2);

impl ICloudDrive {
    pub(super) fn stage_content(
        &self,
        zone: &Zone,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Staged, RemoteError> {
        if size > REPEATABLE {
            let (slot, url) = self.slot(zone, name, size)?;
            let mut source = Exact { inner: body, left: size };
            return match self.send(&url, name, size, &mut source)? {
                Ok(stored) => self.staged(zone, &slot, size, &stored),
                // The content was read and cannot be read again: the caller brings it anew.
                Err((classified, wait)) => Err(match classified.class {
                    Class::Quota => RemoteError::Quota(classified.words),
                    _ => RemoteError::Busy { message: classified.words, retry_after: wait },
                }),
            };
        }
        let mut content = Vec::new();
        Exact { inner: body, left: size }.read_to_end(&mut content).map_err(|error| unread(&error))?;
        let budget = &self.client.contents;
        let mut backoff = budget.backoff(&*self.client.clock);
        loop {
            let (slot, url) = self.slot(zone, name, size)?;
            let (classified, wait) = match self.send(&url, name, size, &mut content.as_slice())? {
                Ok(stored) => {
                    self.client.reach.answered();
                    budget.renew();
                    return self.staged(zone, &slot, size, &stored);
                }
                Err(refusal) => refusal,
            };
            if matches!(classified.class, Class::Failing | Class::Throttled) {
                self.client.reach.failed(self.client.clock.uptime(), &classified.words, wait)?;
            }
            let lasting = matches!(classified.class, Class::Quota);
            let again = match classified.class {
                Class::Failing | Class::Throttled => true,
                _ => backoff.attempts() + 1 < SLOT_ATTEMPTS,
            };
            if lasting || !again || !budget.wait(&mut backoff, &*self.client.clock, wait)? {
                return Err(classified.into_error(false, wait));
            }
        }
    }

    /// Step 1: a place to send `size` bytes to.
    fn slot(&self, zone: &Zone, name: &str, size: u64) -> Result<(String, String), RemoteError> {
        let path = format!("/ws/{}/upload/web", zone_in_path(zone));
        let body = wire_send::slot(name, &content_type(name), size);
        let token = self.client.api.upload_token();
        let query: Vec<(&str, &str)> = token.iter().map(|token| (UPLOAD_TOKEN, token.as_str())).collect();
        let ask = Request {
            root: Root::Docws,
            method: Method::Post,
            path: &path,
            query: &query,
            body: body.as_bytes(),
            limits: Limits::JSON,
            kind: "upload/web",
            changes: false,
        };
        let parse = |body: &[u8]| {
            let mut slots: Vec<Slot> = match body.trim_ascii_start().first() {
                Some(b'[') => serde_json::from_slice(body).ok()?,
                _ => vec![serde_json::from_slice(body).ok()?],
            };
            let slot = slots.pop().filter(|_| slots.is_empty())?;
            let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
            Some((filled(slot.document_id)?, filled(slot.url)?))
        };
        let (document, url) = self.client.call(&ask, CallKind::Read, parse)?;
        if !self.client.api.allows(&url) {
            let words = "the address for the upload is not one of Apple's servers";
            return Err(RemoteError::Refused(words.to_owned()));
        }
        Ok((document, url))
    }

    /// Step 2: the content as it is, or without a byte as one empty multipart part (§12.2). A refusal comes back with its
    /// wait.
    #[allow(clippy::type_complexity)] // Two kinds of failure: one ends the attempt, one may be answered by a new slot.
    fn send(
        &self,
        url: &str,
        name: &str,
        size: u64,
        body: &mut (dyn Read + Send),
    ) -> Result<Result<Stored, (Classified, Option<Duration>)>, RemoteError> {
        let clock = &*self.client.clock;
        let limited = Limited { inner: body, rate: &self.upload, clock };
        let nothing;
        let (content_type, payload) = if size > 0 {
            (content_type(name), Payload::Stream { reader: Box::new(limited), len: size })
        } else {
            let boundary = format!("----icloudds{}", random_digits(clock));
            nothing = empty_part(name, &boundary);
            (format!("multipart/form-data; boundary={boundary}"), Payload::Bytes(nothing.as_bytes()))
        };
        let call = Call {
            method: Method::Post,
            url: url.to_owned(),
            headers: vec![("Content-Type".to_owned(), content_type)],
            payload,
            limits: Limits::TRANSFER,
            kind: "upload",
        };
        let (head, answer) = match self.client.api.open(call) {
            Ok(answer) => answer,
            Err(crate::icloud::http::HttpError::Payload(error)) => return Err(unread(&error)),
            Err(error) if error.is_before_sending() => return Err(http_error(&error)),
            // Nothing became visible, so this is no uncertainty.
            Err(error) => {
                return Ok(Err((Classified { class: Class::Failing, words: error.to_string() }, None)));
            }
        };
        let mut bytes = Vec::new();
        if let Err(error) = answer.take(Limits::TRANSFER.max_body).read_to_end(&mut bytes) {
            return Ok(Err((Classified { class: Class::Failing, words: error.to_string() }, None)));
        }
        let body: Option<Value> = serde_json::from_slice(&bytes).ok();
        let classified = classify(head.status, body.as_ref());
        if classified.class != Class::Ok {
            return Ok(Err((classified, head.retry_after())));
        }
        let stored = body.as_ref().and_then(wire_send::stored);
        match stored {
            Some(stored) if stored.size.is_none_or(|told| told == size) => Ok(Ok(stored)),
            Some(_) => {
                let words = "the content server stored another number of bytes".to_owned();
                Ok(Err((Classified { class: Class::Failing, words }, None)))
            }
            None => {
                let words = "the answer of the content server cannot be read".to_owned();
                Ok(Err((Classified { class: Class::Failing, words }, None)))
            }
        }
    }

    fn staged(&self, zone: &Zone, document: &str, size: u64, stored: &Stored) -> Result<Staged, RemoteError> {
        Ok(Staged {
            document: document.to_owned(),
            zone: zone.clone(),
            size,
            signature: stored.checksum.as_deref().and_then(signature),
            receipt: json!({
                "data": stored.commit_data(size),
                "staged_at": self.client.clock.uptime().as_secs(),
            }),
        })
    }

    /// Step 3: makes staged content a file, new or in place of another (§12.3, §12.5). Who calls has the turn.
    pub(super) fn commit_staged(&self, commit: &Commit<'_>) -> Result<RemoteItem, RemoteError> {
        let zone = commit.parent.zone();
        if commit.staged.zone != *zone {
            let words = "the content was staged in another zone than its folder's".to_owned();
            return Err(RemoteError::Damaged(words));
        }
        let staged_at = commit.staged.receipt.get("staged_at").and_then(Value::as_u64).unwrap_or(0);
        let now = self.client.clock.uptime().as_secs();
        if now.saturating_sub(staged_at) > OLDEST_SLOT_SECS {
            return Err(RemoteError::Damaged(
                "the content was staged too long ago; send it again".to_owned(),
            ));
        }
        let data = commit.staged.receipt.get("data").cloned().unwrap_or(Value::Null);
        let body = wire_send::commit(commit, &data);
        let failure = match self.commit_once(zone, &body, limits_of(commit)) {
            Ok(item) => return Ok(item),
            Err(failure) => failure,
        };
        if failure.class() != Some(Class::Parent) {
            return Err(failure.into());
        }
        // The folder may have been made moments ago: if it is there, the caller may ask again soon (§12.6).
        let looks = self.look_up_items(&[(commit.parent.clone(), true)])?;
        if !matches!(looks.first(), Some(LookUp::Found(_))) {
            return Err(failure.into());
        }
        let message = RemoteError::from(failure).to_string();
        Err(RemoteError::Busy { message, retry_after: Some(PARENT_WAIT) })
    }

    fn commit_once(&self, zone: &Zone, body: &str, limits: Limits) -> Result<RemoteItem, Failure> {
        let path = format!("/ws/{}/update/documents", zone_in_path(zone));
        let ask = Request {
            root: Root::Docws,
            method: Method::Post,
            path: &path,
            query: &[("errorBreakdown", "true")],
            body: body.as_bytes(),
            limits,
            kind: "update/documents",
            changes: true,
        };
        let answer = self.client.json(&ask, CallKind::Change)?;
        let Some((result, document)) = wire_send::commit_result(&answer) else {
            let words = "the answer to the commit does not show one document".to_owned();
            return Err(RemoteError::Uncertain(words).into());
        };
        let classified = Some(classify_result(result))
            .into_iter()
            .chain(document.map(classify_result))
            .find(|classified| classified.class != Class::Ok);
        if let Some(classified) = classified {
            return Err(Failure::Refused { classified, retry_after: None, changes: true });
        }
        let item = document.and_then(part::<Document>).and_then(|document| document.to_remote(zone));
        item.ok_or_else(|| {
            RemoteError::Uncertain("the answer to the commit does not show the file".to_owned()).into()
        })
    }
}

/// Only a commit in place of another version overrides what happened since that was looked at.
fn limits_of(commit: &Commit<'_>) -> Limits {
    if commit.replaces.is_some() { Limits::AFTER_LOOK } else { Limits::JSON }
}

/// A multipart body whose one part holds no byte: the form in which every client's empty file was taken.
fn empty_part(name: &str, boundary: &str) -> String {
    let quoted = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{quoted}\"; filename=\"{quoted}\"\r\n\r\n\r\n--{boundary}--\r\n"
    )
}

/// What a file of that name is taken for; never empty (§12.1).
fn content_type(name: &str) -> String {
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream").to_owned()
}

fn random_digits(clock: &dyn Clock) -> String {
    (0..4).map(|_| format!("{:06x}", (clock.unit_random() * f64::from(1 << 24)) as u32)).collect()
}

/// Gives exactly the announced number of bytes, or fails: what follows in the request must never fill
/// the place of content that a shorter file does not have.
struct Exact<'a> {
    inner: &'a mut (dyn Read + Send),
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Reads no faster than the limit allows.
struct Limited<'a> {
    inner: &'a mut (dyn Read + Send),
    rate: &'a Rate,
    clock: &'a dyn Clock,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.rate.piece());
        let count = self.inner.read(&mut buffer[..most])?;
        self.rate
            .take(count, self.clock)
            .map_err(|_| io::Error::new(io::ErrorKind::ConnectionAborted, Halt))?;
        Ok(count)
    }
}

/// The program stops while it waits for its turn to send.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Halt;

/// The content to send could not be read, or the program stops.
fn unread(error: &io::Error) -> RemoteError {
    if error.get_ref().is_some_and(|inner| inner.is::<Halt>()) {
        return RemoteError::Stopped;
    }
    RemoteError::Busy { message: format!("the file cannot be read whole: {error}"), retry_after: None }
}
