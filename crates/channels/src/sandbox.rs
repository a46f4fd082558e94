//! The sandbox: a provider for every channel that keeps what it is given, and simulates on demand what real ones do.

use std::time::Duration;

use async_trait::async_trait;
use carillon_domain::delivery::{Capture, Failure, Outcome, Receipt};
use carillon_domain::message::Message;
use carillon_domain::{Channel, content::Content};
use carillon_ports::ChannelProvider;

/// How long a simulated slow provider takes.
const DELAY: Duration = Duration::from_secs(2);

/// The longest that a simulated silence lasts: test traffic shares its slots, and nobody learns more from a longer one.
const SILENCE: Duration = Duration::from_secs(5);

/// Takes everything and sends nothing. `docs/providers/sandbox.md` lists the simulator addresses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sandbox;

/// What a simulator address asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Simulate {
    Delivered,
    Bounce,
    Fail,
    Delay,
    Timeout,
}

impl Simulate {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "delivered" => Self::Delivered,
            "bounce" => Self::Bounce,
            "fail" => Self::Fail,
            "delay" => Self::Delay,
            "timeout" => Self::Timeout,
            _ => return None,
        })
    }

    fn of(channel: Channel, to: &str) -> Option<Self> {
        match channel {
            Channel::Email => {
                let (user, domain) = to.rsplit_once('@')?;
                if !domain.eq_ignore_ascii_case("sandbox.example") {
                    return None;
                }
                let word = user.split_once('+').map_or(user, |(word, _tag)| word);
                Self::from_word(&word.to_ascii_lowercase())
            }
            Channel::Sms | Channel::Whatsapp => Some(match to {
                "+15005550006" => Self::Delivered,
                "+15005550001" => Self::Bounce,
                "+15005550009" => Self::Fail,
                "+15005550007" => Self::Delay,
                "+15005550008" => Self::Timeout,
                _ => return None,
            }),
            Channel::Push | Channel::InApp => {
                let rest = to.strip_prefix("sandbox-")?;
                Self::from_word(rest.split_once('+').map_or(rest, |(word, _tag)| word))
            }
        }
    }
}

fn sent(message: &Message, delivered: bool) -> Outcome {
    Outcome::Sent(Receipt {
        provider_message_id: Some(format!("sandbox-{}", message.uuid)),
        delivered,
        capture: Some(Capture { to: message.to().to_owned(), content: message.content.clone() }),
    })
}

#[async_trait]
impl ChannelProvider for Sandbox {
    fn kind(&self) -> &'static str {
        "sandbox"
    }

    async fn send(&self, message: &Message, timeout: Duration) -> Outcome {
        // The inbox is ours: what is stored there has arrived.
        let arrived = matches!(message.content, Content::InApp(_));
        match Simulate::of(message.content.channel(), message.to()) {
            None => sent(message, arrived),
            Some(Simulate::Delivered) => sent(message, true),
            Some(Simulate::Bounce) => {
                Outcome::Failed(Failure::of_message("hard_bounce", "simulated: the address does not exist"))
            }
            Some(Simulate::Fail) => {
                Outcome::Failed(Failure::of_message("rejected", "simulated: the provider refuses this message"))
            }
            Some(Simulate::Delay) => {
                tokio::time::sleep(DELAY.min(timeout / 2)).await;
                sent(message, arrived)
            }
            Some(Simulate::Timeout) => {
                tokio::time::sleep(SILENCE.min(timeout)).await;
                Outcome::Unknown(Failure::of_provider("timeout", "simulated: the provider took it and did not answer"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_simulator_address_is_found() {
        let of = Simulate::of;
        assert_eq!(of(Channel::Email, "bounce@sandbox.example"), Some(Simulate::Bounce));
        assert_eq!(of(Channel::Email, "Bounce+42@Sandbox.Example"), Some(Simulate::Bounce));
        assert_eq!(of(Channel::Email, "delivered@sandbox.example"), Some(Simulate::Delivered));
        assert_eq!(of(Channel::Email, "bounce@example.com"), None);
        assert_eq!(of(Channel::Email, "ada@sandbox.example"), None);
        assert_eq!(of(Channel::Sms, "+15005550009"), Some(Simulate::Fail));
        assert_eq!(of(Channel::Whatsapp, "+15005550008"), Some(Simulate::Timeout));
        assert_eq!(of(Channel::Sms, "+441632960961"), None);
        assert_eq!(of(Channel::Push, "sandbox-delay"), Some(Simulate::Delay));
        assert_eq!(of(Channel::InApp, "sandbox-fail+7"), Some(Simulate::Fail));
        assert_eq!(of(Channel::Push, "bounce"), None);
    }
}
