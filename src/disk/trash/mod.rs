//! The trash here: what is put into it, what lies in it and for how long, and what was displaced on the way to it.

pub(super) mod displaced;
pub(super) mod list;
pub(super) mod put;
