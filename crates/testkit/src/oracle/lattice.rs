//! Which timelines can happen.

use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, Status};

use crate::rows::Story;

/// Whether this run has come to its end: only a later report may still move it, and only up.
pub(super) fn is_settled(status: Status) -> bool {
    !status.is_pending() && status != Status::Unknown
}

/// The status that a transition tells, if it tells one.
fn told(kind: EventKind) -> Option<Status> {
    Some(match kind {
        EventKind::Requested => Status::Accepted,
        EventKind::Queued | EventKind::RetryScheduled | EventKind::Replayed => Status::Queued,
        EventKind::Sending => Status::Sending,
        EventKind::Unknown => Status::Unknown,
        EventKind::Sent => Status::Sent,
        EventKind::Delivered => Status::Delivered,
        EventKind::Failed => Status::Failed,
        EventKind::Read => Status::Read,
        EventKind::Cancelled => Status::Cancelled,
        EventKind::Skipped => Status::Skipped,
        EventKind::AttemptFailed | EventKind::FailedOver | EventKind::DeadLettered => return None,
    })
}

/// It begins with the request, what is settled only rises, and the row's status is where the timeline ends.
pub(super) fn check(story: &Story) -> Result<(), String> {
    let mut now = None;
    for Transition { kind, .. } in &story.transitions {
        let Some(next) = told(*kind) else { continue };
        now = Some(match now {
            None if next == Status::Accepted => next,
            None => return Err(format!("begins with {}", kind.name())),
            Some(_) if next == Status::Accepted => return Err("requested twice".to_owned()),
            Some(_) if *kind == EventKind::Replayed => next,
            Some(now) if is_settled(now) && (now.join(next) == now) => {
                return Err(format!("{} after {now}", kind.name()));
            }
            Some(_) => next,
        });
    }
    match now {
        Some(end) if end == story.status => Ok(()),
        Some(end) => Err(format!("ends {end}, and the row is {}", story.status)),
        None => Err("says nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventKind::{Delivered, Queued, Replayed, Requested, Sending, Sent, Unknown};
    use carillon_domain::time::{Clock as _, SystemClock};

    fn story(status: Status, kinds: &[EventKind]) -> Story {
        let at = SystemClock.now();
        Story { status, transitions: kinds.iter().map(|kind| Transition::new(*kind, at)).collect() }
    }

    #[test]
    fn what_can_happen_passes() {
        for (status, kinds) in [
            (Status::Sent, &[Requested, Queued, Sending, Sent][..]),
            (Status::Sent, &[Requested, Queued, Unknown, Queued, Sending, Sent]),
            (Status::Delivered, &[Requested, Queued, Sending, Sent, Delivered]),
            (Status::Queued, &[Requested, Queued, Sending, Sent, Replayed]),
        ] {
            assert_eq!(check(&story(status, kinds)), Ok(()), "{kinds:?}");
        }
    }

    #[test]
    fn what_cannot_happen_does_not() {
        for (status, kinds) in [
            (Status::Sending, &[Requested, Queued, Sending, Sent, Sending][..]),
            (Status::Sent, &[Requested, Queued, Sending, Sent, Delivered, Sent]),
            (Status::Queued, &[Requested, Queued, Sending, Sent]),
            (Status::Sent, &[Queued, Sending, Sent]),
            (Status::Sent, &[Requested, Requested, Queued, Sending, Sent]),
            (Status::Accepted, &[]),
        ] {
            assert!(check(&story(status, kinds)).is_err(), "{kinds:?}");
        }
    }
}
