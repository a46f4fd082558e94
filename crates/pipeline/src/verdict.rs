//! What follows from an outcome: the row's next state and its line in the timeline. Pure.

use std::time::Duration;

use carillon_domain::delivery::{Failure, Fault, OnUnknown, Outcome};
use carillon_domain::notification::DeliveryError;
use carillon_domain::notification::event::Transition;
use carillon_domain::{EventKind, Timestamp};
use carillon_ports::work::{Finish, Tries, Verdict};
use carillon_resilience::retry::{self, Attempt, Decision, Policy};
use serde_json::json;

use crate::task::{Done, Leaver, Ticket};

/// When an attempt took place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// After a provider call.
pub(crate) fn settle(policy: &Policy, ticket: Ticket, outcome: Outcome, span: Span, fraction: f64) -> Done {
    let attempt = ticket.attempts + 1;
    let kind = ticket.account.provider.kind();
    let step = |kind_of, at| Transition::new(kind_of, at).by(attempt, kind);
    let trouble_word = match &outcome {
        Outcome::Sent(_) => "",
        Outcome::Retry(failure) | Outcome::Failed(failure) | Outcome::Unknown(failure) => failure.code,
    };
    let mut steps = vec![step(EventKind::Sending, span.began)];
    let at = span.ended;
    let verdict = match outcome {
        Outcome::Sent(receipt) => {
            steps.push(step(EventKind::Sent, at));
            if receipt.delivered {
                steps.push(step(EventKind::Delivered, at));
            }
            Verdict::Sent {
                provider_message_id: receipt.provider_message_id,
                delivered: receipt.delivered,
                capture: receipt.capture,
            }
        }
        Outcome::Failed(failure) => fail(&mut steps, &step, at, error_of(&failure, true), "permanent"),
        Outcome::Retry(failure) => {
            steps.push(step(EventKind::AttemptFailed, at).with(words(&failure)));
            let tries = after(ticket.tries, failure.fault, at);
            match next(policy, &ticket, tries, &failure, at, fraction) {
                Decision::At(due) => {
                    steps.push(step(EventKind::RetryScheduled, at).with(json!({ "due": due })));
                    Verdict::Retry { due, error: Some(error_of(&failure, false)), tries }
                }
                Decision::Exhausted => {
                    let reason = if failure.fault == Fault::Message { "exhausted" } else { "technical" };
                    fail(&mut steps, &step, at, error_of(&failure, true), reason)
                }
                Decision::Expired => fail(&mut steps, &step, at, error_of(&failure, true), "expired"),
            }
        }
        Outcome::Unknown(failure) => {
            steps.push(step(EventKind::Unknown, at).with(words(&failure)));
            let trouble = Failure { fault: Fault::Provider, ..failure };
            let tries = after(ticket.tries, Fault::Provider, at);
            let decision = next(policy, &ticket, tries, &trouble, at, fraction);
            match (ticket.account.on_unknown, decision) {
                (OnUnknown::Resend, Decision::At(due)) => {
                    steps.push(step(EventKind::Queued, at).with(json!({ "due": due, "resend": true })));
                    Verdict::Retry { due, error: Some(error_of(&trouble, false)), tries }
                }
                // Too late to send again, and not known to have failed: a person decides.
                _ => Verdict::Held { error: error_of(&trouble, false) },
            }
        }
    };
    done(ticket, verdict, steps, attempt, at, trouble_word)
}

/// Its time was over before it was sent.
pub(crate) fn expired(ticket: Ticket, at: Timestamp) -> Done {
    let message = "its time was over before it could be sent".to_owned();
    reject(ticket, "expired", message, "expired", at)
}

/// It cannot be sent, ever: no provider was asked.
pub(crate) fn reject(ticket: Ticket, code: &'static str, message: String, reason: &'static str, at: Timestamp) -> Done {
    let error = DeliveryError { code: code.to_owned(), message, permanent: true };
    let mut steps = Vec::new();
    let verdict = fail(&mut steps, &Transition::new, at, error, reason);
    let attempts = ticket.attempts;
    done(ticket, verdict, steps, attempts, at, code)
}

/// It goes back to the table until `due`; no provider was asked, and it costs nothing. The timeline does not tell: behind
/// a dead provider it happens each minute.
pub(crate) fn give_back(ticket: Ticket, due: Timestamp, at: Timestamp) -> Done {
    let (attempts, tries) = (ticket.attempts, ticket.tries);
    done(ticket, Verdict::Retry { due, error: None, tries }, Vec::new(), attempts, at, "")
}

fn done(
    ticket: Ticket,
    verdict: Verdict,
    transitions: Vec<Transition>,
    attempts: i32,
    at: Timestamp,
    trouble: &'static str,
) -> Done {
    let provider = ticket.account.provider.kind().to_owned();
    let finish = Finish {
        id: ticket.id,
        tenant: ticket.tenant,
        hold: ticket.hold,
        verdict,
        provider,
        attempts,
        at,
        transitions,
    };
    Done { leaver: Leaver { ticket, permitted: true, trouble }, finish }
}

fn fail(
    steps: &mut Vec<Transition>,
    step: &dyn Fn(EventKind, Timestamp) -> Transition,
    at: Timestamp,
    error: DeliveryError,
    reason: &'static str,
) -> Verdict {
    steps.push(step(EventKind::Failed, at).with(json!({ "code": error.code, "message": error.message })));
    steps.push(step(EventKind::DeadLettered, at).with(json!({ "reason": reason })));
    Verdict::Failed { error, reason }
}

fn next(policy: &Policy, ticket: &Ticket, tries: Tries, failure: &Failure, now: Timestamp, fraction: f64) -> Decision {
    let attempt = Attempt {
        now,
        fault: failure.fault,
        message_failures: count(tries.message_failures),
        provider_failures: count(tries.provider_failures),
        trouble_since: tries.trouble_since,
        expires_at: ticket.expires_at,
        retry_after: failure.retry_after.filter(|after| *after > Duration::ZERO),
        fraction,
    };
    retry::next(policy, attempt)
}

fn count(failures: i32) -> u32 {
    u32::try_from(failures).unwrap_or(0)
}

/// The budget after one more failure. An answer about the message ends a row of provider trouble.
fn after(tries: Tries, fault: Fault, at: Timestamp) -> Tries {
    match fault {
        Fault::Message => Tries {
            message_failures: tries.message_failures.saturating_add(1),
            provider_failures: 0,
            trouble_since: None,
        },
        Fault::Provider => Tries {
            provider_failures: tries.provider_failures.saturating_add(1),
            trouble_since: tries.trouble_since.or(Some(at)),
            ..tries
        },
    }
}

fn error_of(failure: &Failure, permanent: bool) -> DeliveryError {
    DeliveryError { code: failure.code.to_owned(), message: failure.message.clone(), permanent }
}

fn words(failure: &Failure) -> serde_json::Value {
    json!({ "code": failure.code, "message": failure.message })
}
