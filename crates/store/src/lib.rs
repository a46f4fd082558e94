//! One storage layer for SQLite and PostgreSQL.
