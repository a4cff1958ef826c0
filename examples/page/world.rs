//! A simulated iCloud, a folder, and the daemon with its page.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use icloudds_simulator::{SimConfig, Simulator};

use super::browser::Outcome;

/// The token of the page.
pub const TOKEN: &str = "0123456789abcdef-page";

/// One user's world.
pub struct World {
    pub sim: Simulator,
    pub drive: PathBuf,
    _temp: tempfile::TempDir,
    daemon: Child,
    said: Arc<Mutex<String>>,
}

impl World {
    /// Starts it all; nobody is signed in.
    pub fn start(binary: &Path) -> Outcome<Self> {
        let mut config = SimConfig::default();
        config.account.iterations = 10;
        let sim = Simulator::start(config)?;
        sim.drive().fill_lifelike()?;
        let temp = tempfile::tempdir()?;
        let drive = temp.path().join("iCloud Drive");
        fs::create_dir(&drive)?;
        let (name, password) = {
            let state = sim.core().state();
            (state.account.name.clone(), state.account.password.clone())
        };
        let variables = [
            ("ACCOUNT__USERNAME", name),
            ("ACCOUNT__PASSWORD", password),
            ("SYNC__DIRECTORY", drive.display().to_string()),
            ("SYNC__STATE_DIRECTORY", temp.path().join("state").display().to_string()),
            ("SYNC__CHECK_PERIOD", "1".to_owned()),
            ("SYNC__REFRESH_PERIOD", "3".to_owned()),
            ("SYNC__DEBOUNCE_PERIOD", "1".to_owned()),
            ("GUARD__MAX_DELETES", "2".to_owned()),
            ("LIMITS__DOWNLOAD_RATE", "8MB".to_owned()),
            ("ICLOUD__HOME", sim.home()),
            ("ICLOUD__SETUP", sim.setup()),
            ("ICLOUD__AUTH", sim.auth()),
            ("WEB__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEB__TOKEN", TOKEN.to_owned()),
        ];
        let variables = variables.map(|(name, value)| (format!("ICLOUDDS_{name}"), value));
        let mut daemon = Command::new(binary)
            .env_clear()
            .envs(variables)
            .env("ICLOUDDS_CONFIG", "/dev/null")
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stderr = daemon.stderr.take().ok_or("no output")?;
        let said = Arc::<Mutex<String>>::default();
        let into = Arc::clone(&said);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]);
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Ok(Self { sim, drive, _temp: temp, daemon, said })
    }

    /// What the daemon logged.
    pub fn log(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What follows these words in the log, up to the next blank.
    pub fn told(&self, words: &str) -> Outcome<String> {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let rest = log.split(words).nth(1).and_then(|rest| rest.split_once(char::is_whitespace));
            if let Some((word, _)) = rest {
                return Ok(word.to_owned());
            }
            if begun.elapsed() > Duration::from_secs(20) {
                return Err(format!("{words:?} is not in the log:\n{log}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
