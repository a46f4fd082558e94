//! Compiles and renders message templates: locales, escaping, limits.
//!
//! The language is Jinja's, read by minijinja's parser and run by the module `lang`: values are borrowed from the request,
//! every operation is paid for before it happens, and nothing that a tenant writes can take more than [`Limits`] says.
//! `docs/templates.md` is the page for those who write templates.
//!
//! May be imported by `app`. Knows `domain` only; no I/O.

mod address;
mod cache;
mod compiled;
mod engine;
mod lang;
mod limits;
mod locale;
mod render;
mod validate;
mod variables;

pub use cache::Cache;
pub use compiled::Compiled;
pub use engine::Engine;
pub use limits::Limits;
pub use locale::{choose_locale, choose_part};
pub use validate::validate;
pub use variables::check_variables;
