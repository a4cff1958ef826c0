//! Edge: signals become events; nothing is done in a handler (`docs/contract.md`, "Signals").

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};

use crate::clock::Stop;
use crate::exit::ExitCode;
use crate::terminal;

/// What signals ask for, a channel for each kind.
///
/// Each has room for one: when it is full, the same wish waits already, so that nothing is ever lost.
#[derive(Clone, Debug)]
pub struct SignalEvents {
    /// SIGTERM or SIGINT: finish or abandon, write the state, end.
    pub stop: Receiver<()>,
    /// SIGHUP: read the configuration again.
    pub reload: Receiver<()>,
    /// SIGUSR1: a full pass now.
    pub sync_now: Receiver<()>,
    /// SIGUSR2: write the state files now.
    pub dump: Receiver<()>,
}

/// The thread that listens to signals. Dropping it joins the thread; the signals stay caught and are ignored then.
#[derive(Debug)]
pub struct SignalThread {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl SignalThread {
    /// Listens. `at_once` is called on this thread by the second SIGTERM or SIGINT, whatever the loop does meanwhile; it
    /// is to end the process (`docs/contract.md`: a second one exits at once). It is called too when the first one has not ended the
    /// process for longer than it may take: nobody may be listening yet while the start opens a large state.
    ///
    /// # Errors
    ///
    /// When the system refuses handlers or thread.
    pub fn start(at_once: impl FnOnce() + Send + 'static) -> io::Result<(Self, SignalEvents)> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
        let handle = signals.handle();
        let (stop, stops) = bounded(1);
        let (reload, reloads) = bounded(1);
        let (sync_now, syncs) = bounded(1);
        let (dump, dumps) = bounded(1);
        let thread = std::thread::Builder::new().name("icloudds-signals".to_owned()).spawn(move || {
            let at_once = Arc::new(Mutex::new(Some(at_once)));
            let mut stopping = false;
            for signal in signals.forever() {
                match signal {
                    SIGTERM | SIGINT => {
                        wish(&stop);
                        if !std::mem::replace(&mut stopping, true) {
                            let at_once = Arc::clone(&at_once);
                            let late = std::thread::Builder::new().name("icloudds-end".to_owned());
                            // Where there is no thread for it, a second signal still ends it.
                            let _ = late.spawn(move || {
                                let (_open, never) = bounded::<()>(0);
                                let _ = never.recv_timeout(LATEST);
                                if let Some(at_once) = taken(&at_once) {
                                    at_once();
                                }
                            });
                        } else if let Some(at_once) = taken(&at_once) {
                            at_once();
                        }
                    }
                    SIGHUP => wish(&reload),
                    SIGUSR1 => wish(&sync_now),
                    _ => wish(&dump),
                }
            }
        })?;
        let events = SignalEvents { stop: stops, reload: reloads, sync_now: syncs, dump: dumps };
        Ok((Self { handle, thread: Some(thread) }, events))
    }
}

/// What is there to be done once, for the first who asks.
fn taken<T>(once: &Mutex<Option<T>>) -> Option<T> {
    once.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Never waits: full means that the wish is known, closed that nobody cares any more.
fn wish(to: &Sender<()>) {
    let _ = to.try_send(());
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic of it has ended the process already.
            let _ = thread.join();
        }
    }
}

/// After so long a daemon that was asked to end does so without waiting any longer.
const LATEST: Duration = Duration::from_millis(9500);

/// How long what is in flight may take to end after the first signal. `docs/contract.md`, "Signals", gives the whole process ten seconds.
const GRACE: Duration = Duration::from_secs(8);

/// Ends a command that is no daemon. Process 1 of a container, for which the system does nothing by itself, ends like any other.
///
/// The first of SIGTERM, SIGINT and SIGHUP turns `stop` and ends the process after a grace, at once where a person is asked or nothing
/// is in flight that would heed `stop`; a second one ends it at once. Signals that were ignored when the program began, as `nohup` has it,
/// stay ignored.
#[derive(Debug)]
pub struct Ending {
    /// The signal that came, 0 for none. Its handler sets it, so that a read which the signal interrupts finds it set.
    came: Arc<AtomicUsize>,
}

impl Ending {
    /// Listens until the process ends. `heeds_stop` tells whether the command looks at `stop`.
    ///
    /// # Errors
    ///
    /// When the system refuses handlers or thread.
    pub fn listen(stop: Arc<Stop>, heeds_stop: bool) -> io::Result<Self> {
        let ignored = ignored_signals();
        let wanted =
            [SIGTERM, SIGINT, SIGHUP].into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let came = Arc::new(AtomicUsize::new(0));
        for signal in wanted.clone() {
            flag::register_usize(signal, Arc::clone(&came), usize::try_from(signal).unwrap_or_default())?;
        }
        let mut signals = Signals::new(wanted)?;
        std::thread::Builder::new().name("icloudds-signals".to_owned()).spawn(move || {
            let Some(signal) = signals.forever().next() else { return };
            if !heeds_stop || terminal::is_asking() {
                end(signal);
            }
            stop.stop();
            let (_open, never) = bounded::<()>(0);
            let end_late = std::thread::Builder::new().name("icloudds-end".to_owned()).spawn(move || {
                // Nothing is ever sent: this waits.
                let _ = never.recv_timeout(GRACE);
                end(signal);
            });
            if end_late.is_err() {
                end(signal);
            }
            if let Some(second) = signals.forever().next() {
                end(second);
            }
        })?;
        Ok(Self { came })
    }

    /// With which code the program ends because a signal came; `None` where none did.
    pub fn exit_code(&self) -> Option<ExitCode> {
        let signal = self.came.load(Ordering::SeqCst);
        (signal != 0).then(|| code_of(i32::try_from(signal).unwrap_or(SIGTERM)))
    }
}

fn code_of(signal: i32) -> ExitCode {
    match signal {
        SIGHUP => ExitCode::HungUp,
        SIGINT => ExitCode::Interrupted,
        _ => ExitCode::Terminated,
    }
}

fn end(signal: i32) -> ! {
    terminal::restore();
    std::process::exit(i32::from(code_of(signal).code()))
}

/// The signals that this process was started to ignore, a bit each; none where the system does not tell.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::raise;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    // One test only: signals belong to the whole process.
    #[test]
    fn each_signal_is_an_event_and_the_second_stop_acts_at_once() {
        let (hurried, hurry) = bounded(1);
        let (thread, events) = SignalThread::start(move || {
            let _ = hurried.send(());
        })
        .expect("handlers");
        for (signal, channel) in [
            (SIGHUP, &events.reload),
            (SIGUSR1, &events.sync_now),
            (SIGUSR2, &events.dump),
            (SIGINT, &events.stop),
        ] {
            raise(signal).expect("raised");
            assert_eq!(channel.recv_timeout(PATIENCE), Ok(()), "{signal}");
        }
        assert!(hurry.is_empty(), "one stop is not two");
        // Nobody takes the event of the second one, which must not matter.
        raise(SIGTERM).expect("raised");
        assert_eq!(hurry.recv_timeout(PATIENCE), Ok(()));
        for _ in 0..3 {
            raise(SIGUSR1).expect("raised");
        }
        assert_eq!(events.sync_now.recv_timeout(PATIENCE), Ok(()));
        drop(thread);
        // The thread has ended, so its ends of the channels are closed once what waits is taken.
        assert!(events.reload.recv_timeout(PATIENCE).is_err());
    }
}
