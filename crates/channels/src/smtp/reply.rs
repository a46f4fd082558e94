//! What a server's reply, or its silence, means for the message.

use carillon_domain::delivery::{Failure, Outcome};

use super::line::Lost;
use crate::text;

/// A reply: its code, and its text with lines joined by a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) text: String,
}

/// How far a delivery got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// TCP, greeting, EHLO.
    Connect,
    /// STARTTLS or the TLS handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before its 354.
    Data,
    /// The first octet of the message may be on its way.
    Body,
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Connect => "while connecting",
            Self::Tls => "during the TLS handshake",
            Self::Auth => "at AUTH",
            Self::Mail => "at MAIL",
            Self::Rcpt => "at RCPT",
            Self::Data => "at DATA",
            Self::Body => "after the message was written",
        }
    }
}

impl Lost {
    /// Whether the connection can carry another message: the dialogue ended with a reply that does not close it.
    pub(super) fn leaves_connection(&self) -> bool {
        match self {
            Self::Refused(reply) => reply.code != 421,
            Self::Unfit(_) => true,
            _ => false,
        }
    }

    /// What a delivery that ended like this at `step` came to.
    pub(super) fn judge(self, step: Step, to: &str) -> Outcome {
        let (code, words) = match self {
            Self::Refused(reply) => return refused(&reply, step, to),
            Self::Unfit(failure) => return Outcome::Failed(failure),
            Self::Policy(code, words) => return Outcome::Retry(Failure::of_provider(code, words)),
            Self::Silent => ("timeout", "no answer in time".to_owned()),
            Self::Closed => ("connection_lost", "the server closed the connection".to_owned()),
            Self::Garbled => ("unexpected_answer", "the answer is not SMTP".to_owned()),
            Self::Io(error) => (if step == Step::Connect { "connection_failed" } else { "connection_lost" }, error),
        };
        let failure = Failure::of_provider(code, format!("{words}, {}", step.word()));
        if step == Step::Body { Outcome::Unknown(failure) } else { Outcome::Retry(failure) }
    }
}

/// A complete negative reply is definite, also after the message: the server says that it does not have it.
fn refused(reply: &Reply, step: Step, to: &str) -> Outcome {
    let told = format!("{} {} ({})", reply.code, text::tell(&reply.text, to), step.word());
    let provider = |code| Outcome::Retry(Failure::of_provider(code, told.clone()));
    match step {
        Step::Connect => return provider("service_unavailable"),
        Step::Tls => return provider("tls_refused"),
        Step::Auth => return provider("authentication_refused"),
        Step::Mail | Step::Rcpt | Step::Data | Step::Body => {}
    }
    match reply.code {
        421 => provider("service_unavailable"),
        451 => provider("provider_error"),
        // The account, not the message: no login, a wrong one, TLS wanted.
        454 | 530 | 534 | 535 | 538 => provider("authentication_refused"),
        450 => Outcome::Retry(Failure::of_message("mailbox_busy", told)),
        452 => Outcome::Retry(Failure::of_message("insufficient_storage", told)),
        400..=499 => Outcome::Retry(Failure::of_message("temporary_failure", told)),
        500..=599 => Outcome::Failed(Failure::of_message(permanent(reply.code, step), told)),
        // 2xx and 3xx where they cannot stand.
        _ if step == Step::Body => Outcome::Unknown(Failure::of_provider("unexpected_answer", told)),
        _ => provider("unexpected_answer"),
    }
}

fn permanent(code: u16, step: Step) -> &'static str {
    match (code, step) {
        (_, Step::Mail) => "sender_refused",
        (550 | 551, Step::Rcpt) => "mailbox_unavailable",
        (552, Step::Rcpt) => "mailbox_full",
        (553, Step::Rcpt) => "invalid_recipient",
        (552, _) => "message_too_large",
        _ => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use carillon_domain::delivery::Fault;

    use super::*;

    fn at(step: Step, code: u16) -> Outcome {
        Lost::Refused(Reply { code, text: "no ada@x.example".to_owned() }).judge(step, "ada@x.example")
    }

    #[test]
    fn about_the_message_or_about_the_provider() {
        assert!(matches!(at(Step::Rcpt, 550), Outcome::Failed(f) if f.code == "mailbox_unavailable"));
        assert!(matches!(at(Step::Body, 554), Outcome::Failed(f) if f.code == "rejected"));
        assert!(matches!(at(Step::Mail, 550), Outcome::Failed(f) if f.code == "sender_refused"));
        for (step, code) in
            [(Step::Rcpt, 421), (Step::Body, 451), (Step::Auth, 535), (Step::Mail, 530), (Step::Connect, 554)]
        {
            assert!(matches!(at(step, code), Outcome::Retry(f) if f.fault == Fault::Provider), "{step:?} {code}");
        }
        for (step, code) in [(Step::Rcpt, 450), (Step::Body, 452), (Step::Data, 499)] {
            assert!(matches!(at(step, code), Outcome::Retry(f) if f.fault == Fault::Message), "{step:?} {code}");
        }
    }

    #[test]
    fn silence_is_unknown_only_once_the_message_is_on_its_way() {
        for step in [Step::Connect, Step::Tls, Step::Auth, Step::Mail, Step::Rcpt, Step::Data] {
            assert!(matches!(Lost::Silent.judge(step, ""), Outcome::Retry(_)), "{step:?}");
            assert!(matches!(Lost::Closed.judge(step, ""), Outcome::Retry(_)), "{step:?}");
        }
        for lost in [Lost::Silent, Lost::Closed, Lost::Garbled, Lost::Io(String::new())] {
            assert!(matches!(lost.judge(Step::Body, ""), Outcome::Unknown(_)));
        }
    }

    #[test]
    fn the_recipient_is_not_repeated() {
        let Outcome::Failed(failure) = at(Step::Rcpt, 550) else { panic!("must fail") };
        assert!(!failure.message.contains("ada"), "{}", failure.message);
    }
}
