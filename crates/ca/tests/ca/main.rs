//! The CA as its callers see it. What concerns the database runs on SQLite and on PostgreSQL; what a
//! certificate says is judged by OpenSSL and pkilint, not by the code that made it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod along;
mod approvals;
mod compromised;
mod crashes;
mod hierarchy;
mod hsm;
mod issuance;
mod profiles;
mod refusals;
mod registration;
mod repository;
mod reserve;
mod support;
mod tamper;
mod tools;
