//! The pipeline against a store and providers that live in memory and take note of every rule that is broken.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod delivery;
mod leaving;
mod model;
mod rig;
mod trouble;
