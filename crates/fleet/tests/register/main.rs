//! The register on both databases (R08, R11, R24).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod agents;
mod assets;
mod bulk;
mod bundles;
mod flows;
mod holdings;
mod imports;
mod retirement;
mod risks;
mod spares;
mod support;
