//! Decides what to do; reaches the world only through its ports.
