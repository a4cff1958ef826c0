//! Edge: tells systemd what the daemon is doing (`sd_notify`). Without systemd nothing happens.

use std::io;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::model::plain::plain;
use crate::secret::mask;

/// Sends states to whoever wants them.
type Send = Box<dyn Fn(&[NotifyState<'_>]) -> io::Result<()>>;

/// The connection to systemd. Owned by the loop, so that the watchdog is kicked only while the loop ticks.
pub struct Systemd {
    /// `None` where nobody listens.
    send: Option<Send>,
    /// How far apart kicks of the watchdog are; `None` without one.
    kick_every: Option<Duration>,
    last_kick: Option<Instant>,
    last_status: String,
}

impl Systemd {
    /// What the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn of_process() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        let send = socket.then(|| Box::new(|states: &[NotifyState<'_>]| sd_notify::notify(states)) as Send);
        Self::new(send, sd_notify::watchdog_enabled())
    }

    fn new(send: Option<Send>, watchdog: Option<Duration>) -> Self {
        // Half the limit, as systemd recommends; never without a pause.
        let kick_every = watchdog.map(|limit| (limit / 2).max(Duration::from_millis(1)));
        Self { send, kick_every, last_kick: None, last_status: String::new() }
    }

    /// How often the loop must tick at least, for the watchdog's sake; `None` for as seldom as it likes.
    pub fn tick_every(&self) -> Option<Duration> {
        self.send.as_ref().and(self.kick_every)
    }

    /// The start is over: the folder is opened, the socket listens. A sign-in that waits for a person is no part of it.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// What it is doing, one sentence for people; sent only when it changed. Masked.
    pub fn status(&mut self, sentence: &str) {
        if self.send.is_none() || self.last_status == sentence {
            return;
        }
        sentence.clone_into(&mut self.last_status);
        // One line: a line end would begin another assignment.
        let line = plain(&mask(sentence));
        self.tell(&[NotifyState::Status(&line)]);
    }

    /// The loop ticked.
    pub fn tick(&mut self, now: Instant) {
        let Some(every) = self.tick_every() else { return };
        if self.last_kick.is_some_and(|last| now.saturating_duration_since(last) < every) {
            return;
        }
        self.last_kick = Some(now);
        self.tell(&[NotifyState::Watchdog]);
    }

    /// The configuration is read again; [`Systemd::ready`] follows when that is over.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => self.tell(&[NotifyState::Reloading, time]),
            Err(error) => log::debug!("systemd is not told of the reload: no monotonic time: {error}"),
        }
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        // What systemd does not hear it will act on by itself; nothing here depends on it.
        if let Some(send) = &self.send
            && let Err(error) = send(states)
        {
            log::debug!("systemd cannot be told: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use crossbeam::channel::{Receiver, unbounded};

    use super::*;
    use crate::secret::Secret;

    fn heard(watchdog: Option<Duration>) -> (Systemd, Receiver<String>) {
        let (send, received) = unbounded();
        let tell = move |states: &[NotifyState<'_>]| {
            let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
            send.send(lines.join("|")).map_err(io::Error::other)
        };
        (Systemd::new(Some(Box::new(tell)), watchdog), received)
    }

    #[test]
    fn the_life_of_a_service_is_told() {
        let (mut systemd, received) = heard(None);
        let secret = Secret::new("systemd-hears-no-secret");
        systemd.ready();
        systemd.status("idle");
        systemd.status("idle");
        systemd.status(&format!("refused {}\nREADY=0", secret.expose()));
        systemd.tick(Instant::now());
        systemd.reloading();
        systemd.stopping();
        let told: Vec<String> = received.try_iter().collect();
        assert_eq!(told[..3], ["READY=1", "STATUS=idle", "STATUS=refused ***\\nREADY=0"]);
        assert!(told[3].starts_with("RELOADING=1|MONOTONIC_USEC="), "{told:?}");
        assert_eq!(told[4..], ["STOPPING=1"]);
    }

    #[test]
    fn the_watchdog_is_kicked_at_half_its_limit_and_only_by_ticks() {
        let (mut systemd, received) = heard(Some(Duration::from_secs(10)));
        assert_eq!(systemd.tick_every(), Some(Duration::from_secs(5)));
        let start = Instant::now();
        for second in 0..12 {
            systemd.tick(start + Duration::from_secs(second));
        }
        assert_eq!(received.try_iter().collect::<Vec<_>>(), ["WATCHDOG=1"; 3]);
    }

    #[test]
    fn without_systemd_nothing_happens() {
        let mut systemd = Systemd::new(None, Some(Duration::from_secs(10)));
        assert_eq!(systemd.tick_every(), None);
        systemd.ready();
        systemd.status("idle");
        systemd.tick(Instant::now());
        systemd.reloading();
        systemd.stopping();
    }

    /// The other half of the next test, run by it in a process of its own; without a socket it says nothing to nobody.
    #[test]
    fn child_that_tells() {
        let mut systemd = Systemd::of_process();
        systemd.ready();
        systemd.tick(Instant::now());
    }

    #[test]
    fn a_real_socket_hears_it() {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let path = temp.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "notify_systemd::tests::child_that_tells"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "1000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .expect("it runs")
            .status;
        assert!(status.success());
        let hear = || {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).expect("something");
            String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
        };
        assert_eq!([hear(), hear()], ["READY=1", "WATCHDOG=1"]);
    }
}
