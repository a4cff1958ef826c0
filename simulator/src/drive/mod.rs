//! The drive half: the drive itself, drivews, docws, the content hosts, and what other devices do.

pub mod answers;
pub mod commit;
pub mod content_host;
pub mod control;
pub mod docws;
pub mod generate;
pub mod lane;
pub mod listing;
pub mod model;
pub mod multipart;
pub mod mutations;
pub mod package;
pub mod person;
pub mod staging;
pub mod wire;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use self::lane::Refusals;
use self::model::content::Hashes;
use self::model::{Ix, Model};
use self::staging::Staging;
use crate::http::{Request, Response};
use crate::route::{Route, Service};
use crate::sim::Core;
use crate::switches::Switches;

/// The drive half's part of the simulator.
#[derive(Debug)]
pub struct Drive {
    /// Items, zones, trash.
    pub model: Model,
    /// Slots, staged contents, download addresses.
    pub staging: Staging,
    /// Which writes S-busy refuses by chance.
    refusals: Refusals,
    /// So many createFolders calls still answer `UNKNOWN` though they work (`docs/protocol.md §10.1`).
    pub unknown_creates: u32,
    /// Listings give packages this size instead of their own.
    pub package_size: Option<u64>,
    /// Broken invariants that wait to be recorded: the drive cannot reach the record while it is locked.
    broken: Vec<String>,
    /// Ids that already answered "gone" once (S-flap).
    flapped: HashSet<Ix>,
    /// How often the two listings that cost the service much were asked for.
    pub asked: Asked,
    /// The drive's changes when the root was last listed.
    root_listed_at: Option<u64>,
    /// How often each folder was listed (S-short strikes every other time).
    listed: HashMap<Ix, u64>,
    /// Hashes of contents by item, with the content's change number.
    hashes: HashMap<Ix, (u64, Hashes)>,
}

impl Drive {
    /// An empty drive at the machine's time; `seed` decides the ids it will give.
    pub fn new(seed: u64) -> Self {
        Self {
            model: Model::new(seed, millis_since_1970(SystemTime::now())),
            staging: Staging::new(seed),
            refusals: Refusals::new(seed),
            unknown_creates: 0,
            package_size: None,
            broken: Vec::new(),
            flapped: HashSet::new(),
            asked: Asked::default(),
            root_listed_at: None,
            listed: HashMap::new(),
            hashes: HashMap::new(),
        }
    }
}

/// How often the two listings that cost the service much were asked for (`docs/protocol.md` §8.1, §9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The root's.
    pub root: u64,
    /// The trash's.
    pub trash: u64,
    /// Either in one request with another folder, which then waits for it.
    pub mixed: u64,
}

impl Default for Drive {
    fn default() -> Self {
        Self::new(1)
    }
}

/// One call with what its answer may depend on.
pub(crate) struct Call<'a> {
    /// The simulator.
    pub core: &'a Core,
    /// The request; its body is still unread.
    pub request: Request,
    /// Decoded path below the service's root.
    pub rest: &'a str,
}

/// Answers one call to drivews, docws or a content host.
pub fn handle(core: &Core, route: &Route, request: Request) -> Response {
    let mut upload_token = String::new();
    if matches!(route.service, Service::Drivews | Service::Docws) {
        match core.check_service(&request) {
            Ok(session) => upload_token = session.upload_token,
            Err(answer) => return answer,
        }
    }
    let call = Call { core, request, rest: &route.rest };
    match route.service {
        Service::Drivews => match route.rest.trim_end_matches('/') {
            "/retrieveItemDetailsInFolders" => listing::folders(call),
            "/retrieveItemDetails" => listing::details(call),
            "/retrieveTrashDetails" => listing::trash_details(call),
            "/retrieveAppLibraries" => listing::app_libraries(call),
            "/createFolders" => mutations::create_folders(call),
            "/renameItems" => mutations::rename(call),
            "/moveItems" => mutations::move_items(call),
            "/moveItemsToTrash" => mutations::trash(call),
            "/deleteItems" => mutations::delete(call),
            "/putBackItemsFromTrash" => mutations::put_back(call),
            _ => no_such_call(&route.rest),
        },
        Service::Docws => docws::handle(call, &upload_token),
        Service::Content => content_host::handle(call),
        Service::Control => control::handle(call),
        _ => no_such_call(&route.rest),
    }
}

fn no_such_call(rest: &str) -> Response {
    Response::text(404, &format!("no such call: {rest}"))
}

/// Fills the drive with so many generated items; `seed` decides them.
pub fn seed(core: &Core, items: usize, seed: u64) {
    with_drive(core, |drive, _| generate::many(&mut drive.model, &generate::Scale::of(items, seed)));
}

/// Runs `act` on the drive as of now. Must not do I/O: everything else waits meanwhile.
pub(crate) fn with_drive<T>(core: &Core, act: impl FnOnce(&mut Drive, &Switches) -> T) -> T {
    let mut state = core.state();
    let now = state.now();
    let switches = Arc::new(state.switches.clone());
    // The machine's clock may be set back; the drive's never goes back.
    let now_ms = millis_since_1970(now).max(state.drive.model.now_ms());
    state.drive.model.tick(now_ms, Arc::clone(&switches));
    act(&mut state.drive, &switches)
}

fn millis_since_1970(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 4)
}

/// Runs `act` with the hashes of a file's present content (`None` for anything else), which are computed outside
/// the lock and remembered.
///
/// # Errors
///
/// When a spool file cannot be read.
pub(crate) fn with_hashes<T>(
    core: &Core,
    ix: Ix,
    act: impl FnOnce(&mut Drive, &Switches, Option<&Hashes>) -> T,
) -> std::io::Result<T> {
    loop {
        let (rev, content) = with_drive(core, |drive, _| {
            let item = drive.model.item(ix);
            let known = drive.hashes.get(&ix).is_some_and(|(rev, _)| *rev == item.content_rev);
            (item.content_rev, item.content.clone().filter(|_| !known))
        });
        if let Some(content) = content {
            let hashes = content.hashes()?;
            with_drive(core, |drive, _| drive.hashes.insert(ix, (rev, hashes)));
        }
        let mut state = core.state();
        let state = &mut *state;
        // Another device may have written the file while its content was read.
        if state.drive.model.item(ix).content_rev == rev {
            let hashes = state.drive.hashes.get(&ix).map(|(_, hashes)| *hashes);
            let hashes = hashes.filter(|_| state.drive.model.item(ix).content.is_some());
            return Ok(act(&mut state.drive, &state.switches, hashes.as_ref()));
        }
    }
}
