//! Logs and metrics: set-up, and every metric name in one file.
//!
//! * [`logs`]: text on a terminal, one JSON object per line otherwise, on stderr.
//! * [`names`]: what we measure, once. `docs/metrics.md` is made from it.
//! * [`meters`]: what the code counts with: handles that are made once and cost an atomic addition afterwards.
//! * [`prometheus`]: what `/metrics` shows.
//! * [`redact`]: addresses without their passwords.
//!
//! May be used by every crate; uses none of ours. No recipient, content or secret goes into a label or a log field
//!: labels are words of ours, and ids of tenants and accounts up to a bound.

pub mod logs;
pub mod meters;
pub mod names;
pub mod prometheus;
pub mod redact;

pub use meters::Meters;
pub use prometheus::Prometheus;
