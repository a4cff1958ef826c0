//! The planner against small worlds: tables of cases, and random trees changed twice.

mod property;
mod table;
mod table_bullets;
mod table_found;
mod table_odd;
mod table_rare;
mod table_rest;
mod world;
