//! The register on both databases (R08, R11, R24).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod assets;
mod bundles;
mod holdings;
mod imports;
mod retirement;
mod spares;
mod support;
