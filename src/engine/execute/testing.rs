//! Small values for the executor's tests.

use crate::engine::operation::{Action, LocalSeen, Operation, Reason, RemoteSeen};
use crate::engine::ports::{RemoteItem, RemoteParent};
use crate::model::state::Calibration;
use crate::model::{
    BaseEntry, Change, DiskTime, Etag, FolderState, Identity, ItemId, LocalEntry, LocalKind, LocalStamp,
    Presence, RelPath, RemoteEntry, RemoteKind, Side, Signature, State,
};

use super::pending::{Moment, Overlay, PendingBase};

pub(super) fn id(text: &str) -> ItemId {
    ItemId::new(ItemId::drive_root().zone().clone(), text)
}

pub(super) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

pub(super) fn stamp(inode: u64, ctime: i64) -> LocalStamp {
    let ctime = DiskTime(ctime.saturating_mul(1_000_000_000));
    LocalStamp { ctime, identity: Identity { inode, birth: None.into() }, ..LocalStamp::default() }
}

pub(super) fn signature(byte: u8) -> Signature {
    Signature([byte; 20])
}

pub(super) fn local(at: &str, stamp: LocalStamp) -> LocalSeen {
    LocalSeen { path: path(at), stamp, racy: false, signature: None }
}

/// `item`, named `planned` in the folder `planned folder`.
pub(super) fn remote(etag: &str) -> RemoteSeen {
    RemoteSeen {
        id: id("item"),
        folder: false,
        package: false,
        etag: Etag::new(etag),
        parent: id("planned folder"),
        name: "planned".into(),
        size: None,
        mtime: None,
        signature: None,
    }
}

pub(super) fn item(etag: &str, name: &str, parent: RemoteParent) -> RemoteItem {
    let entry = RemoteEntry {
        id: id("item"),
        kind: RemoteKind::File,
        name: name.into(),
        etag: Etag::new(etag),
        size: None.into(),
        mtime: None.into(),
        signature: None.into(),
        state: FolderState::Unread,
    };
    RemoteItem { entry, parent }
}

pub(super) fn local_entry(kind: LocalKind, stamp: LocalStamp) -> LocalEntry {
    LocalEntry {
        kind,
        stamp,
        racy: false,
        signature: None.into(),
        state: FolderState::Unread,
        holds_unnameable: false,
    }
}

pub(super) fn operation(action: Action, at: &str) -> Operation {
    Operation { action, path: path(at), reason: Reason::Same, after: Default::default() }
}

/// An entry of the base, of the same name on both sides.
pub(super) fn entry(of: &str, name: &str, stamp: LocalStamp, etag: &str) -> BaseEntry {
    BaseEntry {
        id: id(of),
        folder: false,
        package: false,
        presence: Presence::Both,
        local_name: name.into(),
        remote_name: name.into(),
        etag: Etag::new(etag),
        remote_size: None.into(),
        remote_mtime: None.into(),
        stamp,
        racy: false,
        signature: None,
        created_on: None.into(),
        written_at: None.into(),
    }
}

pub(super) fn folder(of: &str, name: &str, inode: u64) -> BaseEntry {
    BaseEntry { folder: true, ..entry(of, name, stamp(inode, 1), "f::f") }
}

/// A state whose base holds these, each in the folder of that id; `top` is the drive's root.
pub(super) fn state(entries: impl IntoIterator<Item = (&'static str, BaseEntry)>) -> State {
    let mut state = State::empty();
    for (parent, entry) in entries {
        let parent = if parent == "top" { ItemId::drive_root() } else { id(parent) };
        assert!(state.apply(&Change::Put { parent, entry: Box::new(entry) }), "the folder comes first");
    }
    state
}

/// That state at the time 1000, with what is pending.
pub(super) fn moment<'a>(state: &'a State, overlay: &'a Overlay) -> Moment<'a> {
    Moment { base: PendingBase::new(state, overlay, Calibration::default()), now: 1000, is_recent: false }
}

pub(super) const ICLOUD: Reason = Reason::New(Side::Remote);
