//! Between rows and the domain: what both engines share.

use carillon_domain::notification::DeliveryError;
use carillon_domain::notification::event::Transition;
use carillon_domain::{Channel, Error, Priority, Recipient, Status, Timestamp};
use chrono::DateTime;

/// Variables and direct content together over this many bytes go to `notification_content`.
pub(crate) const INLINE_BYTES: usize = 1024;

/// Microseconds since 1970, as SQLite keeps times.
pub(crate) fn micros(at: Timestamp) -> i64 {
    at.timestamp_micros()
}

/// The instant of a stored number.
pub(crate) fn instant(micros: i64) -> Result<Timestamp, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| corrupt("time"))
}

/// The channel of a stored number.
pub(crate) fn channel(number: i16) -> Result<Channel, Error> {
    Channel::from_number(number).ok_or_else(|| corrupt("channel"))
}

/// The priority of a stored number.
pub(crate) fn priority(number: i16) -> Result<Priority, Error> {
    Priority::from_number(number).ok_or_else(|| corrupt("priority"))
}

/// The status of a stored number.
pub(crate) fn status(number: i16) -> Result<Status, Error> {
    Status::from_number(number).ok_or_else(|| corrupt("status"))
}

/// The recipient of a stored text.
pub(crate) fn recipient(text: &str) -> Result<Recipient, Error> {
    serde_json::from_str(text).map_err(Error::internal)
}

/// The error of a stored text.
pub(crate) fn delivery_error(text: Option<&str>) -> Result<Option<DeliveryError>, Error> {
    text.map(serde_json::from_str).transpose().map_err(Error::internal)
}

/// The transitions of a stored text.
pub(crate) fn transitions(text: &str) -> Result<Vec<Transition>, Error> {
    serde_json::from_str(text).map_err(Error::internal)
}

/// A value as the JSON text that a column keeps.
pub(crate) fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn corrupt(what: &str) -> Error {
    Error::internal(format!("the store holds a {what} that this version does not know"))
}
