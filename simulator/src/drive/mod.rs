//! The drive half: drive model, drivews, docws and the content hosts.

use crate::http::{Request, Response};
use crate::route::{Route, Service};
use crate::sim::Core;

/// The drive half's part of the simulator.
#[derive(Debug, Default)]
pub struct Drive {}

/// Answers one call to drivews, docws, a content host, or the control endpoint below `/_sim/drive`.
pub fn handle(core: &Core, route: &Route, request: Request) -> Response {
    if matches!(route.service, Service::Drivews | Service::Docws)
        && let Err(refusal) = core.check_service(&request)
    {
        return refusal;
    }

    Response::text(404, &format!("no such call: {}", route.rest))
}

/// Fills the drive with about so many generated items.
pub fn seed(_core: &Core, _items: usize) {}
