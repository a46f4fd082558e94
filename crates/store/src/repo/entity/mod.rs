//! The rows of the configuration tables.

pub(super) mod api_key;
pub(super) mod localization;
pub(super) mod template;
pub(super) mod tenant;
pub(super) mod version;
