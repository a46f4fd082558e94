//! One storage layer for SQLite and PostgreSQL behind the traits of `ports`.
//!
//! `open` is the one door. `repo` keeps the configuration tables (tenants, keys, templates) through SeaORM on both
//! engines; `sqlite` and `postgres` keep the hot path, each with its engine's own statements; `migrations` is one set
//! for both.

mod error;
mod gate;
mod migrations;
mod open;
mod postgres;
mod repo;
mod row;
mod sqlite;

pub use open::{Guard, Inspection, OpenError, Opened, Options, ServerFacts, Target, inspect, migrate, open};
