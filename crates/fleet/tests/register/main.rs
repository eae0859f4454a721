//! The register on both databases (R08, R11, R24).

mod assets;
mod bundles;
mod holdings;
mod imports;
mod retirement;
mod spares;
mod support;
