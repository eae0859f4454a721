//! The agent in a segment that the core does not reach: it asks for orders, scans within them, keeps what it found on its
//! disk while the core is away, and hands it over exactly once (R17).
//!
//! Everything goes outwards from here: nothing listens. What it may do comes as an [`Order`], signed by the core with the key
//! that was pinned at enrolment, and is held against the [`Ceiling`] that was pinned there too: whoever takes over the core
//! can have this segment scanned, and nothing beyond it. What it found lies in a [`Queue`] until the core has said that it
//! is stored.

mod batch;
mod client;
mod core;
mod disk;
#[doc(hidden)]
pub mod exercise;
mod home;
mod order;
mod queue;
mod run;
mod work;

pub use batch::{BATCH_LIMIT, BATCH_OBSERVATIONS, BadBatch, Batch, Draft, Head, Said};
pub use client::{Client, Enrolled, enrol};
pub use core::{Core, CoreError, Poll, Polled, Renewed, Taken};
pub use home::{Home, HomeError, Identity, Ticket};
pub use order::{Ceiling, ORDER_LIMIT, Order, OrderError, Signed, signed_text};
pub use queue::{LEAST_LIMIT, Queue, QueueError};
pub use run::{Relay, RelayError, Status, Tell};
pub use work::{Look, Scanner};
