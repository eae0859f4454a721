//! Orders from their making to their certificate, as clients see them: signed requests in, replies out, no network. What
//! concerns the database runs on SQLite and on PostgreSQL; control of names is proven by a world that the tests make up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod challenges;
mod client;
mod finalize;
mod machine;
mod nodes;
mod orders;
mod prune;
mod revocation;
mod support;
mod world;
