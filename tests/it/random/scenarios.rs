//! Named scenarios that random histories once failed in.
