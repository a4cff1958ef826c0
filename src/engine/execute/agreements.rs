//! What only the base learns: no call, no transfer.

use crate::engine::operation::{LocalSeen, Parent, RemoteSeen};
use crate::engine::ports::Ports;
use crate::model::name::Name;
use crate::model::{ItemId, LocalStamp, Presence, Signature};

use super::done::Done;
use super::report::StepFailure;
use super::stage::{Acted, Known, Next, Stage};

/// Both sides hold the same.
pub(super) struct Agree<'a> {
    pub(super) index: usize,
    pub(super) remote: &'a RemoteSeen,
    pub(super) local: &'a LocalSeen,
    /// Where both contents were read just now: their signature, and whether it is a package's.
    pub(super) read: Option<(Signature, bool)>,
}

impl<'a> Stage<'a> for Agree<'a> {
    fn act(
        self: Box<Self>,
        _ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let mut remote = known.own.remote(self.remote);
        if let Some((_, package)) = self.read {
            remote.package = package;
        }
        let read = self.read.map(|(signature, _)| signature);
        acted.did(self.index, Done::Agreed { remote, local: known.own.local(self.local), read });
        Ok(Next::Finished)
    }
}

/// The base forgets an item.
pub(super) struct Forget<'a> {
    pub(super) index: usize,
    pub(super) id: &'a ItemId,
}

impl<'a> Stage<'a> for Forget<'a> {
    fn act(
        self: Box<Self>,
        _ports: &Ports<'_>,
        _known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        acted.did(self.index, Done::Forgotten(self.id.clone()));
        Ok(Next::Finished)
    }
}

/// The base remembers on which side a folder stands, and where.
pub(super) struct Keep<'a> {
    pub(super) index: usize,
    pub(super) id: &'a ItemId,
    pub(super) presence: Presence,
    pub(super) place: Option<&'a (Parent, Name)>,
    pub(super) stamp: Option<&'a LocalStamp>,
}

impl<'a> Stage<'a> for Keep<'a> {
    fn act(
        self: Box<Self>,
        _ports: &Ports<'_>,
        known: &Known<'_>,
        acted: &mut Acted,
    ) -> Result<Next<'a>, StepFailure> {
        let Self { index, id, presence, place, stamp } = *self;
        if known.base().entry(id).is_none() || known.base().is_forgotten(id) {
            return Err(StepFailure::replan("the base does not know it any more"));
        }
        let place = match place {
            Some((parent, name)) => Some((known.parent(parent)?, name.clone())),
            None => None,
        };
        if place.as_ref().is_some_and(|(parent, _)| known.base().is_within(parent, id)) {
            return Err(StepFailure::replan("the folder it is in has yet to leave it"));
        }
        acted.did(index, Done::PresenceSet { id: id.clone(), presence, place, stamp: stamp.copied() });
        Ok(Next::Finished)
    }
}
