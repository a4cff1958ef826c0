//! Every request of a diagnosis goes through here: counted, timed, bounded, and none after the program is told to stop.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::latency::Latencies;
use crate::clock::Stop;
use crate::icloud::drive::Api;
use crate::icloud::http::{Answer, Call, Head, HttpError, Reading};
use crate::icloud::request::Request;
use crate::icloud::service::{Service, ServiceError};
use crate::icloud::signin::error::SignInError;
use crate::icloud::survey::word_of;
use crate::model::Stopped;

/// A rest of the account that is no longer than this is waited for; after a longer one nothing more is asked.
const SHORT_REST: Duration = Duration::from_secs(15);
/// So many short rests are waited for.
const MOST_RESTS: usize = 3;

/// How one request ended.
#[derive(Debug)]
pub enum Said {
    /// With a success.
    Good(Answer),
    /// With another status, and the service's word for it where that is a word of the protocol.
    Refused(u16, Option<String>),
    /// With no answer: why, in our own words.
    Nothing(String),
    /// It was not made.
    NotAsked(NotAsked),
}

/// Why a request was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsked {
    /// The account rests.
    Resting,
    /// There were as many as there may be.
    Spent,
    /// The program ends.
    Stopped,
}

impl Said {
    /// A few words for the report.
    pub fn words(&self) -> String {
        match self {
            Self::Good(_) => "answered".to_owned(),
            Self::Refused(status, Some(word)) => format!("refused (HTTP {status}, {word})"),
            Self::Refused(status, None) => format!("refused (HTTP {status})"),
            Self::Nothing(why) => format!("no answer ({why})"),
            Self::NotAsked(NotAsked::Resting) => "not asked: iCloud asks to be left alone".to_owned(),
            Self::NotAsked(NotAsked::Spent) => "not asked: as many requests were made as may be".to_owned(),
            Self::NotAsked(NotAsked::Stopped) => "not asked: the program ends".to_owned(),
        }
    }

    /// The answer's body as JSON.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Good(answer) => serde_json::from_slice(&answer.body).ok(),
            _ => None,
        }
    }
}

/// What a call tells of itself.
enum Noted {
    Took(&'static str, Duration),
    /// The service's clock less ours, in seconds.
    Clock(i64),
}

/// The way to the service.
pub struct Asker {
    service: Arc<Service>,
    stop: Arc<Stop>,
    most: usize,
    made: AtomicUsize,
    rests: AtomicUsize,
    /// Set while the folder of our own is put away: that goes on when the program is told to stop.
    cleaning: AtomicBool,
    noted: Sender<Noted>,
    notes: Mutex<(Receiver<Noted>, Latencies, Vec<i64>)>,
}

impl Asker {
    /// At most `most` requests.
    pub fn new(service: Arc<Service>, stop: Arc<Stop>, most: usize) -> Self {
        let (noted, notes) = channel();
        Self {
            service,
            stop,
            most,
            made: AtomicUsize::new(0),
            rests: AtomicUsize::new(0),
            cleaning: AtomicBool::new(false),
            noted,
            notes: Mutex::new((notes, Latencies::default(), Vec::new())),
        }
    }

    /// The account.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// How many requests were made.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// Whether the program is told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.wait(Duration::ZERO).is_err()
    }

    /// Waits, unless the program is told to stop.
    pub fn pause(&self, span: Duration) -> bool {
        self.stop.wait(span).is_ok()
    }

    /// While `is_on`, requests are made although the program is told to stop, and although there were many: what was made is put away.
    pub fn clean_up(&self, is_on: bool) {
        self.cleaning.store(is_on, Ordering::SeqCst);
    }

    /// How long calls took so far, and the differences of the clocks in seconds.
    pub fn notes(&self) -> (Latencies, Vec<i64>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (inbox, latencies, clocks) = &mut *notes;
        for note in inbox.try_iter() {
            match note {
                Noted::Took(kind, took) => latencies.note(kind, took),
                Noted::Clock(difference) => clocks.push(difference),
            }
        }
        (latencies.clone(), clocks.clone())
    }

    /// Notes what an answer's date says of the clocks.
    pub fn note_date(&self, date: Option<i64>) {
        if let Some(date) = date {
            // The receiver lives as long as this.
            let _ = self.noted.send(Noted::Clock(date.saturating_sub(jiff::Timestamp::now().as_second())));
        }
    }

    /// Counts a request that is about to be made.
    ///
    /// # Errors
    ///
    /// Why it must not be.
    pub fn admit(&self) -> Result<(), NotAsked> {
        let cleaning = self.cleaning.load(Ordering::SeqCst);
        if !cleaning && self.is_stopped() {
            return Err(NotAsked::Stopped);
        }
        if let Some(left) = self.service.account().rest_left() {
            let waits = left <= SHORT_REST && self.rests.fetch_add(1, Ordering::SeqCst) < MOST_RESTS;
            if !waits {
                return Err(NotAsked::Resting);
            }
            // A rest is told in whole seconds.
            if !self.pause(left + Duration::from_millis(100)) && !cleaning {
                return Err(NotAsked::Stopped);
            }
        }
        if self.made.fetch_add(1, Ordering::SeqCst) >= self.most && !cleaning {
            self.made.fetch_sub(1, Ordering::SeqCst);
            return Err(NotAsked::Spent);
        }
        Ok(())
    }

    /// Times a call that was let in.
    pub fn timed<T>(&self, kind: &'static str, call: impl FnOnce() -> T, is_good: impl Fn(&T) -> bool) -> T {
        let began = Instant::now();
        let answer = call();
        if is_good(&answer) {
            // The receiver lives as long as this.
            let _ = self.noted.send(Noted::Took(kind, began.elapsed()));
        }
        answer
    }

    /// One request, as it is. `kind` is its name in the report.
    pub fn ask(&self, kind: &'static str, request: &Request<'_>, read: Option<Reading<'_>>) -> Said {
        if let Err(why) = self.admit() {
            return Said::NotAsked(why);
        }
        let is_good = |answer: &Result<Answer, ServiceError>| answer.as_ref().is_ok_and(Answer::is_success);
        said(self.timed(kind, || self.service.call_as_it_is(request, read), is_good), |date| {
            self.note_date(date)
        })
    }
}

fn said(answer: Result<Answer, ServiceError>, note_date: impl Fn(Option<i64>)) -> Said {
    match answer {
        Ok(answer) => {
            note_date(answer.head.date());
            if answer.is_success() {
                return Said::Good(answer);
            }
            Said::Refused(answer.head.status, refusal_of(&answer.body))
        }
        Err(ServiceError::Http(HttpError::Resting { .. })) => Said::NotAsked(NotAsked::Resting),
        Err(ServiceError::Http(HttpError::Timeout { .. })) => Said::Nothing("it took too long".to_owned()),
        Err(ServiceError::Http(HttpError::TooLarge { .. })) => {
            Said::Nothing("the answer was larger than it may be".to_owned())
        }
        // Their words may name a host or an address.
        Err(ServiceError::Http(error)) if error.is_before_sending() => {
            Said::Nothing("the service cannot be reached".to_owned())
        }
        Err(ServiceError::Http(_)) => Said::Nothing("the answer broke off".to_owned()),
        Err(ServiceError::SignIn(_) | ServiceError::Renewed) => {
            Said::Nothing("the session is not accepted any more".to_owned())
        }
    }
}

/// The service's word for a refusal, where its body holds one of the protocol.
pub fn refusal_of(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let members = ["serverErrorCode", "error_code", "errorCode", "status", "reason", "error"];
    members.into_iter().find_map(|member| word_of(value.get(member)?.as_str()?))
}

fn refused(_: NotAsked) -> ServiceError {
    SignInError::Stopped(Stopped).into()
}

impl Api for Asker {
    fn call(&self, request: &Request<'_>) -> Result<Answer, ServiceError> {
        self.admit().map_err(refused)?;
        self.timed(label(request.kind), || self.service.call(request), |answer| answer.is_ok())
    }

    fn stream(&self, request: &Request<'_>, read: Reading<'_>) -> Result<Answer, ServiceError> {
        self.admit().map_err(refused)?;
        self.timed(label(request.kind), || self.service.call_reading(request, read), |answer| answer.is_ok())
    }

    fn open(&self, call: Call<'_>) -> Result<(Head, Box<dyn Read + Send>), HttpError> {
        let kind = call.kind;
        self.admit().map_err(|_| HttpError::Unsendable {
            host: "?".to_owned(),
            reason: "the program ends".to_owned(),
        })?;
        self.timed(label(kind), || self.service.http().open(call), |answer| answer.is_ok())
    }

    fn upload_token(&self) -> Option<String> {
        self.service.upload_token()
    }

    fn allows(&self, url: &str) -> bool {
        self.service.allowed_content_host(url)
    }

    fn rest(&self) -> Option<Duration> {
        self.service.account().rest_left()
    }
}

/// The name of a kind of call in the report.
fn label(kind: &'static str) -> &'static str {
    match kind {
        "retrieveItemDetailsInFolders" => "listing_of_folders",
        "retrieveItemDetails" => "look_up",
        "createFolders" => "create_folders",
        "renameItems" => "rename",
        "moveItems" => "move",
        "moveItemsToTrash" => "trash",
        "putBackItemsFromTrash" => "put_back",
        "download/by_id" => "download_address",
        "upload/web" => "upload_slot",
        "update/documents" => "commit",
        "content" => "download",
        "upload" => "upload",
        _ => "others",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_words_of_the_protocol_only() {
        for (body, expected) in [
            (r#"{"serverErrorCode": "THROTTLED"}"#, Some("THROTTLED")),
            (r#"{"reason": "no such file: diary.txt", "error_code": "ID_INVALID"}"#, Some("ID_INVALID")),
            (r#"{"reason": "no such file: diary.txt"}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(refusal_of(body.as_bytes()).as_deref(), expected, "{body}");
        }
        let words = Said::Refused(503, Some("THROTTLED".to_owned())).words();
        assert_eq!(words, "refused (HTTP 503, THROTTLED)");
    }
}
