//! The OpenAPI 3.1 document, made from the operations that the routes are mounted with.

pub(crate) mod components;
mod document;
pub(crate) mod operation;

pub(crate) use document::document;
pub(crate) use operation::Operation;
