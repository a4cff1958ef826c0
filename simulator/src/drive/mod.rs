//! The drive half: the drive itself, drivews, docws, the content hosts, and what other devices do.

pub mod access;
pub mod answers;
pub mod commit;
pub mod content_host;
pub mod control;
pub mod docws;
mod drive_state;
pub mod generate;
pub mod lane;
mod lifelike;
pub mod listing;
pub mod model;
pub mod multipart;
pub mod mutations;
pub mod package;
pub mod person;
mod refusals;
pub mod staging;
pub mod wire;

pub(crate) use self::access::{Call, with_drive, with_hashes};
use self::answers::no_such_call;
pub use self::drive_state::{Asked, Drive};
use crate::http::{Request, Response};
use crate::route::{Route, Service};
use crate::state::Core;

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

/// Fills the drive with so many generated items; `seed` decides them.
pub fn seed(core: &Core, items: usize, seed: u64) {
    with_drive(core, |drive, _| generate::many(&mut drive.model, &generate::Scale::of(items, seed)));
}
