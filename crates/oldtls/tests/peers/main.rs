//! The acceptor against other people's TLS: `openssl s_client` for the old suites, rustls where a client has to lie, and
//! bytes that no client sends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod clients;
mod house;
mod noise;
mod rustls_client;
