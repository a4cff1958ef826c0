//! Looking at iCloud beside the engine: a walk may take long, and nothing here has to wait for it.

use std::sync::Arc;

use super::settings::{PassError, Settings};
use crate::engine::observe::remote::{
    Glance, Scope, Touched, observe_by_etag, observe_remote, observe_touched,
};
use crate::engine::ports::{Clock, Remote, RemoteError};
use crate::engine::view::RemoteView;
use crate::model::{BaseTree, LivedTime, Node, RelPath};

/// What a walk through iCloud starts from. It may run beside a pass that leaves iCloud alone, but never beside one that
/// changes it: such a look would be older than the base.
#[derive(Clone)]
pub struct Walk {
    pub(super) base: Arc<BaseTree>,
    pub(super) time: Option<LivedTime>,
    pub(super) previous: Option<Arc<RemoteView>>,
}

impl Walk {
    /// Whether iCloud was never looked at before.
    pub fn is_first(&self) -> bool {
        self.previous.is_none()
    }

    /// What was agreed when it began.
    pub fn base(&self) -> &BaseTree {
        &self.base
    }

    /// What the walk before saw, with our own writes since.
    pub fn previous(&self) -> Option<&RemoteView> {
        self.previous.as_deref()
    }

    /// The same without what the walk before saw: the first change of that, by whoever owns it, needs no copy then.
    #[must_use]
    pub fn anew(self) -> Self {
        Self { previous: None, ..self }
    }

    /// Walks through iCloud.
    ///
    /// # Errors
    ///
    /// [`PassError::WrongFolder`] when `remote_root` is not there any more, [`PassError::Remote`] else.
    pub fn run(
        &self,
        remote: &dyn Remote,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<RemoteView, PassError> {
        self.within(clock, settings, |scope| {
            observe_remote(remote, clock, &self.base, scope, self.previous())
        })
        .map(|view| self.renewed(view))
    }

    /// What was seen, sharing with what the walk before saw all that is equal: what is planned next goes by what has changed.
    fn renewed(&self, view: RemoteView) -> RemoteView {
        match self.previous() {
            Some(previous) => RemoteView { tree: previous.tree.renewed(view.tree), ..view },
            None => view,
        }
    }

    /// Looks where something is said to have changed, and at everything where that is not enough.
    ///
    /// # Errors
    ///
    /// As [`Walk::run`].
    pub fn run_where(
        &self,
        touched: &Touched,
        remote: &dyn Remote,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<Sight, PassError> {
        let Some(previous) = self.previous() else {
            return self.run(remote, clock, settings).map(Sight::Whole);
        };
        let glance = self.within(clock, settings, |scope| {
            observe_touched(remote, clock, &self.base, scope, previous, touched)
        })?;
        match glance {
            Glance::Nothing => Ok(Sight::Nothing),
            Glance::Seen(view) => Ok(Sight::Part(self.renewed(*view))),
            Glance::TooLittle(why) => {
                log::debug!("a hint where iCloud changed does not do, so all of it is looked at: {why}");
                if touched.spares_root {
                    return Ok(Sight::TooLittle);
                }
                self.run(remote, clock, settings).map(Sight::Whole)
            }
        }
    }

    /// Looks at the folders whose etag moved, and at everything where that is not enough.
    ///
    /// # Errors
    ///
    /// As [`Walk::run`].
    pub fn run_by_etag(
        &self,
        remote: &dyn Remote,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<Sight, PassError> {
        let Some(previous) = self.previous() else {
            return self.run(remote, clock, settings).map(Sight::Whole);
        };
        let look = |scope: &Scope<'_>| observe_by_etag(remote, clock, &self.base, scope, previous);
        match self.within(clock, settings, look)? {
            Glance::Nothing => Ok(Sight::Nothing),
            Glance::Seen(view) => Ok(Sight::Part(self.renewed(*view))),
            Glance::TooLittle(why) => {
                log::debug!("etags do not say where iCloud changed, so all of it is looked at: {why}");
                self.run(remote, clock, settings).map(Sight::Whole)
            }
        }
    }

    /// Looks with the scope that follows from the settings.
    fn within<T>(
        &self,
        clock: &dyn Clock,
        settings: &Settings,
        look: impl FnOnce(&Scope<'_>) -> Result<T, RemoteError>,
    ) -> Result<T, PassError> {
        let may_skip = |path: &RelPath| settings.filter.may_skip_subtree(path.as_str());
        let now = clock.reading();
        let scope = Scope {
            root: self.base.get(Node::ROOT).remote.id.clone(),
            root_is_library: settings.root_is_library,
            app_libraries: settings.app_libraries.clone(),
            may_skip: &may_skip,
            now: self.time.as_ref().map_or(now.wall, |time| time.seconds(now)),
        };
        look(&scope).map_err(|error| match error {
            RemoteError::Gone => PassError::WrongFolder(
                "the folder that sync.remote_root names is not on iCloud any more: restore it there, or \
                 choose another one and run `icloudds reset-state`"
                    .to_owned(),
            ),
            error => PassError::Remote(error),
        })
    }
}

/// What a look at iCloud brought.
pub enum Sight {
    /// Nothing that was not known.
    Nothing,
    /// Nothing, since everything has to be looked at and the root is not to be listed now.
    TooLittle,
    /// What a look at some folders saw, by a hint or by etag, and everything else as it was known.
    Part(RemoteView),
    /// What a whole walk saw.
    Whole(RemoteView),
}
