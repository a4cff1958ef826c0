//! Which records of a zone changed (`docs/protocol.md` §17.1): where to look, and nothing more.

use super::feed_wire::{self, Records};
use super::{FeedFault, FeedZone, asked, refused};
use crate::engine::observe::remote::Record;
use crate::icloud::drive::client::Api;

/// The most records of one answer.
pub(super) const PAGE: u32 = 200;
/// More changes than these are a whole walk's work.
const MOST_RECORDS: usize = 500;

/// What a zone is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneQuestion {
    /// The zone.
    pub zone: FeedZone,
    /// Where its changes were read to; without one it tells of all that it holds.
    pub token: Option<String>,
    /// So many pages are read at most.
    pub pages: u32,
}

/// What a zone told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneLook {
    /// Where its changes were read to.
    pub token: String,
    /// Nothing more is to be told.
    pub is_whole: bool,
    /// What changed, the latest last; `None` where that is too much, or not understood.
    pub records: Option<Vec<Record>>,
}

/// Asks a zone what changed in it.
///
/// # Errors
///
/// [`FeedFault`]; nothing follows from it for the drive.
pub(in super::super) fn ask_zone(api: &dyn Api, question: &ZoneQuestion) -> Result<ZoneLook, FeedFault> {
    let mut records = question.token.is_some().then(Vec::new);
    let mut token = question.token.clone();
    for _ in 0..question.pages.max(1) {
        let page = page(api, &question.zone, token.as_deref())?;
        let goes_on = page.token.is_some() && page.token != token;
        match (records.as_mut(), page.records) {
            (Some(known), Records::Read(new)) if known.len() + new.len() <= MOST_RECORDS => known.extend(new),
            (_, Records::Read(new)) if new.is_empty() => {}
            _ => records = None,
        }
        if !goes_on && (page.more || page.holds_any) {
            return Err(refused("its answer gives no new token"));
        }
        token = page.token.or(token);
        if !page.more {
            let token = token.ok_or_else(|| refused("its answer gives no token"))?;
            return Ok(ZoneLook { token, is_whole: true, records });
        }
    }
    let token = token.ok_or_else(|| refused("its answer gives no token"))?;
    Ok(ZoneLook { token, is_whole: false, records: None })
}

/// One page of `changes/zone`.
fn page(api: &dyn Api, zone: &FeedZone, token: Option<&str>) -> Result<feed_wire::ZonePage, FeedFault> {
    let body = feed_wire::zone(zone, token, PAGE);
    asked(api, "changes/zone", body.as_bytes(), |body| feed_wire::read_zone(body, zone), feed_wire::zone_word)
}
