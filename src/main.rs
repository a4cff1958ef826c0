//! The `icloudds` program: runs the command line, says what failed, returns the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread;

use icloudds::model::plain::plain;
use icloudds::{cli, descriptors, panics, secret, terminal};

fn main() -> ExitCode {
    panics::install();
    secret::keep_out_of_core_files();
    descriptors::raise();
    let ended = beside_signals(|| cli::run(std::env::args_os().skip(1)));
    // A question may still be open, on a thread that nobody waits for.
    terminal::restore();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            say(&error);
            let advice = error.advice();
            if !advice.is_empty() {
                let _ = writeln!(std::io::stderr(), "  {}", plain(&secret::mask(&advice)));
            }
            error.exit_code().into()
        }
    }
}

/// Does the work on another thread than the first. The system wakes the first one for a signal, whichever would listen: if that waits for
/// a disk that hangs, nobody hears the signal.
fn beside_signals<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let mut work = Some(work);
    let mut done = || work.take().map(|work| work());
    let result = thread::scope(|scope| {
        let worker = thread::Builder::new().name("icloudds-work".to_owned()).stack_size(STACK);
        worker.spawn_scoped(scope, &mut done).ok().and_then(|worker| worker.join().ok().flatten())
    });
    // Where the system gives no thread, it is done here.
    result.or_else(done).expect("a panic of the work has ended the process in its hook")
}

/// Bytes of stack for the work, as many as the first thread has.
const STACK: usize = 8 << 20;

/// Prints `error` and what it came from, masked, on one line of standard error.
fn say(error: &dyn Error) {
    let mut line = format!("icloudds: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        // Some messages name their cause themselves.
        let cause_text = cause.to_string();
        if !line.contains(&cause_text) {
            line.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    // Nobody is left to tell when standard error is gone; the exit code still says it.
    let _ = writeln!(std::io::stderr(), "{}", plain(&secret::mask(&line)));
}
