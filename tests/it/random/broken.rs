//! The oracle is tested: each promise is broken on purpose, and some seed must catch it.
