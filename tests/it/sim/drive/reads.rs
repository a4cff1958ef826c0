//! What the drive shows: listings, look-ups and contents.

use std::time::Duration;

use icloudds::engine::ports::{Fetched, Listing, LookUp, Offer, RemoteError, RemoteItem, RemoteParent, Sink};
use icloudds::model::name::check_name;
use icloudds::model::{AccountProblem, Etag, FolderState, ItemId, RemoteEntry, RemoteKind, Zone};

use super::items::{Map, children, subtree};
use super::{Detail, Drive, Kind, Looked, Place, SimDrive};
use crate::sim::fuse::{Call, Fault};
use crate::sim::journal::Bytes;
use crate::sim::rng::Rng;

/// A fault of a call as a whole, where it is one.
pub(super) fn failed(fault: Option<Fault>) -> Result<(), RemoteError> {
    match fault {
        Some(Fault::Unreachable) => Err(RemoteError::Unreachable("connection refused".into())),
        Some(Fault::Busy) => Err(RemoteError::Busy { message: "ZONE_BUSY".into(), retry_after: None }),
        Some(Fault::Rest) => {
            Err(RemoteError::Busy { message: "HTTP 503".into(), retry_after: Some(Duration::from_secs(20)) })
        }
        Some(Fault::LostRequest) => Err(RemoteError::Uncertain("connection reset".into())),
        Some(Fault::Quota) => Err(RemoteError::Quota("Quota exceeded".into())),
        Some(Fault::Refused) => Err(RemoteError::Refused("HTTP 400".into())),
        Some(Fault::Account) => Err(RemoteError::Account {
            cause: AccountProblem::SecondFactor,
            message: "the password has changed".into(),
        }),
        _ => Ok(()),
    }
}

/// The faults of every read.
const READ: [Fault; 4] = [Fault::Unreachable, Fault::Busy, Fault::Account, Fault::Rest];
/// The faults of a listing.
const LIST: [Fault; 8] = [
    Fault::Unreachable,
    Fault::Busy,
    Fault::Account,
    Fault::LateListing,
    Fault::PartialListing,
    Fault::ShortListing,
    Fault::ShuffledListing,
    Fault::Rest,
];
/// The faults of one item of a look-up.
const LOOK: [Fault; 3] = [Fault::Flap, Fault::NoAnswer, Fault::LateAnswer];
/// The faults of a fetch.
const FETCH: [Fault; 6] =
    [Fault::Unreachable, Fault::Busy, Fault::Short, Fault::Corrupt, Fault::StartOver, Fault::Rest];

impl SimDrive {
    /// The moment that a listing shows, and chance for what it leaves out.
    fn moment(&self, fault: Option<Fault>, about: &str) -> (i64, Rng) {
        let now = self.now();
        let mut rng = Rng::new(crate::sim::rng::keyed(self.fuse.steps(), about, 0));
        let late = if fault == Some(Fault::LateListing) { (rng.unit() * 25e9) as i64 } else { 0 };
        let delay = self.held().switches.visible_after;
        (now - late.max(delay * 1_000_000_000), rng)
    }

    /// Others act while the root or the trash is listed, where that is slow. The moment that the answer shows: that of the question,
    /// or that of the answer.
    fn answer_slowly(&self, about: &str) -> Result<i64, RemoteError> {
        let seconds = self.held().switches.slow_lists;
        let asked = self.now();
        if seconds > 0 {
            self.is_under_way(Duration::from_secs(seconds.unsigned_abs()), about)?;
            let mut rng = Rng::new(crate::sim::rng::keyed(self.fuse.steps(), "slow answer", 0));
            if rng.chance(0.5) {
                return Ok(asked);
            }
        }
        Ok(self.now())
    }

    /// An answer is under way for so long, and others act meanwhile.
    fn is_under_way(&self, time: Duration, about: &str) -> Result<(), RemoteError> {
        self.clock.advance(time / 2);
        self.fuse.enter(Call::SlowAnswer, about, &[])?;
        self.clock.advance(time / 2);
        Ok(())
    }

    pub(super) fn list_one(&self, id: &ItemId, brief: bool) -> Result<Listing, RemoteError> {
        let about = id.to_string();
        let fault = self.fuse.enter(Call::List, &about, &LIST)?;
        failed(fault)?;
        let is_root = *id == ItemId::drive_root();
        let shown = if is_root { self.answer_slowly(&about)? } else { self.now() };
        let (at, mut rng) = self.moment(fault, &about);
        let at = at.min(shown);
        let mut drive = self.held();
        drive.items.settle(self.now());
        let map = drive.items.as_of(at).into_owned();
        let folder = map.get(id).ok_or(RemoteError::Gone)?;
        if !folder.is_folder() {
            return Err(RemoteError::Refused("this is no folder of the account's own".into()));
        }
        if !drive.switches.lists_trashed && is_trashed(&map, id) {
            return Err(RemoteError::Refused("HTTP 404".into()));
        }
        let ids = children(&map, id);
        let parent = RemoteParent::Folder(id.clone());
        let entry = drive.entry(id, folder, Detail::Listed);
        Ok(drive.listing(&map, entry, ids, &parent, brief, fault, &mut rng))
    }

    pub(super) fn list_trash_now(&self) -> Result<Listing, RemoteError> {
        let fault = self.fuse.enter(Call::ListTrash, "", &LIST)?;
        failed(fault)?;
        let shown = self.answer_slowly("trash")?;
        let (at, mut rng) = self.moment(fault, "trash");
        let at = at.min(shown);
        let mut drive = self.held();
        let at = at.min(self.now() - drive.switches.trash_after * 1_000_000_000);
        drive.items.settle(self.now());
        let map = drive.items.as_of(at).into_owned();
        let trashed = map.iter().filter(|(_, item)| matches!(item.place, Place::Trash(_)));
        let ids = trashed.map(|(id, _)| id.clone()).collect();
        let entry = RemoteEntry {
            id: ItemId::new(Zone::CloudDocs, "TRASH_ROOT"),
            kind: RemoteKind::Folder,
            name: "".into(),
            etag: Etag::default(),
            size: None.into(),
            mtime: None.into(),
            signature: None.into(),
            state: FolderState::Unread,
        };
        Ok(drive.listing(&map, entry, ids, &RemoteParent::Trash, false, fault, &mut rng))
    }

    pub(super) fn look_up_all(&self, items: &[(ItemId, bool)]) -> Result<Vec<LookUp>, RemoteError> {
        let about = items.first().map(|(id, _)| id.to_string()).unwrap_or_default();
        failed(self.fuse.enter(Call::LookUp, &about, &READ)?)?;
        let mut answers = Vec::new();
        let (pauses, mut is_late) = (self.clock.pauses(), false);
        for (id, _) in items {
            let fault = self.fuse.enter(Call::LookUp, &id.to_string(), &LOOK)?;
            is_late |= fault == Some(Fault::LateAnswer);
            let mut drive = self.held();
            drive.items.settle(self.now());
            let caller = drive.caller;
            let mutations = drive.mutations.get(&caller).copied().unwrap_or(0);
            let detail = if drive.switches.look_up_signs { Detail::Document } else { Detail::Listed };
            answers.push(match fault {
                Some(Fault::Flap) => LookUp::Gone,
                Some(Fault::NoAnswer) => LookUp::Unknown,
                _ => match drive.shown(id, detail) {
                    Ok(mut found) => {
                        let at = self.now() - drive.switches.placed_after * 1_000_000_000;
                        if let Some(former) = drive.items.as_of(at).get(id) {
                            found.parent = Drive::parent(former);
                        }
                        let content = drive.items.get(id).map_or(0, |item| item.content);
                        let looked = Looked { mutations, pauses, content, at: self.now() };
                        drive.looked.insert((caller, id.clone()), looked);
                        LookUp::Found(found)
                    }
                    Err(_) if drive.switches.gone => LookUp::Gone,
                    Err(_) => LookUp::Unknown,
                },
            });
        }
        if is_late {
            self.is_under_way(Duration::from_secs(12), &about)?;
        }
        Ok(answers)
    }

    pub(super) fn offer(&self, id: &ItemId) -> Result<Offer, RemoteError> {
        failed(self.fuse.enter(Call::Offers, &id.to_string(), &READ)?)?;
        let mut drive = self.held();
        let item = drive.items.get(id).ok_or(RemoteError::Gone)?.clone();
        if !item.is_file() {
            return Err(RemoteError::Refused("no content".into()));
        }
        if item.body.is_empty() {
            // The service answers 400 for an empty file (`docs/protocol.md` §11.2).
            return Err(RemoteError::Refused("HTTP 400".into()));
        }
        let (signature, signature_text) = drive.signature(&item.body);
        let package = item.kind == Kind::Package;
        let url = format!("sim://{id}/{}/{}", item.etag(), drive.offers.len());
        let body: Bytes = if package && drive.switches.packages_vary {
            [&*item.body, &(drive.offers.len() as u64).to_be_bytes()].concat().into()
        } else {
            item.body.clone()
        };
        // A version from a time that a clock has left again since does not lag for ever.
        let age = self.now().div_euclid(1_000_000_000).saturating_sub(item.mtime);
        let lags = age.abs() < drive.switches.body_lag;
        // Of a package nobody tells the size, so that nobody could notice.
        let body = if drive.switches.body_lag > 0 && lags && !package {
            body[..body.len() / 3].into()
        } else {
            body
        };
        drive.offers.insert(url.clone(), body);
        let signature = if package { None } else { signature };
        Ok(Offer { id: id.clone(), etag: item.etag(), signature, signature_text, package, url })
    }

    pub(super) fn fetch_into(
        &self,
        offer: &Offer,
        size: Option<u64>,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Fetched, RemoteError> {
        let fault = self.fuse.enter(Call::Fetch, &offer.id.to_string(), &FETCH)?;
        failed(fault)?;
        let (body, ranges) = {
            let drive = self.held();
            let body = drive.offers.get(&offer.url).cloned();
            (body.ok_or(RemoteError::Damaged("HTTP 410".into()))?, drive.switches.ranges)
        };
        let broken = |error: std::io::Error| RemoteError::Damaged(format!("cannot keep it: {error}"));
        let start_over = from > 0
            && (offer.package || !ranges || fault == Some(Fault::StartOver) || from > body.len() as u64);
        if start_over {
            sink.restart().map_err(broken)?;
        }
        let from = if start_over { 0 } else { from };
        let mut rest = body[usize::try_from(from).unwrap_or(usize::MAX).min(body.len())..].to_vec();
        match fault {
            Some(Fault::Short) => rest.truncate(rest.len() / 2),
            Some(Fault::Corrupt) => {
                if let Some(byte) = rest.last_mut() {
                    *byte ^= 0x20;
                }
            }
            _ => {}
        }
        for piece in rest.chunks(rest.len().div_ceil(3).max(1)) {
            sink.write_all(piece).map_err(broken)?;
            self.fuse.step()?;
        }
        let written = rest.len() as u64;
        if fault == Some(Fault::Short) || size.is_some_and(|size| size != from + written) {
            return Err(RemoteError::Damaged(format!("{} of {size:?} bytes came", from + written)));
        }
        Ok(Fetched { from, written })
    }
}

impl Drive {
    #[allow(clippy::too_many_arguments)]
    fn listing(
        &mut self,
        map: &Map,
        mut folder: RemoteEntry,
        mut ids: Vec<ItemId>,
        parent: &RemoteParent,
        brief: bool,
        fault: Option<Fault>,
        rng: &mut Rng,
    ) -> Listing {
        folder.state = FolderState::Complete;
        match fault {
            Some(Fault::PartialListing) => {
                ids.retain(|_| rng.chance(0.5));
                folder.state = FolderState::Incomplete;
            }
            Some(Fault::ShortListing) => ids.retain(|_| rng.chance(0.5)),
            Some(Fault::ShuffledListing) => ids.reverse(),
            _ => {}
        }
        let is_counted = self.switches.counts && map.contains_key(&folder.id) && !brief;
        let count = || subtree(map, &folder.id).iter().filter(|id| map[*id].is_file()).count() as u64;
        let file_count = is_counted.then(count);
        let mut listing = Listing { folder, items: Vec::new(), unusable: Vec::new(), file_count };
        if let Some(item) = map.get(&listing.folder.id) {
            self.shown.insert(listing.folder.id.clone(), item.deep);
        }
        let detail = if brief { Detail::Brief } else { Detail::Listed };
        for id in ids {
            let item = &map[&id];
            if !brief && let Err(error) = check_name(&item.name) {
                listing.unusable.push((item.name.clone(), error.to_string()));
                continue;
            }
            self.shown.insert(id.clone(), item.deep);
            let entry = self.entry(&id, item, detail);
            listing.items.push(RemoteItem { entry, parent: parent.clone() });
        }
        listing
    }
}

/// Whether an item lies in the trash, or below a folder that does.
fn is_trashed(map: &Map, id: &ItemId) -> bool {
    let mut at = map.get(id);
    while let Some(item) = at {
        at = match &item.place {
            Place::Trash(_) => return true,
            Place::Folder(folder) => map.get(folder),
            Place::Nowhere => None,
        };
    }
    false
}
