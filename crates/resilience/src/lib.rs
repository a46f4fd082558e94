//! What a provider account is protected by, and what others are protected by from it: the retry schedule, the circuit
//! breaker and the limit of calls in flight, each a pure value. Nothing here waits, locks, reads a clock or draws chance:
//! the caller hands in the time and a fraction, and acts on the answer. One value per account, never one for all.
//!
//! May be used by: `app`, `pipeline`, `channels`, `server`. Uses: `domain` only.

pub mod breaker;
pub mod limit;
pub mod retry;
pub mod retry_after;
