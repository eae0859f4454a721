//! One suite, two databases: every test of `conformance` runs on SQLite and on PostgreSQL. The
//! others test what only one of them can do wrong.

#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod support;
