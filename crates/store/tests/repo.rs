//! What tenants, keys and templates promise, on each database.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests, whose helpers are not marked as such")]

#[macro_use]
#[path = "repo/common.rs"]
mod common;

#[path = "repo/keys.rs"]
mod keys;
#[path = "repo/open.rs"]
mod open;
#[path = "repo/templates.rs"]
mod templates;
#[path = "repo/tenants.rs"]
mod tenants;
#[path = "repo/versions.rs"]
mod versions;
