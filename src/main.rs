//! The `icloudds` program: runs the command line, says what failed, returns the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use icloudds::model::plain::plain;
use icloudds::{cli, descriptors, panics, secret, terminal};

fn main() -> ExitCode {
    panics::install();
    secret::keep_out_of_core_files();
    descriptors::raise();
    let ended = cli::run(std::env::args_os().skip(1));
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
