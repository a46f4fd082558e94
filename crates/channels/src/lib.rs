//! Providers: one module each. A provider hands one message to the outside, once, and says what became of it; retries,
//! limits and breakers are its caller's.

pub mod accounts;
pub mod http;
pub mod in_app;
pub mod sandbox;
pub mod sendgrid;
pub mod smtp;

mod address;
mod text;

pub use accounts::{PlatformAccounts, PlatformConfig};
pub use in_app::InApp;
pub use sandbox::Sandbox;
pub use sendgrid::{SendGrid, SendGridConfig};
pub use smtp::{Smtp, SmtpConfig};
