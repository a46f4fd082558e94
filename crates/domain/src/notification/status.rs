use std::fmt;

use serde::{Serialize, Serializer};

use crate::{Error, ErrorCode};

/// What has become of a notification. A lattice within a run:
/// accepted < queued < sending < unknown < sent < delivered < failed < read, so that every order of receipts ends
/// alike; cancelled and skipped are never left. `docs/state-machine.md` draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Status {
    /// On disk; not due yet.
    Accepted = 0,
    /// Due, or waiting for another try.
    Queued = 1,
    /// A provider call is under way.
    Sending = 2,
    /// The provider may have it.
    Unknown = 3,
    /// The provider took it.
    Sent = 4,
    /// The person's device or mailbox has it.
    Delivered = 5,
    /// It did not reach the person.
    Failed = 6,
    /// The person read it.
    Read = 7,
    /// Stopped before any provider had it.
    Cancelled = 8,
    /// Not sent, on purpose: no address, preference, suppression.
    Skipped = 9,
}

/// A transition that the state forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a notification that is {from} cannot become {wanted}")]
pub struct InvalidState {
    /// What it is.
    pub from: Status,
    /// What was asked.
    pub wanted: Status,
}

impl From<InvalidState> for Error {
    fn from(state: InvalidState) -> Self {
        Self::new(ErrorCode::InvalidState, state.to_string())
    }
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Queued,
        Self::Sending,
        Self::Unknown,
        Self::Sent,
        Self::Delivered,
        Self::Failed,
        Self::Read,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// The canonical word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Read => "read",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// The status with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The number that the store keeps: the height in the lattice, so that SQL can compare it.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The status with that number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.number() == number)
    }

    /// Whether nothing more happens by itself in this run.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Failed | Self::Read | Self::Cancelled | Self::Skipped)
    }

    /// Whether it is in the queue: accepted, queued or under way.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Accepted | Self::Queued | Self::Sending)
    }

    /// What a report of `reported` makes of it: the higher of the two. A late or repeated report never moves it
    /// down, and cancelled and skipped are never left.
    #[must_use]
    pub fn join(self, reported: Self) -> Self {
        if reported.number() > self.number() && !matches!(self, Self::Cancelled | Self::Skipped) {
            reported
        } else {
            self
        }
    }

    /// Asking twice is not a mistake; asking once a provider may have it is.
    ///
    /// # Errors
    /// From `sending` on.
    pub fn cancel(self) -> Result<Self, InvalidState> {
        match self {
            Self::Accepted | Self::Queued | Self::Cancelled => Ok(Self::Cancelled),
            from => Err(InvalidState { from, wanted: Self::Cancelled }),
        }
    }

    /// A new run: for what failed, was cancelled, or hangs in doubt.
    ///
    /// # Errors
    /// If it is still under way or has reached the person.
    pub fn retry(self) -> Result<Self, InvalidState> {
        match self {
            Self::Failed | Self::Unknown | Self::Cancelled | Self::Skipped => Ok(Self::Queued),
            from => Err(InvalidState { from, wanted: Self::Queued }),
        }
    }

    /// The person read it.
    ///
    /// # Errors
    /// Before a provider took it, and after it failed or was stopped.
    pub fn read(self) -> Result<Self, InvalidState> {
        match self {
            Self::Sent | Self::Delivered | Self::Read => Ok(Self::Read),
            from => Err(InvalidState { from, wanted: Self::Read }),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
