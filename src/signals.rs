//! Edge: signals become events; nothing is done in a handler (`docs/contract.md`, "Signals").

use std::io;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::{Handle, Signals};

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
    /// is to end the process (`docs/contract.md`: a second one exits at once).
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
            let mut at_once = Some(at_once);
            let mut stopping = false;
            for signal in signals.forever() {
                match signal {
                    SIGTERM | SIGINT => {
                        wish(&stop);
                        if std::mem::replace(&mut stopping, true)
                            && let Some(at_once) = at_once.take()
                        {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
