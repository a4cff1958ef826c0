//! The drive half: drive model, drivews, docws and the content hosts.

use crate::http::{Request, Response};
use crate::sim::{Core, Service};

/// The drive half's part of the simulator.
#[derive(Debug, Default)]
pub struct Drive {}

/// Answers one call to drivews, docws or a content host. `rest` is the decoded path below the service's root, with its leading `/`.
pub fn handle(_core: &Core, _service: Service, rest: &str, _request: Request) -> Response {
    Response::text(404, &format!("no such call: {rest}"))
}
