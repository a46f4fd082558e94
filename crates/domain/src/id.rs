//! Ids. An object has an int64 `id` for people and joins, and a UUIDv7 `uuid` for the outside; either is accepted
//! wherever an id is asked for, and some objects have a `code` too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, ErrorCode};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A notification; below 2^53, so that JavaScript can hold it.
    NotificationId
);
id!(
    /// A tenant. Tenant 1 is the first start's.
    TenantId
);
id!(
    /// A template (not one of its versions: those are numbered 1, 2, 3 within it).
    TemplateId
);
id!(
    /// An API key's row, not the key.
    ApiKeyId
);

/// How a client may name an object in a path or a field: by id, by uuid, or, where it has one, by code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ref {
    /// The int64 id.
    Id(i64),
    /// The public uuid.
    Uuid(Uuid),
    /// The tenant-chosen code, such as `welcome`.
    Code(String),
}

impl FromStr for Ref {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if let Ok(id) = text.parse() {
            Self::Id(id)
        } else if let Ok(uuid) = Uuid::try_parse(text) {
            Self::Uuid(uuid)
        } else {
            Self::Code(text.to_owned())
        })
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Uuid(uuid) => uuid.fmt(f),
            Self::Code(code) => code.fmt(f),
        }
    }
}

/// How a client may name a notification: it has no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationRef {
    /// The int64 id.
    Id(NotificationId),
    /// The public uuid.
    Uuid(Uuid),
}

impl FromStr for NotificationRef {
    type Err = Error;

    /// Anything that is neither an id nor a uuid names nothing: `not_found`, as a foreign id is.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse() {
            Ok(Ref::Id(id)) => Ok(Self::Id(NotificationId(id))),
            Ok(Ref::Uuid(uuid)) => Ok(Self::Uuid(uuid)),
            _ => Err(Error::new(ErrorCode::NotFound, "no such notification")),
        }
    }
}
