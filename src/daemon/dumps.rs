//! Writes the five state files around passes; a failure is said and costs nothing else.

use crate::config::Config;
use crate::engine::pass::Engine;
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

    /// What is known when a pass begins.
    pub fn before(&self, engine: &Engine) {
        self.local(engine, DumpFile::LocalBefore);
        self.remote(engine, DumpFile::RemoteBefore);
    }

    /// What is known when it ended.
    pub fn after(&self, engine: &Engine) {
        self.local(engine, DumpFile::LocalAfter);
        self.remote(engine, DumpFile::RemoteAfter);
        self.remote(engine, DumpFile::RefreshAfter);
    }

    /// All five, as things are known now.
    pub fn all(&self, engine: &Engine) {
        self.before(engine);
        self.after(engine);
    }

    fn local(&self, engine: &Engine, which: DumpFile) {
        let base = &engine.state.base;
        // Before the first look, what both sides agreed on is what is known.
        self.write(
            which,
            engine.local.as_ref().map_or(Known::BaseLocal(base), |view| Known::Local(&view.tree, base)),
        );
    }

    fn remote(&self, engine: &Engine, which: DumpFile) {
        let base = &engine.state.base;
        self.write(
            which,
            engine.remote.as_ref().map_or(Known::BaseRemote(base), |view| Known::Remote(&view.tree)),
        );
    }

    fn write(&self, which: DumpFile, known: Known<'_>) {
        if let Err(error) = self.0.write(which, known) {
            log::warn!("cannot write the state file {}: {error}", which.name());
        }
    }
}
