//! Providers: one module each.
