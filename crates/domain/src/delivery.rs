//! What became of one attempt to hand a message to a provider.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a provider call ended. Exactly one of these, always: a provider adapter has no other way to answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The provider took it.
    Sent(Receipt),
    /// Not this time. The message stays queued.
    Retry(Failure),
    /// Never: an answer about this message that another try cannot change.
    Failed(Failure),
    /// The provider may have it: the request was written, the answer did not come.
    Unknown(Failure),
}

/// What a provider said when it took a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Receipt {
    /// The provider's own id of the message.
    pub provider_message_id: Option<String>,
    /// The person has it already: the in-app inbox, a simulator.
    pub delivered: bool,
    /// The sandbox's copy, stored in the transaction that records the outcome.
    pub capture: Option<Capture>,
}

/// A message that the sandbox shows: `to` and `content` as the person would see them.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// The address.
    pub to: String,
    /// The rendered content.
    pub content: crate::content::Content,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// A stable word, such as `mailbox_unavailable`, `connection_refused`, `timeout`.
    pub code: &'static str,
    /// The provider's own words, shortened, without the recipient.
    pub message: String,
    /// Who is at fault, which decides what the retry costs.
    pub fault: Fault,
    /// When the provider asked us to come back.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that is about this message.
    pub fn of_message(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fault: Fault::Message, retry_after: None }
    }

    /// A failure that is about the provider, the account or the way there.
    pub fn of_provider(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), fault: Fault::Provider, retry_after: None }
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An answer about this message (such as greylisting or a 4xx that may pass): it counts against the message's retries.
    Message,
    /// Connection failure, 5xx, 421/451, 429, an open circuit: costs the message nothing.
    Provider,
}

/// What to do with a message that the provider may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Send it again: never lost comes first. Each re-send is written down and counted.
    #[default]
    Resend,
    /// Park it until a receipt, a query or a person settles it.
    Hold,
}
