//! The core: one service per resource. No HTTP, no SQL.
