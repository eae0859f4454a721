//! The agent in a segment, its core pretended: the queue on its disk, its orders, an hour without the core.

#![allow(clippy::unwrap_used, clippy::panic)] // A test that cannot go on says where.

mod arbitrary;
mod away;
mod made;
mod order;
mod queue;
