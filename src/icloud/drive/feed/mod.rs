//! The change feed of the Drive (`docs/protocol.md` §17.1): a hint that something changed, never a proof that nothing did.
//!
//! What it refuses says nothing of the drive: neither is the session renewed for it, nor does the account rest.

mod feed_wire;
#[cfg(test)]
mod fuzz_tests;
mod lean;
mod zone;

use std::time::Duration;

use super::client::Api;
use crate::icloud::http::{Answer, HttpError, Limits, Method};
use crate::icloud::request::{Request, Root};
use crate::icloud::service::{Service, ServiceError};
use crate::icloud::throttle::wait_asked;
pub use feed_wire::FeedZone;
use feed_wire::Word;
pub(super) use zone::ask_zone;
pub use zone::{ZoneLook, ZoneQuestion};

/// The database of the account's own zones, below `{ckdatabasews}`.
const DATABASE: &str = "/database/1/com.apple.clouddocs/production/private";
/// Limits of one question: everything of a check waits for it.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    whole: Some(Duration::from_secs(30)),
    stall: Duration::from_secs(20),
    max_body: 8 << 20,
    may_be_slow: false,
};
/// What the feed calls the zone of the Drive itself.
const DRIVE_ZONES: [&str; 2] = ["_defaultZone", "com.apple.CloudDocs"];
/// A feed that always has more to tell is not understood.
const MOST_PAGES: usize = 8;

/// What the feed told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedLook {
    /// To be sent along the next time: what comes after this look.
    pub token: String,
    /// Whether something changed in any zone since the token that was sent.
    pub moved: bool,
    /// In which, each once.
    pub zones: Vec<FeedZone>,
    /// Something moved whose zone is not named.
    pub unnamed: bool,
    /// There was no token, or the feed did not know it any more: what changed before this look is not told.
    pub started_over: bool,
}

impl FeedLook {
    /// The same without what it tells of zones that nobody looks at. All of it where not every zone is named.
    #[must_use]
    pub fn without(mut self, is_closed: impl Fn(&str) -> bool) -> Self {
        if !self.started_over && !self.unnamed && !self.zones.is_empty() {
            self.zones.retain(|zone| !is_closed(&zone.name));
            self.moved = !self.zones.is_empty();
        }
        self
    }

    /// Which of the zones is the Drive's own: the one that bears its name, or the only one.
    pub fn drive_zone(&self) -> Option<&FeedZone> {
        let is_drive = |zone: &&FeedZone| DRIVE_ZONES.iter().any(|name| zone.name.eq_ignore_ascii_case(name));
        let only = match self.zones.as_slice() {
            [only] if !self.unnamed => Some(only),
            _ => None,
        };
        self.zones.iter().find(is_drive).or(only)
    }
}

/// Why the feed told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedFault {
    /// The account offers none.
    NotOffered,
    /// It refuses, or its answer is not understood.
    Refused {
        /// Why, for the log.
        why: String,
        /// How long it wants to be left alone; zero where it does not say, and another question would be refused as well.
        retry_after: Option<Duration>,
    },
    /// No answer came, which may be the network: why, for the log.
    NoAnswer(String),
}

impl Service {
    /// One request to the feed, `path` below its database; `None` where the account offers no feed. Whatever it is answered with comes
    /// back as it is.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Http`] when no whole answer came.
    pub(super) fn ask_feed_once(
        &self,
        path: &'static str,
        body: &[u8],
    ) -> Result<Option<Answer>, ServiceError> {
        let Some(info) = self.account().info() else { return Ok(None) };
        let Some(root) = info.changes.feed.as_deref() else { return Ok(None) };
        let request = Request {
            root: Root::At(root),
            method: Method::Post,
            path: &format!("{DATABASE}/{path}"),
            query: &[],
            body,
            limits: LIMITS,
            kind: path,
            changes: false,
        };
        self.send(&info, &request, None).map(Some)
    }
}

/// Asks what changed in the account's zones since `token`. One request; a few where the feed answers in pages, or does not know the token
/// any more.
///
/// # Errors
///
/// [`FeedFault`]; nothing follows from it for the drive.
pub(super) fn ask(api: &dyn Api, token: Option<&str>) -> Result<FeedLook, FeedFault> {
    let mut look = FeedLook {
        token: token.unwrap_or_default().to_owned(),
        moved: false,
        zones: Vec::new(),
        unnamed: false,
        started_over: token.is_none(),
    };
    let mut from = token.map(str::to_owned);
    for _ in 0..MOST_PAGES {
        let page = match page(api, from.as_deref()) {
            // Whatever it dislikes, an old token is the likeliest cause, and costs no more than a walk.
            Err(FeedFault::Refused { retry_after: None, why }) if from.is_some() && !look.started_over => {
                log::debug!("the change feed does not take its token, starting over: {why}");
                (from, look.started_over, look.moved) = (None, true, false);
                (look.zones, look.unnamed) = (Vec::new(), false);
                continue;
            }
            other => other?,
        };
        look.moved |= page.zones > 0;
        look.unnamed |= page.named.len() < page.zones;
        look.zones.extend(page.named);
        look.zones.sort();
        look.zones.dedup();
        // An answer that tells of nothing new may leave the token out.
        if let Some(token) = page.token {
            look.token = token;
        } else if look.token.is_empty() || page.zones > 0 || page.more {
            return Err(refused("it gives no token"));
        }
        if !page.more {
            look.moved |= look.started_over;
            return Ok(look);
        }
        from = Some(look.token.clone());
    }
    Err(refused("its answer has no end"))
}

fn refused(why: impl Into<String>) -> FeedFault {
    FeedFault::Refused { why: why.into(), retry_after: None }
}

/// One page of `changes/database`.
fn page(api: &dyn Api, token: Option<&str>) -> Result<feed_wire::Page, FeedFault> {
    let body = feed_wire::database(token);
    asked(api, "changes/database", body.as_bytes(), feed_wire::read_page, feed_wire::error_word)
}

/// Asks one question, whose answer `read` understands; `word_of` finds the word for what is wrong in another one.
fn asked<T>(
    api: &dyn Api,
    path: &'static str,
    body: &[u8],
    read: impl Fn(&[u8]) -> Result<T, ()>,
    word_of: fn(&[u8]) -> Word,
) -> Result<T, FeedFault> {
    let answer = match api.ask_feed(path, body) {
        Ok(Some(answer)) => answer,
        Ok(None) => return Err(FeedFault::NotOffered),
        Err(ServiceError::Http(error @ HttpError::TooLarge { .. })) => {
            return Err(refused(error.to_string()));
        }
        Err(error) => return Err(FeedFault::NoAnswer(error.to_string())),
    };
    if let (true, Ok(page)) = (answer.is_success(), read(&answer.body)) {
        return Ok(page);
    }
    let word = word_of(&answer.body);
    let retry_after = wait_asked(&answer).or_else(|| {
        // These are not about the token: asking once more at once would be no help.
        let lasts =
            matches!(answer.head.status, 401 | 403 | 421 | 423 | 429 | 450 | 500..) || word.is_lasting();
        lasts.then_some(Duration::ZERO)
    });
    let why = match word {
        Word::Known(word) => format!("HTTP {}, {word}", answer.head.status),
        _ if answer.is_success() => "its answer is not understood".to_owned(),
        _ => format!("HTTP {}", answer.head.status),
    };
    Err(FeedFault::Refused { why, retry_after })
}

#[cfg(test)]
mod tests;
