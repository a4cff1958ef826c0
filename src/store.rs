//! Edge: the stored base.
