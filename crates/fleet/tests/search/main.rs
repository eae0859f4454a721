//! Looking into the inventory (R16): the language, what it finds, views, exports. What is found is compared with what a
//! person says about a small inventory, on SQLite and on PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod exports;
mod found;
mod language;
mod posture;
mod reach;
#[path = "../register/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the register")]
mod support;
mod views;
mod world;
