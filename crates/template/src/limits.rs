use std::time::Duration;

/// What one message may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Work for one message: 1 for each step, each item visited, and each 64 bytes read or made. Bounds time and,
    /// at 64 bytes each, memory.
    pub fuel: u64,
    /// Bytes of one template string.
    pub source_bytes: usize,
    /// Bytes of one rendered message, all its strings together.
    pub output_bytes: usize,
    /// Time for one message. A backstop behind `fuel`: the clock is looked at every 4,096 units only, so that an
    /// ordinary message cannot fail because the machine is busy.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 50_000, source_bytes: 64 * 1024, output_bytes: 256 * 1024, time: Duration::from_millis(50) }
    }
}
