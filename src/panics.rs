//! Panics: one masked `error` line with the thread's name and place in every log, then exit 2.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::os::unix::process::CommandExt;
use std::panic::PanicHookInfo;
use std::process::Command;

use crate::exit::ExitCode;
use crate::logging;
use crate::model::plain::plain;
use crate::secret::mask;
use crate::terminal;

/// What is done about a panic, given its message.
type Rescue = Box<dyn FnOnce(&str)>;

thread_local! {
    static RESCUE: RefCell<Option<Rescue>> = const { RefCell::new(None) };
}

/// Makes a panic in any thread end the process with exit 2 after one line in every log.
///
/// The next start observes and plans afresh, so ending at once is sound, while going on without the thread that
/// panicked would not be. Nothing is unwound: the release has no tables for it.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        // Taken, for it is for one panic only; another one inside it aborts.
        let rescue =
            RESCUE.try_with(|rescue| rescue.try_borrow_mut().ok().and_then(|mut rescue| rescue.take()));
        if let Ok(Some(rescue)) = rescue {
            rescue(&message(panic.payload()));
        }
        let line = describe(panic);
        if log::max_level() == log::LevelFilter::Off || logging::is_writing() {
            eprintln!("icloudds: {}", plain(&mask(&line)));
        } else {
            log::error!("{line}");
        }
        terminal::restore();
        std::process::exit(i32::from(ExitCode::Unexpected.code()));
    }));
}

/// Runs `work`, code of others that might panic on damaged input. If it does, the hook of [`install`] calls `rescue`
/// with the panic's message, on the same thread. The process ends after it, so what `rescue` does must be for the next
/// start, which it may [`begin`](start_over) itself.
pub fn rescued<T>(rescue: impl FnOnce(&str) + 'static, work: impl FnOnce() -> T) -> T {
    let outer = RESCUE.replace(Some(Box::new(rescue)));
    let result = work();
    RESCUE.set(outer);
    result
}

/// Begins this program again, in the same process, with the same arguments. Files and locks of the old run are closed by
/// the system. Returns only if that fails, with the reason.
pub fn start_over() -> io::Error {
    Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).exec()
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
