//! The inventory on both databases (R16, R17, R21). Certificates come from OpenSSL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

#[path = "../register/support.rs"]
#[allow(dead_code, reason = "the register's tests need more of it")]
mod support;

mod import;
mod ingest;
mod lab;
mod names;
mod settle;
