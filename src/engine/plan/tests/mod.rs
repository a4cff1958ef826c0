//! The planner against small worlds: tables of cases, and random trees changed twice.

mod property;
mod world;
