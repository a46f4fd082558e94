use std::time::Duration;

use carillon_domain::Channel;
use carillon_resilience::{breaker, retry};

/// How the pipeline behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the store keeps our rows for us without a sign of life.
    pub lease: Duration,
    /// How long [`drain`](crate::Pipeline::drain) may take; four fifths of it are for calls in flight.
    pub drain: Duration,
    /// Rows in memory at most; the rest stays in the table.
    pub waiting_rows: usize,
    /// Bytes of their content in memory at most.
    pub waiting_bytes: usize,
    /// Rows written by one transaction, roughly.
    pub group_rows: usize,
    /// Bytes written by one transaction, roughly.
    pub group_bytes: usize,
    /// How soon the table is asked for work that nobody told us of. An idle table is asked up to eight times less often.
    pub claim_every: Duration,
    /// Whose work is claimed.
    pub channels: Vec<Channel>,
    /// When a message is tried again.
    pub retry: retry::Policy,
    /// When a provider is left alone.
    pub breaker: breaker::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(1),
            drain: Duration::from_secs(25),
            waiting_rows: 40_000,
            waiting_bytes: 48 << 20,
            group_rows: 512,
            group_bytes: 2 << 20,
            claim_every: Duration::from_millis(250),
            channels: Channel::ALL.to_vec(),
            retry: retry::Policy::default(),
            breaker: breaker::Settings::default(),
        }
    }
}
