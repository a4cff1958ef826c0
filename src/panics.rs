//! Panics: one masked `error` line with the thread's name and place in every log, then exit 2.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use crate::exit::ExitCode;
use crate::logging;
use crate::secret::mask;

thread_local! {
    static SURVIVED: Cell<bool> = const { Cell::new(false) };
}

/// Makes a panic in any thread end the process with exit 2 after one line in every log.
///
/// The next start observes and plans afresh, so ending at once is sound, while going on without the thread that
/// panicked would not be.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        if SURVIVED.get() {
            return;
        }
        let line = describe(panic);
        if log::max_level() == log::LevelFilter::Off || logging::is_writing() {
            eprintln!("icloudds: {}", mask(&line));
        } else {
            log::error!("{line}");
        }
        std::process::exit(i32::from(ExitCode::Unexpected.code()));
    }));
}

/// Runs `work` and survives its panic, for the few calls into others' code that panic on damaged input; the hook of
/// [`install`] stays silent meanwhile.
///
/// # Errors
///
/// The panic's message.
pub fn survive<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = SURVIVED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    SURVIVED.set(outer);
    result.map_err(|payload| message(payload.as_ref()))
}

fn describe(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!("thread {name} panicked at {place}: {}", message(panic.payload()))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survived_panic_gives_its_message() {
        assert_eq!(survive(|| 7), Ok(7));
        assert_eq!(survive(|| -> () { panic!("damaged page {}", 3) }), Err("damaged page 3".to_owned()));
        assert!(!SURVIVED.get());
    }
}
