//! What comes from outside, thrown at whatever reads it, damaged and hostile.
//!
//! A target is a function of bytes in the `fuzz_tests` module of the part that reads them. It must neither panic nor take long nor
//! use memory out of proportion, and what can be written back must come back as it was. Every test run tries a few hundred inputs for
//! each target; `FUZZ_SECONDS=60 cargo test --lib fuzz_tests -- --test-threads=1` tries each of them for a minute and looks at the
//! memory too. The inputs follow from a seed, so `FUZZ_SEED` brings a failure back; it is printed with the smallest input that fails.

mod mutate;
mod names;
#[allow(dead_code)] // The histories of the simulation draw more kinds of chance from it.
#[path = "../../tests/it/sim/rng.rs"]
mod rng;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use rustix::time::{ClockId, clock_gettime};

use mutate::Mutator;
use rng::Rng;

/// What a target made of one input, in a few words: an input that leads to new words is changed further.
pub(crate) type Target = fn(&[u8]) -> String;

/// So many inputs each ordinary test run tries.
const QUICK_CASES: u64 = 256;
/// The longest input, in bytes.
const LONGEST: usize = 64 << 10;
/// Processor time that one input may take.
const SLOW: Duration = Duration::from_secs(2);
/// An input that takes longer than this by the clock on the wall is one that never ends.
const HANGS: Duration = Duration::from_secs(120);
/// Memory, in bytes, that some inputs in a row may take at most. An answer may hold as much by itself ([`LONGEST`] is far below that).
const MOST_MEMORY: u64 = 64 << 20;
/// So many inputs in a row are measured together.
const BATCH: u64 = 64;
/// So many inputs are kept to be changed further.
const MOST_KEPT: usize = 2000;
/// So often a failing input is tried in a smaller form, and for so long.
const MOST_SHRINKS: usize = 2000;
const LONGEST_SHRINK: Duration = Duration::from_secs(30);

/// Tries a target with its seeds, with the files of its name in `src/fuzz_tests/corpus`, and with what changes make of them.
pub(crate) fn fuzz<S: AsRef<[u8]>>(name: &str, seeds: impl IntoIterator<Item = S>, target: Target) {
    let mut pool: Vec<_> = seeds.into_iter().map(|seed| seed.as_ref().to_vec()).collect();
    pool.extend(corpus(name));
    assert!(!pool.is_empty(), "{name} has nothing to begin with");
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let time = number("FUZZ_SECONDS").map(Duration::from_secs);
    let drawn = || jiff::Timestamp::now().as_nanosecond() as u64 >> 10;
    let seed = number("FUZZ_SEED").unwrap_or_else(|| if time.is_some() { drawn() } else { 1 });
    if time.is_some() {
        // Not as a test prints, which is lost where an input ends the process.
        let _ = writeln!(io::stderr(), "fuzzing {name} with FUZZ_SEED={seed}");
    }
    let run = Run { name, seed, target, watch: Watch::over(name, seed), measures: time.is_some() };
    let mut mutator = Mutator::new(Rng::new(rng::keyed(seed, name, 0)), &pool);
    let mut known = BTreeSet::new();
    for input in &pool {
        known.insert(run.check(input));
    }
    if run.measures {
        run.find_large(&pool);
    }
    let (began, mut tried) = (Instant::now(), 0);
    while time.map_or(tried < QUICK_CASES, |time| began.elapsed() < time) {
        let batch: Vec<_> = (0..BATCH).map(|_| mutator.changed(&pool)).collect();
        let before = run.measures.then(memory::forget_peak);
        for input in &batch {
            // A label that is new shows a way through the target that no input has taken yet.
            if known.insert(run.check(input)) && pool.len() < MOST_KEPT {
                pool.push(input.clone());
            }
        }
        if before.is_some_and(|before| memory::peak().saturating_sub(before) > MOST_MEMORY) {
            run.find_large(&batch);
        }
        tried += BATCH;
    }
    if time.is_some() {
        let seconds = began.elapsed().as_secs();
        println!("{name}: {tried} inputs in {seconds} s from seed {seed}, {} ways through it", known.len());
    }
}

/// The files that a target begins with beside its seeds.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/fuzz_tests/corpus").join(name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

/// One target under test.
struct Run<'a> {
    name: &'a str,
    seed: u64,
    target: Target,
    watch: Watch,
    measures: bool,
}

/// What is wrong with how an input was taken.
enum Wrong {
    Panics,
    Takes(Duration),
}

impl Run<'_> {
    /// Tries an input; what the target made of it. Ends the test when that was wrong.
    fn check(&self, input: &[u8]) -> String {
        match self.attempt(input) {
            Ok(label) => label,
            Err(Wrong::Takes(_)) if self.attempt(input).is_ok() => "slow once".to_owned(),
            Err(_) => self.fail(input),
        }
    }

    fn attempt(&self, input: &[u8]) -> Result<String, Wrong> {
        let began = processor_time();
        self.watch.begin(input);
        let done = quietly(|| panic::catch_unwind(AssertUnwindSafe(|| (self.target)(input))));
        self.watch.end();
        let took = processor_time().saturating_sub(began);
        match done {
            Err(_) => Err(Wrong::Panics),
            Ok(_) if took > SLOW => Err(Wrong::Takes(took)),
            Ok(label) => Ok(label),
        }
    }

    /// Makes the input as small as it can be and shows it.
    fn fail(&self, input: &[u8]) -> ! {
        let mut input = input.to_vec();
        let (mut span, mut tries, began) = (input.len() / 2, 0, Instant::now());
        let goes_on = |tries| tries < MOST_SHRINKS && began.elapsed() < LONGEST_SHRINK;
        while span > 0 && goes_on(tries) {
            let mut at = 0;
            while at < input.len() && goes_on(tries) {
                let smaller = [&input[..at], &input[(at + span).min(input.len())..]].concat();
                tries += 1;
                match self.attempt(&smaller) {
                    Err(_) => input = smaller,
                    Ok(_) => at += span,
                }
            }
            span /= 2;
        }
        eprintln!("{} fails from FUZZ_SEED={} with b\"{}\"", self.name, self.seed, input.escape_ascii());
        if let Err(Wrong::Takes(took)) = self.attempt(&input) {
            panic!("it takes {took:?}");
        }
        // Once more, not quietly, so that the panic says where it is.
        let label = (self.target)(&input);
        panic!("it failed a moment ago, and now it says {label}");
    }

    /// Finds which of some inputs takes so much memory; none, where it was all of them together.
    fn find_large(&self, batch: &[Vec<u8>]) {
        for input in batch {
            let before = memory::forget_peak();
            self.check(input);
            let took = memory::peak().saturating_sub(before);
            assert!(
                took <= MOST_MEMORY,
                "{} takes {took} bytes from FUZZ_SEED={} for the {} bytes of b\"{}\"",
                self.name,
                self.seed,
                input.len(),
                input[..input.len().min(2000)].escape_ascii()
            );
        }
    }
}

/// The processor time of this thread: others that work at the same time do not count.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does something without a word about panics of this thread: there are many while a failing input is made smaller.
fn quietly<T>(act: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                usual(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let done = act();
    IS_QUIET.set(false);
    done
}

/// What is tried at the moment, and since when.
type Case = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Ends the process when an input never ends, and says which one it was.
struct Watch {
    case: Case,
    _ends: Sender<()>,
}

impl Watch {
    fn over(name: &str, seed: u64) -> Self {
        let case = Case::default();
        let (sender, ended) = bounded::<()>(0);
        let (watched, name) = (Arc::clone(&case), name.to_owned());
        thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(5)) == Err(RecvTimeoutError::Timeout) {
                let case = watched.lock().expect("nobody panics with it");
                let Some((_, input)) = case.as_ref().filter(|(since, _)| since.elapsed() > HANGS) else {
                    continue;
                };
                eprintln!("{name} never ends from FUZZ_SEED={seed} with b\"{}\"", input.escape_ascii());
                std::process::exit(101);
            }
        });
        Self { case, _ends: sender }
    }

    fn begin(&self, input: &[u8]) {
        *self.case.lock().expect("nobody panics with it") = Some((Instant::now(), input.to_vec()));
    }

    fn end(&self) {
        *self.case.lock().expect("nobody panics with it") = None;
    }
}

/// The memory of the whole process, so it is measured only where nothing else goes on.
mod memory {
    use std::fs;

    /// Forgets the peak so far; the bytes in use now.
    pub(super) fn forget_peak() -> u64 {
        fs::write("/proc/self/clear_refs", "5").expect("a kernel with clear_refs");
        line("VmRSS:")
    }

    /// The most bytes that were in use since.
    pub(super) fn peak() -> u64 {
        line("VmHWM:")
    }

    fn line(name: &str) -> u64 {
        let text = fs::read_to_string("/proc/self/status").expect("a kernel with proc");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the line is always there");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kilobytes") << 10
    }
}

fn panics_on_two_zeros(input: &[u8]) -> String {
    assert!(!input.windows(2).any(|pair| pair == [0, 0]), "two zeros");
    input.len().min(3).to_string()
}

#[test]
fn a_failing_input_is_found_and_made_small() {
    let watch = Watch::over("itself", 1);
    let run = Run { name: "itself", seed: 1, target: panics_on_two_zeros, watch, measures: false };
    assert!(run.attempt(b"abc\0d").is_ok());
    let failed = quietly(|| panic::catch_unwind(AssertUnwindSafe(|| run.check(b"abc\0\0def\0\0"))));
    let words = failed.expect_err("it fails");
    assert_eq!(words.downcast_ref::<&str>(), Some(&"two zeros"));
    let found = panic::catch_unwind(|| fuzz("itself", [b"\0a\0b\0"], panics_on_two_zeros));
    assert!(found.is_err(), "changes lead to it");
}
