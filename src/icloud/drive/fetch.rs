//! Fetching content from its address (`docs/protocol.md` §11.3 to §11.5).

#[cfg(test)]
mod fuzz_tests;

use std::io::{self, Read};
use std::time::Duration;

use flate2::read::GzDecoder;
use url::Url;

use super::ICloudDrive;
use super::client::http_error;
use super::rate::{LARGEST_PIECE, Rate};
use crate::engine::ports::{Clock, Fetched, Offer, RemoteError, Sink};
use crate::icloud::http::{Call, Head, HttpError, Limits, Method, Payload};

/// Most redirects of one fetch (§11.3).
const MOST_REDIRECTS: u32 = 5;
/// After so many failures of one address another is asked for (§11.3).
const FAILURES_OF_ADDRESS: u32 = 2;
/// An address is asked for anew when less than this is left of its life, in seconds (§11.3).
const LEFT_AT_LEAST: i64 = 60;
/// Transfers that end early more often than this, and get no further in between, are left for another time.
const MOST_BREAKS: u32 = 5;
/// So many bytes more than ever before are progress.
const PROGRESS: u64 = 64 << 10;

/// A fetch under way.
struct Job<'a> {
    sink: &'a mut dyn Sink,
    /// The first byte that the sink holds of this fetch.
    start: u64,
    /// The next byte.
    at: u64,
    /// The whole size, where known.
    size: Option<u64>,
    package: bool,
    /// Ranges were answered wrongly: whole bodies only.
    no_range: bool,
}

/// How one exchange ended.
enum Outcome {
    Done,
    /// The address is not good any more.
    Address(u16),
    /// Overload.
    Busy(u16, Option<Duration>),
    /// No answer came.
    Unreached(HttpError),
    /// A range was answered wrongly; start over without one.
    BadRange,
    /// The body ended early or broke, or has another length than announced.
    Broke(String),
}

impl ICloudDrive {
    pub(super) fn fetch_content(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        let size = if offer.package { None } else { size };
        let mut job = Job { sink, start: from, at: from, size, package: offer.package, no_range: false };
        if from > 0 && size == Some(from) {
            return Ok(Fetched { from, written: 0 });
        }
        if from > 0 && (offer.package || size.is_some_and(|size| from > size)) {
            // A package's address ignores ranges (§11.4).
            job.restart()?;
        }
        let clock = &*self.client.clock;
        let mut offer = offer.clone();
        let budget = &self.client.contents;
        let mut backoff = budget.backoff(clock);
        let (mut failures, mut breaks) = (0, 0);
        // How far the transfer was when the last address was refused: one that was good for a while may be over again.
        let mut refused_at = None;
        // How far it ever got: what begins anew gets nowhere until it is beyond that.
        let mut reached = job.at;
        if is_nearly_over(&offer.url, clock.now().whole_seconds()) {
            // A fresh one that looks over as well is taken: then it is this machine's clock that is wrong.
            offer = self.renew(&offer, &mut job)?;
        }
        loop {
            let outcome = self.fetch_once(&offer, &mut job)?;
            if job.at >= reached.saturating_add(PROGRESS) {
                // A large file over a line that breaks is not given up while it gets on: patience begins anew.
                reached = job.at;
                self.client.reach.answered();
                budget.renew();
                backoff = budget.backoff(clock);
                (failures, breaks) = (0, 0);
            }
            match outcome {
                Outcome::Done => {
                    self.client.reach.answered();
                    budget.renew();
                    return Ok(Fetched { from: job.start, written: job.at - job.start });
                }
                Outcome::BadRange => {
                    job.no_range = true;
                    job.restart()?;
                }
                Outcome::Address(status) if refused_at == Some(job.at) => {
                    let words = format!("the content server refuses a fresh address: HTTP {status}");
                    return Err(RemoteError::Damaged(words));
                }
                Outcome::Address(_) => {
                    refused_at = Some(job.at);
                    offer = self.renew(&offer, &mut job)?;
                }
                Outcome::Busy(status, retry_after) => {
                    self.client.reach.failed(clock.uptime(), &format!("HTTP {status}"), retry_after)?;
                    if !budget.wait(&mut backoff, clock, retry_after)? {
                        let message = format!("the content server is busy: HTTP {status}");
                        return Err(RemoteError::Busy { message, retry_after });
                    }
                    failures += 1;
                    if failures % FAILURES_OF_ADDRESS == 0 {
                        offer = self.renew(&offer, &mut job)?;
                    }
                }
                Outcome::Unreached(error) => {
                    if error.is_transient() {
                        self.client.reach.failed(clock.uptime(), &error.to_string(), None)?;
                    }
                    failures += 1;
                    if !error.is_transient() || failures > 2 || !budget.wait(&mut backoff, clock, None)? {
                        return Err(http_error(&error));
                    }
                }
                Outcome::Broke(words) => {
                    breaks += 1;
                    if breaks >= MOST_BREAKS || !budget.wait(&mut backoff, clock, None)? {
                        return Err(RemoteError::Damaged(words));
                    }
                    if job.package {
                        job.restart()?;
                    }
                    offer = self.renew(&offer, &mut job)?;
                }
            }
        }
    }

    /// A fresh address of the same version. Another signature means that what is there may not be
    /// continued (§11.4).
    fn renew(&self, old: &Offer, job: &mut Job<'_>) -> Result<Offer, RemoteError> {
        let offer = self.offer_alone(&old.id)?;
        if offer.etag != old.etag || offer.package != old.package {
            return Err(RemoteError::Stale);
        }
        if offer.signature_text != old.signature_text && job.at > 0 {
            job.restart()?;
        }
        Ok(offer)
    }

    fn fetch_once(&self, offer: &Offer, job: &mut Job<'_>) -> Result<Outcome, RemoteError> {
        let mut url = offer.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            if !self.client.api.allows(&url) {
                return Err(RemoteError::Refused(format!(
                    "not fetched: iCloud gave an address that is not Apple's ({})",
                    host(&url)
                )));
            }
            let ranged = job.at > 0 && !job.no_range;
            if job.at > 0 && job.no_range {
                job.restart()?;
            }
            let mut headers = Vec::new();
            if ranged {
                headers.push(("Range".to_owned(), format!("bytes={}-", job.at)));
                // Offsets are those of the file, not of a compressed form of it (§11.3).
                headers.push(("Accept-Encoding".to_owned(), "identity".to_owned()));
            }
            let call = Call {
                method: Method::Get,
                url: url.clone(),
                headers,
                payload: Payload::None,
                limits: Limits::TRANSFER,
                kind: "content",
            };
            let (head, body) = match self.client.api.open(call) {
                Ok(answer) => answer,
                Err(error) => return Ok(Outcome::Unreached(error)),
            };
            match head.status {
                301 | 302 | 303 | 307 | 308 | 330 => {
                    let Some(next) = redirected(&url, &head) else {
                        return Ok(Outcome::Broke("a redirect leads nowhere".to_owned()));
                    };
                    url = next;
                }
                200 => {
                    if job.at > 0 {
                        job.restart()?;
                    }
                    return self.receive(&head, body, job);
                }
                206 if ranged && fits(&head, job) => return self.receive(&head, body, job),
                206 | 416 if ranged => return Ok(Outcome::BadRange),
                status @ (408 | 429 | 500..=599) => return Ok(Outcome::Busy(status, head.retry_after())),
                status @ 400..=499 => return Ok(Outcome::Address(status)),
                status => return Ok(Outcome::Broke(format!("the content server answers HTTP {status}"))),
            }
        }
        Ok(Outcome::Broke("too many redirects".to_owned()))
    }

    fn receive(
        &self,
        head: &Head,
        body: Box<dyn Read + Send>,
        job: &mut Job<'_>,
    ) -> Result<Outcome, RemoteError> {
        // Absent when the body was compressed on the way.
        let announced = head.header("content-length").and_then(|length| length.parse::<u64>().ok());
        if let (Some(announced), Some(size)) = (announced, job.size)
            && announced != size - job.at
        {
            // The body can lag behind its record: it is not stored as long as it does.
            let words = format!(
                "{announced} bytes announced instead of {}: the content may be on its way to iCloud",
                size - job.at
            );
            return Ok(Outcome::Broke(words));
        }
        let clock = &*self.client.clock;
        let mut body = Counted { inner: body, count: 0 };
        if !job.package {
            if let Some(broken) = copy(&mut body, job, &self.download, clock)? {
                return Ok(broken);
            }
        } else if let Some(broken) = unwrap_package(&mut body, job, &self.download, clock)? {
            return Ok(broken);
        }
        let short = match (job.size, announced) {
            (Some(size), _) => job.at < size,
            (None, Some(announced)) => body.count < announced,
            (None, None) => false,
        };
        Ok(if short {
            Outcome::Broke(match job.size {
                Some(size) => {
                    format!("only {} of {size} bytes came: the rest may be on its way to iCloud", job.at)
                }
                None => "the content ended early".to_owned(),
            })
        } else {
            Outcome::Done
        })
    }
}

impl Job<'_> {
    fn restart(&mut self) -> Result<(), RemoteError> {
        self.sink.restart().map_err(|error| unwritable(&error))?;
        (self.start, self.at) = (0, 0);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        self.sink.write_all(bytes).map_err(|error| unwritable(&error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// Counts what comes over the wire.
struct Counted {
    inner: Box<dyn Read + Send>,
    count: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// Copies a body into the sink. What went wrong, if anything, comes back.
fn copy(
    body: &mut dyn Read,
    job: &mut Job<'_>,
    rate: &Rate,
    clock: &dyn Clock,
) -> Result<Option<Outcome>, RemoteError> {
    // Most files are smaller than a piece, and who fetches thousands of them would clear as many large buffers.
    let left = job.size.map_or(LARGEST_PIECE as u64, |size| size.saturating_sub(job.at).saturating_add(1));
    let left = usize::try_from(left).unwrap_or(LARGEST_PIECE);
    let mut buffer = vec![0; rate.piece().min(LARGEST_PIECE).min(left)];
    loop {
        let count = match body.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Some(Outcome::Broke(format!("the transfer broke: {error}")))),
        };
        if job.size.is_some_and(|size| job.at + count as u64 > size) {
            return Ok(Some(Outcome::Broke("more bytes came than the file has".to_owned())));
        }
        rate.take(count, clock)?;
        job.write(&buffer[..count])?;
    }
}

/// Copies a package: a zip, sometimes wrapped by gzip once more (§11.5).
fn unwrap_package(
    body: &mut Counted,
    job: &mut Job<'_>,
    rate: &Rate,
    clock: &dyn Clock,
) -> Result<Option<Outcome>, RemoteError> {
    let broke = |error: io::Error| Ok(Some(Outcome::Broke(format!("the transfer broke: {error}"))));
    let start = match beginning(body) {
        Ok(start) => start,
        Err(error) => return broke(error),
    };
    let is_wrapped = start.starts_with(&[0x1f, 0x8b]);
    let whole = start.as_slice().chain(body);
    if !is_wrapped {
        return copy_zip(whole, job, rate, clock);
    }
    let mut unwrapped = GzDecoder::new(whole);
    if let Some(broken) = copy_zip(&mut unwrapped, job, rate, clock)? {
        return Ok(Some(broken));
    }
    // What follows the wrapping is counted, so that the length can be checked.
    match io::copy(&mut unwrapped.into_inner(), &mut io::sink()) {
        Ok(_) => Ok(None),
        Err(error) => broke(error),
    }
}

fn copy_zip(
    mut zip: impl Read,
    job: &mut Job<'_>,
    rate: &Rate,
    clock: &dyn Clock,
) -> Result<Option<Outcome>, RemoteError> {
    let start = match beginning(&mut zip) {
        Ok(start) => start,
        Err(error) => return Ok(Some(Outcome::Broke(format!("the transfer broke: {error}")))),
    };
    if !start.starts_with(b"PK") {
        return Err(RemoteError::Damaged("the package is no zip".to_owned()));
    }
    copy(&mut start.as_slice().chain(zip), job, rate, clock)
}

/// The first bytes, fewer only when there are no more.
fn beginning(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(4);
    from.take(4).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether a 206 gives exactly what was asked for.
fn fits(head: &Head, job: &Job<'_>) -> bool {
    let range = || {
        let range = head.header("content-range")?.trim().strip_prefix("bytes ")?;
        let (span, total) = range.split_once('/')?;
        let (first, last) = span.split_once('-')?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?, total.parse::<u64>().ok()?))
    };
    range().is_some_and(|(first, last, total)| {
        first == job.at && last.checked_add(1) == Some(total) && job.size.is_none_or(|size| size == total)
    })
}

/// Whether an address says that its life ends soon: `e` is its end in Unix seconds (§11.3).
fn is_nearly_over(url: &str, now: i64) -> bool {
    let end = Url::parse(url).ok().and_then(|url| {
        url.query_pairs().find(|(name, _)| name == "e").and_then(|(_, end)| end.parse::<i64>().ok())
    });
    end.is_some_and(|end| end.saturating_sub(now) < LEFT_AT_LEAST)
}

fn redirected(from: &str, head: &Head) -> Option<String> {
    Some(Url::parse(from).ok()?.join(head.header("location")?).ok()?.to_string())
}

fn host(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "it".to_owned())
}

/// The sink knows its own error better; the port has no word for it.
fn unwritable(error: &io::Error) -> RemoteError {
    RemoteError::Damaged(format!("what was fetched cannot be written: {error}"))
}
