//! The switches of docs/protocol-open-questions.md: for each open question, which of the possible answers this simulator gives.
//!
//! Every switch has the document's name (`S-2fa`) in JSON and in `S-name=value`; the first value of each row is the default.
//! Beside them: latency, bandwidth and the fault plan.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

pub mod duration;
mod scaled;
#[macro_use]
mod values;
mod hints;
mod signin;

pub use hints::*;
pub use scaled::{Batch, Busy, CountLag};
pub use signin::*;
pub use values::*;

/// All switches. [`Default`] is the first value of every row of docs/protocol-open-questions.md, no latency and no faults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Several ids per listing call.
    #[serde(rename = "S-batch")]
    pub batch: Batch,
    /// Short listings.
    #[serde(rename = "S-short")]
    pub short: Short,
    /// Ancestors' etags.
    #[serde(rename = "S-etag-up")]
    pub etag_up: EtagUp,
    /// How long [`EtagUp::Delayed`] takes.
    #[serde(rename = "etag-up-delay", with = "duration")]
    pub etag_up_delay: Duration,
    /// Lag of counts.
    #[serde(rename = "S-count-lag")]
    pub count_lag: CountLag,
    /// Forms of `retrieveItemDetails`.
    #[serde(rename = "S-details")]
    pub details: Details,
    /// Look-up of an id that is gone.
    #[serde(rename = "S-gone")]
    pub gone: Gone,
    /// An existing id answers "gone" once.
    #[serde(rename = "S-flap")]
    pub flap: Flap,
    /// How long a write stays invisible in listings.
    #[serde(rename = "S-visible", with = "duration")]
    pub visible: Duration,
    /// Stale etag in moveItems.
    #[serde(rename = "S-cas-move")]
    pub cas_move: CasMove,
    /// Stale etag in renameItems.
    #[serde(rename = "S-cas-rename")]
    pub cas_rename: CasRename,
    /// Guard of a folder that goes to the trash.
    #[serde(rename = "S-cas-folder")]
    pub cas_folder: CasFolder,
    /// Stale etag in deleteItems.
    #[serde(rename = "S-cas-delete")]
    pub cas_delete: CasDelete,
    /// Taken names.
    #[serde(rename = "S-name-taken")]
    pub name_taken: NameTaken,
    /// Storage and comparison of names.
    #[serde(rename = "S-names")]
    pub names: Names,
    /// How a folder's name is shown.
    #[serde(rename = "S-folder-ext")]
    pub folder_ext: FolderExt,
    /// How a name that begins with its only dot is shown.
    #[serde(rename = "S-leading-dot")]
    pub leading_dot: LeadingDot,
    /// Longest name.
    #[serde(rename = "S-name-limit")]
    pub name_limit: NameLimit,
    /// Refused characters.
    #[serde(rename = "S-name-bad")]
    pub name_bad: NameBad,
    /// How a refused name is answered.
    #[serde(rename = "S-name-bad-answer")]
    pub name_bad_answer: NameBadAnswer,
    /// What put-back returns.
    #[serde(rename = "S-putback")]
    pub putback: Putback,
    /// Content signatures.
    #[serde(rename = "S-sig")]
    pub sig: Sig,
    /// by_id of an empty file.
    #[serde(rename = "S-zero")]
    pub zero: Zero,
    /// Upload of an empty body.
    #[serde(rename = "S-zero-up")]
    pub zero_up: ZeroUp,
    /// `Range` requests.
    #[serde(rename = "S-range")]
    pub range: Range,
    /// Life of a download URL.
    #[serde(rename = "S-url-life", with = "duration")]
    pub url_life: Duration,
    /// Answer to an expired download URL.
    #[serde(rename = "S-url-dead")]
    pub url_dead: UrlDead,
    /// The host of a download URL.
    #[serde(rename = "S-url-host")]
    pub url_host: UrlHost,
    /// A content that lags behind its listing.
    #[serde(rename = "S-body-lag")]
    pub body_lag: BodyLag,
    /// How long it does.
    #[serde(rename = "body-lag-time", with = "duration")]
    pub body_lag_time: Duration,
    /// Life of an upload slot and of staged content.
    #[serde(rename = "S-slot-life", with = "duration")]
    pub slot_life: Duration,
    /// A repeated commit.
    #[serde(rename = "S-commit-twice")]
    pub commit_twice: CommitTwice,
    /// Full storage.
    #[serde(rename = "S-quota")]
    pub quota: Quota,
    /// Bytes that still fit before [`Switches::quota`] applies.
    #[serde(rename = "quota-left")]
    pub quota_left: u64,
    /// A commit's `mtime`.
    #[serde(rename = "S-mtime")]
    pub mtime: Mtime,
    /// When writes are answered `ZONE_BUSY`.
    #[serde(rename = "S-busy")]
    pub busy: Busy,
    /// Throttling of service calls.
    #[serde(rename = "S-throttle")]
    pub throttle: Throttle,
    /// How long it asks to be left alone.
    #[serde(rename = "throttle-for", with = "duration")]
    pub throttle_for: Duration,
    /// One service call in so many is throttled; 1 means all.
    #[serde(rename = "throttle-every")]
    pub throttle_every: u64,
    /// Leading zero bytes in SRP.
    #[serde(rename = "S-srp")]
    pub srp: Srp,
    /// The account name in SRP.
    #[serde(rename = "S-srp-name")]
    pub srp_name: SrpName,
    /// Answer to a right code.
    #[serde(rename = "S-2fa")]
    pub two_factor: TwoFactor,
    /// A second proof of the password.
    #[serde(rename = "S-escrow")]
    pub escrow: Escrow,
    /// How it is asked for.
    #[serde(rename = "S-escrow-header")]
    pub escrow_header: EscrowHeader,
    /// What it brings.
    #[serde(rename = "S-escrow-token")]
    pub escrow_token: EscrowToken,
    /// Repeated trust.
    #[serde(rename = "S-retrust")]
    pub retrust: Retrust,
    /// A session token that is used again.
    #[serde(rename = "S-renew")]
    pub renew: Renew,
    /// Half a session.
    #[serde(rename = "S-partial")]
    pub partial: Partial,
    /// Where trust tokens are accepted.
    #[serde(rename = "S-trust-ip")]
    pub trust_ip: TrustIp,
    /// What renews the trust.
    #[serde(rename = "S-trust-roll")]
    pub trust_roll: TrustRoll,
    /// Hashcash.
    #[serde(rename = "S-hc")]
    pub hashcash: Hashcash,
    /// Codes on devices.
    #[serde(rename = "S-push")]
    pub push: Push,
    /// `nonFTEU` in a submit.
    #[serde(rename = "S-fteu")]
    pub fteu: Fteu,
    /// 409 that is no refusal.
    #[serde(rename = "S-409-ok")]
    pub conflict_ok: ConflictOk,
    /// Region.
    #[serde(rename = "S-region")]
    pub region: Region,
    /// Session trouble.
    #[serde(rename = "S-session")]
    pub session: SessionTrouble,
    /// Packages.
    #[serde(rename = "S-package")]
    pub package: Package,
    /// What opening makes of a flat document.
    #[serde(rename = "S-flip")]
    pub flip: Flip,
    /// App libraries in counts.
    #[serde(rename = "S-applib-count")]
    pub applib_count: ApplibCount,
    /// Empty app libraries.
    #[serde(rename = "S-applib-empty")]
    pub applib_empty: ApplibEmpty,
    /// Shared items.
    #[serde(rename = "S-shared")]
    pub shared: Shared,
    /// Purged ids.
    #[serde(rename = "S-purge")]
    pub purge: Purge,
    /// The change feed.
    #[serde(rename = "S-feed")]
    pub feed: Feed,
    /// After what time a change shows in the feed when `S-feed` is `late`.
    #[serde(rename = "feed-delay", with = "duration")]
    pub feed_delay: Duration,
    /// One change in so many never shows in the feed when `S-feed` is `lossy`; 1 means all.
    #[serde(rename = "feed-loses-every")]
    pub feed_loses_every: u64,
    /// So many bytes of small values more in each answer of the feed.
    #[serde(rename = "feed-padding")]
    pub feed_padding: u64,
    /// Names in the change feed.
    #[serde(rename = "S-feed-names")]
    pub feed_names: FeedNames,
    /// The push channel.
    #[serde(rename = "S-aps")]
    pub aps: Aps,
    /// How long the courier holds a request about which there is nothing to tell.
    #[serde(rename = "aps-hold", with = "duration")]
    pub aps_hold: Duration,
    /// How long a push token holds.
    #[serde(rename = "aps-life", with = "duration")]
    pub aps_life: Duration,
    /// How long it is told to hold; nothing is told of it where this is zero.
    #[serde(rename = "aps-ttl", with = "duration")]
    pub aps_ttl: Duration,
    /// How long the first listing of the root after a change of the drive takes.
    #[serde(rename = "S-slow-root", with = "duration")]
    pub slow_root: Duration,
    /// How long each listing of the trash takes.
    #[serde(rename = "S-slow-trash", with = "duration")]
    pub slow_trash: Duration,
    /// How long moveItemsToTrash takes.
    #[serde(rename = "S-slow-trashing", with = "duration")]
    pub slow_trashing: Duration,
    /// How long a commit takes (docs/protocol.md §12.3).
    #[serde(rename = "S-slow-commit", with = "duration")]
    pub slow_commit: Duration,
    /// Delay before every answer.
    #[serde(with = "duration")]
    pub latency: Duration,
    /// Bytes per second of each body, both ways; `None` is unlimited.
    pub bandwidth: Option<u64>,
    /// Downloads are redirected once with this status (docs/protocol.md §11.3).
    #[serde(rename = "content-redirect")]
    pub content_redirect: Option<u16>,
    /// Small texts are downloaded in gzip when the client accepts it (docs/protocol.md §11.3).
    #[serde(rename = "content-gzip")]
    pub content_gzip: bool,
    /// The fault plan: the first entry that strikes decides.
    pub faults: Vec<Fault>,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            batch: Batch::default(),
            short: Short::default(),
            etag_up: EtagUp::default(),
            etag_up_delay: Duration::from_secs(2),
            count_lag: CountLag::default(),
            details: Details::default(),
            gone: Gone::default(),
            flap: Flap::default(),
            visible: Duration::ZERO,
            cas_move: CasMove::default(),
            cas_rename: CasRename::default(),
            cas_folder: CasFolder::default(),
            cas_delete: CasDelete::default(),
            name_taken: NameTaken::default(),
            names: Names::default(),
            folder_ext: FolderExt::default(),
            leading_dot: LeadingDot::default(),
            name_limit: NameLimit::default(),
            name_bad: NameBad::default(),
            name_bad_answer: NameBadAnswer::default(),
            putback: Putback::default(),
            sig: Sig::default(),
            zero: Zero::default(),
            zero_up: ZeroUp::default(),
            range: Range::default(),
            url_life: Duration::from_secs(3600),
            url_dead: UrlDead::default(),
            url_host: UrlHost::default(),
            body_lag: BodyLag::default(),
            body_lag_time: Duration::from_secs(3),
            slot_life: Duration::from_secs(3600),
            commit_twice: CommitTwice::default(),
            quota: Quota::default(),
            quota_left: 0,
            mtime: Mtime::default(),
            busy: Busy::default(),
            throttle: Throttle::default(),
            throttle_for: Duration::from_secs(1),
            throttle_every: 10,
            srp: Srp::default(),
            srp_name: SrpName::default(),
            two_factor: TwoFactor::default(),
            escrow: Escrow::default(),
            escrow_header: EscrowHeader::default(),
            escrow_token: EscrowToken::default(),
            retrust: Retrust::default(),
            renew: Renew::default(),
            partial: Partial::default(),
            trust_ip: TrustIp::default(),
            trust_roll: TrustRoll::default(),
            hashcash: Hashcash::default(),
            push: Push::default(),
            fteu: Fteu::default(),
            conflict_ok: ConflictOk::default(),
            region: Region::default(),
            session: SessionTrouble::default(),
            package: Package::default(),
            flip: Flip::default(),
            applib_count: ApplibCount::default(),
            applib_empty: ApplibEmpty::default(),
            shared: Shared::default(),
            purge: Purge::default(),
            feed: Feed::default(),
            feed_delay: Duration::from_secs(30),
            feed_loses_every: 1,
            feed_padding: 0,
            feed_names: FeedNames::default(),
            aps: Aps::default(),
            aps_hold: Duration::from_secs(30),
            aps_life: Duration::from_secs(43_200),
            aps_ttl: Duration::from_secs(43_200),
            slow_root: Duration::ZERO,
            slow_trash: Duration::ZERO,
            slow_trashing: Duration::ZERO,
            slow_commit: Duration::ZERO,
            latency: Duration::ZERO,
            bandwidth: None,
            content_redirect: None,
            content_gzip: false,
            faults: Vec::new(),
        }
    }
}

impl Switches {
    /// Sets one member by its JSON name and text value, as `S-name=value` on a command line gives it.
    ///
    /// # Errors
    /// A text that names the switch when there is none of that name or it knows no such value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let as_text = serde_json::Value::String(value.to_owned());
        let as_json = serde_json::from_str(value).unwrap_or_else(|_| as_text.clone());
        self.merge(&serde_json::json!({ name: as_text }))
            .or_else(|error| self.merge(&serde_json::json!({ name: as_json })).map_err(|_| error))
    }

    /// Sets the members that this JSON object names and leaves the others.
    ///
    /// # Errors
    /// A text that names what is wrong; nothing is changed then.
    pub fn merge(&mut self, changes: &serde_json::Value) -> Result<(), String> {
        let serde_json::Value::Object(changes) = changes else {
            return Err("switches must be a JSON object".to_owned());
        };
        let mut whole = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            whole[name.as_str()] = value.clone();
        }
        *self = serde_json::from_value(whole).map_err(|error| {
            let names: Vec<_> = changes.keys().map(String::as_str).collect();
            format!("switch {}: {error}", names.join(", "))
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_json() {
        let mut switches = Switches::default();
        for (name, value) in [
            ("S-batch", "refuse-over-7"),
            ("S-count-lag", "60 s"),
            ("S-2fa", "409+token"),
            ("S-gone", "404"),
            ("S-visible", "3 s"),
            ("S-url-life", "250ms"),
            ("S-busy", "random-0.25"),
            ("bandwidth", "65536"),
            ("quota-left", "10"),
        ] {
            switches.set(name, value).unwrap();
        }
        assert_eq!(switches.batch, Batch::RefuseOver(7));
        assert_eq!(switches.count_lag, CountLag::After(Duration::from_secs(60)));
        assert_eq!(switches.two_factor, TwoFactor::Status409Token);
        assert_eq!(switches.gone, Gone::Status404);
        assert_eq!(switches.url_life, Duration::from_millis(250));
        assert_eq!(switches.bandwidth, Some(65536));
        let json = serde_json::to_string(&switches).unwrap();
        assert_eq!(serde_json::from_str::<Switches>(&json).unwrap(), switches);
    }

    #[test]
    fn unknown_names_and_values_are_refused() {
        let mut switches = Switches::default();
        assert!(switches.set("S-nothing", "x").unwrap_err().contains("S-nothing"));
        assert!(switches.set("S-2fa", "x").unwrap_err().contains("S-2fa"));
        assert!(switches.set("S-visible", "3 d").is_err());
        assert_eq!(switches, Switches::default());
    }
}
