//! Findings: each rule against certificates that OpenSSL made, beside a twin that breaks none (R16, R19, R20).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod documents;
mod kept;
mod rules;
#[path = "../register/support.rs"]
#[allow(dead_code, reason = "the tests of the register use all of it")]
mod support;
mod world;
