//! The door: the matrix, tokens, refusals. What concerns the database runs on SQLite and PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cut_off;
mod deciders;
mod kept_calls;
mod matrix;
mod notices;
mod people;
mod review;
mod sessions;
mod support;
mod tokens;
