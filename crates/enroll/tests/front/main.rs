//! Everything that must hold before anybody acts on an ACME request, and accounts (RFC 8555 §6, §7.1 to §7.3).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod accounts;
mod client;
mod messages;
mod nonces;
mod operators;
mod support;
