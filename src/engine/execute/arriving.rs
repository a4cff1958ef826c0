//! What a line beside the state says of something that is about to get its name here.

use crate::engine::operation::RemoteSeen;
use crate::model::{Arriving, Identity, RelPath, Signature};

/// What a line says of `remote`, which comes here.
pub(super) fn arriving(
    path: &RelPath,
    remote: RemoteSeen,
    content: Option<Signature>,
    identity: Option<Identity>,
) -> Arriving {
    let RemoteSeen { id, folder, package, etag, parent, name, size, mtime, signature: _ } = remote;
    let name = name.to_string();
    let path = path.clone();
    Arriving { path, id, parent, etag, name, folder, package, size, mtime, content, identity }
}
