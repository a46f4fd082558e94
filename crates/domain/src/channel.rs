use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::json::nearest;
use crate::{Error, FieldError};

/// A way to reach a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum Channel {
    /// E-mail.
    Email = 0,
    /// Text message.
    Sms = 1,
    /// Push to a device; `fcm` is accepted on input.
    Push = 2,
    /// WhatsApp.
    Whatsapp = 3,
    /// The inbox inside the tenant's own product; `inapp` and `database` are accepted on input.
    InApp = 4,
}

impl Channel {
    /// All channels, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Email, Self::Sms, Self::Push, Self::Whatsapp, Self::InApp];

    /// The canonical word, which every output carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Push => "push",
            Self::Whatsapp => "whatsapp",
            Self::InApp => "in_app",
        }
    }

    /// The number that the store keeps.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The channel with that number.
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Email),
            1 => Some(Self::Sms),
            2 => Some(Self::Push),
            3 => Some(Self::Whatsapp),
            4 => Some(Self::InApp),
            _ => None,
        }
    }
}

impl FromStr for Channel {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "email" => Ok(Self::Email),
            "sms" => Ok(Self::Sms),
            "push" | "fcm" => Ok(Self::Push),
            "whatsapp" => Ok(Self::Whatsapp),
            "in_app" | "inapp" | "in-app" | "database" => Ok(Self::InApp),
            _ => {
                let near = nearest(word, Self::ALL.map(Self::as_str));
                let hint = near.map_or_else(String::new, |near| format!(" (did you mean \"{near}\"?)"));
                Err(Error::invalid(FieldError::new(
                    "/channel",
                    "unknown_channel",
                    format!("\"{word}\" is not a channel{hint}: email, sms, push, whatsapp or in_app"),
                )))
            }
        }
    }
}

/// How urgent a notification is. The four classes share the workers 1 : 2 : 4 : 8; none starves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(i16)]
pub enum Priority {
    /// May wait: campaigns, digests.
    Low = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// Somebody is looking at a screen.
    High = 2,
    /// One-time passwords, alarms.
    Critical = 3,
}

impl Priority {
    /// All priorities, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The canonical word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The number that the store keeps; larger is more urgent.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The priority with that number.
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Low),
            1 => Some(Self::Normal),
            2 => Some(Self::High),
            3 => Some(Self::Critical),
            _ => None,
        }
    }

    /// Its share of the workers while the others have work too.
    pub const fn weight(self) -> u32 {
        1 << (self as u32)
    }
}

impl FromStr for Priority {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|p| p.as_str() == word).ok_or_else(|| {
            Error::invalid(FieldError::new(
                "/priority",
                "unknown_priority",
                format!("\"{word}\" is not a priority: low, normal, high or critical"),
            ))
        })
    }
}

macro_rules! word {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
word!(Channel);
word!(Priority);
