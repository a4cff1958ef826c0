//! Cases of one test that have nothing in common but what is done with them: each has a world of its own.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many cases of one test go on at a time. Each mostly waits, for periods of a second or the next try of something that failed.
const AT_ONCE: usize = 4;

/// Does `check` with each of `cases`, a few at a time, so that what one case waits for is not added to what the next one waits for.
/// All of them are tried. The first that failed fails the test, and each that did is named.
///
/// For cases that need no time of their own on the clock: a test that measures how long something takes goes through its cases one by
/// one.
#[track_caller]
pub fn side_by_side<T: Debug + Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let waiting = Mutex::new(cases.into_iter().collect::<Vec<_>>().into_iter());
    let failures = Mutex::new(Vec::new());
    let one_after_the_other = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(case) = next else { return };
            let name = format!("{case:?}");
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(case))) {
                eprintln!("that was the case {name}");
                failures.lock().unwrap_or_else(PoisonError::into_inner).push(panic);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(one_after_the_other);
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(first) = failures.into_iter().next() {
        resume_unwind(first);
    }
}

#[test]
fn every_case_is_tried_and_one_that_fails_fails_the_test() {
    let tried = Mutex::new(Vec::new());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        side_by_side(0..9, |case| {
            tried.lock().unwrap_or_else(PoisonError::into_inner).push(case);
            assert_ne!(case, 3, "as it should");
        });
    }));
    let mut tried = tried.into_inner().unwrap_or_else(PoisonError::into_inner);
    tried.sort_unstable();
    assert_eq!((failed.is_err(), tried), (true, (0..9).collect()));
}
