//! What tenants, keys and templates promise, on each database.

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
