//! What the tests stand on: a running Carillon, fake providers with a ledger, a load client, the oracle.
#![expect(
    clippy::default_trait_access,
    clippy::unused_self,
    clippy::expect_used,
    clippy::similar_names,
    clippy::duration_suboptimal_units,
    reason = "the ground that tests stand on: if it gives way, the test ends there"
)]

pub mod browser;
pub mod certs;
pub mod conformance;
pub mod disk;
pub mod fault_proxy;
pub mod house;
pub mod integrity;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod oracle;
pub mod port;
pub mod postgres;
pub mod postgres_server;
pub mod process;
pub mod raw;
pub mod require;
pub mod rows;
pub mod scene;
pub mod sendgrid;
pub mod smtp;
pub mod strace;
pub mod strict_smtp;
