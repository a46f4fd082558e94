//! What the tests stand on: a running Carillon, fake providers with a ledger, a load client, the oracle.
#![expect(
    clippy::default_trait_access,
    clippy::unused_self,
    clippy::expect_used,
    clippy::similar_names,
    clippy::duration_suboptimal_units,
    reason = "the ground that tests stand on: if it gives way, the test ends there"
)]

pub mod certs;
pub mod conformance;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod oracle;
pub mod port;
pub mod postgres;
pub mod process;
pub mod rows;
pub mod scene;
pub mod sendgrid;
pub mod smtp;
pub mod strict_smtp;
