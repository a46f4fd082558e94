//! Ends of an attempt, and the errors that a case expects.

use std::fmt::Debug;
use std::time::Duration;

use carillon_domain::delivery::Capture;
use carillon_domain::notification::DeliveryError;
use carillon_domain::{Error, ErrorCode, Timestamp};
use carillon_ports::work::{Tries, Verdict};

/// The provider took it.
pub(super) fn sent() -> Verdict {
    Verdict::Sent { provider_message_id: Some("p-1".to_owned()), delivered: false, capture: None }
}

/// The sandbox took it: the person has it, and a copy is kept.
pub(super) fn captured(capture: Capture) -> Verdict {
    Verdict::Sent { provider_message_id: None, delivered: true, capture: Some(capture) }
}

/// Once more at `due`.
pub(super) fn retry(due: Timestamp) -> Verdict {
    let tries = Tries { message_failures: 1, provider_failures: 2, trouble_since: Some(due - Duration::from_secs(60)) };
    Verdict::Retry { due, error: Some(error("greylisted", false)), tries }
}

/// Never.
pub(super) fn failed() -> Verdict {
    Verdict::Failed { error: error("mailbox_unavailable", true), reason: "permanent" }
}

/// The provider may have it, and the account says hold.
pub(super) fn held() -> Verdict {
    Verdict::Held { error: error("timeout", false) }
}

pub(super) fn error(code: &str, permanent: bool) -> DeliveryError {
    DeliveryError { code: code.to_owned(), message: "in the provider's words".to_owned(), permanent }
}

/// The code of the error that `result` must be.
#[track_caller]
pub(super) fn refused<T: Debug>(result: Result<T, Error>) -> ErrorCode {
    match result {
        Ok(value) => panic!("expected an error, got {value:?}"),
        Err(error) => error.code,
    }
}
