//! What is worth telling: conditions that begin, last, and end. No I/O and no clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::plain::plain;
use crate::status::{DaemonState, StatusDocument};

/// Something that a person should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Condition {
    SignInNeeded,
    SessionExpires,
    DeletionsHeld,
    SetAside,
    FolderUnusable,
    DiskFull,
    Offline,
}

impl Condition {
    const ALL: [Self; 7] = [
        Self::SignInNeeded,
        Self::SessionExpires,
        Self::DeletionsHeld,
        Self::SetAside,
        Self::FolderUnusable,
        Self::DiskFull,
        Self::Offline,
    ];

    /// The contract's word for its beginning.
    fn event(self) -> &'static str {
        match self {
            Self::SignInNeeded => "sign-in-needed",
            Self::SessionExpires => "session-expires",
            Self::DeletionsHeld => "deletions-held",
            Self::SetAside => "set-aside",
            Self::FolderUnusable => "folder-unusable",
            Self::DiskFull => "disk-full",
            Self::Offline => "offline",
        }
    }

    /// How many seconds it must last before it is told: what passes by itself is no news.
    fn patience(self) -> i64 {
        match self {
            Self::SignInNeeded | Self::SessionExpires => 0,
            // The list grows while a pass looks.
            Self::DeletionsHeld => 15,
            Self::FolderUnusable | Self::DiskFull => 60,
            Self::SetAside => 10 * 60,
            Self::Offline => HOUR,
        }
    }

    /// After how many seconds it is told again although nothing changed.
    fn reminder(self) -> i64 {
        match self {
            Self::SetAside => 7 * DAY,
            // Its days are told instead.
            Self::SessionExpires => i64::MAX,
            _ => DAY,
        }
    }
}

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;
/// What was told and became more is told again after this long at the earliest.
const GREW: i64 = HOUR;
/// A condition is over once it was gone for so many seconds: a wrong code does not end and begin it.
const GONE: i64 = 30;
/// The days before the end of the trust on which it is told.
const TRUST_DAYS: [i64; 4] = [14, 7, 3, 1];

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    /// What it is about.
    pub about: Condition,
    /// The contract's word.
    pub event: String,
    /// One or two sentences.
    pub message: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

impl Notice {
    /// Whether it tells that something is over.
    pub(super) fn is_recovery(&self) -> bool {
        self.event == RECOVERED
    }
}

/// The word for the end of a condition.
pub(super) const RECOVERED: &str = "recovered";

/// What is remembered of a condition that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lasting {
    since: i64,
    /// When it was last told, and how much it was then.
    told: Option<(i64, u64)>,
    /// Since when it is not seen any more.
    gone: Option<i64>,
}

/// What was seen and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch(BTreeMap<Condition, Lasting>);

impl Watch {
    /// Takes the status as it is at `now` (seconds since 1970) and says what is to be told.
    pub(super) fn observe(&mut self, status: &StatusDocument, now: i64) -> Vec<Notice> {
        Condition::ALL.into_iter().filter_map(|condition| self.follow(condition, status, now)).collect()
    }

    fn follow(&mut self, about: Condition, status: &StatusDocument, now: i64) -> Option<Notice> {
        let notice = |event: &str, message| Some(Notice { about, event: event.to_owned(), message, at: now });
        match measure(about, status, now)? {
            0 => {
                let lasting = self.0.get_mut(&about)?;
                let gone = *lasting.gone.get_or_insert(now);
                if lasting.told.is_some() && now.saturating_sub(gone) < GONE {
                    return None;
                }
                let was_told = lasting.told.is_some();
                self.0.remove(&about);
                if was_told { notice(RECOVERED, over(about)) } else { None }
            }
            much => {
                let lasting = self.0.entry(about).or_insert(Lasting { since: now, told: None, gone: None });
                lasting.gone = None;
                // A clock that was set back must not silence it for ever.
                lasting.since = lasting.since.min(now);
                let due = match lasting.told {
                    None => now - lasting.since >= about.patience(),
                    Some((at, _)) if at > now => true,
                    Some((at, before)) => {
                        now - at >= about.reminder()
                            || (much > before && now - at >= GREW.min(about.reminder()))
                    }
                };
                if !due {
                    return None;
                }
                lasting.told = Some((now, much));
                notice(about.event(), begun(about, status, now))
            }
        }
    }
}

/// How much of a condition there is: 0 is none; `None` where the status cannot tell, because another state hides it.
fn measure(about: Condition, status: &StatusDocument, now: i64) -> Option<u64> {
    use DaemonState as S;
    let works = matches!(status.state, S::Scanning | S::Listing | S::Syncing | S::Idle | S::Guarded);
    let by_state = |holds: bool, clear: bool| match (holds, clear) {
        (true, _) => Some(1),
        (false, true) => Some(0),
        (false, false) => None,
    };
    match about {
        Condition::SignInNeeded => by_state(
            matches!(status.state, S::NeedsCode | S::NeedsPassword),
            works || status.state == S::DiskFull,
        ),
        Condition::FolderUnusable => {
            by_state(status.state == S::WrongFolder, works || status.state == S::DiskFull)
        }
        Condition::DiskFull => {
            by_state(status.state == S::DiskFull, matches!(status.state, S::Idle | S::Guarded))
        }
        Condition::Offline => by_state(
            status.state == S::Offline,
            matches!(status.state, S::Listing | S::Syncing | S::Idle | S::Guarded),
        ),
        Condition::DeletionsHeld => Some(status.held_deletes),
        Condition::SetAside => match status.set_aside.len() as u64 {
            // Which items cannot be planned with is known after the first pass.
            0 if status.totals.passes == 0 => None,
            count => Some(count),
        },
        Condition::SessionExpires => {
            let days = days_left(status, now)?;
            // The nearer the end, the more of it.
            Some(TRUST_DAYS.iter().filter(|limit| days <= **limit).count() as u64)
        }
    }
}

/// The whole days that the trust still lasts.
fn days_left(status: &StatusDocument, now: i64) -> Option<i64> {
    let left = status.session_expires?.seconds().saturating_sub(now);
    Some(left.max(0).div_euclid(DAY) + i64::from(left.rem_euclid(DAY) > 0))
}

/// The longest a name or a reason may be in a message.
const LONGEST: usize = 300;

fn short(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn begun(about: Condition, status: &StatusDocument, now: i64) -> String {
    let why = status.last_error.as_deref().map(short).unwrap_or_default();
    match about {
        Condition::SignInNeeded if status.state == DaemonState::NeedsPassword => {
            "icloudds waits for the password: run `icloudds login`.".to_owned()
        }
        Condition::SignInNeeded => {
            "icloudds waits for a code to sign in: type it on its page, or run `icloudds \
             code --send` and `icloudds code CODE`."
                .to_owned()
        }
        Condition::SessionExpires => match days_left(status, now).unwrap_or(0) {
            0 => "The sign-in of icloudds has run out: run `icloudds login`.".to_owned(),
            days => {
                let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
                format!("The sign-in of icloudds runs out in {days}: run `icloudds login` before then.")
            }
        },
        Condition::DeletionsHeld => {
            let count = status.held_deletes;
            let what =
                if count == 1 { "1 deletion waits".to_owned() } else { format!("{count} deletions wait") };
            format!("{what} for an answer: look on the page of icloudds, or with `icloudds approve`.")
        }
        Condition::SetAside => {
            let count = status.set_aside.len();
            let what = if count == 1 { "1 item".to_owned() } else { format!("{count} items") };
            let first = status.set_aside.first();
            let first = first
                .map(|item| format!(": {}: {}", short(&item.path), short(&item.reason)))
                .unwrap_or_default();
            format!("{what} cannot be synced for now{first}")
        }
        Condition::FolderUnusable => {
            format!("The folder of icloudds cannot be used, and nothing is deleted meanwhile: {why}")
        }
        Condition::DiskFull => {
            format!("icloudds needs room on the disk: {why}").trim_end_matches([':', ' ']).to_owned()
        }
        Condition::Offline => format!("icloudds has not reached iCloud for an hour: {why}"),
    }
}

fn over(about: Condition) -> String {
    match about {
        Condition::SignInNeeded => "icloudds is signed in again.",
        Condition::SessionExpires => "The sign-in of icloudds is renewed.",
        Condition::DeletionsHeld => "No deletion waits for an answer any more.",
        Condition::SetAside => "No item is set aside any more.",
        Condition::FolderUnusable => "The folder of icloudds can be used again.",
        Condition::DiskFull => "There is room on the disk again.",
        Condition::Offline => "icloudds reaches iCloud again.",
    }
    .to_owned()
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
