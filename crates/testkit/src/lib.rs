//! What the tests stand on: a running Carillon, fake providers with a ledger, a load client, the oracle.

pub mod certs;
pub mod conformance;
pub mod ledger;
pub mod port;
pub mod postgres;
pub mod process;
pub mod sendgrid;
pub mod smtp;
pub mod strict_smtp;
