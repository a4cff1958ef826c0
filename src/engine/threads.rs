//! Threads that share work with the one that has it.

use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Starts up to `count` threads that each do `work`; fewer, or none, where the machine starts no more. Who asks has to be able to go on
/// without them.
pub fn helpers<'scope, 'env, R: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    count: usize,
    work: impl Fn() -> R + Clone + Send + 'scope,
) -> Vec<ScopedJoinHandle<'scope, R>> {
    started(scope, count, Builder::new, work)
}

fn started<'scope, 'env, R: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    count: usize,
    builder: impl Fn() -> Builder,
    work: impl Fn() -> R + Clone + Send + 'scope,
) -> Vec<ScopedJoinHandle<'scope, R>> {
    let mut threads = Vec::with_capacity(count);
    for _ in 0..count {
        match builder().spawn_scoped(scope, work.clone()) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                log::debug!("{} of {count} threads could be started: {error}", threads.len());
                break;
            }
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn where_no_thread_can_be_started_there_are_fewer_helpers() {
        let left = Cell::new(2);
        let builder = || {
            left.set(left.get() - 1);
            // No machine has room for such a stack.
            if left.get() < 0 { Builder::new().stack_size(1 << 46) } else { Builder::new() }
        };
        std::thread::scope(|scope| {
            let threads = started(scope, 5, builder, || 7);
            let done: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
            assert_eq!(done, [7, 7]);
        });
        assert_eq!(left.get(), -1, "one refusal is enough");
    }
}
