//! One suite, two databases: every test of `conformance` and `kept` runs on SQLite and on PostgreSQL. The
//! others break one of them in the way in which it breaks, and look at what is left.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod conformance;
mod kept;
mod killed;
mod old;
mod postgres;
mod proxy;
mod runs;
mod sqlite;
mod support;
