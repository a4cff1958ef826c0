//! The configuration of `docs/contract.md`: written, merged, checked.
