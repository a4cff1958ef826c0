//! Writes the five state files around passes; a failure is said and costs nothing else.

use crate::config::Config;
use crate::engine::pass::{Engine, Walk};
use crate::state_dump::{DumpFile, Known, StateDump};

/// The state files of one daemon.
#[derive(Clone)]
pub(super) struct Dumps(StateDump);

impl Dumps {
    /// Where `log.state_dump` asks for them.
    pub fn of(config: &Config) -> Option<Self> {
        config.log.state_dump.then(|| Self::beside_state(config))
    }

    /// For SIGUSR2, whatever is configured.
    pub fn beside_state(config: &Config) -> Self {
        Self(StateDump::new(config.log.file.as_deref(), &config.sync.state_directory))
    }

    /// What was known of iCloud before a walk.
    pub fn before_walk(&self, walk: &Walk) {
        let known = walk.previous().map_or(Known::BaseRemote(walk.base()), |view| Known::Remote(&view.tree));
        self.write(DumpFile::RemoteBefore, known);
    }

    /// What is known here when a pass begins, and the listing of iCloud that it works from.
    pub fn before_pass(&self, engine: &Engine) {
        self.local(engine, DumpFile::LocalBefore);
        self.remote(engine, DumpFile::RefreshAfter);
    }

    /// What is known when it ended.
    pub fn after_pass(&self, engine: &Engine) {
        self.local(engine, DumpFile::LocalAfter);
        self.remote(engine, DumpFile::RemoteAfter);
    }

    /// All five, as things are known now.
    pub fn all(&self, engine: &Engine) {
        self.before_walk(&engine.walk());
        self.before_pass(engine);
        self.after_pass(engine);
    }

    fn local(&self, engine: &Engine, which: DumpFile) {
        let base = &engine.state().base;
        // Before the first look, what both sides agreed on is what is known.
        self.write(
            which,
            engine.local_view().map_or(Known::BaseLocal(base), |view| Known::Local(&view.tree, base)),
        );
    }

    fn remote(&self, engine: &Engine, which: DumpFile) {
        let base = &engine.state().base;
        self.write(
            which,
            engine.remote_view().map_or(Known::BaseRemote(base), |view| Known::Remote(&view.tree)),
        );
    }

    fn write(&self, which: DumpFile, known: Known<'_>) {
        if let Err(error) = self.0.write(which, known) {
            log::warn!("cannot write the state file {}: {error}", which.name());
        }
    }
}
