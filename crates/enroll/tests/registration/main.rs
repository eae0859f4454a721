//! The decision that every device protocol ends in, on both databases (R05, R07, R08, R09, R11).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests are tests.

mod decisions;
mod limits;
mod people;
mod renewals;
mod rights;
mod support;
mod udi;
mod webhook;
