//! One error for the whole house. Its [`ErrorCode`] decides the HTTP status, the gRPC status, GraphQL's
//! `extensions.code` and a dead letter's reason: one table, at the bottom of this file.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What every fallible service returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for the caller: a stable code, a sentence, and where in the input.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    /// The stable word for it.
    pub code: ErrorCode,
    /// One sentence for a person, without secrets or recipients of others.
    pub detail: String,
    /// Which fields, if the input was at fault.
    pub fields: Vec<FieldError>,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
    /// What the log should know and the caller should not.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with this code and sentence.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), retry_after: None, source: None }
    }

    /// `validation_failed` with one field.
    pub fn invalid(field: FieldError) -> Self {
        Self::invalid_fields(vec![field])
    }

    /// `validation_failed` with several fields; the first one's message is the sentence.
    pub fn invalid_fields(fields: Vec<FieldError>) -> Self {
        let detail = fields.first().map_or_else(|| "the request is not valid".to_owned(), |f| f.message.clone());
        Self { fields, ..Self::new(ErrorCode::ValidationFailed, detail) }
    }

    /// `not_found`: it does not exist, or belongs to another tenant, which looks the same from outside.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(ErrorCode::NotFound, format!("no such {what}"))
    }

    /// `unavailable`: a dependency is away; nothing was accepted.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            source: Some(source.into()),
            ..Self::new(ErrorCode::Unavailable, "the store cannot be reached; nothing was accepted")
        }
    }

    /// `internal`: a defect of ours. The cause goes to the log only.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..Self::new(ErrorCode::Internal, "an internal error; the log has it") }
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Prefixes every pointer, for an item of a batch.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        for field in &mut self.fields {
            field.pointer.insert_str(0, prefix);
        }
        self
    }
}

/// One field of the input and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request body, such as `/recipient/email`.
    pub pointer: String,
    /// A stable word, such as `invalid_email`.
    pub code: Cow<'static, str>,
    /// One sentence.
    pub message: String,
}

impl FieldError {
    /// A finding at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Cow::Borrowed(code), message: message.into() }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $word:literal $http:literal $grpc:literal $title:literal;)*) => {
        /// The stable words for what can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// The number of the gRPC status.
            pub const fn grpc_status(self) -> u8 {
                match self { $(Self::$variant => $grpc,)* }
            }

            /// The title of its problem page.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// Not JSON, duplicate keys, too deep, a bad cursor.
    InvalidRequest "invalid_request" 400 3 "The request cannot be read";
    /// No credentials, or none that are valid.
    Unauthenticated "unauthenticated" 401 16 "Who are you?";
    /// The principal may not do this.
    Forbidden "forbidden" 403 7 "Not allowed";
    /// It does not exist, or is another tenant's.
    NotFound "not_found" 404 5 "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed "method_not_allowed" 405 12 "Method not allowed";
    /// Something with that name is there already.
    Conflict "conflict" 409 6 "Conflict";
    /// The object's state forbids it.
    InvalidState "invalid_state" 409 9 "The state forbids it";
    /// The first call with this key is still running.
    IdempotencyInProgress "idempotency_in_progress" 409 10 "The first call is still running";
    /// The body, or a part of it, is over its limit.
    PayloadTooLarge "payload_too_large" 413 11 "Too large";
    /// Not `application/json`.
    UnsupportedMediaType "unsupported_media_type" 415 3 "Unsupported media type";
    /// A field is unknown, missing, of a wrong type or impossible.
    ValidationFailed "validation_failed" 422 3 "The request is not valid";
    /// The key was used with another body.
    IdempotencyMismatch "idempotency_mismatch" 422 9 "The key was used with another body";
    /// Too many requests.
    RateLimited "rate_limited" 429 8 "Too many requests";
    /// The tenant's quota is used up.
    QuotaExceeded "quota_exceeded" 429 8 "Quota exceeded";
    /// A defect of ours.
    Internal "internal" 500 13 "Internal error";
    /// A dependency is away.
    Unavailable "unavailable" 503 14 "Temporarily unavailable";
    /// More work than the process may hold.
    Overloaded "overloaded" 503 14 "Overloaded";
    /// The answer took too long.
    DeadlineExceeded "deadline_exceeded" 504 4 "Deadline exceeded";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
