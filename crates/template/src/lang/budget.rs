use std::time::Instant;

use super::Problem;
use crate::Limits;

/// How much fuel goes by between two looks at the clock.
const CLOCK_EVERY: u64 = 4_096;
/// Bytes that one unit of fuel pays for.
const BYTES_PER_FUEL: usize = 64;

/// What is left of one message's [`Limits`]. Charged before the work, so that an allocation which it cannot pay for is
/// not made.
pub(crate) struct Budget {
    fuel: u64,
    output: usize,
    /// `None` if the clock cannot count that far.
    until: Option<Instant>,
    next_look: u64,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            fuel: limits.fuel,
            output: limits.output_bytes,
            until: Instant::now().checked_add(limits.time),
            next_look: limits.fuel.saturating_sub(CLOCK_EVERY),
        }
    }

    /// Pays for `steps` steps or items.
    #[inline]
    pub(crate) fn steps(&mut self, steps: usize) -> Result<(), Problem> {
        let Some(left) = self.fuel.checked_sub(steps as u64) else {
            self.fuel = 0;
            return Err(Problem::Fuel);
        };
        self.fuel = left;
        if left < self.next_look { self.look() } else { Ok(()) }
    }

    /// Pays for reading or making `bytes` bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: usize) -> Result<(), Problem> {
        self.steps(bytes / BYTES_PER_FUEL)
    }

    /// Pays for writing `bytes` bytes of the message.
    #[inline]
    pub(crate) fn output(&mut self, bytes: usize) -> Result<(), Problem> {
        self.output = self.output.checked_sub(bytes).ok_or(Problem::Output)?;
        Ok(())
    }

    /// Bytes that may still be written.
    pub(crate) fn room(&self) -> usize {
        self.output
    }

    #[cold]
    fn look(&mut self) -> Result<(), Problem> {
        self.next_look = self.fuel.saturating_sub(CLOCK_EVERY);
        if self.until.is_some_and(|until| Instant::now() > until) { Err(Problem::Time) } else { Ok(()) }
    }
}
